"""How many codes of a product are free: its stock level, less what orders have taken.

Adding or withdrawing codes changes the level's row. An order changes one of several counters instead, the one of its
connection's shard, so that buyers of one product do not wait for each other. Both change in the transaction that changes
the codes, so the difference is exact at every commit and no work is left for later.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, cast, func, select, update

from bedesten.catalogue.tables import stock_counters, stock_levels
from bedesten.store.sql import TENANT, Statement, insert, p, statement
from bedesten.store.transaction import Step, Transaction

SHARDS: Final = 16
"""Counters of a product. With more counters buyers wait less, but lists read more rows."""

_L, _N = stock_levels.c, stock_counters.c
_TAKEN = (
    select(func.coalesce(func.sum(_N.taken), 0))
    .where(_N.tenant_id == _L.tenant_id, _N.product_id == _L.product_id)
    .correlate(stock_levels)
    .scalar_subquery()
)
AVAILABLE: Any = _L.available - cast(_TAKEN, BigInteger)
"""The free codes of a row of `stock_levels`."""
_COUNT: Statement[Any] = statement(
    insert(stock_counters)
    .values(tenant_id=TENANT, product_id=p("product"), shard=p("shard"), taken=p("count"))
    .on_conflict_do_update(
        index_elements=[_N.product_id, _N.shard, _N.tenant_id], set_={"taken": _N.taken + p("count")}
    )
)


_UNCOUNT = statement(
    update(stock_counters)
    .where(_N.tenant_id == TENANT, _N.product_id == p("product"), _N.shard == p("shard"))
    .values(taken=_N.taken - p("count"))
)


def count_step(tx: Transaction, product: str, count: int) -> Step:
    """Returns the step that counts units that an order takes."""
    return Step(_COUNT, {"product": product, "shard": tx.connection_id % SHARDS, "count": count}, sums=("count",))


def count_taken(tx: Transaction, product: str, count: int) -> None:
    """Counts units that an order takes."""
    tx.run(_COUNT, product=product, shard=tx.connection_id % SHARDS, count=count)


def undo_count(tx: Transaction, product: str, count: int) -> None:
    """Undoes `count_taken` in the same transaction."""
    tx.run(_UNCOUNT, product=product, shard=tx.connection_id % SHARDS, count=count)
