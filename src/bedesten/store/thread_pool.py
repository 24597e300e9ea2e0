"""A few threads that run jobs, first come, first served, and the bounded queue in front of them."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from bedesten.store.job import Job
from bedesten.store.transaction import StoreUnavailable

CLOSE_TIMEOUT_S = 10.0
"""So long `close` waits for what is under way; a thread that is stuck beyond that ends with the process."""


class Closable(Protocol):
    """What a thread of a lane keeps from one job to the next."""

    def drop(self) -> None:
        """Lets go of it."""


Resource = TypeVar("Resource", bound=Closable)


class ThreadPool(Generic[Resource]):
    """`size` threads, started when they are first needed, and at most `max_waiting` jobs that wait for one.

    Each thread keeps one resource from `open_resource` and runs a job with `run(resource, job)`, which answers the job and
    raises nothing.
    """

    def __init__(
        self,
        name: str,
        size: int,
        max_waiting: int,
        open_resource: Callable[[], Resource],
        run: Callable[[Resource, Job], None],
    ) -> None:
        self._name = name
        self._size = size
        self._max_waiting = max_waiting
        self._open_resource = open_resource
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
            if len(self._queue) >= self._max_waiting + self._idle:
                raise StoreUnavailable(f"more than {self._max_waiting} actions wait for the store ({self._name})")
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
            thread.join(CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        resource = self._open_resource()
        while (job := self._next()) is not None:
            self._run(resource, job)
        resource.drop()

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            while not self._queue and not self._closed:
                self._changed.wait()
            self._idle -= 1
            return self._queue.popleft() if self._queue else None
