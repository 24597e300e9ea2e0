"""The operator's plane: an application of its own, on a listener of its own, that knows no tenant and no Host.

`GET /health/live` says that the process runs. `GET /health/ready` says whether requests can be answered: the store is
in reach, its fence can be read and its schema is this program's; else 503. The reason goes to the log, not to the caller.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = structlog.get_logger("bedesten.operator")
PATIENCE = 5.0
"""Seconds after which a store that does not answer counts as out of reach."""


class Plane:
    """The ASGI application. `ready` blocks, and raises what is the matter; `close` is called at the end."""

    def __init__(self, ready: Callable[[], None], close: Callable[[], None]) -> None:
        self._ready = ready
        self._close = close
        self._asking: asyncio.Future[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Message, send: Send) -> None:
        status, text = 404, "not found"
        if scope["path"] in ("/health/live", "/health/ready"):
            if scope["method"] not in ("GET", "HEAD"):
                status, text = 405, "not allowed"
            elif scope["path"] == "/health/live" or await self._is_ready():
                status, text = 200, "ok"
            else:
                status, text = 503, "unavailable"
        body = json.dumps({"status": text}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"server", b"bedesten"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _is_ready(self) -> bool:
        """One question to the store at a time, however many ask; all who wait share its answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().run_in_executor(None, self._ready)
        try:
            await asyncio.wait_for(asyncio.shield(self._asking), PATIENCE)
        except Exception as problem:
            log.warning("not-ready", cause=str(problem) or type(problem).__name__)
            return False
        return True
