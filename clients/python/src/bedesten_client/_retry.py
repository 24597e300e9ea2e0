"""Whether and when a call is sent again. Pure."""

import random
from dataclasses import dataclass
from enum import Enum

from bedesten_client._wire import Outcome, Response, TransportFailure

MIN_WAIT_S, MAX_WAIT_S = 0.25, 8.0
_BUSY_PROXIES = frozenset({502, 503, 504})
_OUR_FAULT, _UNAVAILABLE, _TOO_MANY_LOGINS = -1, -9, -27


class RetryPolicy(Enum):
    """Whether an operation may be sent again when nobody knows whether it was done."""

    SAFE = "it reads, or its own content names it"
    KEYED = "with an Idempotency-Key, which the client makes"
    NEVER = "the caller has to look first"


@dataclass(frozen=True, slots=True)
class RetryDelay:
    """Send again, after this many seconds at the earliest."""

    seconds: float


def retry_delay(outcome: Outcome, retry_policy: RetryPolicy, attempt: int) -> RetryDelay | None:
    """Whether the reply to the attempt (the first is 1) is no last word. A refusal of a credential is not decided here."""
    safe = retry_policy is not RetryPolicy.NEVER
    if isinstance(outcome, TransportFailure):
        return RetryDelay(backoff(attempt)) if safe or outcome.unsent else None
    if _nothing_was_done(outcome) or (safe and _may_pass(outcome)):
        return RetryDelay(_wait(outcome, attempt))
    return None


def _nothing_was_done(response: Response) -> bool:
    """The server itself says so: too many requests (-7), or that it cannot know (-9)."""
    code = response.code
    return code == _UNAVAILABLE or (response.status == 429 and code is not None and code != _TOO_MANY_LOGINS)


def _may_pass(response: Response) -> bool:
    if (
        response.status in _BUSY_PROXIES
        or (response.status == 429 and response.code is None)
        or response.code == _OUR_FAULT
    ):
        return True
    return response.status == 409 and response.retry_after is not None  # the first one is still running


def _wait(response: Response, attempt: int) -> float:
    asked = response.retry_after
    if asked is None:
        return backoff(attempt)
    return asked + random.uniform(0, 0.1 * asked + 0.05)  # those who were refused together do not come back together


def backoff(attempt: int) -> float:
    """Seconds before the next attempt: doubling, and a random part of it."""
    full: float = min(MAX_WAIT_S, MIN_WAIT_S * 2 ** (attempt - 1))
    return random.uniform(full / 2, full)
