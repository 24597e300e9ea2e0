"""The gate for other services, within the operator's process: opened when it can be, and closed until then.

It follows the route file and the file of its secrets: what was changed holds within a second or two. A file that cannot be
used changes nothing, and the log says why; without one that ever could, everything is refused.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from bedesten.core.secret import Secret
from bedesten.forward_auth import endpoint
from bedesten.forward_auth.authorizer import ForwardAuth
from bedesten.forward_auth.rules import RuleSet
from bedesten.forward_auth.rules_file import read_file
from bedesten.http.context import Services
from bedesten.http.message import Response
from bedesten.server.build import open_services, start_recording
from bedesten.server.installation import open_installation
from bedesten.server.secret_file import load_secrets
from bedesten.server.settings import Settings

log = structlog.get_logger("bedesten.gate")
CHECK_INTERVAL_S = 1.0
"""Seconds between two looks at the files."""


@dataclass(slots=True)
class _WatchedFile:
    """A file, and what told its content apart when it was last looked at."""

    path: Path
    seen: tuple[int, ...] = field(default=())

    def changed(self) -> bool:
        """Whether there is something that was not looked at yet."""
        try:
            known = self.path.stat()
            mark: tuple[int, ...] = (known.st_ino, known.st_mode, known.st_size, known.st_mtime_ns)
        except OSError:
            mark = (0,)
        if mark == self.seen:
            return False
        self.seen = mark
        return True


class ForwardAuthService:
    """One process's. Lives on the event loop."""

    def __init__(self, settings: Settings) -> None:
        assert settings.gate_routes is not None
        self._settings = settings
        self._routes_file = _WatchedFile(settings.gate_routes)
        self._secrets_file = _WatchedFile(settings.gate_secret_file)
        self._routes: RuleSet | None = None
        self._secret: Secret[str] | None = None
        self._services: Services | None = None
        self._forward_auth: ForwardAuth | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Opens the gate if that can be done, and goes on trying and watching."""
        await self._refresh()
        self._task = asyncio.get_running_loop().create_task(self._refresh_forever())

    async def stop(self) -> None:
        """Ends the watching, writes what was noted, and lets go of the store."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._services is not None:
            await self._services.close()

    async def decide(self, scope: Any) -> Response:
        """The answer to one question of a proxy."""
        if self._forward_auth is None or self._services is None or self._secret is None:
            return endpoint.unavailable("the gate is not open yet")
        return await endpoint.decide(self._forward_auth, scope, self._secret, self._services.clock())

    def trusts(self, peer: str) -> bool:
        """Whether whoever asks is a trusted proxy; nobody is before the gate is open."""
        return self._services is None or self._services.proxies.trusts(peer)

    async def _refresh_forever(self) -> None:
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await self._refresh()

    async def _refresh(self) -> None:
        if self._routes_file.changed():
            self._reread_routes()
        if self._secrets_file.changed():
            self._reread_secret()
        if self._services is None:
            await self._open()
        if self._services is not None and self._routes is not None:
            if self._forward_auth is None:
                self._forward_auth = ForwardAuth(self._services, self._routes)
            self._forward_auth.turn(self._routes)

    def _reread_routes(self) -> None:
        try:
            self._routes = read_file(self._routes_file.path)
        except ValueError as problem:
            log.error("gate-routes-refused", cause=str(problem), kept=self._routes is not None)
        else:
            log.info("gate-routes-read", file=str(self._routes_file.path))

    def _reread_secret(self) -> None:
        try:
            self._secret = load_secrets(self._secrets_file.path)[0]
        except (OSError, ValueError) as problem:
            log.error("gate-secret-refused", cause=str(problem), kept=self._secret is not None)

    async def _open(self) -> None:
        try:
            installation = await asyncio.to_thread(open_installation, self._settings)
            services = open_services(installation)
        except Exception as problem:
            log.warning("gate-not-open", cause=str(problem) or type(problem).__name__)
            return
        start_recording(services, "gate")
        self._services = services
