"""Expiry: to the millisecond, warned of three times, and what is long over is put away."""

import asyncio
import json

import pytest

from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import expiry
from bedesten.core.clock import DAY, HOUR
from bedesten.server import worker
from tests.apikeys.hall import START, Hall, Made

REFUSED = -23


def warned(hall: Hall) -> list[tuple[str, int]]:
    """What the clock has to say now: key ids with the days that are left."""
    return [(key.key_id, days) for key, days in hall.installation.store.write_now(expiry.warn)]


def told(hall: Hall) -> list[tuple[str, int]]:
    """The warnings in the trail."""
    rows = [row for row in hall.trail() if row.action == "key.expiring"]
    assert all(row.actor == "clock" for row in rows)
    return [(row.subject, json.loads(row.detail)["days"]) for row in rows]


def test_r108_a_key_is_good_until_its_expiry_and_dead_at_that_very_moment(hall: Hall) -> None:
    key = hall.make(expires=START + 2_000)
    assert hall.answers(key.text) == [200, 200]
    hall.clock.now = START + 1_999
    assert hall.answers(key.text) == [200, 200]
    hall.clock.now = START + 2_000
    assert hall.answers(key.text) == [REFUSED, REFUSED]
    hall.clock.now = START + 1_999
    assert hall.answers(key.text) == [200, 200], "the clock rules, in either direction"
    hall.clock.now = START + 30 * DAY
    assert hall.answers(key.text) == [REFUSED, REFUSED]


def test_a_key_is_warned_of_once_when_thirty_seven_and_one_days_remain(hall: Hall) -> None:
    key = hall.make(expires=START + 40 * DAY)
    expected: list[tuple[str, int]] = []
    for left, days in ((30, 30), (7, 7), (1, 1)):
        hall.clock.now = START + (40 - left) * DAY - 1
        assert warned(hall) == []
        hall.clock.now += 1
        assert warned(hall) == [(key.id, days)]
        hall.clock.now += HOUR
        assert warned(hall) == []
        expected.append((key.id, days))
        assert told(hall) == expected
    hall.clock.now = START + 40 * DAY
    assert warned(hall) == []


def test_a_worker_that_was_away_gives_only_the_nearest_warning(hall: Hall) -> None:
    key = hall.make(expires=START + 40 * DAY)
    hall.clock.now = START + 40 * DAY - HOUR
    assert warned(hall) == [(key.id, 1)]
    assert warned(hall) == []


@pytest.mark.parametrize(("days", "first"), [(40, 30), (20, 7), (7, 1), (3, 1)])
def test_a_key_that_was_made_with_less_time_is_not_warned_of_what_it_never_had(
    hall: Hall, days: int, first: int
) -> None:
    key = hall.make(expires=START + days * DAY)
    assert warned(hall) == []
    hall.clock.now = START + (days - first) * DAY
    assert warned(hall) == [(key.id, first)]


def test_keys_that_never_expire_were_revoked_or_have_expired_are_not_warned_of(hall: Hall) -> None:
    hall.make()
    hall.make(expires=START + DAY // 2)
    revoked = hall.make(expires=START + 20 * DAY)
    hall.revoke(revoked)
    hall.clock.now = START + 19 * DAY + 1
    assert warned(hall) == []


def test_two_workers_at_once_give_one_warning(hall: Hall) -> None:
    key = hall.make(expires=START + 40 * DAY)
    hall.clock.now = START + 35 * DAY

    async def story() -> list[int]:
        stores = (hall.first.services.store, hall.second.services.store)
        given = await asyncio.gather(*(stores[at % 2].write_across(expiry.warn) for at in range(6)))
        return [len(one) for one in given]

    assert sorted(hall.run(story())) == [0, 0, 0, 0, 0, 1]
    assert told(hall) == [(key.id, 7)]


def delete_ended(hall: Hall) -> int:
    return hall.installation.store.write_now(expiry.delete_ended)


def test_a_secret_is_put_away_a_week_after_its_end_and_the_key_stays(hall: Hall) -> None:
    lasting, expiring = hall.make(), hall.make(expires=START + HOUR)
    new = hall.rotate(lasting, HOUR)
    hall.clock.now = START + HOUR + 7 * DAY - 1
    assert delete_ended(hall) == 0
    hall.clock.now += 1
    assert delete_ended(hall) == 2
    assert delete_ended(hall) == 0
    assert list(hall.secrets(lasting)) == [api_keys.CURRENT]
    assert hall.secrets(expiring) == {}
    assert {one["id"] for one in hall.listed()} == {lasting.id, expiring.id}
    assert hall.answers(lasting.text, new.text, expiring.text) == [REFUSED, 200, REFUSED] * 2


def test_the_worker_warns_and_puts_away(hall: Hall) -> None:
    warning = hall.make(expires=START + 20 * DAY)
    over = hall.rotate(hall.make(), HOUR)
    hall.clock.now = START + 15 * DAY
    hall.run(worker.maintain_api_keys(hall.installation))
    assert told(hall) == [(warning.id, 7)]
    assert list(hall.secrets(over)) == [api_keys.CURRENT]


def test_rotating_does_not_move_the_keys_expiry(hall: Hall) -> None:
    key = hall.make(expires=START + HOUR)
    new = hall.rotate(key, 20 * DAY)
    (listed,) = hall.listed()
    assert listed["expires"] == "2027-01-15T09:00:00Z"
    hall.clock.now = START + HOUR
    assert hall.answers(Made(key.id, key.text).text, new.text) == [REFUSED] * 4
