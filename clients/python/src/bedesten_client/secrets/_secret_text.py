"""A secret in memory that nothing shows by accident."""

import hmac


def without_line_end(text: str) -> str:
    """A secret as it is meant: one end of a line behind it (LF, CR LF) is not part of it, wherever it comes from."""
    return text.removesuffix("\n").removesuffix("\r")


class SecretText:
    """A secret: `repr`, formatting, pickling and comparing give nothing away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def is_same(self, other: "SecretText") -> bool:
        """Whether both hold the same text; takes the same time wherever they differ."""
        mine, theirs = self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, theirs)

    def __repr__(self) -> str:
        return "Held(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
