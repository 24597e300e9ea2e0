"""Three nodes on one database behind nginx: killed, stopped, and with wrong clocks."""

import contextlib
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.core.clock import system_clock
from bedesten.gate.scopes import Surface
from tests.crash.test_crash import children
from tests.edge.cluster import EdgeCluster, edge_cluster
from tests.edge.test_edge_restart import Node
from tests.silence.load import more_answers
from tests.support.client import Client, api_key, bearer
from tests.support.metrics import ask, until
from tests.support.pausing import paused

pytestmark = [pytest.mark.slow, pytest.mark.external]

WRONG_S = 300


def every_process(node: Node) -> list[int]:
    """The processes of a node, the supervisor first: once stopped, it does not replace processes stopped after it."""
    return [node.site.process.pid, *children(node.site.process.pid)]


@contextlib.contextmanager
def stopped(node: Node) -> Iterator[None]:
    """Pauses a node: its kernel still accepts connections, but the node answers nothing."""
    with paused(*every_process(node)):
        yield


def restart(node: Node) -> None:
    """Kills all processes of a node, and starts it again on its ports."""
    node.kill()
    node.start(node.site.port, node.site.admin_port)


def test_kill_9_of_any_process_of_three_nodes_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random("three nodes")
    with edge_cluster(tmp_path) as cluster, cluster.under_load() as traffic:
        for node in cluster.nodes:
            for _ in range(2):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(every_process(node)[1:]), signal.SIGKILL)
                more_answers(traffic, 10)
            restart(node)
            more_answers(traffic, 10)


def test_a_node_that_is_paused_and_resumed_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """When resumed it executes the requests that it had read, which its clients have sent to another node meanwhile."""
    with edge_cluster(tmp_path) as cluster, cluster.under_load() as traffic:
        for node in cluster.nodes:
            with stopped(node):
                more_answers(traffic, 20)
            more_answers(traffic, 10)
        assert traffic.sent_again > 0


def test_nodes_five_minutes_fast_or_slow_report_it_revoke_at_once_and_lose_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    with edge_cluster(tmp_path, (0, WRONG_S, -WRONG_S)) as cluster:
        log_in_long_ago(cluster)
        with cluster.under_load() as traffic:
            right, *wrong = cluster.nodes
            assert until(lambda: ask(right.site.admin_port, "/health/ready")[0] == 200)
            for node in wrong:
                status, _, body = ask(node.site.admin_port, "/health/ready")
                assert (status, b"clock is far from the database" in body) == (503, True)
            revoked_everywhere(cluster)
            more_answers(traffic, 30)
            revoked_everywhere(cluster)
        fresh = bearer(cluster.shop.token(Surface.RESELLER, cluster.shop.partner))
        verdicts = [
            Client(node.site.port, cluster.shop.host, fresh).get("/Account/Details").verdict for node in cluster.nodes
        ]
        assert verdicts == [(200, None), (200, None), (401, -21)], "a slow node takes it for one from the future"


def log_in_long_ago(cluster: EdgeCluster) -> None:
    """Gives the shop's callers bearer tokens that were issued before the slowest node's present."""
    shop, operator = cluster.shop, cluster.operator
    issued = system_clock() // 1000 - 2 * WRONG_S
    shop.partner_token = operator.mint(operator.claims(shop.id, Surface.RESELLER, shop.partner, issued=issued))
    claims = operator.claims(shop.id, Surface.STOREFRONT, shop.customer, issued=issued)
    shop.customer_token = operator.signed_in(claims)


def revoked_everywhere(cluster: EdgeCluster) -> None:
    """Asserts that every node refuses an API key that it has accepted, as soon as its revocation returns."""
    shop, operator = cluster.shop, cluster.operator
    key = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    clients = [Client(node.site.port, shop.host, api_key(key.text)) for node in cluster.nodes]
    assert [one.post("/Supplier/Products/List", {}).status for one in clients] == [200] * len(clients)
    operator.revoke_key(shop.id, key)
    assert [one.post("/Supplier/Products/List", {}).verdict for one in clients] == [(401, -23)] * len(clients)
    for one in clients:
        one.close()
