"""Whether and when a call is sent again. Pure."""

import random
from dataclasses import dataclass
from enum import Enum

from bedesten_client.wire import Answer, Reply, Trouble

FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
_BUSY_PROXIES = frozenset({502, 503, 504})
_OUR_FAULT, _UNAVAILABLE, _TOO_MANY_LOGINS = -1, -9, -27


class Repeat(Enum):
    """Whether an operation may be sent again when nobody knows whether it was done."""

    SAFE = "it reads, or its own content names it"
    KEYED = "with an Idempotency-Key, which the client makes"
    NEVER = "the caller has to look first"


@dataclass(frozen=True, slots=True)
class Again:
    """Send again, after this many seconds at the earliest."""

    seconds: float


def again(reply: Reply, repeat: Repeat, attempt: int) -> Again | None:
    """Whether the reply to the attempt (the first is 1) is no last word. A refusal of a credential is not decided here."""
    safe = repeat is not Repeat.NEVER
    if isinstance(reply, Trouble):
        return Again(backoff(attempt)) if safe or reply.untouched else None
    if _nothing_was_done(reply) or (safe and _may_pass(reply)):
        return Again(_wait(reply, attempt))
    return None


def _nothing_was_done(answer: Answer) -> bool:
    """The server itself says so: too many requests (-7), or that it cannot know (-9)."""
    code = answer.code
    return code == _UNAVAILABLE or (answer.status == 429 and code is not None and code != _TOO_MANY_LOGINS)


def _may_pass(answer: Answer) -> bool:
    if answer.status in _BUSY_PROXIES or (answer.status == 429 and answer.code is None) or answer.code == _OUR_FAULT:
        return True
    return answer.status == 409 and answer.retry_after is not None  # the first one is still running


def _wait(answer: Answer, attempt: int) -> float:
    asked = answer.retry_after
    if asked is None:
        return backoff(attempt)
    return asked + random.uniform(0, 0.1 * asked + 0.05)  # those who were refused together do not come back together


def backoff(attempt: int) -> float:
    """Seconds before the next attempt: doubling, and a random part of it."""
    full: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
    return random.uniform(full / 2, full)
