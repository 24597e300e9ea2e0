"""Failover: the primary dies, its standby is promoted, and two running servers switch over by themselves.

With a disconnected asynchronous standby, changes are lost: the servers have seen a history that the new primary never
had. With a synchronous one no acknowledged change or revocation is lost, amid requests of all kinds.
"""

import contextlib
import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import StoreUnavailable
from tests.crash.acknowledged import all_is_as_acknowledged
from tests.crash.traffic import Traffic
from tests.support.client import Client, api_key
from tests.support.operator_actions import Key, Operator
from tests.support.postgres_cluster import Cluster, running_cluster, until
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, serving
from tests.support.stock_codes import add_codes

pytestmark = pytest.mark.slow

REQUESTS = 40
Verdict = tuple[int, int | None]
ACCEPTED, REFUSED, UNAVAILABLE = (200, None), (401, -23), (503, -9)


@dataclass
class Failover:
    """The clusters, the servers, and an operator whose commands reach the cluster that accepts writes."""

    primary: Cluster
    standby: Cluster
    nodes: list[Site]
    operator: Operator
    shop: Shop
    keys: list[Key]
    """API keys that both clusters have, and every process has cached."""

    def verdict(self, node: Site, key: Key) -> Verdict:
        """The verdict on a request on its own connection: any process of the node may take it."""
        with contextlib.closing(Client(node.port, self.shop.host, api_key(key.text))) as client:
            return client.post("/Supplier/Keys/Get").verdict

    def ask(self, keys: Sequence[Key]) -> Counter[Verdict]:
        """Counts the verdicts on requests to each node, with the keys in turn."""
        turns = itertools.cycle(keys)
        return Counter(self.verdict(node, next(turns)) for node in self.nodes for _ in range(REQUESTS))

    def accepts(self, node: Site, key: Key) -> bool:
        """Whether the node accepts the key now."""
        return self.verdict(node, key) == ACCEPTED

    def commands_reach_a_primary(self) -> bool:
        """Whether the operator's commands can write now."""
        try:
            self.operator.installation.store.check_writable()
        except StoreUnavailable:
            return False
        return True


@pytest.fixture
def failover(tmp_path: Path) -> Iterator[Failover]:
    """A primary, its standby, and two servers of two workers each, which know the addresses of both clusters."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(running_cluster())
        primary.rows("CREATE DATABASE shop")
        first = Settings(data=tmp_path / "first" / "data", database=primary.url("shop"))
        assert initialise(first)
        standby = primary.standby("standby")
        both = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/shop"
        nodes = []
        for name in ("first", "second"):
            folder = tmp_path / name
            settings = Settings(data=folder / "data", database=both)
            settings.data.mkdir(parents=True, exist_ok=True)
            if name == "second":
                shutil.copy2(first.secrets_file, settings.secrets_file)
            installation = open_installation(settings)
            stack.callback(installation.store.close)
            nodes.append(stack.enter_context(serving(installation, folder)))
        operator = Operator(nodes[0].installation)
        shop = open_shop(nodes[0], operator, "acme", stock=1)
        keys = [operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(6)]
        yield Failover(primary, standby, nodes, operator, shop, keys)
        for node in nodes:
            node.stop()
            assert node.failures() == []


@pytest.mark.requirement(213)
def test_what_is_revoked_after_a_promotion_that_lost_changes_is_refused_on_every_node(failover: Failover) -> None:
    operator, shop = failover.operator, failover.shop
    brought_back, first, *later = failover.keys
    assert failover.ask(failover.keys) == {ACCEPTED: 2 * REQUESTS}
    failover.standby.catch_up(failover.primary)
    failover.standby.cut_off()
    operator.revoke_key(shop.id, brought_back)
    lost = [operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(3)]
    assert failover.ask([brought_back]) == {REFUSED: 2 * REQUESTS}
    assert failover.ask(lost) == {ACCEPTED: 2 * REQUESTS}

    failover.primary.kill()
    failover.standby.promote()
    until(failover.commands_reach_a_primary, "the operator's commands reach the new primary")
    operator.revoke_key(shop.id, first)
    assert failover.ask([first, *lost]).keys() <= {REFUSED, UNAVAILABLE}
    for node in failover.nodes:
        until(partial(failover.accepts, node, later[0]), "the node has found the new primary")
    assert failover.ask([first]) == {REFUSED: 2 * REQUESTS}
    assert failover.ask(lost) == {REFUSED: 2 * REQUESTS}, "the present store has no such keys"
    assert failover.ask([brought_back]) == {ACCEPTED: 2 * REQUESTS}, "its revocation is lost, as the documents say"
    for key in (brought_back, *later):  # one of these reaches the revision that the nodes had seen before
        operator.revoke_key(shop.id, key)
        assert failover.ask([key]) == {REFUSED: 2 * REQUESTS}


@pytest.mark.requirement(213)
def test_a_promotion_of_a_synchronous_standby_loses_nothing_acknowledged_and_nothing_revoked(
    failover: Failover,
) -> None:
    operator, shop, nodes = failover.operator, failover.shop, failover.nodes
    failover.primary.configure(synchronous_standby_names="*")
    until(
        lambda: failover.primary.rows("SELECT sync_state FROM pg_stat_replication") == [("sync",)],
        "the standby is synchronous",
    )
    codes = [f"SYNCHRONOUS-CODE-{number:05}" for number in range(3_000)]
    operator.within(shop.id, lambda tx: add_codes(tx, operator.installation.cipher, shop.card, codes))
    ports = itertools.cycle([node.port for node in nodes])
    traffic = Traffic(shop, lambda: next(ports))
    traffic.start()
    try:
        until(lambda: traffic.acknowledged > 60, "the callers have answers")
        operator.revoke_key(shop.id, failover.keys[0])
        failover.primary.kill()
        before = traffic.acknowledged
        failover.standby.promote()
        until(lambda: traffic.acknowledged > before + 60, "the servers have found the new primary")
    finally:
        traffic.stop()
    assert traffic.sent_again > 0, "requests met the failover"
    assert failover.ask(failover.keys[:1]) == {REFUSED: 2 * REQUESTS}
    assert failover.ask(failover.keys[1:]) == {ACCEPTED: 2 * REQUESTS}
    all_is_as_acknowledged(traffic, operator.installation)
