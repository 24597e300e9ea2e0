"""A few threads that run jobs, first come, first served, and the bounded queue in front of them."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from bedesten.store.job import Job
from bedesten.store.transaction import StoreUnavailable

CLOSING_S = 10.0
"""So long `close` waits for what is under way; a thread that is stuck beyond that ends with the process."""


class Closable(Protocol):
    """What a thread of a lane keeps from one job to the next."""

    def drop(self) -> None:
        """Lets go of it."""


Kept = TypeVar("Kept", bound=Closable)


class Lane(Generic[Kept]):
    """`size` threads, started when they are first needed, and at most `longest` jobs that wait for one.

    Each thread keeps what `keep` gives it, and runs a job by `run(kept, job)`, which answers the job and raises nothing.
    """

    def __init__(
        self, name: str, size: int, longest: int, keep: Callable[[], Kept], run: Callable[[Kept, Job], None]
    ) -> None:
        self._name = name
        self._size = size
        self._longest = longest
        self._keep = keep
        self._run = run
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._queue)

    @property
    def busy(self) -> int:
        """How many threads run a job."""
        return max(0, len(self._threads) - self._idle)

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue. Raises `StoreUnavailable` if the queue is full or the lane is closed."""
        with self._changed:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            if len(self._queue) >= self._longest + self._idle:
                raise StoreUnavailable(f"more than {self._longest} actions wait for the store ({self._name})")
            self._queue.append(job)
            if self._idle < len(self._queue) and len(self._threads) < self._size:
                thread = threading.Thread(target=self._serve, name=f"store-{self._name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._changed.notify()

    def close(self) -> None:
        """Runs what is queued, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CLOSING_S)

    def _serve(self) -> None:
        kept = self._keep()
        while (job := self._next()) is not None:
            self._run(kept, job)
        kept.drop()

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            while not self._queue and not self._closed:
                self._changed.wait()
            self._idle -= 1
            return self._queue.popleft() if self._queue else None
