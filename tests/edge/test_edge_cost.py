"""The cost of a refused request: nothing is written, read or run for it.

The server runs in this process, so that every use of the store can be counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from bedesten.accounts import token_idle
from bedesten.core.clock import SECOND, system_clock
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation
from bedesten.store.sqlite import SqliteStore
from bedesten.store.store import Work
from bedesten.tenants import actions as tenants
from tests.support.client import Lines, api_key, bearer, encoded
from tests.support.inprocess import Body, InProcessServer
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import fresh
from tests.support.sites import opened
from tests.support.wire import Answer, fresh_address
from tests.support.workers import StoreStats

Result = TypeVar("Result")
HOST = "api.cost.example"
JSON = ("Content-Type", "application/json")


class CountingStore(SqliteStore):
    """The real store, counting its uses besides the revision counter."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.reads = self.writes = 0

    async def read_across(self, work: Work[Result], tenant: str = "") -> Result:
        self.reads += 1
        return await super().read_across(work, tenant)

    async def write_across(self, work: Work[Result], tenant: str = "") -> Result:
        self.writes += 1
        return await super().write_across(work, tenant)


@dataclass
class Cost:
    """The response to one request and its cost."""

    response: Answer
    reads: int
    writes: int
    stats: int
    body_read: bool

    @property
    def verdict(self) -> tuple[int, tuple[int, int, int, bool]]:
        """The status of the response, and the cost."""
        return self.response.status, (self.reads, self.writes, self.stats, self.body_read)


class CountingServer(InProcessServer):
    """A server whose uses of the store can be counted."""

    def __init__(self, installation: Installation, store: CountingStore, stats: StoreStats, tenant: str) -> None:
        super().__init__(replace(installation, store=store))
        self.store = store
        self.stats = stats
        self.tenant = tenant

    def cost(self, path: str, lines: Lines, body: object, peer: str = "203.0.113.1") -> Cost:
        """Sends one POST; returns its cost."""
        sent = Body(encoded(body))
        before = self.store.reads, self.store.writes, self.stats.number()
        response = self.ask("POST", path, (JSON, *lines), sent, HOST, peer)
        used = self.store.reads - before[0], self.store.writes - before[1], self.stats.number() - before[2]
        return Cost(response, *used, sent.was_read)

    def limit(self, **limits: int | None) -> None:
        """Sets the tenant's limits."""
        self.operator.within(self.tenant, lambda tx: tenants.set_limits(tx, limits))

    def partner(self) -> Lines:
        """The bearer token of a fresh partner."""
        account = self.operator.account(self.tenant, "partner", f"{fresh('p')}@example.com")
        return bearer(self.operator.mint(self.operator.claims(self.tenant, Surface.RESELLER, account)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CountingServer]:
    with opened("sqlite", tmp_path) as installation:
        tenant = Operator(installation).tenant("cost", [HOST])
        store = CountingStore(installation.settings.sqlite_file)
        stats = StoreStats(installation.settings.sqlite_file)
        counting = CountingServer(installation, store, stats, tenant)
        yield counting
        counting.close()
        stats.close()
        store.close()


NO_COST = (0, 0, 0, False)


def test_the_counters_count(server: CountingServer) -> None:
    register = {"email": "new@example.com", "password": "correct horse battery staple"}
    cost = server.cost("/Storefront/Customers/Register", (), register)
    assert cost.response.status == 200
    assert cost.reads > 0
    assert cost.writes > 0
    assert cost.stats > 0
    assert cost.body_read


@pytest.mark.parametrize("kind", ["credential", "tenant", "address"])
def test_over_a_limit_nothing_is_read_written_or_run(server: CountingServer, kind: str) -> None:
    server.limit(**{kind: 2})
    lines = server.partner()
    accepted = [server.cost("/Products/List", lines, {}) for _ in range(2)]
    assert [cost.response.status for cost in accepted] == [200, 200]
    assert accepted[1].reads > 0, "an accepted request reads"
    for _ in range(20):
        assert server.cost("/Products/List", lines, {}).verdict == (429, NO_COST)
        assert server.cost("/Orders/Create", lines, {"orderReference": "x"}).verdict == (429, NO_COST)


def test_over_a_limit_the_use_of_a_token_is_not_written_either(server: CountingServer) -> None:
    server.operator.within(server.tenant, lambda tx: token_idle.set_idle(tx, Surface.RESELLER, SECOND))
    server.limit(credential=1)
    lines = server.partner()
    assert server.cost("/Products/List", lines, {}).writes == 1
    server.services.idle_timeout._written.clear()
    assert server.cost("/Products/List", lines, {}).verdict == (429, NO_COST)


@pytest.mark.requirement(156)
def test_an_address_with_too_many_refusals_costs_nothing_whatever_it_tries(server: CountingServer) -> None:
    lines = server.partner()
    assert server.cost("/Products/List", lines, {}).response.status == 200
    peer = "203.0.113.9"
    for _ in range(600):
        server.services.throttle.refused(peer, system_clock())
    for path, presented, body in (
        ("/Products/List", lines, {}),
        ("/Products/List", bearer("x"), {}),
        ("/Supplier/Products/List", api_key("ak_live_" + "0" * 32), {}),
        ("/Supplier/Nothing", api_key("ak_live_" + "1" * 32), {}),
        ("/Login/Customer/Api/Verify", (), {"email": "x@example.com", "password": PASSWORD}),
        ("/Storefront/Customers/Login", (), {"email": "x@example.com", "password": PASSWORD}),
        ("/Storefront/Customers/Register", (), {"email": "x@example.com", "password": PASSWORD}),
    ):
        assert server.cost(path, presented, body, peer).verdict == (429, NO_COST), path
    assert server.services.passwords.in_progress == 0


def test_refused_credentials_write_nothing(server: CountingServer) -> None:
    server.cost("/Products/List", server.partner(), {})
    for path, lines in (
        ("/Products/List", ()),
        ("/Products/List", bearer("x")),
        ("/Supplier/Products/List", ()),
        ("/Supplier/Products/List", api_key("ak_live_" + "0" * 32)),
        ("/Payment/Nothing", api_key("ak_live_" + "1" * 32)),
    ):
        cost = server.cost(path, lines, {}, fresh_address())
        assert (cost.response.status, cost.writes, cost.stats, cost.body_read) == (401, 0, 0, False), path


def test_the_throttle_looks_up_no_bucket_while_no_address_must_wait(server: CountingServer) -> None:
    table = server.services.throttle._table
    before = table.bucket.cache_info().misses
    for number in range(100):
        assert server.services.throttle.admit(f"203.0.113.{number}", system_clock()) is None
    assert table.bucket.cache_info().misses == before
