"""Behind a real PgBouncer in transaction mode: each transaction may run in another process of PostgreSQL."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from bedesten.gate.scopes import Surface
from bedesten.integrity.check import violations
from bedesten.server.installation import open_installation
from bedesten.store import migrate
from bedesten.store.postgres import LOCK_TIMEOUT_MS
from bedesten.tenants import actions as tenants
from tests.support.client import api_key
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.pgbouncer import PgBouncer, running_pgbouncer
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving

pytestmark = [pytest.mark.slow, pytest.mark.external]
SETTINGS = "SELECT current_setting('lock_timeout'), current_setting('enable_bitmapscan')"


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, PgBouncer, str]]:
    """A server with two workers behind a pooler with four connections; and the database's own address."""
    folder: Path = tmp_path_factory.mktemp("pooled")
    with opened("postgresql", folder) as direct:
        database = direct.settings.database
        assert database
        with running_pgbouncer(database, size=4) as pooler:
            settings = direct.settings.model_copy(update={"database": pooler.url(database)})
            installation = open_installation(settings)
            with serving(installation, folder) as site:
                yield site, pooler, database
                site.stop()
            installation.store.close()
            assert site.failures() == []
        assert violations(direct) == []


@pytest.fixture(scope="module")
def shop(pooled: tuple[Site, PgBouncer, str]) -> Shop:
    return open_shop(pooled[0], Operator(pooled[0].installation), "pooled", stock=60)


def test_orders_logins_limits_and_revocations_work(shop: Shop) -> None:
    shop.operator.within(shop.id, lambda tx: tenants.set_limits(tx, {"tenant": 100_000, "credential": 10_000}))

    def orders(number: int) -> list[int]:
        client = shop.client(Surface.RESELLER)
        try:
            return [client.post("/Orders/Create", shop.order(reference=f"{number} {one}")).status for one in range(6)]
        finally:
            client.close()

    with ThreadPoolExecutor(8) as buyers:
        statuses = [status for found in buyers.map(orders, range(8)) for status in found]
    assert statuses == [200] * 48
    login = {"email": shop.partner_email, "password": PASSWORD}
    client = shop.client()
    assert [client.post("/Login/Customer/Api/Verify", login).status for _ in range(4)] == [200] * 4
    key = shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    supplier = shop.client(None, api_key(key.text))
    assert supplier.post("/Supplier/Keys/Get").status == 200
    shop.operator.revoke_key(shop.id, key)
    assert [supplier.post("/Supplier/Keys/Get").status for _ in range(8)] == [401] * 8


def test_parameters_apply_to_one_transaction_and_nothing_stays_in_a_pooled_connection(
    shop: Shop, pooled: tuple[Site, PgBouncer, str]
) -> None:
    site, pooler, database = pooled
    store = site.installation.store
    wanted = (f"{LOCK_TIMEOUT_MS}ms", "off")
    assert asyncio.run(_settings_of_a_write(site)) == wanted
    assert store.read_now(lambda tx: tx.text(SETTINGS))[1] == "off"
    for _ in range(20):
        with psycopg.connect(pooler.url(database), autocommit=True, prepare_threshold=None) as connection:
            assert connection.execute(SETTINGS).fetchone() == ("0", "on")
            assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


async def _settings_of_a_write(site: Site) -> tuple[str, str]:
    return await site.installation.store.write_across(lambda tx: tx.text(SETTINGS))


def test_the_schema_is_made_and_read_through_the_pooler(pooled: tuple[Site, PgBouncer, str]) -> None:
    _, pooler, database = pooled
    assert migrate.current(pooler.url(database)) == migrate.HEAD
    migrate.upgrade(pooler.url(database))
