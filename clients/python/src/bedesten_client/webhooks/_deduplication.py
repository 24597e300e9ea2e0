"""Which events were handled: delivery is at least once, so the same event may arrive several times."""

import threading
from collections import OrderedDict
from enum import Enum
from typing import Protocol


class Claim(Enum):
    """The state of an event that arrived."""

    NEW = "handle it"
    BUSY = "it is being handled"
    DONE = "it was handled"


class DeduplicationStore(Protocol):
    """Records events, so that each is handled once. A store of your own is a table with a unique column."""

    def claim(self, event_id: str) -> Claim:
        """Return NEW to exactly one caller before `done` or `release`."""
        ...

    def done(self, event_id: str) -> None:
        """Record that the event was handled."""
        ...

    def release(self, event_id: str) -> None:
        """Record that handling failed: the event arrives again."""
        ...


class MemoryDeduplicationStore:
    """Records events in the memory of one process. Another process, or this one after a restart, handles them again."""

    def __init__(self, max_events: int = 100_000) -> None:
        self._max_events = max_events
        self._lock = threading.Lock()
        self._claims: OrderedDict[str, Claim] = OrderedDict()

    def claim(self, event_id: str) -> Claim:
        """See `DeduplicationStore`."""
        with self._lock:
            known = self._claims.get(event_id)
            if known is None:
                self._claims[event_id] = Claim.BUSY
                while len(self._claims) > self._max_events:
                    self._claims.popitem(last=False)
                return Claim.NEW
            return known

    def done(self, event_id: str) -> None:
        """See `DeduplicationStore`."""
        with self._lock:
            self._claims[event_id] = Claim.DONE

    def release(self, event_id: str) -> None:
        """See `DeduplicationStore`."""
        with self._lock:
            self._claims.pop(event_id, None)
