"""Low-balance alarms: a partner that can spend less than its threshold is marked once, until it can spend more again.

Orders ignore alarms. The worker compares balances with thresholds, so a balance that falls and recovers between two
rounds is not noticed.
"""

from sqlalchemy import and_, delete, exists, func, or_, select, update

from bedesten.core.money import MAX_MINOR
from bedesten.ledger.tables import balance_alarms, ledger_accounts
from bedesten.store.sql import TENANT, cross_tenant, insert_of, p, statement
from bedesten.store.transaction import SystemTransaction, Transaction

_A, _L = balance_alarms.c, ledger_accounts.c
_ALARM = (_A.tenant_id == TENANT) & (_A.owner_id == p("owner"))
_SPENDABLE = _L.posted - _L.held + _L.credit_limit
_OF_ALARM = and_(
    _L.tenant_id == _A.tenant_id, _L.owner_id == _A.owner_id, _L.kind == "partner", _L.currency == _A.currency
)
_LOW = exists().where(_OF_ALARM, _A.threshold > _SPENDABLE)
_THRESHOLD = statement(select(_A.threshold, _A.currency).where(_ALARM))
_DROP = statement(delete(balance_alarms).where(_ALARM))
_ADD = insert_of(balance_alarms)
_CROSSED = cross_tenant(
    select(_A.tenant_id, _A.owner_id)
    .select_from(balance_alarms.join(ledger_accounts, _OF_ALARM))
    .where(
        or_(
            and_(_A.low_since.is_(None), _A.threshold > _SPENDABLE),
            and_(_A.low_since.is_not(None), _A.threshold <= _SPENDABLE),
        )
    )
    .order_by(_A.owner_id)
    .limit(p("most"))
)
_COUNT_LOW = cross_tenant(select(func.count()).select_from(balance_alarms).where(_A.low_since.is_not(None)))
_FALL = statement(update(balance_alarms).where(_ALARM, _A.low_since.is_(None), _LOW).values(low_since=p("now")))
_RECOVER = statement(update(balance_alarms).where(_ALARM, _A.low_since.is_not(None), ~_LOW).values(low_since=None))


def set_threshold(tx: Transaction, owner: str, currency: str, threshold: int | None) -> bool:
    """Sets the spendable amount (minor units) below which an event is written; None: never. Returns False if unchanged.

    A new threshold clears the partner's mark, so that the next round notifies it again.
    """
    before = tx.one(_THRESHOLD, owner=owner)
    if (tuple(before) if before else None) == (None if threshold is None else (threshold, currency)):
        return False
    tx.run(_DROP, owner=owner)
    if threshold is not None:
        assert 0 < threshold < MAX_MINOR, "callers check the bounds of an amount"
        tx.run(_ADD, owner_id=owner, currency=currency, threshold=threshold, low_since=None)
    return True


def threshold_of(tx: Transaction, owner: str) -> int | None:
    """Returns the threshold of a partner in minor units; None: it has none."""
    row = tx.one(_THRESHOLD, owner=owner)
    return None if row is None else int(row[0])


def crossed(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and partner of balances that fell below their threshold, or recovered, since the last round."""
    return [(row[0], row[1]) for row in tx.all(_CROSSED, most=most)]


def count_low(tx: SystemTransaction) -> int:
    """Returns how many balances of all tenants are marked as low."""
    row = tx.one(_COUNT_LOW)
    assert row is not None, "a count has a row"
    return int(row[0])


def mark(tx: Transaction, owner: str) -> tuple[int, str] | None:
    """Marks a partner whose balance fell, and unmarks one whose balance recovered.

    Returns threshold and currency if it fell: once for each crossing, however many workers call this.
    """
    if tx.run(_FALL, owner=owner, now=tx.now):
        row = tx.one(_THRESHOLD, owner=owner)
        assert row is not None, "it was marked just now"
        return (row[0], row[1])
    tx.run(_RECOVER, owner=owner)
    return None
