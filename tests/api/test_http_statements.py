"""Statements over HTTP: only the caller's account, page by page, with the balance after each transfer."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.shop import Shop, fresh, line

PATHS = {"reseller": "/Account/Statement", "storefront": "/Storefront/Wallet/Get", "supplies": "/Supplier/Statement"}


def listed(client: Client, path: str, size: int = 50) -> list[dict[str, Any]]:
    """Every transfer of a statement, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.data(path, {"pageSize": size, "cursor": cursor})
        assert page["openingBalance"] == (found[-1]["balance"] if found else 0)
        found += page["items"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def test_a_partner_and_its_supplier_can_reconcile_a_day(each_shop: Shop) -> None:
    shop = each_shop.sister(fresh("day"), "USD")
    deposit = {"partner": shop.partner, "amount": 100, "reference": fresh("d")}
    deposited = shop.payments.data("/Payment/Deposits/Create", deposit)
    shop.payments.data("/Payment/Deposits/Confirm", {"depositId": deposited["depositId"]})
    product = shop.supplies.data(
        "/Supplier/Products/Upsert", {"products": [{"sku": "gems", "name": "Gems", "cost": 3}]}
    )["items"][0]["productId"]
    _put_on_sale(shop, product, 725)
    order = {"orderReference": "PO-1", "basketData": [line(product, 2)]}
    placed = shop.reseller.data("/Orders/Create", order)
    detail = placed["details"][0]["orderDetailId"]
    assert [one["type"] for one in listed(shop.reseller, PATHS["reseller"])] == ["deposit"]
    shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": detail, "deliveryNote": ["done"]})

    for size in (1, 2, 50):
        first, second = listed(shop.reseller, PATHS["reseller"], size)
        assert (first["type"], str(first["amount"]), str(first["balance"])) == ("deposit", "100.00", "100.00")
        assert (second["type"], str(second["amount"]), str(second["balance"])) == ("purchase", "-14.50", "85.50")
        assert (first["orderId"], first["orderReference"], first["orderDetailId"]) == (None, None, None)
        assert (second["orderId"], second["orderReference"]) == (placed["orderId"], "PO-1")
        assert second["orderDetailId"] == detail
    (earned,) = listed(shop.supplies, PATHS["supplies"])
    assert (earned["type"], str(earned["amount"]), earned["orderDetailId"]) == ("earning", "6.00", detail)
    assert "orderId" not in earned
    assert shop.reseller.get("/Account/Details").data["balance"] == Decimal("85.50")


def _put_on_sale(shop: Shop, product: str, price: int) -> None:
    from dataclasses import replace

    from bedesten.catalogue import actions as catalogue
    from bedesten.catalogue.model import fields_of

    def work(tx: Any) -> None:
        found = catalogue.product(tx, product)
        assert found is not None
        catalogue.revise(tx, found, replace(fields_of(found), price=price, active=True))

    shop.operator.within(shop.id, work)


def test_a_wallet_is_the_customer_s_own_and_empty_at_first(each_shop: Shop) -> None:
    shop = each_shop.sister(fresh("wallet"), "USD")
    wallet = shop.storefront.data("/Storefront/Wallet/Get", {})
    assert wallet["items"] == []
    names = ("balance", "held", "available", "spendable", "openingBalance")
    assert {str(wallet[name]) for name in names} == {"0.00"}


@pytest.mark.parametrize("surface", PATHS)
def test_invalid_pages_and_periods_are_refused(each_shop: Shop, surface: str) -> None:
    client, path = getattr(each_shop, surface), PATHS[surface]
    other = client.data("/Products/List" if surface == "reseller" else path, {"pageSize": 1})["nextCursor"] or "abc"
    for body, field in (
        ({"cursor": "?"}, "cursor"),
        ({"cursor": other if surface == "reseller" else "abc"}, "cursor"),
        ({"pageSize": 0}, "pageSize"),
        ({"pageSize": 201}, "pageSize"),
        ({"bookedFrom": "yesterday"}, "bookedFrom"),
        ({"bookedTo": "2026-13-01T00:00:00Z"}, "bookedTo"),
        ({"bookedFrom": "2026-02-01T00:00:00Z", "bookedTo": "2026-01-01T00:00:00Z"}, "bookedTo"),
    ):
        answer = client.post(path, body)
        assert (*answer.verdict, answer.fields) == (400, -2, [field]), body
    assert client.data(path, {"bookedTo": "2020-01-01T00:00:00Z"})["items"] == []


def test_a_cursor_of_another_surface_is_refused(each_shop: Shop) -> None:
    for _ in range(2):
        each_shop.reseller.data("/Orders/Create", each_shop.order())
    cursor = each_shop.reseller.data("/Account/Statement", {"pageSize": 1})["nextCursor"]
    assert cursor
    assert each_shop.supplies.post("/Supplier/Statement", {"cursor": cursor}).verdict == (400, -2)
    assert each_shop.storefront.post("/Storefront/Wallet/Get", {"cursor": cursor}).verdict == (400, -2)
