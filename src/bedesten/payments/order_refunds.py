"""Refunds of an order that go out to its payer in one step, under one reference of the payment.

The delivered lines are refunded to the buyer's balance, and the payment takes the same amount out of it: both in one
transaction, so that the money is never spent between them and nothing is given back twice.
"""

from collections.abc import Collection

from bedesten import errors
from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import refunds as line_refunds
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import Line
from bedesten.payments import life, refunds
from bedesten.payments import statements as sql
from bedesten.payments.model import Payment, PaymentRefund
from bedesten.store.transaction import Transaction

WHY = "refunded to the payer"
"""The default reason of a line's refund."""


def to_payer(
    tx: Transaction,
    found: Payment,
    amount: int | None,
    reference: str,
    reason: str | None,
    actor: Actor,
    *,
    lines: Collection[str] = (),
    paid_out: bool = False,
) -> PaymentRefund:
    """Refunds delivered lines of the order that a locked payment has paid, and the same amount of the payment.

    Without `amount`: all that was paid for these lines (by default, all lines) and not refunded yet. `paid_out` says
    that the payment service makes the refund by itself; otherwise it is requested. Once for each reference. Raises
    `Refusal`: -8 for more than that, and as `refunds.request`.
    """
    if tx.one(sql.REFUND_BY_REFERENCE, payment=found.id, reference=reference) is None:
        amount = _refund_lines(tx, found, amount, reference, reason or WHY, actor, lines)
    step = refunds.report if paid_out else refunds.request
    return step(tx, found, amount, reference, reason, actor)


def _refund_lines(
    tx: Transaction,
    found: Payment,
    amount: int | None,
    reference: str,
    reason: str,
    actor: Actor,
    chosen: Collection[str],
) -> int:
    """Refunds the lines to the balance, one after the other until the amount is reached; returns the amount."""
    order = tx.one(orders_sql.ORDER_BY_ID, order_id=found.order_id)
    assert order is not None, "a payment's order exists"
    lines = [one for one in orders.lines_of(tx, order.id) if not chosen or one.id in chosen]
    most = sum(line_refunds.refundable(one) for one in lines)
    wanted = most if amount is None else amount
    if found.captured < found.amount:
        raise life.wrong_state(found)
    if not 0 < wanted <= most:
        problem = "more than what was paid for delivered lines and not refunded yet"
        raise Refusal(errors.CONFLICT, f"{wanted} of {most}", fields={"amount": problem})
    left = wanted
    for line, part in _parts(lines, wanted):
        key = f"payer:{found.id}:{reference}:{line.id}"
        line_refunds.refund_line(tx, order, line, part, key, reason, actor)
        left -= part
    assert left == 0, "the sum of the parts is the amount"
    return wanted


def _parts(lines: list[Line], wanted: int) -> list[tuple[Line, int]]:
    """Divides an amount among the lines, in their order."""
    parts = []
    for line in lines:
        part = min(line_refunds.refundable(line), wanted)
        if part:
            parts.append((line, part))
            wanted -= part
    return parts
