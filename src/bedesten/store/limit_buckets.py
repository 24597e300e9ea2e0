"""Rate-limit buckets that the nodes on one PostgreSQL share: one connection per process, one statement per bucket.

Requests that arrive during a transaction share the next one, which takes buckets in the order of their names, so that
processes never deadlock. COMMIT waits for no disk and no standby: losing the last counts is harmless. Counts go by the
database's clock.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import NamedTuple

import psycopg

from bedesten.store.job import Job
from bedesten.store.postgres_connection import PostgresConnection
from bedesten.store.postgres_session import Address, PostgresSession
from bedesten.store.transaction import StoreUnavailable
from bedesten.store.wait_budget import WaitBudget

MAX_TRANSACTION_S = 2.0
"""A transaction that takes longer is aborted, for all requests in it."""
MAX_BATCH = 256
MINUTE_US, MAX_BUCKET_US = 60_000_000, 61_000_000
_BEGIN = ("BEGIN", "SET LOCAL synchronous_commit = off", "SET LOCAL lock_timeout = '200ms'")
_TAKE = f"""
WITH clock AS (SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint) AS now),
     known AS (SELECT empty_at FROM rate_buckets WHERE name = %(name)s),
     taken AS (
         INSERT INTO rate_buckets AS bucket (name, empty_at)
         SELECT %(name)s, now + %(add)s FROM clock WHERE %(add)s <> 0
         ON CONFLICT (name) DO UPDATE SET empty_at = (
             SELECT greatest(now, least(now + %(full)s, %(add)s +
                 CASE WHEN bucket.empty_at BETWEEN now AND now + {MAX_BUCKET_US} THEN bucket.empty_at ELSE now END))
             FROM clock)
         WHERE NOT %(exact)s OR (
             SELECT %(add)s + CASE WHEN bucket.empty_at BETWEEN now AND now + {MAX_BUCKET_US}
                 THEN bucket.empty_at ELSE now END <= now + %(full)s
             FROM clock)
         RETURNING empty_at)
SELECT (SELECT empty_at FROM taken) - now, (SELECT empty_at FROM known) - now FROM clock
"""  # noqa: S608 only numbers are inserted


class Ask(NamedTuple):
    """One request to a bucket: see `ratelimit.shared.Take`. Times are in microseconds."""

    name: str
    step_us: int
    per_minute: int
    requests: int
    exact: bool


Answer = tuple[bool, int]
"""Whether it was taken, and the microseconds until the bucket is empty."""


class LimitBuckets:
    """Used on one event loop; its transactions run in a thread."""

    def __init__(self, address: str | Address) -> None:
        self._session = PostgresSession(address, 200, lambda: 0, lambda: None)
        self._thread = ThreadPoolExecutor(1, "limits")
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._busy = self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, ask: Ask, timeout_s: float) -> Answer:
        """Takes from one bucket. Raises `StoreUnavailable`, also after the timeout."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        if not self._busy:
            self._busy = True
            task = asyncio.get_running_loop().create_task(self._run_waiting())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as problem:
            raise StoreUnavailable("the shared limits did not answer in time") from problem

    async def close(self) -> None:
        """Closes the connection."""
        self._closed = True
        self._session.interrupt()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._session.drop()

    async def _run_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                batch = sorted((one for one in batch if not one[1].done()), key=lambda one: one[0].name)
                if batch:
                    limit = loop.call_later(MAX_TRANSACTION_S, self._session.interrupt)
                    await _settle(batch, lambda asks: loop.run_in_executor(self._thread, self._transact, asks))
                    limit.cancel()
        finally:
            self._busy = False

    def _transact(self, asks: list[Ask]) -> list[Answer]:
        job = Job(lambda _: None, WaitBudget(MAX_TRANSACTION_S))
        while not self._closed:
            kept = self._session.kept
            try:
                connection = PostgresConnection(self._session.connected(job), job, _BEGIN)
                rows = connection.fetch_each([(_TAKE, _parameters(ask)) for ask in asks])
                connection.commit()
            except psycopg.Error as problem:
                self._session.drop()
                if not kept:  # reconnect if the connection was lost since its last use
                    raise StoreUnavailable(f"the shared limits cannot be asked: {problem}") from problem
            else:
                return [_answer(row[0], ask) for row, ask in zip(rows, asks, strict=True)]
        raise StoreUnavailable("the shared limits are closed")


async def _settle(
    batch: list[tuple[Ask, "asyncio.Future[Answer]"]], run: "Callable[[list[Ask]], asyncio.Future[list[Answer]]]"
) -> None:
    try:
        answers = await run([ask for ask, _ in batch])
    except Exception as problem:
        for _, waiter in batch:
            if not waiter.done():
                waiter.set_exception(StoreUnavailable(str(problem)))
        return
    for (_, waiter), answer in zip(batch, answers, strict=True):
        if not waiter.done():
            waiter.set_result(answer)


def _parameters(ask: Ask) -> dict[str, object]:
    return {
        "name": blake2b(ask.name.encode(), digest_size=16).hexdigest(),
        "add": ask.step_us * ask.requests,
        "full": ask.step_us * ask.per_minute,
        "exact": ask.exact,
    }


def _answer(row: tuple[int | None, int | None], ask: Ask) -> Answer:
    taken, known = row
    if taken is not None:
        return True, max(0, taken)
    ahead = max(0, min(known or 0, MINUTE_US))
    return ask.requests == 0, ahead
