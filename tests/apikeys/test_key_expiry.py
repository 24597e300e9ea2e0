"""Expiry: exact to the millisecond, with three warnings; secrets that ended long ago are deleted."""

import asyncio
import json

import pytest

from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import expiry
from bedesten.core.clock import DAY, HOUR
from bedesten.server import worker
from tests.apikeys.cluster import START, Cluster, IssuedKey

REFUSED = -23


def warned(cluster: Cluster) -> list[tuple[str, int]]:
    """Returns the warnings that are due now: key ids with the days left."""
    return [(key.key_id, days) for key, days in cluster.installation.store.write_now(expiry.warn)]


def outcome(cluster: Cluster) -> list[tuple[str, int]]:
    """The warnings in the trail."""
    rows = [row for row in cluster.trail() if row.action == "key.expiring"]
    assert all(row.actor == "clock" for row in rows)
    return [(row.subject, json.loads(row.detail)["days"]) for row in rows]


@pytest.mark.requirement(108)
def test_a_key_is_good_until_its_expiry_and_dead_at_that_very_moment(cluster: Cluster) -> None:
    key = cluster.make(expires=START + 2_000)
    assert cluster.answers(key.text) == [200, 200]
    cluster.clock.now = START + 1_999
    assert cluster.answers(key.text) == [200, 200]
    cluster.clock.now = START + 2_000
    assert cluster.answers(key.text) == [REFUSED, REFUSED]
    cluster.clock.now = START + 1_999
    assert cluster.answers(key.text) == [200, 200], "the clock rules, in either direction"
    cluster.clock.now = START + 30 * DAY
    assert cluster.answers(key.text) == [REFUSED, REFUSED]


def test_a_key_is_warned_of_once_each_at_thirty_seven_and_one_days(cluster: Cluster) -> None:
    key = cluster.make(expires=START + 40 * DAY)
    expected: list[tuple[str, int]] = []
    for left, days in ((30, 30), (7, 7), (1, 1)):
        cluster.clock.now = START + (40 - left) * DAY - 1
        assert warned(cluster) == []
        cluster.clock.now += 1
        assert warned(cluster) == [(key.id, days)]
        cluster.clock.now += HOUR
        assert warned(cluster) == []
        expected.append((key.id, days))
        assert outcome(cluster) == expected
    cluster.clock.now = START + 40 * DAY
    assert warned(cluster) == []


def test_a_worker_that_was_down_gives_only_the_nearest_warning(cluster: Cluster) -> None:
    key = cluster.make(expires=START + 40 * DAY)
    cluster.clock.now = START + 40 * DAY - HOUR
    assert warned(cluster) == [(key.id, 1)]
    assert warned(cluster) == []


@pytest.mark.parametrize(("days", "first"), [(40, 30), (20, 7), (7, 1), (3, 1)])
def test_a_key_with_a_short_lifetime_gets_no_warning_for_days_it_never_had(
    cluster: Cluster, days: int, first: int
) -> None:
    key = cluster.make(expires=START + days * DAY)
    assert warned(cluster) == []
    cluster.clock.now = START + (days - first) * DAY
    assert warned(cluster) == [(key.id, first)]


def test_keys_that_never_expire_were_revoked_or_have_expired_are_not_warned_of(cluster: Cluster) -> None:
    cluster.make()
    cluster.make(expires=START + DAY // 2)
    revoked = cluster.make(expires=START + 20 * DAY)
    cluster.revoke(revoked)
    cluster.clock.now = START + 19 * DAY + 1
    assert warned(cluster) == []


def test_two_workers_at_once_write_one_warning(cluster: Cluster) -> None:
    key = cluster.make(expires=START + 40 * DAY)
    cluster.clock.now = START + 35 * DAY

    async def story() -> list[int]:
        stores = (cluster.first.services.store, cluster.second.services.store)
        given = await asyncio.gather(*(stores[at % 2].write_across(expiry.warn) for at in range(6)))
        return [len(one) for one in given]

    assert sorted(cluster.run(story())) == [0, 0, 0, 0, 0, 1]
    assert outcome(cluster) == [(key.id, 7)]


def delete_ended(cluster: Cluster) -> int:
    return cluster.installation.store.write_now(expiry.delete_ended)


def test_a_secret_is_deleted_a_week_after_its_end_and_the_key_stays(cluster: Cluster) -> None:
    lasting, expiring = cluster.make(), cluster.make(expires=START + HOUR)
    new = cluster.rotate(lasting, HOUR)
    cluster.clock.now = START + HOUR + 7 * DAY - 1
    assert delete_ended(cluster) == 0
    cluster.clock.now += 1
    assert delete_ended(cluster) == 2
    assert delete_ended(cluster) == 0
    assert list(cluster.secrets(lasting)) == [api_keys.CURRENT]
    assert cluster.secrets(expiring) == {}
    assert {one["id"] for one in cluster.listed()} == {lasting.id, expiring.id}
    assert cluster.answers(lasting.text, new.text, expiring.text) == [REFUSED, 200, REFUSED] * 2


def test_the_worker_warns_and_deletes_ended_secrets(cluster: Cluster) -> None:
    warning = cluster.make(expires=START + 20 * DAY)
    over = cluster.rotate(cluster.make(), HOUR)
    cluster.clock.now = START + 15 * DAY
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert outcome(cluster) == [(warning.id, 7)]
    assert list(cluster.secrets(over)) == [api_keys.CURRENT]


def test_rotating_does_not_move_the_keys_expiry(cluster: Cluster) -> None:
    key = cluster.make(expires=START + HOUR)
    new = cluster.rotate(key, 20 * DAY)
    (listed,) = cluster.listed()
    assert listed["expires"] == "2027-01-15T09:00:00Z"
    cluster.clock.now = START + HOUR
    assert cluster.answers(IssuedKey(key.id, key.text).text, new.text) == [REFUSED] * 4
