"""Units that a buyer has: finds the code of a unit, and puts another code in its place."""

from dataclasses import dataclass

from sqlalchemy import and_, or_, select

from bedesten.catalogue import stock
from bedesten.catalogue.code import StockCode, decode
from bedesten.catalogue.moves import BAD, DELIVERED, FREE, UNIT
from bedesten.catalogue.tables import stock_batches, stock_codes
from bedesten.store.sql import TENANT, move_of, p, rows_as, statement
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher


@dataclass(frozen=True, slots=True)
class Unit:
    """One code of an order line. `supplier_id`, if set, put it into stock and earned `unit_cost` (minor units).

    `unit` is its place in the line; a bad code has none. A code that a supplier delivered on demand has no batch.
    """

    code_id: str
    line_id: str
    product_id: str
    state: int
    unit: int | None
    batch_id: str | None
    supplier_id: str | None
    unit_cost: int | None


_C, _B = stock_codes.c, stock_batches.c
_UNITS = (
    select(_C.id, _C.line_id, _C.product_id, _C.state, _C.unit, _C.batch_id, _B.supplier_id, _B.unit_cost)
    .select_from(stock_codes.outerjoin(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
    .where(_C.tenant_id == TENANT, or_(_C.state == DELIVERED, _C.state == BAD))
)
_OF_LINE = rows_as(Unit, _UNITS.where(_C.line_id == p("line")).order_by(_C.unit, _C.id))
_BY_ID = rows_as(Unit, _UNITS.where(_C.id == p("code")))
_BY_DIGEST = rows_as(Unit, stock.with_digest(_UNITS.where(_C.line_id == p("line"))))
_CIPHERTEXT = statement(
    select(_C.ciphertext).where(_C.tenant_id == TENANT, _C.id == p("code"), or_(_C.state == DELIVERED, _C.state == BAD))
)
_REPLACED = statement(
    select(_C.id, _C.ciphertext)
    .where(_C.tenant_id == TENANT, _C.line_id == p("line"), _C.state == BAD, _C.batch_id.is_(None))
    .order_by(_C.id)
)
_MARK_BAD = move_of(UNIT, "markBad", _C.state, _C.id == p("code"), reason=p("why"), unit=None)
_FIRST_FREE = (
    select(_C.id)
    .where(_C.tenant_id == TENANT, _C.product_id == p("product"), _C.state == FREE)
    .where(or_(_C.expires.is_(None), _C.expires > p("until")))
    .order_by(_C.batch_id, _C.position)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_PUT_IN_PLACE = move_of(
    UNIT, "sell", _C.state, _C.id == _FIRST_FREE.scalar_subquery(),
    line_id=p("line"), line_quantity=p("quantity"), unit=p("unit"),
)  # fmt: skip
_IN_PLACE = statement(
    select(_C.id).where(_C.tenant_id == TENANT, _C.line_id == p("line"), _C.unit == p("unit"), _C.state == DELIVERED)
)


def units_of(tx: Transaction, line: str) -> list[Unit]:
    """Returns the codes that a line has, by unit; the bad ones, which were replaced, have no unit."""
    return tx.all(_OF_LINE, line=line)


def unit_of(tx: Transaction, code_id: str) -> Unit | None:
    """Returns the unit of a code that was delivered."""
    return tx.one(_BY_ID, code=code_id)


def code_of(tx: Transaction, cipher: TenantCipher, code_id: str) -> StockCode | None:
    """Returns a code that was delivered, decrypted. Every caller writes an audit row, or shows it masked."""
    row = tx.one(_CIPHERTEXT, code=code_id)
    return decode(cipher.decrypt(tx, stock.PURPOSE, code_id, bytes(row[0]))) if row else None


def replaced_codes(tx: Transaction, cipher: TenantCipher, line: str) -> list[StockCode]:
    """Returns the codes that a supplier delivered for a line and that were replaced since, decrypted, to be compared."""
    return [decode(cipher.decrypt(tx, stock.PURPOSE, code, bytes(text))) for code, text in tx.all(_REPLACED, line=line)]


def find_unit(tx: Transaction, cipher: TenantCipher, line: str, code: StockCode) -> Unit | None:
    """Returns the unit of a line with this code, as its product compares codes."""
    digests = {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)}
    return tx.one(_BY_DIGEST, line=line, **digests)


def replace(tx: Transaction, unit: Unit, quantity: int, reason: str) -> Unit | None:
    """Replaces a unit's code, which is bad for good, with the first free code of the product.

    Returns the new unit; None, without a change, if no code is left. `quantity` is the line's. The caller has locked
    the order's row. Raises `RetryTransaction` if the code was replaced meanwhile.
    """
    assert unit.unit is not None, "a bad code has no place"
    if stock.take(tx, unit.product_id, 1) is None:
        return None
    if not tx.run(_MARK_BAD, code=unit.code_id, why=reason):
        raise RetryTransaction("the code was replaced at this moment")
    where = {"line": unit.line_id, "unit": unit.unit}
    changed = tx.run(_PUT_IN_PLACE, product=unit.product_id, quantity=quantity, until=stock.sold_until(tx), **where)
    assert changed == 1, "a unit that the level had is there"
    row = tx.one(_IN_PLACE, **where)
    made = unit_of(tx, row[0]) if row else None
    assert made is not None, "it was put there just now"
    return made
