"""Refunds of payments: money that goes back to a payer through the payment service.

A refund is requested here and carried out by the payment service, which confirms it or reports that it failed; or the
service makes it by itself and reports it. The money leaves the buyer's balance when the refund is requested or reported,
so nothing else can spend it, and returns to the balance if the refund fails.
"""

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.core.money import with_currency
from bedesten.errors import Refusal, bad_field
from bedesten.ledger import actions as ledger
from bedesten.ledger import payouts
from bedesten.payments import life
from bedesten.payments import statements as sql
from bedesten.payments.model import Payment, PaymentRefund
from bedesten.payments.moves import (
    BOOKED,
    NOT_PAID_OUT,
    PAID_OUT,
    PART_CAPTURED,
    PAYMENT,
    REFUNDED,
    REFUSED,
    REQUESTED,
)
from bedesten.store.transaction import RetryTransaction, Transaction


def request(
    tx: Transaction, found: Payment, amount: int | None, reference: str, reason: str | None, actor: Actor
) -> PaymentRefund:
    """Requests a refund of a locked payment: all that is left of it, or `amount`. Once for each reference.

    Raises `Refusal`: -401 for a payment that cannot be refunded, -2 for more than is left, -8 for a reference with
    another amount, -300 if the buyer's balance does not hold the money (the order has to be refunded first).
    """
    return _known(tx, found, amount, reference) or _new(tx, found, amount, reference, reason, REQUESTED, actor)


def paying(tx: Transaction, order_id: str) -> Payment:
    """Returns the payment that has paid the order, locked. Raises `Refusal` (-3)."""
    found = next((one for one in tx.all(sql.PAYMENTS_OF_ORDER, order_id=order_id) if one.captured == one.amount), None)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no payment has paid this order", missing="payment")
    return life.locked(tx, found.id)


def report(
    tx: Transaction,
    found: Payment,
    amount: int | None,
    reference: str,
    reason: str | None,
    actor: Actor,
    *,
    owe: bool = False,
) -> PaymentRefund:
    """Books a refund that the payment service makes by itself, or confirms the requested one of this reference.

    With `owe` the payer has the money already, so the buyer's account may go into debt. Raises `Refusal` as `request`.
    """
    known = _known(tx, found, amount, reference)
    if known is None:
        return _new(tx, found, amount, reference, reason, PAID_OUT, actor, owe=owe)
    return confirm(tx, known) if known.state == REQUESTED else known


def confirm(tx: Transaction, found: PaymentRefund) -> PaymentRefund:
    """Records, once, that the payer has the money. Raises `Refusal` (-401) for a refund that failed."""
    if found.state == NOT_PAID_OUT:
        raise Refusal(errors.PAYMENT_STATE, "the refund failed, and its money is in the buyer's balance")
    if found.state == REQUESTED and not tx.run(sql.CONFIRM_REFUND, id=found.id, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    return _read(tx, found)


def fail(tx: Transaction, payment: Payment, found: PaymentRefund, reason: str | None, actor: Actor) -> PaymentRefund:
    """Returns the money of a refund that did not reach the payer to the buyer's balance; once. `payment` is locked."""
    if found.state == NOT_PAID_OUT:
        return found
    if not tx.run(sql.FAIL_REFUND, id=found.id, why=reason or found.reason, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    if found.booked:
        money = life.buyer_account(tx, payment)
        booked = ledger.receive(tx, money, found.booked, f"payment_refund_return:{found.id}", payment.order_id)
        assert booked, "a refund fails once"
        _change_refunded(tx, payment, -found.booked)
    record(tx, actor, "payment.refund_failed", payment.id, refund=found.id, amount=_money(found))
    return _read(tx, found)


def locked(tx: Transaction, refund_id: str, integration: str = "") -> tuple[Payment, PaymentRefund]:
    """Returns a refund and its payment, locked. With an integration only its own. Raises `Refusal` (-3)."""
    named = tx.one(sql.REFUND_BY_ID, id=refund_id)
    if named is None or (integration and named.integration_id != integration):
        raise Refusal(errors.NOT_FOUND, "no such refund", missing="refund")
    payment = life.locked(tx, named.payment_id)
    return payment, _read(tx, named)


def outstanding(tx: Transaction, found: Payment) -> int:
    """Returns how much of a payment can still be refunded, in minor units.

    For a refused payment: what was charged, less what refunds have returned or are returning.
    """
    if found.state != REFUSED:
        return found.left
    made = tx.all(sql.REFUNDS_OF, payment=found.id)
    charged = next(one.amount for one in made if one.reference == life.REFUSAL_REFERENCE)
    return charged - sum(one.amount for one in made if one.state != NOT_PAID_OUT)


def _known(tx: Transaction, found: Payment, amount: int | None, reference: str) -> PaymentRefund | None:
    known = tx.one(sql.REFUND_BY_REFERENCE, payment=found.id, reference=reference)
    if known is not None and amount not in (None, known.amount):
        raise Refusal(errors.CONFLICT, "the reference names a refund of another amount")
    return known


def _new(
    tx: Transaction,
    found: Payment,
    amount: int | None,
    reference: str,
    reason: str | None,
    state: int,
    actor: Actor,
    *,
    owe: bool = False,
) -> PaymentRefund:
    if found.state not in (BOOKED, PART_CAPTURED, REFUSED):
        raise life.wrong_state(found)
    most = outstanding(tx, found)
    wanted = most if amount is None else amount
    if not 0 < wanted <= most:
        raise bad_field("amount", "must not be above what is left of the payment")
    if found.state == PART_CAPTURED and wanted != most:
        raise bad_field("amount", "must be all that was captured: the payment has not paid its order yet")
    booked = min(wanted, found.left)
    refund_id = life.add_refund(tx, found, reference, wanted, booked, state, reason)
    if not refund_id:
        raise RetryTransaction("the reference was used at this moment")
    if booked:
        money = life.buyer_account(tx, found)
        payouts.give_back(tx, money, booked, f"payment_refund:{refund_id}", found.order_id, owe=owe)
        _change_refunded(tx, found, booked)
    detail = {"refund": refund_id, "amount": with_currency(wanted, found.currency)}
    record(tx, actor, "payment.refund", found.id, **detail, reason=reason)
    refund = tx.one(sql.REFUND_BY_ID, id=refund_id)
    assert refund is not None, "it was just inserted"
    return refund


def _change_refunded(tx: Transaction, found: Payment, more: int) -> None:
    """Adds `more`, which may be negative, to the refunded amount, and moves the payment to the state that follows."""
    if found.state not in (BOOKED, PART_CAPTURED, REFUNDED):
        statement = sql.ADD_REFUNDED
    elif more > 0:
        statement = sql.REFUND_ALL if found.refunded + more == found.captured else sql.REFUND_PART
    else:
        statement = sql.REFUND_FAILS if found.captured == found.amount else sql.PART_REFUND_FAILS
    if not tx.run(statement, id=found.id, more=more, now=tx.now):
        raise RetryTransaction(f"the payment was moved at this moment; it was {PAYMENT.states[found.state].name}")


def _read(tx: Transaction, known: PaymentRefund) -> PaymentRefund:
    found = tx.one(sql.REFUND_BY_ID, id=known.id)
    assert found is not None, "it was there a moment ago"
    return found


def _money(refund: PaymentRefund) -> str:
    return with_currency(refund.amount, refund.currency)
