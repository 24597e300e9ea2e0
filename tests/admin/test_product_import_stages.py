"""An import of products is staged in short transactions and written in one: what a crash midway leaves behind."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select, update

from bedesten.admin import product_import, products
from bedesten.admin.product_file import read_rows
from bedesten.admin.product_plan import MAX_NEW
from bedesten.audit.tables import audit
from bedesten.catalogue import product_staging, tables
from bedesten.errors import BAD_REQUEST, CONFLICT, Refusal
from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from bedesten.store.sql import TENANT, cross_tenant, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.lookup import tenant_entry
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks.tables import events
from tests.domain.tenant import URL, Tenant, open_tenant
from tests.support.sites import ENGINES, opened

_RUNS = statement(select(tables.product_import_runs.c.state).where(tables.product_import_runs.c.tenant_id == TENANT))
_ROWS = statement(
    select(func.count()).select_from(tables.product_import_rows).where(tables.product_import_rows.c.tenant_id == TENANT)
)
_UNTOUCHED = cross_tenant(update(tables.product_import_runs).values(touched=p("touched")))
_EVENTS = statement(
    select(events.c.body).where(events.c.tenant_id == TENANT, events.c.type == "product.changed").order_by(events.c.id)
)
_TRAIL = statement(
    select(audit.c.id, audit.c.action, audit.c.subject).where(audit.c.tenant_id == TENANT).order_by(audit.c.id)
)
FILE = "sku,name,price,lowStock\n" + "".join(f"s-{n},Card {n},1,{n + 1}\n" for n in range(12))


class Killed(BaseException):
    """Stands for a killed process: the tests make sure that nothing cleans up after it."""


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened(request.param, tmp_path_factory.mktemp("stages")) as made:
        yield made


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    return open_tenant(installation, credit=100_000)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of five rows, so that a dozen rows are several."""
    monkeypatch.setattr(product_import, "PART", 5)


@pytest.fixture
def single_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction removes one row only, if a partner receives its event."""
    monkeypatch.setattr(product_import, "MAX_EVENTS", 1)


def brings(tenant: Tenant, text: str, between: Callable[[], object] = lambda: None) -> product_import.ImportResult:
    entry = tenant.store.read_now(lambda tx: tenant_entry(tx, tenant.id))
    assert entry is not None
    rows = read_rows("f.csv", text.encode())
    return product_import.import_products(tenant.store, entry, "f.csv", rows, between=between)


def staged(tenant: Tenant) -> tuple[list[str], int]:
    """The states of the runs, and the number of staged rows."""

    def read(tx: Transaction) -> tuple[list[str], int]:
        count = tx.one(_ROWS)
        return [row[0] for row in tx.all(_RUNS)], count[0] if count else 0

    return tenant.read(read)


def begun(tenant: Tenant, text: str, *, written: bool) -> None:
    """Begins an import whose process ended after staging, or after writing."""
    plan = tenant.read(lambda tx: product_import.plan_rows(tx, "USD", "f.csv", read_rows("f.csv", text.encode())))
    run = tenant.write(product_staging.begin, len(plan.rows))
    for part in plan.parts():
        tenant.write(product_staging.stage, run, part)
    if written:
        tenant.write(product_import.write, plan, run)


def worker_rounds(tenant: Tenant, touched: int) -> int:
    """Dates every run, then lets the worker complete the leftovers; returns how many transactions it took."""
    tenant.store.write_now(lambda tx: tx.run(_UNTOUCHED, touched=touched))
    rounds = 0
    while tenant.store.write_now(product_import.complete_leftover):
        rounds += 1
    return rounds


@pytest.mark.usefixtures("small_parts")
def test_staged_rows_are_invisible_and_are_removed(tenant: Tenant) -> None:
    seen = []
    done = brings(tenant, FILE, lambda: seen.append((staged(tenant), tenant.read(products.list_products))))
    assert seen == [((["pending"], 12), [])]
    assert (done.created, done.updated) == (12, 0)
    assert staged(tenant) == ([], 0)
    listed = tenant.read(products.list_products)
    assert [(one["sku"], one["lowStock"]) for one in listed] == [(f"s-{n}", n + 1) for n in range(12)]


def test_audit_rows_of_an_import_stand_between_earlier_and_later_rows(tenant: Tenant) -> None:
    brings(tenant, "sku,name\nfirst,First\n")
    brings(tenant, "sku,name,lowStock\na,A,3\nb,B,\n")
    found = [row[1:] for row in tenant.read(lambda tx: tx.all(_TRAIL))]
    ids = {one["sku"]: one["id"] for one in tenant.read(products.list_products)}
    assert found[-6:] == [
        ("product.create", ids["first"]),
        ("products.import", "f.csv"),
        ("product.create", ids["a"]),
        ("product.create", ids["b"]),
        ("product.low_stock", ids["a"]),
        ("products.import", "f.csv"),
    ]


@pytest.mark.usefixtures("small_parts")
def test_an_import_that_fails_before_it_writes_leaves_nothing(tenant: Tenant) -> None:
    def fail() -> None:
        raise Killed

    with pytest.raises(Killed):
        brings(tenant, FILE, fail)
    assert (staged(tenant), tenant.read(products.list_products)) == (([], 0), [])


def test_the_worker_removes_what_a_killed_import_staged_and_the_file_can_be_imported_again(tenant: Tenant) -> None:
    begun(tenant, FILE, written=False)
    now = tenant.store.read_now(lambda tx: tx.now)
    assert worker_rounds(tenant, now) == 0
    assert staged(tenant) == (["pending"], 12)
    assert worker_rounds(tenant, now - 2 * product_staging.ABANDONED_AFTER) > 1
    assert (staged(tenant), tenant.read(products.list_products)) == (([], 0), [])
    assert brings(tenant, FILE).created == 12


def test_an_import_that_the_worker_has_given_up_writes_nothing(tenant: Tenant) -> None:
    with pytest.raises(Refusal) as refused:
        brings(tenant, FILE, lambda: worker_rounds(tenant, 1))
    assert refused.value.code is CONFLICT
    assert (staged(tenant), tenant.read(products.list_products)) == (([], 0), [])


@pytest.mark.usefixtures("single_events")
def test_the_worker_notifies_partners_of_products_that_a_killed_import_has_written(tenant: Tenant) -> None:
    brings(tenant, "sku,name,price\na,A,1\nb,B,1\nc,C,1\n")
    tenant.write(
        webhooks.create_endpoint, tenant.installation.cipher, tenant.partner, URL, frozenset({"product.changed"})
    )
    begun(tenant, "sku,name,price\na,A,2\nb,B2,1\nc,C,3\n", written=True)
    ids = {one["sku"]: one["id"] for one in tenant.read(products.list_products)}
    assert tenant.read(lambda tx: tx.all(_EVENTS)) == []
    assert worker_rounds(tenant, 1) > 3, "one for each part, and one for the run"
    bodies = [row[0] for row in tenant.read(lambda tx: tx.all(_EVENTS))]
    assert bodies == [f'{{"customerStoreProductId":"{ids[sku]}","onSale":true}}' for sku in "ac"]
    assert staged(tenant) == ([], 0)


def test_a_file_that_would_create_too_many_categories_is_refused(tenant: Tenant) -> None:
    text = "sku,name,category\n" + "".join(f"s-{n},N,C{n}\n" for n in range(MAX_NEW + 1))
    with pytest.raises(Refusal) as refused:
        brings(tenant, text)
    assert refused.value.code is BAD_REQUEST
    assert refused.value.fields == {
        f"line {MAX_NEW + 2}, category": "more than 1,000 new ones in one file; use several files"
    }
    assert staged(tenant) == ([], 0)


def test_check_finds_nothing_wrong_with_an_import_under_way(tenant: Tenant) -> None:
    begun(tenant, FILE, written=False)
    begun(tenant, FILE.replace("s-", "t-"), written=True)
    assert violations(tenant.installation) == []
