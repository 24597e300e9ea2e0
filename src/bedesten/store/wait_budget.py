"""How long a caller waits for the store before it gets `StoreUnavailable`.

The budget counts silence, not work: the time in which the store sends no answer. A request has `REQUEST_BUDGET_S` in
all, from the revision check to the answer to COMMIT. A statement that is answered within `FREE_S` costs nothing, so
that a request with a thousand short statements does not time out in the middle of its work. Other callers have a longer
budget, which each statement renews.

The budget also carries the id of its request, so that the store knows which request a transaction serves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

REQUEST_BUDGET_S = 4.0
"""For a whole request: every request is answered within five seconds, whatever the store does."""
REVISION_BUDGET_S = 2.0
"""For the query that reads the revision counter."""
BACKGROUND_BUDGET_S = 30.0
"""For work outside requests: the worker's, and the periodic writes of a web process."""
COMMAND_READ_BUDGET_S, COMMAND_WRITE_BUDGET_S = 300.0, 60.0
"""For the operator's commands, whose statements may scan the whole store."""
FREE_S = 0.05
MIN_COMMIT_S = 0.5
"""A COMMIT always has at least this time, however little its request has left: otherwise a late request would look like a
store that does not answer COMMIT, and stop the writes of everybody. Longer than `LOCK_TIMEOUT_MS` of PostgreSQL."""


class WaitBudget:
    """The time left to wait for the store, in seconds. With `free_s` infinite, each statement has all of it.

    `request_id` is None outside of a request.
    """

    __slots__ = ("free_s", "left_s", "request_id")

    def __init__(self, left_s: float, free_s: float = inf, request_id: str | None = None) -> None:
        self.left_s = left_s
        self.free_s = free_s
        self.request_id = request_id

    @property
    def renewed(self) -> bool:
        """Whether each answered statement renews the budget."""
        return self.free_s == inf

    def spend(self, seconds: float) -> None:
        """Subtracts the cost of waiting `seconds` for an answer."""
        self.left_s -= max(0.0, seconds - self.free_s)


_CURRENT: ContextVar[WaitBudget | None] = ContextVar("store_wait_budget", default=None)


def current() -> WaitBudget | None:
    """The budget of the current request, None outside of one."""
    return _CURRENT.get()


def limit(seconds: float = REQUEST_BUDGET_S, request_id: str | None = None) -> None:
    """Sets the total budget of this task, and the request that it serves."""
    _CURRENT.set(WaitBudget(seconds, FREE_S, request_id))


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Gives the block its own total budget."""
    token = _CURRENT.set(WaitBudget(seconds, FREE_S))
    try:
        yield
    finally:
        _CURRENT.reset(token)
