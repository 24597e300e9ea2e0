"""Rotation: a new secret under the same key id, at most two valid at a time, each until its stated end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin import keys as operator_keys
from bedesten.admin.keys import Grace
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import rotation, usage
from bedesten.apikeys.actions import CURRENT, PREVIOUS
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import DAY, HOUR, MINUTE, wire_time
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.store.sql import cross_tenant
from bedesten.store.tables import idempotency
from bedesten.store.transaction import SystemTransaction
from tests.apikeys.cluster import START, Answer, Cluster, IssuedKey

REFUSED = errors.KEY_REFUSED.number
_STORED_ANSWERS = cross_tenant(idempotency.select())


def refused(work: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        work()
    return caught.value.code.number


# --- by the operator ---


@pytest.mark.requirement(141)
def test_the_new_secret_is_valid_first_and_the_old_one_ends_to_the_millisecond(
    cluster: Cluster,
) -> None:
    old = cluster.make()
    assert cluster.answers(old.text) == [200, 200]
    new = cluster.rotate(old, HOUR)
    assert new.text != old.text
    assert new.text.startswith("ak_live_")
    assert cluster.answers(old.text, new.text) == [200] * 4
    cluster.clock.now = START + HOUR - 1
    assert cluster.answers(old.text, new.text) == [200] * 4
    cluster.clock.now = START + HOUR
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_without_a_grace_the_old_secret_is_dead_at_once_in_every_process(cluster: Cluster) -> None:
    old = cluster.make()
    assert cluster.answers(old.text) == [200, 200]
    new = cluster.rotate(old, 0)
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2
    assert list(cluster.secrets(old)) == [CURRENT]


def test_a_second_rotation_during_the_grace_ends_the_oldest_secret_at_once(cluster: Cluster) -> None:
    first = cluster.make()
    second = cluster.rotate(first)
    assert cluster.answers(first.text, second.text) == [200] * 4
    third = cluster.rotate(second)
    assert cluster.answers(first.text, second.text, third.text) == [REFUSED, 200, 200] * 2
    assert sorted(cluster.secrets(first)) == [CURRENT, PREVIOUS]


def test_the_grace_can_begin_with_the_first_use_of_the_new_secret(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old, HOUR, from_first_use=True)
    cluster.clock.now += 40 * DAY
    assert cluster.answers(old.text) == [200, 200]
    assert cluster.secrets(old)[PREVIOUS].expires is None
    assert cluster.answers(new.text) == [200, 200]
    assert cluster.secrets(old)[PREVIOUS].expires == START + 40 * DAY + HOUR
    cluster.clock.now += HOUR - 1
    assert cluster.answers(old.text) == [200, 200]
    cluster.clock.now += 1
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_a_zero_grace_from_first_use_ends_the_old_secret_with_that_request(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old, 0, from_first_use=True)
    assert cluster.answers(old.text) == [200, 200]
    assert cluster.run(cluster.first.status(new.text)) == 200
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2


def test_many_simultaneous_first_uses_set_one_end_and_are_all_accepted(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old, HOUR, from_first_use=True)

    async def story() -> list[int]:
        calls = [process.status(new.text) for process in (cluster.first, cluster.second) for _ in range(10)]
        return await asyncio.gather(*calls)

    assert cluster.run(story()) == [200] * 20
    assert cluster.secrets(old)[PREVIOUS].expires == START + HOUR
    cluster.clock.now += MINUTE
    assert cluster.answers(new.text) == [200, 200]
    assert cluster.secrets(old)[PREVIOUS].expires == START + HOUR


def test_the_first_use_is_written_once_and_later_uses_write_nothing(cluster: Cluster) -> None:
    new = cluster.rotate(cluster.make(), HOUR, from_first_use=True)
    before = cluster.changes()
    assert cluster.answers(new.text) == [200, 200]
    after = cluster.changes()
    assert after == before + 2, "both secrets have changed"
    assert cluster.answers(new.text, new.text) == [200] * 4
    assert cluster.changes() == after


def test_the_keys_own_expiry_still_limits_both_secrets(cluster: Cluster) -> None:
    old = cluster.make(expires=START + 10 * MINUTE)
    new = cluster.rotate(old, HOUR)
    cluster.clock.now = START + 10 * MINUTE - 1
    assert cluster.answers(old.text, new.text) == [200] * 4
    cluster.clock.now += 1
    assert cluster.answers(old.text, new.text) == [REFUSED] * 4


def test_an_ended_key_cannot_be_rotated(cluster: Cluster) -> None:
    revoked, expired = cluster.make(), cluster.make(expires=START + 1)
    cluster.revoke(revoked)
    cluster.clock.now += 1
    for key in (revoked, expired):
        assert refused(lambda key=key: cluster.rotate(key)) == errors.CONFLICT.number  # type: ignore[misc]
    assert refused(lambda: cluster.rotate(IssuedKey("key_none", ""))) == errors.NOT_FOUND.number


@pytest.mark.parametrize("grace", [-1, 30 * DAY + 1])
def test_the_grace_is_thirty_days_at_most(cluster: Cluster, grace: int) -> None:
    key = cluster.make()
    assert refused(lambda: cluster.rotate(key, grace)) == errors.BAD_REQUEST.number
    assert cluster.answers(key.text) == [200, 200]


def test_the_previous_secret_can_be_ended_on_its_own(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old)
    assert cluster.answers(old.text) == [200, 200]
    assert cluster.revoke(old, previous_only=True)
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2
    assert not cluster.revoke(old, previous_only=True)
    assert cluster.answers(new.text) == [200, 200]


def test_revoking_a_key_during_its_grace_ends_both_secrets(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old)
    assert cluster.answers(old.text, new.text) == [200] * 4
    assert cluster.revoke(old)
    assert cluster.answers(old.text, new.text) == [REFUSED] * 4
    assert cluster.secrets(old) == {}


def test_a_sandbox_rotates_to_a_test_key(cluster: Cluster) -> None:
    play = cluster.new_tenant("play.example", sandbox=True)
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), play)
    key = cluster.make(tenant=play, owner=owner, sandbox=True)
    secret = cluster.within(lambda tx: rotation.rotate(tx, cluster.keyring, key.id, 0, False, OPERATOR), play)
    assert secret.reveal().startswith("ak_test_")
    assert cluster.run(cluster.first.status(secret.reveal(), host="play.example")) == 200


def test_simultaneous_rotations_leave_at_most_two_secrets_and_the_last_one_works(cluster: Cluster) -> None:
    key = cluster.make()
    keyring = cluster.keyring

    async def story() -> list[str]:
        stores = (cluster.first.services.store, cluster.second.services.store)
        made = await asyncio.gather(*(
            stores[at % 2].write(cluster.tenant, rotation.rotate, keyring, key.id, HOUR, False, OPERATOR)
            for at in range(8)
        ))  # fmt: skip
        return [secret.reveal() for secret in made]

    made = cluster.run(story())
    assert len(set(made)) == 8
    assert sorted(cluster.secrets(key)) == [CURRENT, PREVIOUS]
    alive = [text for text in made if cluster.run(cluster.first.status(text)) == 200]
    assert len(alive) == 2
    (current,) = (
        text for text in alive if keyring.key_digest(cluster.tenant, text) == cluster.secrets(key)[CURRENT].digest
    )
    (listed,) = cluster.listed()
    assert listed["hint"] == f"ak_live_…{current[-4:]}"


def test_a_revocation_concurrent_with_rotations_leaves_no_valid_secret(cluster: Cluster) -> None:
    key = cluster.make()
    keyring = cluster.keyring

    async def story() -> list[object]:
        one, other = cluster.first.services.store, cluster.second.services.store
        return list(
            await asyncio.gather(
                one.write(cluster.tenant, rotation.rotate, keyring, key.id, HOUR, False, OPERATOR),
                other.write(cluster.tenant, api_keys.revoke, key.id, OPERATOR),
                one.write(cluster.tenant, rotation.rotate, keyring, key.id, HOUR, False, OPERATOR),
                return_exceptions=True,
            )
        )

    outcomes = cluster.run(story())
    assert True in outcomes
    assert cluster.secrets(key) == {}
    made = [one.reveal() for one in outcomes if isinstance(one, Secret)]
    assert cluster.answers(key.text, *made) == [REFUSED] * (2 + 2 * len(made))


# --- by the holder ---


def rotated(cluster: Cluster, key: str, **body: object) -> IssuedKey:
    data = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", key, body)).data
    return IssuedKey(data["id"], data["key"])


def test_a_holder_rotates_its_own_key_with_an_hour_of_grace(cluster: Cluster) -> None:
    old = cluster.make()
    answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", old.text))
    assert set(answer.data) == {"id", "key", "hint", "previous"}
    assert answer.data["id"] == old.id
    assert answer.data["hint"] == f"ak_live_…{answer.data['key'][-4:]}"
    assert answer.data["previous"] == {"ends": "2027-01-15T09:00:00Z"}
    assert cluster.answers(old.text, answer.data["key"]) == [200] * 4
    cluster.clock.now += HOUR
    assert cluster.answers(old.text, answer.data["key"]) == [REFUSED, 200] * 2


def test_a_holder_may_choose_the_grace(cluster: Cluster) -> None:
    key = cluster.make()
    answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", key.text, {"graceSeconds": 0}))
    assert answer.data["previous"] is None
    assert cluster.answers(key.text, answer.data["key"]) == [REFUSED, 200] * 2
    waiting = cluster.run(cluster.second.post("/Supplier/Keys/Rotate", answer.data["key"], {"fromFirstUse": True}))
    assert waiting.data["previous"] == {"ends": None}


@pytest.mark.parametrize("grace", [-1, 2_592_001, "60", 1.5])
def test_an_invalid_grace_is_refused_and_its_field_named(cluster: Cluster, grace: object) -> None:
    key = cluster.make()
    answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", key.text, {"graceSeconds": grace}))
    assert (answer.status, answer.code) == (400, errors.BAD_REQUEST.number)
    assert [one["field"] for one in answer.body["errors"]] == ["graceSeconds"]
    assert cluster.answers(key.text) == [200, 200]


def hint(cluster: Cluster, key: str) -> str:
    """Returns the hint of the current secret that `Keys/Get` shows to the holder of this secret."""
    shown: str = cluster.run(cluster.second.post("/Supplier/Keys/Get", key)).data["hint"]
    return shown


def test_after_a_lost_response_the_old_secret_can_rotate_again(
    cluster: Cluster,
) -> None:
    old = cluster.make()
    lost = [rotated(cluster, old.text)]
    lost.append(rotated(cluster, old.text, replaces=hint(cluster, old.text)))
    cluster.clock.now += HOUR - 1
    new = rotated(cluster, old.text, replaces=hint(cluster, old.text))
    assert cluster.answers(*(one.text for one in lost)) == [REFUSED] * 4
    assert cluster.answers(old.text, new.text) == [200] * 4
    cluster.clock.now += 1
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2, "the end of the old secret was never put off"


def test_an_idempotency_key_never_makes_the_server_store_a_secret(cluster: Cluster) -> None:
    old = cluster.make()
    answers = [
        cluster.run(cluster.first.post("/Supplier/Keys/Rotate", old.text, idempotency_key="r-1")) for _ in range(2)
    ]
    assert [answer.code for answer in answers] == [None, errors.CONFLICT.number]
    assert cluster.answers(old.text, answers[0].data["key"]) == [200] * 4
    assert cluster.installation.store.read_now(lambda tx: tx.all(_STORED_ANSWERS)) == []


def test_the_old_secret_cannot_rotate_once_the_new_one_is_in_use(cluster: Cluster) -> None:
    old = cluster.make()
    new = rotated(cluster, old.text)
    assert cluster.run(cluster.second.status(new.text)) == 200
    for body in ({}, {"replaces": hint(cluster, old.text)}):
        answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", old.text, body))
        assert (answer.status, answer.code) == (409, errors.CONFLICT.number)
    assert cluster.answers(old.text, new.text) == [200] * 4


def test_the_new_secret_rotates_again_and_ends_the_oldest(cluster: Cluster) -> None:
    first = cluster.make()
    second = rotated(cluster, first.text)
    third = rotated(cluster, second.text)
    assert cluster.answers(first.text, second.text, third.text) == [REFUSED, 200, 200] * 2


@pytest.mark.parametrize("more", [{}, {"graceSeconds": 0}, {"fromFirstUse": True}])
def test_of_six_rotations_at_the_same_moment_one_succeeds_and_its_secret_works(
    cluster: Cluster, more: dict[str, object]
) -> None:
    old = cluster.make()

    async def story() -> list[Answer]:
        processes = (cluster.first, cluster.second)
        return await asyncio.gather(
            *(processes[at % 2].post("/Supplier/Keys/Rotate", old.text, more) for at in range(6))
        )

    answers = cluster.run(story())
    (made,) = [answer.data["key"] for answer in answers if answer.status == 200]
    late = {errors.CONFLICT.number} if more != {"graceSeconds": 0} else {errors.CONFLICT.number, REFUSED}
    assert {answer.code for answer in answers if answer.status != 200} <= late
    assert cluster.answers(made) == [200, 200]


def test_a_rotation_that_names_a_secret_other_than_the_current_one_does_nothing(cluster: Cluster) -> None:
    first = cluster.make()
    named = hint(cluster, first.text)
    second = rotated(cluster, first.text, replaces=named)
    answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", second.text, {"replaces": named}))
    assert (answer.status, answer.code) == (409, errors.CONFLICT.number)
    assert [one["field"] for one in answer.body["errors"]] == ["replaces"]
    assert cluster.answers(first.text, second.text) == [200] * 4


def test_every_door_tells_the_earlier_end_of_a_key_and_its_old_secret(cluster: Cluster) -> None:
    """The key ends in an hour and the grace in a day, then the other way round."""

    def used(key: IssuedKey) -> dict[str, Any]:
        return cluster.within(lambda tx: usage.key_usage(tx, key.id))

    for life, grace, earlier in ((HOUR, DAY, HOUR), (DAY, HOUR, HOUR)):
        key = cluster.make(expires=START + life)
        answer = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", key.text, {"graceSeconds": grace // 1000}))
        outcome = {"ends": wire_time(START + earlier)}
        assert answer.data["previous"] == outcome
        assert cluster.run(cluster.second.post("/Supplier/Keys/Get", key.text)).data["previous"] == outcome
        assert next(one for one in cluster.listed() if one["id"] == key.id)["previous"] == outcome
        assert [one["ends"] for one in used(key)["secrets"]][1:] == [outcome["ends"]]
    by_operator = cluster.make(expires=START + HOUR)

    def turn(tx: SystemTransaction) -> operator_keys.Rotation:
        return operator_keys.rotate(tx, cluster.keyring, by_operator.id, Grace(DAY), end_previous=False)

    assert cluster.installation.store.write_now(turn).ends == START + HOUR


def test_rotating_without_its_grant_is_refused_and_nothing_is_done(cluster: Cluster) -> None:
    narrow = cluster.make(grants=["products:read"])
    for path in ("Rotate", "Revoke", "Get"):
        answer = cluster.run(cluster.first.post(f"/Supplier/Keys/{path}", narrow.text))
        assert (answer.status, answer.code) == (403, errors.NOT_GRANTED.number)
    assert cluster.answers(narrow.text) == [200, 200]
    assert list(cluster.secrets(narrow)) == [CURRENT]
    able = cluster.make(grants=["keys:manage"])
    assert cluster.run(cluster.first.post("/Supplier/Keys/Get", able.text)).status == 200


def test_payment_keys_have_the_same_three_operations(cluster: Cluster) -> None:
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.PAYMENT, "Pay"))
    key, other = (cluster.make(surface=Surface.PAYMENT, owner=owner) for _ in range(2))

    async def story() -> list[int | None]:
        new = (await cluster.first.post("/Payment/Keys/Rotate", key.text)).data["key"]
        outcomes = [(await cluster.second.post("/Payment/Keys/Get", one)).code for one in (key.text, new)]
        assert (await cluster.first.post("/Payment/Keys/Revoke", new)).data == {"id": key.id, "revoked": True}
        outcomes += [(await cluster.second.post("/Payment/Keys/Get", one)).code for one in (key.text, new)]
        return [*outcomes, (await cluster.first.post("/Supplier/Keys/Get", other.text)).code]

    assert cluster.run(story()) == [None, None, REFUSED, REFUSED, errors.NOT_GRANTED.number]


def test_a_rotation_writes_audit_rows_without_a_secret(cluster: Cluster) -> None:
    old = cluster.make()
    new = rotated(cluster, old.text, graceSeconds=60, fromFirstUse=True)
    cluster.answers(new.text)
    rows = cluster.trail()
    outcome = [row for row in rows if row.action.startswith("key.rotate")]
    assert [(row.action, row.actor, row.subject) for row in outcome] == [
        ("key.rotate", cluster.owner, old.id), ("key.rotate.used", cluster.owner, old.id),
    ]  # fmt: skip
    assert all(str(row.request_id).startswith("req_") for row in outcome)
    assert old.text not in str(rows)
    assert new.text not in str(rows)
