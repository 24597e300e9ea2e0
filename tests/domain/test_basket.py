"""A customer's basket is kept, has the prices of each reading, and is sold once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.errors import Refusal
from bedesten.orders import basket
from bedesten.orders.basket import Basket
from bedesten.orders.model import MAX_LINES, NewLine, RequiredDatum
from bedesten.server.installation import Installation
from tests.domain.tenant import CARD, Tenant, fresh, open_tenant
from tests.domain.test_customer_records import erase


def put(tenant: Tenant, product: str, quantity: int = 1, version: int | None = None, **data: str) -> Basket:
    """Adds units of a product; returns the basket."""
    said = tuple(RequiredDatum(name, "", value) for name, value in data.items())
    return tenant.write(basket.add, tenant.shopper, NewLine("", product, quantity, data=said), version)


def number_of(tenant: Tenant, action: Any, *args: Any) -> int:
    """The number of an action's refusal."""
    with pytest.raises(Refusal) as outcome:
        tenant.write(action, *args)
    return outcome.value.code.number


def quoted(tenant: Tenant) -> list[tuple[str | None, tuple[str, ...]]]:
    """Why each line cannot be ordered, and what has changed of it."""
    now = tenant.read(basket.read, tenant.customer)
    return [(one.reason, one.changes) for one in tenant.read(basket.quote, tenant.shopper, now)]


def sku_of(tenant: Tenant, product: str) -> str:
    """The sku of a product."""
    found = tenant.read(catalogue.product, product)
    assert found is not None
    assert found.sku is not None
    return found.sku


def test_units_of_one_product_are_one_line_and_each_change_has_a_version(tenant: Tenant) -> None:
    card, other = tenant.card(9), tenant.card(9)
    assert tenant.read(basket.read, tenant.customer) == Basket(0, (), None)
    put(tenant, card, 2)
    after = put(tenant, card, 3)
    assert [(one.product_id, one.quantity) for one in after.lines] == [(card, 5)]
    after = put(tenant, other, version=2)
    assert (after.version, len(after.lines)) == (3, 2)
    assert number_of(tenant, basket.add, tenant.shopper, NewLine("", card, 1), 2) == -8
    first = after.lines[0].id
    changed = tenant.write(basket.update_line, tenant.shopper, first, 1, None, None)
    assert [one.quantity for one in changed.lines] == [1, 1]
    assert number_of(tenant, basket.update_line, tenant.shopper, "bsl_none", 1, None, None) == -3
    for _ in range(2):
        left = tenant.write(basket.remove, tenant.customer, [first], None)
        assert [one.product_id for one in left.lines] == [other]
    assert left.version == 5
    wanted = [NewLine("", other, 4), NewLine("", card, 1)]
    replaced = [tenant.write(basket.replace, tenant.shopper, wanted, None) for _ in range(2)]
    assert replaced[0] == replaced[1]
    assert replaced[0].lines[0].id == left.lines[0].id
    assert tenant.write(basket.remove, tenant.customer, None, None).lines == ()


def test_sixteen_concurrent_additions_are_all_kept(tenant: Tenant) -> None:
    card = tenant.card(1)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: put(tenant, card), range(16)))
    now = tenant.read(basket.read, tenant.customer)
    assert (now.version, [one.quantity for one in now.lines]) == (16, [16])


def test_a_basket_has_bounds(installation: Installation, tenant: Tenant) -> None:
    card = tenant.card(1)
    put(tenant, card, 1_000)
    assert number_of(tenant, basket.add, tenant.shopper, NewLine("", card, 1), None) == -204
    lines = [NewLine("", card, at + 1) for at in range(MAX_LINES)]
    tenant.write(basket.replace, tenant.shopper, lines, None)
    assert number_of(tenant, basket.add, tenant.shopper, NewLine("", tenant.card(0), 1), None) == -204
    assert number_of(tenant, basket.replace, tenant.shopper, [*lines, NewLine("", card, 1)], None) == -204
    stranger = open_tenant(installation).card(1)
    for unknown in (stranger, "prd_x"):
        assert number_of(tenant, basket.add, tenant.shopper, NewLine("", unknown, 1), None) == -3
    assert len(tenant.read(basket.read, tenant.customer).lines) == MAX_LINES


def test_a_basket_names_what_has_changed_since(tenant: Tenant) -> None:
    card = tenant.card(2)
    put(tenant, card, 2)
    assert quoted(tenant) == [(None, ())]
    sku = sku_of(tenant, card)

    def revise(**more: Any) -> None:
        fields = {"name": "Card", "price": CARD, **more}
        tenant.write(catalogue.put_product, ProductFields(currency="USD", sku=sku, accepted_cost=0, **fields))

    revise(price=CARD + 1, name="New card")
    assert quoted(tenant) == [(None, ("price", "name"))]
    tenant.checkout((card, 1))
    assert quoted(tenant) == [("outOfStock", ("price", "name", "availability"))]
    revise(active=False)
    assert quoted(tenant) == [("notOnSale", ("availability",))] or quoted(tenant)[0][0] == "notOnSale"
    revise(region="EU")
    assert quoted(tenant)[0][0] == "unknownProduct"
    revise()
    only = tenant.read(basket.read, tenant.customer).lines[0].id
    tenant.write(basket.update_line, tenant.shopper, only, 1, None, None)
    assert quoted(tenant) == [(None, ())]


def test_two_lines_of_a_product_share_its_stock(tenant: Tenant) -> None:
    card = tenant.card(3)
    tenant.write(basket.replace, tenant.shopper, [NewLine("", card, 2), NewLine("", card, 2)], None)
    assert [reason for reason, _ in quoted(tenant)] == [None, "outOfStock"]


def test_missing_details_show_when_the_basket_is_read_and_unknown_ones_are_refused(tenant: Tenant) -> None:
    fields = ProductFields(
        name="Top-up", currency="USD", sku=fresh("topup"), price=700, cost=300, fulfilment="supplier",
        supplier_id=tenant.supplier, requirements=(Requirement("player", "Player"),),
    )  # fmt: skip
    topup = tenant.write(catalogue.put_product, fields)
    put(tenant, topup)
    after = put(tenant, topup, player="p-1")
    assert [reason for reason, _ in quoted(tenant)] == ["requiredDataMissing", None]
    assert len(put(tenant, topup, player="p-1").lines) == 2
    bad = NewLine("", topup, 1, data=(RequiredDatum("colour", "", "red"),))
    assert number_of(tenant, basket.add, tenant.shopper, bad, None) == -2
    said = (RequiredDatum("player", "", "p-2"),)
    tenant.write(basket.update_line, tenant.shopper, after.lines[0].id, None, said, None)
    assert [reason for reason, _ in quoted(tenant)] == [None, None]


def test_an_erased_customer_has_no_basket(tenant: Tenant) -> None:
    put(tenant, tenant.card(1))
    erase(tenant)
    assert tenant.read(basket.read, tenant.customer) == Basket(0, (), None)
