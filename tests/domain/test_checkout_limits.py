"""Unpaid checkouts hold no more than their limits allow, and a refusal names the customer's own checkouts."""

import pytest

from bedesten.accounts import registrations
from bedesten.errors import Refusal
from bedesten.orders import checkout
from bedesten.orders.model import UNPAID, Buyer
from bedesten.tenants.checkout_limits import CheckoutLimits, set_checkout_limits
from tests.domain.tenant import Tenant

ADDRESS = b"x" * 32


def refusal_of(tenant: Tenant, *wanted: tuple[str, int], limits: CheckoutLimits, buyer: Buyer | None = None) -> Refusal:
    with pytest.raises(Refusal) as outcome:
        tenant.checkout(*wanted, limits=limits, buyer=buyer)
    return outcome.value


def test_by_default_one_customer_cannot_reserve_all_of_a_shop_s_stock(tenant: Tenant) -> None:
    card = tenant.card(300)
    limits = CheckoutLimits()
    first = tenant.checkout((card, 60), limits=limits)
    refusal = refusal_of(tenant, (card, 41), limits=limits)
    assert refusal.code.number == -201
    assert isinstance(refusal.data, dict)
    assert (refusal.data["limit"], refusal.data["maximum"]) == ("units", 100)
    assert [one["orderId"] for one in refusal.data["openCheckouts"]] == [first.order.id]
    for _ in range(4):
        tenant.checkout((card, 10), limits=limits)
    assert refusal_of(tenant, (card, 1), limits=limits).data["limit"] == "checkouts"  # type: ignore[index]
    assert tenant.available(card) == 200


@pytest.mark.parametrize("end", ["cancel", "expire", "pay"])
def test_an_ended_checkout_no_longer_counts(tenant: Tenant, end: str) -> None:
    card = tenant.card(10)
    limits = CheckoutLimits(checkouts=1)
    placed = tenant.checkout((card, 1), limits=limits)
    assert refusal_of(tenant, (card, 1), limits=limits).code.number == -201
    if end == "cancel":
        tenant.write(checkout.cancel, tenant.customer, placed.order.id)
    elif end == "expire":
        tenant.write(checkout.expire, placed.order.id)
    else:
        tenant.capture(tenant.payment(placed))
    assert tenant.checkout((card, 1), limits=limits).order.state == UNPAID


def test_resuming_a_checkout_counts_like_a_new_one(tenant: Tenant) -> None:
    card = tenant.card(10)
    limits = CheckoutLimits(checkouts=1)
    placed = tenant.checkout((card, 1), limits=limits)
    tenant.write(checkout.expire, placed.order.id)
    second = tenant.checkout((card, 1), limits=limits)
    with pytest.raises(Refusal, match="-201"):
        tenant.checkout((card, 1), reference=placed.order.reference, limits=limits)
    assert tenant.checkout((card, 1), reference=second.order.reference, limits=limits).order.id == second.order.id


def test_checkouts_are_limited_for_each_address(tenant: Tenant) -> None:
    card = tenant.card(10)
    here = Buyer(tenant.customer, "customer", "storefront", "USD", "GLOBAL", ADDRESS)
    limits = CheckoutLimits(address_checkouts=1, address_units=3)
    assert refusal_of(tenant, (card, 4), limits=limits, buyer=here).data["limit"] == "addressUnits"  # type: ignore[index]
    tenant.checkout((card, 1), limits=limits, buyer=here)
    assert refusal_of(tenant, (card, 1), limits=limits, buyer=here).data["limit"] == "addressCheckouts"  # type: ignore[index]
    elsewhere = Buyer(tenant.customer, "customer", "storefront", "USD", "GLOBAL", b"y" * 32)
    assert tenant.checkout((card, 1), limits=limits, buyer=elsewhere).order.state == UNPAID


def test_checkouts_may_reserve_a_share_of_a_product_s_stock_and_always_ten_units(tenant: Tenant) -> None:
    many, few, shared = tenant.card(100), tenant.card(10), tenant.topup(fulfilment="stock_first")
    tenant.upload(shared, [f"SHARED-{number}" for number in range(20)])
    limits = CheckoutLimits(units=None, stock_share=20)
    tenant.checkout((many, 20), limits=limits)
    refusal = refusal_of(tenant, (many, 1), limits=limits)
    assert refusal.code.number == -200
    assert isinstance(refusal.data, dict)
    assert refusal.data["items"] == [{"deliverId": "1", "reason": "reserved"}]
    assert tenant.available(many) == 80
    tenant.checkout((few, 10), limits=limits)
    placed = tenant.checkout((shared, 11), limits=limits)
    assert placed.lines[0].supplier_id == tenant.supplier, "the supplier can bring it"
    assert tenant.available(shared) == 20


def test_a_refusal_names_the_customer_s_own_checkout_that_holds_the_goods(tenant: Tenant) -> None:
    card, other = tenant.card(1), tenant.card(1)
    first = tenant.checkout((card, 1))
    tenant.checkout((other, 1))
    refusal = refusal_of(tenant, (card, 1), limits=CheckoutLimits())
    assert refusal.code.number == -200
    assert isinstance(refusal.data, dict)
    assert refusal.data["items"] == [{"deliverId": "1", "reason": "outOfStock"}]
    assert [one["orderId"] for one in refusal.data["openCheckouts"]] == [first.order.id]
    tenant.write(checkout.cancel, tenant.customer, first.order.id)
    assert tenant.checkout((card, 1), limits=CheckoutLimits()).order.state == UNPAID


def test_a_limit_is_changed_and_removed_and_invalid_values_are_refused(tenant: Tenant) -> None:
    tenant.write(set_checkout_limits, {"checkouts": 2, "units": None})
    tenant.write(set_checkout_limits, {"units": 7})
    for wrong in ({"checkouts": 0}, {"stock_share": 101}, {"nothing": 1}, {"units": 1_000_001}):
        with pytest.raises(Refusal, match="-2 "):
            tenant.write(set_checkout_limits, wrong)


def test_registrations_of_an_address_are_counted_per_hour(tenant: Tenant) -> None:
    for _ in range(3):
        tenant.write(registrations.count, ADDRESS, 3)
    with pytest.raises(Refusal) as outcome:
        tenant.write(registrations.count, ADDRESS, 3)
    assert outcome.value.code.number == -7
    assert 1 <= (outcome.value.retry_after or 0) <= 3600
    tenant.write(registrations.count, b"y" * 32, 3)
    tenant.write(registrations.count, ADDRESS, None)
