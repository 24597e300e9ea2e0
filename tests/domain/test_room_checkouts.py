"""A checkout that is over is asked what a new order is asked; what was refused stays refused; its customer may end it."""

from decimal import Decimal
from typing import Any

import pytest

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import EXPIRED, PLACED, UNPAID, WITHDRAWN, Buyer
from bedesten.payments import actions as payments
from bedesten.tenants.checkout_limits import NO_LIMITS
from tests.domain.stall import CARD, TOPUP, Stall, fresh, request
from tests.store.raw import Raw

SET = "UPDATE products SET {} WHERE id = :id"


def refused(stall: Stall, action: Any, *args: Any) -> Refusal:
    """An action's refusal, after COMMIT."""
    with pytest.raises(Refusal) as told:
        stall.write(action, *args)
    return told.value


def lost(stall: Stall, payment: payments.Payment) -> Refusal:
    """The refusal of a payment's capture."""
    return refused(stall, payments.capture_payment, stall.integration, payment.id)


def over(stall: Stall, *wanted: tuple[str, int]) -> tuple[PlacedOrder, payments.Payment]:
    """A checkout whose time is over, and its payment, announced in time."""
    placed = stall.checkout(*wanted, minutes=-1)
    payment = stall.payment(placed)
    assert stall.write(checkout.expire, placed.order.id) is True
    return placed, payment


def state(stall: Stall, placed: PlacedOrder) -> int:
    """The order's state now."""
    return stall.read(orders.order_of, stall.customer, placed.order.id).state


# --- paid when its time is over ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("price", 9990, "priceAboveMaximum"),
        ("price", None, "notOnSale"),
        ("active", 0, "notOnSale"),
        ("offered", 0, "notOnSale"),
        ("region", "EU", "unknownProduct"),
        ("require_data", '[{"id":"player","name":"Player","required":true}]', "requiredDataMissing"),
    ],
)
def test_a_payment_that_comes_late_is_asked_what_a_new_order_is_asked(
    stall: Stall, other_connection: Raw, column: str, value: object, reason: str
) -> None:
    card = stall.card(2)
    placed, payment = over(stall, (card, 2))
    other_connection.run(SET.format(f"{column} = :value"), id=card, value=value)
    refusal = lost(stall, payment)
    assert refusal.code.number == -402
    assert refusal.data == {
        "refundAmount": Decimal("10.00"),
        "currency": "USD",
        "items": [{"deliverId": "1", "reason": reason}],
    }
    assert (state(stall, placed), stall.available(card), stall.codes(placed.lines[0].id)) == (EXPIRED, 2, [])
    assert stall.balance(stall.customer, "customer").posted == 0


def test_a_payment_that_comes_late_is_served_at_its_own_price_when_the_product_became_cheaper(
    stall: Stall, other_connection: Raw
) -> None:
    card = stall.card(1)
    placed, payment = over(stall, (card, 1))
    other_connection.run(SET.format("price = 1"), id=card)
    assert stall.capture(payment).amount == CARD
    assert len(stall.codes(placed.lines[0].id)) == 1


def test_a_checkout_whose_time_is_over_is_over_although_no_worker_has_come_by(
    stall: Stall, other_connection: Raw
) -> None:
    card = stall.card(2)
    placed = stall.checkout((card, 2), minutes=-1)
    payment = stall.payment(placed)
    other_connection.run(SET.format("price = 9990"), id=card)
    assert lost(stall, payment).code.number == -402
    assert (state(stall, placed), stall.available(card)) == (EXPIRED, 2)


def test_a_late_payment_goes_to_the_supplier_s_queue_when_the_codes_are_sold_as_a_new_order_would(stall: Stall) -> None:
    product = stall.topup(fulfilment="stock_first")
    stall.upload(product, [fresh("CODE"), fresh("CODE")])
    placed, payment = over(stall, (product, 2))
    stall.order((product, 1))
    stall.write(
        upsert_offer,
        stall.supplier,
        "USD",
        Offer(str(stall.read(catalogue.product, product).supplier_sku), "Top-up", 350),  # type: ignore[union-attr]
    )
    assert stall.capture(payment).state == 1
    (line,) = stall.read(orders.lines_of, placed.order.id)
    assert (line.status, line.supplier_id, line.unit_cost) == (2, stall.supplier, 350)
    assert line.queued is not None
    assert stall.available(product) == 1
    stall.deliver(line.id, [fresh("T"), fresh("T")])
    assert stall.balance(stall.customer, "customer").posted == 0
    assert stall.balance(stall.customer, "customer").held == 0


def test_a_late_payment_takes_from_stock_what_was_the_supplier_s_when_stock_came_in(stall: Stall) -> None:
    product = stall.topup(fulfilment="stock_first")
    placed, payment = over(stall, (product, 1))
    stall.upload(product, ["CAME-IN"])
    stall.capture(payment)
    assert stall.codes(placed.lines[0].id) == ["CAME-IN"]
    assert stall.available(product) == 0


def test_what_cannot_be_had_takes_nothing_from_the_lines_that_can(stall: Stall) -> None:
    card, other = stall.card(3), stall.card(1)
    placed, payment = over(stall, (card, 3), (other, 1))
    stall.order((other, 1))
    refusal = lost(stall, payment)
    assert isinstance(refusal.data, dict)
    assert refusal.data["items"] == [{"deliverId": "2", "reason": "outOfStock"}]
    assert (state(stall, placed), stall.available(card)) == (EXPIRED, 3)


# --- a refusal is kept -------------------------------------------------------------------------------------------------


def test_a_payment_that_was_refused_is_refused_alike_for_ever(stall: Stall, other_connection: Raw) -> None:
    card = stall.card(1)
    placed, payment = over(stall, (card, 1))
    stall.order((card, 1))
    first = lost(stall, payment)
    stall.upload(card, [fresh("CODE")])
    again = lost(stall, payment)
    assert (again.code.number, again.data) == (first.code.number, first.data) == (-402, first.data)
    assert state(stall, placed) == EXPIRED
    rows = other_connection.rows("SELECT state, refusal FROM payments WHERE id = :id", id=payment.id)
    assert rows == [(3, -402)]
    assert stall.write(payments.cancel_payment, stall.integration, payment.id).state == 3
    told = "SELECT count(*) FROM audit WHERE subject = :id AND action = 'payment.refuse'"
    assert other_connection.one(told, id=payment.id) == 1


def test_another_payment_may_still_pay_for_what_can_be_had_again(stall: Stall) -> None:
    card = stall.card(1)
    placed, payment = over(stall, (card, 1))
    stall.order((card, 1))
    lost(stall, payment)
    stall.upload(card, [fresh("CODE")])
    assert stall.capture(stall.payment(placed)).state == 1
    assert lost(stall, payment).code.number == -402


def test_a_payment_that_lost_against_another_is_over(stall: Stall, other_connection: Raw) -> None:
    placed = stall.checkout((stall.card(1), 1))
    first, second = stall.payment(placed), stall.payment(placed)
    stall.capture(first)
    assert [lost(stall, second).code.number for _ in range(2)] == [-401, -401]
    rows = other_connection.rows("SELECT state, refusal FROM payments WHERE id = :id", id=second.id)
    assert rows == [(3, -401)]


def test_a_payment_can_be_closed_until_it_is_captured(stall: Stall) -> None:
    placed = stall.checkout((stall.card(1), 1))
    first, second = stall.payment(placed), stall.payment(placed)
    close = payments.cancel_payment
    for _ in range(2):
        assert stall.write(close, stall.integration, first.id).state == 2
    assert lost(stall, first).code.number == -401
    assert state(stall, placed) == UNPAID
    stall.capture(second)
    assert refused(stall, close, stall.integration, second.id).code.number == -401
    assert refused(stall, close, stall.integration, "pay_never").code.number == -3
    assert refused(stall, close, stall.supplier, first.id).code.number == -3


# --- the customer ends it, or goes on with it --------------------------------------------------------------------------


def test_a_customer_ends_a_checkout_and_its_goods_are_there_for_the_next(stall: Stall) -> None:
    card = stall.card(1)
    placed = stall.checkout((card, 1))
    payment = stall.payment(placed)
    for _ in range(2):
        assert stall.write(checkout.cancel, stall.customer, placed.order.id).state == WITHDRAWN
    assert stall.available(card) == 1
    assert stall.write(checkout.expire, placed.order.id) is False
    assert (
        refused(stall, payments.create_payment, stall.integration, placed.order.id, fresh("p"), CARD).code.number
        == -401
    )
    refusal = lost(stall, payment)
    assert refusal.code.number == -402
    assert refusal.data == {"refundAmount": Decimal("5.00"), "currency": "USD", "items": []}
    again = stall.checkout((card, 1), reference=placed.order.reference)
    assert (again.order.id, again.order.state) == (placed.order.id, WITHDRAWN), "its reference is used up"
    assert stall.checkout((card, 1)).order.state == UNPAID


def test_an_expired_checkout_can_be_ended_so_that_no_late_payment_is_served(stall: Stall) -> None:
    placed, payment = over(stall, (stall.card(1), 1))
    assert stall.write(checkout.cancel, stall.customer, placed.order.id).state == WITHDRAWN
    assert lost(stall, payment).code.number == -402


def test_a_paid_order_and_another_s_checkout_cannot_be_ended(stall: Stall) -> None:
    placed = stall.checkout((stall.card(1), 1))
    assert refused(stall, checkout.cancel, stall.partner, placed.order.id).code.number == -3
    stall.capture(stall.payment(placed))
    assert refused(stall, checkout.cancel, stall.customer, placed.order.id).code.number == -8
    assert state(stall, placed) == PLACED


def test_the_same_request_goes_on_with_a_checkout_that_has_expired(stall: Stall) -> None:
    card = stall.card(2)
    placed, payment = over(stall, (card, 2))
    resumed = stall.checkout((card, 2), reference=placed.order.reference)
    assert (resumed.order.id, resumed.order.state) == (placed.order.id, UNPAID)
    assert resumed.order.expires is not None
    assert stall.available(card) == 0
    assert stall.capture(payment).state == 1
    assert len(stall.codes(placed.lines[0].id)) == 2


def test_a_checkout_that_cannot_be_had_any_more_is_not_resumed(stall: Stall, other_connection: Raw) -> None:
    card = stall.card(2)
    placed, _ = over(stall, (card, 2))
    other_connection.run(SET.format("price = 501"), id=card)
    refusal = refused(
        stall, orders.reserve, stall.shopper, request((card, 2), reference=placed.order.reference), 1, NO_LIMITS
    )
    assert (refusal.code.number, refusal.data) == (
        -200,
        {"items": [{"deliverId": "1", "reason": "priceAboveMaximum"}]},
    )
    assert (state(stall, placed), stall.available(card)) == (EXPIRED, 2)


def test_the_region_of_a_checkout_is_remembered(stall: Stall, other_connection: Raw) -> None:
    card = stall.card(1)
    other_connection.run(SET.format("region = 'EU'"), id=card)
    european = Buyer(stall.customer, "customer", "storefront", "USD", "EU")
    placed = stall.write(orders.reserve, european, request((card, 1)), 1, NO_LIMITS)
    payment = stall.payment(placed)
    stall.write(checkout.expire, placed.order.id)
    assert stall.capture(payment).state == 1


def test_a_basket_of_a_supplier_s_and_a_stock_product_is_served_late_in_full(stall: Stall) -> None:
    card, topup = stall.card(1), stall.topup()
    placed, payment = over(stall, (topup, 1), (card, 1))
    stall.capture(payment)
    first, second = stall.read(orders.lines_of, placed.order.id)
    assert (first.status, second.status) == (2, 1)
    assert stall.balance(stall.customer, "customer").held == TOPUP
