"""Creates and settles deposits to partners' balances and payments of storefront orders."""

import json
from dataclasses import dataclass

from sqlalchemy import select

from bedesten import errors
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.core import request_digest
from bedesten.core.money import to_decimal, with_currency
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import checkout
from bedesten.orders import statements as orders
from bedesten.orders.model import PLACED, WITHDRAWN
from bedesten.payments.deposit_limits import limits_of
from bedesten.payments.moves import AWAITING, BOOKED, CREATED, DEPOSIT, ENDED, PAYMENT, REFUSED
from bedesten.payments.tables import deposits, payments
from bedesten.store.sql import TENANT, insert_of, move_of, p, rows_as
from bedesten.store.transaction import RetryTransaction, Transaction

NO_APPROVAL, APPROVAL_NEEDED, APPROVED = 0, 1, 2
"""The operator's approval of a deposit."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money for a partner, as a payment service announced it. `amount` is in minor units."""

    id: str
    integration_id: str
    partner_id: str
    reference: str
    digest: bytes
    currency: str
    amount: int
    state: int
    created: int
    updated: int
    approval: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Money for one storefront order. `amount` is in minor units.

    `refusal` and its lines (JSON) belong to a refused payment.
    """

    id: str
    integration_id: str
    order_id: str
    reference: str
    digest: bytes
    currency: str
    amount: int
    state: int
    created: int
    updated: int
    refusal: int | None
    refused_items: str | None


_D, _P = deposits.c, payments.c
_DEPOSIT_COLUMNS = (
    _D.id, _D.integration_id, _D.partner_id, _D.reference, _D.digest, _D.currency, _D.amount, _D.state, _D.created,
    _D.updated, _D.approval,
)  # fmt: skip
_PAYMENT_COLUMNS = (
    _P.id, _P.integration_id, _P.order_id, _P.reference, _P.digest, _P.currency, _P.amount, _P.state, _P.created,
    _P.updated, _P.refusal, _P.refused_items,
)  # fmt: skip
_NEW_DEPOSIT = insert_of(deposits, or_ignore=True)
_DEPOSIT = rows_as(
    Deposit,
    select(*_DEPOSIT_COLUMNS).where(_D.tenant_id == TENANT, _D.integration_id == p("integration"), _D.id == p("id")),
)
_DEPOSIT_BY_REFERENCE = rows_as(
    Deposit,
    select(*_DEPOSIT_COLUMNS).where(
        _D.tenant_id == TENANT, _D.integration_id == p("integration"), _D.reference == p("reference")
    ),
)
_DEPOSIT_BY_ID = rows_as(Deposit, select(*_DEPOSIT_COLUMNS).where(_D.tenant_id == TENANT, _D.id == p("id")))
_DEPOSIT_MOVES = {
    one.event: move_of(
        DEPOSIT,
        one.event,
        _D.state,
        _D.id == p("id"),
        _D.state == p("was"),
        approval=p("new_approval"),
        updated=p("now"),
    )
    for one in DEPOSIT
    if one.sources
}
_NEW_PAYMENT = insert_of(payments, or_ignore=True)
_PAYMENT = rows_as(
    Payment,
    select(*_PAYMENT_COLUMNS).where(_P.tenant_id == TENANT, _P.integration_id == p("integration"), _P.id == p("id")),
)
_PAYMENT_BY_REFERENCE = rows_as(
    Payment,
    select(*_PAYMENT_COLUMNS).where(
        _P.tenant_id == TENANT, _P.integration_id == p("integration"), _P.reference == p("reference")
    ),
)
_PAYMENT_ROW = _P.id == p("id")
_CAPTURE = move_of(PAYMENT, "capture", _P.state, _PAYMENT_ROW, updated=p("now"))
_CANCEL = move_of(PAYMENT, "cancel", _P.state, _PAYMENT_ROW, updated=p("now"))
_REFUSE = move_of(
    PAYMENT, "refuse", _P.state, _PAYMENT_ROW, refusal=p("number"), refused_items=p("items"), updated=p("now")
)


def create_deposit(
    tx: Transaction, integration: str, partner: str, reference: str, currency: str, amount: int
) -> Deposit:
    """Announces a deposit for a partner. The same reference with the same content returns the first deposit.

    Raises `Refusal`: -2 for an amount that the partner's balance cannot take, -8 for a reference with other content,
    -403 for more than the integration may deposit.
    """
    money = ledger.balance(tx, partner, "partner", currency)
    if money is not None and not money.can_receive(amount):
        raise ledger.amount_too_large("amount")
    if tx.one(_DEPOSIT_BY_REFERENCE, integration=integration, reference=reference) is None:
        limits_of(tx, integration).check(amount)
    digest = request_digest.digest(partner, currency, amount)
    made = tx.run(
        _NEW_DEPOSIT,
        id=tx.new_id("dep"),
        integration_id=integration,
        partner_id=partner,
        reference=reference,
        digest=digest,
        currency=currency,
        amount=amount,
        state=CREATED,
        created=tx.now,
        updated=tx.now,
        approval=NO_APPROVAL,
    )
    found = tx.one(_DEPOSIT_BY_REFERENCE, integration=integration, reference=reference)
    assert found is not None, "inserted or conflicting, it is there"
    if not made and bytes(found.digest) != digest:
        raise _used("deposit")
    return found


def confirm_deposit(tx: Transaction, integration: str, deposit_id: str) -> Deposit:
    """Books the deposit to the partner's balance, once; a second confirmation changes nothing.

    A deposit above the integration's approval limit is not booked: it waits until the operator approves or rejects it.
    Raises `Refusal`: -3 for another integration's deposit, -400 for a rejected one, -403 for more than it may deposit.
    """
    found = tx.one(_DEPOSIT, integration=integration, id=deposit_id)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such deposit", missing="deposit")
    if found.state == ENDED:
        raise Refusal(errors.DEPOSIT_STATE, "it was rejected")
    if found.state != CREATED:
        return found
    limits = limits_of(tx, integration)
    limits.check(found.amount)
    if not limits.needs_approval(found.amount):
        return _book(tx, found, "confirm", NO_APPROVAL)
    record(tx, Actor(integration), "deposit.await_approval", found.id, amount=_money(found), partner=found.partner_id)
    return _move_deposit(tx, found, "awaitApproval", APPROVAL_NEEDED)


def approve_deposit(tx: Transaction, deposit_id: str) -> Deposit:
    """Books a deposit that awaits the operator's approval, once. Raises `Refusal`: -3, -400."""
    found = _deposit(tx, deposit_id)
    if found.state == BOOKED and found.approval == APPROVED:
        return found
    if found.state != AWAITING:
        raise Refusal(errors.DEPOSIT_STATE, "it does not wait for an approval")
    record(tx, OPERATOR, "deposit.approve", found.id, amount=_money(found), partner=found.partner_id)
    return _book(tx, found, "approve", APPROVED)


def reject_deposit(tx: Transaction, deposit_id: str) -> Deposit:
    """Rejects a deposit that is not booked, for good. Raises `Refusal`: -3, -400."""
    found = _deposit(tx, deposit_id)
    if found.state == ENDED:
        return found
    if found.state == BOOKED:
        raise Refusal(errors.DEPOSIT_STATE, "it is booked")
    record(tx, OPERATOR, "deposit.reject", found.id, amount=_money(found), partner=found.partner_id)
    return _move_deposit(tx, found, "reject", found.approval)


def _deposit(tx: Transaction, deposit_id: str) -> Deposit:
    found = tx.one(_DEPOSIT_BY_ID, id=deposit_id)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such deposit", fields={"deposit": "there is no such deposit"})
    return found


def _book(tx: Transaction, found: Deposit, event: str, approval: int) -> Deposit:
    moved = _move_deposit(tx, found, event, approval)
    money = ledger.account(tx, found.partner_id, "partner", found.currency)
    booked = ledger.receive(tx, money, found.amount, f"deposit:{found.id}")
    assert booked, "a deposit that was just confirmed is not booked yet"
    return moved


def _move_deposit(tx: Transaction, found: Deposit, event: str, approval: int) -> Deposit:
    if not tx.run(_DEPOSIT_MOVES[event], id=found.id, was=found.state, new_approval=approval, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    return _deposit(tx, found.id)


def _money(of: Deposit | Payment) -> str:
    return with_currency(of.amount, of.currency)


def create_payment(tx: Transaction, integration: str, order_id: str, reference: str, minor: int) -> Payment:
    """Announces a payment of a customer's order. The amount must equal the order's total.

    Raises `Refusal`: -3 for an order of another surface, -401 for a paid or cancelled one, -8.
    """
    order = tx.one(orders.ORDER_BY_ID, order_id=order_id)
    if order is None or order.surface != "storefront":
        raise Refusal(errors.NOT_FOUND, "no such storefront order", missing="order")
    digest = request_digest.digest(order_id, order.currency, minor)
    known = tx.one(_PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    if known:
        if bytes(known.digest) != digest:
            raise _used("payment")
        return known
    if order.state in (PLACED, WITHDRAWN):
        raise Refusal(errors.PAYMENT_STATE, "the order is paid already, or cancelled")
    if minor != order.total:
        raise errors.bad_field("amount", "must be the order's total")
    made = tx.run(
        _NEW_PAYMENT,
        id=tx.new_id("pay"),
        integration_id=integration,
        order_id=order_id,
        reference=reference,
        digest=digest,
        currency=order.currency,
        amount=minor,
        state=CREATED,
        created=tx.now,
        updated=tx.now,
        refusal=None,
        refused_items=None,
    )
    if not made:
        raise RetryTransaction("the same reference was used at the same moment")
    found = tx.one(_PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    assert found is not None, "it was just inserted"
    return found


def capture_payment(tx: Transaction, integration: str, payment_id: str) -> Payment | Refusal:
    """Books a payment and delivers or queues its order, once; a second capture changes nothing.

    Returns a `Refusal`, so that the transaction stores it, if the money must be returned: -401 if another payment has
    paid the order, -402 if the checkout is over and its goods are no longer available. The payment is then over too,
    and every later capture gets the same refusal. Raises `Refusal`: -3, and -401 for a cancelled payment.
    """
    found = _locked(tx, integration, payment_id)
    if found.state == CREATED:
        refusal = checkout.settle_payment(tx, found.order_id, f"payment:{found.id}")
        if refusal is not None:
            return _refuse(tx, found, refusal)
    if found.state == REFUSED:
        raise _as_refused(found)
    if found.state == ENDED:
        raise Refusal(errors.PAYMENT_STATE, "it was cancelled")
    if found.state == CREATED and not tx.run(_CAPTURE, id=found.id, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    return _read(tx, found)


def cancel_payment(tx: Transaction, integration: str, payment_id: str) -> Payment:
    """Cancels a payment that is not captured, for good; returns a payment that is over unchanged.

    Raises `Refusal`: -3, or -401 if the payment was captured.
    """
    found = _locked(tx, integration, payment_id)
    if found.state == BOOKED:
        raise Refusal(errors.PAYMENT_STATE, "it was captured")
    if found.state == CREATED and not tx.run(_CANCEL, id=found.id, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    return _read(tx, found)


def _locked(tx: Transaction, integration: str, payment_id: str) -> Payment:
    """Returns the payment with its order's row locked, so that the payments of an order change one at a time."""
    named = tx.one(_PAYMENT, integration=integration, id=payment_id)
    if named is None:
        raise Refusal(errors.NOT_FOUND, "no such payment", missing="payment")
    tx.one(orders.LOCK, order_id=named.order_id)
    return _read(tx, named)


def _read(tx: Transaction, known: Payment) -> Payment:
    found = tx.one(_PAYMENT, integration=known.integration_id, id=known.id)
    assert found is not None, "it was there a moment ago"
    return found


def _refuse(tx: Transaction, found: Payment, refusal: Refusal) -> Refusal:
    items = json.dumps(refusal.data["items"]) if isinstance(refusal.data, dict) else None
    if not tx.run(_REFUSE, id=found.id, number=refusal.code.number, items=items, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    code = refusal.code.number
    record(tx, Actor(found.integration_id), "payment.refuse", found.id, code=code, give_back=_money(found))
    return _as_refused(_read(tx, found), refusal.cause)


def _as_refused(payment: Payment, cause: str = "it was refused before") -> Refusal:
    """Returns the refusal that ended a payment, with the money that the payer must get back."""
    assert payment.refusal is not None, "a refused payment has a number"
    data: dict[str, object] | None = None
    if payment.refused_items is not None:
        money = to_decimal(payment.amount, payment.currency)
        data = {"refundAmount": money, "currency": payment.currency, "items": json.loads(payment.refused_items)}
    return Refusal(errors.CATALOGUE[payment.refusal], cause, data=data)


def _used(what: str) -> Refusal:
    return Refusal(errors.CONFLICT, f"the reference names a {what} with another content")
