"""Creates and settles deposits to partners' balances and payments of storefront orders."""

from bedesten import errors
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.core import request_digest
from bedesten.core.money import with_currency
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import statements as orders
from bedesten.orders.model import PLACED, WITHDRAWN, Order
from bedesten.payments import events, life, order_refunds, refunds
from bedesten.payments import statements as sql
from bedesten.payments.deposit_limits import limits_of
from bedesten.payments.model import Deposit, ListPage, Payment, PaymentRefund
from bedesten.payments.moves import AWAITING, BOOKED, CREATED, ENDED
from bedesten.store.transaction import RetryTransaction, Transaction

NO_APPROVAL, APPROVAL_NEEDED, APPROVED = 0, 1, 2
"""The operator's approval of a deposit."""


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
    if tx.one(sql.DEPOSIT_BY_REFERENCE, integration=integration, reference=reference) is None:
        limits_of(tx, integration).check(amount)
    digest = request_digest.digest(partner, currency, amount)
    made = tx.run(
        sql.NEW_DEPOSIT,
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
    found = tx.one(sql.DEPOSIT_BY_REFERENCE, integration=integration, reference=reference)
    assert found is not None, "inserted or conflicting, it is there"
    if not made and bytes(found.digest) != digest:
        raise _used("deposit")
    return found


def confirm_deposit(tx: Transaction, integration: str, deposit_id: str) -> Deposit:
    """Books the deposit to the partner's balance, once; a second confirmation changes nothing.

    A deposit above the integration's approval limit is not booked: it waits until the operator approves or rejects it.
    Raises `Refusal`: -3 for another integration's deposit, -400 for a rejected one, -403 for more than it may deposit.
    """
    found = _deposit(tx, deposit_id, integration)
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


def approve_deposit(tx: Transaction, deposit_id: str, actor: Actor = OPERATOR) -> Deposit:
    """Books a deposit that awaits the operator's approval, once. Raises `Refusal`: -3, -400."""
    found = _deposit(tx, deposit_id)
    if found.state == BOOKED and found.approval == APPROVED:
        return found
    if found.state != AWAITING:
        raise Refusal(errors.DEPOSIT_STATE, "it does not wait for an approval")
    record(tx, actor, "deposit.approve", found.id, amount=_money(found), partner=found.partner_id)
    return _book(tx, found, "approve", APPROVED)


def reject_deposit(tx: Transaction, deposit_id: str, integration: str = "", actor: Actor = OPERATOR) -> Deposit:
    """Rejects a deposit that is not booked, for good. With an integration only its own. Raises `Refusal`: -3, -400."""
    found = _deposit(tx, deposit_id, integration)
    if found.state == ENDED:
        return found
    if found.state == BOOKED:
        raise Refusal(errors.DEPOSIT_STATE, "it is booked")
    record(tx, actor, "deposit.reject", found.id, amount=_money(found), partner=found.partner_id)
    return _move_deposit(tx, found, "reject", found.approval)


def get_deposit(tx: Transaction, integration: str, deposit_id: str = "", reference: str = "") -> Deposit:
    """Returns a deposit of the integration by id or by its own reference. Raises `Refusal` (-3)."""
    if deposit_id:
        return _deposit(tx, deposit_id, integration)
    found = tx.one(sql.DEPOSIT_BY_REFERENCE, integration=integration, reference=reference)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no deposit has this reference", missing="deposit")
    return found


def list_deposits(tx: Transaction, integration: str, page: ListPage) -> list[Deposit]:
    """Returns the integration's deposits by id, the oldest first; one more than the page's size if there are more."""
    return tx.all(sql.DEPOSITS, integration=integration, **_page(page))


def _deposit(tx: Transaction, deposit_id: str, integration: str = "") -> Deposit:
    found = tx.one(sql.DEPOSIT_BY_ID, id=deposit_id)
    if found is None or (integration and found.integration_id != integration):
        fields = None if integration else {"deposit": "there is no such deposit"}
        raise Refusal(errors.NOT_FOUND, "no such deposit", missing="deposit", fields=fields)
    return found


def _book(tx: Transaction, found: Deposit, event: str, approval: int) -> Deposit:
    moved = _move_deposit(tx, found, event, approval)
    money = ledger.account(tx, found.partner_id, "partner", found.currency)
    booked = ledger.receive(tx, money, found.amount, f"deposit:{found.id}")
    assert booked, "a deposit that was just confirmed is not booked yet"
    return moved


def _move_deposit(tx: Transaction, found: Deposit, event: str, approval: int) -> Deposit:
    if not tx.run(sql.DEPOSIT_MOVES[event], id=found.id, was=found.state, new_approval=approval, now=tx.now):
        raise RetryTransaction("it was moved at this moment")
    return _deposit(tx, found.id)


def _money(of: Deposit) -> str:
    return with_currency(of.amount, of.currency)


def create_payment(tx: Transaction, integration: str, order_id: str, reference: str, minor: int) -> Payment:
    """Announces a payment of a customer's order. The amount must equal the order's total.

    Applies provider events that arrived before the payment.

    Raises `Refusal`: -3 for an order of another surface, -401 for a paid or cancelled one, -8.
    """
    tx.one(sql.SHARE_INTEGRATION, integration=integration)
    tx.one(orders.LOCK, order_id=order_id)
    order = tx.one(orders.ORDER_BY_ID, order_id=order_id)
    if order is None or order.surface != "storefront":
        raise Refusal(errors.NOT_FOUND, "no such storefront order", missing="order")
    digest = request_digest.digest(order_id, order.currency, minor)
    known = tx.one(sql.PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    if known:
        if bytes(known.digest) != digest:
            raise _used("payment")
        return known
    if order.state in (PLACED, WITHDRAWN):
        raise Refusal(errors.PAYMENT_STATE, "the order is paid already, or cancelled")
    if minor != order.total:
        raise errors.bad_field("amount", "must be the order's total")
    return events.apply_waiting(tx, announce(tx, integration, order, tx.new_id("pay"), reference))


def announce(
    tx: Transaction, integration: str, order: Order, payment_id: str, reference: str, method: str | None = None
) -> Payment:
    """Inserts a payment of the order's total. The caller has locked the order's row and checked its state."""
    made = tx.run(
        sql.NEW_PAYMENT,
        id=payment_id,
        integration_id=integration,
        order_id=order.id,
        reference=reference,
        digest=request_digest.digest(order.id, order.currency, order.total),
        currency=order.currency,
        amount=order.total,
        state=CREATED,
        created=tx.now,
        updated=tx.now,
        refusal=None,
        refused_items=None,
        captured=0,
        refunded=0,
        lost=0,
        reason=None,
        method=method,
    )
    if not made:
        raise RetryTransaction("the same reference was used at the same moment")
    found = tx.one(sql.PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    assert found is not None, "it was just inserted"
    return found


def authorise_payment(tx: Transaction, integration: str, payment_id: str) -> Payment:
    """Records that the provider has reserved the payer's money. Raises `Refusal`: -3, -401."""
    return events.apply_waiting(tx, life.authorise(tx, life.locked(tx, payment_id, integration)))


def capture_payment(
    tx: Transaction, integration: str, payment_id: str, amount: int | None = None, reference: str = ""
) -> Payment | Refusal:
    """Books a payment and delivers or queues its order, once; a second capture changes nothing.

    With an `amount` (minor units) below what is left, only that part is received, once for each `reference`; the
    capture of the rest pays the order.

    Returns a `Refusal`, so that the transaction stores it, if the money must be returned: -401 if another payment has
    paid the order, -402 if the checkout has ended and its goods are no longer available. Such a refusal ends the
    payment and requests a refund; every later capture gets the same refusal. Raises `Refusal`: -3, -401 for a payment
    that has ended.
    """
    captured = life.capture(tx, life.locked(tx, payment_id, integration), amount, reference)
    found = events.apply_waiting(tx, life.locked(tx, payment_id, integration))
    return captured if isinstance(captured, Refusal) else found


def cancel_payment(tx: Transaction, integration: str, payment_id: str) -> Payment:
    """Cancels a payment that is not captured, for good; returns a payment that has ended unchanged.

    Raises `Refusal`: -3, or -401 if the payment was captured.
    """
    return events.apply_waiting(tx, life.cancel(tx, life.locked(tx, payment_id, integration)))


def refund_payment(
    tx: Transaction,
    integration: str,
    payment_id: str,
    amount: int | None,
    reference: str,
    reason: str | None,
    actor: Actor,
    *,
    with_order: bool = False,
) -> PaymentRefund:
    """Books a refund that the payment service makes by itself; `with_order` refunds the order's lines in the same step.

    Raises `Refusal` as `refunds.request` and `order_refunds.to_payer`, and -3.
    """
    found = life.locked(tx, payment_id, integration)
    if with_order:
        made = order_refunds.to_payer(tx, found, amount, reference, reason, actor, paid_out=True)
    else:
        made = refunds.report(tx, found, amount, reference, reason, actor)
    events.apply_waiting(tx, life.read(tx, found))
    return made


def request_refund(
    tx: Transaction, payment_id: str, amount: int | None, reference: str, reason: str | None, actor: Actor
) -> PaymentRefund:
    """Requests a refund that the payment service has to carry out. Raises `Refusal` as `refunds.request`, and -3."""
    return refunds.request(tx, life.locked(tx, payment_id), amount, reference, reason, actor)


def confirm_refund(tx: Transaction, integration: str, refund_id: str) -> PaymentRefund:
    """Records, once, that the payer has the money of a requested refund. Raises `Refusal`: -3, -401."""
    payment, found = refunds.locked(tx, refund_id, integration)
    done = refunds.confirm(tx, found)
    events.apply_waiting(tx, payment)
    return done


def fail_refund(tx: Transaction, integration: str, refund_id: str, reason: str | None, actor: Actor) -> PaymentRefund:
    """Returns the money of a refund that did not reach the payer to the buyer's balance; once. Raises `Refusal` (-3)."""
    payment, found = refunds.locked(tx, refund_id, integration)
    failed = refunds.fail(tx, payment, found, reason, actor)
    events.apply_waiting(tx, life.read(tx, payment))
    return failed


def get_payment(tx: Transaction, integration: str, payment_id: str = "", reference: str = "") -> Payment:
    """Returns a payment of the integration by id or by its own reference. Raises `Refusal` (-3)."""
    if payment_id:
        found = tx.one(sql.PAYMENT_BY_ID, id=payment_id)
    else:
        found = tx.one(sql.PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    if found is None or (integration and found.integration_id != integration):
        raise Refusal(errors.NOT_FOUND, "no such payment", missing="payment")
    return found


def list_payments(tx: Transaction, integration: str, page: ListPage) -> list[Payment]:
    """Returns payments by id, the oldest first: the integration's, or all if `integration` is empty."""
    return tx.all(sql.PAYMENTS, integration=integration, **_page(page))


def list_refunds(tx: Transaction, integration: str, page: ListPage) -> list[PaymentRefund]:
    """Returns refunds by id, the oldest first: the integration's, or all if `integration` is empty."""
    return tx.all(sql.REFUNDS, integration=integration, **_page(page))


def refunds_of(tx: Transaction, payment_id: str) -> list[PaymentRefund]:
    """Returns the refunds of a payment, the oldest first."""
    return tx.all(sql.REFUNDS_OF, payment=payment_id)


def refunds_of_order(tx: Transaction, order_id: str) -> list[PaymentRefund]:
    """Returns the refunds of all payments of an order, the oldest first."""
    return tx.all(sql.REFUNDS_OF_ORDER, order_id=order_id)


def _page(page: ListPage) -> dict[str, int | str]:
    return {"after": page.after, "since": page.since, "only": page.state, "most": page.size + 1}


def _used(what: str) -> Refusal:
    return Refusal(errors.CONFLICT, f"the reference names a {what} with another content")
