"""The last use of each secret: kept in memory, written in the background, enough to see whom a revocation breaks."""

import asyncio
from typing import Any

import pytest
import structlog

from bedesten.apikeys import usage
from bedesten.core.clock import HOUR, MINUTE, SECOND
from bedesten.http import key_usage
from tests.apikeys.cluster import AGENT, START, Cluster, Node
from tests.store.raw import raw


def write(cluster: Cluster, process: Node | None = None, *, everything: bool = False) -> None:
    """Writes the recorded uses, as the background task does periodically."""
    one = process or cluster.first
    cluster.run(one.services.key_usage.write(None if everything else cluster.clock.now))


def call(cluster: Cluster, key: str, times: int = 1, process: Node | None = None, **more: Any) -> None:
    async def story() -> None:
        for _ in range(times):
            assert await (process or cluster.first).status(key, **more) == 200

    cluster.run(story())


def test_a_use_is_recorded_with_time_address_user_agent_and_count(cluster: Cluster) -> None:
    key = cluster.make()
    call(cluster, key.text, 3, address="198.51.100.7")
    cluster.clock.now += 5 * SECOND
    call(cluster, key.text, address="203.0.113.9", agent="other/1")
    assert cluster.usage(key)["current"]["lastUsed"] is None, "nothing is written with the request"
    write(cluster)
    assert cluster.usage(key) == {
        "current": {
            "secret": "current", "live": True, "ends": None, "lastUsed": "2027-01-15T08:00:05Z", "uses": 4,
            "address": "203.0.113.9", "userAgent": "other/1",
        }
    }  # fmt: skip


def test_uses_in_several_processes_are_added_up_and_the_latest_gives_the_address(cluster: Cluster) -> None:
    key = cluster.make()
    call(cluster, key.text, 2, cluster.first, address="198.51.100.1")
    cluster.clock.now += SECOND
    call(cluster, key.text, 3, cluster.second, address="198.51.100.2")
    write(cluster, cluster.second)
    write(cluster, cluster.first)
    outcome = cluster.usage(key)["current"]
    assert (outcome["uses"], outcome["address"], outcome["lastUsed"]) == (5, "198.51.100.2", "2027-01-15T08:00:01Z")


def test_the_uses_that_a_revocation_breaks_are_listed_for_each_secret(cluster: Cluster) -> None:
    old = cluster.make()
    call(cluster, old.text, 2, address="198.51.100.1", agent="cron/1")
    write(cluster, everything=True)
    new = cluster.rotate(old, HOUR)
    cluster.clock.now += MINUTE
    call(cluster, new.text, address="198.51.100.2", agent="shop/2")
    write(cluster, everything=True)
    outcome = cluster.usage(old)
    assert [(name, one["uses"], one["address"], one["userAgent"]) for name, one in outcome.items()] == [
        ("current", 1, "198.51.100.2", "shop/2"), ("previous", 2, "198.51.100.1", "cron/1"),
    ]  # fmt: skip
    assert (outcome["previous"]["live"], outcome["previous"]["ends"]) == (True, "2027-01-15T09:00:00Z")
    cluster.revoke(old, previous_only=True)
    assert (cluster.usage(old)["previous"]["live"], cluster.usage(old)["previous"]["uses"]) == (False, 2)


def test_a_use_recorded_before_a_rotation_counts_for_the_secret_that_was_used(cluster: Cluster) -> None:
    old = cluster.make()
    call(cluster, old.text, address="198.51.100.1")
    new = cluster.rotate(old)
    write(cluster, everything=True)
    assert list(cluster.usage(old)) == ["current", "previous"]
    assert cluster.usage(old)["current"]["uses"] == 0
    assert cluster.usage(old)["previous"]["address"] == "198.51.100.1"
    newest = cluster.rotate(new)
    call(cluster, newest.text)
    write(cluster, everything=True)
    assert cluster.usage(old)["previous"]["uses"] == 0


def test_the_last_uses_before_a_revocation_are_not_lost(cluster: Cluster) -> None:
    key = cluster.make()
    call(cluster, key.text, 2, address="198.51.100.66")
    cluster.revoke(key)
    write(cluster, everything=True)
    outcome = cluster.usage(key)["current"]
    assert (outcome["live"], outcome["uses"], outcome["address"]) == (False, 2, "198.51.100.66")


def test_refused_requests_are_not_uses(cluster: Cluster) -> None:
    key = cluster.make(grants=["products:read"])

    async def story() -> None:
        assert (await cluster.first.post("/Supplier/Orders/Awaiting", key.text)).status == 403
        assert await cluster.first.status("ak_live_" + "5" * 32) == -23

    cluster.run(story())
    write(cluster, everything=True)
    assert cluster.usage(key)["current"]["uses"] == 0


@pytest.mark.requirement(109)
def test_one_secret_is_written_once_a_minute_at_most(cluster: Cluster) -> None:
    key, written = cluster.make(), []
    for second in range(0, 130, 10):
        cluster.clock.now = START + second * SECOND
        call(cluster, key.text)
        write(cluster)
        written.append(cluster.usage(key)["current"]["uses"])
    assert written == [1] * 6 + [7] * 6 + [13]


def test_a_process_writes_all_uses_when_it_ends(cluster: Cluster) -> None:
    key = cluster.make()

    async def story() -> None:
        cluster.first.services.key_usage.start()
        for _ in range(2):
            assert await cluster.first.status(key.text) == 200
            await cluster.first.services.key_usage.write(cluster.clock.now)
        await cluster.first.services.key_usage.stop()

    cluster.run(story())
    assert cluster.usage(key)["current"]["uses"] == 2


def test_the_background_task_writes_by_itself(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_usage, "WRITE_INTERVAL_S", 0.01)
    key = cluster.make()

    async def story() -> None:
        cluster.first.services.key_usage.start()
        assert await cluster.first.status(key.text) == 200
        while cluster.usage(key)["current"]["uses"] == 0:
            await asyncio.sleep(0.01)

    cluster.run(asyncio.wait_for(story(), 30))
    assert cluster.usage(key)["current"]["userAgent"] == AGENT


def test_memory_is_bounded_and_new_keys_are_recorded_again_after_a_write(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "MAX_PENDING", 3)
    made = [cluster.make() for _ in range(5)]
    for key in made:
        call(cluster, key.text)
    write(cluster)
    assert [cluster.usage(key)["current"]["uses"] for key in made] == [1, 1, 1, 0, 0]
    for key in made[3:]:
        call(cluster, key.text)
    write(cluster)
    assert [cluster.usage(key)["current"]["uses"] for key in made] == [1, 1, 1, 1, 1]


def test_uses_that_the_store_refuses_are_kept_for_the_next_write(sqlite_cluster: Cluster) -> None:
    cluster = sqlite_cluster
    key = cluster.make()
    call(cluster, key.text, 2)
    with raw(cluster.installation.settings) as store:
        store.run("ALTER TABLE key_uses RENAME TO elsewhere")
        with structlog.testing.capture_logs() as logged:
            write(cluster)
        call(cluster, key.text)
        store.run("ALTER TABLE elsewhere RENAME TO key_uses")
    assert [one["event"] for one in logged if one["log_level"] == "warning"] == ["uses-not-written"]
    write(cluster)
    assert cluster.usage(key)["current"]["uses"] == 3


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
def test_at_most_200_printable_characters_of_a_user_agent_are_stored(
    cluster: Cluster, sent: str | bytes | None, kept: str
) -> None:
    key = cluster.make()
    call(cluster, key.text, agent=sent)
    write(cluster)
    assert cluster.usage(key)["current"]["userAgent"] == kept


def test_a_use_is_written_only_for_the_tenant_of_the_key(cluster: Cluster) -> None:
    key = cluster.make()
    call(cluster, key.text)
    write(cluster)
    away = cluster.new_tenant("away.example")
    assert cluster.within(lambda tx: usage.last_uses(tx, key.id), away) == {}


def test_the_audit_trail_and_the_log_contain_no_address_of_a_use(cluster: Cluster) -> None:
    key = cluster.make()
    with structlog.testing.capture_logs() as logged:
        call(cluster, key.text, address="198.51.100.77")
        write(cluster)
    assert "198.51.100.77" not in str(logged) + str(cluster.trail())
