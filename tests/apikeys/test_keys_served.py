"""On real server processes, a holder's calls take effect on every worker, and stopping writes the uses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bedesten.apikeys import usage
from bedesten.gate.scopes import Surface
from tests.support.client import Client, api_key
from tests.support.operator_actions import Key, Operator
from tests.support.sites import ENGINES, Site, opened, serving

pytestmark = pytest.mark.slow

WORKERS, CONNECTIONS = 2, 16
HOST = "shop.example"


@dataclass
class CliServer:
    """A server with two workers and one supplier's key."""

    site: Site
    operator: Operator
    tenant: str
    key: Key

    def clients(self, key: str) -> list[Client]:
        """Opens enough connections that both workers serve some of them."""
        lines = [*api_key(key), ("User-Agent", "acme-sync/2.1")]
        return [self.site.client(HOST, lines) for _ in range(CONNECTIONS)]

    def uses(self) -> list[Any]:
        """The last use of each secret."""
        return list(self.operator.within(self.tenant, lambda tx: usage.last_uses(tx, self.key.id)).values())


@pytest.fixture(params=ENGINES)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CliServer]:
    with opened(request.param, tmp_path) as installation, serving(installation, tmp_path, WORKERS) as site:
        operator = Operator(installation)
        tenant = operator.tenant("shop", [HOST])
        key = operator.key(tenant, Surface.SUPPLIER, operator.owner(tenant, Surface.SUPPLIER, "Acme"))
        yield CliServer(site, operator, tenant, key)
        assert site.failures() == []


def ask(clients: list[Client]) -> set[tuple[int, int | None]]:
    """Sends a harmless request on each connection; returns the outcomes."""
    return {client.post("/Supplier/Products/List").verdict for client in clients}


def test_a_holders_rotation_and_revocation_hold_on_old_and_new_connections(served: CliServer) -> None:
    kept = served.clients(served.key.text)
    assert ask(kept) == {(200, None)}
    new = kept[0].data("/Supplier/Keys/Rotate", {"graceSeconds": 0})["key"]
    assert ask([*kept, *served.clients(served.key.text)]) == {(401, -23)}
    fresh = served.clients(new)
    assert ask(fresh) == {(200, None)}
    assert fresh[0].data("/Supplier/Keys/Revoke") == {"id": served.key.id, "revoked": True}
    assert ask([*fresh, *served.clients(new)]) == {(401, -23)}


def test_a_stopping_server_writes_every_use_first(served: CliServer) -> None:
    clients = served.clients(served.key.text)
    for _ in range(3):
        assert ask(clients) == {(200, None)}
    served.site.stop()
    (use,) = served.uses()
    assert (use.uses, use.agent) == (3 * CONNECTIONS, "acme-sync/2.1")
    assert use.address in {client.source for client in clients}
