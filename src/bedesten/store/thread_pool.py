"""A few threads that run jobs, with tenants taking turns, and the bounded queue in front of them."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from bedesten.store.fair_queue import ActiveTenants, FairQueue
from bedesten.store.job import Job
from bedesten.store.transaction import StoreUnavailable

CLOSE_TIMEOUT_S = 10.0
"""How long `close` waits for running jobs; a thread that is stuck longer ends with the process."""


class Closable(Protocol):
    """A resource that a thread of a pool keeps from one job to the next."""

    def drop(self) -> None:
        """Closes the resource."""


Resource = TypeVar("Resource", bound=Closable)


class ThreadPool(Generic[Resource]):
    """`size` threads, started when they are first needed, and at most `max_waiting` jobs that wait for one.

    Each thread keeps one resource from `open_resource` and runs a job with `run(resource, job)`, which answers the job
    and raises nothing.
    """

    def __init__(
        self,
        name: str,
        size: int,
        max_waiting: int,
        open_resource: Callable[[], Resource],
        run: Callable[[Resource, Job], None],
        active_tenants: ActiveTenants,
    ) -> None:
        self._name = name
        self._size = size
        self._max_waiting = max_waiting
        self._open_resource = open_resource
        self._run = run
        self._queue: FairQueue[Job] = FairQueue(size, active_tenants)
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

    def holds(self, tenant: str) -> bool:
        """Whether a job of this tenant waits or runs here."""
        return self._queue.holds(tenant)

    def submit(self, job: Job) -> Job | None:
        """Puts a job behind those of its tenant. If the queue is full, removes the newest job of the tenant with the
        most jobs, and returns it for the caller to answer. Raises `StoreUnavailable` if the job's own tenant has the
        most, and if the pool is closed."""
        with self._changed:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            displaced = None
            if len(self._queue) >= self._max_waiting + self._idle:
                displaced = self._queue.displace(job.tenant)
                if displaced is None:
                    raise self.full()
            self._queue.put(job)
            if self._idle < len(self._queue) and len(self._threads) < self._size:
                thread = threading.Thread(target=self._serve, name=f"store-{self._name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._changed.notify()
            return displaced

    def full(self) -> StoreUnavailable:
        """Returns the error for a job that finds the queue full."""
        return StoreUnavailable(f"more than {self._max_waiting} actions wait for the store ({self._name})")

    def close(self) -> None:
        """Runs the queued jobs, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)

    def _serve(self) -> None:
        resource = self._open_resource()
        job = self._next(None)
        while job is not None:
            self._run(resource, job)
            job = self._next(job)
        resource.drop()

    def _next(self, ended: Job | None) -> Job | None:
        with self._changed:
            if ended is not None:
                self._queue.ended(ended.tenant)
            self._idle += 1
            while (job := self._queue.take()) is None and not (self._closed and not self._queue):
                self._changed.wait()
            self._idle -= 1
            if self._idle and (self._queue or self._closed):
                self._changed.notify()  # a job that was held back may run now
            return job
