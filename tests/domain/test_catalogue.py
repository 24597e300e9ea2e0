"""The catalogue: products as operator and supplier write them, stock levels, and codes encrypted and delivered once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.admin import owners
from bedesten.admin.master_secrets import rotate
from bedesten.apikeys import actions as api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import offers, stock
from bedesten.catalogue.actions import Page, ProductFields
from bedesten.catalogue.model import Product, fields_of
from bedesten.catalogue.offers import Offer, OfferResult, upsert_offer
from bedesten.catalogue.shop_list import ProductFilter, shop_products
from bedesten.catalogue.stock import Allocation
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.integrity.check import violations
from bedesten.orders import checkout
from bedesten.orders.model import DELIVERED
from bedesten.server.installation import Installation
from bedesten.store.sql import metadata
from bedesten.surfaces.views import product_view
from bedesten.tenants.cipher import DecryptionError, TenantCipher
from tests.domain.database_errors import DANGLING, DOUBLE, refuses
from tests.domain.tenant import Tenant, fresh, open_tenant
from tests.store.raw import RawConnection
from tests.support.sites import ENGINES, opened

STATES = "SELECT state, count(*) FROM stock_codes WHERE tenant_id = :tenant GROUP BY state ORDER BY state"


def fields(**changes: object) -> ProductFields:
    """A product of the operator's, sold at 5.00 unless said otherwise."""
    return ProductFields(**{"name": "P", "currency": "USD", "sku": fresh("sku"), "price": 500, **changes})  # type: ignore[arg-type]


# --- products ---------------------------------------------------------------------------------------------------------


def test_writing_a_sku_again_replaces_its_product(tenant: Tenant) -> None:
    first = tenant.write(catalogue.put_product, fields(sku="one", name="Before", price=1))
    again = tenant.write(catalogue.put_product, fields(sku="one", name="After", price=2, active=False))
    assert again == first
    found = tenant.read(catalogue.product, first)
    assert found is not None
    assert (found.name, found.price, found.active, found.sellable) == ("After", 2, 0, False)
    assert tenant.write(catalogue.put_product, fields(sku="two")) != first


def test_a_sku_belongs_to_its_tenant(tenant: Tenant, installation: Installation) -> None:
    stranger = open_tenant(installation)
    mine, theirs = (one.write(catalogue.put_product, fields(sku="same")) for one in (tenant, stranger))
    assert mine != theirs
    assert stranger.read(catalogue.product, mine) is None


def test_a_supplier_s_sku_belongs_to_one_product(tenant: Tenant) -> None:
    sold = {"fulfilment": "supplier", "supplier_id": tenant.supplier, "supplier_sku": "their-1"}
    first = tenant.write(catalogue.put_product, fields(sku="mine-1", **sold))
    with pytest.raises(Refusal) as outcome:
        tenant.write(catalogue.put_product, fields(sku="mine-2", **sold))
    assert outcome.value.code.number == -8
    assert outcome.value.fields == {"supplierSku": "another product has this sku of the supplier"}
    second = tenant.write(catalogue.put_product, fields(sku="mine-2"))
    with pytest.raises(Refusal):
        tenant.write(catalogue.put_product, fields(sku="mine-2", **sold))
    assert tenant.write(catalogue.put_product, fields(sku="mine-1", name="Renamed", **sold)) == first
    found = tenant.read(catalogue.product, second)
    assert found is not None
    assert found.supplier_sku is None


def test_a_supplier_changes_its_own_part_of_a_product_and_nothing_else(tenant: Tenant) -> None:
    offer = offered(tenant, Offer("s1", "Their name", 200)).product
    assert (offer.cost, offer.price, offer.active, offer.offered, offer.sellable) == (200, None, 0, 1, False)
    priced(tenant, offer, 350)
    again = offered(tenant, Offer("s1", "Their name", 250, offered=False)).product
    assert (again.id, again.name, again.cost, again.price, again.active) == (offer.id, "Their name", 250, 350, 1)
    assert again.sellable is False
    assert [one.id for one in tenant.read(catalogue.supplier_products, Page(), tenant.supplier)] == [offer.id]
    assert tenant.read(catalogue.supplier_products, Page(), tenant.integration) == []


def offered(tenant: Tenant, offer: Offer) -> OfferResult:
    """Returns the result of an offer by the supplier."""
    return tenant.write(upsert_offer, tenant.supplier, "USD", offer)


def priced(tenant: Tenant, product: Product, price: int) -> None:
    """Prices a product and switches it on."""
    tenant.write(
        catalogue.revise, now(tenant, product), replace(fields_of(now(tenant, product)), price=price, active=True)
    )


def now(tenant: Tenant, product: Product) -> Product:
    """The product as it is now."""
    found = tenant.read(catalogue.product, product.id)
    assert found is not None
    return found


def test_two_spellings_of_a_sku_are_one_product(tenant: Tenant) -> None:
    card = tenant.write(catalogue.put_product, fields(sku="CARD-25"))
    assert tenant.write(catalogue.put_product, fields(sku="card-25")) == card
    offer = offered(tenant, Offer("U1", "Offer", 1)).product
    assert offered(tenant, Offer("u1", "Offer", 1)).product.id == offer.id


def test_a_product_that_a_supplier_offers_gets_a_free_sku(tenant: Tenant) -> None:
    tenant.write(catalogue.put_product, fields(sku="E5"))
    assert [offered(tenant, Offer(sku, "Offer", 1)).product.sku for sku in ("E5", "E6")] == ["E5-2", "E6"]


def test_a_cost_above_the_price_stops_the_sale_and_one_below_it_lets_it_go_on(tenant: Tenant) -> None:
    product = offered(tenant, Offer("E5", "eSIM", 1_100)).product
    priced(tenant, product, 1_350)
    assert now(tenant, product).sellable

    dearer = offered(tenant, Offer("E5", "eSIM", 9_900))

    assert (dearer.stopped, dearer.product.sellable, dearer.product.at_a_loss) == (True, False, True)
    assert tenant.read(shop_products, Page(), ProductFilter(("GLOBAL",))) == []
    with pytest.raises(Refusal) as outcome:
        tenant.order((product.id, 1))
    assert outcome.value.data == {"items": [{"deliverId": "1", "reason": "notOnSale"}]}
    assert offered(tenant, Offer("E5", "eSIM", 9_901)).stopped is False, "it was stopped before"
    assert offered(tenant, Offer("E5", "eSIM", 1_350)).product.sellable


def test_a_supplier_s_new_name_for_a_product_that_was_on_sale_waits_for_the_operator(tenant: Tenant) -> None:
    product = offered(tenant, Offer("E5", "eSIM", 100)).product
    assert offered(tenant, Offer("E5", "eSIM 5 GB", 100)).product.name == "eSIM 5 GB", "nobody has seen it"
    priced(tenant, product, 200)

    proposed = offered(tenant, Offer("E5", "eSIM <b>", 100)).product

    assert (proposed.name, proposed.proposed_name) == ("eSIM 5 GB", "eSIM <b>")
    rejected = tenant.write(offers.reject, proposed, OPERATOR)
    assert (rejected.name, rejected.proposed_name) == ("eSIM 5 GB", None)
    assert offered(tenant, Offer("E5", "eSIM <b>", 100)).product.proposed_name is None, "it was refused before"
    other = offered(tenant, Offer("E5", "eSIM 5 GB Europe", 100)).product
    accepted = tenant.write(offers.accept, other, OPERATOR)
    assert (accepted.name, accepted.proposed_name) == ("eSIM 5 GB Europe", None)
    with pytest.raises(Refusal) as outcome:
        tenant.write(offers.accept, accepted, OPERATOR)
    assert outcome.value.code.number == -8


def test_a_supplier_that_may_edit_texts_needs_no_approval(tenant: Tenant) -> None:
    product = offered(tenant, Offer("E5", "eSIM", 100)).product
    priced(tenant, product, 200)
    tenant.write(lambda tx: accounts.set_may_edit_texts(tx, accounts.find(tx, "supplier", tenant.supplier), True))
    assert offered(tenant, Offer("E5", "Better", 100)).product.name == "Better"


def test_a_supplier_s_changes_are_in_the_audit_trail_in_words(tenant: Tenant, other_connection: RawConnection) -> None:
    product = offered(tenant, Offer("E5", "eSIM", 1_100)).product
    priced(tenant, product, 1_350)
    offered(tenant, Offer("E5", "eSIM", 9_900, offered=False))
    offered(tenant, Offer("E5", "eSIM", 9_900, offered=False))
    rows = other_connection.rows(
        "SELECT actor, action, detail FROM audit WHERE tenant_id = :tenant AND subject = :product ORDER BY id",
        tenant=tenant.id,
        product=product.id,
    )
    assert [(actor, action) for actor, action, _ in rows] == [
        (tenant.supplier, "product.create"),
        (tenant.supplier, "product.change"),
    ], "what changes nothing leaves no row"
    assert json.loads(rows[1][2]) == {
        "sku": "E5",
        "name": "eSIM",
        "sale": "stopped: cost above price",
        "before": {"cost": "11.00", "offered": True, "currency": "USD"},
        "after": {"cost": "99.00", "offered": False, "currency": "USD"},
    }


@pytest.mark.parametrize("price", [0, 499])
def test_a_price_of_zero_or_below_cost_is_refused_unless_it_is_accepted(tenant: Tenant, price: int) -> None:
    with pytest.raises(Refusal) as outcome:
        tenant.write(catalogue.put_product, fields(price=price, cost=500))
    assert (outcome.value.code.number, list(outcome.value.fields or {})) == (-2, ["price"])
    accepted = tenant.write(catalogue.put_product, fields(price=price, cost=500, accepted_cost=500))
    found = tenant.read(catalogue.product, accepted)
    assert found is not None
    assert found.sellable


def test_a_product_no_longer_on_sale_shows_as_withdrawn_in_a_list_of_changes(tenant: Tenant) -> None:
    kept, withdrawn = (tenant.write(catalogue.put_product, fields(sku=sku)) for sku in ("kept", "withdrawn"))
    never = tenant.write(catalogue.put_product, fields(sku="never", active=False))
    tenant.write(catalogue.put_product, fields(sku="withdrawn", active=False))

    listed = tenant.read(shop_products, Page(), ProductFilter(("GLOBAL",)))
    changed = tenant.read(shop_products, Page(since=1), ProductFilter(("GLOBAL",)))

    assert [one.id for one in listed] == [kept]
    assert [(one.id, one.sellable) for one in changed] == [(kept, True), (withdrawn, False)]
    assert never not in {one.id for one in changed}


def test_a_supplier_only_product_is_out_of_stock_while_its_supplier_cannot_get_lines(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    asked, mixed = tenant.topup(), tenant.topup(fulfilment="stock_first")
    tenant.upload(mixed, [fresh("CODE")])

    def in_stock() -> list[bool]:
        return [bool(one and one.in_stock) for one in (tenant.read(catalogue.product, each) for each in (asked, mixed))]

    assert in_stock() == [True, True]
    tenant.write(owners.set_disabled, Surface.SUPPLIER, "Acme", True)
    assert in_stock() == [False, True], "what is in stock is sold"
    for product, count in ((asked, 1), (mixed, 2)):
        with pytest.raises(Refusal) as outcome:
            tenant.order((product, count))
        assert outcome.value.data == {"items": [{"deliverId": "1", "reason": "outOfStock"}]}
    tenant.write(owners.set_disabled, Surface.SUPPLIER, "Acme", False)
    assert in_stock() == [True, True]
    key = str(other_connection.one("SELECT id FROM api_keys WHERE owner_id = :owner", owner=tenant.supplier))
    tenant.write(lambda tx: api_keys.revoke(tx, key, OPERATOR))
    assert in_stock() == [False, True]


def test_buyers_see_what_is_sold_in_their_region_page_by_page(tenant: Tenant) -> None:
    category = tenant.write(catalogue.category, "Games")
    shown = [
        tenant.write(catalogue.put_product, fields(category_id=category, region=region))
        for region in (None, "TR", None)
    ]
    for hidden in ({"price": None}, {"active": False}, {"offered": False}, {"region": "DE"}):
        tenant.write(catalogue.put_product, fields(category_id=category, **hidden))
    elsewhere = tenant.write(catalogue.put_product, fields())
    pages, after = [], ""
    while True:
        found = tenant.read(shop_products, Page(after=after, size=2), ProductFilter(("TR",), category))
        pages.append([one.id for one in found[:2]])
        if len(found) <= 2:
            break
        after = found[1].id
    assert sorted(one for page in pages for one in page) == sorted(shown)
    assert [len(page) for page in pages] == [2, 1]
    assert elsewhere in {one.id for one in tenant.read(shop_products, Page(), ProductFilter(("TR",)))}
    assert tenant.read(catalogue.list_categories, "TR") == [(category, "Games", 3)]
    assert tenant.read(catalogue.list_categories, "GLOBAL") == [(category, "Games", 2)]
    assert tenant.read(catalogue.shop_product, shown[1], "TR").id == shown[1]
    with pytest.raises(Refusal) as outcome:
        tenant.read(catalogue.shop_product, shown[1], "GLOBAL")
    assert outcome.value.code.number == -3


def test_a_category_is_created_once(tenant: Tenant) -> None:
    first = tenant.write(catalogue.category, "Cards")
    assert tenant.write(catalogue.category, "Cards") == first
    assert tenant.write(catalogue.category, "Games") != first
    assert tenant.read(catalogue.list_categories, "GLOBAL") == []


# --- stock codes ------------------------------------------------------------------------------------------------------


def test_a_code_is_added_once_in_a_tenant(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    card, other = tenant.card(0), tenant.card(0)
    assert tenant.upload(card, ["A-1", "A-2", "A-1"]) == 2
    assert tenant.upload(card, ["A-2", "A-3"]) == 1
    assert tenant.upload(other, ["A-1"]) == 0
    assert (tenant.available(card), tenant.available(other)) == (3, 0)
    assert other_connection.rows(STATES, tenant=tenant.id) == [(0, 3)]
    stranger = open_tenant(installation)
    assert stranger.upload(stranger.card(0), ["A-1", "A-2"]) == 2


def test_a_sold_code_is_not_added_again(tenant: Tenant) -> None:
    card = tenant.card(0)
    tenant.upload(card, ["SOLD-ONCE"])
    tenant.order((card, 1))
    assert tenant.upload(card, ["SOLD-ONCE"]) == 0
    assert tenant.available(card) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_code_is_recognised_after_every_rotation_of_the_master_secrets(engine: str, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as made:
        tenant = open_tenant(made, credit=10_000)
        card, line = tenant.card(0), tenant.order((tenant.topup(), 1)).lines[0].id
        tenant.upload(card, ["KNOWN-AGAIN"])
        tenant.deliver(line, ["SENT-ONCE"])
        for key_set in ("digest", "sign", "digest"):
            new_keyring = rotate(made.store, made.settings.secrets_file, key_set)
            made.cipher.use_keyring(new_keyring)
            for cipher in (made.cipher, TenantCipher(new_keyring)):
                turned = replace(made, cipher=cipher)
                later = replace(tenant, installation=turned)
                assert later.upload(card, ["KNOWN-AGAIN", "SENT-ONCE"]) == 0
                assert later.deliver(line, ["SENT-ONCE"]).status == DELIVERED
                assert violations(turned) == []


def test_no_table_holds_a_code_in_clear(tenant: Tenant, other_connection: RawConnection) -> None:
    code, card = "CLEAR-TEXT-CODE-4711", tenant.card(0)
    tenant.upload(card, [code])
    line = tenant.order((card, 1)).lines[0]
    assert tenant.codes(line.id) == [code]
    looked_at = 0
    for table in metadata.sorted_tables:
        for row in other_connection.rows(f"SELECT * FROM {table.name}"):
            looked_at += 1
            assert not [value for value in row if isinstance(value, str) and code in value], table.name
            assert not [value for value in row if isinstance(value, bytes) and code.encode() in bytes(value)], (
                table.name
            )
    assert looked_at > 10


def test_an_encrypted_code_decrypts_for_its_own_row_and_tenant_only(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    card = tenant.card(0)
    tenant.upload(card, ["MOVED-1", "MOVED-2"])
    (one, ciphertext), (other, _) = other_connection.rows(
        "SELECT id, ciphertext FROM stock_codes WHERE tenant_id = :tenant ORDER BY id", tenant=tenant.id
    )
    cipher, stranger = installation.cipher, open_tenant(installation)
    found = tenant.read(lambda tx: cipher.decrypt(tx, stock.PURPOSE, one, bytes(ciphertext)))
    assert found in ('{"code":"MOVED-1"}', '{"code":"MOVED-2"}')
    with pytest.raises(DecryptionError):
        tenant.read(lambda tx: cipher.decrypt(tx, stock.PURPOSE, other, bytes(ciphertext)))
    with pytest.raises(DecryptionError):
        tenant.read(lambda tx: cipher.decrypt(tx, "webhook-secret", one, bytes(ciphertext)))
    with pytest.raises(DecryptionError):
        stranger.read(lambda tx: cipher.decrypt(tx, stock.PURPOSE, one, bytes(ciphertext)))


def test_codes_are_sold_first_in_first_out_by_batch_and_then_by_their_place_in_it(tenant: Tenant) -> None:
    card = tenant.card(0)
    first, second = [f"OLD-{number}" for number in range(40)], [f"NEW-{number}" for number in range(40)]
    tenant.upload(card, first)
    tenant.upload(card, second)
    sold = [code for count in (1, 2, 37, 39, 1) for code in tenant.codes(tenant.order((card, count)).lines[0].id)]
    assert sold == [*first, *second]


def test_codes_from_an_expired_checkout_return_to_their_old_place(tenant: Tenant) -> None:
    card = tenant.card(0)
    tenant.upload(card, ["ONE-1", "TWO-2", "THREE-3"])
    left = tenant.checkout((card, 2), minutes=-1)
    assert tenant.codes(tenant.order((card, 1)).lines[0].id) == ["THREE-3"]
    tenant.write(checkout.expire, left.order.id)
    assert tenant.codes(tenant.order((card, 2)).lines[0].id) == ["ONE-1", "TWO-2"]


def test_units_are_taken_all_or_none(tenant: Tenant) -> None:
    card = tenant.card(3)
    took = tenant.write(
        lambda tx: (stock.take(tx, card, 4), stock.take(tx, card, 3), stock.take(tx, card, 1, before=3))
    )
    assert took == (None, Allocation(earns=False), None)
    tenant.write(stock.return_units, card, 3)


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_the_database_refuses_a_stock_level_below_zero(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(2)
    change = "UPDATE stock_levels SET available = available - 3 WHERE product_id = :card"
    refuses(other_connection, "never_oversold", change, card=card)
    assert tenant.available(card) == 2


def test_the_database_refuses_a_code_that_belongs_to_two_units_or_to_none(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(3)
    line = tenant.order((card, 2)).lines[0]
    mine = "WHERE tenant_id = :tenant AND line_id = '" + line.id + "'"
    free = "WHERE tenant_id = :tenant AND state = 0"
    attach = f"state = 2, line_id = '{line.id}', line_quantity = {{}}, unit = {{}}"
    for why, setting, where in (
        (DOUBLE, "unit = 0", f"{mine} AND unit = 1"),
        (DOUBLE, attach.format(2, 1), free),
        ("no_more_than_ordered", attach.format(2, 2), free),
        (DANGLING, attach.format(3, 2), free),
        (DANGLING, "line_id = 'odl_of_nobody'", mine),
        ("claimed_by_a_line", "state = 0, unit = NULL", mine),
        ("claimed_by_a_line", "state = 5, reason = 'x'", free),
        ("stock_codes_unit", f"state = 1, line_id = '{line.id}', line_quantity = 2", free),
        ("stock_codes_unit", "unit = NULL", mine),
        ("stock_codes_state", "state = 7, unit = NULL", mine),
    ):
        refuses(other_connection, why, f"UPDATE stock_codes SET {setting} {where}", tenant=tenant.id)
    assert other_connection.rows(STATES, tenant=tenant.id) == [(0, 1), (2, 2)]


def test_the_database_refuses_a_code_of_one_tenant_in_a_line_of_another(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    tenant.card(1)
    stranger = open_tenant(installation, credit=1_000)
    theirs = stranger.order((stranger.card(1), 1)).lines[0]
    change = "UPDATE stock_codes SET state = 2, line_id = :line, line_quantity = 1, unit = 5 WHERE tenant_id = :tenant"
    refuses(other_connection, f"{DANGLING}|no_more_than", change, line=theirs.id, tenant=tenant.id)
    change = change.replace("unit = 5", "unit = 0")
    refuses(other_connection, DANGLING, change, line=theirs.id, tenant=tenant.id)


def test_the_database_refuses_a_code_twice_in_a_tenant(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.card(2)
    change = "UPDATE stock_codes SET digest = 'same' WHERE tenant_id = :tenant"
    refuses(other_connection, DOUBLE, change, tenant=tenant.id)


def test_the_database_refuses_an_undeliverable_product_and_a_negative_cost(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.topup()
    for why, setting in (
        ("somebody_delivers", "supplier_id = NULL"),
        ("products_fulfilment", "fulfilment = 'magic'"),
        ("products_price", "price = -1"),
        ("products_cost", "cost = -1"),
        ("nothing_is_free_by_mistake", "price = 0"),
        ("products_published", "published = NULL"),
        ("products_sku_key", "sku_key = NULL"),
        (DANGLING, "category_id = 'cat_of_nobody'"),
        (DANGLING, "supplier_id = 'sup_of_nobody'"),
    ):
        refuses(other_connection, why, f"UPDATE products SET {setting} WHERE tenant_id = :tenant", tenant=tenant.id)


def test_a_product_that_moved_to_another_region_shows_as_withdrawn_where_it_was_sold(tenant: Tenant) -> None:
    moved = tenant.write(catalogue.put_product, fields(sku="moved"))
    tenant.write(catalogue.put_product, fields(sku="moved", region="EU"))

    (found,) = tenant.read(shop_products, Page(since=1), ProductFilter(("GLOBAL",)))

    assert found.id == moved
    assert [product_view(found, region).on_sale for region in ("GLOBAL", "EU")] == [False, True]
    assert tenant.read(shop_products, Page(), ProductFilter(("GLOBAL",))) == []


# --- search, order, stock, regions ---


def named(tenant: Tenant, name: str, price: int, codes: int, sku: str = "", region: str | None = None) -> str:
    """A product of this name with some stock."""
    made = fields(sku=sku or name, name=name, price=price, region=region)
    product = tenant.write(catalogue.put_product, made)
    if codes:
        tenant.upload(product, [fresh("CODE") for _ in range(codes)])
    return product


def names(tenant: Tenant, regions: tuple[str, ...] = ("GLOBAL",), size: int = 50, **wanted: Any) -> list[str]:
    """The names of all pages of the list."""
    found: list[str] = []
    after = ""
    while True:
        page = tenant.read(shop_products, Page(after=after, size=size), ProductFilter(regions, **wanted))
        found += [one.name for one in page[:size]]
        if len(page) <= size:
            return found
        after = page[size - 1].id


def test_products_are_found_by_words_sku_and_stock(tenant: Tenant) -> None:
    named(tenant, "Steam 10", 10_00, 1, sku="ST-10")
    named(tenant, "steam 100%", 100_00, 0)
    named(tenant, "Xbox_5", 5_00, 1)
    assert names(tenant, search="STEAM") == ["Steam 10", "steam 100%"]
    assert names(tenant, search="100%") == ["steam 100%"]
    assert names(tenant, search="_") == ["Xbox_5"]
    assert names(tenant, search="%!") == []
    assert names(tenant, sku="st-10") == ["Steam 10"]
    assert names(tenant, sku="st") == []
    assert names(tenant, in_stock=True) == ["Steam 10", "Xbox_5"]


@pytest.mark.parametrize("size", [1, 2, 50])
def test_products_come_in_the_requested_order(tenant: Tenant, size: int) -> None:
    for name, price in (("b", 3_00), ("d", 1_00), ("a", 3_00), ("c", 2_00)):
        named(tenant, name, price, 1)
    assert names(tenant, size=size) == ["b", "d", "a", "c"]
    assert names(tenant, size=size, order="name") == ["a", "b", "c", "d"]
    assert names(tenant, size=size, order="price") == ["d", "c", "b", "a"]
    assert names(tenant, size=size, order="-price") == ["b", "a", "c", "d"]


def test_products_of_several_regions_are_listed_together(tenant: Tenant) -> None:
    for name, region in (("everywhere", None), ("eu", "EU"), ("us", "US"), ("tr", "TR")):
        named(tenant, name, 1_00, 1, region=region)
    assert names(tenant, ("EU",)) == ["everywhere", "eu"]
    assert names(tenant, ("EU", "US")) == ["everywhere", "eu", "us"]
    found = tenant.read(shop_products, Page(), ProductFilter(("EU", "US")))
    assert [product_view(one, "EU", "US").on_sale for one in found] == [True, True, True]
