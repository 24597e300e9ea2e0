"""Events of a provider: each is stored once, and applied to its payment as soon as its preconditions hold.

Providers send events twice and in any order. An event is a fact: the provider has done it already. So an event is never
refused for what it says; it is applied, or waits for the payment or for an earlier event, or contradicts its payment
and is kept for a person to look at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.core import request_digest
from bedesten.errors import Refusal
from bedesten.payments import life, refunds
from bedesten.payments import statements as sql
from bedesten.payments.model import ListPage, Payment, PaymentRefund, ProviderEvent
from bedesten.payments.moves import (
    AUTHORISED,
    BOOKED,
    CREATED,
    DISPUTED,
    ENDED,
    FAILED,
    LOST,
    NOT_PAID_OUT,
    PART_CAPTURED,
    PAYMENT,
    REFUSED,
    REQUESTED,
    UNKNOWN,
    WAITING,
)
from bedesten.store.transaction import RetryTransaction, Transaction

DO, DONE, WAIT, CONTRADICT = "do", "done", "wait", "contradict"
"""Verdicts on an event: it is applied, its payment has that state already, it waits, it contradicts its payment."""
_UNPAID = (CREATED, AUTHORISED, FAILED)
Verdict = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as a provider reports it. `name` is the provider's id of the event; `amount` is in minor units.

    The payment is named by its id or its reference. `operation_reference` names the capture or the refund.
    """

    name: str
    type: str
    occurred: int
    payment_id: str | None = None
    payment_reference: str | None = None
    operation_reference: str | None = None
    amount: int | None = None
    reason: str | None = None


def notify(tx: Transaction, integration: str, new: NewEvent) -> ProviderEvent:
    """Keeps an event and applies it, once for each name; an event of an unknown kind is kept and changes nothing.

    Raises `Refusal` (-8) for a name that was used with another content.
    """
    digest = request_digest.digest(
        new.type, new.occurred, new.payment_id, new.payment_reference, new.operation_reference, new.amount, new.reason
    )
    known = tx.one(sql.EVENT_BY_NAME, integration=integration, name=new.name)
    if known is not None:
        if bytes(known.digest) != digest:
            raise Refusal(errors.CONFLICT, "the event's id was used with another content")
        return known
    payment = _payment_of(tx, integration, new)
    if payment is None:  # it may be announced at this moment: wait for that, and look again
        tx.one(sql.LOCK_INTEGRATION, integration=integration)
        payment = _payment_of(tx, integration, new)
    if payment is not None:
        payment = life.locked(tx, payment.id, integration)
    _insert(tx, integration, new, digest)
    if payment is not None and new.type in KINDS:
        apply_waiting(tx, payment)
    kept = tx.one(sql.EVENT_BY_NAME, integration=integration, name=new.name)
    assert kept is not None, "it was just inserted"
    return kept


def list_events(tx: Transaction, integration: str, page: ListPage) -> list[ProviderEvent]:
    """Returns events by id, the oldest first: the integration's, or all if `integration` is empty."""
    return tx.all(
        sql.EVENTS, integration=integration, after=page.after, since=page.since, only=page.state, most=page.size + 1
    )


def events_of(tx: Transaction, payment: Payment) -> list[ProviderEvent]:
    """Returns all events of a payment in the order in which they occurred."""
    return _of_payment(tx, payment, -1)


def apply_waiting(tx: Transaction, payment: Payment) -> Payment:
    """Applies the events that wait for this payment, in the order in which they occurred; returns it as it is then."""
    while True:
        waiting = _of_payment(tx, payment, WAITING)
        if not waiting:
            return payment
        payment = life.locked(tx, payment.id)
        applied = next((one for one in waiting if _applied(tx, payment, one)), None)
        payment = life.read(tx, payment)
        if applied is None:
            return payment


def _of_payment(tx: Transaction, payment: Payment, state: int) -> list[ProviderEvent]:
    named = {"integration": payment.integration_id, "payment": payment.id, "reference": payment.reference}
    return tx.all(sql.EVENTS_OF_PAYMENT, **named, only=state)


def _payment_of(tx: Transaction, integration: str, new: NewEvent) -> Payment | None:
    if new.payment_id is not None:
        found = tx.one(sql.PAYMENT_BY_ID, id=new.payment_id)
        return found if found is not None and found.integration_id == integration else None
    if new.payment_reference is None:
        return None
    return tx.one(sql.PAYMENT_BY_REFERENCE, integration=integration, reference=new.payment_reference)


def _insert(tx: Transaction, integration: str, new: NewEvent, digest: bytes) -> None:
    kind_known = new.type in KINDS
    made = tx.run(
        sql.NEW_EVENT,
        id=tx.new_id("pev"),
        integration_id=integration,
        name=new.name,
        digest=digest,
        type=new.type,
        payment_id=new.payment_id,
        payment_reference=new.payment_reference,
        operation_reference=new.operation_reference,
        amount=new.amount,
        reason=new.reason,
        occurred=new.occurred,
        state=WAITING if kind_known else UNKNOWN,
        outcome="there is no such payment yet" if kind_known else "its kind is not known",
        created=tx.now,
        updated=tx.now,
    )
    if not made:
        raise RetryTransaction("the same event came at the same moment")


def _applied(tx: Transaction, payment: Payment, event: ProviderEvent) -> bool:
    """Applies an event or marks it as contradicted; returns False if it still waits."""
    kind = KINDS[event.type]
    verdict, text = (
        kind.decide(tx, payment, event) if _names(payment, event) else (CONTRADICT, "its payment has another reference")
    )
    if verdict == WAIT:
        tx.run(sql.EXPLAIN_EVENT, id=event.id, text=text)
        return False
    if verdict == DO:
        text = kind.perform(tx, payment, event) or text
    statement = sql.CONTRADICT_EVENT if verdict == CONTRADICT else sql.APPLY_EVENT
    if verdict == CONTRADICT:
        record(tx, _actor(event), "payment.event_contradicts", payment.id, event=event.id, type=event.type, why=text)
    if not tx.run(statement, id=event.id, text=text, now=tx.now):
        raise RetryTransaction("it was applied at this moment")
    return True


def _names(payment: Payment, event: ProviderEvent) -> bool:
    return event.payment_id in (None, payment.id) and event.payment_reference in (None, payment.reference)


def _actor(event: ProviderEvent) -> Actor:
    return Actor(event.integration_id)


def _it_is(payment: Payment) -> str:
    return f"the payment is {PAYMENT.states[payment.state].name}"


# --- the kinds of event, one after the other: first the verdict, then the step ----------------------------------------


def _decide_authorised(_: Transaction, payment: Payment, _event: ProviderEvent) -> Verdict:
    if payment.state in (CREATED, FAILED):
        return DO, "authorised"
    return (CONTRADICT if payment.state in (ENDED, REFUSED) else DONE), _it_is(payment)


def _authorise(tx: Transaction, payment: Payment, _event: ProviderEvent) -> str:
    life.authorise(tx, payment)
    return ""


def _decide_captured(tx: Transaction, payment: Payment, event: ProviderEvent) -> Verdict:
    known = tx.one(sql.CAPTURE_BY_REFERENCE, payment=payment.id, reference=_operation(event))
    if known is not None:
        return (DONE if event.amount in (None, known[1]) else CONTRADICT), "a capture of this reference is booked"
    if payment.state == REFUSED:
        return DONE, "the payment is refused; its refund is requested"
    if payment.captured == payment.amount:
        return (DONE if (event.amount or 0) <= payment.amount else CONTRADICT), _it_is(payment)
    if not PAYMENT.allows(payment.state, "capture"):
        return CONTRADICT, f"{_it_is(payment)}: refund the payer"
    if (event.amount or 0) > payment.amount - payment.captured:
        return CONTRADICT, "it is more than is left to capture"
    return DO, "captured"


def _capture(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    captured = life.capture(tx, payment, event.amount, _operation(event))
    if not isinstance(captured, Refusal):
        return "captured" if captured.captured == captured.amount else "captured in part"
    return f"the order could not be paid ({captured.code.number}); the refund of the payer is requested"


def _decide_failed(_: Transaction, payment: Payment, _event: ProviderEvent) -> Verdict:
    return (DO, "failed") if PAYMENT.allows(payment.state, "fail") else (DONE, _it_is(payment))


def _fail(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    life.fail(tx, payment, event.reason)
    return ""


def _decide_cancelled(_: Transaction, payment: Payment, _event: ProviderEvent) -> Verdict:
    if PAYMENT.allows(payment.state, "cancel"):
        return DO, "cancelled"
    return (DONE if payment.state in (ENDED, REFUSED) else CONTRADICT), _it_is(payment)


def _cancel(tx: Transaction, payment: Payment, _event: ProviderEvent) -> str:
    life.cancel(tx, payment)
    return ""


def _decide_refunded(tx: Transaction, payment: Payment, event: ProviderEvent) -> Verdict:
    known = _refund_of(tx, payment, event)
    if known is not None:
        if known.state == NOT_PAID_OUT:
            return CONTRADICT, "the refund has failed"
        if event.amount not in (None, known.amount):
            return CONTRADICT, "the refund is of another amount"
        return (DO, "the requested refund is done") if known.state == REQUESTED else (DONE, "the refund is booked")
    if payment.state in (*_UNPAID, DISPUTED):
        return WAIT, _it_is(payment)
    if payment.state not in (BOOKED, PART_CAPTURED, REFUSED):
        return CONTRADICT, _it_is(payment)
    left = refunds.outstanding(tx, payment)
    if payment.state == PART_CAPTURED and event.amount not in (None, left):
        return WAIT, _it_is(payment)
    if left == 0 or (event.amount or 0) > left:
        return CONTRADICT, "it is more than is left of the payment"
    return DO, "refunded"


def _refund(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    known = _refund_of(tx, payment, event)
    if known is not None:
        refunds.confirm(tx, known)
    else:
        refunds.report(tx, payment, event.amount, _operation(event), event.reason, _actor(event), owe=True)
    return ""


def _decide_refund_failed(tx: Transaction, payment: Payment, event: ProviderEvent) -> Verdict:
    known = _refund_of(tx, payment, event)
    if known is None:
        return WAIT, "there is no such refund yet"
    return (DONE, "it has failed already") if known.state == NOT_PAID_OUT else (DO, "the refund has failed")


def _fail_refund(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    known = _refund_of(tx, payment, event)
    assert known is not None, "the decision has found it"
    refunds.fail(tx, payment, known, event.reason, _actor(event))
    return ""


def _decide_disputed(_: Transaction, payment: Payment, _event: ProviderEvent) -> Verdict:
    if payment.state == BOOKED:
        return DO, "disputed"
    if payment.state in (DISPUTED, LOST):
        return DONE, _it_is(payment)
    return (WAIT if payment.state in (*_UNPAID, PART_CAPTURED) else CONTRADICT), _it_is(payment)


def _dispute(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    life.dispute(tx, payment, event.reason)
    return ""


def _decide_won(_: Transaction, payment: Payment, _event: ProviderEvent) -> Verdict:
    if payment.state == DISPUTED:
        return DO, "the dispute is won"
    return (WAIT if payment.state in (*_UNPAID, PART_CAPTURED, BOOKED) else CONTRADICT), _it_is(payment)


def _win(tx: Transaction, payment: Payment, _event: ProviderEvent) -> str:
    life.win(tx, payment)
    return ""


def _decide_lost(_: Transaction, payment: Payment, event: ProviderEvent) -> Verdict:
    if payment.state == LOST:
        return (DONE if event.amount in (None, payment.lost) else CONTRADICT), _it_is(payment)
    if payment.state != DISPUTED:
        return (WAIT if payment.state in (*_UNPAID, PART_CAPTURED, BOOKED) else CONTRADICT), _it_is(payment)
    if (event.amount or 0) > payment.left:
        return CONTRADICT, "it is more than is left of the payment"
    return DO, "the dispute is lost"


def _lose(tx: Transaction, payment: Payment, event: ProviderEvent) -> str:
    life.lose(tx, payment, event.amount, event.reason, _actor(event))
    return ""


def _operation(event: ProviderEvent) -> str:
    """Returns the reference of the capture or refund that an event is about: without one, the event's name."""
    return event.operation_reference or event.name


def _refund_of(tx: Transaction, payment: Payment, event: ProviderEvent) -> PaymentRefund | None:
    """Returns the refund that an event is about, by reference or id.

    If the event names none, it is about the only requested refund of the same amount, if there is exactly one.
    """
    made = tx.all(sql.REFUNDS_OF, payment=payment.id)
    named = next((one for one in made if _operation(event) in (one.reference, one.id)), None)
    if named is not None or event.operation_reference is not None or event.type != "payment.refunded":
        return named
    same = [one for one in made if one.state == REQUESTED and event.amount in (None, one.amount)]
    return same[0] if len(same) == 1 else None


@dataclass(frozen=True, slots=True)
class Kind:
    """The verdict on one kind of event, and the step that applies it. `perform` returns the outcome, or nothing."""

    decide: Callable[[Transaction, Payment, ProviderEvent], Verdict]
    perform: Callable[[Transaction, Payment, ProviderEvent], str]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "payment.authorised": Kind(_decide_authorised, _authorise),
        "payment.captured": Kind(_decide_captured, _capture),
        "payment.failed": Kind(_decide_failed, _fail),
        "payment.cancelled": Kind(_decide_cancelled, _cancel),
        "payment.refunded": Kind(_decide_refunded, _refund),
        "payment.refundFailed": Kind(_decide_refund_failed, _fail_refund),
        "payment.disputed": Kind(_decide_disputed, _dispute),
        "payment.disputeWon": Kind(_decide_won, _win),
        "payment.disputeLost": Kind(_decide_lost, _lose),
    }
)
"""Every known kind of event. An event of another kind is kept and changes nothing."""
