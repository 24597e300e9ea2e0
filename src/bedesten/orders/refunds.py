"""Refunds delivered order lines to their buyers, and claws earnings back from suppliers at fault.

A refund is a transfer from the tenant's sales to the buyer's ledger account. The order's row is locked first, so that
two refunds of a line wait for each other; the database refuses more than was captured for the delivered units.
"""

from dataclasses import dataclass

from sqlalchemy import select

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.core.money import MAX_MINOR, with_currency
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import DELIVERED, Line, Order
from bedesten.orders.moves import LINE
from bedesten.orders.tables import clawbacks, order_lines, refunds
from bedesten.store.sql import TENANT, insert_of, move_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

BUYER_KINDS = {"reseller": "partner", "storefront": "customer"}
"""The kind of the ledger account of an order's buyer, by the surface of the order."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that was given back to the buyer of a line; `amount` in minor units."""

    id: str
    line_id: str
    business_key: str
    amount: int
    reason: str
    actor: str
    created: int


_R, _L, _W = refunds.c, order_lines.c, clawbacks.c
_COLUMNS = (_R.id, _R.line_id, _R.business_key, _R.amount, _R.reason, _R.actor, _R.created)
_INSERT = insert_of(refunds, or_ignore=True)
_BY_KEY = rows_as(Refund, select(*_COLUMNS).where(_R.tenant_id == TENANT, _R.business_key == p("business_key")))
_OF_LINE = rows_as(
    Refund, select(*_COLUMNS).where(_R.tenant_id == TENANT, _R.line_id == p("line")).order_by(_R.created, _R.id)
)
_REFUND_LINE = move_of(
    LINE, "refund", _L.status, _L.id == p("line"),
    _L.refunded + p("amount") <= _L.delivered * _L.unit_price,
    refunded=_L.refunded + p("amount"), updated=p("now"),
)  # fmt: skip
_CLAW_BACK = insert_of(clawbacks, or_ignore=True)
_CLAWED_BACK = statement(
    select(_W.line_id, _W.supplier_id, _W.amount).where(_W.tenant_id == TENANT, _W.business_key == p("business_key"))
)


def refund_line(tx: Transaction, order: Order, line: Line, amount: int, key: str, reason: str, actor: Actor) -> Refund:
    """Refunds part or all of what the buyer paid for a line to the buyer's balance, once for each `key`.

    `key` is a business key that names its caller too, such as `complaint:ID`. The same key with the same line and
    amount returns the first refund. Raises `Refusal`: -8 if the key names another refund, if the line is not delivered
    yet, or if the amount is more than `refundable`.
    """
    assert 0 < amount < MAX_MINOR, "callers check the bounds of an amount"
    tx.one(orders_sql.LOCK, order_id=order.id)
    row = {"line_id": line.id, "business_key": key, "amount": amount, "reason": reason, "actor": actor.name}
    if not tx.run(_INSERT, id=tx.new_id("rfd"), created=tx.now, **row):
        return _repeated(tx, line, amount, key)
    if not tx.run(_REFUND_LINE, line=line.id, amount=amount, now=tx.now):
        raise _not_refundable(tx, line)
    buyer = ledger.account(tx, order.buyer_id, BUYER_KINDS[order.surface], order.currency)
    booked = ledger.refund(tx, buyer, amount, f"refund:{key}", order.id)
    assert booked, "a transfer of this key has a refund"
    record(tx, actor, "line.refund", line.id, amount=with_currency(amount, order.currency), reason=reason, key=key)
    made = tx.one(_BY_KEY, business_key=key)
    assert made is not None, "it was inserted just now"
    return made


def _repeated(tx: Transaction, line: Line, amount: int, key: str) -> Refund:
    known = tx.one(_BY_KEY, business_key=key)
    assert known is not None, "refunds are never deleted"
    if (known.line_id, known.amount) != (line.id, amount):
        raise Refusal(errors.CONFLICT, f"the key names refund {known.id} of another line or amount")
    return known


def _not_refundable(tx: Transaction, line: Line) -> Refusal:
    now = tx.one(orders_sql.LINE, line=line.id)
    assert now is not None, "lines are never deleted"
    if now.status != DELIVERED:
        return Refusal(errors.CONFLICT, f"line {line.id} is not delivered yet")
    problem = "more than what was paid and not refunded yet" if refundable(now) else "everything was refunded before"
    return Refusal(errors.CONFLICT, f"line {line.id}: {problem}", fields={"amount": problem})


def refundable(line: Line) -> int:
    """Returns how much of a line can still be refunded, in minor units; 0 until all of it is delivered."""
    return line.delivered * line.unit_price - line.refunded if line.status == DELIVERED else 0


def refunds_of(tx: Transaction, line: str) -> list[Refund]:
    """Returns the refunds of a line, the oldest first."""
    return tx.all(_OF_LINE, line=line)


def refund_of(tx: Transaction, key: str) -> Refund | None:
    """Returns the refund of a business key."""
    return tx.one(_BY_KEY, business_key=key)


def claw_back(
    tx: Transaction, order: Order, line: Line, supplier: str, amount: int, key: str, reason: str, actor: Actor
) -> int:
    """Takes back what a supplier earned with a unit of a line, once for each `key`; returns the amount.

    The caller makes sure that the supplier earned this amount with the unit that `key` names. An amount of 0 books
    nothing. Raises `Refusal` (-8) if the key names another claw-back.
    """
    if not amount:
        return 0
    row = {"line_id": line.id, "supplier_id": supplier, "business_key": key, "amount": amount}
    if not tx.run(_CLAW_BACK, id=tx.new_id("clw"), reason=reason, actor=actor.name, created=tx.now, **row):
        if tx.one(_CLAWED_BACK, business_key=key) != (line.id, supplier, amount):
            raise Refusal(errors.CONFLICT, "the key names the claw-back of another line or amount")
        return amount
    booked = ledger.claw_back(tx, supplier, order.currency, amount, f"clawback:{key}", order.id)
    assert booked, "a transfer of this key has a claw-back"
    shown = with_currency(amount, order.currency)
    record(tx, actor, "line.clawback", line.id, supplier=supplier, amount=shown, reason=reason)
    return amount
