"""Refunds and replacements by the operator, without a complaint of the buyer."""

from bedesten.admin import complaints as decided
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import units
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import OTHER, REPLACE, NewComplaint, Proposal
from bedesten.core.money import to_decimal
from bedesten.errors import CONFLICT, NOT_FOUND, Refusal, bad_field
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.orders import statements as sql
from bedesten.orders.model import Line, Order
from bedesten.payments import refunds as payment_refunds
from bedesten.payments.moves import REFUND
from bedesten.payments.order_refunds import to_payer
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher


def replace_unit(
    tx: Transaction, cipher: TenantCipher, line_id: str, unit: int | None, reason: str, charge: bool
) -> dict[str, object]:
    """Replaces a unit of a line, counted from 1, as if its buyer had complained; returns that complaint.

    Raises `Refusal`: -3; -2 for a missing or unknown unit; -8 if the unit has a complaint, or no code is left.
    """
    order, line = line_of(tx, line_id)
    listed = [one for one in units.units_of(tx, line.id) if one.unit is not None]
    number = 1 if unit is None and len(listed) == 1 else unit or 0
    if not 1 <= number <= len(listed):
        raise bad_field("--unit", f"the line has {len(listed)} codes: name one of them, counted from 1")
    code = units.code_of(tx, cipher, listed[number - 1].code_id)
    said = NewComplaint(line.id, OTHER, code, reason)
    one = complaints.create(tx, cipher, order.buyer_id, said, OPERATOR, "operator")
    return decided.decide(tx, cipher, one.id, Proposal(REPLACE, None, reason), charge)


def refund_line(
    tx: Transaction, line_id: str, amount: int | None, key: str, reason: str, actor: Actor = OPERATOR
) -> dict[str, object]:
    """Refunds a line to its buyer's balance, once for each key: this amount (minor units), or all that is left.

    Without a key every call is a separate refund. Raises `Refusal`: -3; -8 if nothing is left, the amount exceeds the
    rest, or the key belongs to another refund.
    """
    order, line = line_of(tx, line_id)
    named = f"operator:{key or tx.new_id('key')}"
    known = refunds.refund_of(tx, named)
    wanted = amount if amount is not None else known.amount if known else refunds.refundable(line)
    if wanted <= 0:
        raise Refusal(CONFLICT, f"there is nothing to refund of line {line.id}")
    made = refunds.refund_line(tx, order, line, wanted, named, reason, actor)
    after = line_of(tx, line_id)[1]
    return {
        "refundId": made.id,
        "orderId": order.id,
        "orderDetailId": line.id,
        "amount": to_decimal(made.amount, order.currency),
        "refunded": to_decimal(after.refunded, order.currency),
        "refundable": to_decimal(refunds.refundable(after), order.currency),
        "currency": order.currency,
        "reason": made.reason,
    }


def refund_to_payer(
    tx: Transaction, named: str, amount: int | None, key: str, reason: str, actor: Actor = OPERATOR
) -> dict[str, object]:
    """Refunds a line, or all delivered lines of an order, and requests a refund of the same amount from its payment.

    Both happen once for each key. Without an amount (minor units): all that was paid for them and is not yet refunded.
    Raises `Refusal`: -3, also if no payment has paid the order; -8 for a larger amount; -401.
    """
    order, lines = _order_of(tx, named)
    found = payment_refunds.paying(tx, order.id)
    reference = key or tx.new_id("ref")
    made = to_payer(tx, found, amount, reference, reason.strip(), actor, lines=lines)
    left = [refunds.refundable(one) for one in orders.lines_of(tx, order.id)]
    return {
        "refundId": made.id,
        "paymentId": made.payment_id,
        "orderId": order.id,
        "orderDetailIds": sorted(lines),
        "amount": to_decimal(made.amount, made.currency),
        "refundable": to_decimal(sum(left), made.currency),
        "currency": made.currency,
        "state": REFUND.states[made.state].name,
        "reference": made.reference,
        "reason": made.reason,
    }


def _order_of(tx: Transaction, named: str) -> tuple[Order, frozenset[str]]:
    """The order with this id; or the order of the line with this id, and that line. Raises `Refusal` (-3)."""
    order = tx.one(sql.ORDER_BY_ID, order_id=named)
    if order is not None:
        return order, frozenset()
    order, line = line_of(tx, named)
    return order, frozenset({line.id})


def line_of(tx: Transaction, line_id: str) -> tuple[Order, Line]:
    """An order line of any buyer. Raises `Refusal` (-3)."""
    line = tx.one(sql.LINE, line=line_id)
    order = tx.one(sql.ORDER_BY_ID, order_id=line.order_id) if line else None
    if line is None or order is None:
        raise Refusal(NOT_FOUND, f"no order line {line_id}", missing="order line")
    return order, line
