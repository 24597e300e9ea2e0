"""Password hashing in threads: a few at a time, a short queue in which tenants take turns, and 503 beyond it."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import Hasher, PasswordHash
from bedesten.store.fair_queue import FairQueue

Result = TypeVar("Result")

MAX_PARALLEL, MAX_QUEUED = 2, 64
RETRY_AFTER_S = 2


@dataclass(slots=True, eq=False)
class _Job:
    tenant: str
    work: Callable[[], Any]
    future: "Future[Any]" = field(default_factory=Future)

    def run(self) -> Callable[[], None]:
        """Runs the job unless its caller has cancelled it. Returns a function that hands the result to the caller."""
        if not self.future.set_running_or_notify_cancel():
            return lambda: None
        try:
            return partial(self.future.set_result, self.work())
        except BaseException as error:
            return partial(self.future.set_exception, error)

    def refuse(self) -> None:
        """Refuses the job without running it."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(_full())


class PasswordHashPool:
    """Runs argon2id in threads (it releases the GIL). Raises `Refusal` (-9) with `Retry-After` when the queue is full.

    The queue is fair: the tenant served longest ago is next, so a flood of one tenant's logins delays those of another
    by one hash of each tenant. A full queue refuses the newest login of the tenant with the most jobs to make room for
    a tenant with fewer. So the queue bounds the memory, and one tenant alone may fill it.
    """

    def __init__(
        self, keyring: Callable[[], Keyring], max_parallel: int = MAX_PARALLEL, max_queued: int = MAX_QUEUED
    ) -> None:
        self._keyring = keyring
        self._hashers: dict[str, Hasher] = {}
        self._max_parallel = max_parallel
        self._max_in_progress = max_parallel + max_queued
        self._lock = threading.Lock()
        self._queue: FairQueue[_Job] = FairQueue(max_parallel)
        self._serving = 0
        self._running = 0

    @property
    def in_progress(self) -> int:
        """The number of running and queued hashes."""
        return self._running + len(self._queue)

    async def hash(self, tenant: str, password: str) -> PasswordHash:
        """A fresh hash under the current pepper."""
        pepper_id = self._keyring().digest.current
        return PasswordHash(await self._run(tenant, partial(self._hash, pepper_id, password)), pepper_id)

    async def verify(self, tenant: str, known: PasswordHash | None, password: str) -> bool:
        """Whether the password matches the stored hash; takes the same time without one."""
        return await self._run(tenant, partial(self._verify, known, password))

    def outdated(self, known: PasswordHash) -> bool:
        """Whether a hash was made with outdated parameters or an outdated pepper."""
        current = self._keyring().digest.current
        return known.pepper_id != current or self._hasher(current).needs_rehash(known.phc)

    def _hash(self, pepper_id: str, password: str) -> str:
        return self._hasher(pepper_id).hash(password)

    def _verify(self, known: PasswordHash | None, password: str) -> bool:
        keyring = self._keyring()
        if known is None or known.pepper_id not in keyring.digest.secrets:
            self._hasher(keyring.digest.current).verify_dummy(password)
            return False
        return self._hasher(known.pepper_id).verify(known.phc, password)

    def _hasher(self, pepper_id: str) -> Hasher:
        hasher = self._hashers.get(pepper_id)
        if hasher is None:
            hasher = self._hashers[pepper_id] = Hasher(self._keyring().password_pepper(pepper_id))
        return hasher

    async def _run(self, tenant: str, work: Callable[[], Result]) -> Result:
        job = _Job(tenant, work)
        self._submit(job)
        try:
            result: Result = await asyncio.wrap_future(job.future)
            return result
        except asyncio.CancelledError:
            with self._lock:
                self._queue.remove(job)
            raise

    def _submit(self, job: _Job) -> None:
        """Queues a job. Raises `Refusal` if the queue is full and no other tenant has more jobs in it."""
        displaced = None
        try:
            with self._lock:
                if self.in_progress >= self._max_in_progress:
                    displaced = self._queue.displace(job.tenant)
                    if displaced is None:
                        raise _full()
                self._queue.put(job)
                if self._serving < self._max_parallel:
                    self._start(job)
        finally:
            if displaced is not None:
                displaced.refuse()

    def _start(self, job: _Job) -> None:
        """Starts one more thread. Raises `Refusal` if no thread runs and none can be started."""
        try:
            threading.Thread(target=self._serve, name="hashing", daemon=True).start()
            self._serving += 1
        except (RuntimeError, MemoryError):
            if not self._serving:
                self._queue.remove(job)
                raise _full() from None

    def _serve(self) -> None:
        """Runs jobs in this thread until the queue is empty. A caller gets its result once the job's slot is free."""
        while (job := self._next()) is not None:
            answer = job.run()
            with self._lock:
                self._queue.ended(job.tenant)
                self._running -= 1
            answer()

    def _next(self) -> _Job | None:
        with self._lock:
            job = self._queue.take()
            if job is None:
                self._serving -= 1
            else:
                self._running += 1
            return job


def _full() -> Refusal:
    return Refusal(errors.UNAVAILABLE, "too many logins at once", retry_after=RETRY_AFTER_S)
