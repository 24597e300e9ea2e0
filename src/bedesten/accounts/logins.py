"""Failed logins: counted for accounts that exist and for those that do not, by a digest that names neither."""

from sqlalchemy import delete, select, update

from bedesten.accounts.tables import login_failures
from bedesten.store.sql import TENANT, inserting, p, statement
from bedesten.store.transaction import Transaction

FREE = 5
"""This many failures in a row cost nothing; each further one doubles the wait."""
FIRST_WAIT, LONGEST_WAIT = 1_000, 60_000
FORGOTTEN_AFTER = 3_600_000
"""An hour without a failure begins the count anew (milliseconds)."""

_HERE = (login_failures.c.tenant_id == TENANT) & (login_failures.c.digest == p("digest"))
_READ = statement(select(login_failures.c.failures, login_failures.c.blocked_until).where(_HERE))
_START = inserting(login_failures, or_ignore=True)
_COUNT = statement(
    update(login_failures)
    .where(_HERE)
    .values(failures=login_failures.c.failures + 1, updated=p("now"))
    .returning(login_failures.c.failures)
)
_RENEW = statement(
    update(login_failures)
    .where(_HERE, login_failures.c.updated < p("long_ago"))
    .values(failures=p("none"), blocked_until=p("none"))
)
_BLOCK = statement(update(login_failures).where(_HERE).values(blocked_until=p("until")))
_CLEAR = statement(delete(login_failures).where(_HERE))


def wait(tx: Transaction, digest: bytes) -> int:
    """Milliseconds until the next try is looked at; 0 if now."""
    row = tx.one(_READ, digest=digest)
    return max(0, row[1] - tx.now) if row else 0


def failed(tx: Transaction, digest: bytes) -> None:
    """Counts one failure, and makes the next tries wait once there were too many."""
    tx.run(_START, digest=digest, failures=0, blocked_until=0, updated=tx.now)
    tx.run(_RENEW, digest=digest, long_ago=tx.now - FORGOTTEN_AFTER, none=0)
    row = tx.one(_COUNT, digest=digest, now=tx.now)
    if row and row[0] > FREE:
        delay = min(LONGEST_WAIT, FIRST_WAIT << min(row[0] - FREE - 1, 10))
        tx.run(_BLOCK, digest=digest, until=tx.now + delay)


def succeeded(tx: Transaction, digest: bytes) -> None:
    """Forgets the failures."""
    tx.run(_CLEAR, digest=digest)
