"""A payment's whole life: authorised, captured in parts, refunded, disputed; and what the money does."""

from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.model import EXPIRED, PLACED, UNPAID
from bedesten.payments import actions as payments
from bedesten.payments import life, refunds
from bedesten.payments.model import ListPage, Payment, PaymentRefund
from bedesten.payments.moves import (
    AUTHORISED,
    BOOKED,
    CREATED,
    DISPUTED,
    ENDED,
    FAILED,
    LOST,
    NOT_PAID_OUT,
    PAID_OUT,
    PART_CAPTURED,
    PAYMENT,
    REFUNDED,
    REFUSED,
    REQUESTED,
)
from bedesten.server.installation import Installation
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant, fresh, open_tenant

SERVICE = Actor("test")


def number_of(tenant: Tenant, action: Any, *args: Any) -> int:
    """The number of an action's refusal."""
    with pytest.raises(Refusal) as outcome:
        tenant.write(action, *args)
    return outcome.value.code.number


def announced(tenant: Tenant, units: int = 1) -> Payment:
    """Announces a payment of a checkout of this many cards."""
    return tenant.payment(tenant.checkout((tenant.card(units), units)))


def captured(tenant: Tenant) -> Payment:
    """A payment of one card that is captured; the customer's balance is 0."""
    return tenant.capture(announced(tenant))


def now(tenant: Tenant, payment: Payment) -> Payment:
    """The payment as it is now."""
    return tenant.read(payments.get_payment, tenant.integration, payment.id)


def money(tenant: Tenant) -> tuple[int, int]:
    """What is posted and held in the customer's account."""
    found = tenant.balance(tenant.customer, "customer")
    return found.posted, found.held


def give(tenant: Tenant, amount: int) -> None:
    """Puts money into the customer's balance, as a refund of an order does."""
    tenant.write(
        lambda tx: ledger.receive(tx, ledger.account(tx, tenant.customer, "customer", "USD"), amount, fresh("g"))
    )


def refund(tenant: Tenant, payment: Payment, amount: int | None = None, reference: str = "") -> PaymentRefund:
    """A refund that the service makes by itself."""
    return tenant.write(
        payments.refund_payment, tenant.integration, payment.id, amount, reference or fresh("ref"), None, SERVICE
    )


def requested(tenant: Tenant, payment: Payment, amount: int | None = None, reference: str = "") -> PaymentRefund:
    """A refund that the operator asks for."""
    return tenant.write(payments.request_refund, payment.id, amount, reference or fresh("ref"), "a complaint", SERVICE)


# --- authorised, failed, cancelled ------------------------------------------------------------------------------------


def fail_payment(tx: Transaction, integration: str, payment_id: str, reason: str | None = None) -> Payment:
    """The provider declined the payment, as an event of it says."""
    return life.fail(tx, life.locked(tx, payment_id, integration), reason)


def test_a_payment_is_authorised_and_captured_or_fails_and_a_later_attempt_is_captured(tenant: Tenant) -> None:
    first, second = announced(tenant), announced(tenant)
    for _ in range(2):
        assert tenant.write(payments.authorise_payment, tenant.integration, first.id).state == AUTHORISED
    assert tenant.capture(first).state == BOOKED
    for _ in range(2):
        assert tenant.write(fail_payment, tenant.integration, second.id, "no funds").state == FAILED
    assert now(tenant, second).reason == "no funds"
    assert tenant.capture(second).state == BOOKED
    assert now(tenant, second).reason is None


def test_a_payment_refuses_the_moves_that_its_state_does_not_allow(tenant: Tenant) -> None:
    done, ended = captured(tenant), announced(tenant)
    tenant.write(payments.cancel_payment, tenant.integration, ended.id)
    assert tenant.write(payments.cancel_payment, tenant.integration, ended.id).state == ENDED
    for action in (payments.authorise_payment, fail_payment):
        for one in (done, ended):
            assert number_of(tenant, action, tenant.integration, one.id) == -401
    assert number_of(tenant, payments.cancel_payment, tenant.integration, done.id) == -401
    assert number_of(tenant, payments.capture_payment, tenant.integration, ended.id) == -401
    assert PAYMENT.allows(BOOKED, "authorise") is False


# --- captured in parts ------------------------------------------------------------------------------------------------


def test_the_capture_of_the_last_part_pays_the_order(tenant: Tenant) -> None:
    payment = announced(tenant, units=2)
    for _ in range(2):
        part = tenant.write(payments.capture_payment, tenant.integration, payment.id, 300, "part 1")
        assert isinstance(part, Payment)
        assert (part.state, part.captured) == (PART_CAPTURED, 300)
    assert money(tenant) == (300, 0)
    assert tenant.read(orders.order_of, tenant.customer, payment.order_id).state == UNPAID
    for reference in ("part 2", "part 2"):
        whole = tenant.write(payments.capture_payment, tenant.integration, payment.id, 700, reference)
        assert isinstance(whole, Payment)
        assert (whole.state, whole.captured) == (BOOKED, 2 * CARD)
    assert money(tenant) == (0, 0)
    assert tenant.read(orders.order_of, tenant.customer, payment.order_id).state == PLACED


def test_a_part_needs_a_reference_and_is_never_more_than_what_is_left(tenant: Tenant) -> None:
    payment, capture = announced(tenant), payments.capture_payment
    assert number_of(tenant, capture, tenant.integration, payment.id, 1) == -2
    assert number_of(tenant, capture, tenant.integration, payment.id, CARD + 1, "more") == -2
    tenant.write(capture, tenant.integration, payment.id, 100, "part")
    assert number_of(tenant, capture, tenant.integration, payment.id, 101, "part") == -8
    assert number_of(tenant, capture, tenant.integration, payment.id, CARD, "rest") == -2
    assert number_of(tenant, payments.cancel_payment, tenant.integration, payment.id) == -401
    assert number_of(tenant, fail_payment, tenant.integration, payment.id) == -401
    assert money(tenant) == (100, 0)


def test_a_partly_captured_payment_is_refunded_in_full_or_not_at_all(tenant: Tenant) -> None:
    payment = announced(tenant)
    tenant.write(payments.capture_payment, tenant.integration, payment.id, 100, "part")
    with pytest.raises(Refusal):
        refund(tenant, payment, 99)
    done = refund(tenant, payment)
    assert (done.state, done.amount, now(tenant, payment).state) == (PAID_OUT, 100, REFUNDED)
    assert money(tenant) == (0, 0)
    assert number_of(tenant, payments.capture_payment, tenant.integration, payment.id) == -401
    tenant.write(payments.fail_refund, tenant.integration, done.id, None, SERVICE)
    assert (now(tenant, payment).state, money(tenant)) == (PART_CAPTURED, (100, 0))
    assert tenant.capture(payment).state == BOOKED


# --- refused ----------------------------------------------------------------------------------------------------------


def test_a_capture_after_the_goods_are_gone_asks_the_service_for_the_refund(tenant: Tenant) -> None:
    card = tenant.card(1)
    placed = tenant.checkout((card, 1), minutes=-1)
    payment = tenant.payment(placed)
    tenant.write(checkout.expire, placed.order.id)
    tenant.order((card, 1))
    for _ in range(2):
        assert number_of(tenant, payments.capture_payment, tenant.integration, payment.id) == -402
    assert tenant.read(orders.order_of, tenant.customer, placed.order.id).state == EXPIRED
    (asked,) = tenant.read(payments.list_refunds, tenant.integration, ListPage(state=REQUESTED))
    assert (asked.payment_id, asked.amount, asked.booked) == (payment.id, CARD, 0)
    done = tenant.write(payments.confirm_refund, tenant.integration, asked.id)
    assert (done.state, money(tenant)) == (PAID_OUT, (0, 0))
    with pytest.raises(Refusal):
        refund(tenant, payment, 1)
    tenant.write(payments.fail_refund, tenant.integration, asked.id, "closed account", SERVICE)
    again = requested(tenant, payment)
    assert (again.amount, again.booked, again.state) == (CARD, 0, REQUESTED)


def test_a_second_payment_captured_in_part_is_refunded_in_full(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.write(payments.capture_payment, tenant.integration, second.id, 200, "part")
    tenant.capture(first)
    assert money(tenant) == (200, 0)
    assert number_of(tenant, payments.capture_payment, tenant.integration, second.id, 50, "part 2") == -401
    (asked,) = tenant.read(payments.refunds_of, second.id)
    assert (asked.amount, asked.booked, now(tenant, second).state, money(tenant)) == (250, 200, REFUSED, (0, 0))
    tenant.write(payments.fail_refund, tenant.integration, asked.id, None, SERVICE)
    assert money(tenant) == (200, 0)


# --- refunded ---------------------------------------------------------------------------------------------------------


def test_a_refund_takes_the_money_from_the_buyer_s_balance_once(tenant: Tenant) -> None:
    payment = captured(tenant)
    with pytest.raises(Refusal) as outcome:
        refund(tenant, payment, 1)
    assert outcome.value.code.number == -300
    give(tenant, CARD)
    part = refund(tenant, payment, 120, "ref")
    assert refund(tenant, payment, 120, "ref") == part
    assert (now(tenant, payment).state, now(tenant, payment).refunded, money(tenant)) == (BOOKED, 120, (CARD - 120, 0))
    with pytest.raises(Refusal) as outcome:
        refund(tenant, payment, 121, "ref")
    assert outcome.value.code.number == -8
    for amount in (CARD - 119, 0, -1, 10**14):
        with pytest.raises(Refusal) as outcome:
            refund(tenant, payment, amount)
        assert outcome.value.code.number == -2
    refund(tenant, payment)
    assert (now(tenant, payment).state, money(tenant)) == (REFUNDED, (0, 0))
    with pytest.raises(Refusal) as outcome:
        refund(tenant, payment, 1)
    assert outcome.value.code.number == -401


def test_a_requested_refund_is_confirmed_or_fails_and_its_money_comes_back_once(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    first, second = requested(tenant, payment, 100), requested(tenant, payment, CARD - 100)
    assert (first.state, second.state, now(tenant, payment).state, money(tenant)) == (0, 0, REFUNDED, (0, 0))
    for _ in range(2):
        assert tenant.write(payments.confirm_refund, tenant.integration, first.id).state == PAID_OUT
    for _ in range(2):
        failed = tenant.write(payments.fail_refund, tenant.integration, second.id, "closed", SERVICE)
        assert (failed.state, failed.reason) == (NOT_PAID_OUT, "closed")
    assert (now(tenant, payment).state, now(tenant, payment).refunded, money(tenant)) == (BOOKED, 100, (CARD - 100, 0))
    assert number_of(tenant, payments.confirm_refund, tenant.integration, second.id) == -401
    assert requested(tenant, payment, CARD - 100, second.reference).state == NOT_PAID_OUT


def test_a_refund_by_order_finds_the_payment_that_paid_it(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, 90)
    paid = tenant.write(refunds.paying, payment.order_id)
    made = tenant.write(refunds.request, paid, 90, "complaint 1", None, SERVICE)
    assert (made.payment_id, made.amount) == (payment.id, 90)
    assert number_of(tenant, refunds.paying, announced(tenant).order_id) == -3


def test_another_service_and_another_tenant_find_neither_payment_nor_refund(
    tenant: Tenant, installation: Installation
) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    made = requested(tenant, payment)
    rival = tenant.write(accounts.find_or_create_owner, Surface.PAYMENT, "Rival")
    stranger = open_tenant(installation)
    for at, who in ((tenant, rival), (stranger, tenant.integration), (stranger, stranger.integration)):
        assert number_of(at, payments.authorise_payment, who, payment.id) == -3
        assert number_of(at, payments.refund_payment, who, payment.id, 1, "r", None, SERVICE) == -3
        assert number_of(at, payments.confirm_refund, who, made.id) == -3
        assert number_of(at, payments.fail_refund, who, made.id, None, SERVICE) == -3
        assert number_of(at, payments.get_payment, who, payment.id) == -3
        assert at.read(payments.list_payments, who, ListPage()) == []
        assert at.read(payments.list_refunds, who, ListPage()) == []
    assert number_of(tenant, payments.confirm_refund, tenant.integration, "rfd_never") == -3


# --- disputed ---------------------------------------------------------------------------------------------------------


def test_a_dispute_stops_refunds_until_it_is_won(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    open_refund = requested(tenant, payment, 60)
    tenant.notify("payment.disputed", payment, reason="fraud")
    assert (now(tenant, payment).state, now(tenant, payment).reason) == (DISPUTED, "fraud")
    with pytest.raises(Refusal) as outcome:
        refund(tenant, payment, 1)
    assert outcome.value.code.number == -401
    tenant.write(payments.fail_refund, tenant.integration, open_refund.id, None, SERVICE)
    assert (now(tenant, payment).state, now(tenant, payment).refunded) == (DISPUTED, 0)
    tenant.notify("payment.disputeWon", payment)
    assert refund(tenant, payment).amount == CARD


def test_a_lost_dispute_takes_the_money_and_the_customer_owes_what_is_missing(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, 200)
    tenant.notify("payment.disputed", payment)
    tenant.notify("payment.disputeLost", payment)
    assert (now(tenant, payment).state, now(tenant, payment).lost) == (LOST, CARD)
    assert money(tenant) == (200 - CARD, 0)
    assert number_of(tenant, payments.cancel_payment, tenant.integration, payment.id) == -401
    paid = captured(tenant)  # a debt does not stop an order that is paid in full, nor is it paid with that money
    assert (paid.state, money(tenant)) == (BOOKED, (200 - CARD, 0))
    give(tenant, CARD)
    assert money(tenant) == (200, 0)


def test_a_payment_in_parts_pays_its_order_although_the_customer_owes_money(tenant: Tenant) -> None:
    lost, payment = captured(tenant), announced(tenant)
    tenant.notify("payment.disputed", lost)
    tenant.notify("payment.disputeLost", lost)
    tenant.write(payments.capture_payment, tenant.integration, payment.id, 200, "part")
    assert money(tenant) == (200 - CARD, 0)
    assert (tenant.capture(payment).state, money(tenant)) == (BOOKED, (-CARD, 0))


def test_every_state_of_a_payment_is_reached_above() -> None:
    reached = {CREATED, AUTHORISED, BOOKED, PART_CAPTURED, ENDED, FAILED, REFUSED, REFUNDED, DISPUTED, LOST}
    assert set(PAYMENT.states) == reached
