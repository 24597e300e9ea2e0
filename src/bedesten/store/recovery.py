"""Probes a silent store until it answers, so that it is used again at once."""

import threading
from collections.abc import Callable

from bedesten.store.transaction import StoreUnavailable

PAUSE_S = 0.25


class Recovery:
    """While a recovery is active, no other caller waits for the store.

    `attempt` probes once, with a timeout in seconds, and raises `StoreUnavailable` if the store does not answer. An
    attempt that began during the silence may run into its timeout although the store is back. So `probes` threads begin
    their attempts at different times, and the next attempt is never far away.
    """

    def __init__(
        self, name: str, attempt: Callable[[float], None], first_s: float, max_s: float, probes: int = 1
    ) -> None:
        self._name = name
        self._attempt = attempt
        self._first_s = first_s
        self._max_s = max_s
        self._probes = probes
        self._starting = threading.Lock()
        self._closed = False
        self._over = threading.Event()
        self._over.set()

    @property
    def active(self) -> bool:
        """Whether the store is being probed."""
        return not self._over.is_set()

    def begin(self) -> None:
        """Starts the probes, unless they run already."""
        with self._starting:
            if self.active or self._closed:
                return
            self._over = threading.Event()
            for place in range(self._probes):
                delay_s = place * self._first_s / self._probes
                threading.Thread(
                    target=self._run, args=(self._over, delay_s), name=f"store-{self._name}", daemon=True
                ).start()

    def close(self) -> None:
        """Ends the probes."""
        self._closed = True
        self._over.set()

    def _run(self, over: threading.Event, delay_s: float) -> None:
        limit_s = self._first_s
        over.wait(delay_s)
        try:
            while not over.is_set():
                try:
                    self._attempt(limit_s)
                except StoreUnavailable:
                    limit_s = min(self._max_s, 2 * limit_s)
                    over.wait(PAUSE_S)
                else:
                    return
        finally:
            over.set()
