"""Events of a provider are applied once, in any order, and none is lost."""

from itertools import permutations
from typing import Any

import pytest

from bedesten.errors import Refusal
from bedesten.payments import actions as payments
from bedesten.payments import events
from bedesten.payments.events import NewEvent
from bedesten.payments.model import ListPage, Payment
from bedesten.payments.moves import (
    APPLIED,
    BOOKED,
    CONTRADICTED,
    DISPUTED,
    ENDED,
    LOST,
    PAID_OUT,
    REFUNDED,
    UNKNOWN,
    WAITING,
)
from tests.domain.tenant import CARD, Tenant, fresh
from tests.domain.test_payment_life import announced, captured, give, money, now, requested


def states(tenant: Tenant, payment: Payment) -> list[int]:
    """The states of the payment's events in the order in which they occurred."""
    return [one.state for one in tenant.read(events.events_of, payment)]


def test_an_event_is_applied_once_and_its_id_with_other_content_is_a_conflict(tenant: Tenant) -> None:
    payment = announced(tenant)
    first = tenant.notify("payment.captured", payment, name="evt 1")
    assert (first.state, first.outcome, now(tenant, payment).state) == (APPLIED, "captured", BOOKED)
    assert tenant.notify("payment.captured", payment, name="evt 1") == first
    with pytest.raises(Refusal) as outcomes:
        tenant.notify("payment.cancelled", payment, name="evt 1")
    assert outcomes.value.code.number == -8
    assert tenant.notify("payment.captured", payment).outcome == "the payment is captured"
    assert money(tenant) == (0, 0)


ORDERS = list(permutations(("payment.authorised", "payment.captured", "payment.disputed", "payment.disputeLost")))


@pytest.mark.parametrize("sent", ORDERS, ids=lambda sent: "-".join(one.removeprefix("payment.") for one in sent))
def test_events_in_any_order_have_the_same_result(tenant: Tenant, sent: tuple[str, ...]) -> None:
    payment = announced(tenant)
    for kind in sent:
        tenant.notify(kind, payment)
    assert now(tenant, payment).state == LOST
    assert states(tenant, payment) == [APPLIED] * 4
    assert money(tenant) == (-CARD, 0)


@pytest.mark.parametrize("sent", list(permutations(("refunded", "refundFailed", "captured"))), ids="-".join)
def test_the_money_of_a_failed_refund_comes_back_in_whatever_order_its_events_arrive(
    tenant: Tenant, sent: tuple[str, ...]
) -> None:
    payment = announced(tenant)
    for kind in sent:
        named: dict[str, Any] = {} if kind == "captured" else {"amount": 70, "operation_reference": "re 1"}
        tenant.notify(f"payment.{kind}", payment, **named)
    assert (now(tenant, payment).state, now(tenant, payment).refunded, money(tenant)) == (BOOKED, 0, (0, 0))
    assert states(tenant, payment) == [APPLIED] * 3


def test_events_that_come_before_their_payment_wait_for_it(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    for kind in ("payment.captured", "payment.disputed"):
        new = NewEvent(fresh("evt"), kind, 5, payment_reference="early")
        kept = tenant.write(events.notify, tenant.integration, new)
        assert (kept.state, kept.outcome) == (WAITING, "there is no such payment yet")
    other = tenant.write(events.notify, tenant.integration, NewEvent(fresh("evt"), "payment.captured", 5, "pay_none"))
    made = tenant.write(payments.create_payment, tenant.integration, placed.order.id, "early", CARD)
    assert made.state == DISPUTED
    waiting = tenant.read(events.list_events, tenant.integration, ListPage(state=WAITING))
    assert [one.id for one in waiting] == [other.id]


def test_an_unknown_kind_is_kept_and_changes_nothing(tenant: Tenant) -> None:
    payment = announced(tenant)
    kept = tenant.notify("payment.blessed", payment)
    assert (kept.state, kept.outcome) == (UNKNOWN, "its kind is not known")
    assert now(tenant, payment) == payment


def test_an_event_that_contradicts_the_payment_is_kept_and_changes_nothing(tenant: Tenant) -> None:
    ended, done = announced(tenant), captured(tenant)
    tenant.write(payments.cancel_payment, tenant.integration, ended.id)
    for kind, payment, amount in (
        ("payment.captured", ended, None),
        ("payment.authorised", ended, None),
        ("payment.disputed", ended, None),
        ("payment.disputeWon", ended, None),
        ("payment.refunded", ended, None),
        ("payment.cancelled", done, None),
        ("payment.captured", done, CARD + 1),
        ("payment.refunded", done, CARD + 1),
    ):
        kept = tenant.notify(kind, payment, amount=amount)
        assert kept.state == CONTRADICTED, (kind, kept.outcome)
    assert (now(tenant, ended).state, now(tenant, done).state) == (ENDED, BOOKED)
    named = NewEvent(fresh("evt"), "payment.refunded", 0, done.id, "another reference")
    assert tenant.write(events.notify, tenant.integration, named).state == CONTRADICTED


def test_a_capture_in_parts_is_booked_by_its_reference(tenant: Tenant) -> None:
    payment = announced(tenant)
    tenant.write(payments.capture_payment, tenant.integration, payment.id, 200, "ch 1")
    assert tenant.notify("payment.captured", payment, amount=200, operation_reference="ch 1").state == APPLIED
    assert now(tenant, payment).captured == 200
    assert tenant.notify("payment.captured", payment, amount=201, operation_reference="ch 1").state == CONTRADICTED
    assert tenant.notify("payment.captured", payment, amount=300).outcome == "captured"
    assert now(tenant, payment).state == BOOKED


def test_a_refund_that_the_provider_made_is_booked_and_the_customer_may_owe_it(tenant: Tenant) -> None:
    payment = captured(tenant)
    tenant.notify("payment.refunded", payment, amount=40)
    assert (now(tenant, payment).refunded, money(tenant)) == (40, (-40, 0))
    tenant.notify("payment.refunded", payment)
    assert (now(tenant, payment).state, money(tenant)) == (REFUNDED, (-CARD, 0))


def test_an_event_confirms_the_requested_refund_by_its_id_its_reference_or_its_amount(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    made = [requested(tenant, payment, amount) for amount in (10, 20, 30)]
    tenant.notify("payment.refunded", payment, operation_reference=made[0].id)
    tenant.notify("payment.refunded", payment, operation_reference=made[1].reference)
    tenant.notify("payment.refunded", payment, amount=30)
    assert {one.state for one in tenant.read(payments.refunds_of, payment.id)} == {PAID_OUT}
    assert now(tenant, payment).refunded == 60


def test_a_refund_reported_during_a_dispute_waits_for_the_dispute_to_end(tenant: Tenant) -> None:
    payment = captured(tenant)
    tenant.notify("payment.disputed", payment)
    waiting = tenant.notify("payment.refunded", payment, amount=5)
    assert (waiting.state, waiting.outcome) == (WAITING, "the payment is disputed")
    tenant.notify("payment.disputeWon", payment)
    assert now(tenant, payment).refunded == 5


def test_a_refused_payment_is_refunded_by_the_event_of_its_provider(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.capture(first)
    outcomes = tenant.notify("payment.captured", second)
    assert outcomes.outcome == "the order could not be paid (-401); the refund of the payer is requested"
    assert tenant.notify("payment.refunded", second).outcome == "the requested refund is done"
    assert [one.state for one in tenant.read(payments.refunds_of, second.id)] == [PAID_OUT]
    assert money(tenant) == (0, 0)
