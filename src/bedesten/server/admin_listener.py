"""Builds the admin listener of one installation. Its process loads this module."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bedesten.admin.leak_reports import report_leaks
from bedesten.admin_api import exposition
from bedesten.admin_api.health import Health
from bedesten.admin_api.listener import AdminListener, Authorizer, admin_routes
from bedesten.admin_api.scanners import Scanners
from bedesten.audit.actions import Actor
from bedesten.core.clock import system_clock
from bedesten.http.asgi import Adapter
from bedesten.server.child_process import WEB_VARIABLE
from bedesten.server.installation import open_store
from bedesten.server.logs import configure
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.readiness import Readiness
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_file import load_secrets
from bedesten.server.settings import Settings
from bedesten.server.staff_console import staff_console
from bedesten.telemetry.metrics_file import read_all

SCANNER = Actor("scanner")
THREADS = 4


def application(settings_json: str) -> Adapter:
    """The ASGI application. It also serves while the store is unreachable, because it has to report that."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    secret_cache = SecretCache.inherited()
    store, master_secrets = open_store(settings, secret_cache=secret_cache), MasterSecrets(settings, secret_cache)
    web = json.loads(os.environ.pop(WEB_VARIABLE, "null"))
    authorizer = forward_auth_service(settings) if settings.gate_routes else None

    readiness = Readiness(store, settings, master_secrets, web, partial(read_all, settings.metrics_directory))

    def render(stored: dict[str, float]) -> exposition.Write:
        own = {**readiness.measured, **health.measured, "disk_free_bytes": free_bytes(settings.data)}
        return exposition.render(settings.metrics_directory, {**stored, **own}, system_clock())

    def report(text: str, source: str) -> bool:
        return bool(report_leaks(store, master_secrets.for_store, [text], source, actor=SCANNER).leaked)

    async def startup() -> None:
        if authorizer is not None:
            await authorizer.start()

    async def shutdown() -> None:
        if authorizer is not None:
            await authorizer.stop()
        store.close()

    pool = ThreadPoolExecutor(THREADS, "admin")
    health = Health(readiness.check, partial(exposition.read_store_metrics, store), render, pool)
    scanners = Scanners(lambda: load_secrets(settings.leak_secret_file), report, pool)
    routes = admin_routes(health, scanners, authorizer, staff_console(settings, store, master_secrets))
    listener = AdminListener(routes, scanners, authorizer, settings.admin_names)
    return Adapter(listener.handle, startup, shutdown, on_drain=health.drain)


def forward_auth_service(settings: Settings) -> Authorizer:
    """Forward-auth, by the settings' route file. Only with it does this process load the surfaces and the pipeline."""
    from bedesten.forward_auth.service import ForwardAuthService
    from bedesten.server.build import open_services
    from bedesten.server.installation import open_for_server

    assert settings.gate_routes is not None
    return ForwardAuthService(
        settings.gate_routes,
        settings.gate_secret_file,
        read_secret=lambda path: load_secrets(path)[0],
        open_services=lambda: open_services(open_for_server(settings)),
    )


def free_bytes(folder: Path) -> float:
    """The free disk space at a folder, for a process that does not run as root."""
    try:
        place = os.statvfs(folder)
    except OSError:
        return 0.0
    return float(place.f_bavail * place.f_frsize)
