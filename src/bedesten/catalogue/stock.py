"""Stock codes: put in, taken, attached to a unit of an order line, put back, opened.

The row of the stock level is always changed first. On PostgreSQL it is the lock that makes buyers of one product wait for
each other, so that nobody is told "sold out" while another's order can still be undone; its check constraint is the
promise that stock is never oversold.
"""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import func, select, update

from bedesten.base.ids import new_id
from bedesten.catalogue.tables import stock_codes, stock_levels
from bedesten.store.sql import TENANT, inserting, p, statement
from bedesten.store.transaction import Step, Transaction
from bedesten.tenants.vault import Vault

FREE, CLAIMED, DELIVERED = 0, 1, 2
PURPOSE = "stock-code"
MIN_CLAIMABLE = 10
"""Units of a product that unpaid checkouts may hold however little there is of it."""

_L, _C = stock_levels.c, stock_codes.c
_LEVEL = (_L.tenant_id == TENANT) & (_L.product_id == p("product"))
_TAKE = statement(
    update(stock_levels).where(_LEVEL, _L.available >= p("count")).values(available=_L.available - p("count"))
)
_PUT = statement(update(stock_levels).where(_LEVEL).values(available=_L.available + p("count")))
_ADD = inserting(stock_codes, or_ignore=True)
_FREE = (
    select(_C.id)
    .where(_C.tenant_id == TENANT, _C.product_id == p("product"), _C.state == 0)
    .order_by(_C.id)
    .limit(p("quantity"))
)
_GIVEN = {"state": p("to_state"), "line_id": p("line"), "line_quantity": p("quantity")}
_ATTACH_ONE = statement(
    update(stock_codes)
    .where(_C.tenant_id == TENANT, _C.id == _FREE.scalar_subquery(), _C.state == 0)
    .values(unit=0, **_GIVEN)
)
_CHOSEN = _FREE.subquery()
_PLACED = select(_CHOSEN.c.id, (func.row_number().over(order_by=_CHOSEN.c.id) - 1).label("unit")).subquery()
_ATTACH_MANY = statement(
    update(stock_codes)
    .where(_C.tenant_id == TENANT, _C.id == _PLACED.c.id, _C.state == 0)
    .values(unit=_PLACED.c.unit, **_GIVEN)
)
_OF_LINE = (_C.tenant_id == TENANT) & (_C.line_id == p("line"))
_DETACH = statement(
    update(stock_codes)
    .where(_OF_LINE, _C.state == CLAIMED)
    .values(state=0, line_id=None, line_quantity=None, unit=None)
)
_DELIVER = statement(update(stock_codes).where(_OF_LINE, _C.state == CLAIMED).values(state=DELIVERED))
_SEALED = statement(select(_C.id, _C.sealed).where(_OF_LINE, _C.state == DELIVERED).order_by(_C.unit))
_CLAIMED = statement(
    select(func.count()).where(_C.tenant_id == TENANT, _C.product_id == p("product"), _C.state == CLAIMED)
)
_AVAILABLE = statement(select(_L.available).where(_LEVEL))
_DIGESTS = statement(select(_C.digest).where(_OF_LINE, _C.state == DELIVERED).order_by(_C.unit))


def upload(tx: Transaction, vault: Vault, product: str, codes: Sequence[str]) -> int:
    """Puts codes into stock, each once in the tenant; answers how many were new."""
    added = 0
    for digest, code, _ in _in_order(tx, vault, codes):
        added += _insert(tx, vault, product, code, digest, state=FREE, line=None, quantity=None, unit=None)
    if added:
        tx.run(_PUT, product=product, count=added)
    return added


def take(tx: Transaction, product: str, count: int) -> bool:
    """Takes units off the level, all or none. Whoever took them attaches them in the same transaction."""
    return bool(tx.run(_TAKE, product=product, count=count))


def attaching(product: str, line: str, count: int, state: int) -> Step:
    """Gives the oldest free codes, which were taken before, to the units of a line.

    Never in one step with taking them: only a later statement sees what others, for whom the level waited, have left.
    """
    attach = _ATTACH_ONE if count == 1 else _ATTACH_MANY
    what = {"product": product, "line": line, "quantity": count, "to_state": state}
    return Step(attach, what, rows=count, otherwise=partial(AssertionError, "a unit that the level had is there"))


def claims_too_much(tx: Transaction, product: str, count: int, share: int | None) -> bool:
    """Whether unpaid checkouts would hold more than this percentage of the stock, with so many units just taken.

    `MIN_CLAIMABLE` units may always be held. The level's row is locked by `take`, so nobody claims meanwhile.
    """
    if share is None:
        return False
    claimed, available = ((tx.one(one, product=product) or (0,))[0] for one in (_CLAIMED, _AVAILABLE))
    stock = available + count + claimed
    return bool(claimed + count > max(MIN_CLAIMABLE, stock * share // 100))


def untake(tx: Transaction, product: str, count: int) -> None:
    """Undoes `take` in the same transaction."""
    tx.run(_PUT, product=product, count=count)


def put_back(tx: Transaction, product: str, line: str) -> None:
    """Frees the codes that a line had claimed and not got."""
    freed = tx.run(_DETACH, line=line)
    if freed:
        tx.run(_PUT, product=product, count=freed)


def deliver_claimed(tx: Transaction, line: str) -> int:
    """Turns what a line had claimed into what it got; answers how many codes that were."""
    return tx.run(_DELIVER, line=line)


def deliver_new(tx: Transaction, vault: Vault, product: str, line: str, codes: Sequence[str]) -> bool:
    """Gives codes that a supplier just sent to a line. False if one of them was in this tenant before."""
    return all(
        _insert(tx, vault, product, code, digest, state=DELIVERED, line=line, quantity=len(codes), unit=unit)
        for digest, code, unit in _in_order(tx, vault, codes)
    )


def delivered(tx: Transaction, vault: Vault, line: str) -> list[str]:
    """The codes that a line got, opened. Every caller leaves a row in the trail."""
    return [vault.open(tx, PURPOSE, row, bytes(sealed)) for row, sealed in tx.all(_SEALED, line=line)]


def has_delivered(tx: Transaction, vault: Vault, line: str, codes: Sequence[str]) -> bool:
    """Whether exactly these codes are what the line got."""
    return [bytes(row[0]) for row in tx.all(_DIGESTS, line=line)] == [vault.fingerprint(tx, code) for code in codes]


def _in_order(tx: Transaction, vault: Vault, codes: Sequence[str]) -> list[tuple[bytes, str, int]]:
    """Digest, code and place of each, in the order in which everybody puts codes in: two who put the same ones in at
    once then wait for each other one way only."""
    return sorted((vault.fingerprint(tx, code), code, at) for at, code in enumerate(codes))


def _insert(
    tx: Transaction,
    vault: Vault,
    product: str,
    code: str,
    digest: bytes,
    *,
    state: int,
    line: str | None,
    quantity: int | None,
    unit: int | None,
) -> int:
    row = new_id("cod")
    return tx.run(
        _ADD,
        id=row,
        product_id=product,
        digest=digest,
        sealed=vault.seal(tx, PURPOSE, row, code),
        state=state,
        line_id=line,
        line_quantity=quantity,
        unit=unit,
    )
