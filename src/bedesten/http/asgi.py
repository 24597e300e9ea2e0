"""The ASGI adapter: between the server's messages and our plain `Request` and `Response`.

Only this file knows the server's protocol, and only `server/child_process.py` knows how the server is started.
Facts about granian 2.8.7 (hyper below it), found by experiment and held by `tests/pipeline/test_asgi.py`:

Requests. `raw_path` is undecoded and without query and fragment; an empty path (`CONNECT`), `*` and a method in lower case
reach the handler unchanged. Headers keep their order, except that a repeated one follows its first line. A missing `Host`
arrives as an empty one, or as the authority of an absolute-form target; if there is a `Host`, that authority is hidden.
Equal `Content-Length` lines arrive as one; with `Transfer-Encoding` beside it the server removes `Content-Length` and closes
the connection after the answer. Bytes from 0x80 up in header values arrive.

Bodies. `receive()` costs about 14 us, nearly half of a small request, and the end of a body is a separate message. So
the adapter does not call it for a request without a body, nor for the end of a body of announced length. An invalid chunk
and a client that has left give the same `http.disconnect`; the server sends `100 Continue` at the first `receive()`.

Answers before the body is read. The answer is sent at once. If the application then returns, hyper keeps the connection
only if its buffer already contains the rest of the body; otherwise it adds `Connection: close` and closes, and a client
that is still sending may see a reset in place of the answer. If the application goes on receiving, the body is read and
the connection lives. `IncomingBody.discard` therefore decides:

| unread body | after the answer |
|---|---|
| announced, up to 64 KiB, no `Expect` | drained for up to 2 s, the connection lives; closed if the rest does not arrive |
| longer, chunked, or with `Expect` | `Connection: close`; up to 16 MiB are discarded for up to 2 s |
| stalled (408), or the client left | `Connection: close`, closed at once |

`send` to a client that has left raises nothing. `send` refuses a header with a line break; the server then answers a bare
500 in place of our answer. Our `Server` header replaces the server's. For HEAD, 204 and 304 hyper sends no body;
`Content-Length` of a HEAD is that of the body of a GET.

Not RSGI, granian's own protocol: it decodes the path (`/a%2Fb` arrives as `/a/b`) and leaves out a header whose value has a
byte from 0x80 up. Nor is it clearly cheaper: a trivial response of the product took 0.98 × the CPU (0.97–1.08, five rounds
in turns on a busy machine).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from bedesten.errors import BAD_REQUEST, INTERNAL, TOO_LARGE, ErrorCode
from bedesten.http.message import BodyStalled, BodyTooLarge, ClientGone, Headers, Request, Response, peer_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handle = Callable[[Request], Awaitable[Response]]
Hook = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)

_CHUNKED = -1
_SERVER = (b"server", b"bedesten")
_CLOSE = (b"connection", b"close")
_PLAIN = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"expect"})
_NO_CONTENT = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class BodyPace:
    """How long a body may take, in seconds and bytes.

    `between_s` is the longest pause between bytes, `whole_s` the longest time for the whole body. An unread body is
    drained up to `drain_bytes`, so that the connection can be reused. Beyond that the answer says `Connection: close`,
    and the adapter discards up to `linger_bytes` more for up to `linger_s`, so that a client that is still sending sees
    the answer and not a reset.
    """

    between_s: float = 10.0
    whole_s: float = 30.0
    drain_bytes: int = 64 * 1024
    linger_s: float = 2.0
    linger_bytes: int = 16 * 1024 * 1024


class IncomingBody:
    """A request's body. Reading it again returns the same bytes, without checking the limit again.

    `malformed`: the transfer coding is not a single `chunked` (the server below accepts `gzip, chunked` and
    `chunked, chunked`).
    """

    __slots__ = ("_done", "_ends_connection", "_length", "_pace", "_receive", "_size", "_whole", "malformed")

    def __init__(self, headers: Headers, receive: Receive, pace: BodyPace) -> None:
        length = 0
        malformed = expecting = False
        for name, value in headers:
            if name not in _FRAMING:
                continue
            if name == b"content-length":
                length = length or int(value)
            elif name == b"transfer-encoding":
                malformed = length == _CHUNKED or value.lower() != b"chunked"
                length = _CHUNKED
            elif name == b"expect":
                expecting = True
        self.malformed = malformed
        self._length = length
        self._size = 0
        self._receive = receive
        self._pace = pace
        self._whole: bytes | None = b"" if length == 0 else None
        self._done = length == 0
        self._ends_connection = expecting or not 0 <= length <= pace.drain_bytes

    @property
    def done(self) -> bool:
        """Whether the body has ended, or its rest is not worth waiting for."""
        return self._done

    @property
    def ends_connection(self) -> bool:
        """Whether the connection cannot be used again if the body stays unread.

        True if the rest may be long, or if the client asked before sending (`Expect`): after a refusal it may omit the
        body, and its next request would be read as the body.
        """
        return self._ends_connection

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `BodyTooLarge` past the limit (before reading, if the length is announced),
        `BodyStalled` past the deadline, `ClientGone` also after an invalid chunk."""
        if self._whole is not None:
            return self._whole
        if self._length > limit:
            raise BodyTooLarge
        message = await self._next(min(self._pace.between_s, self._pace.whole_s))
        whole: bytes = message.get("body", b"")
        if len(whole) == self._length:  # the usual case: the whole body at once; its end needs no further message
            self._done = True
        else:
            whole = await self._collect(message, limit)
        self._whole = whole
        return whole

    async def _next(self, seconds: float) -> Message:
        """The next message. Raises `BodyStalled` after `seconds`.

        The timer cancels the future, never the task around it. This costs a third of `asyncio.timeout` and leaves no
        cancellation behind if the message arrives as the timer fires.
        """
        coming = asyncio.ensure_future(self._receive())
        timer = asyncio.get_running_loop().call_later(seconds, coming.cancel)
        try:
            return await coming
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._done = self._ends_connection = True
            raise BodyStalled from None
        finally:
            timer.cancel()

    async def _collect(self, message: Message, limit: int) -> bytes:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._pace.whole_s
        parts: list[bytes] = []
        size = 0
        while True:
            if message["type"] != "http.request":
                self._done = self._ends_connection = True
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            self._size = size
            if size > limit:
                self._ends_connection = True
                raise BodyTooLarge
            parts.append(chunk)
            if size == self._length or not message.get("more_body", False):
                self._done = True
                return b"".join(parts)
            message = await self._next(min(self._pace.between_s, end - loop.time()))

    async def discard(self) -> None:
        """Discards the unread rest, up to the linger limits. Never raises."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._pace.linger_s
        size = self._size
        stop = size + self._pace.linger_bytes
        try:
            while size < stop and not self._done:
                message = await self._next(end - loop.time())
                size += len(message.get("body", b""))
                self._done = size == self._length or not message.get("more_body", False)
        except BodyStalled:
            pass
        except Exception:
            log.debug("discarding a body failed", exc_info=True)


class Adapter:
    """An ASGI 3 application around one plain handler.

    `handle` gets every request and should answer every failure itself. The adapter answers what it raises: `BodyStalled`
    with 408, `BodyTooLarge` with 413, `ClientGone` with 400 (for a client that sent an invalid chunk; one that has left
    does not see it), anything else with 500 and a traceback in the log. `startup` runs before the first
    connection is accepted and may refuse by raising; `shutdown` runs after the last answer.
    """

    def __init__(
        self,
        handle: Handle,
        startup: Hook,
        shutdown: Hook,
        pace: BodyPace | None = None,
        *,
        on_drain: Callable[[], None] | None = None,
    ) -> None:
        self._handle = handle
        self._startup = startup
        self._shutdown = shutdown
        self._pace = pace or BodyPace()
        self._on_drain = on_drain
        self._draining = False

    def drain(self) -> None:
        """Makes every further answer close its connection, so that proxies and clients open the next one elsewhere."""
        self._draining = True
        if self._on_drain is not None:
            self._on_drain()

    def __call__(self, scope: Message, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """One request, or the lifespan."""
        kind = scope["type"]
        if kind == "http":
            return self._http(scope, receive, send)
        if kind == "lifespan":
            return self._lifespan(receive, send)
        raise ValueError(f"no {kind} here")

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        body = IncomingBody(headers, receive, self._pace)
        method: str = scope["method"]
        request = Request(method, scope["raw_path"], scope["query_string"], headers, peer_of(scope), body)
        try:
            response = await self._handle(request) if not body.malformed else _envelope(BAD_REQUEST)
        except Exception as problem:
            response = _last_resort(problem, request)
        if body.done:
            await _send(send, method, response, self._draining or response.close)
        else:
            await _send(send, method, response, self._draining or response.close or body.ends_connection)
            await body.discard()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            stage = message["type"]
            hook = self._startup if stage == "lifespan.startup" else self._shutdown
            try:
                await hook()
            except Exception as problem:
                log.exception("%s failed", stage)
                await send({"type": f"{stage}.failed", "message": f"{type(problem).__name__}: {problem}"})
                return
            await send({"type": f"{stage}.complete"})
            if stage == "lifespan.shutdown":
                return


async def _send(send: Send, method: str, response: Response, close: bool) -> None:
    """Sends the answer to the server. Never raises, not even for a client that has left."""
    body = response.body
    headers = [*response.headers, _SERVER]
    if response.status not in _NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(body)))
    if close:
        headers.append(_CLOSE)
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
    except Exception:
        log.exception("an answer could not be sent")  # an invalid header, for example; the server answers 500


def _last_resort(problem: Exception, request: Request) -> Response:
    """The answer to an exception of the handler."""
    if isinstance(problem, BodyStalled):
        return Response(408, [], b"", close=True)
    if isinstance(problem, ClientGone):
        return Response(400, [], b"", close=True)
    if isinstance(problem, BodyTooLarge):
        return _envelope(TOO_LARGE)
    log.error("the handler of %s %r raised", request.method, request.path, exc_info=problem)
    return _envelope(INTERNAL)


def _envelope(code: ErrorCode) -> Response:
    text = f'{{"success":false,"message":"{code.text}","code":{code.number},"errorCode":{code.number},"data":null}}'
    return Response(code.status, list(_PLAIN), text.encode(), close=True)
