"""The admin listener of one installation; what its process loads."""

import json
import os
import socket
from functools import partial

from bedesten.admin.leak_reports import report_leaks
from bedesten.admin_api import exposition
from bedesten.admin_api.listener import AdminListener, Authorizer, NotReady
from bedesten.admin_api.scanners import Scanners
from bedesten.audit.actions import Actor
from bedesten.core.clock import system_clock
from bedesten.server.installation import open_store, version_of
from bedesten.server.listener import WEB_VARIABLE
from bedesten.server.logs import configure
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_file import load_secrets
from bedesten.server.settings import Settings
from bedesten.store import migrate, wait_budget
from bedesten.store.revision_log import COUNTER
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import NotWritable, StoreUnavailable

SCANNER = Actor("scanner")
READY_TIMEOUT_S = 2.5
"""How long the store may take to say whether it can be read and written."""
CONNECT_TIMEOUT_S = 0.5
"""How long a connection to the workers may take; one that takes longer is not refused."""


def application(settings_json: str) -> AdminListener:
    """The ASGI application. It serves although the store is out of reach: it is there to say so."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    secret_cache = SecretCache.inherited()
    store, master_secrets = open_store(settings, secret_cache=secret_cache), MasterSecrets(settings, secret_cache)

    def measured(stored: dict[str, float]) -> exposition.Write:
        return exposition.render(settings.metrics_directory, stored, system_clock())

    gate = forward_auth_service(settings) if settings.gate_routes else None
    scanners = Scanners(lambda: load_secrets(settings.leak_secret_file), partial(reported, store, master_secrets))
    stored = partial(exposition.read_store_metrics, store)
    web = json.loads(os.environ.pop(WEB_VARIABLE, "null"))

    def ready() -> None:
        check(store, settings, master_secrets)
        if web is not None:
            reached(*web)

    return AdminListener(ready, stored, measured, store.close, settings.admin_names, gate, scanners)


def reported(store: Store, master_secrets: MasterSecrets, text: str, source: str) -> bool:
    """Does what the leak policy says with the keys in a text that stood somewhere; whether there was a live one.

    Raises `StoreUnavailable`, also where the store's master secrets cannot be had.
    """
    return bool(report_leaks(store, master_secrets.for_store, [text], source, actor=SCANNER).leaked)


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


def reached(host: str, port: int) -> None:
    """Raises `NotReady` if no worker listens there. One that is too busy to take a connection at once does listen."""
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
    except ConnectionRefusedError:
        raise NotReady("no worker takes connections") from None
    except OSError:
        pass


def check(store: Store, settings: Settings, master_secrets: MasterSecrets) -> None:
    """Whether this machine can answer requests now, writing ones included. Raises `NotReady`, or whatever keeps the store
    from being asked."""
    with wait_budget.limited(READY_TIMEOUT_S):
        found = version_of(store, settings)
        if found != migrate.HEAD:
            raise NotReady(f"the store has version {found}, this program needs {migrate.HEAD}")
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
        told = f"{what}: {why}" if what.endswith("cannot be used") else what  # why it cannot be read may name files
        raise NotReady(told) from problem
