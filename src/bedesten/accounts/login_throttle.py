"""Delays logins after failures, for existing and unknown accounts alike.

Keyed digests name the counters, so the store reveals neither account nor address. There are three counters:

- The account's counter takes every failure from an address that has never logged in to it.
- An address that has logged in to the account has a counter for that account alone, so that failures of strangers never
  lock the rightful owner out.
- The address's counter takes all failures from that address, whatever the account: one password tried on many accounts.

Once its free attempts are used up, each further failure doubles a counter's wait. All counters are in the store, so
they apply to all workers and nodes together, by the database's clock.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten.accounts.tables import login_addresses, login_failures
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Transaction

FREE_FAILURES, FREE_ADDRESS_FAILURES = 5, 60
"""Failures in a row without a delay; each further failure doubles the wait."""
MIN_WAIT, MAX_WAIT = SECOND, 15 * MINUTE
FAILURE_RETENTION = HOUR
"""A counter restarts after this time (ms) without a failure."""
ADDRESS_RETENTION = 90 * DAY
"""Time (ms) for which an address stays trusted after a successful login."""

_HERE = (login_failures.c.tenant_id == TENANT) & (login_failures.c.digest == p("digest"))
_F = login_failures.c
_READ = statement(select(_F.blocked_until - DATABASE_NOW).where(_HERE))
_START = insert_of(login_failures, or_ignore=True, updated=DATABASE_NOW)
_RENEW = statement(
    update(login_failures)
    .where(_HERE, _F.updated < DATABASE_NOW - FAILURE_RETENTION)
    .values(failures=0, blocked_until=0, updated=DATABASE_NOW)
)
_COUNT = statement(
    update(login_failures)
    .where(_HERE)
    .values(failures=_F.failures + 1, updated=DATABASE_NOW)
    .returning(_F.failures, _F.blocked_until - DATABASE_NOW)
)
_BLOCK = statement(update(login_failures).where(_HERE).values(blocked_until=DATABASE_NOW + p("delay")))
_CLEAR = statement(delete(login_failures).where(_HERE))
_CAP = statement(
    update(login_failures)
    .where(_HERE, _F.blocked_until > DATABASE_NOW + MAX_WAIT)
    .values(blocked_until=DATABASE_NOW + MAX_WAIT)
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
    """The account and the address of a login attempt, and both together, as keyed digests."""

    account: bytes
    address: bytes
    pair: bytes


def wait(tx: Transaction, attempt: Attempt) -> int:
    """Returns the milliseconds until the next attempt is accepted; 0 if it is accepted now.

    A value above `MAX_WAIT` comes from a wrong clock; the caller then calls `cap_wait`.
    """
    counted = attempt.pair if _is_known(tx, attempt) else attempt.account
    blocks = [tx.one(_READ, digest=digest, at=tx.at) for digest in (counted, attempt.address)]
    waits: list[int] = [row[0] for row in blocks if row]
    return max([0, *waits])


def cap_wait(tx: Transaction, attempt: Attempt) -> int:
    """Cuts waits that a wrong clock has stored to `MAX_WAIT`, permanently, and returns the wait that remains."""
    for digest in (attempt.account, attempt.pair, attempt.address):
        tx.run(_CAP, digest=digest, at=tx.at)
    return wait(tx, attempt)


def unlock(tx: Transaction, account: bytes) -> bool:
    """Clears the failures of an account from every address. Returns False if there were none.

    The counter of an address itself stays.
    """
    return bool(tx.run(_UNLOCK, account=account))


def record_failure(tx: Transaction, attempt: Attempt) -> int:
    """Counts one failure, and delays the next attempts once there are too many.

    Returns the milliseconds of a delay that other attempts have caused since this one began. The client must then not
    learn the outcome, or many concurrent attempts would get as many answers. Counters are locked in the order of this
    function.
    """
    counted = attempt.pair if _is_known(tx, attempt) else attempt.account
    return max(
        _count(tx, counted, FREE_FAILURES, attempt.account),
        _count(tx, attempt.address, FREE_ADDRESS_FAILURES, None),
    )


def record_success(tx: Transaction, attempt: Attempt) -> None:
    """Trusts the address for this account and clears the failures of the two together; the other counters stay."""
    tx.run(_REMEMBER, digest=attempt.account, address=attempt.address, succeeded=tx.now)
    tx.run(_REFRESH, digest=attempt.account, address=attempt.address, now=tx.now)
    tx.run(_CLEAR, digest=attempt.pair)


def needs_record(tx: Transaction, attempt: Attempt) -> bool:
    """Reports whether `record_success` has anything to write.

    It has nothing to write if the address has logged in within a day and the two have no failures.
    """
    recent = tx.one(_KNOWN, digest=attempt.account, address=attempt.address, since=tx.now - DAY)
    return recent is None or tx.one(_READ, digest=attempt.pair, at=tx.at) is not None


def after_success(tx: Transaction, attempt: Attempt) -> tuple[int, bool]:
    """Returns the delay (`wait`) that other attempts have caused since this one began, and `needs_record`."""
    return wait(tx, attempt), needs_record(tx, attempt)


def _is_known(tx: Transaction, attempt: Attempt) -> bool:
    since = tx.now - ADDRESS_RETENTION
    return tx.one(_KNOWN, digest=attempt.account, address=attempt.address, since=since) is not None


def _count(tx: Transaction, digest: bytes, free: int, account: bytes | None) -> int:
    """Counts one failure; returns the milliseconds for which the counter was already blocked."""
    at = tx.at
    tx.run(_START, digest=digest, account=account, failures=0, blocked_until=0, at=at)
    tx.run(_RENEW, digest=digest, at=at)
    row = tx.one(_COUNT, digest=digest, at=at)
    if row and row[0] > free:
        delay = min(MAX_WAIT, MIN_WAIT << min(row[0] - free - 1, 20))
        tx.run(_BLOCK, digest=digest, delay=delay, at=at)
    return max(0, row[1]) if row else 0
