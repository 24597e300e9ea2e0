"""The steps of a payment's life. Every step works on a payment that `locked` has returned in the same transaction.

A payment is changed under the lock of its order's row, so the payments of an order change one at a time.
"""

import json

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.core.money import to_decimal, with_currency
from bedesten.errors import Refusal, bad_field
from bedesten.ledger import actions as ledger
from bedesten.ledger import payouts
from bedesten.ledger.actions import Balance
from bedesten.orders import checkout
from bedesten.orders import statements as orders
from bedesten.payments import statements as sql
from bedesten.payments.model import Payment
from bedesten.payments.moves import (
    AUTHORISED,
    DISPUTED,
    ENDED,
    FAILED,
    LOST,
    PAYMENT,
    REFUSED,
    REQUESTED,
)
from bedesten.store.transaction import RetryTransaction, Transaction

REFUSAL_REFERENCE = "refusal"
"""The reference of the refund that a refused payment requests."""


def locked(tx: Transaction, payment_id: str, integration: str = "") -> Payment:
    """Returns the payment with its order's row locked. With an integration only its own. Raises `Refusal` (-3)."""
    named = tx.one(sql.PAYMENT_BY_ID, id=payment_id)
    if named is None or (integration and named.integration_id != integration):
        raise Refusal(errors.NOT_FOUND, "no such payment", missing="payment")
    tx.one(orders.LOCK, order_id=named.order_id)
    return read(tx, named)


def read(tx: Transaction, known: Payment) -> Payment:
    """Returns the payment as it is now."""
    found = tx.one(sql.PAYMENT_BY_ID, id=known.id)
    assert found is not None, "it was there a moment ago"
    return found


def buyer_account(tx: Transaction, payment: Payment) -> Balance:
    """Returns the ledger account of the customer whose order the payment pays."""
    order = tx.one(orders.ORDER_BY_ID, order_id=payment.order_id)
    assert order is not None, "a payment's order exists"
    return ledger.account(tx, order.buyer_id, "customer", payment.currency)


def wrong_state(payment: Payment) -> Refusal:
    """Returns the refusal (-401) of an action that the payment's state does not allow."""
    return Refusal(errors.PAYMENT_STATE, f"it is {PAYMENT.states[payment.state].name}")


def authorise(tx: Transaction, found: Payment) -> Payment:
    """Records, once, that the provider has reserved the payer's money. Raises `Refusal` (-401)."""
    if found.state == AUTHORISED:
        return found
    if not PAYMENT.allows(found.state, "authorise"):
        raise wrong_state(found)
    return _moved(tx, found, tx.run(sql.AUTHORISE, id=found.id, now=tx.now))


def capture(tx: Transaction, found: Payment, amount: int | None = None, reference: str = "") -> Payment | Refusal:
    """Books the rest of a payment, or a part of it under the service's own reference; each of them once.

    The capture of the rest pays the order. Returns a `Refusal`, so that the transaction stores it, if the money must be
    returned (see `actions.capture_payment`). Raises `Refusal`: -401 for a payment that has ended, -2 for more than is
    left or a part without a reference, -8 for a reference with another amount.
    """
    if reference and _captured_before(tx, found, amount, reference):
        return found
    if found.captured == found.amount and amount in (None, found.amount):
        return found
    if found.state == REFUSED:
        raise as_refused(tx, found)
    if not PAYMENT.allows(found.state, "capture"):
        raise wrong_state(found)
    rest = found.amount - found.captured
    part = rest if amount is None else amount
    if part > rest:
        raise bad_field("amount", "must not be above what is left to capture")
    if part < rest and not reference:
        raise bad_field("reference", "is required to capture a part")
    return _complete(tx, found, part, reference) if part == rest else _capture_part(tx, found, part, reference)


def _captured_before(tx: Transaction, found: Payment, amount: int | None, reference: str) -> bool:
    known = tx.one(sql.CAPTURE_BY_REFERENCE, payment=found.id, reference=reference)
    if known is not None and amount not in (None, known[1]):
        raise Refusal(errors.CONFLICT, "the reference names a capture of another amount")
    return known is not None


def _complete(tx: Transaction, found: Payment, rest: int, reference: str) -> Payment | Refusal:
    refusal = checkout.settle_payment(tx, found.order_id, f"payment:{found.id}", rest)
    if refusal is not None:
        return _refuse(tx, found, rest, refusal)
    if reference:
        _insert_capture(tx, found, rest, reference)
    return _moved(tx, found, tx.run(sql.CAPTURE, id=found.id, now=tx.now))


def _capture_part(tx: Transaction, found: Payment, part: int, reference: str) -> Payment | Refusal:
    refusal = checkout.unpayable(tx, found.order_id)
    if refusal is not None:
        return _refuse(tx, found, part, refusal)
    key = f"payment:{found.id}:{_insert_capture(tx, found, part, reference)}"
    booked = ledger.receive(tx, buyer_account(tx, found), part, key, found.order_id)
    assert booked, "a fresh id is in no business key"
    return _moved(tx, found, tx.run(sql.CAPTURE_PART, id=found.id, more=part, now=tx.now))


def _insert_capture(tx: Transaction, found: Payment, amount: int, reference: str) -> str:
    capture_id = tx.new_id("cap")
    made = tx.run(
        sql.NEW_CAPTURE, id=capture_id, payment_id=found.id, reference=reference, amount=amount, created=tx.now
    )
    assert made, "the reference was looked up under the lock"
    return capture_id


def cancel(tx: Transaction, found: Payment) -> Payment:
    """Cancels a payment that is not captured, for good. Raises `Refusal` (-401) if any of it was captured."""
    if found.state in (ENDED, REFUSED):
        return found
    if not PAYMENT.allows(found.state, "cancel"):
        raise wrong_state(found)
    return _moved(tx, found, tx.run(sql.CANCEL, id=found.id, now=tx.now))


def fail(tx: Transaction, found: Payment, reason: str | None) -> Payment:
    """Records that the provider declined the payment; a later attempt may succeed. Raises `Refusal` (-401)."""
    if found.state == FAILED:
        return found
    if not PAYMENT.allows(found.state, "fail"):
        raise wrong_state(found)
    return _moved(tx, found, tx.run(sql.FAIL, id=found.id, why=reason, now=tx.now))


def dispute(tx: Transaction, found: Payment, reason: str | None) -> Payment:
    """Records that the payer disputes a captured payment; no money moves. Raises `Refusal` (-401)."""
    if found.state == DISPUTED:
        return found
    if not PAYMENT.allows(found.state, "dispute"):
        raise wrong_state(found)
    return _moved(tx, found, tx.run(sql.DISPUTE, id=found.id, why=reason, now=tx.now))


def win(tx: Transaction, found: Payment) -> Payment:
    """Ends a dispute in the shop's favour. Raises `Refusal` (-401)."""
    if not PAYMENT.allows(found.state, "win"):
        raise wrong_state(found)
    return _moved(tx, found, tx.run(sql.WIN, id=found.id, now=tx.now))


def lose(tx: Transaction, found: Payment, amount: int | None, reason: str | None, actor: Actor) -> Payment:
    """Ends a dispute in the payer's favour: the provider has taken the money, and the buyer may go into debt.

    `amount` is what was taken, by default all that is left. Raises `Refusal`: -401, or -2 for more than is left.
    """
    if found.state == LOST:
        return found
    if not PAYMENT.allows(found.state, "lose"):
        raise wrong_state(found)
    taken = found.left if amount is None else amount
    if not 0 < taken <= found.left:
        raise bad_field("amount", "must not be above what is left of the payment")
    payouts.give_back(tx, buyer_account(tx, found), taken, f"payment_dispute:{found.id}", found.order_id, owe=True)
    record(tx, actor, "payment.dispute_lost", found.id, amount=with_currency(taken, found.currency))
    return _moved(tx, found, tx.run(sql.LOSE, id=found.id, more=taken, why=reason or found.reason, now=tx.now))


def _moved(tx: Transaction, found: Payment, changed: int) -> Payment:
    if not changed:
        raise RetryTransaction("it was moved at this moment")
    return read(tx, found)


# --- payments whose money must be returned ----------------------------------------------------------------------------


def _refuse(tx: Transaction, found: Payment, part: int, refusal: Refusal) -> Refusal:
    """Ends a payment that cannot pay its order, and requests the refund of all of it from the payment service."""
    items = json.dumps(refusal.data["items"]) if isinstance(refusal.data, dict) else None
    code, charged = refusal.code.number, found.captured + part
    _moved(tx, found, tx.run(sql.REFUSE, id=found.id, number=code, items=items, now=tx.now))
    refund_id = add_refund(tx, found, REFUSAL_REFERENCE, charged, found.captured, REQUESTED, refusal.cause)
    assert refund_id, "a payment is refused once, and its reference is reserved"
    if found.captured:
        key = f"payment_refund:{refund_id}"
        payouts.give_back(tx, buyer_account(tx, found), found.captured, key, found.order_id, owe=True)
    money = with_currency(charged, found.currency)
    record(tx, Actor(found.integration_id), "payment.refuse", found.id, code=code, give_back=money, refund=refund_id)
    return as_refused(tx, read(tx, found), refusal.cause)


def add_refund(
    tx: Transaction, found: Payment, reference: str, amount: int, booked: int, state: int, reason: str | None
) -> str:
    """Writes a refund of a payment, and returns its id; "" if the payment has one with this reference.

    `booked` is the part of `amount` (both in minor units) that the buyer's account must give back.
    """
    refund_id = tx.new_id("rfd")
    made = tx.run(
        sql.NEW_REFUND,
        id=refund_id,
        integration_id=found.integration_id,
        payment_id=found.id,
        reference=reference,
        currency=found.currency,
        amount=amount,
        booked=booked,
        state=state,
        reason=reason,
        created=tx.now,
        updated=tx.now,
    )
    return refund_id if made else ""


def as_refused(tx: Transaction, payment: Payment, cause: str = "it was refused before") -> Refusal:
    """Returns the refusal that ended a payment, with the money that the payer must get back."""
    assert payment.refusal is not None, "a refused payment has a number"
    data: dict[str, object] | None = None
    if payment.refused_items is not None:
        refund = tx.one(sql.REFUND_BY_REFERENCE, payment=payment.id, reference=REFUSAL_REFERENCE)
        assert refund is not None, "a refused payment asks for a refund"
        money = to_decimal(refund.amount, payment.currency)
        data = {"refundAmount": money, "currency": payment.currency, "items": json.loads(payment.refused_items)}
    return Refusal(errors.CATALOGUE[payment.refusal], cause, data=data)
