"""A value that is never shown by accident."""

from typing import NoReturn


class Secret:
    """A secret that only `reveal()` shows: `repr`, `str`, formatting, comparing and pickling give nothing away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
