"""Builds the admin listener of one installation; what its process loads."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bedesten.admin.leak_reports import report_leaks
from bedesten.admin_api import exposition
from bedesten.admin_api.health import Health, NotReady
from bedesten.admin_api.listener import AdminListener, Authorizer, admin_routes
from bedesten.admin_api.scanners import Scanners
from bedesten.audit.actions import Actor
from bedesten.core.clock import system_clock
from bedesten.http.asgi import Adapter
from bedesten.server.child_process import WEB_VARIABLE
from bedesten.server.installation import InstallationError, check_version, open_store, version_of
from bedesten.server.logs import configure
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_file import load_secrets
from bedesten.server.settings import Settings
from bedesten.server.staff_console import staff_console
from bedesten.store import wait_budget
from bedesten.store.revision_log import COUNTER
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import NotWritable, StoreUnavailable

SCANNER = Actor("scanner")
READY_TIMEOUT_S = 2.5
"""Time that the store has to show that it can be read and written."""
CONNECT_TIMEOUT_S = 0.5
"""Time that a connection to the workers may take. A slower one counts as taken: it is not refused."""
THREADS = 4


def application(settings_json: str) -> Adapter:
    """The ASGI application. It serves while the store is out of reach, because it has to report that."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    secret_cache = SecretCache.inherited()
    store, master_secrets = open_store(settings, secret_cache=secret_cache), MasterSecrets(settings, secret_cache)
    web = json.loads(os.environ.pop(WEB_VARIABLE, "null"))
    authorizer = forward_auth_service(settings) if settings.gate_routes else None

    def check_ready() -> None:
        check(store, settings, master_secrets)
        if web is not None:
            check_workers(*web)

    def render(stored: dict[str, float]) -> exposition.Write:
        return exposition.render(settings.metrics_directory, stored, system_clock())

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
    health = Health(check_ready, partial(exposition.read_store_metrics, store), render, pool)
    scanners = Scanners(lambda: load_secrets(settings.leak_secret_file), report, pool)
    routes = admin_routes(health, scanners, authorizer, staff_console(settings, store, master_secrets))
    listener = AdminListener(routes, scanners, authorizer, settings.admin_names)
    return Adapter(listener.handle, startup, shutdown, on_drain=health.drain)


def forward_auth_service(settings: Settings) -> Authorizer:
    """Forward-auth, by the settings' route file. Only with it does this process load the surfaces and the pipeline."""
    from bedesten.forward_auth.service import ForwardAuthService
    from bedesten.server.build import open_services
    from bedesten.server.installation import open_installation

    assert settings.gate_routes is not None
    return ForwardAuthService(
        settings.gate_routes,
        settings.gate_secret_file,
        read_secret=lambda path: load_secrets(path)[0],
        open_services=lambda: open_services(open_installation(settings)),
    )


def check_workers(host: str, port: int) -> None:
    """Raises `NotReady` if no worker listens there."""
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
    except ConnectionRefusedError:
        raise NotReady("no worker takes connections") from None
    except OSError:
        pass  # too busy to take it at once, but it listens


def check(store: Store, settings: Settings, master_secrets: MasterSecrets) -> None:
    """Check that this machine can answer requests now, writing ones included. Raises `NotReady` with a reason, or the
    error of a store that cannot be asked."""
    with wait_budget.limited(READY_TIMEOUT_S):
        found = version_of(store, settings)
        try:
            check_version(store, found)
        except InstallationError as problem:
            raise NotReady(str(problem)) from None
        counter, installed = store.read_now(lambda tx: (tx.one(COUNTER), tx.one(INSTALLATION)))
        if counter is None or installed is None:
            raise NotReady("the store is not an installation")
        try:
            store.check_writable()
        except NotWritable as problem:
            raise NotReady(str(problem)) from problem
    try:
        master_secrets.for_store(installed)
    except StoreUnavailable as problem:
        what, _, why = str(problem).partition(": ")
        # why secrets cannot be read may name files of this machine
        raise NotReady(f"{what}: {why}" if what.endswith("cannot be used") else what) from problem
