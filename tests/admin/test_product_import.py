"""Importing, pricing and listing a catalogue, on both engines."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from bedesten.accounts import actions as accounts
from bedesten.admin import products
from bedesten.admin.product_file import read_rows
from bedesten.admin.product_import import ImportResult, import_rows
from bedesten.audit.tables import audit
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import tables as catalogue_tables
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.errors import BAD_REQUEST, CONFLICT, NOT_FOUND, Refusal
from bedesten.gate.scopes import Surface
from bedesten.http.schemas import encode
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant
from tests.support.sites import ENGINES, opened

Result = TypeVar("Result")
Run = Callable[[Callable[[Transaction], Result]], Result]


_LONG_AGO = statement(
    update(catalogue_tables.products).where(catalogue_tables.products.c.tenant_id == TENANT).values(updated=0)
)


_LIKE_AN_ID = statement(
    update(catalogue_tables.products)
    .where(catalogue_tables.products.c.tenant_id == TENANT, catalogue_tables.products.c.id == p("id"))
    .values(sku=p("sku"), sku_key=p("sku"))
)
_TRAIL = statement(
    select(audit.c.action, audit.c.detail)
    .where(audit.c.tenant_id == TENANT, audit.c.subject == p("subject"))
    .order_by(audit.c.id)
)


class Shop:
    """One tenant of an installation, and what its operator does."""

    def __init__(self, run: Run[Any]) -> None:
        self.run = run

    def brings(self, text: str, source: str = "f.csv") -> ImportResult:
        rows = read_rows(source, text.encode())
        done: ImportResult = self.run(lambda tx: import_rows(tx, "USD", source, rows))
        return done

    def refused(self, text: str, source: str = "f.csv") -> dict[str, str]:
        before = self.catalogue
        with pytest.raises(Refusal) as caught:
            self.brings(text, source)
        assert caught.value.code is BAD_REQUEST
        assert self.catalogue == before
        return dict(caught.value.fields or {})

    @property
    def catalogue(self) -> dict[str, dict[str, Any]]:
        """The products as they are listed, by sku."""
        return {one["sku"]: one for one in self.run(products.list_products)}

    def offers(self, supplier: str, sku: str, cost: int) -> str:
        """Offers a product as a supplier; returns its id."""

        def act(tx: Transaction) -> str:
            owner = accounts.find_or_create_owner(tx, Surface.SUPPLIER, supplier)
            return upsert_offer(tx, owner, "USD", Offer(sku, f"Offer {sku}", cost)).product.id

        made: str = self.run(act)
        return made


@pytest.fixture(scope="module", params=ENGINES)
def tenant_maker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Shop]]:
    with opened(request.param, tmp_path_factory.mktemp("products")) as installation:
        numbers = iter(range(1000))

        def make() -> Shop:
            number = next(numbers)
            new = NewTenant(f"shop{number}", [f"shop{number}.example.org"])
            store = installation.store
            tenant = str(store.write_now(lambda tx: tenants.create(tx, installation.cipher, new))["id"])
            return Shop(lambda work: store.write_now(lambda tx: work(tx.for_tenant(tenant))))

        yield make


@pytest.fixture
def shop(tenant_maker: Callable[[], Shop]) -> Shop:
    return tenant_maker()


def test_products_categories_and_suppliers_are_created_and_changed_the_second_time(shop: Shop) -> None:
    text = "sku,name,category,price,supplier,supplierSku,cost,fulfilment\nc-1,Card,Games,12.50,Acme,a,7,supplier\n"
    assert shop.brings(text) == ImportResult(1, 0, ())
    assert shop.brings(text.replace("12.50", "13")) == ImportResult(0, 1, ())
    (card,) = shop.catalogue.values()
    shown = {name: card[name] for name in ("name", "category", "supplier", "supplierSku", "fulfilment", "currency")}
    assert shown == {
        "name": "Card",
        "category": "Games",
        "supplier": "Acme",
        "supplierSku": "a",
        "fulfilment": "supplier",
        "currency": "USD",
    }
    assert (str(card["price"]), str(card["cost"])) == ("13.00", "7.00")
    assert (card["active"], card["offered"], card["available"], card["region"]) == (True, True, 0, None)


def test_the_name_of_a_category_or_supplier_leads_to_one_of_them_in_any_case(shop: Shop) -> None:
    shop.brings("sku,name,category,supplier\na,A,Games,Acme\nb,B,Games,ACME\n")
    shop.brings("sku,name,category,supplier\nc,C,Games,acme \n")
    found = shop.run(lambda tx: (accounts.list_all(tx, "supplier"), catalogue.list_categories(tx, "GLOBAL")))
    assert [one["name"] for one in found[0]] == ["Acme"]
    assert [row[1] for row in found[1]] == []  # none has a price, so nothing is sold
    assert {one["category"] for one in shop.catalogue.values()} == {"Games"}


def test_fields_that_a_file_does_not_mention_stay_and_an_empty_cell_clears_its_field(shop: Shop) -> None:
    shop.brings(
        "sku,name,category,price,description,region,requireData,active\nc-1,Card,Games,5,Long,tr,p:Player,false\n"
    )
    before = shop.catalogue["c-1"]
    assert shop.brings("sku,price\nc-1,6\n") == ImportResult(0, 1, ())
    assert shop.catalogue["c-1"] == {**before, "price": Decimal("6.00"), "updated": shop.catalogue["c-1"]["updated"]}
    shop.brings("sku,category,price,description,region,requireData,active\nc-1,,,,,,\n")
    emptied = shop.catalogue["c-1"]
    assert (emptied["name"], emptied["category"], emptied["price"], emptied["region"]) == ("Card", None, None, None)
    assert (emptied["description"], emptied["requireData"], emptied["active"]) == ("", [], True)


def test_an_unchanged_product_is_not_written(shop: Shop) -> None:
    shop.brings("sku,name,category,price,supplier\na,A,Games,1,Acme\nb,B,Games,1,Acme\nc,C,Games,1,Acme\n")
    shop.run(lambda tx: tx.run(_LONG_AGO))
    again = "sku,category,price,supplier\na,Games,1.00,acme\nb,Games,2,Acme\nc,Other,1,Acme\n"
    assert shop.brings(again) == ImportResult(0, 2, (), unchanged=1)
    long_ago = "1970-01-01T00:00:00Z"
    assert {sku: one["updated"] == long_ago for sku, one in shop.catalogue.items()} == {
        "a": True,
        "b": False,
        "c": False,
    }
    assert {sku: str(one["price"]) for sku, one in shop.catalogue.items()} == {"a": "1.00", "b": "2.00", "c": "1.00"}
    assert {sku: one["category"] for sku, one in shop.catalogue.items()} == {"a": "Games", "b": "Games", "c": "Other"}


def test_one_invalid_row_prevents_the_whole_import(shop: Shop) -> None:
    shop.brings("sku,name,price\nc-1,Card,5\n")
    text = (
        "sku,name,price,fulfilment,supplier,supplierSku\nc-1,Card,9,stock,,\nc-2,,0.001,supplier,,x\nc-1,B,1,stock,,\n"
    )
    assert shop.refused(text) == {
        "line 3, name": "is required",
        "line 3, supplier": "is required, because fulfilment is supplier",
        "line 3, price": "an amount in USD has at most 2 digits after the point and is below 10^15",
        "line 3, supplierSku": "belongs to a supplier, and none is named",
        "line 4, sku": "occurs twice in the file",
    }


def test_a_suppliers_sku_belongs_to_one_product(shop: Shop) -> None:
    shop.brings("sku,name,supplier,supplierSku\na,A,Acme,1\n")
    found = shop.refused("sku,name,supplier,supplierSku\nb,B,Acme,1\nc,C,New,2\nd,D,new,2\n")
    assert found == {
        "line 2, supplierSku": "product a of this supplier has it",
        "line 4, supplierSku": "occurs twice in the file for this supplier",
    }


def test_a_product_that_a_supplier_offered_gets_the_operators_sku_price_and_category(shop: Shop) -> None:
    offered = shop.offers("Acme", "s-1", 300)
    text = "sku,category,price,supplier,supplierSku,active\nc-1,Games,5,Acme,s-1,true\n"
    assert shop.brings(text) == ImportResult(0, 1, ())
    (card,) = shop.catalogue.values()
    assert (card["id"], card["sku"], card["name"], card["fulfilment"]) == (offered, "c-1", "Offer s-1", "stock_first")
    assert (str(card["price"]), str(card["cost"]), card["active"]) == ("5.00", "3.00", True)


def test_a_cost_that_the_supplier_stated_stays_and_a_note_says_so(shop: Shop) -> None:
    shop.offers("Acme", "s-1", 300)
    note = "line 2: the cost stays 3.00, as its supplier has it"
    assert shop.brings("sku,supplier,supplierSku,cost\nc-1,Acme,s-1,2\n") == ImportResult(0, 1, (note,))
    assert str(shop.catalogue["c-1"]["cost"]) == "3.00"
    assert shop.brings("sku,cost\nc-1,3.00\n").notes == ()


def test_the_operator_sets_a_cost_that_no_supplier_has_stated(shop: Shop) -> None:
    shop.brings("sku,name,supplier\nc-1,Card,Acme\nc-2,Free,\n")
    assert shop.brings("sku,cost\nc-1,2\nc-2,1\n") == ImportResult(0, 2, ())
    assert shop.brings("sku,cost\nc-1,2\nc-2,1.5\n") == ImportResult(0, 1, (), unchanged=1)
    assert {sku: str(one["cost"]) for sku, one in shop.catalogue.items()} == {"c-1": "2.00", "c-2": "1.50"}


def test_a_product_list_can_be_imported_as_a_file(shop: Shop) -> None:
    shop.brings(
        "sku,name,category,price,cost,supplier,supplierSku,requireData,fulfilment\n"
        "a,A,Games,5,3,Acme,1,p:Player;z:Zone?,stock_first\nb,B,,,,,,,stock\n"
    )
    before = shop.catalogue
    text = encode(list(before.values())).decode()
    assert shop.brings(text, "list.json") == ImportResult(0, 0, (), 2)
    assert shop.brings(f'{{"products": {text}}}', "list.json") == ImportResult(0, 0, (), 2)
    without = {sku: {**one, "updated": ""} for sku, one in before.items()}
    assert {sku: {**one, "updated": ""} for sku, one in shop.catalogue.items()} == without


def test_prices_are_set_by_sku_or_id_and_switch_products_on(shop: Shop) -> None:
    offered = shop.offers("Acme", "s-1", 300)
    shop.brings("sku,name,price,active\na,A,1,false\n")
    prices = {"a": Decimal("2.5"), offered: Decimal(9)}
    priced = shop.run(lambda tx: products.set_prices(tx, "USD", prices))
    assert sorted((one["name"], str(one["price"]), one["active"]) for one in priced) == [
        ("A", "2.50", True),
        ("Offer s-1", "9.00", True),
    ]


def test_prices_with_an_unknown_product_change_nothing(shop: Shop) -> None:
    shop.brings("sku,name,price\na,A,1\n")
    with pytest.raises(Refusal) as caught:
        shop.run(lambda tx: products.set_prices(tx, "USD", {"a": Decimal(2), "b": Decimal(3)}))
    assert (caught.value.code, caught.value.fields) == (NOT_FOUND, {"b": "there is no such product"})
    assert str(shop.catalogue["a"]["price"]) == "1.00"
    known = shop.catalogue["a"]["id"]
    with pytest.raises(Refusal) as caught:
        shop.run(lambda tx: products.set_prices(tx, "USD", {"a": Decimal(2), known: Decimal(3)}))
    assert caught.value.fields == {known: "the same product is priced twice"}


def test_one_tenants_file_changes_no_product_of_another(tenant_maker: Callable[[], Shop]) -> None:
    one, other = tenant_maker(), tenant_maker()
    one.brings("sku,name,price,supplier\na,A,1,Acme\n")
    other.brings("sku,name,price,supplier\na,B,2,Acme\n")
    assert (one.catalogue["a"]["name"], other.catalogue["a"]["name"]) == ("A", "B")
    assert one.catalogue["a"]["id"] != other.catalogue["a"]["id"]


# --- ids, losses and what suppliers propose ---


def test_a_row_with_an_id_changes_that_product_and_may_give_it_another_sku(shop: Shop) -> None:
    offered = shop.offers("Acme", "s-1", 300)
    assert shop.catalogue["s-1"]["id"] == offered, "what a supplier made has a sku"
    assert shop.brings(f"id,sku,category,price\n{offered},ESIM-5,eSIMs,5\n") == ImportResult(0, 1, ())
    (card,) = shop.catalogue.values()
    assert (card["id"], card["sku"], card["category"], str(card["price"])) == (offered, "ESIM-5", "eSIMs", "5.00")
    assert shop.brings(f"id,name\n{offered},Other\n") == ImportResult(0, 1, ())
    assert shop.catalogue["ESIM-5"]["name"] == "Other"


def test_an_unknown_or_conflicting_id_is_refused(shop: Shop) -> None:
    shop.brings("sku,name\na,A\nb,B\n")
    a, b = (str(shop.catalogue[sku]["id"]) for sku in "ab")
    assert shop.refused(f"id,sku,name\nprd_none,c,C\n{a},B,A\n{b},b2,B\n{b},b3,B\n") == {
        "line 2, id": "no product has it; leave the id out to find products by their sku",
        "line 3, sku": f"product {b} has it, and the row names {a}",
        "line 5, sku": "occurs twice in the file",
    }


def test_exporting_and_importing_the_whole_catalogue_changes_nothing(shop: Shop) -> None:
    shop.brings(
        "sku,name,category,price,supplier,supplierSku,cost,fulfilment,region,requireData\n"
        "c-1,Card,Games,12.50,Acme,a,7,supplier,EU,player:Player;server:Server?\nc-2,کارت\u200cها,,1,,,,stock,,\n"
    )
    offered = shop.offers("Acme", "s-1", 300)
    shop.brings("sku,price,active\ns-1,4,true\n")
    shop.offers("Acme", "s-1", 900)
    written = encode({"products": shop.run(products.list_products)}).decode()

    assert shop.brings(written, "f.json") == ImportResult(0, 0, (), unchanged=3)
    assert shop.catalogue["s-1"]["status"] == "below cost"
    assert shop.catalogue["s-1"]["id"] == offered


def test_skus_that_differ_only_in_case_are_the_same(shop: Shop) -> None:
    shop.brings("sku,name\nCARD-25,Card\n")
    assert shop.brings("sku,name\ncard-25,Other\n") == ImportResult(0, 1, ())
    assert list(shop.catalogue) == ["card-25"]
    assert shop.refused("sku,name\nx,X\nX,Y\n") == {"line 3, sku": "occurs twice in the file"}


def test_names_and_skus_may_not_be_blank_invisible_or_an_id(shop: Shop) -> None:
    found = shop.refused(
        'sku,name,supplier\nprd_01jdqe5m7yx0c1v8k2n3p4r5s6,Card,\na,"  ",\nb,B\u202eX,\nc\u200b,C,\nd,D,\u200b\n'
    )
    assert found == {
        "line 2, sku": "must not have the form of an id",
        "line 4, name": "must not hold invisible characters",
        "line 5, sku": "must not hold invisible characters",
        "line 6, supplier": "must not hold invisible characters",
    }


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("5.00,9", "5.00 is below the cost of 9.00 USD; --force accepts it"),
        ("0,", "a price of 0 gives the goods away; --force accepts it"),
    ],
)
def test_a_loss_is_refused_unless_it_is_forced(shop: Shop, row: str, problem: str) -> None:
    text = f"sku,name,price,cost\nc-1,Card,{row}\n"
    assert shop.refused(text) == {"line 2, price": problem}
    rows = read_rows("f.csv", text.encode())
    assert shop.run(lambda tx: import_rows(tx, "USD", "f.csv", rows, force=True)) == ImportResult(1, 0, ())
    assert shop.catalogue["c-1"]["status"] == "out of stock", "it may be sold"
    assert shop.brings(text) == ImportResult(0, 0, (), unchanged=1), "what was accepted is not asked again"


def test_prices_of_zero_and_below_cost_are_refused_unless_they_are_forced(shop: Shop) -> None:
    shop.brings("sku,name,price,cost\na,A,5,3\nb,B,5,\nc,C,5,\n")
    wanted = {"a": Decimal("2.99"), "b": Decimal(0), "C": Decimal(6)}
    with pytest.raises(Refusal) as caught:
        shop.run(lambda tx: products.set_prices(tx, "USD", wanted))
    assert caught.value.code is BAD_REQUEST
    assert dict(caught.value.fields or {}) == {
        "a": "2.99 is below the cost of 3.00 USD; --force accepts it",
        "b": "a price of 0 gives the goods away; --force accepts it",
    }
    assert {str(one["price"]) for one in shop.catalogue.values()} == {"5.00"}
    shop.run(lambda tx: products.set_prices(tx, "USD", wanted, force=True))
    assert {sku: str(one["price"]) for sku, one in shop.catalogue.items()} == {"a": "2.99", "b": "0.00", "c": "6.00"}


def test_a_forced_price_stops_the_sale_again_when_the_cost_rises_above_the_accepted_one(shop: Shop) -> None:
    shop.offers("Acme", "s-1", 300)
    shop.run(lambda tx: products.set_prices(tx, "USD", {"s-1": Decimal(2)}, force=True))
    assert shop.run(lambda tx: products.product_of(tx, "s-1").sellable) is True
    shop.offers("Acme", "s-1", 301)
    assert shop.run(lambda tx: products.product_of(tx, "s-1").sellable) is False


def test_products_for_another_region_are_noted_and_listed(shop: Shop) -> None:
    rows = read_rows("f.csv", b"sku,name,price,region\na,A,1,EU\nb,B,1,\nc,C,1,us\n")
    done = shop.run(lambda tx: import_rows(tx, "USD", "f.csv", rows, region="GLOBAL"))
    assert done.notes == (
        "2 of 3 are for another region than the tenant's, GLOBAL: buyers see them only if they name it (line 2, 4)",
    )


def test_a_proposal_is_listed_accepted_and_rejected(shop: Shop) -> None:
    shop.offers("Acme", "s-1", 100)
    shop.offers("Acme", "s-2", 100)
    shop.brings("sku,name,price,active\ns-1,One,2,true\ns-2,Two,2,true\n")
    shop.offers("Acme", "s-1", 100)
    shop.offers("Acme", "s-2", 100)
    listed, following = shop.run(lambda tx: products.proposals(tx, "", 2))
    assert following is None
    assert [(one["sku"], one["name"], one["proposedName"]) for one in listed] == [
        ("s-1", "One", "Offer s-1"),
        ("s-2", "Two", "Offer s-2"),
    ]
    shop.run(lambda tx: products.answer_proposals(tx, ["S-1"], accept=True))
    shop.run(lambda tx: products.answer_proposals(tx, ["s-2"], accept=False))
    assert {sku: one["name"] for sku, one in shop.catalogue.items()} == {"s-1": "Offer s-1", "s-2": "Two"}
    assert shop.run(lambda tx: products.proposals(tx, "", 2)) == ([], None)


def test_a_name_that_could_mean_two_products_is_refused_with_both(shop: Shop) -> None:
    shop.brings("sku,name\na,A\nb,B\n")
    a, b = (str(shop.catalogue[sku]["id"]) for sku in "ab")
    shop.run(lambda tx: tx.run(_LIKE_AN_ID, sku=a, id=b))
    with pytest.raises(Refusal) as caught:
        shop.run(lambda tx: products.product_of(tx, a))
    assert caught.value.code is CONFLICT
    assert dict(caught.value.fields or {}) == {
        a: f"it is the sku of product {b} and the id of the product with the sku a"
    }


def test_the_trail_of_a_price_names_amounts_and_currency(shop: Shop) -> None:
    shop.brings("sku,name,price,category\na,A,24,Games\n")
    shop.run(lambda tx: products.set_prices(tx, "USD", {"a": Decimal("19.20")}))
    product = shop.catalogue["a"]["id"]
    rows = shop.run(lambda tx: tx.all(_TRAIL, subject=product))
    assert [(action, json.loads(detail)) for action, detail in rows][-1] == (
        "product.change",
        {
            "sku": "a",
            "name": "A",
            "before": {"price": "24.00", "currency": "USD"},
            "after": {"price": "19.20", "currency": "USD"},
        },
    )
    assert json.loads(rows[0][1])["after"]["category"] == "Games"
