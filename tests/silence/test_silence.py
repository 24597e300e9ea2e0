"""A database that does not respond: requests get an answer, and succeed again as soon as it responds."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from bedesten.store import wait_budget
from bedesten.store.postgres import PostgresStore
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from tests.silence.conftest import Faulty
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import raw
from tests.support.faulty_proxy import proxy_process
from tests.support.metrics import of, scrape, until
from tests.support.pausing import paused
from tests.support.shop import fresh
from tests.support.sites import opened

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
AFTERWARDS, MAX_POINTS = 2, 40
"""Points at which the silence comes too late for an order, and points in all: the worker's queries count, too."""
AWAY = (503, "the store is out of reach")


@pytest.fixture(autouse=True)
def healed(faulty: Faulty) -> Iterator[None]:
    """Asserts that the server works before each test; ends the silence after it."""
    assert faulty.read().status == 200
    yield
    faulty.proxy.heal()
    assert until(lambda: faulty.read().status == 200)


def test_while_the_database_is_silent_every_request_is_answered_503(faulty: Faulty) -> None:
    before = {kind: answer.status for kind, answer in faulty.each().items()}
    assert 503 not in before.values()
    assert faulty.ready() == (200, "")
    faulty.proxy.silence()
    answers = faulty.each()
    assert {kind: answer.verdict for kind, answer in answers.items()} == dict.fromkeys(before, UNAVAILABLE)
    assert {answer.header("retry-after") for answer in answers.values()} == {"1"}
    faulty.proxy.heal()
    assert until(lambda: {kind: answer.status for kind, answer in faulty.each().items()} == before)


def test_while_the_database_is_silent_the_metrics_are_served_and_report_it(faulty: Faulty) -> None:
    assert of(scrape(faulty.shop.site.admin_port), "store_up") == 1
    faulty.proxy.silence()
    assert faulty.read().verdict == UNAVAILABLE
    found = scrape(faulty.shop.site.admin_port)
    assert of(found, "store_up") == 0
    assert of(found, "revision_check_seconds_count") >= 1
    assert faulty.ready() == AWAY
    faulty.proxy.heal()
    assert until(lambda: faulty.ready() == (200, ""))
    assert of(scrape(faulty.shop.site.admin_port), "store_up") == 1


def test_while_the_database_refuses_every_request_is_answered_503(faulty: Faulty) -> None:
    faulty.proxy.refuse()
    answers = faulty.each()
    assert {kind: answer.verdict for kind, answer in answers.items()} == dict.fromkeys(answers, UNAVAILABLE)
    assert faulty.ready() == AWAY


def test_silence_at_every_point_of_an_order_is_answered_and_leaves_one_order_or_none(faulty: Faulty) -> None:
    """Whatever the database's last response is, the same order sent again is stored once."""
    shop, answers, bodies = faulty.shop, list[tuple[int, int | None]](), list[dict[str, object]]()
    while answers.count((200, None)) < AFTERWARDS:
        assert len(bodies) < MAX_POINTS, answers
        assert until(lambda: faulty.read().status == 200)
        assert [faulty.order().status for _ in range(4)] == [200] * 4, "every connection is there"
        faulty.proxy.silence_after(len(bodies))
        bodies.append(shop.order(reference=fresh("point")))
        answers.append(faulty.order(body=bodies[-1]).verdict)
        faulty.proxy.heal()
        assert until(lambda: faulty.order(body=bodies[-1]).status == 200)
    assert set(answers) == {UNAVAILABLE, (200, None)}
    with raw(shop.site.installation.settings) as other:
        found = other.rows("SELECT reference FROM orders WHERE tenant_id = :tenant", tenant=shop.id)
    placed = Counter(reference for (reference,) in found)
    assert [placed[str(body["orderReference"])] for body in bodies] == [1] * len(bodies)
    assert violations(shop.site.installation) == []


# --- the store by itself ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation without a server."""
    with opened("postgresql", tmp_path_factory.mktemp("alone")) as made:
        yield made


def test_behind_a_proxy_that_was_stopped_everything_is_unavailable_until_it_goes_on(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    assert installation.settings.database
    with proxy_process(installation.settings.database) as (proxy, address):
        store = PostgresStore(address)

        async def asked(name: str) -> list[object]:
            wait_budget.limit(0.5)
            asked = (store.counter(), store.read(tenant, notes.get, "n"), store.write(tenant, notes.put, name))
            return list(await asyncio.gather(*asked, return_exceptions=True))

        def now(name: str) -> object:
            with wait_budget.limited(0.5):
                return store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), name))

        assert asyncio.run(asked("before"))[1:] == [None, True]
        assert now("before, too") is True
        with paused(proxy.pid):
            assert [type(one) for one in asyncio.run(asked("during"))] == [StoreUnavailable] * 3
            with pytest.raises(StoreUnavailable):
                now("during, too")
            with pytest.raises(StoreUnavailable, match="the store is silent"):  # nobody waits for an overdue statement
                asyncio.run(store.counter())
        assert until(lambda: asyncio.run(asked("after"))[1:] == [None, True])
        assert now("after, too") is True
        store.close()
    assert installation.store.read_now(lambda tx: notes.get(tx.for_tenant(tenant), "during")) is None


def test_an_address_whose_first_host_is_silent_is_served_by_the_second(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    assert installation.settings.database
    parts = urlsplit(installation.settings.database)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        login, sign, host = parts.netloc.rpartition("@")
        hosts = f"{login}{sign}127.0.0.1:{silent.getsockname()[1]},{host}"
        store = PostgresStore(urlunsplit(parts._replace(netloc=hosts, query="connect_timeout=2")))  # as in production

        async def request() -> object:
            wait_budget.limit()
            await store.counter()
            return await store.write(tenant, notes.put, fresh("n"))

        def served() -> bool:
            try:
                return asyncio.run(request()) is True
            except StoreUnavailable:
                return False

        assert until(served)
        assert [served() for _ in range(5)] == [True] * 5
        store.close()


def test_an_abandoned_action_is_not_committed_when_the_silence_ends(installation: Installation) -> None:
    """It continues when its statement returns, and is rolled back before COMMIT."""
    tenant = fresh_tenant(installation)
    store = installation.store

    async def slow() -> None:
        wait_budget.limit(0.3)
        await store.write_across(partial(_sleeps_after_its_write, tenant))

    with pytest.raises(StoreUnavailable, match="waited for a statement for too long"):
        asyncio.run(slow())
    assert asyncio.run(store.write(tenant, notes.put, "next")) is True
    assert store.read_now(lambda tx: notes.get(tx.for_tenant(tenant), "lost")) is None


def _sleeps_after_its_write(tenant: str, tx: SystemTransaction) -> None:
    notes.put(tx.for_tenant(tenant), "lost")
    tx.text("SELECT pg_sleep(2)")
