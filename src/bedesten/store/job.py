"""One action on its way through the store, and the watchdog thread that answers overdue jobs."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from enum import Enum
from math import inf
from time import monotonic, sleep
from typing import Any, Protocol

from bedesten.store.transaction import OutcomeUnknown, StoreUnavailable, SystemTransaction
from bedesten.store.wait_budget import MIN_COMMIT_S, WaitBudget

TICK_S = 0.05
"""Interval of the watchdog, in seconds: a timed-out job is answered at most this much later."""


class JobState(Enum):
    """How far a job has come. A job that times out while `WAITING` or `RUNNING` leaves nothing in the store."""

    WAITING = "waited for its turn"
    RUNNING = "waited for a statement"
    COMMITTING = "waited for COMMIT"


class Interruptible(Protocol):
    """The connection that a job runs on."""

    def interrupt(self) -> None:
        """Ends every wait on the connection at once; called from another thread."""


class Job:
    """One action and its waiter: on `loop`, or, without a loop, in a thread.

    Answered exactly once: by the thread that runs it, or by the watchdog when the store is silent for longer than
    `wait_budget`.
    """

    __slots__ = (
        "_lock",
        "_runs_on",
        "answer_waits",
        "answered",
        "done",
        "error",
        "future",
        "loop",
        "on_timeout",
        "result",
        "since",
        "state",
        "tenant",
        "ungrouped",
        "wait_budget",
        "work",
    )

    def __init__(
        self,
        work: Callable[[SystemTransaction], Any],
        wait_budget: WaitBudget,
        loop: asyncio.AbstractEventLoop | None = None,
        on_timeout: Callable[[JobState], None] | None = None,
        tenant: str = "",
    ) -> None:
        """The watchdog's thread calls `on_timeout` with the job's state. `tenant` is the tenant whose turn the job
        takes, empty for work of the installation itself."""
        self.tenant = tenant
        self.work = work
        self.wait_budget = wait_budget
        self.loop = loop
        self.on_timeout = on_timeout
        self.future: asyncio.Future[Any] | None = loop.create_future() if loop else None
        self.done: threading.Event | None = None if loop else threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.answered = False
        self.ungrouped = loop is None
        """Whether the job has its own transaction: a thread waits for it, it met a locked row, or its group failed."""
        self.answer_waits: Callable[[], bool] | None = None
        """Says whether the store has answered but the waiter, a busy event loop, has not read the answer yet."""
        self.state = JobState.WAITING
        self.since = monotonic()
        self._runs_on: Interruptible | None = None
        self._lock = threading.Lock()

    # --- for the thread that runs it ---

    def start(self, runs_on: Interruptible | None = None, state: JobState = JobState.RUNNING) -> bool:
        """Marks the job as started on `runs_on`. False if it has timed out."""
        with self._lock:
            if self.answered:
                return False
            self._runs_on, self.state = runs_on, state
        self.wait_ended()
        return True

    def check_timeout(self) -> None:
        """Raises `StoreUnavailable` if the job has timed out."""
        if self.answered:
            raise StoreUnavailable("the store was silent for too long")

    def start_commit(self) -> None:
        """Marks the outcome as open until COMMIT is answered. Raises `StoreUnavailable` if the job has timed out."""
        with self._lock:
            self.check_timeout()
            self.state = JobState.COMMITTING

    def follow(self) -> bool:
        """Makes the job wait for another thread to commit it. False if it has timed out."""
        with self._lock:
            self._runs_on = None
        self.wait_started()
        return not self.answered

    def start_joint_commit(self, runs_on: Interruptible) -> bool:
        """As `start_commit`, for a commit together with other jobs. False if the job has timed out."""
        return self.start(runs_on, JobState.COMMITTING)

    def wait_started(self) -> None:
        """Starts to count silence: the store was sent something."""
        self.since = monotonic()

    def wait_ended(self) -> None:
        """Charges the wait to the budget: the store has answered, or the job's turn has come."""
        now = monotonic()
        self.wait_budget.spend(now - self.since)
        self.since = now

    def disable_timeout(self) -> None:
        """Exempts the job from timing out: from now on it waits for its own work."""
        self.since = inf

    def requeue(self) -> None:
        """Makes the job wait for another turn, after what it did was rolled back."""
        with self._lock:
            self._runs_on, self.state, self.answer_waits = None, JobState.WAITING, None

    def set_outcome(self, result: Any, error: BaseException | None) -> bool:
        """Stores the outcome, unless the job has timed out (False). The watchdog interrupts nothing afterwards."""
        with self._lock:
            self._runs_on = None
            if self.answered:
                return False
            self.answered = True
            self.result, self.error = result, error
        return True

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Answers the waiter, unless the job has timed out."""
        if self.set_outcome(result, error):
            notify_all((self,))

    # --- for the watchdog ---

    def is_overdue(self, now: float) -> bool:
        """Whether the store has been silent for too long."""
        left_s = self.wait_budget.left_s
        if self.state is JobState.COMMITTING:
            left_s = max(left_s, MIN_COMMIT_S)
        if self.answered or now - self.since <= left_s:
            return False
        answer_waits = self.answer_waits
        return answer_waits is None or not answer_waits()

    def time_out(self) -> None:
        """Answers that the store is unavailable, and interrupts the connection that the job runs on."""
        with self._lock:
            if self.answered:
                return
            self.answered = True
            state = self.state
            if state is JobState.COMMITTING:
                self.error = OutcomeUnknown(f"outcome open: the action {state.value} for too long")
            else:
                self.error = StoreUnavailable(f"the action {state.value} for too long")
            if self._runs_on is not None:
                self._runs_on.interrupt()
        if self.on_timeout is not None:
            self.on_timeout(state)
        notify_all((self,))

    # --- for the waiter ---

    def notify(self) -> None:
        """Hands the outcome to the waiter. Runs on the waiter's loop if there is one."""
        if self.done:
            self.done.set()
        elif self.future and not self.future.done():
            if self.error:
                self.future.set_exception(self.error)
            else:
                self.future.set_result(self.result)


def notify_all(jobs: Iterable[Job]) -> None:
    """Hands outcomes over, with one call into each loop."""
    loops: dict[asyncio.AbstractEventLoop | None, list[Job]] = {}
    for job in jobs:
        loops.setdefault(job.loop, []).append(job)
    for loop, of_loop in loops.items():
        if loop is None:
            _settle(of_loop)
        else:
            with contextlib.suppress(RuntimeError):  # nobody waits on a closed loop
                loop.call_soon_threadsafe(_settle, of_loop)


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        job.notify()


class Watchdog:
    """A thread that times out jobs for which the store was silent for too long. It sleeps while there are no jobs."""

    def __init__(self) -> None:
        self._jobs: set[Job] = set()
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, job: Job) -> None:
        """Begins to watch a job for its timeout."""
        self._jobs.add(job)
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="store-watchdog", daemon=True)
                    self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def forget(self, job: Job) -> None:
        """Stops watching a job that has ended."""
        self._jobs.discard(job)

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            if not self._jobs:
                self._wake.wait()
            now = monotonic()
            for job in tuple(self._jobs):
                if job.is_overdue(now):
                    job.time_out()
            sleep(TICK_S)
