"""A secret in memory that is never shown by accident."""

import hmac


def without_line_end(text: str) -> str:
    """Remove one trailing line end (LF or CR LF) of a secret, which is never part of it."""
    return text.removesuffix("\n").removesuffix("\r")


class SecretText:
    """A secret. `repr`, formatting, pickling and comparison disclose nothing."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text

    def is_same(self, other: "SecretText") -> bool:
        """Compare in constant time."""
        mine, theirs = self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, theirs)

    def __repr__(self) -> str:
        return "SecretText(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")
