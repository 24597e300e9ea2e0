"""The admin listener: an application of its own, on a listener of its own, that knows no tenant.

| path | says |
|---|---|
| `GET /health/live` | that the process runs |
| `GET /health/ready` | whether requests can be answered: else 503 with a reason; the whole cause is in the log |
| `GET /metrics` | what the processes of this machine count, in the text format of Prometheus |
| `GET /gate/decide`, `/gate/envoy/…` | to trusted proxies: whether a request to another service may go on (`endpoint`) |
| `POST /leaks` | to secret scanners, which show a secret: which of the texts that they found are live keys (`scanners`) |

But for the last it asks for no credential, which is why it listens on loopback unless it is told otherwise. A page in the
operator's browser must not read it through a name of its own that leads to loopback: a `Host` is an address, `localhost`,
or one of the names that were configured; any other is answered 421. A client that sends none (HTTP/1.0) is no browser.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Generic, Protocol, TypeVar

import structlog

from bedesten.admin_api import scanners
from bedesten.admin_api.exposition import STORE_DOWN, Write
from bedesten.forward_auth import endpoint
from bedesten.http.asgi import BodyPace, IncomingBody
from bedesten.http.message import BodyStalled, BodyTooLarge, ClientGone, EmptyRequestBody, Request, Response, peer_of
from bedesten.store.transaction import StoreUnavailable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Result = TypeVar("Result")
Answer = tuple[int, bytes, bytes]
"""Status, content type, body."""

log = structlog.get_logger("bedesten.admin")
CHECK_TIMEOUT_S = 4.0
"""Seconds after which a store that does not answer counts as out of reach."""
LEAKS = "/leaks"
PATHS = ("/health/live", "/health/ready", "/metrics")


class NotReady(Exception):
    """Why requests cannot be answered, in a few words that may be shown to whoever asks."""


class SharedCheck(Generic[Result]):
    """A question that blocks: one at a time, in a thread, however many ask; all who wait share the answer."""

    def __init__(self, ask: Callable[[], Result], pool: ThreadPoolExecutor) -> None:
        self._ask = ask
        self._pool = pool
        self._asking: asyncio.Future[Result] | None = None

    async def __call__(self) -> Result:
        """The answer. Raises what the question raises, and `TimeoutError`; an answer that comes later is for nobody."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().run_in_executor(self._pool, self._ask)
            self._asking.add_done_callback(_looked_at)
        return await asyncio.wait_for(asyncio.shield(self._asking), CHECK_TIMEOUT_S)


def _looked_at(done: asyncio.Future[Any]) -> None:
    """An answer that came too late, and was a failure, is nobody's."""
    if not done.cancelled():
        done.exception()


class Authorizer(Protocol):
    """The gate for other services."""

    async def start(self) -> None:
        """Before the first request."""

    async def stop(self) -> None:
        """After the last one."""

    def trusts(self, peer: str) -> bool:
        """Whether a question from there is answered."""

    async def decide(self, request: Request) -> Response:
        """The answer to one."""


class AdminListener:
    """The ASGI application. `ready` blocks and raises what is the matter; `stored` blocks and gives what the store tells of
    itself, `metrics` how to write that and what the processes count; `close` is called at the end. `names` are hosts besides
    addresses. Without a `gate` nothing is decided here, without `scanners` no leak is reported."""

    def __init__(
        self,
        ready: Callable[[], None],
        stored: Callable[[], dict[str, float]],
        metrics: Callable[[dict[str, float]], Write],
        close: Callable[[], None],
        names: Collection[str] = (),
        gate: Authorizer | None = None,
        scanners: scanners.Scanners | None = None,
        pace: BodyPace | None = None,
    ) -> None:
        pool = self._pool = ThreadPoolExecutor(4, "operator")
        self._ready = SharedCheck(ready, pool)
        self._stored = SharedCheck(stored, pool)
        self._metrics = metrics
        self._close = close
        self._gate = gate
        self._scanners = scanners
        self._pace = pace or BodyPace()
        self._reporting = asyncio.Lock()
        self._names = frozenset(name.lower().rstrip(".") for name in names) | {"localhost"}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._gate is not None:
            await self._gate.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._gate is not None:
            await self._gate.stop()
        self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._gate is not None and scope["raw_path"].startswith((endpoint.FORWARDED, endpoint.ENVOY)):
            decision = await self._decision(self._gate, scope)
            if decision is not None:
                await _send_decision(send, decision)
                return
        status, kind, body = await self._answer(scope, receive)
        headers = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"server", b"bedesten"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if scope["path"] == LEAKS and status != 200:  # of the body something may still be on its way
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        hosts = [value for name, value in scope["headers"] if name == b"host" and value]
        if not all(is_own(host, self._names) for host in hosts):
            return _document(421, "unknown host")
        path = scope["path"]
        if path == LEAKS and scope["method"] == "POST" and self._scanners is not None:
            return await self._leaks(self._scanners, scope, receive)
        if path not in PATHS:
            return _document(404, "not found")
        if scope["method"] not in ("GET", "HEAD"):
            return _document(405, "not allowed")
        if path == "/health/live":
            return _document(200, "ok")
        if path == "/health/ready":
            return await self._readiness()
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
        return await self._measures(accept.decode("latin-1"))

    async def _leaks(self, taker: scanners.Scanners, scope: Message, receive: Receive) -> Answer:
        """A report of a secret scanner, one at a time: each finding is looked for in every tenant."""
        run = asyncio.get_running_loop().run_in_executor
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        try:
            if not await run(self._pool, taker.authenticates, shown):
                return _document(401, "unauthorised")
        except FileNotFoundError:
            return _document(404, "not found")
        except (OSError, ValueError) as problem:
            log.warning("leak-secret-unusable", cause=str(problem))
            return _document(503, "unavailable")
        body = IncomingBody(scope["headers"], receive, self._pace)
        try:
            if body.malformed:
                raise ClientGone
            findings = scanners.read(await body.read(scanners.MAX_REPORT_BYTES))
        except BodyTooLarge:
            return _document(413, "too large")
        except BodyStalled:
            return _document(408, "too slow")
        except ClientGone:
            return _document(400, "not a report", "the body did not come to its end")
        except ValueError as problem:
            return _document(400, "not a report", str(problem))
        async with self._reporting:
            try:
                return 200, b"application/json", await run(self._pool, taker.label_findings, findings)
            except StoreUnavailable as problem:
                log.warning("leaks-not-reported", cause=str(problem))
                return _document(503, "unavailable", "the store is out of reach: send the report again")

    async def _decision(self, gate: Authorizer, scope: Message) -> Response | None:
        """What the gate says; None if it is not asked for, or not by whom or how it may be."""
        raw = scope["raw_path"]
        hosts = [value for name, value in scope["headers"] if name == b"host" and value]
        if raw == endpoint.FORWARDED:
            if not all(is_own(host, self._names) for host in hosts):
                return None
        elif not raw.startswith(endpoint.ENVOY + b"/"):  # there the host is the one that the client has named
            return None
        peer = peer_of(scope)
        if not gate.trusts(peer):
            return endpoint.not_a_proxy(peer)
        asked = Request(scope["method"], raw, scope["query_string"], scope["headers"], peer, EmptyRequestBody())
        return await gate.decide(asked)

    async def _readiness(self) -> Answer:
        try:
            await self._ready()
        except Exception as problem:
            reason = str(problem) if isinstance(problem, NotReady) else "the store is out of reach"
            log.warning("not-ready", reason=reason, cause=str(problem.__cause__ or problem) or type(problem).__name__)
            return _document(503, "unavailable", reason)
        return _document(200, "ok")

    async def _measures(self, accept: str) -> Answer:
        try:
            stored = await self._stored()
        except TimeoutError:
            stored = STORE_DOWN
        write = await asyncio.get_running_loop().run_in_executor(self._pool, self._metrics, stored)
        body, kind = write(accept)
        return 200, kind.encode(), body


async def _send_decision(send: Send, decision: Response) -> None:
    headers = [*decision.headers, (b"content-length", b"%d" % len(decision.body)), (b"server", b"bedesten")]
    await send({"type": "http.response.start", "status": decision.status, "headers": headers})
    await send({"type": "http.response.body", "body": decision.body})


def is_own(host: bytes, names: Collection[str]) -> bool:
    """Whether a `Host` may mean this listener: an address with or without a port, or one of the names."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.rstrip(".") in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _document(status: int, text: str, reason: str | None = None) -> Answer:
    body = {"status": text} if reason is None else {"status": text, "reason": reason}
    return status, b"application/json", json.dumps(body).encode()
