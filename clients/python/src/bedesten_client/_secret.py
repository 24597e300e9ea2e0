"""A value that is never shown by accident."""

from typing import NoReturn


class Secret:
    """A secret. Only `reveal()` returns it; `repr`, `str`, formatting, comparison and pickling disclose nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
