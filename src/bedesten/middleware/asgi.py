"""The gate around an ASGI application: HTTP and websockets. The caller is in `scope["bedesten"]`."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from bedesten.http.message import Response, peer_of
from bedesten.middleware.caller import SCOPE_KEY, Authorizer, Caller

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
POLICY_VIOLATION = 1008


class AsgiGate:
    """An ASGI 3 application. A refused request never reaches the application inside, and its body is not read."""

    def __init__(self, app: AsgiApp, authorizer: Authorizer) -> None:
        self._app = app
        self._authorizer = authorizer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one websocket, or the lifespan."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        if kind not in ("http", "websocket"):
            raise ValueError(f"the gate does not support {kind}")
        decision = await self._decision(scope)
        if isinstance(decision, Caller):
            await self._app({**scope, SCOPE_KEY: decision}, receive, send)
        elif kind == "http":
            await _answer(send, decision, "http.response", scope["method"])
        else:
            await _reject(scope, receive, send, decision)

    async def _decision(self, scope: Scope) -> Caller | Response:
        headers = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
        request = self._authorizer.request(
            scope.get("method", "GET"),
            scope["path"].encode("utf-8", "surrogateescape"),
            scope.get("query_string", b""),
            headers,
            peer_of(scope),
        )
        return request if isinstance(request, Response) else await self._authorizer.decide(request)

    def _closing(self, send: Send) -> Send:
        """Wraps `send` of the lifespan; closes the authorizer when the application has shut down."""

        async def sending(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await asyncio.to_thread(self._authorizer.close)
            await send(message)

        return sending


async def _reject(scope: Scope, receive: Receive, send: Send, refusal: Response) -> None:
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await _answer(send, refusal, "websocket.http.response", "GET")
    else:
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})


async def _answer(send: Send, refusal: Response, kind: str, method: str) -> None:
    headers = [*refusal.headers, (b"content-length", b"%d" % len(refusal.body))]
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": b"" if method == "HEAD" else refusal.body})
