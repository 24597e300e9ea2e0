"""Values that must never reach a log, a traceback or a terminal by accident."""

from typing import Generic, TypeVar

Value = TypeVar("Value", str, bytes)


class Secret(Generic[Value]):
    """A secret that only `reveal()` shows: `repr`, `str`, formatting, pickling and equality give nothing away."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value: Value = value

    def reveal(self) -> Value:
        """The secret itself. Every call of this is a place to review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def masked(text: str) -> str:
    """Enough of a credential to recognise it by, and no more: its prefix and its last four characters."""
    if text.startswith("ak_") and len(text) > 16:
        return f"{text[:8]}…{text[-4:]}"
    return f"…{text[-4:]}" if len(text) > 16 else "…"
