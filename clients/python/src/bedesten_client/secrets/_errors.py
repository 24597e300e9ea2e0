"""Errors of secrets. No message contains a secret, and none has a chained exception that could."""


class SecretError(Exception):
    """A secret cannot be read. The message names the reference and the reason."""


class BadReference(SecretError):
    """The reference is invalid, or the library it needs is not installed. A retry does not help."""


class SecretUnavailable(SecretError):
    """The secret could not be read where it is stored, and no cached one exists."""


class ReadFailure(Exception):
    """Why one attempt to read failed, in words that are safe to log. `transient`: a retry may succeed."""

    def __init__(self, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.transient = transient
