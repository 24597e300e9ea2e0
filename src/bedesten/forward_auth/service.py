"""Forward-auth within the admin process: opens the installation when it can, and refuses everything until then.

It watches the route file and the secret file: a change takes effect within a second or two. A file that cannot be used
changes nothing, and the log says why.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bedesten.core.secret import Secret
from bedesten.forward_auth import endpoint
from bedesten.forward_auth.authorizer import ForwardAuth
from bedesten.forward_auth.rules import RuleSet
from bedesten.forward_auth.rules_file import read_file
from bedesten.http.message import Request, Response
from bedesten.http.services import Services

log = structlog.get_logger("bedesten.forward_auth")
CHECK_INTERVAL_S = 1.0


@dataclass(slots=True)
class _WatchedFile:
    """A file, and the inode, mode, size and time of its last known content."""

    path: Path
    version: tuple[int, ...] = field(default=())

    def changed(self) -> bool:
        """Whether the file differs from the version of the last call."""
        try:
            found = self.path.stat()
            version: tuple[int, ...] = (found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns)
        except OSError:
            version = (0,)
        if version == self.version:
            return False
        self.version = version
        return True


class ForwardAuthService:
    """The forward-auth of one process. Lives on the event loop.

    `open_services` opens the installation; it blocks, and raises an exception if it fails. `read_secret` reads the
    secret that signs identity headers from `secret_file`; it raises `OSError` or `ValueError`.
    """

    def __init__(
        self,
        routes_file: Path,
        secret_file: Path,
        read_secret: Callable[[Path], Secret[str]],
        open_services: Callable[[], Services],
    ) -> None:
        self._routes_file = _WatchedFile(routes_file)
        self._secret_file = _WatchedFile(secret_file)
        self._read_secret = read_secret
        self._open_services = open_services
        self._rules: RuleSet | None = None
        self._secret: Secret[str] | None = None
        self._services: Services | None = None
        self._forward_auth: ForwardAuth | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the installation if possible, and starts the task that retries and watches the files."""
        await self._refresh()
        self._task = asyncio.get_running_loop().create_task(self._refresh_forever())

    async def stop(self) -> None:
        """Stops the task, writes what is still in memory, and closes the store."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._services is not None:
            await self._services.close()

    async def decide(self, request: Request) -> Response:
        """The answer to a proxy's request."""
        if self._forward_auth is None or self._services is None or self._secret is None:
            return endpoint.unavailable("the gate is not open yet")
        return await endpoint.decide(self._forward_auth, request, self._secret, self._services.clock())

    def trusts(self, peer: str) -> bool:
        """Whether a peer is a trusted proxy. Before the installation is open every peer gets the answer 503."""
        return self._services is None or self._services.proxies.trusts(peer)

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await self._refresh()

    async def _refresh(self) -> None:
        if self._routes_file.changed():
            self._read_rules()
        if self._secret_file.changed():
            self._reread_secret()
        if self._services is None:
            await self._open()
        if self._services is not None and self._rules is not None:
            if self._forward_auth is None:
                self._forward_auth = ForwardAuth(self._services, self._rules)
            self._forward_auth.use_rules(self._rules)

    def _read_rules(self) -> None:
        try:
            self._rules = read_file(self._routes_file.path)
        except ValueError as problem:
            log.error("gate-routes-refused", cause=str(problem), kept=self._rules is not None)
        else:
            log.info("gate-routes-read", file=str(self._routes_file.path))

    def _reread_secret(self) -> None:
        try:
            self._secret = self._read_secret(self._secret_file.path)
        except (OSError, ValueError) as problem:
            log.error("gate-secret-refused", cause=str(problem), kept=self._secret is not None)

    async def _open(self) -> None:
        try:
            services = await asyncio.to_thread(self._open_services)
        except Exception as problem:
            log.warning("gate-not-open", cause=str(problem) or type(problem).__name__)
            return
        services.start("gate")
        self._services = services
