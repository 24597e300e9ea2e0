"""Limits on what is free: nobody reserves all of a shop's stock, registers without end, or goes on when disabled."""

from collections.abc import Mapping

import pytest

from bedesten.admin import checkouts, customers
from bedesten.tenants.checkout_limits import CheckoutLimits, set_checkout_limits
from tests.support.client import Client
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site


@pytest.fixture
def limited_shop(each_site: Site, each_operator: Operator) -> Shop:
    """A shop for one test only, with a tenant's default limits."""
    return _limited(open_shop(each_site, each_operator, fresh("guarded"), stock=60), CheckoutLimits().shown())


def _limited(shop: Shop, limits: Mapping[str, int | None]) -> Shop:
    shop.operator.within(shop.id, lambda tx: set_checkout_limits(tx, limits))
    return shop


def _items(shop: Shop, quantity: int) -> dict[str, object]:
    return {"items": [{"productId": shop.card, "quantity": quantity}]}


def _register(client: Client) -> tuple[int, int | None]:
    body = {"email": f"{fresh('new')}@example.com", "password": "eleven sparrows on a wire"}
    return client.post("/Storefront/Customers/Register", body).verdict


def test_a_refused_checkout_names_the_limit_and_the_open_checkouts(limited_shop: Shop) -> None:
    customer = limited_shop.storefront
    opened = [customer.data("/Storefront/Checkout/Create", _items(limited_shop, 1)) for _ in range(5)]
    refused = customer.post("/Storefront/Checkout/Create", _items(limited_shop, 1))
    assert refused.verdict == (409, -201)
    data = refused.json["data"]
    assert (data["limit"], data["maximum"]) == ("checkouts", 5)
    assert data["openCheckouts"] == [
        {"orderId": one["orderId"], "reference": one["reference"], "expires": one["expires"]} for one in opened
    ]
    customer.data("/Storefront/Checkout/Cancel", {"orderId": opened[0]["orderId"]})
    assert customer.data("/Storefront/Checkout/Create", _items(limited_shop, 1))["state"] == "awaitingPayment"


def test_one_customer_cannot_reserve_all_stock_and_the_refusal_names_its_own_reservation(limited_shop: Shop) -> None:
    customer = limited_shop.storefront
    first = customer.data("/Storefront/Checkout/Create", _items(limited_shop, 48))
    refused = customer.post("/Storefront/Checkout/Create", _items(limited_shop, 1))
    assert refused.verdict == (409, -200)
    assert refused.json["data"] == {
        "items": [{"deliverId": "0", "reason": "reserved"}],
        "openCheckouts": [{"orderId": first["orderId"], "reference": first["reference"], "expires": first["expires"]}],
    }
    assert limited_shop.reseller.post("/Orders/Create", limited_shop.order(quantity=12)).status == 200


def test_an_address_registers_a_limited_number_of_customers_an_hour(limited_shop: Shop) -> None:
    _limited(limited_shop, {"registrations": 3})
    client = limited_shop.client(source="127.0.0.77")
    outcome = [_register(client) for _ in range(5)]
    # the clock hour may end in between, which resets the count: at least three of five succeed
    assert outcome[:3] == [(200, None)] * 3
    assert outcome[3:] in ([(429, -7)] * 2, [(200, None)] * 2, [(429, -7), (200, None)])
    assert _register(limited_shop.client(source="127.0.0.78")) == (200, None)


def test_a_disabled_customer_is_refused_at_once_and_its_reservations_are_released(limited_shop: Shop) -> None:
    customer, operator = limited_shop.storefront, limited_shop.operator
    customer.data("/Storefront/Checkout/Create", _items(limited_shop, 20))
    (found,) = operator.within(limited_shop.id, lambda tx: customers.find(tx, "CUSTOMER@"))
    assert (found["id"], found["openCheckouts"], found["reservedUnits"]) == (limited_shop.customer, 1, 20)
    account = operator.within(limited_shop.id, lambda tx: customers.one(tx, limited_shop.customer_email))
    assert operator.within(limited_shop.id, lambda tx: customers.disable(tx, account)) == 1
    assert customer.post("/Storefront/Checkout/Create", _items(limited_shop, 1)).verdict == (401, -21)
    assert operator.within(limited_shop.id, checkouts.list_open) == []
    assert limited_shop.reseller.post("/Orders/Create", limited_shop.order(quantity=60)).status == 200
