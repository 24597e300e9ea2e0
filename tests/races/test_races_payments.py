"""Sixteen at once on payments: refund against refund or dispute, capture against the expiry of its checkout."""

from collections import Counter

from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.model import EXPIRED, PLACED
from bedesten.payments import actions as payments
from bedesten.payments import events
from bedesten.payments.events import NewEvent
from bedesten.payments.moves import BOOKED, LOST, REFUSED
from tests.domain.tenant import CARD, Tenant, fresh
from tests.domain.test_payment_life import announced, captured, give, money, now, refund
from tests.races.conftest import RUNNERS, Race
from tests.races.test_races_money import refusals


def test_sixteen_refunds_of_a_payment_never_exceed_what_was_captured(tenant: Tenant, race: Race) -> None:
    payment = captured(tenant)
    give(tenant, 10 * CARD)
    outcomes = race(lambda number: refund(tenant, payment, 100, f"r{number}"))
    assert len(refusals(outcomes)) == RUNNERS - CARD // 100
    assert (now(tenant, payment).refunded, money(tenant)) == (CARD, (9 * CARD, 0))


def test_sixteen_refunds_with_one_reference_are_one(tenant: Tenant, race: Race) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    outcomes = race(lambda _: refund(tenant, payment, 100, "one"))
    assert refusals(outcomes) == []
    assert now(tenant, payment).refunded == 100


def test_a_refund_and_a_lost_dispute_together_never_exceed_what_was_captured(tenant: Tenant, race: Race) -> None:
    made = [captured(tenant) for _ in range(RUNNERS // 2)]
    give(tenant, RUNNERS * CARD)

    def dispute_or_refund(number: int) -> object:
        payment = made[number // 2]
        if number % 2:
            return refund(tenant, payment, 200, "r")
        tenant.notify("payment.disputed", payment)
        return tenant.notify("payment.disputeLost", payment)

    assert set(refusals(race(dispute_or_refund))) <= {-401}
    for one in made:
        found = now(tenant, one)
        assert (found.state, found.refunded + found.lost) == (LOST, CARD)


def test_a_refund_is_confirmed_or_fails_and_its_money_is_in_one_place(tenant: Tenant, race: Race) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    made = tenant.write(payments.request_refund, payment.id, CARD, "r", "x", Actor("test"))

    def confirm_or_fail(number: int) -> object:
        if number % 2:
            return tenant.write(payments.confirm_refund, tenant.integration, made.id)
        return tenant.write(payments.fail_refund, tenant.integration, made.id, None, Actor("test"))

    assert set(refusals(race(confirm_or_fail))) <= {-401}
    assert (now(tenant, payment).state, now(tenant, payment).refunded, money(tenant)) == (BOOKED, 0, (CARD, 0))


def test_a_capture_against_the_expiry_of_its_checkout_has_one_of_two_outcomes(tenant: Tenant, race: Race) -> None:
    card = tenant.card(RUNNERS // 2)
    placed = [tenant.checkout((card, 1), minutes=-1) for _ in range(RUNNERS // 2)]
    made = [tenant.payment(one) for one in placed]

    def capture_or_expire(number: int) -> object:
        if number % 2:
            return tenant.write(checkout.expire, placed[number // 2].order.id)
        return tenant.capture(made[number // 2])

    assert set(refusals(race(capture_or_expire))) <= {-402}
    for order, payment in zip(placed, made, strict=True):
        state = tenant.read(orders.order_of, tenant.customer, order.order.id).state
        assert (state, now(tenant, payment).state) in ((PLACED, BOOKED), (EXPIRED, REFUSED))
        assert len(tenant.codes(order.lines[0].id)) == (1 if state == PLACED else 0)


def test_an_event_that_arrives_while_its_payment_is_announced_is_applied(tenant: Tenant, race: Race) -> None:
    placed = [tenant.checkout((tenant.card(1), 1)) for _ in range(RUNNERS // 2)]

    def announce_or_notify(number: int) -> object:
        reference, order = f"p{number // 2}", placed[number // 2].order.id
        if number % 2:
            return tenant.write(payments.create_payment, tenant.integration, order, reference, CARD)
        new = NewEvent(fresh("evt"), "payment.captured", 0, payment_reference=reference)
        return tenant.write(events.notify, tenant.integration, new)

    outcomes = race(announce_or_notify)
    assert refusals(outcomes) == []
    found = [tenant.read(payments.get_payment, tenant.integration, "", f"p{at}") for at in range(RUNNERS // 2)]
    assert Counter(one.state for one in found) == {BOOKED: RUNNERS // 2}


def test_the_same_event_sixteen_times_is_applied_once(tenant: Tenant, race: Race) -> None:
    payment = announced(tenant)
    outcomes = race(lambda _: tenant.notify("payment.captured", payment, name="evt"))
    assert not [one for one in outcomes if isinstance(one, Refusal)]
    assert len({one.id for one in outcomes}) == 1  # type: ignore[attr-defined]
    assert money(tenant) == (0, 0)
