"""Password hashing beside the event loop: few at a time, a short queue, and then a clear no."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.passwords import Hasher

Args = ParamSpec("Args")
Result = TypeVar("Result")

AT_ONCE, WAITING = 2, 64


class Hashing:
    """Runs argon2id in threads (it releases the GIL). Past the queue: 503 with `Retry-After`."""

    def __init__(self, hasher: Hasher, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._hasher = hasher
        self._pool = ThreadPoolExecutor(at_once, "hashing")
        self._most = at_once + waiting
        self._under_way = 0

    async def hash(self, password: str) -> str:
        """An argon2id hash in PHC form."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether the password is the known hash's; takes the same time when there is no known hash."""
        if known is None:
            await self._run(self._hasher.waste, password)
            return False
        return await self._run(self._hasher.verify, known, password)

    def outdated(self, known: str) -> bool:
        """Whether a hash was made with parameters that are no longer today's."""
        return self._hasher.needs_rehash(known)

    async def _run(self, work: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
        if self._under_way >= self._most:
            raise Refusal(errors.UNAVAILABLE, "too many logins at once", retry_after=2)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        finally:
            self._under_way -= 1
