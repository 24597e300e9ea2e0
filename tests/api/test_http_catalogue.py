"""What changes about a product reaches buyers, suppliers and the operator's log."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import select

from bedesten.admin import owners, products
from bedesten.audit.tables import audit
from bedesten.gate.scopes import Surface
from bedesten.store.sql import TENANT, p, statement
from tests.support.metrics import until
from tests.support.shop import Shop, fresh, open_shop

TRAIL = statement(
    select(audit.c.actor, audit.c.action, audit.c.detail)
    .where(audit.c.tenant_id == TENANT, audit.c.subject == p("subject"))
    .order_by(audit.c.id)
)


@pytest.fixture
def own_shop(each_shop: Shop) -> Shop:
    """A shop for one test only: other tests list the products of the shared shop."""
    return open_shop(each_shop.site, each_shop.operator, fresh("catalogue"), stock=2)


def upsert(shop: Shop, sku: str, **fields: object) -> dict[str, object]:
    """The result for one product in the response to the supplier."""
    body = {"products": [{"sku": sku, "name": "eSIM", "cost": 11, **fields}]}
    (item,) = shop.supplies.data("/Supplier/Products/Upsert", body)["items"]
    assert isinstance(item, dict)
    return item


def priced(shop: Shop, sku: str, price: str) -> str:
    """Creates a product of the supplier, sold at this price; returns its id."""
    product = str(upsert(shop, sku)["productId"])
    shop.operator.within(shop.id, lambda tx: products.set_prices(tx, "USD", {product: Decimal(price)}))
    return product


def seen(shop: Shop, product: str, **asked: object) -> dict[str, object] | None:
    """The product as partners' lists show it."""
    items = shop.reseller.data("/Products/List", {"pageSize": 200, **asked})["items"]
    return next((one for one in items if one["customerStoreProductId"] == product), None)


def test_a_cost_above_the_price_stops_the_sale_and_partners_supplier_and_log_show_it(own_shop: Shop) -> None:
    shop, sku = own_shop, fresh("E")
    product = priced(shop, sku, "13.50")
    assert seen(shop, product) is not None

    offer = upsert(shop, sku, cost=99)

    assert (offer["onSale"], offer["offered"]) == (False, True)
    logged: list[dict[str, object]] = []

    def written() -> bool:
        lines = [line for line in shop.site.log.read_text("utf-8").splitlines() if "sale-stopped" in line]
        logged[:] = [line for line in map(json.loads, lines) if line["product"] == product]
        return bool(logged)

    assert until(written)
    (outcome,) = logged
    assert (outcome["level"], outcome["supplier"], outcome["price"], outcome["cost"], outcome["currency"]) == (
        "warning", shop.supplier, "13.50", "99.00", "USD",
    )  # fmt: skip
    refused = shop.reseller.post("/Orders/Create", shop.order(product))
    assert (refused.verdict, refused.json["data"]) == (
        (409, -200),
        {"items": [{"deliverId": "1", "reason": "notOnSale"}]},
    )
    assert seen(shop, product) is None
    withdrawn = seen(shop, product, updatedSince="2020-01-01T00:00:00Z")
    assert withdrawn is not None
    assert (withdrawn["onSale"], withdrawn["inStock"], withdrawn["price"]) == (False, False, None)
    assert shop.reseller.post(f"/Products/Detail/{product}").verdict == (404, -3)


def test_a_name_for_a_product_on_sale_is_a_proposal(own_shop: Shop) -> None:
    shop, sku = own_shop, fresh("E")
    product = priced(shop, sku, "13.50")

    offer = upsert(shop, sku, name="eSIM 50 GB <b>")

    assert (offer["name"], offer["proposedName"]) == ("eSIM", "eSIM 50 GB <b>")
    shown = seen(shop, product)
    assert shown is not None
    assert shown["name"] == "eSIM"


@pytest.mark.parametrize("written", ["{}", "{} ", "\t{}"])
def test_all_spellings_of_a_sku_are_one_product(own_shop: Shop, written: str) -> None:
    sku = fresh("u")
    first = upsert(own_shop, sku)
    assert upsert(own_shop, written.format(sku.upper()))["productId"] == first["productId"]


@pytest.mark.parametrize("name", [" ", "\u200b", "a\nb", "a\u202eb", "a\x1b[2Jb", "prd_01jdqe5m7yx0c1v8k2n3p4r5s6"])
def test_an_invalid_name_or_sku_is_refused(own_shop: Shop, name: str) -> None:
    for field in ("sku", "name"):
        body = {"products": [{"sku": "s", "name": "n", "cost": 1, field: name}]}
        answer = own_shop.supplies.post("/Supplier/Products/Upsert", body)
        assert (*answer.verdict, answer.fields) == (400, -2, [f"products[0].{field}"])


@pytest.mark.parametrize(
    ("surface", "owner", "path"),
    [
        (Surface.SUPPLIER, "Acme Codes", "/Supplier/Products/List"),
        (Surface.PAYMENT, "Paywell", "/Payment/Deposits/Create"),
    ],
)
def test_api_keys_of_a_disabled_owner_are_refused_at_once_and_accepted_when_it_is_enabled_again(
    own_shop: Shop, surface: Surface, owner: str, path: str
) -> None:
    shop = own_shop
    client = shop.client(surface)
    good = client.post(path).verdict
    assert good[0] != 401
    on_demand = seen(shop, shop.topup)
    assert on_demand is not None
    assert on_demand["inStock"] is True
    try:
        shop.operator.within(shop.id, lambda tx: owners.set_disabled(tx, surface, owner, True))
        assert client.post(path).verdict == (401, -23)
        shown = seen(shop, shop.topup)
        assert shown is not None
        assert shown["inStock"] is (surface is not Surface.SUPPLIER)
    finally:
        shop.operator.within(shop.id, lambda tx: owners.set_disabled(tx, surface, owner, False))
    assert client.post(path).verdict == good


def test_the_audit_trail_names_the_actor_and_the_amounts_in_decimals(own_shop: Shop) -> None:
    shop, sku = own_shop, fresh("E")
    product = priced(shop, sku, "13.50")
    upsert(shop, sku, cost=12.25)

    rows = shop.operator.within(shop.id, lambda tx: tx.all(TRAIL, subject=product))

    assert [(actor, action) for actor, action, _ in rows] == [
        (shop.supplier, "product.create"),
        ("operator", "product.change"),
        (shop.supplier, "product.change"),
    ]
    detail = json.loads(rows[-1][2])
    assert (detail["before"], detail["after"]) == (
        {"cost": "11.00", "currency": "USD"},
        {"cost": "12.25", "currency": "USD"},
    )
