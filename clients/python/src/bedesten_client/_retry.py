"""Whether and when a call is retried. Pure functions."""

import random
from dataclasses import dataclass
from enum import Enum

from bedesten_client._wire import Outcome, Response, TransportFailure

MIN_WAIT_S, MAX_WAIT_S = 0.25, 8.0
_BUSY_PROXIES = frozenset({502, 503, 504})
_OUR_FAULT, _UNAVAILABLE, _TOO_MANY_LOGINS = -1, -9, -27


class RetryPolicy(Enum):
    """Whether an operation may be retried when it is unknown whether it was processed."""

    SAFE = "it only reads, or its content identifies it"
    KEYED = "with an Idempotency-Key, which the client generates"
    NEVER = "the caller must check first"


@dataclass(frozen=True, slots=True)
class RetryDelay:
    """Retry after at least this many seconds."""

    seconds: float


def retry_delay(outcome: Outcome, retry_policy: RetryPolicy, attempt: int) -> RetryDelay | None:
    """Return when to retry after an attempt (counted from 1), or None. Refused credentials are handled elsewhere."""
    safe = retry_policy is not RetryPolicy.NEVER
    if isinstance(outcome, TransportFailure):
        return RetryDelay(backoff(attempt)) if safe or outcome.unsent else None
    if _was_not_processed(outcome) or (safe and _is_transient(outcome)):
        return RetryDelay(_wait(outcome, attempt))
    return None


def _was_not_processed(response: Response) -> bool:
    """Whether the server states that it processed nothing: too many requests (-7), or unavailable (-9)."""
    code = response.code
    return code == _UNAVAILABLE or (response.status == 429 and code is not None and code != _TOO_MANY_LOGINS)


def _is_transient(response: Response) -> bool:
    if (
        response.status in _BUSY_PROXIES
        or (response.status == 429 and response.code is None)
        or response.code == _OUR_FAULT
    ):
        return True
    return response.status == 409 and response.retry_after is not None  # the first request is still running


def _wait(response: Response, attempt: int) -> float:
    requested = response.retry_after
    if requested is None:
        return backoff(attempt)
    return requested + random.uniform(0, 0.1 * requested + 0.05)  # spreads clients that were refused together


def backoff(attempt: int) -> float:
    """Return the seconds before the next attempt: exponential, with a random half."""
    full: float = min(MAX_WAIT_S, MIN_WAIT_S * 2 ** (attempt - 1))
    return random.uniform(full / 2, full)
