"""Guessing passwords is slow for existing and unknown accounts alike, and the owner is not locked out."""

import asyncio
import threading
from collections import Counter

import pytest

from bedesten.accounts.login_throttle import MAX_WAIT
from bedesten.admin import partners
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.gate.passwords import Hasher
from bedesten.gate.scopes import Surface
from bedesten.http.password_hash_pool import MAX_PARALLEL, MAX_QUEUED
from bedesten.store.transaction import Transaction
from tests.revocation.conftest import Cluster, new_cluster

OWNER, STRANGER, ELSEWHERE = "192.0.2.1", "198.51.100.7", "203.0.113.9"


def fail(cluster: Cluster, times: int, email: str = "", address: str = STRANGER) -> list[int | None]:
    """Tries wrong passwords in a row and returns the codes of the responses."""

    async def scenario() -> list[int | None]:
        return [
            (await cluster.log_in(email, "a wrong password it is", address=address, node=one % 2)).code
            for one in range(times)
        ]

    return asyncio.run(scenario())


@pytest.mark.requirement(115)
def test_after_a_handful_of_failures_the_next_try_has_to_wait(cluster: Cluster) -> None:
    assert fail(cluster, 8) == [-26] * 6 + [-27] * 2
    cluster.clock.ahead += 2 * SECOND
    assert fail(cluster, 2) == [-26, -27]
    refused = asyncio.run(cluster.log_in(address=STRANGER))
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.requirement(120)
def test_an_account_that_does_not_exist_is_slowed_alike(cluster: Cluster) -> None:
    assert fail(cluster, 8, "nobody@example.com") == fail(cluster, 8)


@pytest.mark.requirement(119)
def test_spellings_of_one_address_share_one_counter(cluster: Cluster) -> None:
    codes = [
        fail(cluster, 1, email)[0]
        for email in ("customer@example.com", "Customer@Example.COM ", "CUSTOMER@example.com")
    ]
    assert codes == [-26] * 3
    assert fail(cluster, 5, "customer@EXAMPLE.com ") == [-26] * 3 + [-27] * 2


@pytest.mark.requirement(116)
def test_the_owner_is_never_locked_out_from_where_it_succeeded_before(cluster: Cluster) -> None:
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200
    fail(cluster, 30)
    assert asyncio.run(cluster.log_in(address=ELSEWHERE)).code == -27
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200


@pytest.mark.requirement(121)
def test_the_owner_s_own_address_has_a_counter_of_its_own_that_success_clears(cluster: Cluster) -> None:
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200
    assert fail(cluster, 4, address=OWNER) == [-26] * 4
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200
    assert fail(cluster, 6, address=OWNER) == [-26] * 6
    assert asyncio.run(cluster.log_in(address=OWNER)).code == -27


@pytest.mark.requirement(121)
def test_success_from_one_address_does_not_forgive_another(cluster: Cluster) -> None:
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200
    fail(cluster, 8)
    assert asyncio.run(cluster.log_in(address=OWNER)).status == 200
    assert asyncio.run(cluster.log_in(address=STRANGER)).code == -27


@pytest.mark.requirement(117)
def test_one_password_on_many_accounts_is_slowed_at_its_address_and_nowhere_else(cluster: Cluster) -> None:
    codes = [fail(cluster, 1, f"user{one}@example.com")[0] for one in range(64)]
    assert codes[:61] == [-26] * 61
    assert codes[-1] == -27
    assert asyncio.run(cluster.log_in(address=ELSEWHERE)).status == 200


def test_failures_are_forgotten_after_an_hour_without_one(cluster: Cluster) -> None:
    fail(cluster, 7)
    cluster.clock.ahead += HOUR + MINUTE
    assert fail(cluster, 6) == [-26] * 6


def test_waits_grow_to_a_quarter_of_an_hour_and_no_further(cluster: Cluster) -> None:
    waits = []
    for _ in range(20):
        fail(cluster, 7)
        refused = asyncio.run(cluster.log_in(address=STRANGER))
        assert refused.code == -27
        waits.append(int(refused.headers["retry-after"]))
        cluster.clock.ahead += (waits[-1] + 1) * SECOND
    assert waits == sorted(waits)
    assert waits[-1] in (899, 900)


@pytest.mark.requirement(128)
def test_a_stampede_of_logins_meets_a_short_queue_and_leaves_other_calls_alone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All log in at once: those that the pool admits get their token, the others a 503 with `Retry-After`."""
    places = MAX_PARALLEL + MAX_QUEUED
    released = threading.Event()
    verify = Hasher.verify

    def verify_when_released(hasher: Hasher, known: str, password: str) -> bool:
        assert released.wait(60)
        return verify(hasher, known, password)

    async def scenario() -> None:
        token = await cluster.token()
        monkeypatch.setattr(Hasher, "verify", verify_when_released)
        logins = [asyncio.create_task(cluster.log_in(address=f"192.0.2.{one}")) for one in range(120)]
        while sum(login.done() for login in logins) < 120 - places:
            await asyncio.sleep(0.01)
        between = [await cluster.profile(token) for _ in range(20)]
        assert [one.status for one in between] == [200] * 20
        assert sum(login.done() for login in logins) == 120 - places
        released.set()
        answers = await asyncio.gather(*logins)
        assert Counter(one.status for one in answers) == {200: places, 503: 120 - places}
        assert {one.headers["retry-after"] for one in answers if one.status == 503} == {"2"}

    asyncio.run(scenario())


def test_a_stampede_of_one_tenant_makes_room_for_the_logins_of_another(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process serves both tenants. The newest waiting login of the busy tenant gets the 503."""
    places = MAX_PARALLEL + MAX_QUEUED
    released = threading.Event()
    verify = Hasher.verify
    neighbour = new_cluster(cluster.installation, cluster.clock)
    neighbour.nodes = cluster.nodes

    def verify_when_released(hasher: Hasher, known: str, password: str) -> bool:
        assert released.wait(60)
        return verify(hasher, known, password)

    async def scenario() -> None:
        monkeypatch.setattr(Hasher, "verify", verify_when_released)
        loud = [asyncio.create_task(cluster.log_in(address=f"192.0.2.{one}")) for one in range(120)]
        while sum(login.done() for login in loud) < 120 - places:
            await asyncio.sleep(0.01)
        quiet = [asyncio.create_task(neighbour.log_in(address=f"198.51.100.{one}")) for one in range(5)]
        while sum(login.done() for login in loud) < 120 - places + 5:
            await asyncio.sleep(0.01)
        assert not any(login.done() for login in quiet)
        released.set()
        assert Counter([(await one).status for one in quiet]) == {200: 5}
        answers = [await one for one in loud]
        assert Counter(one.status for one in answers) == {200: places - 5, 503: 120 - places + 5}
        assert {(one.code, one.headers["retry-after"]) for one in answers if one.status == 503} == {(-9, "2")}

    asyncio.run(scenario())


def test_a_wait_that_a_wrong_clock_stored_is_cut_to_the_longest_and_then_ends(cluster: Cluster) -> None:
    cluster.clock.ahead += DAY
    fail(cluster, 7)
    cluster.clock.ahead -= DAY
    refused = asyncio.run(cluster.log_in(address=ELSEWHERE))
    assert refused.code == -27
    assert int(refused.headers["retry-after"]) <= MAX_WAIT // SECOND
    assert asyncio.run(cluster.log_in(address=ELSEWHERE, node=1)).code == -27
    cluster.clock.ahead += MAX_WAIT + SECOND
    assert asyncio.run(cluster.log_in(address=ELSEWHERE)).status == 200


def test_the_wait_of_an_address_that_a_wrong_clock_stored_is_cut_too(cluster: Cluster) -> None:
    cluster.clock.ahead += DAY
    for one in range(62):
        fail(cluster, 1, f"user{one}@example.com")
    cluster.clock.ahead -= DAY
    assert asyncio.run(cluster.log_in(address=STRANGER)).code == -27
    cluster.clock.ahead += MAX_WAIT + SECOND
    assert asyncio.run(cluster.log_in(address=STRANGER)).status == 200


def test_the_operator_clears_one_accounts_waits_from_every_address(cluster: Cluster) -> None:
    cluster.operator.account(cluster.tenant, "partner", "other@example.com")

    def outcome(email: str, address: str) -> int:
        return asyncio.run(cluster.log_in(email, surface=Surface.RESELLER, address=address)).status

    def fail_as(*who: tuple[str, str]) -> None:
        async def scenario() -> None:
            for _ in range(12):
                cluster.clock.ahead += 2 * MINUTE
                for email, address in who:
                    await cluster.log_in(email, "a wrong password it is", surface=Surface.RESELLER, address=address)

        asyncio.run(scenario())

    assert outcome("partner@example.com", OWNER) == 200
    fail_as(("partner@example.com", OWNER), ("partner@example.com", STRANGER), ("other@example.com", STRANGER))
    assert [outcome("partner@example.com", address) for address in (OWNER, ELSEWHERE)] == [429, 429]
    keyring = cluster.installation.keyring

    def unlock(tx: Transaction) -> bool:
        return partners.unlock(tx, keyring, partners.find(tx, "partner@example.com"))

    assert cluster.operator.within(cluster.tenant, unlock) is True
    assert [outcome("partner@example.com", address) for address in (OWNER, ELSEWHERE)] == [200, 200]
    assert outcome("other@example.com", ELSEWHERE) == 429
    assert cluster.operator.within(cluster.tenant, unlock) is False
