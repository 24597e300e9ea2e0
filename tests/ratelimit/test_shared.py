"""Limits that several machines share, on each kind of bucket store. Here a machine is a pair of counters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from bedesten.ratelimit import redis_buckets
from bedesten.ratelimit.limits import Counters, LimitStatus, RateLimit, RateLimiter
from bedesten.ratelimit.redis_buckets import RedisBuckets
from bedesten.ratelimit.shared import (
    MAX_EXACT,
    MAX_PIECES,
    BucketsUnavailable,
    SharedBuckets,
    SharedLimits,
    Take,
    TakeResult,
)
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.server.database_url import DatabaseUrl
from bedesten.server.secret_cache import SecretCache
from bedesten.server.settings import Settings
from bedesten.server.shared_limits import StoreBuckets
from tests.support.redis_server import RedisServer, running_redis
from tests.support.sites import opened

NOW = 1_700_000_000_000
PATIENCE_S = 120.0
"""How long shared buckets may take on a busy machine. After half a second each machine would count alone."""
Opener = Callable[[], SharedBuckets]


@dataclass
class Machine:
    limiter: RateLimiter
    throttle: AddressThrottle
    limits: SharedLimits

    async def take(self, *limits: RateLimit, now: int = NOW) -> list[LimitStatus]:
        """Takes from the limits as `Admission` does for a request."""
        statuses = self.limiter.take(limits, now)
        if all(status.allowed for status in statuses):
            waiting = self.limits.note(limits, now)
            if waiting:
                return await self.limits.confirm(limits, waiting, now)
        return statuses

    async def accepted(self, limit: RateLimit, tries: int) -> int:
        return sum([(await self.take(limit))[0].allowed for _ in range(tries)])


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with opened("postgresql", tmp_path_factory.mktemp("limits")) as installation:
        assert installation.settings.database
        yield installation.settings.database


class PatientBuckets:
    """Shared buckets with a longer timeout than in production."""

    def __init__(self, buckets: SharedBuckets) -> None:
        self._buckets = buckets

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        return await self._buckets.take(take, PATIENCE_S)

    async def close(self) -> None:
        await self._buckets.close()


@pytest.fixture(params=["redis", "postgresql"])
def buckets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Opens the shared buckets another time, as another process does."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        monkeypatch.setattr(redis_buckets, "MAX_TIMEOUT_S", PATIENCE_S)
        return lambda: PatientBuckets(RedisBuckets(server.url, "bedesten_1"))
    url: str = request.getfixturevalue("database")
    return lambda: PatientBuckets(StoreBuckets(DatabaseUrl(Settings(database=url), SecretCache.inherited())))


@asynccontextmanager
async def machines(buckets: Opener, number: int = 2) -> AsyncIterator[list[Machine]]:
    made = []
    for _ in range(number):
        counters = Counters()
        limiter, throttle = RateLimiter(counters), AddressThrottle(counters)
        made.append(Machine(limiter, throttle, SharedLimits(buckets(), limiter, throttle)))
    try:
        yield made
    finally:
        for machine in made:
            await machine.limits.close()


def run(work: Awaitable[None]) -> None:
    async def running() -> None:
        await asyncio.wait_for(work, 60)

    asyncio.run(running())


@pytest.mark.requirement(154)
@pytest.mark.parametrize("per_minute", [1, 7, 60, MAX_EXACT])
def test_machines_hold_a_small_limit_exactly_together(buckets: Opener, per_minute: int) -> None:
    limit = RateLimit("credential", f"exact {per_minute}", per_minute)

    async def work() -> None:
        async with machines(buckets, 3) as several:
            began = asyncio.get_running_loop().time()
            counts = await asyncio.gather(*(one.accepted(limit, per_minute) for one in several))
            regained = int((asyncio.get_running_loop().time() - began) * per_minute / 60) + 1
            assert per_minute <= sum(counts) <= per_minute + regained

    run(work())


@pytest.mark.requirement(154)
@pytest.mark.parametrize("per_minute", [121, 600, 2_000])
def test_each_machine_exceeds_a_large_limit_by_at_most_two_hundredths(buckets: Opener, per_minute: int) -> None:
    limit = RateLimit("tenant", f"pieces {per_minute}", per_minute)

    async def work() -> None:
        async with machines(buckets, 3) as several:
            began = asyncio.get_running_loop().time()
            counts = await asyncio.gather(*(one.accepted(limit, per_minute) for one in several))
            regained = (asyncio.get_running_loop().time() - began) * per_minute / 60
            beyond = len(several) * MAX_PIECES * (per_minute // 100 + 1)
            assert per_minute <= sum(counts) <= per_minute + beyond + regained + 1

    run(work())


def test_a_request_that_one_limit_refuses_takes_nothing_from_the_others(buckets: Opener) -> None:
    small, other, large = (RateLimit("credential", f"one of {n}", n) for n in (2, 50, 1_000))

    async def work() -> None:
        async with machines(buckets) as (here, there):
            for machine in (here, there):
                assert all(status.allowed for status in await machine.take(small))
            for machine in (here, there) * 10:
                statuses = await machine.take(other, large, small)
                assert [status.allowed for status in statuses] == [True, True, False]
                assert statuses[2].retry >= 1
            left = (await there.take(other))[0].remaining
            assert left == 49, "what the refused requests had taken was given back"
            assert (await here.take(large))[0].remaining == 999

    run(work())


def test_the_status_includes_what_other_machines_have_taken(buckets: Opener) -> None:
    limit = RateLimit("credential", "shown", 60)

    async def work() -> None:
        async with machines(buckets) as (here, there):
            assert await here.accepted(limit, 30) == 30
            (status,) = await there.take(limit)
            assert (status.limit, status.allowed) == (60, True)
            assert 29 <= status.remaining <= 30
            assert 30 <= status.reset <= 31

    run(work())


@pytest.mark.requirement(156)
def test_an_address_that_one_machine_throttles_is_throttled_for_logins_on_all(buckets: Opener) -> None:
    async def work() -> None:
        async with machines(buckets) as (here, there):
            await there.limits.check_address("203.0.113.1", NOW)
            assert there.throttle.admit("203.0.113.1", NOW) is None
            for _ in range(600):
                here.throttle.refused("203.0.113.1", NOW)
            await asyncio.gather(*here.limits._tasks)
            await there.limits.check_address("203.0.113.1", NOW)
            assert 55 <= (there.throttle.admit("203.0.113.1", NOW) or 0) <= 60
            assert there.throttle.admit("203.0.113.2", NOW) is None

    run(work())


def test_refusals_on_several_machines_are_added_up(buckets: Opener) -> None:
    async def work() -> None:
        async with machines(buckets) as several:
            for _ in range(350):
                for machine in several:
                    machine.throttle.refused("203.0.113.9", NOW)
            for machine in several:
                await asyncio.gather(*machine.limits._tasks)
            for _ in range(76):
                several[0].throttle.refused("203.0.113.9", NOW)
            await asyncio.gather(*several[0].limits._tasks)
            assert several[0].throttle.admit("203.0.113.9", NOW) is not None

    run(work())


class Failing:
    """Buckets that fail while `fails` is set."""

    def __init__(self) -> None:
        self.fails, self.asked = True, 0

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        self.asked += 1
        if self.fails:
            raise BucketsUnavailable("a test")
        return TakeResult(True, 0)

    async def close(self) -> None:
        return


@pytest.mark.requirement(158)
def test_without_the_shared_buckets_each_machine_counts_alone_and_logins_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing()

    async def work() -> None:
        async with machines(lambda: failing, 1) as (here,):
            small, large = RateLimit("credential", "small", 60), RateLimit("tenant", "large", 600)
            assert await here.accepted(small, 100) == 60
            assert await here.accepted(large, 700) == 600
            assert failing.asked == 1, "they are left alone for a second"
            assert here.limits.shared is False
            with pytest.raises(BucketsUnavailable):
                await here.limits.check_address("203.0.113.1", NOW)
            failing.fails = False
            monkeypatch.setattr("bedesten.ratelimit.shared.RETRY_S", 0.0)
            here.limits._retry_at = 0.0
            await here.limits.check_address("203.0.113.1", NOW)
            assert here.limits.shared is True

    run(work())


def test_redis_that_goes_away_and_comes_back_is_noticed(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedesten.ratelimit.shared.RETRY_S", 0.0)

    async def work() -> None:
        async with machines(lambda: RedisBuckets(redis.url, "bedesten_1"), 1) as (here,):
            await here.limits.check_address("203.0.113.1", NOW)
            redis.stop()
            with pytest.raises(BucketsUnavailable):
                await here.limits.check_address("203.0.113.1", NOW)
            assert await here.accepted(RateLimit("credential", "while away", 5), 10) == 5
            redis.start()
            await here.limits.check_address("203.0.113.1", NOW)
            assert here.limits.shared is True

    run(work())


def test_installations_on_one_redis_share_nothing(redis: RedisServer) -> None:
    async def work() -> None:
        one, other = RedisBuckets(redis.url, "bedesten_1"), RedisBuckets(redis.url, "bedesten_2")
        assert (await one.take(Take("apart", 1, 1, exact=True), 5.0)).accepted
        assert not (await one.take(Take("apart", 1, 1, exact=True), 5.0)).accepted
        assert (await other.take(Take("apart", 1, 1, exact=True), 5.0)).accepted
        await one.close()
        await other.close()

    run(work())
