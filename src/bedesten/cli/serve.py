"""`bedesten serve`."""

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from bedesten import errors
from bedesten.cli.command import CommandContext, CommandError, CommandResult, command
from bedesten.cli.options import duration
from bedesten.cli.output import show, write_json
from bedesten.core.clock import SECOND
from bedesten.server import logs, loopback_guard, secret_file, shared_limits, supervisor
from bedesten.server.database_connections import missing_connections, most_connections
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting
from bedesten.server.settings import MAX_DRAIN_S, Settings
from bedesten.server.supervisor import ServeSpec, SideProcess
from bedesten.store.store import Store

app = typer.Typer()
MAX_WORKERS = 8
"""Most workers without --workers. The default is one for each processor."""


@command(app, "serve")
def serve(
    ctx: CommandContext,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address of the four surfaces.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Their port; 0: any free one.")] = 8080,
    admin_host: Annotated[
        str, typer.Option("--admin-host", metavar="ADDRESS", help="Where the admin listener listens.")
    ] = "127.0.0.1",
    admin_port: Annotated[int, typer.Option("--admin-port", min=0, max=65_535, help="0: no admin listener.")] = 8081,
    gate_routes: Annotated[
        Path | None,
        typer.Option(
            "--gate-routes",
            metavar="FILE",
            envvar="BEDESTEN_GATE_ROUTES",
            help="Authorize requests for other services too, by this rules file.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Worker processes (default: one for each processor).")
    ] = None,
    drain: Annotated[
        str | None,
        typer.Option(
            "--drain",
            metavar="5s",
            help="Time after SIGTERM in which the server still answers, but is not ready (default: 5s; 0s: none).",
        ),
    ] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Without the worker for webhooks and timers: see `bedesten worker`.")
    ] = False,
) -> CommandResult:
    """Serve the four surfaces until Ctrl-C or SIGTERM. With --json each event is one JSON document on a line."""
    ctx.secret_cache = SecretCache.shared()
    settings, store = _with_gate(ctx.settings, gate_routes, admin_port), ctx.installation.store
    try:
        shared_limits.open_buckets(settings, ctx.installation.issuer, ctx.secret_cache)
    except InvalidSetting as problem:
        raise CommandError(str(problem), errors.BAD_REQUEST) from None
    side_processes = [] if no_worker else [SideProcess("worker", "bedesten.server.worker:main")]
    if admin_port:
        admin = SideProcess("admin", "bedesten.server.admin_listener:application", (admin_host, admin_port))
        side_processes.append(admin)
    spec = ServeSpec(
        host=host,
        port=port,
        workers=workers or min(MAX_WORKERS, len(os.sched_getaffinity(0))),
        app_factory="bedesten.server.build:web_application",
        settings_json=settings.model_copy(
            update={"admin_names": [*settings.admin_names, admin_host]}
        ).model_dump_json(),
        lock_path=settings.lock_file,
        side_processes=tuple(side_processes),
        drain_s=settings.drain_seconds if drain is None else _drain_seconds(drain),
        secret_cache_fd=ctx.secret_cache.fd,
    )
    with loopback_guard.guard_listen_address(settings, store, host):
        _warn_of_connections(spec, settings, store)
        ctx.close()
        events = _Events(ctx.as_json, spec.workers)
        code = supervisor.run(spec, lambda: None, events.handle)
    if events.reason:
        raise CommandError(events.reason, errors.CONFLICT)
    return CommandResult(None, code=code)


def _warn_of_connections(spec: ServeSpec, settings: Settings, store: Store) -> None:
    """Log a warning if the database permits fewer connections than this server may open. The server starts anyway."""
    beside = {one.name for one in spec.side_processes}
    needed = most_connections(settings, spec.workers, side_worker="worker" in beside, admin="admin" in beside)
    few = missing_connections(settings, store, needed)
    if few is not None:
        os.write(2, logs.line("warning", {"event": "connections-few", **few}) + b"\n")


def _drain_seconds(text: str) -> float:
    """Parse the time of `--drain`: a duration of at most an hour, or `0s`. Anything else is a usage error."""
    seconds = duration(text, "--drain") / SECOND if text not in ("0", "0s") else 0.0
    if seconds > MAX_DRAIN_S:
        raise typer.BadParameter("at most 3600s", param_hint="--drain")
    return seconds


def _with_gate(settings: Settings, routes: Path | None, admin_port: int) -> Settings:
    """Add forward-auth to the settings, if a rules file is given. Raises `CommandError` if it cannot work."""
    from bedesten.forward_auth import rules_file  # slow to load: other commands do not need the web modules

    routes = routes or settings.gate_routes
    if routes is None:
        return settings
    routes = routes.absolute()
    if not admin_port:
        raise CommandError("--gate-routes needs the admin listener, which --admin-port 0 leaves out")
    if not settings.trusted_proxies:
        raise CommandError("--gate-routes needs BEDESTEN_TRUSTED_PROXIES: only these proxies are answered")
    try:
        rules_file.read_file(routes)
        secret_file.make_secrets(settings.gate_secret_file)
    except ValueError as problem:
        raise CommandError(str(problem)) from problem
    return settings.model_copy(update={"gate_routes": routes})


class _Events:
    """Prints the events of the processes. A closed terminal does not stop the server."""

    def __init__(self, as_json: bool, workers: int) -> None:
        self._as_json = as_json
        self._workers = workers
        self._urls: dict[str, str] = {}
        self.reason = ""

    def handle(self, event: dict[str, object]) -> None:
        """Remember the reason why the server ends, and print every other event."""
        kind, name = str(event["event"]), str(event.get("name", ""))
        if kind in ("refused", "gave-up"):
            self.reason = str(event["reason"])
            return
        if kind == "listening":
            self._urls[name] = _url(str(event["host"]), event["port"])
        if kind == "ready":
            event = {"event": kind, "url": self._urls["web"], "adminUrl": self._urls.get("admin"), **event}
        with contextlib.suppress(OSError):
            self._print(kind, event)

    def _print(self, kind: str, event: dict[str, object]) -> None:
        if self._as_json:
            write_json(event)
        elif kind == "ready":
            counted = "1 worker" if self._workers == 1 else f"{self._workers} workers"
            lines = [f"Bedesten serves on {self._urls['web']} with {counted}. Ctrl-C stops it."]
            if "admin" in self._urls:
                lines.append(f"Admin listener: {self._urls['admin']}/health/ready")
            show(lines)
        if kind in ("died", "respawned", "killed"):
            message = {name: value for name, value in event.items() if name not in ("event", "name")}
            level = "info" if kind == "respawned" else "warning"
            os.write(2, logs.line(level, {"event": f"process-{kind}", "process": event["name"], **message}) + b"\n")


def _url(host: str, port: object) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
