"""Shared buckets in Redis or Valkey: one key each, updated by a script with the server's clock. Needs
`bedesten[redis]`.

Keys expire a minute after their last update and contain a digest of the bucket's name. Losing them is harmless.
"""

import asyncio
from hashlib import blake2b
from typing import Any, cast

from bedesten.ratelimit.limits import MAX_BUCKET_US, MINUTE_US
from bedesten.ratelimit.shared import BucketsUnavailable, Take, TakeResult

MAX_TIMEOUT_S = 2.0
MAX_CONNECTIONS = 8

_SCRIPT = f"""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local empty = tonumber(redis.call('GET', KEYS[1]) or '0')
if empty < now or empty > now + {MAX_BUCKET_US} then empty = now end
local step, limit, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local after = empty + step * count
if ARGV[4] == '1' and after > now + step * limit then return {{0, empty - now}} end
after = math.max(now, math.min(after, now + step * limit))
if count ~= 0 then redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', 61000) end
return {{1, after - now}}
"""


class RedisBuckets:
    """Buckets in Redis, through a small connection pool of this process."""

    def __init__(self, url: str, installation: str) -> None:
        """`url` begins with `redis://`, `rediss://` or `unix://`; `valkey` means `redis`. Each installation has its own
        keys. Raises ImportError without the library, ValueError for an invalid URL."""
        from redis.asyncio import BlockingConnectionPool, Redis

        pool = BlockingConnectionPool.from_url(
            url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
            max_connections=MAX_CONNECTIONS,
            timeout=MAX_TIMEOUT_S,
            socket_timeout=MAX_TIMEOUT_S,
            socket_connect_timeout=MAX_TIMEOUT_S,
        )
        self._client = Redis(connection_pool=pool)
        self._script = self._client.register_script(_SCRIPT)
        self._installation = installation.encode()

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        """Takes from one bucket. Raises `BucketsUnavailable`, also after the time-out."""
        from redis.exceptions import RedisError

        key = (
            b"bedesten:" + blake2b(take.name.encode(), digest_size=16, key=self._installation[:64]).hexdigest().encode()
        )
        arguments: list[Any] = [MINUTE_US // take.per_minute, take.per_minute, take.requests, int(take.exact)]
        try:
            async with asyncio.timeout(timeout_s):
                accepted, ahead = cast(tuple[int, int], await self._script(keys=[key], args=arguments))
        except (RedisError, OSError, TimeoutError) as problem:
            raise BucketsUnavailable(f"Redis: {type(problem).__name__}") from problem
        return TakeResult(bool(accepted), ahead)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose(close_connection_pool=True)
