"""The queue of password hashes: tenants take turns, and none fills the queue for the others."""

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field

import pytest

from bedesten.errors import Refusal
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import Hasher
from bedesten.http.password_hash_pool import PasswordHashPool

DEADLINE_S = 60
THREADS, ROOM = 2, 8


@dataclass
class Pool:
    """A pool whose hashes wait until they are released; `begun` has their passwords in order of start."""

    begun: list[str] = field(default_factory=list)
    release: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        keyring = Keyring.generate()
        self.pool = PasswordHashPool(lambda: keyring, THREADS, ROOM)
        self.logins: dict[str, asyncio.Task[bool]] = {}

    def hash_slowly(self, _: Hasher, password: str) -> None:
        """Replaces argon2id."""
        self.begun.append(password)
        assert self.release.acquire(timeout=DEADLINE_S)
        if password.startswith("broken"):
            raise RuntimeError(password)

    async def log_in(self, tenant: str, count: int = 1) -> list["asyncio.Task[bool]"]:
        """Starts logins of a tenant, each queued or refused on return. Their passwords are numbered."""
        first = sum(name.startswith(f"{tenant} ") for name in self.logins) + 1
        made = {f"{tenant} {first + one}": tenant for one in range(count)}
        tasks = [asyncio.create_task(self.pool.verify(of, None, name)) for name, of in made.items()]
        self.logins.update(zip(made, tasks, strict=True))
        await asyncio.sleep(0)
        return tasks

    async def until_begun(self, count: int) -> None:
        """Waits until this many hashes have begun."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.begun) < count:
                await asyncio.sleep(0.001)

    async def let_go(self) -> Counter[str]:
        """Releases every hash. Returns the numbers of answered and refused logins, by tenant."""
        self.release.release(1_000)
        answers = await asyncio.gather(*self.logins.values(), return_exceptions=True)
        results = zip(self.logins, answers, strict=True)
        return Counter(f"{name.split()[0]} {'refused' if isinstance(one, Refusal) else one}" for name, one in results)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """The pool, in place of argon2id."""
    made = Pool()
    monkeypatch.setattr(Hasher, "verify_dummy", lambda hasher, password: made.hash_slowly(hasher, password))
    yield made
    made.release.release(1_000)


def run(scenario: Coroutine[object, object, None]) -> None:
    """Runs the scenario on a new event loop."""
    asyncio.run(scenario)


def test_a_login_of_another_tenant_is_next_however_many_of_a_flood_wait(slow: Pool) -> None:
    async def scenario() -> None:
        await slow.log_in("loud", THREADS + ROOM - 2)
        await slow.until_begun(THREADS)
        await slow.log_in("quiet", 2)
        slow.release.release(4)
        await slow.until_begun(THREADS + 4)
        assert slow.begun[THREADS:] == ["loud 3", "quiet 1", "loud 4", "quiet 2"]
        assert await slow.let_go() == {"loud False": 8, "quiet False": 2}

    run(scenario())


def test_a_flood_that_fills_the_queue_is_refused_and_makes_room_for_others(slow: Pool) -> None:
    """The newest login of the flood is dropped; each refusal says when to retry."""

    async def scenario() -> None:
        flood = await slow.log_in("loud", 100)
        await slow.until_begun(THREADS)
        assert slow.pool.in_progress == THREADS + ROOM
        assert [one.done() for one in flood] == [False] * (THREADS + ROOM) + [True] * 90
        quiet = await slow.log_in("quiet", 3)
        await asyncio.wait(flood[7:10], timeout=DEADLINE_S)
        assert [one.done() for one in flood[:10]] == [False] * 7 + [True] * 3
        assert [one.done() for one in quiet] == [False] * 3
        assert slow.pool.in_progress == THREADS + ROOM
        refusal = flood[9].exception()
        assert isinstance(refusal, Refusal)
        assert (refusal.code.number, refusal.retry_after) == (-9, 2)
        assert await slow.let_go() == {"loud False": 7, "loud refused": 93, "quiet False": 3}
        assert len(slow.begun) == THREADS + ROOM

    run(scenario())


def test_a_tenant_has_at_most_half_of_a_full_queue_once_another_tenant_needs_it(slow: Pool) -> None:
    async def scenario() -> None:
        await slow.log_in("loud", 50)
        await slow.until_begun(THREADS)
        await slow.log_in("other", 50)
        outcome = await slow.let_go()
        assert outcome == {"loud False": 2 + 4, "loud refused": 44, "other False": 4, "other refused": 46}

    run(scenario())


def test_the_queue_has_one_bound_for_all_tenants_together(slow: Pool) -> None:
    async def scenario() -> None:
        for number in range(200):
            await slow.log_in(f"tenant{number}", 2)
            assert slow.pool.in_progress <= THREADS + ROOM
        outcome = await slow.let_go()
        assert sum(count for name, count in outcome.items() if name.endswith("False")) == THREADS + ROOM
        assert slow.pool.in_progress == 0

    run(scenario())


def test_a_tenant_that_is_alone_has_every_thread_and_the_whole_queue(slow: Pool) -> None:
    async def scenario() -> None:
        await slow.log_in("only", THREADS + ROOM)
        await slow.until_begun(THREADS)
        assert await slow.let_go() == {"only False": THREADS + ROOM}
        assert await slow.pool.verify("only", None, "later") is False

    run(scenario())


def test_a_cancelled_login_frees_its_place_and_is_never_hashed(slow: Pool) -> None:
    async def scenario() -> None:
        logins = await slow.log_in("loud", THREADS + ROOM)
        await slow.until_begun(THREADS)
        for one in logins[THREADS:]:
            one.cancel()
        await asyncio.wait(logins[THREADS:], timeout=DEADLINE_S)
        assert slow.pool.in_progress == THREADS
        await slow.log_in("loud", ROOM)
        slow.release.release(1_000)
        answers = await asyncio.gather(*slow.logins.values(), return_exceptions=True)
        assert [one is False for one in answers] == [True] * THREADS + [False] * ROOM + [True] * ROOM
        assert len(slow.begun) == THREADS + ROOM

    run(scenario())


def test_a_failing_hash_raises_for_its_caller_and_the_next_one_runs(slow: Pool) -> None:
    async def scenario() -> None:
        (broken,) = await slow.log_in("broken")
        slow.release.release(1_000)
        with pytest.raises(RuntimeError, match="broken 1"):
            await broken
        assert [await slow.pool.verify("broken", None, "good") for _ in range(3)] == [False] * 3
        assert slow.pool.in_progress == 0

    run(scenario())


def test_without_a_thread_a_login_is_refused_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring.generate()
    pool = PasswordHashPool(lambda: keyring, THREADS, ROOM)

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def log_in() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(threading.Thread, "start", no_thread)
            for _ in range(2 * (THREADS + ROOM)):
                with pytest.raises(Refusal):
                    await pool.verify("acme", None, "a password")
        assert pool.in_progress == 0
        assert await asyncio.wait_for(pool.verify("acme", None, "a password"), DEADLINE_S) is False

    asyncio.run(log_in())
