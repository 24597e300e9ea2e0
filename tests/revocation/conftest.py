"""Two web processes on one store, simulated in this process, with a clock that tests move."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bedesten.core.clock import system_clock
from bedesten.gate.scopes import Surface
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.server import build
from bedesten.server.installation import Installation, open_installation
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.sites import ENGINES, opened

ROUTES = RouteMap.of(build.ROUTES)


class FakeClock:
    """The machine's clock, ahead by an offset that a test sets."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return system_clock() + self.ahead


@dataclass
class _Body:
    raw: bytes

    async def read(self, limit: int) -> bytes:
        assert len(self.raw) <= limit
        return self.raw


@dataclass
class Answer:
    """One parsed answer."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def code(self) -> int | None:
        """The number of a refusal."""
        return self.body.get("code")

    @property
    def data(self) -> Any:
        """Returns the data of a successful response."""
        assert self.status == 200, self.body
        return self.body["data"]


@dataclass
class Node:
    """One web process."""

    services: Services
    pipeline: Pipeline = field(init=False)

    def __post_init__(self) -> None:
        """Creates the pipeline for the services."""
        self.pipeline = Pipeline(self.services, ROUTES)

    async def post(
        self, path: str, body: object = None, *, token: str = "", key: str = "", host: str, address: str = "192.0.2.1"
    ) -> Answer:
        """Sends a request from an address."""
        headers = [(b"host", host.encode()), (b"content-type", b"application/json")]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        if key:
            headers.append((b"apikey", key.encode()))
        raw = json.dumps({} if body is None else body).encode()
        made = await self.pipeline.handle(Request("POST", path.encode(), b"", headers, address, _Body(raw)))
        return _understood(made)


def _understood(response: Response) -> Answer:
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Answer(response.status, headers, json.loads(response.body))


@dataclass
class Cluster:
    """A fresh tenant with a partner and a customer on an installation that two nodes serve."""

    installation: Installation
    clock: FakeClock
    tenant: str
    host: str
    operator: Operator
    nodes: tuple[Node, Node] = field(init=False)

    def __post_init__(self) -> None:
        """Starts the nodes."""
        self.nodes = (self.node(), self.node())

    def node(self) -> Node:
        """Starts another web process."""
        return Node(build.open_services(self.installation, self.clock))

    async def token(self, surface: Surface = Surface.STOREFRONT, address: str = "192.0.2.1") -> str:
        """Logs in and returns a token of the customer or the partner."""
        text: str = (await self.log_in(surface=surface, address=address)).data["token"]
        return text

    async def log_in(
        self,
        email: str = "",
        password: str = PASSWORD,
        *,
        surface: Surface = Surface.STOREFRONT,
        address: str = "192.0.2.1",
        node: int = 0,
    ) -> Answer:
        """Logs in at one of the nodes."""
        reseller = surface is Surface.RESELLER
        path = "/Login/Customer/Api/Verify" if reseller else "/Storefront/Customers/Login"
        who = email or ("partner@example.com" if reseller else "customer@example.com")
        body = {"email": who, "password": password}
        return await self.nodes[node].post(path, body, host=self.host, address=address)

    async def profile(self, token: str, node: int = 0) -> Answer:
        """Sends a request of the customer."""
        return await self.nodes[node].post("/Storefront/Customers/Profile", token=token, host=self.host)

    async def account(self, token: str, node: int = 0) -> Answer:
        """Sends a request of the partner."""
        return await self.nodes[node].post("/Products/List", token=token, host=self.host)


@pytest.fixture(scope="session", params=ENGINES)
def clocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, FakeClock]]:
    """An installation of each engine whose store reads the tests' clock."""
    clock = FakeClock()
    with opened(request.param, tmp_path_factory.mktemp("life")) as made:
        installation = open_installation(made.settings, clock)
        yield installation, clock
        installation.store.close()


_count = iter(range(1_000_000))


@pytest.fixture
def cluster(clocked: tuple[Installation, FakeClock]) -> Iterator[Cluster]:
    """A tenant for one test."""
    installation, clock = clocked
    clock.ahead = 0
    yield new_cluster(installation, clock)
    clock.ahead = 0


def new_cluster(installation: Installation, clock: FakeClock) -> Cluster:
    """Creates a fresh tenant with a partner and a customer."""
    number = next(_count)
    operator = Operator(installation)
    host = f"shop{number}.example"
    tenant = operator.tenant(f"shop {number}", [host])
    operator.account(tenant, "customer", "customer@example.com")
    operator.account(tenant, "partner", "partner@example.com")
    return Cluster(installation, clock, tenant, host, operator)


@pytest.fixture(params=ENGINES)
def own_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """An installation for one test, which may damage it."""
    clock = FakeClock()
    with opened(request.param, tmp_path) as made:
        installation = open_installation(made.settings, clock)
        operator = Operator(installation)
        tenant = operator.tenant("shop", ["shop.example"])
        operator.account(tenant, "customer", "customer@example.com")
        operator.account(tenant, "partner", "partner@example.com")
        yield Cluster(installation, clock, tenant, "shop.example", operator)
        installation.store.close()


def run(coroutine: Any) -> Any:
    """Runs a test's coroutine on a new event loop."""
    return asyncio.run(coroutine)
