"""Asking a store that has fallen silent again and again, so that it is used again as soon as it answers."""

import threading
from collections.abc import Callable

from bedesten.store.transaction import StoreUnavailable

PAUSE_S = 0.25


class Recovery:
    """While it lasts, nobody else is made to wait. `attempt` asks once, for at most so many seconds; it raises
    `StoreUnavailable` for as long as the store does not answer."""

    def __init__(self, name: str, attempt: Callable[[float], None], first_s: float, longest_s: float) -> None:
        self._name = name
        self._attempt = attempt
        self._first_s = first_s
        self._longest_s = longest_s
        self._starting = threading.Lock()
        self._closed = threading.Event()
        self.lasts = False

    def begin(self) -> None:
        """Begins to ask, unless that is being done."""
        with self._starting:
            if not self.lasts and not self._closed.is_set():
                self.lasts = True
                threading.Thread(target=self._run, name=f"store-{self._name}", daemon=True).start()

    def close(self) -> None:
        """Gives up."""
        self._closed.set()

    def _run(self) -> None:
        limit_s = self._first_s
        try:
            while not self._closed.is_set():
                try:
                    self._attempt(limit_s)
                    return
                except StoreUnavailable:
                    limit_s = min(self._longest_s, 2 * limit_s)
                    self._closed.wait(PAUSE_S)
        finally:
            self.lasts = False
