"""A server whose database can fall silent, be taken away, or refuse to be written."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.build import Installation
from support.backoffice import PASSWORD, Operator
from support.client import Lines, api_key, bearer, request_bytes
from support.proxy import Proxy, proxied
from support.shop import Shop, open_shop
from support.sites import opened, serving
from support.wire import Answer, Connection

LIMIT_S = 10.0
"""A client that would not wait for longer. Five seconds are promised; a busy machine may take some more."""


@dataclass
class Faulty:
    """A server that reaches its database through a proxy, and an operator who reaches it directly."""

    shop: Shop
    proxy: Proxy
    installation: Installation
    """As the server sees it."""

    def ask(self, path: str, lines: Lines = (), body: object = None, method: str = "POST") -> Answer:
        """One request on a connection of its own, by a client that waits for ten seconds."""
        body = {} if body is None else body
        with Connection(self.shop.site.port, timeout=LIMIT_S) as connection:
            return connection.exchange(request_bytes(method, path, self.shop.host, lines, body))

    def order(self, product: str | None = None) -> Answer:
        """An order of the partner's."""
        return self.ask("/Orders/Create", bearer(self.shop.partner_token), self.shop.order(product))

    def read(self) -> Answer:
        """A list of products."""
        return self.ask("/Products/List", bearer(self.shop.partner_token))

    def each(self) -> dict[str, Answer]:
        """One request of each kind."""
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


@contextlib.contextmanager
def faulty_server(folder: Path, url: str | None = None) -> Iterator[Faulty]:
    """A server behind a proxy on a database of its own."""
    with contextlib.ExitStack() as stack:
        installation = stack.enter_context(opened("postgresql", folder))
        database = installation.settings.database
        assert database is not None
        proxy, address = stack.enter_context(proxied(database))
        seen = replace(installation, settings=installation.settings.model_copy(update={"database": address}))
        site = stack.enter_context(serving(seen, folder))
        site.installation = installation
        shop = open_shop(site, Operator(installation), "acme")
        yield Faulty(shop, proxy, seen)
        proxy.heal()
        site.stop()
        assert site.failures() == []


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """One for the tests of a file, each of which heals it."""
    with faulty_server(tmp_path_factory.mktemp("faulty")) as made:
        yield made
