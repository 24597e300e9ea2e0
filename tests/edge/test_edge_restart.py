"""Two nodes on one database behind nginx and HAProxy as we ship them: restarted one after the other, and killed, under
load."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bedesten.server.child_process import free_port
from bedesten.server.installation import Installation, open_installation
from tests.store.raw import raw
from tests.support.client import bearer, request_bytes
from tests.support.haproxy import Haproxy, haproxy
from tests.support.nginx import Nginx, nginx
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site, opened, serving

pytestmark = [pytest.mark.slow, pytest.mark.external]

CLIENTS = 4
DRAIN_S = 1.5
ORDERS_BETWEEN = 8


@dataclass
class Traffic:
    """Clients that place orders, retry each reference while they get 502 or 503, and read in between."""

    front: Nginx | Haproxy
    shop: Shop
    over: threading.Event = field(default_factory=threading.Event)
    placed: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self, number: int) -> None:
        """Runs one client, with a new connection for each request."""
        try:
            done = 0
            while not self.over.is_set():
                done += 1
                self._order(f"client-{number}-{done}")
                status = self._ask("GET", "/Account/Details", None)
                self.answers["GET", status] += 1
        except BaseException as problem:
            self.faults.append(repr(problem))

    def goes_on(self) -> None:
        """Waits until the clients have placed some more orders."""
        wanted = self.placed.total() + ORDERS_BETWEEN
        while self.placed.total() < wanted:
            assert self.faults == []
            time.sleep(0.01)

    def _order(self, reference: str) -> None:
        while True:
            status = self._ask("POST", "/Orders/Create", self.shop.order(self.shop.topup, reference=reference))
            self.answers["POST", status] += 1
            if status == 200:
                self.placed[reference] += 1
                return
            assert status in (502, 503), status

    def _ask(self, method: str, path: str, body: object) -> int:
        with self.front.connect(self.shop.host) as connection:
            lines = bearer(self.shop.partner_token)
            return connection.exchange(request_bytes(method, path, self.shop.host, lines, body)).status


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Installation]]:
    """One installation on PostgreSQL, opened on two machines."""
    folder = tmp_path_factory.mktemp("nodes")
    with opened("postgresql", folder / "first") as first:
        settings = first.settings.model_copy(update={"data": folder / "second"})
        settings.data.mkdir(mode=0o700)
        shutil.copy2(first.settings.secrets_file, settings.secrets_file)
        second = open_installation(settings)
        with contextlib.closing(second.store):
            yield first, second


@dataclass
class Node:
    """One node, which keeps its ports when it restarts."""

    installation: Installation
    folder: Path
    stack: contextlib.ExitStack
    site: Site = field(init=False)

    def start(self, port: int = 0, admin_port: int = 0) -> None:
        """Starts the node, and returns when it accepts connections."""
        self.site = self.stack.enter_context(
            serving(
                self.installation, self.folder, 1, port=port, admin_port=admin_port or free_port(0), drain_s=DRAIN_S
            )
        )

    def restart(self) -> None:
        """Stops the node, waits for its end, and starts it again."""
        self.site.stop()
        self.stack.close()
        self.start(self.site.port, self.site.admin_port)

    def kill(self) -> None:
        """Kills all processes of the node with SIGKILL."""
        os.kill(self.site.process.pid, signal.SIGKILL)  # its children die with the supervisor
        self.site.process.wait(120)
        self.stack.close()


@dataclass
class Nodes:
    """Two nodes, and a proxy in front of them."""

    nodes: list[Node]
    front: Nginx | Haproxy
    shop: Shop


@pytest.fixture(params=["nginx", "haproxy"])
def nodes(request: pytest.FixtureRequest, shared: tuple[Installation, Installation], tmp_path: Path) -> Iterator[Nodes]:
    """Both nodes behind each kind of proxy."""
    with contextlib.ExitStack() as stack:
        made = []
        for number, installation in enumerate(shared):
            folder = tmp_path / f"log-{number}"
            folder.mkdir()
            made.append(Node(installation, folder, stack.enter_context(contextlib.ExitStack())))
            made[-1].start()
        shop = open_shop(made[0].site, Operator(shared[0]), fresh("rolling"))
        ports = [node.site.port for node in made]
        if request.param == "nginx":
            front: Nginx | Haproxy = stack.enter_context(
                nginx(tmp_path / "prefix", ports[0], [shop.host], more_nodes=ports[1:])
            )
        else:
            pairs = [(node.site.port, node.site.admin_port) for node in made]
            front = stack.enter_context(haproxy(tmp_path / "prefix", pairs, [shop.host]))
        yield Nodes(made, front, shop)


@contextlib.contextmanager
def under_load(nodes: Nodes) -> Iterator[Traffic]:
    """Runs clients during the block; afterwards each order is in the store exactly once."""
    traffic = Traffic(nodes.front, nodes.shop)
    threads = [threading.Thread(target=traffic.run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        traffic.goes_on()
        yield traffic
        traffic.goes_on()
    finally:
        traffic.over.set()
        for thread in threads:
            thread.join()
    assert traffic.faults == []
    assert set(traffic.placed.values()) == {1}
    with raw(nodes.nodes[0].installation.settings) as store:
        found = store.rows("SELECT reference FROM orders WHERE tenant_id = :tenant", tenant=nodes.shop.id)
    assert Counter(row[0] for row in found) == traffic.placed


def test_a_rolling_restart_of_two_nodes_fails_no_request_and_loses_none(nodes: Nodes) -> None:
    with under_load(nodes) as traffic:
        for node in nodes.nodes:
            node.restart()
            traffic.goes_on()
    assert set(traffic.answers) == {("POST", 200), ("GET", 200)}, traffic.answers


def test_killing_a_node_fails_only_its_current_requests(nodes: Nodes) -> None:
    """The proxy retries a GET on the other node; the client must retry a POST, which is executed once."""
    with under_load(nodes) as traffic:
        nodes.nodes[0].kill()
        traffic.goes_on()
        nodes.nodes[0].start(nodes.nodes[0].site.port, nodes.nodes[0].site.admin_port)
    assert {status for method, status in traffic.answers if method == "GET"} == {200}
    failed = sum(count for (_, status), count in traffic.answers.items() if status != 200)
    assert failed <= CLIENTS, traffic.answers
