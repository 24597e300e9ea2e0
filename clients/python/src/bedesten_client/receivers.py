"""Ready-made receivers of webhooks: applications for ASGI and WSGI servers. Their outcomes are those of `webhooks`."""

import asyncio
import inspect
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from enum import Enum
from logging import getLogger
from typing import Any, Protocol

from bedesten_client._base import SecretLike
from bedesten_client.secrets import SecretError
from bedesten_client.webhooks import Event, Verifier, WebhookRefused

MAX_BODY_BYTES = 2 * 1024 * 1024
_log = getLogger("bedesten_client.webhooks")

Handler = Callable[[Event], Awaitable[object] | object]
Scope = MutableMapping[str, Any]
AsgiApp = Callable[
    [Scope, Callable[[], Awaitable[Scope]], Callable[[Scope], Awaitable[None]]],
    Awaitable[None],
]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Claim(Enum):
    """What is known of an event that came."""

    NEW = "handle it"
    BUSY = "it is being handled"
    DONE = "it was handled"


class DeduplicationStore(Protocol):
    """Remembers events, so that each is handled once. One of your own is a table with a unique column."""

    def claim(self, event_id: str) -> Claim:
        """NEW to exactly one of those who ask before `done` or `release`."""
        ...

    def done(self, event_id: str) -> None:
        """It was handled."""
        ...

    def release(self, event_id: str) -> None:
        """It was not, and will come again."""
        ...


class MemoryDeduplicationStore:
    """The memory of one process: after a restart, and in another process, an event that comes again is handled again."""

    def __init__(self, max_events: int = 100_000) -> None:
        self._most = max_events
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Claim] = OrderedDict()

    def claim(self, event_id: str) -> Claim:
        """See `DeduplicationStore`."""
        with self._lock:
            known = self._known.get(event_id)
            if known is None:
                self._known[event_id] = Claim.BUSY
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
                return Claim.NEW
            return known

    def done(self, event_id: str) -> None:
        """See `DeduplicationStore`."""
        with self._lock:
            self._known[event_id] = Claim.DONE

    def release(self, event_id: str) -> None:
        """See `DeduplicationStore`."""
        with self._lock:
            self._known.pop(event_id, None)


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: a status, and headers beside the usual ones."""

    status: int
    lines: tuple[tuple[str, str], ...] = ()


HANDLED, FAILED, TRUNCATED, TOO_LARGE = Response(204), Response(500), Response(400), Response(413)
NOT_POST, BUSY, NO_LENGTH = Response(405, (("Allow", "POST"),)), Response(503, (("Retry-After", "5"),)), Response(411)
_REASONS = {
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class _Receiver:
    """What both kinds of receiver do between reading and handling."""

    def __init__(self, verifier: Verifier, store: DeduplicationStore) -> None:
        self._verifier = verifier
        self._seen = store

    def admit(self, headers: Iterable[tuple[str, str]], body: bytes) -> Event | Response:
        """The event that is to be handled now, or the answer to what is not."""
        try:
            event = self._verifier.verify(headers, body)
        except WebhookRefused as refused:
            _log.warning("a webhook was refused (%s): %s", refused.reason, refused)
            return Response(refused.status)
        except SecretError as problem:
            _log.error("webhooks cannot be verified: %s", problem)
            return BUSY
        match self._seen.claim(event.id):
            case Claim.NEW:
                return event
            case Claim.DONE:
                _log.info("webhook %s came again", event.id)
                return HANDLED
            case Claim.BUSY:
                return BUSY

    def handled(self, event: Event) -> Response:
        """The answer to what was handled. If that cannot be remembered it comes again."""
        try:
            self._seen.done(event.id)
        except Exception as problem:
            return self.failed(event, problem)
        return HANDLED

    def failed(self, event: Event, problem: BaseException) -> Response:
        """The answer to what was not."""
        _log.error("webhook %s was not handled and will come again", event.id, exc_info=problem)
        try:
            self._seen.release(event.id)
        except Exception:
            _log.exception("webhook %s stays marked as being handled", event.id)
        return FAILED


def wsgi_receiver(
    secret: SecretLike | Verifier,
    handle: Callable[[Event], object],
    *,
    store: DeduplicationStore | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> WsgiApp:
    """A WSGI application that calls `handle` once for each event. What `handle` raises brings the event again."""
    receiver = _Receiver(
        secret if isinstance(secret, Verifier) else Verifier(secret), store or MemoryDeduplicationStore()
    )

    def answer(environ: dict[str, Any]) -> Response:
        if environ["REQUEST_METHOD"] != "POST":
            return NOT_POST
        body = _wsgi_body(environ, max_body_bytes)
        if isinstance(body, Response):
            return body
        lines = [(key[5:].replace("_", "-"), value) for key, value in environ.items() if key.startswith("HTTP_")]
        event = receiver.admit(lines, body)
        if isinstance(event, Response):
            return event
        try:
            handle(event)
        except Exception as problem:
            return receiver.failed(event, problem)
        except BaseException as problem:
            receiver.failed(event, problem)
            raise
        return receiver.handled(event)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = answer(environ)
        length = () if response.status == 204 else (("Content-Length", "0"),)
        start_response(f"{response.status} {_REASONS[response.status]}", [*response.lines, *length])
        return [b""]

    return application


def _wsgi_body(environ: dict[str, Any], max_body_bytes: int) -> bytes | Response:
    text = environ.get("CONTENT_LENGTH") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return NO_LENGTH
    length = int(text)
    if length > max_body_bytes:
        return TOO_LARGE
    body = bytearray()
    while len(body) < length:
        piece = environ["wsgi.input"].read(length - len(body))
        if not piece:
            return TRUNCATED
        body += piece
    return bytes(body)


def asgi_receiver(
    secret: SecretLike | Verifier,
    handle: Handler,
    *,
    store: DeduplicationStore | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> AsgiApp:
    """An ASGI application that calls `handle`, plain or async, once for each event.

    A plain one runs in a thread. What it raises brings the event again. `store` is called in threads as well. An event that
    was begun is finished although its sender has gone: a handler that is cut off half-way would be called again.
    """
    receiver = _Receiver(
        secret if isinstance(secret, Verifier) else Verifier(secret), store or MemoryDeduplicationStore()
    )
    under_way: set[asyncio.Future[Response]] = set()

    async def work(event: Event) -> None:
        made = handle(event) if inspect.iscoroutinefunction(handle) else await asyncio.to_thread(handle, event)
        if inspect.isawaitable(made):
            await made

    async def answer(scope: Scope, receive: Callable[[], Awaitable[Scope]]) -> Response | None:
        if scope["method"] != "POST":
            return NOT_POST
        body = await _asgi_body(scope, receive, max_body_bytes)
        if body is None or isinstance(body, Response):
            return body
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        task = asyncio.ensure_future(finish(lines, body))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return await asyncio.shield(task)

    async def finish(lines: list[tuple[str, str]], body: bytes) -> Response:
        event = await asyncio.to_thread(receiver.admit, lines, body)
        if isinstance(event, Response):
            return event
        try:
            await work(event)
        except Exception as problem:
            return await asyncio.to_thread(receiver.failed, event, problem)
        except BaseException as problem:  # the loop ends: nothing may be waited for
            receiver.failed(event, problem)
            raise
        return await asyncio.to_thread(receiver.handled, event)

    async def application(
        scope: Scope, receive: Callable[[], Awaitable[Scope]], send: Callable[[Scope], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError("webhooks come over HTTP")
        response = await answer(scope, receive)
        if response is None:
            return
        length = [] if response.status == 204 else [(b"content-length", b"0")]
        lines = [(name.lower().encode(), value.encode()) for name, value in response.lines] + length
        await send({"type": "http.response.start", "status": response.status, "headers": lines})
        await send({"type": "http.response.body", "body": b""})

    return application


async def _asgi_body(
    scope: Scope, receive: Callable[[], Awaitable[Scope]], max_body_bytes: int
) -> bytes | Response | None:
    """The body, an answer instead, or None where nobody waits for one any more."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            _log.warning("a webhook broke off before its end")
            return None
        body += message.get("body", b"")
        if len(body) > max_body_bytes:
            return TOO_LARGE
        if not message.get("more_body", False):
            break
    declared = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), None)
    if declared is not None and declared.isdigit() and int(declared) != len(body):
        return TRUNCATED
    return bytes(body)


async def _lifespan(receive: Callable[[], Awaitable[Scope]], send: Callable[[Scope], Awaitable[None]]) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
