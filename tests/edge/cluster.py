"""Nodes on one PostgreSQL database behind nginx with our shipped configuration, and callers of all surfaces."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedesten.server.installation import Installation, open_installation
from tests.crash.traffic import Traffic
from tests.edge.test_edge_restart import Node
from tests.silence.load import CODES, running
from tests.support.nginx import Nginx, nginx
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import opened
from tests.support.stock_codes import add_codes
from tests.support.wrong_clock import clock_ahead

READ_TIMEOUT = ("proxy_read_timeout    60s;", "proxy_read_timeout    3s;")
"""Shortens nginx's timeout for a silent node, so that a test need not wait for a minute."""


@contextlib.contextmanager
def installations(folder: Path, count: int) -> Iterator[list[Installation]]:
    """One installation, opened on this many machines."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(opened("postgresql", folder / "node-0"))]
        for number in range(1, count):
            settings = made[0].settings.model_copy(update={"data": folder / f"node-{number}"})
            settings.data.mkdir(mode=0o700)
            shutil.copy2(made[0].settings.secrets_file, settings.secrets_file)
            made.append(open_installation(settings))
            stack.callback(made[-1].store.close)
        yield made


@dataclass
class EdgeCluster:
    """The nodes, nginx in front of them, and the operator."""

    nodes: list[Node]
    front: Nginx
    operator: Operator
    shop: Shop

    @contextlib.contextmanager
    def under_load(self) -> Iterator[Traffic]:
        """Runs callers during the block. Whatever the nodes acknowledged exists exactly once afterwards."""
        shop, operator = self.shop, self.operator
        codes = [f"{shop.host}-{number:05}" for number in range(CODES)]
        operator.within(shop.id, lambda tx: add_codes(tx, operator.installation.cipher, shop.card, codes))
        callers = Traffic(shop, lambda: self.front.tls_port, self.front.connect)
        with running(callers, operator.installation) as traffic:
            yield traffic


@contextlib.contextmanager
def running_nodes(folder: Path, ahead_s: Sequence[int]) -> Iterator[list[Node]]:
    """Nodes whose clocks are ahead by these numbers of seconds."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for number, installation in enumerate(stack.enter_context(installations(folder, len(ahead_s)))):
            log = folder / f"log-{number}"
            log.mkdir()
            node = Node(installation, log, stack.enter_context(contextlib.ExitStack()))
            with clock_ahead(ahead_s[number]):
                node.start()
            nodes.append(node)
        yield nodes


@contextlib.contextmanager
def edge_cluster(folder: Path, ahead_s: Sequence[int] = (0, 0, 0)) -> Iterator[EdgeCluster]:
    """Such nodes behind nginx, with a shop. Asserts afterwards that no node logged a failure."""
    with running_nodes(folder, ahead_s) as nodes:
        operator = Operator(nodes[0].installation)
        shop = open_shop(nodes[0].site, operator, fresh("three"))
        first, *more = [node.site.port for node in nodes]
        with nginx(folder / "prefix", first, [shop.host], [READ_TIMEOUT], more_nodes=more) as front:
            yield EdgeCluster(nodes, front, operator, shop)
        assert [line for node in nodes for line in node.site.failures()] == []
