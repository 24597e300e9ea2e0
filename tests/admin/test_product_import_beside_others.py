"""Importing products while others write: a plan is made before the transaction, and made again if another change
overtakes it."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from bedesten.admin import product_import, product_plan, products
from bedesten.admin.product_file import read_rows
from bedesten.admin.product_import import MAX_ATTEMPTS, ImportResult
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields
from bedesten.errors import CONFLICT, Refusal
from bedesten.server.installation import Installation
from bedesten.store.revision_log import COUNTER
from bedesten.store.transaction import Transaction
from bedesten.tenants.lookup import tenant_entry
from tests.domain.tenant import Tenant, open_tenant
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened(request.param, tmp_path_factory.mktemp("imports")) as made:
        yield made


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    return open_tenant(installation, credit=100_000)


def brings(tenant: Tenant, text: str, between: Callable[[], object] = lambda: None) -> ImportResult:
    entry = tenant.store.read_now(lambda tx: tenant_entry(tx, tenant.id))
    assert entry is not None
    return product_import.import_products(
        tenant.store, entry, "f.csv", read_rows("f.csv", text.encode()), between=between
    )


def listed(tenant: Tenant) -> dict[str, dict[str, Any]]:
    return {str(one["sku"]): one for one in tenant.read(products.list_products)}


def revision(tenant: Tenant) -> int:
    found = tenant.store.read_now(lambda tx: tx.one(COUNTER))
    assert found is not None
    return found.number


def test_orders_and_price_changes_go_on_until_the_rows_are_written(tenant: Tenant) -> None:
    card = tenant.card(codes=1)
    seen = []

    def meanwhile() -> None:
        seen.append((tenant.order((card, 1)).lines[0].product_id, sorted(listed(tenant)).count("a")))

    assert brings(tenant, "sku,name,category,supplier\na,A,Games,New\n", meanwhile) == ImportResult(1, 0, ())
    assert seen == [(card, 0)]
    assert listed(tenant)["a"]["category"] == "Games"
    assert listed(tenant)["a"]["supplier"] == "New"


def test_a_product_changed_during_the_import_is_planned_again(tenant: Tenant) -> None:
    brings(tenant, "sku,name,price\na,A,1\nb,B,1\n")
    times = itertools.count()

    def meanwhile() -> None:
        if next(times) == 0:
            tenant.write(lambda tx: products.set_prices(tx, "USD", {"b": Decimal(7)}))

    assert brings(tenant, "sku,name\na,A2\nb,B2\n", meanwhile) == ImportResult(0, 2, ())
    assert next(times) == 2
    found = listed(tenant)
    assert [(found[sku]["name"], str(found[sku]["price"])) for sku in "ab"] == [("A2", "1.00"), ("B2", "7.00")]


def test_a_sku_taken_during_the_import_is_planned_again(tenant: Tenant) -> None:
    brings(tenant, "sku,name\na,A\n")
    (known,) = (one["id"] for one in listed(tenant).values())
    times = itertools.count()

    def take(sku: str) -> Callable[[], None]:
        def act(tx: Transaction) -> str:
            return catalogue.put_product(tx, ProductFields(name="Theirs", currency="USD", sku=sku))

        return lambda: next(times) == 0 and tenant.write(act) and None  # type: ignore[return-value]

    assert brings(tenant, "sku,name\nnew,Ours\n", take("new")) == ImportResult(0, 1, ())
    assert listed(tenant)["new"]["name"] == "Ours"
    times = itertools.count()
    with pytest.raises(Refusal) as refused:
        brings(tenant, f"id,sku\n{known},taken\n", take("taken"))
    assert "has it, and the row names" in (refused.value.fields or {})["line 2, sku"]
    assert listed(tenant)["a"]["id"] == known


def test_an_import_whose_every_plan_is_overtaken_writes_nothing(tenant: Tenant) -> None:
    brings(tenant, "sku,name,price\na,A,1\n")
    prices = itertools.count(2)

    def meanwhile() -> None:
        tenant.write(lambda tx: products.set_prices(tx, "USD", {"a": Decimal(next(prices))}))

    with pytest.raises(Refusal) as refused:
        brings(tenant, "sku,name,category,supplier\nnew,New,Fresh,Fresh\na,A2,,\n", meanwhile)
    assert refused.value.code is CONFLICT
    found = listed(tenant)
    assert list(found) == ["a"]
    assert (found["a"]["name"], str(found["a"]["price"])) == ("A", f"{MAX_ATTEMPTS + 1}.00")
    assert tenant.read(lambda tx: tx.all(product_plan._CATEGORIES)) == []


def test_sixteen_concurrent_imports_of_one_file_create_each_product_once(tenant: Tenant) -> None:
    text = "sku,name,price,category,supplier\n" + "".join(f"s-{n},Card {n},1,Games {n % 3},New\n" for n in range(60))
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda _: brings(tenant, text), range(16)))
    assert sum(one.created for one in done) == 60
    assert sum(one.updated for one in done) == 0
    assert len(listed(tenant)) == 60


def test_suppliers_that_a_file_creates_advance_the_revision_once(tenant: Tenant) -> None:
    before = revision(tenant)
    brings(tenant, "sku,name,supplier\na,A,One\nb,B,Two\nc,C,Three\n")
    assert revision(tenant) == before + 1


def test_planning_asks_the_store_for_many_rows_at_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "sku,name,price,supplier,supplierSku\n" + "".join(f"s-{n},Card {n},1,Acme,o-{n}\n" for n in range(40))
    assert brings(tenant, text).created == 40
    changed = read_rows("f.csv", text.replace(",1,", ",2,").encode())
    asked: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        real = getattr(Transaction, name)

        def ask(*args: Any, **kwargs: Any) -> Any:
            asked.append(name)
            return real(*args, **kwargs)

        return ask

    for name in ("one", "all", "all_each"):
        monkeypatch.setattr(Transaction, name, counting(name))

    def questions(rows_read: int) -> int:
        monkeypatch.setattr(product_plan, "ROWS_READ", rows_read)
        asked.clear()
        planned = tenant.read(lambda tx: product_import.plan_rows(tx, "USD", "f.csv", changed))
        assert planned.result(None) == ImportResult(0, 40, ())
        return len(asked)

    few = questions(40)
    assert few <= 10
    assert questions(20) == few + 2, "the products of twenty rows by sku, and by the suppliers' skus"
