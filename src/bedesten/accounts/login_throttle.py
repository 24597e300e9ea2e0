"""Failed logins: counted for accounts that exist and for those that do not, by digests that name neither.

Three counters. An account's own takes every failure from an address that never succeeded for it; an address that did
has a counter for this account alone, so that a stranger's failures never lock the rightful owner out. An address's own
takes all failures from there, whatever the account: one password tried on many accounts. Past its free tries a counter
makes each next try wait twice as long. All of it is in the store, so that it holds for all workers together.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten.accounts.tables import login_addresses, login_failures
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Transaction

FREE_FAILURES, FREE_ADDRESS_FAILURES = 5, 60
"""This many failures in a row cost nothing; each further one doubles the wait."""
MIN_WAIT, MAX_WAIT = SECOND, 15 * MINUTE
FAILURE_RETENTION = HOUR
"""A count restarts after this time without a failure (milliseconds)."""
ADDRESS_RETENTION = 90 * DAY
"""How long an address stays trusted after a successful login."""

_HERE = (login_failures.c.tenant_id == TENANT) & (login_failures.c.digest == p("digest"))
_READ = statement(select(login_failures.c.blocked_until).where(_HERE))
_START = insert_of(login_failures, or_ignore=True)
_RENEW = statement(
    update(login_failures)
    .where(_HERE, login_failures.c.updated < p("long_ago"))
    .values(failures=0, blocked_until=0, updated=p("now"))
)
_COUNT = statement(
    update(login_failures)
    .where(_HERE)
    .values(failures=login_failures.c.failures + 1, updated=p("now"))
    .returning(login_failures.c.failures)
)
_BLOCK = statement(update(login_failures).where(_HERE).values(blocked_until=p("until")))
_CLEAR = statement(delete(login_failures).where(_HERE))
_CAP = statement(
    update(login_failures).where(_HERE, login_failures.c.blocked_until > p("latest")).values(blocked_until=p("latest"))
)
_UNLOCK = statement(
    delete(login_failures).where(login_failures.c.tenant_id == TENANT, login_failures.c.account == p("account"))
)

_A = login_addresses.c
_KNOWN = statement(
    select(_A.succeeded).where(
        _A.tenant_id == TENANT, _A.digest == p("digest"), _A.address == p("address"), _A.succeeded > p("since")
    )
)
_REMEMBER = insert_of(login_addresses, or_ignore=True)
_REFRESH = statement(
    update(login_addresses)
    .where(_A.tenant_id == TENANT, _A.digest == p("digest"), _A.address == p("address"))
    .values(succeeded=p("now"))
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries and from where, as keyed digests: the account, the address, and both together."""

    account: bytes
    address: bytes
    pair: bytes


def wait(tx: Transaction, attempt: Attempt) -> int:
    """Milliseconds until the next try is looked at; 0 if now. More than `MAX_WAIT` is to be `cap_wait`."""
    counted = attempt.pair if _is_known(tx, attempt) else attempt.account
    blocks = [tx.one(_READ, digest=digest) for digest in (counted, attempt.address)]
    until: int = max((row[0] for row in blocks if row), default=0)
    return max(0, until - tx.now)


def cap_wait(tx: Transaction, attempt: Attempt) -> int:
    """Cuts waits that a wrong clock wrote to the longest one, for good; answers what `wait` then does."""
    for digest in (attempt.account, attempt.pair, attempt.address):
        tx.run(_CAP, digest=digest, latest=tx.now + MAX_WAIT)
    return wait(tx, attempt)


def unlock(tx: Transaction, account: bytes) -> bool:
    """Forgets the failures of an account, and so its waits, from wherever they came. False if there were none.

    What an address waits for because of its own failures stays.
    """
    return bool(tx.run(_UNLOCK, account=account))


def record_failure(tx: Transaction, attempt: Attempt) -> None:
    """Counts one failure, and makes the next tries wait once there were too many."""
    _count(tx, attempt.pair if _is_known(tx, attempt) else attempt.account, FREE_FAILURES, attempt.account)
    _count(tx, attempt.address, FREE_ADDRESS_FAILURES, None)


def record_success(tx: Transaction, attempt: Attempt) -> None:
    """Remembers the address for the account and forgets the failures of both together; the others stay counted."""
    tx.run(_REMEMBER, digest=attempt.account, address=attempt.address, succeeded=tx.now)
    tx.run(_REFRESH, digest=attempt.account, address=attempt.address, now=tx.now)
    tx.run(_CLEAR, digest=attempt.pair)


def needs_record(tx: Transaction, attempt: Attempt) -> bool:
    """Whether `record_success` has anything to write: not when the address was seen today and nothing failed."""
    recent = tx.one(_KNOWN, digest=attempt.account, address=attempt.address, since=tx.now - DAY)
    return recent is None or tx.one(_READ, digest=attempt.pair) is not None


def _is_known(tx: Transaction, attempt: Attempt) -> bool:
    since = tx.now - ADDRESS_RETENTION
    return tx.one(_KNOWN, digest=attempt.account, address=attempt.address, since=since) is not None


def _count(tx: Transaction, digest: bytes, free: int, account: bytes | None) -> None:
    tx.run(_START, digest=digest, account=account, failures=0, blocked_until=0, updated=tx.now)
    tx.run(_RENEW, digest=digest, long_ago=tx.now - FAILURE_RETENTION, now=tx.now)
    row = tx.one(_COUNT, digest=digest, now=tx.now)
    if row and row[0] > free:
        delay = min(MAX_WAIT, MIN_WAIT << min(row[0] - free - 1, 20))
        tx.run(_BLOCK, digest=digest, until=tx.now + delay)
