"""Password hashing in threads: a few at a time, a short queue, and 503 beyond it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import Hasher, PasswordHash

Args = ParamSpec("Args")
Result = TypeVar("Result")

MAX_PARALLEL, MAX_QUEUED = 2, 64


class PasswordHashPool:
    """Runs argon2id in threads (it releases the GIL). Raises `Refusal` (-9) with `Retry-After` when the queue is full."""

    def __init__(
        self, keyring: Callable[[], Keyring], max_parallel: int = MAX_PARALLEL, max_queued: int = MAX_QUEUED
    ) -> None:
        self._keyring = keyring
        self._hashers: dict[str, Hasher] = {}
        self._pool = ThreadPoolExecutor(max_parallel, "hashing")
        self._max_in_progress = max_parallel + max_queued
        self._in_progress = 0

    @property
    def in_progress(self) -> int:
        """The number of running and queued hashes."""
        return self._in_progress

    async def hash(self, password: str) -> PasswordHash:
        """A fresh hash under the current pepper."""
        pepper_id = self._keyring().digest.current
        return PasswordHash(await self._run(self._hash, pepper_id, password), pepper_id)

    async def verify(self, known: PasswordHash | None, password: str) -> bool:
        """Whether the password matches the known hash; takes the same time without one."""
        return await self._run(self._verify, known, password)

    def outdated(self, known: PasswordHash) -> bool:
        """Whether a hash was made with outdated parameters or an outdated pepper."""
        current = self._keyring().digest.current
        return known.pepper_id != current or self._hasher(current).needs_rehash(known.phc)

    def _hash(self, pepper_id: str, password: str) -> str:
        return self._hasher(pepper_id).hash(password)

    def _verify(self, known: PasswordHash | None, password: str) -> bool:
        keyring = self._keyring()
        if known is None or known.pepper_id not in keyring.digest.secrets:
            self._hasher(keyring.digest.current).verify_dummy(password)
            return False
        return self._hasher(known.pepper_id).verify(known.phc, password)

    def _hasher(self, pepper_id: str) -> Hasher:
        hasher = self._hashers.get(pepper_id)
        if hasher is None:
            hasher = self._hashers[pepper_id] = Hasher(self._keyring().password_pepper(pepper_id))
        return hasher

    async def _run(self, work: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
        if self._in_progress >= self._max_in_progress:
            raise Refusal(errors.UNAVAILABLE, "too many logins at once", retry_after=2)
        self._in_progress += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        finally:
            self._in_progress -= 1
