"""The revision counter for any number of requests, with one query of PostgreSQL at a time."""

import asyncio
from collections.abc import Callable
from time import monotonic

from bedesten.core.revision import Revision
from bedesten.store import wait_budget
from bedesten.store.job import Job, JobState
from bedesten.store.recovery import Recovery
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.store.wait_budget import WaitBudget


class SharedCounter:
    """Callers that arrive during a query share the next one, so no answer is older than its call.

    Used from one event loop at a time; unanswered calls of an earlier loop are dropped. `ask` sends a query, and may
    raise `StoreUnavailable`; `on_timeout` is called when one is overdue. While `silence` is active, calls fail at once.
    """

    def __init__(self, ask: Callable[[Job], None], on_timeout: Callable[[JobState], None], silence: Recovery) -> None:
        self._ask = ask
        self._on_timeout = on_timeout
        self._silence = silence
        self._waiting: list[asyncio.Future[Revision]] = []
        self._busy = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def read(self) -> Revision:
        """Reads the counter, at least as new as this call. Raises `StoreUnavailable`."""
        if self._silence.active:
            raise StoreUnavailable("the store is silent")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._waiting, self._busy = loop, [], False
        mine: asyncio.Future[Revision] = loop.create_future()
        self._waiting.append(mine)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._query)  # callers that arrive until then share it
        began, limit = monotonic(), wait_budget.current()
        try:
            return await mine
        finally:
            if limit is not None:
                limit.spend(monotonic() - began)

    def _query(self) -> None:
        """Sends one query for all current callers; later ones share the next."""
        waiting, self._waiting = self._waiting, []
        job = Job(nothing, WaitBudget(wait_budget.REVISION_BUDGET_S), asyncio.get_running_loop(), self._on_timeout)
        assert job.future is not None

        def answered(done: "asyncio.Future[Revision]") -> None:
            _pass_on(done, waiting)
            if self._silence.active:  # later callers do not wait for another query
                following, self._waiting = self._waiting, []
                _pass_on(done, following)
            self._busy = bool(self._waiting)
            if self._busy:
                self._query()

        job.future.add_done_callback(answered)
        try:
            self._ask(job)
        except Exception as problem:  # also an unexpected one: no caller may wait for ever
            job.future.set_exception(problem)


def nothing(_tx: SystemTransaction) -> None:
    """The action of a job that only reads the counter, outside of a transaction."""


def _pass_on(done: "asyncio.Future[Revision]", waiting: "list[asyncio.Future[Revision]]") -> None:
    error = done.exception()
    for one in waiting:
        if one.done():  # its caller was cancelled
            continue
        if error is not None:
            one.set_exception(error)
        else:
            one.set_result(done.result())
