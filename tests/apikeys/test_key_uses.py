"""The last use of each secret: noted in memory, written beside the requests, and enough to know who breaks."""

import asyncio
from typing import Any

import pytest
import structlog

from bedesten.apikeys import usage
from bedesten.core.clock import HOUR, MINUTE, SECOND
from bedesten.http import key_usage
from tests.apikeys.hall import AGENT, START, Hall, Process
from tests.store.raw import raw


def write(hall: Hall, process: Process | None = None, *, everything: bool = False) -> None:
    """What the task beside the requests does when its time has come."""
    one = process or hall.first
    hall.run(one.services.key_usage.write(None if everything else hall.clock.now))


def call(hall: Hall, key: str, times: int = 1, process: Process | None = None, **more: Any) -> None:
    async def story() -> None:
        for _ in range(times):
            assert await (process or hall.first).status(key, **more) == 200

    hall.run(story())


def test_a_use_is_known_by_time_address_program_and_count(hall: Hall) -> None:
    key = hall.make()
    call(hall, key.text, 3, address="198.51.100.7")
    hall.clock.now += 5 * SECOND
    call(hall, key.text, address="203.0.113.9", agent="other/1")
    assert hall.usage(key)["current"]["lastUsed"] is None, "nothing is written with the request"
    write(hall)
    assert hall.usage(key) == {
        "current": {
            "secret": "current", "live": True, "ends": None, "lastUsed": "2027-01-15T08:00:05Z", "uses": 4,
            "address": "203.0.113.9", "userAgent": "other/1",
        }
    }  # fmt: skip


def test_uses_of_several_processes_are_added_up_and_the_latest_tells_from_where(hall: Hall) -> None:
    key = hall.make()
    call(hall, key.text, 2, hall.first, address="198.51.100.1")
    hall.clock.now += SECOND
    call(hall, key.text, 3, hall.second, address="198.51.100.2")
    write(hall, hall.second)
    write(hall, hall.first)
    told = hall.usage(key)["current"]
    assert (told["uses"], told["address"], told["lastUsed"]) == (5, "198.51.100.2", "2027-01-15T08:00:01Z")


def test_who_breaks_is_told_for_each_secret_apart(hall: Hall) -> None:
    old = hall.make()
    call(hall, old.text, 2, address="198.51.100.1", agent="cron/1")
    write(hall, everything=True)
    new = hall.rotate(old, HOUR)
    hall.clock.now += MINUTE
    call(hall, new.text, address="198.51.100.2", agent="shop/2")
    write(hall, everything=True)
    told = hall.usage(old)
    assert [(name, one["uses"], one["address"], one["userAgent"]) for name, one in told.items()] == [
        ("current", 1, "198.51.100.2", "shop/2"), ("previous", 2, "198.51.100.1", "cron/1"),
    ]  # fmt: skip
    assert (told["previous"]["live"], told["previous"]["ends"]) == (True, "2027-01-15T09:00:00Z")
    hall.revoke(old, previous_only=True)
    assert (hall.usage(old)["previous"]["live"], hall.usage(old)["previous"]["uses"]) == (False, 2)


def test_a_use_that_was_noted_before_a_rotation_is_written_for_the_secret_that_made_it(hall: Hall) -> None:
    old = hall.make()
    call(hall, old.text, address="198.51.100.1")
    new = hall.rotate(old)
    write(hall, everything=True)
    assert list(hall.usage(old)) == ["current", "previous"]
    assert hall.usage(old)["current"]["uses"] == 0
    assert hall.usage(old)["previous"]["address"] == "198.51.100.1"
    newest = hall.rotate(new)
    call(hall, newest.text)
    write(hall, everything=True)
    assert hall.usage(old)["previous"]["uses"] == 0


def test_the_last_uses_before_a_revocation_are_not_lost(hall: Hall) -> None:
    key = hall.make()
    call(hall, key.text, 2, address="198.51.100.66")
    hall.revoke(key)
    write(hall, everything=True)
    told = hall.usage(key)["current"]
    assert (told["live"], told["uses"], told["address"]) == (False, 2, "198.51.100.66")


def test_refused_requests_are_not_uses(hall: Hall) -> None:
    key = hall.make(grants=["products:read"])

    async def story() -> None:
        assert (await hall.first.post("/Supplier/Orders/Awaiting", key.text)).status == 403
        assert await hall.first.status("ak_live_" + "5" * 32) == -23

    hall.run(story())
    write(hall, everything=True)
    assert hall.usage(key)["current"]["uses"] == 0


def test_r109_one_secret_is_written_once_a_minute_at_most(hall: Hall) -> None:
    key, written = hall.make(), []
    for second in range(0, 130, 10):
        hall.clock.now = START + second * SECOND
        call(hall, key.text)
        write(hall)
        written.append(hall.usage(key)["current"]["uses"])
    assert written == [1] * 6 + [7] * 6 + [13]


def test_the_end_of_a_process_writes_everything(hall: Hall) -> None:
    key = hall.make()

    async def story() -> None:
        hall.first.services.key_usage.start()
        for _ in range(2):
            assert await hall.first.status(key.text) == 200
            await hall.first.services.key_usage.write(hall.clock.now)
        await hall.first.services.key_usage.stop()

    hall.run(story())
    assert hall.usage(key)["current"]["uses"] == 2


def test_the_task_beside_the_requests_writes_by_itself(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_usage, "WRITE_INTERVAL_S", 0.01)
    key = hall.make()

    async def story() -> None:
        hall.first.services.key_usage.start()
        assert await hall.first.status(key.text) == 200
        while hall.usage(key)["current"]["uses"] == 0:
            await asyncio.sleep(0.01)

    hall.run(asyncio.wait_for(story(), 30))
    assert hall.usage(key)["current"]["userAgent"] == AGENT


def test_memory_is_bounded_and_what_did_not_fit_is_noted_again_after_a_writing(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "MAX_PENDING", 3)
    made = [hall.make() for _ in range(5)]
    for key in made:
        call(hall, key.text)
    write(hall)
    assert [hall.usage(key)["current"]["uses"] for key in made] == [1, 1, 1, 0, 0]
    for key in made[3:]:
        call(hall, key.text)
    write(hall)
    assert [hall.usage(key)["current"]["uses"] for key in made] == [1, 1, 1, 1, 1]


def test_what_the_store_does_not_take_is_kept_for_the_next_time(sqlite_hall: Hall) -> None:
    hall = sqlite_hall
    key = hall.make()
    call(hall, key.text, 2)
    with raw(hall.installation.settings) as store:
        store.run("ALTER TABLE key_uses RENAME TO elsewhere")
        with structlog.testing.capture_logs() as logged:
            write(hall)
        call(hall, key.text)
        store.run("ALTER TABLE elsewhere RENAME TO key_uses")
    assert [one["event"] for one in logged if one["log_level"] == "warning"] == ["uses-not-written"]
    write(hall)
    assert hall.usage(key)["current"]["uses"] == 3


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, ""),
        (b"", ""),
        ("x" * 5_000, "x" * 200),
        (b"line\r\nbreak \x1b[31mred\x00", "linebreak [31mred"),
        ("Grüße/1".encode(), "Grüße/1"),
        (b"\xff\xfe", "��"),
        ("ａ".encode() * 1_000, "ａ" * 200),
    ],
)
def test_a_user_agent_is_kept_as_200_printable_characters_at_most(
    hall: Hall, sent: str | bytes | None, kept: str
) -> None:
    key = hall.make()
    call(hall, key.text, agent=sent)
    write(hall)
    assert hall.usage(key)["current"]["userAgent"] == kept


def test_a_note_for_another_tenants_key_is_written_nowhere_else(hall: Hall) -> None:
    key = hall.make()
    call(hall, key.text)
    write(hall)
    away = hall.new_tenant("away.example")
    assert hall.within(lambda tx: usage.last_uses(tx, key.id), away) == {}


def test_the_trail_and_the_log_hold_no_address_of_a_use(hall: Hall) -> None:
    key = hall.make()
    with structlog.testing.capture_logs() as logged:
        call(hall, key.text, address="198.51.100.77")
        write(hall)
    assert "198.51.100.77" not in str(logged) + str(hall.trail())
