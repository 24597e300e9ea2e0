"""An expired checkout is checked like a new order; a refusal is final; the customer may cancel."""

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
from bedesten.payments.model import Payment
from bedesten.tenants.checkout_limits import NO_LIMITS
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh, request
from tests.store.raw import RawConnection

SET = "UPDATE products SET {} WHERE id = :id"


def refused(tenant: Tenant, action: Any, *args: Any) -> Refusal:
    """An action's refusal, after COMMIT."""
    with pytest.raises(Refusal) as outcome:
        tenant.write(action, *args)
    return outcome.value


def lost(tenant: Tenant, payment: Payment) -> Refusal:
    """The refusal of a payment's capture."""
    return refused(tenant, payments.capture_payment, tenant.integration, payment.id)


def over(tenant: Tenant, *wanted: tuple[str, int]) -> tuple[PlacedOrder, Payment]:
    """An expired checkout, and its payment, announced in time."""
    placed = tenant.checkout(*wanted, minutes=-1)
    payment = tenant.payment(placed)
    assert tenant.write(checkout.expire, placed.order.id) is True
    return placed, payment


def state(tenant: Tenant, placed: PlacedOrder) -> int:
    """The order's state now."""
    return tenant.read(orders.order_of, tenant.customer, placed.order.id).state


# --- paid after it has expired ----------------------------------------------------------------------------------------


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
def test_a_late_payment_is_checked_like_a_new_order(
    tenant: Tenant, other_connection: RawConnection, column: str, value: object, reason: str
) -> None:
    card = tenant.card(2)
    placed, payment = over(tenant, (card, 2))
    other_connection.run(SET.format(f"{column} = :value"), id=card, value=value)
    refusal = lost(tenant, payment)
    assert refusal.code.number == -402
    assert refusal.data == {
        "refundAmount": Decimal("10.00"),
        "currency": "USD",
        "items": [{"deliverId": "1", "reason": reason}],
    }
    assert (state(tenant, placed), tenant.available(card), tenant.codes(placed.lines[0].id)) == (EXPIRED, 2, [])
    assert tenant.balance(tenant.customer, "customer").posted == 0


def test_a_late_payment_keeps_its_own_price_when_the_product_became_cheaper(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(1)
    placed, payment = over(tenant, (card, 1))
    other_connection.run(SET.format("price = 1"), id=card)
    assert tenant.capture(payment).amount == CARD
    assert len(tenant.codes(placed.lines[0].id)) == 1


def test_a_checkout_past_its_time_has_expired_even_before_a_worker_runs(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(2)
    placed = tenant.checkout((card, 2), minutes=-1)
    payment = tenant.payment(placed)
    other_connection.run(SET.format("price = 9990"), id=card)
    assert lost(tenant, payment).code.number == -402
    assert (state(tenant, placed), tenant.available(card)) == (EXPIRED, 2)


def test_a_late_payment_queues_its_line_for_the_supplier_when_the_codes_are_sold(
    tenant: Tenant,
) -> None:
    product = tenant.topup(fulfilment="stock_first")
    tenant.upload(product, [fresh("CODE"), fresh("CODE")])
    placed, payment = over(tenant, (product, 2))
    tenant.order((product, 1))
    tenant.write(
        upsert_offer,
        tenant.supplier,
        "USD",
        Offer(str(tenant.read(catalogue.product, product).supplier_sku), "Top-up", 350),  # type: ignore[union-attr]
    )
    assert tenant.capture(payment).state == 1
    (line,) = tenant.read(orders.lines_of, placed.order.id)
    assert (line.status, line.supplier_id, line.unit_cost) == (2, tenant.supplier, 350)
    assert line.queued is not None
    assert tenant.available(product) == 1
    tenant.deliver(line.id, [fresh("T"), fresh("T")])
    assert tenant.balance(tenant.customer, "customer").posted == 0
    assert tenant.balance(tenant.customer, "customer").held == 0


def test_a_late_payment_of_a_supplier_s_line_takes_codes_that_came_into_stock(tenant: Tenant) -> None:
    product = tenant.topup(fulfilment="stock_first")
    placed, payment = over(tenant, (product, 1))
    tenant.upload(product, ["CAME-IN"])
    tenant.capture(payment)
    assert tenant.codes(placed.lines[0].id) == ["CAME-IN"]
    assert tenant.available(product) == 0


def test_a_late_payment_with_one_unavailable_line_takes_nothing_for_the_others(tenant: Tenant) -> None:
    card, other = tenant.card(3), tenant.card(1)
    placed, payment = over(tenant, (card, 3), (other, 1))
    tenant.order((other, 1))
    refusal = lost(tenant, payment)
    assert isinstance(refusal.data, dict)
    assert refusal.data["items"] == [{"deliverId": "2", "reason": "outOfStock"}]
    assert (state(tenant, placed), tenant.available(card)) == (EXPIRED, 3)


# --- a refusal is kept -------------------------------------------------------------------------------------------------


def test_a_refused_payment_always_gets_the_same_refusal(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(1)
    placed, payment = over(tenant, (card, 1))
    tenant.order((card, 1))
    first = lost(tenant, payment)
    tenant.upload(card, [fresh("CODE")])
    again = lost(tenant, payment)
    assert (again.code.number, again.data) == (first.code.number, first.data) == (-402, first.data)
    assert state(tenant, placed) == EXPIRED
    rows = other_connection.rows("SELECT state, refusal FROM payments WHERE id = :id", id=payment.id)
    assert rows == [(3, -402)]
    assert tenant.write(payments.cancel_payment, tenant.integration, payment.id).state == 3
    outcome = "SELECT count(*) FROM audit WHERE subject = :id AND action = 'payment.refuse'"
    assert other_connection.one(outcome, id=payment.id) == 1


def test_another_payment_may_still_pay_once_the_goods_are_available_again(tenant: Tenant) -> None:
    card = tenant.card(1)
    placed, payment = over(tenant, (card, 1))
    tenant.order((card, 1))
    lost(tenant, payment)
    tenant.upload(card, [fresh("CODE")])
    assert tenant.capture(tenant.payment(placed)).state == 1
    assert lost(tenant, payment).code.number == -402


def test_a_payment_that_lost_against_another_is_refused_for_good(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.capture(first)
    assert [lost(tenant, second).code.number for _ in range(2)] == [-401, -401]
    rows = other_connection.rows("SELECT state, refusal FROM payments WHERE id = :id", id=second.id)
    assert rows == [(3, -401)]


def test_a_payment_can_be_closed_until_it_is_captured(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    close = payments.cancel_payment
    for _ in range(2):
        assert tenant.write(close, tenant.integration, first.id).state == 2
    assert lost(tenant, first).code.number == -401
    assert state(tenant, placed) == UNPAID
    tenant.capture(second)
    assert refused(tenant, close, tenant.integration, second.id).code.number == -401
    assert refused(tenant, close, tenant.integration, "pay_never").code.number == -3
    assert refused(tenant, close, tenant.supplier, first.id).code.number == -3


# --- the customer cancels or resumes it -------------------------------------------------------------------------------


def test_a_customer_cancels_a_checkout_and_its_goods_are_free_for_others(tenant: Tenant) -> None:
    card = tenant.card(1)
    placed = tenant.checkout((card, 1))
    payment = tenant.payment(placed)
    for _ in range(2):
        assert tenant.write(checkout.cancel, tenant.customer, placed.order.id).state == WITHDRAWN
    assert tenant.available(card) == 1
    assert tenant.write(checkout.expire, placed.order.id) is False
    assert (
        refused(tenant, payments.create_payment, tenant.integration, placed.order.id, fresh("p"), CARD).code.number
        == -401
    )
    refusal = lost(tenant, payment)
    assert refusal.code.number == -402
    assert refusal.data == {"refundAmount": Decimal("5.00"), "currency": "USD", "items": []}
    again = tenant.checkout((card, 1), reference=placed.order.reference)
    assert (again.order.id, again.order.state) == (placed.order.id, WITHDRAWN), "its reference is used up"
    assert tenant.checkout((card, 1)).order.state == UNPAID


def test_an_expired_checkout_can_be_cancelled_so_that_no_late_payment_is_served(tenant: Tenant) -> None:
    placed, payment = over(tenant, (tenant.card(1), 1))
    assert tenant.write(checkout.cancel, tenant.customer, placed.order.id).state == WITHDRAWN
    assert lost(tenant, payment).code.number == -402


def test_a_paid_order_and_another_customer_s_checkout_cannot_be_cancelled(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    assert refused(tenant, checkout.cancel, tenant.partner, placed.order.id).code.number == -3
    tenant.capture(tenant.payment(placed))
    assert refused(tenant, checkout.cancel, tenant.customer, placed.order.id).code.number == -8
    assert state(tenant, placed) == PLACED


def test_the_same_request_resumes_an_expired_checkout(tenant: Tenant) -> None:
    card = tenant.card(2)
    placed, payment = over(tenant, (card, 2))
    resumed = tenant.checkout((card, 2), reference=placed.order.reference)
    assert (resumed.order.id, resumed.order.state) == (placed.order.id, UNPAID)
    assert resumed.order.expires is not None
    assert tenant.available(card) == 0
    assert tenant.capture(payment).state == 1
    assert len(tenant.codes(placed.lines[0].id)) == 2


def test_an_expired_checkout_that_could_no_longer_be_ordered_is_not_resumed(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(2)
    placed, _ = over(tenant, (card, 2))
    other_connection.run(SET.format("price = 501"), id=card)
    refusal = refused(
        tenant, orders.reserve, tenant.shopper, request((card, 2), reference=placed.order.reference), 1, NO_LIMITS
    )
    assert (refusal.code.number, refusal.data) == (
        -200,
        {"items": [{"deliverId": "1", "reason": "priceAboveMaximum"}]},
    )
    assert (state(tenant, placed), tenant.available(card)) == (EXPIRED, 2)


def test_the_region_of_a_checkout_is_remembered(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(1)
    other_connection.run(SET.format("region = 'EU'"), id=card)
    european = Buyer(tenant.customer, "customer", "storefront", "USD", "EU")
    placed = tenant.write(orders.reserve, european, request((card, 1)), 1, NO_LIMITS)
    payment = tenant.payment(placed)
    tenant.write(checkout.expire, placed.order.id)
    assert tenant.capture(payment).state == 1


def test_a_late_payment_serves_lines_from_stock_and_from_the_supplier(tenant: Tenant) -> None:
    card, topup = tenant.card(1), tenant.topup()
    placed, payment = over(tenant, (topup, 1), (card, 1))
    tenant.capture(payment)
    first, second = tenant.read(orders.lines_of, placed.order.id)
    assert (first.status, second.status) == (2, 1)
    assert tenant.balance(tenant.customer, "customer").held == TOPUP
