"""Decides complaints: replaces the code, refunds the price or a part of it, or rejects the complaint with a reason."""

from collections.abc import Mapping

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import units
from bedesten.complaints import statements as sql
from bedesten.complaints.model import REFUND, REPLACE, Complaint, Proposal
from bedesten.complaints.moves import ANSWERED, COMPLAINT, OPEN, OPENED
from bedesten.errors import Refusal, bad_field
from bedesten.orders import actions as orders
from bedesten.orders import refunds, replacements
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import Line, Order
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.webhooks import actions as webhooks

TEXT = "complaint"
"""The purpose for which texts of complaints are encrypted."""


def decide(
    tx: Transaction, cipher: TenantCipher, one: Complaint, answer: Proposal, actor: Actor, *, charge: bool
) -> bool:
    """Decides an open complaint, and takes the unit's earning back from its supplier if it is to be charged.

    Returns False without a change if the unit is to be replaced and no free code of the product is left. Raises
    `Refusal`: -8 if the complaint is not open, or the amount exceeds what is left to refund of the line; -2 for an
    amount above the unit's price, or a line without codes that is to be replaced.
    """
    order, line = _locked(tx, one)
    text = cipher.encrypt(tx, TEXT, one.id, answer.text) if answer.text else None
    decided = {"complaint": one.id, "actor": actor.name, "answer": text, "now": tx.now}
    if answer.kind == REPLACE:
        if not _replace(tx, one, order, line, actor, decided, charge):
            return False
    elif answer.kind == REFUND:
        amount = check_amount(tx, one, answer.amount)
        refunds.refund_line(tx, order, line, amount, f"complaint:{one.id}", one.reason, actor)
        charged = _charge(tx, one, order, line, actor, amount) if charge else 0
        _done(tx.run(sql.REFUND, amount=amount, charged=charged, **decided))
    else:
        _done(tx.run(sql.REJECT, **decided))
    record(tx, actor, f"complaint.{answer.kind}", one.id, line=line.id, charged=charge)
    _tell_buyer(tx, one.id, order, line)
    return True


def _locked(tx: Transaction, one: Complaint) -> tuple[Order, Line]:
    """Locks the order and reads it and the line. Raises `Refusal` (-8) if the complaint is no longer open."""
    tx.one(orders_sql.LOCK, order_id=one.order_id)
    now = tx.one(sql.BY_ID, complaint=one.id)
    assert now is not None, "complaints are never deleted"
    if now.state != OPEN:
        raise is_closed(now)
    return orders.line_of(tx, one.buyer_id, one.line_id)


def _replace(
    tx: Transaction,
    one: Complaint,
    order: Order,
    line: Line,
    actor: Actor,
    decided: Mapping[str, object],
    charge: bool,
) -> bool:
    unit = units.unit_of(tx, one.code_id) if one.code_id else None
    if unit is None:
        raise bad_field("complaint", "the line was delivered without codes: it can be refunded, not replaced")
    made = replacements.replace_unit(tx, order, line, unit, one.reason, actor)
    if made is None:
        return False
    charged = _charge(tx, one, order, line, actor, worth(line, one)) if charge else 0
    _done(tx.run(sql.REPLACE, code=made.code_id, charged=charged, **decided))
    return True


def _charge(tx: Transaction, one: Complaint, order: Order, line: Line, actor: Actor, amount: int) -> int:
    """Takes back what the supplier earned with the unit, in proportion to the part of its price in `amount`."""
    if one.supplier_id is None:
        return 0
    price = worth(line, one)
    earned = one.earned * amount // price if price else one.earned
    key = f"unit:{one.code_id}" if one.code_id else f"line:{line.id}"
    return refunds.claw_back(tx, order, line, one.supplier_id, earned, key, one.reason, actor)


def worth(line: Line, one: Complaint) -> int:
    """Returns the price of what the complaint is about: of the unit, or of all that was delivered by a note."""
    return line.unit_price * (1 if one.code_id else line.delivered)


def check_amount(tx: Transaction, one: Complaint, amount: int | None) -> int:
    """Returns the amount to refund: the given one, else the whole price. Raises `Refusal` (-2) for one out of bounds."""
    price = worth(orders.line_of(tx, one.buyer_id, one.line_id)[1], one)
    wanted = price if amount is None else amount
    if not 0 < wanted <= price:
        raise bad_field("amount", "must be above 0 and at most the price of the unit")
    return wanted


def _done(changed: int) -> None:
    if not changed:
        raise RetryTransaction("the complaint was answered at this moment")


def is_closed(one: Complaint) -> Refusal:
    """Returns the refusal (-8) of a move that needs an open complaint."""
    state = COMPLAINT.states[one.state].name
    return Refusal(errors.CONFLICT, f"complaint {one.id} is {state}", fields={"complaintId": f"is {state}"})


def out_of_stock(one: Complaint) -> Refusal:
    """Returns the refusal (-8) of a replacement for which no code is left."""
    problem = "no free code of the product is left: the complaint stays open"
    return Refusal(errors.CONFLICT, f"complaint {one.id}: {problem}", fields={"complaintId": problem})


def tell_supplier(tx: Transaction, supplier: str | None, complaint: str, line: Line, reason: str) -> None:
    """Writes the event `complaint.opened` for the supplier of the unit, if it has one."""
    if supplier:
        body = {"complaintId": complaint, "orderDetailId": line.id, "productId": line.product_id, "reason": reason}
        webhooks.notify(tx, supplier, OPENED, complaint, body)


def _tell_buyer(tx: Transaction, complaint: str, order: Order, line: Line) -> None:
    """Writes the event `complaint.answered` for the buyer."""
    one = tx.one(sql.BY_ID, complaint=complaint)
    assert one is not None, "it was decided just now"
    body = {
        "orderId": order.id,
        "orderReference": order.reference,
        "complaintId": one.id,
        "orderDetailId": line.id,
        "state": COMPLAINT.states[one.state].name,
    }
    webhooks.notify(tx, one.buyer_id, ANSWERED, one.id, body)
