"""Failover by a real Patroni with the shipped configuration: three PostgreSQL servers, and callers of all surfaces."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from tests.crash.acknowledged import all_is_as_acknowledged
from tests.crash.traffic import Traffic
from tests.support.client import Client, api_key
from tests.support.operator_actions import Key, Operator
from tests.support.patroni import LEADER, SYNCHRONOUS, Member, Members, eventually, running_members
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site, serving
from tests.support.stock_codes import add_codes

pytestmark = [pytest.mark.slow, pytest.mark.external]

REQUESTS = 40
CODES = 6_000
SOME = 60
"""Answers that show that callers are served again."""
ACCEPTED, REFUSED = (200, None), (401, -23)


@dataclass
class Scene:
    """A server of two workers that knows the addresses of all members, its operator, and running callers."""

    members: Members
    site: Site
    operator: Operator
    shop: Shop
    keys: list[Key]
    traffic: Traffic

    def ask(self, keys: Sequence[Key]) -> Counter[tuple[int, int | None]]:
        """Counts the verdicts on requests with the keys in turn, each on its own connection: any worker may take it."""
        found: Counter[tuple[int, int | None]] = Counter()
        for turn in range(REQUESTS):
            key = keys[turn % len(keys)]
            with contextlib.closing(Client(self.site.port, self.shop.host, api_key(key.text))) as client:
                found[client.post("/Supplier/Keys/Get").verdict] += 1
        return found

    def callers_are_served(self) -> None:
        """Waits until the callers have received more successes."""
        before = self.traffic.acknowledged
        eventually(
            lambda: self.traffic.acknowledged > before + SOME or bool(self.traffic.failures), "callers have answers"
        )

    def revoke(self, key: Key) -> None:
        """Revokes a key that every worker has cached."""
        assert self.ask([key]) == {ACCEPTED: REQUESTS}
        self.operator.revoke_key(self.shop.id, key)

    def all_is_as_acknowledged(self, revoked: Key) -> None:
        """Stops the callers and checks that nothing is lost or stored twice, and that revoked keys are refused."""
        self.traffic.stop()
        assert self.ask([revoked]) == {REFUSED: REQUESTS}
        assert self.ask([key for key in self.keys if key != revoked]) == {ACCEPTED: REQUESTS}
        all_is_as_acknowledged(self.traffic, self.operator.installation)


@pytest.fixture(scope="module")
def members() -> Iterator[Members]:
    """Three PostgreSQL servers under Patroni."""
    with running_members() as made:
        yield made


@pytest.fixture
def scene(members: Members, tmp_path: Path) -> Iterator[Scene]:
    """An open shop with callers; all servers run."""
    eventually(members.complete, "every server runs, and one is synchronous")
    database = fresh("shop").replace("-", "_")
    members.create_database(database)
    settings = Settings(data=tmp_path / "data", database=members.url(database))
    assert initialise(settings)
    installation = open_installation(settings)
    with contextlib.closing(installation.store), serving(installation, tmp_path) as site:
        operator = Operator(installation)
        shop = open_shop(site, operator, "acme", stock=1)
        keys = [operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(3)]
        codes = [f"PATRONI-CODE-{number:05}" for number in range(CODES)]
        operator.within(shop.id, lambda tx: add_codes(tx, installation.cipher, shop.card, codes))
        made = Scene(members, site, operator, shop, keys, Traffic(shop, lambda: site.port, pause_s=0.2))
        made.traffic.start()
        try:
            made.callers_are_served()
            yield made
        finally:
            made.traffic.stop()
        site.stop()
        assert site.failures() == []


def test_a_planned_switchover_under_load_loses_nothing_and_callers_go_on_by_themselves(scene: Scene) -> None:
    members, revoked = scene.members, scene.keys[0]
    old, heir = members.member(LEADER), members.member(SYNCHRONOUS)
    scene.revoke(revoked)
    members.switch_over(old, heir)
    assert members.roles().get(heir.name) == LEADER
    scene.callers_are_served()
    eventually(members.complete, "the old primary is a standby")
    scene.all_is_as_acknowledged(revoked)


def has_what_no_standby_has(leader: Member) -> bool:
    """Whether the leader has written WAL that it has sent to no standby."""
    return leader.rows(
        "SELECT coalesce(bool_and(pg_current_wal_flush_lsn() > sent_lsn), false) FROM pg_stat_replication"
    ) == [(True,)]


def test_a_primary_that_dies_with_its_patroni_costs_nothing_and_comes_back_as_a_synchronous_standby(
    scene: Scene,
) -> None:
    members, revoked = scene.members, scene.keys[0]
    old, heir = members.member(LEADER), members.member(SYNCHRONOUS)
    (third,) = members.members.keys() - {old.name, heir.name}
    scene.revoke(revoked)
    old.stop_sending()
    eventually(lambda: has_what_no_standby_has(old), "the primary has what pg_rewind will undo")
    old.kill()
    eventually(lambda: members.roles().get(heir.name) == LEADER, "Patroni has promoted the synchronous standby")
    scene.callers_are_served()
    assert scene.traffic.sent_again > 0, "requests met the failover"
    assert scene.ask([revoked]) == {REFUSED: REQUESTS}

    before = len(old.lines)
    old.start()
    eventually(members.complete, "the old primary is a standby")
    assert "running pg_rewind from" in old.lines[before:]
    members.members[third].kill()
    eventually(lambda: members.roles().get(old.name) == SYNCHRONOUS, "the old primary is the synchronous standby")
    scene.callers_are_served()
    scene.all_is_as_acknowledged(revoked)
    members.members[third].start()
