"""A server whose database can stop answering, disappear, or refuse writes."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from tests.support.client import Lines, api_key, bearer, request_bytes
from tests.support.faulty_proxy import Proxy, on_loopback, proxied
from tests.support.metrics import ask
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.postgres_cluster import Cluster, running_cluster
from tests.support.shop import Shop, open_shop
from tests.support.sites import opened, serving
from tests.support.wire import Answer, Connection

LIMIT_S = 10.0
"""The client's timeout in seconds. Five are promised; a busy machine may take longer."""


@dataclass
class Faulty:
    """A server that connects to its database through a proxy, and an operator who connects directly."""

    shop: Shop
    proxy: Proxy
    installation: Installation
    """The installation as the server sees it: through the proxy."""

    def ask(self, path: str, lines: Lines = (), body: object = None, method: str = "POST") -> Answer:
        """Sends a request on a new connection, with a timeout of ten seconds."""
        body = {} if body is None else body
        with Connection(self.shop.site.port, timeout=LIMIT_S) as connection:
            return connection.exchange(request_bytes(method, path, self.shop.host, lines, body))

    def order(self, product: str | None = None, body: object = None) -> Answer:
        """Places an order of the partner."""
        return self.ask("/Orders/Create", bearer(self.shop.partner_token), body or self.shop.order(product))

    def read(self) -> Answer:
        """Lists products."""
        return self.ask("/Products/List", bearer(self.shop.partner_token))

    def each(self) -> dict[str, Answer]:
        """Sends one request of each kind."""
        login = {"email": self.shop.partner_email, "password": PASSWORD}
        supplier = self.shop.lines(Surface.SUPPLIER)
        return {
            "read": self.read(),
            "order": self.order(),
            "login": self.ask("/Login/Customer/Api/Verify", (), login),
            "unknown key": self.ask("/Supplier/Products/List", api_key("ak_live_" + "0" * 32)),
            "supplier": self.ask("/Supplier/Products/List", supplier),
            "revocation": self.ask("/Supplier/Keys/Revoke", supplier, {"keyId": "key_none"}),
            "anonymous": self.ask("/Storefront/Site", method="GET"),
        }

    def ready(self) -> tuple[int, str]:
        """The status of `/health/ready`, and the reason."""
        status, _, body = ask(self.shop.site.admin_port, "/health/ready")
        return status, "" if status == 200 else str(json.loads(body)["data"]["reason"])

    def deaths(self) -> list[str]:
        """The processes that died and were replaced. Call it once, after the server has stopped."""
        assert self.shop.site.process.stdout is not None
        events = map(json.loads, self.shop.site.process.stdout)
        return [event["name"] for event in events if event["event"] in ("died", "killed")]


@contextlib.contextmanager
def faulty_server(
    installation: Installation, folder: Path, listen: Callable[[int], socket.socket] = on_loopback
) -> Iterator[Faulty]:
    """Runs a server with one worker and a proxy in front of its database. Asserts that, whatever happens to the
    database, the server logs no fault and none of its processes ends."""
    with contextlib.ExitStack() as stack:
        database = installation.settings.database
        assert database is not None
        proxy, address = stack.enter_context(proxied(database, listen))
        seen = replace(installation, settings=installation.settings.model_copy(update={"database": address}))
        site = stack.enter_context(serving(seen, folder, 1, admin_port=True))
        site.installation = installation
        made = Faulty(open_shop(site, Operator(installation), "acme"), proxy, seen)
        yield made
        proxy.heal()
        site.stop()
        assert site.failures() == []
        assert made.deaths() == []


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A server with a database on the usual PostgreSQL server, for the tests of a file."""
    folder = tmp_path_factory.mktemp("faulty")
    with opened("postgresql", folder) as installation, faulty_server(installation, folder) as made:
        yield made


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL cluster for one test file."""
    with running_cluster() as made:
        made.rows("CREATE DATABASE shop")
        yield made


@pytest.fixture(scope="module")
def on_cluster(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """A server with a database on that cluster."""
    folder = tmp_path_factory.mktemp("cluster")
    settings = Settings.model_validate({"data": folder / "data", "database": cluster.url("shop")})
    initialise(settings)
    installation = open_installation(settings)
    with contextlib.closing(installation.store), faulty_server(installation, folder) as made:
        yield made
