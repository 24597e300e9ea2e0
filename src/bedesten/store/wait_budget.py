"""How long a caller waits for the store before it is answered that the store is unavailable.

What counts is silence, not work: the time for which nothing came back. A request has `REQUEST_BUDGET_S` of it in all,
from the revision check to the answer of COMMIT; a statement that is answered within `FREE_S` costs nothing, so that a
request with a thousand short statements is not cut off in the middle of its work. Everybody else has a longer time,
and has the whole of it again for each statement.

The budget of a request also names it, so that the store knows for which request a transaction is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

REQUEST_BUDGET_S = 4.0
"""For all of one request: every request is answered within five seconds, whatever the store does."""
REVISION_BUDGET_S = 2.0
"""For the query that reads the revision counter."""
BACKGROUND_BUDGET_S = 30.0
"""For work beside the requests: the worker's, and what a web process writes from time to time."""
COMMAND_READ_BUDGET_S, COMMAND_WRITE_BUDGET_S = 300.0, 60.0
"""For the operator's commands, whose statements may walk the whole store."""
FREE_S = 0.05


class WaitBudget:
    """The silence that is still borne, in seconds. With `free_s` infinite, each statement has all of it.

    `request_id` is None outside of a request.
    """

    __slots__ = ("free_s", "left_s", "request_id")

    def __init__(self, left_s: float, free_s: float = inf, request_id: str | None = None) -> None:
        self.left_s = left_s
        self.free_s = free_s
        self.request_id = request_id

    @property
    def renewed(self) -> bool:
        """Whether a statement that is answered gives the whole time back."""
        return self.free_s == inf

    def spend(self, seconds: float) -> None:
        """Takes off what an answer has cost."""
        self.left_s -= max(0.0, seconds - self.free_s)


_CURRENT: ContextVar[WaitBudget | None] = ContextVar("store_wait_budget", default=None)


def current() -> WaitBudget | None:
    """The time of the request that is being served, None outside of one."""
    return _CURRENT.get()


def limit(seconds: float = REQUEST_BUDGET_S, request_id: str | None = None) -> None:
    """From here on this task has so much time for the store, in sum, and serves this request."""
    _CURRENT.set(WaitBudget(seconds, FREE_S, request_id))


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """The block has so much time for the store, in sum."""
    token = _CURRENT.set(WaitBudget(seconds, FREE_S))
    try:
        yield
    finally:
        _CURRENT.reset(token)
