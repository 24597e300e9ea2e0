"""Server processes on one store, and real clients that race on them: two nodes, two web workers on SQLite, or three
nodes behind nginx."""

import contextlib
import dataclasses
import itertools
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bedesten.gate.scopes import Surface
from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.edge.cluster import running_nodes
from tests.support.client import Client, Lines, api_key
from tests.support.nginx import Nginx, nginx
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving
from tests.support.wire import Answer

ROUNDS = 12
"""Objects that the two sides of a race use at once."""
WAIT_S = 60

MAX_SHOPS = 40
"""Shops of a module; nginx must know their hosts."""

_numbers = itertools.count(1)


@dataclass
class Call:
    """One request of a race."""

    lines: Lines
    path: str
    body: dict[str, Any]


@dataclass
class Nodes:
    """The server processes, with one shop for each race."""

    installation: Installation
    sites: Sequence[Site]
    operator: Operator
    front: Nginx | None = None
    """The address to connect to instead of the nodes in turn."""
    shop: Shop = field(init=False)

    def open_shop(self, stock: int = 0) -> Shop:
        """Creates a shop with this many codes of the card."""
        self.shop = open_shop(self.sites[0], self.operator, f"race{next(_numbers)}", stock)
        return self.shop

    def call(self, surface: Surface, path: str, **body: object) -> Call:
        """Builds a request of the shop's caller on a surface."""
        return Call(self.shop.lines(surface), path, body)

    def ask(self, surface: Surface, path: str, **body: object) -> Any:
        """Sends a request that must succeed; returns its data."""
        client = self._client(0, self.shop.lines(surface))
        try:
            return client.data(path, body)
        finally:
            client.close()

    def meet(self, *tasks: Call | Callable[[], object]) -> list[Any]:
        """Runs all tasks at the same moment, with requests on both nodes in turn; returns responses and results.

        Every client connects before the race begins.
        """
        start = threading.Barrier(len(tasks))
        with ThreadPoolExecutor(len(tasks)) as threads:
            return list(threads.map(self._run, itertools.count(), tasks, itertools.repeat(start)))

    def _client(self, number: int, lines: Lines) -> Client:
        port = self.sites[number % len(self.sites)].port
        return Client(port, self.shop.host, lines, connect=self.front.connect if self.front else None)

    def _run(self, number: int, task: Call | Callable[[], object], start: threading.Barrier) -> object:
        if not isinstance(task, Call):
            start.wait(WAIT_S)
            return task()
        client = self._client(number, task.lines)
        try:
            client.get("/openapi/reseller.json")
            start.wait(WAIT_S)
            return client.post(task.path, task.body)
        finally:
            client.close()

    def second_supplier(self, name: str = "Best Codes") -> tuple[str, Lines]:
        """Creates another supplier of the shop, and its credential."""
        supplier = self.operator.owner(self.shop.id, Surface.SUPPLIER, name)
        return supplier, api_key(self.operator.key(self.shop.id, Surface.SUPPLIER, supplier).text)


def codes_of(answers: Sequence[Any]) -> Counter[int]:
    """Counts the results: 0 for success, else the error's number. Asserts that the server did not fail."""
    counted = Counter(0 if one.status == 200 else int(one.json["code"]) for one in answers if isinstance(one, Answer))
    assert not {-1, -9} & counted.keys(), counted
    return counted


def wait_until(reached: Callable[[], bool]) -> None:
    """Waits until the servers have done something by themselves."""
    end = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < end, "the servers do nothing"
        time.sleep(0.05)


@contextlib.contextmanager
def two_processes(engine: str, folder: Path) -> Iterator[Nodes]:
    """Two nodes on PostgreSQL with separate data directories; two workers on SQLite. Checks invariants at the end."""
    with contextlib.ExitStack() as stack:
        installation = stack.enter_context(opened(engine, folder))
        sites = [stack.enter_context(serving(installation, folder, 1 if engine == "postgresql" else 2))]
        if engine == "postgresql":
            other = installation.settings.model_copy(update={"data": folder / "second"})
            other.data.mkdir(mode=0o700)
            shutil.copy(installation.settings.secrets_file, other.secrets_file)
            second = dataclasses.replace(installation, settings=other)
            (folder / "logs").mkdir()
            sites.append(stack.enter_context(serving(second, folder / "logs", 1)))
        made = Nodes(installation, sites, Operator(installation))
        yield made
        _assert_sound(made)


@contextlib.contextmanager
def three_behind_nginx(folder: Path) -> Iterator[Nodes]:
    """Three nodes behind nginx, which chooses the node of each request."""
    with running_nodes(folder, (0, 0, 0)) as started:
        sites = [node.site for node in started]
        first, *more = [site.port for site in sites]
        now = next(_numbers)
        hosts = [f"api.race{number}.example" for number in range(now, now + MAX_SHOPS)]
        with nginx(folder / "prefix", first, hosts, more_nodes=more) as front:
            made = Nodes(started[0].installation, sites, Operator(started[0].installation), front)
            yield made
        _assert_sound(made)


def _assert_sound(nodes: Nodes) -> None:
    for site in nodes.sites:
        site.stop()
    assert violations(nodes.installation) == []
    assert [line for site in nodes.sites for line in site.failures()] == []
