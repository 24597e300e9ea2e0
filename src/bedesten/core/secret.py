"""Values that must never reach a log, a traceback or a terminal by accident."""

from typing import Generic, TypeVar

Value = TypeVar("Value", str, bytes)


class Secret(Generic[Value]):
    """A secret that only `reveal()` returns: `repr`, `str`, formatting, pickling and equality reveal nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value: Value = value

    def reveal(self) -> Value:
        """Returns the secret itself. Review every call of this."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def masked(text: str) -> str:
    """Returns a credential masked for display: its prefix and its last four characters."""
    if text.startswith("ak_") and len(text) > 16:
        return f"{text[:8]}…{text[-4:]}"
    return f"…{text[-4:]}" if len(text) > 16 else "…"
