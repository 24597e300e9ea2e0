"""Low-stock alarms: a product whose free codes fall below its threshold is marked once, until they have recovered.

Sales ignore alarms. The worker compares levels with thresholds, so a level that falls and recovers between two rounds
is not noticed.
"""

from sqlalchemy import and_, delete, exists, func, or_, select, update

from bedesten.catalogue.levels import AVAILABLE
from bedesten.catalogue.tables import products, stock_alarms, stock_levels
from bedesten.store.sql import TENANT, cross_tenant, insert_of, p, rows_as, statement
from bedesten.store.transaction import SystemTransaction, Transaction

MAX_THRESHOLD = 1_000_000

_A, _L, _P = stock_alarms.c, stock_levels.c, products.c
_ALARM = (_A.tenant_id == TENANT) & (_A.product_id == p("product"))
_LEVEL = and_(_L.tenant_id == _A.tenant_id, _L.product_id == _A.product_id)
_LOW = exists().where(_LEVEL, _A.threshold > AVAILABLE)
_THRESHOLD = statement(select(_A.threshold).where(_ALARM))
_ALL = rows_as(
    lambda product, threshold, low: (product, (threshold, low)),
    select(_A.product_id, _A.threshold, _A.low_since).where(_A.tenant_id == TENANT),
)
_DROP = statement(delete(stock_alarms).where(_ALARM))
_ADD = insert_of(stock_alarms)
_CROSSED = cross_tenant(
    select(_A.tenant_id, _A.product_id)
    .select_from(stock_alarms.join(stock_levels, _LEVEL))
    .where(
        or_(
            and_(_A.low_since.is_(None), _A.threshold > AVAILABLE),
            and_(_A.low_since.is_not(None), _A.threshold <= AVAILABLE),
        )
    )
    .order_by(_A.product_id)
    .limit(p("most"))
)
_COUNT_LOW = cross_tenant(select(func.count()).select_from(stock_alarms).where(_A.low_since.is_not(None)))
_FALL = statement(update(stock_alarms).where(_ALARM, _A.low_since.is_(None), _LOW).values(low_since=p("now")))
_RECOVER = statement(update(stock_alarms).where(_ALARM, _A.low_since.is_not(None), ~_LOW).values(low_since=None))
_SHOWN = statement(
    select(_A.threshold, AVAILABLE, _P.supplier_id)
    .select_from(
        stock_alarms.join(stock_levels, _LEVEL).join(
            products, and_(_P.tenant_id == _A.tenant_id, _P.id == _A.product_id)
        )
    )
    .where(_ALARM)
)


def set_threshold(tx: Transaction, product: str, threshold: int | None) -> bool:
    """Sets the number of free codes below which a product is low; None: never. Returns False if unchanged.

    A new threshold clears the product's mark, so that the next round notifies again.
    """
    row = tx.one(_THRESHOLD, product=product)
    if (row[0] if row else None) == threshold:
        return False
    tx.run(_DROP, product=product)
    if threshold is not None:
        assert 0 < threshold <= MAX_THRESHOLD, "callers check the bounds"
        tx.run(_ADD, product_id=product, threshold=threshold, low_since=None)
    return True


def thresholds(tx: Transaction) -> dict[str, tuple[int, int | None]]:
    """Returns the threshold of each product that has one, and since when (epoch ms) the product is marked as low."""
    return dict(tx.all(_ALL))


def crossed(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and product of levels that fell below their threshold, or recovered, since the last round."""
    return [(row[0], row[1]) for row in tx.all(_CROSSED, most=most)]


def count_low(tx: SystemTransaction) -> int:
    """Returns how many products of all tenants are marked as low."""
    row = tx.one(_COUNT_LOW)
    assert row is not None, "a count has a row"
    return int(row[0])


def mark(tx: Transaction, product: str) -> tuple[int, int, str | None] | None:
    """Marks a product whose level fell, and unmarks one that recovered.

    Returns threshold, level and supplier if it fell: once for each crossing, however many workers call this.
    """
    if tx.run(_FALL, product=product, now=tx.now):
        row = tx.one(_SHOWN, product=product)
        assert row is not None, "it was marked just now"
        return (row[0], row[1], row[2])
    tx.run(_RECOVER, product=product)
    return None
