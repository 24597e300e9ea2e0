"""The gate, opened within a service's own process.

It runs on an event loop in its own thread, which starts with the first request of a process. So it serves ASGI and
WSGI alike, whatever loops and threads the service has, and a server that forks its workers after loading the service
opens nothing before the fork. If the installation cannot be opened, requests are answered 503 and a later one tries again.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from multiprocessing.util import Finalize
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import structlog

from bedesten import errors
from bedesten.core.ids import request_id
from bedesten.errors import Refusal
from bedesten.forward_auth.authorizer import ForwardAuth, forwarded_headers
from bedesten.forward_auth.rules import Rule, RuleSet, check_target
from bedesten.forward_auth.rules_file import read_file
from bedesten.gate.scopes import Surface
from bedesten.http import responses
from bedesten.http.message import EmptyRequestBody, Headers, Request, Response
from bedesten.middleware.asgi import AsgiApp, AsgiGate
from bedesten.middleware.caller import Caller
from bedesten.middleware.wsgi import WsgiApp, WsgiGate
from bedesten.server.build import open_services
from bedesten.server.child_process import new_loop
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings

log = structlog.get_logger("bedesten.middleware")
DECISION_TIMEOUT_S = 30.0
"""Seconds that a request waits for the decision before it is refused."""
RETRY_INTERVAL_S = 1.0
"""Seconds between two attempts to open the installation."""


def all_paths(surface: str, *, public: Iterable[str] = ()) -> RuleSet:
    """Rules for a service whose paths all demand a valid credential of one surface, except the public ones."""
    rules = [Rule("/", True, surface=Surface(surface))]
    return RuleSet([*rules, *(Rule(path, False) for path in public)])


class LocalAuthorizer:
    """Decides about a service's requests. Safe for any number of threads and event loops.

    `routes` are rules, or the path of a route file. `data` and `database` name the installation, like the options of
    the program; missing ones come from the environment (`BEDESTEN_DATA`, `BEDESTEN_TRUSTED_PROXIES` and others). `host`
    binds the service to that host's tenant, whatever host a request names. Raises `RouteFileError`, `ValueError`.
    """

    def __init__(
        self,
        routes: RuleSet | Path | str,
        *,
        data: Path | str | None = None,
        database: str | None = None,
        host: str | None = None,
    ) -> None:
        self._routes = routes if isinstance(routes, RuleSet) else read_file(Path(routes))
        given: dict[str, Any] = {"data": data, "database": database}
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        self._settings = settings.model_copy(update={"data": settings.data.absolute()})
        self._host = None if host is None else host.encode("ascii")
        self._starting = threading.Lock()
        self._running: _RunningAuthorizer | None = None
        self._ends_with = 0
        if not structlog.is_configured():
            _log_as_the_service_does()

    def asgi(self, app: AsgiApp) -> AsgiGate:
        """The application behind the gate."""
        return AsgiGate(app, self)

    def wsgi(self, app: WsgiApp) -> WsgiGate:
        """The application behind the gate."""
        return WsgiGate(app, self)

    async def decide(self, request: Request) -> Caller | Response:
        """The caller, or the refusal to answer with; for code on an event loop."""
        deciding = self._asked(request)
        if deciding is None:
            return _unavailable(request, "the gate is being closed")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(deciding), DECISION_TIMEOUT_S)
        except TimeoutError:
            return _unavailable(request, "the gate took too long")

    def decide_now(self, request: Request) -> Caller | Response:
        """Like `decide`, for code without an event loop; blocks."""
        deciding = self._asked(request)
        if deciding is None:
            return _unavailable(request, "the gate is being closed")
        try:
            return deciding.result(DECISION_TIMEOUT_S)
        except TimeoutError:
            deciding.cancel()
            return _unavailable(request, "the gate took too long")

    def request(self, method: str, path: bytes, query: bytes, headers: Headers, peer: str) -> Request | Response:
        """The request to decide about, or the refusal (-2) of an ambiguous one.

        `path` is decoded, as the service dispatches by it. Header names are lower case.
        """
        hosts = [value for name, value in headers if name == b"host"]
        raw = quote(path, safe="/!$&'()*+,=:@").encode()
        try:
            check_target(raw, query)
            lines = forwarded_headers(headers, hosts if self._host is None else [self._host])
        except Refusal as refusal:
            return refusal_response(refusal, headers)
        return Request(method, raw, query, lines, peer, EmptyRequestBody())

    def close(self) -> None:
        """Writes what is still in memory and closes the installation. A later request opens it again."""
        with self._starting:
            running, self._running = self._running, None
        if running is not None and running.pid == os.getpid():
            running.close()

    def _asked(self, request: Request) -> "Future[Caller | Response] | None":
        """The pending decision; None while the authorizer is being closed."""
        running = self._process()
        deciding = running.decide(request)
        try:
            return asyncio.run_coroutine_threadsafe(deciding, running.loop)
        except RuntimeError:  # its loop is closed
            deciding.close()
            return None

    def _process(self) -> "_RunningAuthorizer":
        running = self._running
        if running is None or running.pid != os.getpid():
            with self._starting:
                running = self._running
                if running is None or running.pid != os.getpid():
                    running = self._running = _RunningAuthorizer(self._settings, self._routes)
                    if self._ends_with != running.pid:
                        self._ends_with = running.pid
                        # A process of multiprocessing ends without running `atexit` handlers: `Finalize` is for those.
                        atexit.register(self.close)
                        Finalize(None, self.close, exitpriority=0)
        return running


class _RunningAuthorizer:
    """The authorizer of one process, with its thread and its loop."""

    def __init__(self, settings: Settings, routes: RuleSet) -> None:
        self.pid = os.getpid()
        self.loop = new_loop()
        self._settings = settings
        self._routes = routes
        self._forward_auth: ForwardAuth | None = None
        self._opening: asyncio.Lock | None = None
        self._failed = (0.0, "")
        self._thread = threading.Thread(target=self.loop.run_forever, name="bedesten-gate", daemon=True)
        self._thread.start()

    async def decide(self, request: Request) -> Caller | Response:
        forward_auth = self._forward_auth or await self._open()
        if forward_auth is None:
            return refusal_response(Refusal(errors.UNAVAILABLE, self._failed[1], retry_after=1), request.headers)
        decision = await forward_auth.decide(request)
        return decision if isinstance(decision, Response) else Caller.of(decision)

    async def _open(self) -> ForwardAuth | None:
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._forward_auth is None and monotonic() >= self._failed[0]:
                try:
                    installation = await asyncio.to_thread(open_installation, self._settings)
                    services = open_services(installation)
                except Exception as problem:
                    self._failed = (monotonic() + RETRY_INTERVAL_S, str(problem) or type(problem).__name__)
                    log.error("gate-not-open", cause=self._failed[1])
                    return None
                services.start("gate")
                self._forward_auth = ForwardAuth(services, self._routes)
            return self._forward_auth

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(DECISION_TIMEOUT_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(DECISION_TIMEOUT_S)
        self.loop.close()

    async def _close(self) -> None:
        if self._forward_auth is not None:
            await self._forward_auth.close()


def refusal_response(refusal: Refusal, headers: Headers, request: str = "") -> Response:
    """The answer to a request that is refused here; logs the cause under the request id."""
    request = request or request_id()
    log.warning("not-admitted", cause=refusal.cause, code=refusal.code.number, request_id=request)
    return responses.error_response(refusal, request, b",".join(value for name, value in headers if name == b"accept"))


def _unavailable(request: Request, cause: str) -> Response:
    return refusal_response(Refusal(errors.UNAVAILABLE, cause, retry_after=1), request.headers)


def _log_as_the_service_does() -> None:
    """Sends the gate's log lines to the standard library's loggers, which the service configures."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer(key_order=["event"])],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
