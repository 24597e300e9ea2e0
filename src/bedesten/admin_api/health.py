"""Health and metrics: what the admin listener reports about this machine's server."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import structlog

from bedesten import errors
from bedesten.admin_api.exposition import STORE_DOWN, Write
from bedesten.errors import Refusal
from bedesten.http.message import Headers, Request, Response

Result = TypeVar("Result")

log = structlog.get_logger("bedesten.admin_api")
CHECK_TIMEOUT_S = 4.0
"""Time after which a store that does not answer counts as unreachable."""
_SAFE: Headers = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class NotReady(Exception):
    """This machine cannot answer requests. The text is the reason and may be shown to any caller; `check` is the name of
    the failed check, for programs."""

    def __init__(self, reason: str, check: str = "store") -> None:
        super().__init__(reason)
        self.check = check


class SharedCheck(Generic[Result]):
    """Runs a blocking check in a thread, one at a time. Concurrent callers share its result."""

    def __init__(self, check: Callable[[], Result], pool: ThreadPoolExecutor) -> None:
        self._check = check
        self._pool = pool
        self._running: asyncio.Future[Result] | None = None

    async def __call__(self) -> Result:
        """The result. Raises what the check raises, and `TimeoutError` after `CHECK_TIMEOUT_S`; the check runs on."""
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().run_in_executor(self._pool, self._check)
            self._running.add_done_callback(_retrieve_exception)
        return await asyncio.wait_for(asyncio.shield(self._running), CHECK_TIMEOUT_S)


def _retrieve_exception(done: asyncio.Future[Any]) -> None:
    """Keep asyncio from logging the exception of a check whose callers have all timed out."""
    if not done.cancelled():
        done.exception()


class Health:
    """The handlers; `measured` holds the gauges of the last readiness check. All three callables block.

    `check_ready` raises if this machine cannot answer requests. `read_store` reads the metrics of the store, and
    `render` those of the processes; both together become the text for Prometheus.
    """

    def __init__(
        self,
        check_ready: Callable[[], None],
        read_store: Callable[[], dict[str, float]],
        render: Callable[[dict[str, float]], Write],
        pool: ThreadPoolExecutor,
    ) -> None:
        self._check_ready = SharedCheck(check_ready, pool)
        self._read_store = SharedCheck(read_store, pool)
        self._render = render
        self._pool = pool
        self._draining = False
        self.measured: dict[str, float] = {}

    def drain(self) -> None:
        """Report this machine as not ready from now on: it stops soon."""
        self._draining = True

    async def live(self, _request: Request) -> Response:
        """200: the process runs."""
        return json_response(b'{"status":"ok"}')

    async def ready(self, _request: Request) -> Response:
        """200 if this machine can answer requests. Raises `Refusal` (-9) with the reason if it cannot."""
        try:
            if self._draining:
                raise NotReady("the server is stopping", "stopping")
            await self._check_ready()
        except Exception as problem:
            self.measured["ready"] = 0.0
            known = problem if isinstance(problem, NotReady) else NotReady("the store is out of reach")
            reason = str(known)
            cause = str(problem.__cause__ or problem) or type(problem).__name__
            log.warning("not-ready", check=known.check, reason=reason, cause=cause)
            data = {"reason": reason, "check": known.check}
            raise Refusal(errors.UNAVAILABLE, cause, data=data, retry_after=1) from problem
        self.measured["ready"] = 1.0
        return json_response(b'{"status":"ok"}')

    async def metrics(self, request: Request) -> Response:
        """The metrics in the format that the caller accepts. Those of the store are left out while it does not answer."""
        try:
            stored = await self._read_store()
        except TimeoutError:
            stored = STORE_DOWN
        write = await asyncio.get_running_loop().run_in_executor(self._pool, self._render, stored)
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        body, kind = write(accept.decode("latin-1"))
        return Response(200, [(b"content-type", kind.encode()), *_SAFE], body)


def json_response(body: bytes) -> Response:
    """200 with a JSON document that no cache keeps."""
    return Response(200, [(b"content-type", b"application/json"), *_SAFE], body)
