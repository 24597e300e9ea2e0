"""Revoking a key or one of its secrets: immediate, in every process, idempotent, never across tenants."""

from collections.abc import Callable

import pytest

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import rotation
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import HOUR
from bedesten.errors import Refusal
from bedesten.gate.access import Keyed
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.auth_cache import EMPTY, CacheKey, CacheMiss, Entry, TenantEntry
from bedesten.gate.decide import Credentials
from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.apikeys.cluster import START, Answer, Cluster, IssuedKey, Node

REFUSED = errors.KEY_REFUSED.number
UNKNOWN = "ak_live_" + "5" * 32


def test_a_holder_that_revokes_its_key_is_refused_with_its_very_next_call(cluster: Cluster) -> None:
    key = cluster.make()
    assert cluster.answers(key.text) == [200, 200]

    async def story() -> list[int]:
        done = await cluster.first.post("/Supplier/Keys/Revoke", key.text)
        assert done.data == {"id": key.id, "revoked": True}
        return [await cluster.second.status(key.text), await cluster.first.status(key.text)]

    assert cluster.run(story()) == [REFUSED, REFUSED]
    assert [row.action for row in cluster.trail() if row.actor == cluster.owner] == ["key.revoke"]


def test_a_holder_ends_the_previous_secret_alone_and_a_repeat_changes_nothing(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old)
    body = {"previous": True}
    assert cluster.answers(old.text, new.text) == [200] * 4
    assert cluster.run(cluster.first.post("/Supplier/Keys/Revoke", new.text, body)).data == {
        "id": old.id,
        "revoked": True,
    }
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2
    assert cluster.run(cluster.second.post("/Supplier/Keys/Revoke", new.text, body)).data == {
        "id": old.id,
        "revoked": False,
    }
    assert cluster.answers(new.text) == [200, 200]


def test_a_previous_secret_may_end_itself_and_the_current_one_stays_valid(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old)
    assert cluster.run(cluster.first.post("/Supplier/Keys/Revoke", old.text, {"previous": True})).data["revoked"]
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_a_holder_reaches_its_own_key_and_no_other_of_the_same_owner(cluster: Cluster) -> None:
    mine, other = cluster.make(), cluster.make()

    async def story() -> list[Answer]:
        calls = ("Rotate", {"id": other.id, "key": other.id}), ("Revoke", {"id": other.id, "keyId": other.id})
        named = [await cluster.first.post(f"/Supplier/Keys/{path}", mine.text, body) for path, body in calls]
        return [*named, *[await cluster.first.post(f"/Supplier/Keys/{path}", mine.text, {}) for path, _ in calls]]

    *named, rotated, revoked = cluster.run(story())
    assert [(answer.status, answer.code) for answer in named] == [(400, -2)] * 2
    assert [rotated.data["id"], revoked.data["id"]] == [mine.id, mine.id]
    assert cluster.answers(mine.text, other.text) == [REFUSED, 200] * 2
    assert list(cluster.secrets(other)) == [api_keys.CURRENT]


def test_a_rotation_or_revocation_in_one_process_holds_for_the_others_next_request(cluster: Cluster) -> None:
    async def story() -> list[int]:
        outcome = []
        for first, second in ((cluster.first, cluster.second), (cluster.second, cluster.first)) * 3:
            key = cluster.make()
            outcome.append(await second.status(key.text))
            await first.post("/Supplier/Keys/Rotate", key.text, {"graceSeconds": 0})
            outcome.append(await second.status(key.text))
            other = cluster.make()
            outcome.append(await second.status(other.text))
            await first.post("/Supplier/Keys/Revoke", other.text)
            outcome.append(await second.status(other.text))
        return outcome

    assert cluster.run(story()) == [200, REFUSED] * 12


def test_a_revoked_key_stays_revoked_in_a_process_that_starts_afterwards(cluster: Cluster) -> None:
    key = cluster.make()
    cluster.answers(key.text)
    cluster.revoke(key)
    assert cluster.run(cluster.process().status(key.text)) == REFUSED


@pytest.mark.requirement(142)
def test_revoking_twice_changes_nothing_and_an_unknown_key_is_not_found(cluster: Cluster) -> None:
    key = cluster.make()
    assert cluster.revoke(key)
    changes, rows = cluster.changes(), len(cluster.trail())
    assert not cluster.revoke(key)
    assert not cluster.revoke(key, previous_only=True)
    assert (cluster.changes(), len(cluster.trail())) == (changes, rows)
    with pytest.raises(Refusal) as refused:
        cluster.revoke(IssuedKey("key_00000000000000000000000000", ""))
    assert refused.value.code is errors.NOT_FOUND


@pytest.mark.requirement(110)
def test_another_tenants_key_cannot_be_listed_rotated_revoked_or_looked_at(cluster: Cluster) -> None:
    key = cluster.rotate(cluster.make())
    away = cluster.new_tenant("away.example")
    keyring = cluster.keyring
    works: list[Callable[[], object]] = [
        lambda: cluster.within(lambda tx: api_keys.revoke(tx, key.id, OPERATOR), away),
        lambda: cluster.within(lambda tx: api_keys.revoke(tx, key.id, OPERATOR, previous_only=True), away),
        lambda: cluster.within(lambda tx: rotation.rotate(tx, keyring, key.id, 0, False, OPERATOR), away),
        lambda: cluster.within(lambda tx: api_keys.get(tx, key.id), away),
    ]
    for work in works:
        with pytest.raises(Refusal) as refused:
            work()
        assert refused.value.code is errors.NOT_FOUND
    assert cluster.listed(away) == []
    assert cluster.within(lambda tx: api_keys.secrets_of(tx, key.id), away) == {}
    assert cluster.answers(key.text) == [200, 200]


# --- every refusal alike ---


def refusals(cluster: Cluster) -> dict[str, str | None]:
    """A key for every cause of -23; both processes have cached those that they can."""
    held = {name: cluster.make() for name in ("revoked", "rotated away", "previous ended")}
    held["expired"] = cluster.make(expires=START + 1)
    held["elsewhere"] = cluster.make(networks=["198.51.100.0/24"])
    gone = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Gone"))
    held["disabled"] = cluster.make(owner=gone)
    away = cluster.new_tenant("away.example")
    stranger = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), away)
    held["another tenant's"] = cluster.make(tenant=away, owner=stranger)
    held["in its grace"] = cluster.make()
    cluster.answers(*(key.text for key in held.values()))
    cluster.revoke(held["revoked"])
    cluster.rotate(held["rotated away"], 0)
    cluster.rotate(held["previous ended"])
    cluster.revoke(held["previous ended"], previous_only=True)
    cluster.rotate(held["in its grace"], 1)
    cluster.within(lambda tx: accounts.set_disabled(tx, accounts.find(tx, "supplier", gone), True))
    cluster.clock.now = START + 1
    made: dict[str, str | None] = {name: key.text for name, key in held.items()}
    return made | {"missing": None, "malformed": "ak_live_1", "unknown": UNKNOWN, "the sample": SAMPLE_KEY}


@pytest.mark.requirement(103)
@pytest.mark.parametrize("imports", [False, True], ids=["", "with imported keys"])
def test_every_cause_has_one_answer_and_costs_the_same_look_ups(cluster: Cluster, imports: bool) -> None:
    if imports:
        cluster.import_key("ak_live_" + "7" * 32)
    presented = refusals(cluster)
    cluster.roll_pepper()
    for _ in range(2):  # before and after the process has seen each of them

        async def story() -> dict[str, tuple[Answer, int]]:
            return {
                name: (await cluster.first.post("/Supplier/Products/List", key), await look_ups(cluster.first, key))
                for name, key in presented.items()
            }

        outcome = cluster.run(story())
        (answer,) = {(one.status, one.head, one.raw[: one.raw.index(b"requestId")]) for one, _ in outcome.values()}
        assert (answer[0], outcome["missing"][0].code) == (401, REFUSED)
    assert {name: number for name, (_, number) in outcome.items()} == dict.fromkeys(presented, 4 if imports else 2)


async def look_ups(process: Node, key: str | None) -> int:
    """Counts the digest look-ups in the store until a key is refused."""
    gate, revision_check = process.services.gate, process.services.revision_check
    presented = Credentials([], [] if key is None else [key.encode()], "192.0.2.1")
    access, loaded, asked = Keyed(Surface.SUPPLIER, "products:read"), dict[CacheKey, Entry | None](), 0
    tenant = await _tenant(process)
    while True:
        try:
            gate.authenticate(tenant, access, presented, process.clock(), loaded or EMPTY)
        except CacheMiss as unloaded:
            want = unloaded.key
            asked += len(want.ref) if want.kind == "key" else 0
            loaded[want] = await revision_check.load(want)
        except Refusal:
            return asked


async def _tenant(process: Node) -> TenantEntry:
    entry = process.services.gate.tenant([b"shop.example"])
    assert entry.id
    return entry


def test_a_key_of_a_suspended_tenant_is_refused_like_an_unknown_one(cluster: Cluster) -> None:
    key = cluster.make()
    cluster.answers(key.text)
    cluster.within(lambda tx: tenants.set_suspended(tx, True))
    outcome = [cluster.run(cluster.first.post("/Supplier/Products/List", one)) for one in (key.text, UNKNOWN)]
    assert outcome[0].head == outcome[1].head
    assert [one.code for one in outcome] == [REFUSED, REFUSED]
    assert [cluster.run(look_ups(cluster.first, one)) for one in (key.text, UNKNOWN)] == [1, 1]


def test_a_test_key_does_not_count_in_a_live_tenant_nor_a_live_one_in_a_sandbox(cluster: Cluster) -> None:
    play = cluster.new_tenant("play.example", sandbox=True)
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), play)
    assert cluster.answers(cluster.make(sandbox=True).text) == [REFUSED, REFUSED]
    for sandbox, outcome in ((True, 200), (False, REFUSED)):
        key = cluster.make(tenant=play, owner=owner, sandbox=sandbox)
        assert cluster.run(cluster.first.status(key.text, host="play.example")) == outcome


def test_a_secret_in_its_grace_ends_to_the_millisecond(cluster: Cluster) -> None:
    old = cluster.make()
    cluster.run(cluster.first.post("/Supplier/Keys/Rotate", old.text))
    cluster.clock.now = START + HOUR - 1
    assert cluster.answers(old.text) == [200, 200]
    cluster.clock.now += 1
    assert cluster.answers(old.text) == [REFUSED, REFUSED]
