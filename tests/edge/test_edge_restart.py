"""Two nodes on one database behind nginx as we ship it, restarted one after the other while clients go on."""

import contextlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bedesten.server.installation import Installation, open_installation
from tests.store.raw import raw
from tests.support.client import bearer, request_bytes
from tests.support.nginx import Nginx, nginx
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving

pytestmark = [pytest.mark.slow, pytest.mark.external]

CLIENTS = 4
ORDERS_BETWEEN = 8


@dataclass
class Traffic:
    """Clients that order, each by its own reference again until the answer is no 503, and read in between."""

    front: Nginx
    shop: Shop
    over: threading.Event = field(default_factory=threading.Event)
    placed: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def run(self, number: int) -> None:
        """One client, on a fresh connection each time."""
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
        """Waits until some more orders are placed."""
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
            assert status == 503, status

    def _ask(self, method: str, path: str, body: object) -> int:
        with self.front.connect(self.shop.host) as connection:
            lines = bearer(self.shop.partner_token)
            return connection.exchange(request_bytes(method, path, self.shop.host, lines, body)).status


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Installation, Installation]]:
    """One installation on PostgreSQL, as two machines have it."""
    with opened("postgresql", tmp_path / "first") as first:
        settings = first.settings.model_copy(update={"data": tmp_path / "second"})
        settings.data.mkdir(mode=0o700)
        shutil.copy2(first.settings.secrets_file, settings.secrets_file)
        second = open_installation(settings)
        with contextlib.closing(second.store):
            yield first, second


@pytest.mark.timeout(300)
def test_a_rolling_restart_of_two_nodes_loses_nothing(
    shared: tuple[Installation, Installation], tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        nodes: list[contextlib.ExitStack] = []
        sites: list[Site] = []
        for number, installation in enumerate(shared):
            node = stack.enter_context(contextlib.ExitStack())
            nodes.append(node)
            sites.append(node.enter_context(serving(installation, _folder(tmp_path, number), workers=1)))
        ports = [site.port for site in sites]
        shop = open_shop(sites[0], Operator(shared[0]), "rolling")
        front = stack.enter_context(nginx(tmp_path / "prefix", ports[0], [shop.host], second_node=ports[1]))
        traffic = Traffic(front, shop)
        threads = [threading.Thread(target=traffic.run, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            traffic.goes_on()
            for number, (node, site) in enumerate(zip(nodes, sites, strict=True)):
                site.stop()
                node.close()
                node.enter_context(serving(shared[number], _folder(tmp_path, number), workers=1, port=ports[number]))
            traffic.goes_on()
        finally:
            traffic.over.set()
            for thread in threads:
                thread.join()
        assert traffic.faults == []
        assert {status for method, status in traffic.answers if method == "GET"} == {200}
        assert set(traffic.placed.values()) == {1}
        with raw(shared[0].settings) as store:
            found = store.rows("SELECT reference FROM orders WHERE tenant_id = :tenant", tenant=shop.id)
        assert Counter(row[0] for row in found) == traffic.placed


def _folder(tmp_path: Path, number: int) -> Path:
    folder = tmp_path / f"log-{number}"
    folder.mkdir(exist_ok=True)
    return folder
