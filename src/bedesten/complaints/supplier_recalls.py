"""Recalls a supplier's own codes: freezes unsold ones, and opens a complaint against the supplier for each sold one.

The operator, or the supplier where the tenant's suppliers decide, then answers the complaints. One call opens at most
`MAX_OPENED` complaints, because it is one transaction; the same call again opens the next ones.

Locks: the orders of the codes, by id; then stock levels. A second look finds codes that were sold meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import inventory, stock
from bedesten.catalogue.code import StockCode
from bedesten.catalogue.inventory import Withdrawal
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED
from bedesten.catalogue.tables import stock_batches, stock_codes
from bedesten.complaints import recalls
from bedesten.complaints import statements as complaints_sql
from bedesten.complaints.moves import WITHDRAWN as TAKEN_BACK
from bedesten.complaints.recalls import RecalledCode
from bedesten.errors import Refusal
from bedesten.orders import assignments
from bedesten.orders import statements as orders_sql
from bedesten.orders.tables import order_lines
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_OPENED = 200


@dataclass(frozen=True, slots=True)
class OwnCodes:
    """The codes of a recall that are the supplier's, and how many of the named codes are not."""

    codes: tuple[RecalledCode, ...]
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class SupplierRecall:
    """What a recall did. `left` sold codes have no complaint yet; `before` is what `standing` counted before."""

    withdrawn: int
    checkouts_expired: int
    opened: int
    before: int
    left: int


_C, _B, _L = stock_codes.c, stock_batches.c, order_lines.c
_BY_DIGEST = statement(
    stock.with_digest(
        select(_C.id, _C.product_id, _C.state, _C.line_id, _C.unit, _C.batch_id, _B.supplier_id)
        .select_from(stock_codes.outerjoin(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
        .where(_C.tenant_id == TENANT)
    )
)
_ORDER = statement(
    select(_L.order_id)
    .select_from(stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
    .where(_C.tenant_id == TENANT, _C.id == p("code"))
)


def own_codes(
    tx: Transaction, cipher: TenantCipher, supplier: str, batch_id: str | None, codes: Sequence[StockCode]
) -> OwnCodes:
    """Returns the supplier's codes of a batch or a list. Raises `Refusal` (-3) for a batch that is not the supplier's."""
    if batch_id is None:
        return _named(tx, cipher, supplier, codes)
    batch = inventory.find_batch(tx, batch_id)
    if batch is None or batch.supplier_id != supplier:
        raise Refusal(errors.NOT_FOUND, "no such batch of this supplier", missing="batch")
    return OwnCodes(tuple(recalls.codes_of_batch(tx, batch.id)))


def _named(tx: Transaction, cipher: TenantCipher, supplier: str, codes: Sequence[StockCode]) -> OwnCodes:
    found: dict[str, RecalledCode] = {}
    unknown = 0
    for code in codes:
        digests = {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)}
        own = 0
        for row, product, state, line, unit, batch, owner in tx.all(_BY_DIGEST, **digests):
            delivered_on_demand = batch is None and line is not None and unit is not None
            by = assignments.supplier_of_unit(tx, line, unit) if delivered_on_demand else None
            if supplier in (owner, by.supplier_id if by else None):
                found[row] = RecalledCode(row, product, state)
                own += 1
        unknown += not own
    return OwnCodes(tuple(found.values()), unknown)


def standing(tx: Transaction, recalled: Sequence[RecalledCode]) -> int:
    """Returns how many of the sold codes were replaced, or have a complaint that their buyer did not withdraw."""
    return sum(_stands(tx, one) for one in recalled)


def _stands(tx: Transaction, one: RecalledCode) -> bool:
    if one.state not in (DELIVERED, BAD):
        return False
    before = tx.all(complaints_sql.OF_SUBJECT, subject=one.id)
    return one.state == BAD or any(each.state != TAKEN_BACK for each in before)


def recall(
    tx: Transaction,
    cipher: TenantCipher,
    supplier: str,
    batch_id: str | None,
    codes: Sequence[StockCode],
    reason: str,
) -> SupplierRecall:
    """Freezes the supplier's unsold codes and opens complaints for its sold ones. Raises `Refusal` (-3).

    The same call again freezes and opens what is left, and changes nothing else.
    """
    first = own_codes(tx, cipher, supplier, batch_id, codes).codes
    held = [one for one in first if one.state in (CLAIMED, DELIVERED)]
    for order in sorted({row[0] for one in held for row in tx.all(_ORDER, code=one.id)}):
        tx.one(orders_sql.LOCK, order_id=order)
    expired = recalls.expire_checkouts(tx, own_codes(tx, cipher, supplier, batch_id, codes).codes)
    withdrawn = _withdraw(tx, cipher, supplier, batch_id, codes, reason).withdrawn
    after = own_codes(tx, cipher, supplier, batch_id, codes).codes
    waiting = [one for one in after if one.state == DELIVERED and not _stands(tx, one)]
    for one in waiting[:MAX_OPENED]:
        recalls.make_good(tx, cipher, one.id, None, reason, charge=False, actor=Actor(supplier))
    opened = len(waiting[:MAX_OPENED])
    if withdrawn or expired or opened:
        subject = batch_id or supplier
        what = {"withdrawn": withdrawn, "expired": expired, "complaints": opened}
        record(tx, Actor(supplier), "stock.recall", subject, reason=reason, **what)
    return SupplierRecall(withdrawn, expired, opened, standing(tx, after) - opened, len(waiting) - opened)


def _withdraw(
    tx: Transaction,
    cipher: TenantCipher,
    supplier: str,
    batch_id: str | None,
    codes: Sequence[StockCode],
    reason: str,
) -> Withdrawal:
    if batch_id is None:
        return inventory.withdraw_codes(tx, cipher, codes, reason, supplier)
    return inventory.withdraw_batch(tx, inventory.batch_of(tx, batch_id), reason)
