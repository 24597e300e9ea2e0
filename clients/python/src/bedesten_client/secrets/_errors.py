"""What can go wrong with a secret. No text of these ever holds a secret, and none has another exception behind it."""


class SecretError(Exception):
    """A secret cannot be had. The text says which reference and why."""


class BadReference(SecretError):
    """The reference itself is wrong, or what it needs is not installed: trying again changes nothing."""


class SecretUnavailable(SecretError):
    """The place that keeps the secret did not give it, and nothing is remembered."""


class ReadFailure(Exception):
    """Why one attempt to read failed, in words that are safe to show. `transient`: another attempt may go better."""

    def __init__(self, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.transient = transient
