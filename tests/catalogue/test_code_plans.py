"""A stock code is found by its unique indexes, never by a table scan: see `stock.with_digest`."""

from collections.abc import Iterator
from typing import Any

import pytest

from bedesten.admin import orders
from bedesten.catalogue import inventory, units
from bedesten.complaints import recalls, supplier_recalls
from bedesten.server.installation import Installation
from bedesten.store.sql import Statement
from tests.domain.tenant import open_tenant
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened

CODES = 5_000
SEARCHES: dict[str, Statement[Any]] = {
    "units.find_unit": units._BY_DIGEST,
    "recalls.codes_named": recalls._BY_DIGEST,
    "supplier_recalls.own_codes": supplier_recalls._BY_DIGEST,
    "inventory.find_codes": inventory._BY_DIGEST,
    "admin.orders.find": orders._OF_CODE,
}


@pytest.fixture(scope="module", params=ENGINES)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, str]]:
    """An installation with so many codes that a table scan would be slow."""
    with opened(request.param, tmp_path_factory.mktemp("plans")) as installation:
        tenant = open_tenant(installation)
        product = tenant.card(0)
        for number in range(0, CODES, 1_000):
            tenant.upload(product, [f"PLAN-{number + at:06}" for at in range(1_000)])
        yield installation, tenant.id


def plan(other: RawConnection, statement: Statement[Any], tenant: str) -> str:
    """Returns the engine's query plan as text."""
    explain = "EXPLAIN " if other.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    wanted = {"tenant": tenant, "digest": b"x" * 32, "folded_digest": b"y" * 32, "line": "odl_1"} | {
        "batch": "bat_1",
        "product": "prd_1",
    }
    names = {name: value for name, value in wanted.items() if name in statement.compiled("sqlite")}
    rows = other.connection.execute(explain + statement.compiled(other.dialect), names).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("search", SEARCHES)
def test_a_code_is_found_by_its_two_unique_indexes(shop: tuple[Installation, str], search: str, analysed: bool) -> None:
    installation, tenant = shop
    with raw(installation.settings) as other:
        if analysed:
            other.run("ANALYZE stock_codes")
        found = plan(other, SEARCHES[search], tenant)
    assert "Seq Scan on stock_codes" not in found, found
    assert "SCAN stock_codes" not in found, found
    postgresql = installation.settings.database is not None
    by_line = "uq_stock_codes_line_id" if postgresql else "line_id=?"
    for index in ("uq_stock_codes_digest" if postgresql else "digest=?", "ux_stock_codes_folded"):
        assert index in found or by_line in found, found


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("clashes", [inventory._CLASHES, inventory._CLASHES_IN_PRODUCT])
def test_codes_that_would_clash_are_found_without_comparing_every_pair(
    shop: tuple[Installation, str], clashes: tuple[Statement[Any], ...], analysed: bool
) -> None:
    installation, tenant = shop
    with raw(installation.settings) as other:
        if analysed:
            other.run("ANALYZE stock_codes")
        elsewhere, _, twice = (plan(other, statement, tenant) for statement in clashes)
    assert "ux_stock_codes_folded" in elsewhere or "Hash Join" in elsewhere or "Merge Join" in elsewhere, elsewhere
    assert "JOIN" not in twice.upper(), twice
    assert twice.count("stock_codes") <= 3, twice
