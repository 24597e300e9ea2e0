"""Receivers of webhooks: applications for ASGI and WSGI servers."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from logging import getLogger
from typing import Any

from bedesten_client._base import SecretLike
from bedesten_client.secrets import SecretError
from bedesten_client.webhooks._deduplication import Claim, DeduplicationStore, MemoryDeduplicationStore
from bedesten_client.webhooks._verification import Event, Verifier, WebhookRefused

MAX_BODY_BYTES = 2 * 1024 * 1024
_log = getLogger("bedesten_client.webhooks")

Handler = Callable[[Event], Awaitable[object] | object]
Scope = MutableMapping[str, Any]
AsgiApp = Callable[
    [Scope, Callable[[], Awaitable[Scope]], Callable[[Scope], Awaitable[None]]],
    Awaitable[None],
]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Response:
    """A response without a body: its status and any additional headers."""

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
    """The steps that both kinds of receiver share, between reading the request and calling the handler."""

    def __init__(self, verifier: Verifier, store: DeduplicationStore) -> None:
        self._verifier = verifier
        self._store = store

    def admit(self, headers: Iterable[tuple[str, str]], body: bytes) -> Event | Response:
        """Return the event to handle, or the response to a request that must not be handled."""
        try:
            event = self._verifier.verify(headers, body)
        except WebhookRefused as refused:
            _log.warning("a webhook was refused (%s): %s", refused.reason, refused)
            return Response(refused.status)
        except SecretError as problem:
            _log.error("webhooks cannot be verified: %s", problem)
            return BUSY
        match self._store.claim(event.id):
            case Claim.NEW:
                return event
            case Claim.DONE:
                _log.info("webhook %s was delivered again", event.id)
                return HANDLED
            case Claim.BUSY:
                return BUSY

    def handled(self, event: Event) -> Response:
        """Record the event as handled. If that fails, answer 500, so that the event arrives again."""
        try:
            self._store.done(event.id)
        except Exception as problem:
            return self.failed(event, problem)
        return HANDLED

    def failed(self, event: Event, problem: BaseException) -> Response:
        """Release the event after its handler raised."""
        _log.error("webhook %s was not handled and will be delivered again", event.id, exc_info=problem)
        try:
            self._store.release(event.id)
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
    """A WSGI application that calls `handle` once for each event. If `handle` raises, the event is delivered again."""
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
    """An ASGI application that calls `handle` once for each event. If `handle` raises, the event is delivered again.

    `handle` is a coroutine function, or a plain function, which runs in a thread; so do the methods of `store`. Once
    handling has begun it runs to its end, even if the sender disconnects: an interrupted handler would be called again.
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
        except BaseException as problem:  # the event loop is ending: do not await
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
            raise ValueError("a webhook receiver serves HTTP only")
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
    """Return the body, an error response, or None if the sender has disconnected."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            _log.warning("the sender of a webhook disconnected before its end")
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
