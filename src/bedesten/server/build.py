"""The only place where concrete parts meet: settings become a store, a gate, a pipeline, an application."""

from dataclasses import dataclass
from pathlib import Path

from bedesten.base.clock import MINUTE, SECOND, Clock, system_clock
from bedesten.base.ids import new_id
from bedesten.gate.decide import Gate
from bedesten.gate.directory import Directory
from bedesten.gate.keyring import Keyring
from bedesten.gate.limits import SharedLimits
from bedesten.gate.passwords import Hasher
from bedesten.gate.throttle import AddressThrottle
from bedesten.server.logs import configure
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.fence import COUNTER, OPEN
from bedesten.store.postgres import PostgresStore
from bedesten.store.sqlite import SqliteStore
from bedesten.store.store import Store
from bedesten.store.tables import INSTALL, INSTALLATION
from bedesten.store.transaction import CrossTransaction, StoreUnavailable
from bedesten.surfaces.payment import routes as payment
from bedesten.surfaces.reseller import routes as reseller
from bedesten.surfaces.storefront import routes as storefront
from bedesten.surfaces.supplier import routes as supplier
from bedesten.tenants.vault import Vault
from bedesten.web import documentation
from bedesten.web.asgi import Adapter
from bedesten.web.call import House
from bedesten.web.fence import Fence
from bedesten.web.hashing import Hashing
from bedesten.web.idle import IdleWatch
from bedesten.web.pipeline import Pipeline
from bedesten.web.proxies import Proxies
from bedesten.web.route import Route, RouteMap

ROUTES: tuple[Route, ...] = (
    *reseller.ROUTES,
    *storefront.ROUTES,
    *payment.ROUTES,
    *supplier.ROUTES,
    *documentation.ROUTES,
)
"""Every operation that answers on a tenant's host."""


class NotAnInstallation(Exception):
    """The data directory or the database is not (or not yet) an installation of this version; the text says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An opened installation: what the operator's commands, the worker and every web process begin with."""

    settings: Settings
    store: Store
    keyring: Keyring
    vault: Vault
    issuer: str

    def hasher(self) -> Hasher:
        """Hashes passwords with the installation's pepper; making one costs the time of a hash."""
        return Hasher(self.keyring.password_pepper())


def initialise(settings: Settings) -> bool:
    """Makes an installation, or brings an older one to this version. False if there was nothing to do."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = not settings.secrets_file.exists()
    if fresh:
        Keyring.generate().write_file(settings.secrets_file)
    if migrate.current(_database(settings)) != migrate.head():
        if not settings.database:
            settings.sqlite_file.touch(mode=0o600)
        migrate.upgrade(_database(settings))
        fresh = True
    store = open_store(settings)
    try:
        store.write_now(_install)
    finally:
        store.close()
    return fresh


def _install(tx: CrossTransaction) -> None:
    tx.run(
        INSTALL,
        id=1,
        issuer=new_id("bedesten"),
        epoch=1,
        webhook_networks="",
        ring=1,
        leak_policy="notify",
        created=tx.now,
    )
    tx.run(OPEN, id=1, counter=0)


def open_store(settings: Settings, clock: Clock = system_clock) -> Store:
    """The store that the settings name."""
    if settings.database:
        return PostgresStore(settings.database, clock)
    return SqliteStore(settings.sqlite_file, clock)


def open_installation(settings: Settings, clock: Clock = system_clock) -> Installation:
    """Opens an installation. Raises `NotAnInstallation`, `ValueError` (weak or readable secrets), `StoreUnavailable`."""
    if not settings.secrets_file.exists():
        raise NotAnInstallation(f"{settings.data} is not an installation: run `bedesten init` first")
    keyring = Keyring.read_file(settings.secrets_file)
    if not settings.database and not settings.sqlite_file.exists():
        raise NotAnInstallation(f"{settings.data} has secrets but no store: run `bedesten init`")
    found = migrate.current(_database(settings))
    if found != migrate.head():
        raise NotAnInstallation(f"the store has version {found}, this program needs {migrate.head()}: `bedesten init`")
    store = open_store(settings, clock)
    installed = store.read_now(lambda tx: tx.one(INSTALLATION))
    if installed is None or store.read_now(lambda tx: tx.one(COUNTER)) is None:
        store.close()
        raise NotAnInstallation("the store is not an installation: run `bedesten init`")
    return Installation(settings, store, keyring, Vault(keyring), installed.issuer)


def open_house(installation: Installation, clock: Clock = system_clock) -> House:
    """The services of one web process."""
    directory = Directory()
    gate = Gate(directory, installation.keyring, installation.issuer)

    def know(version: int) -> None:
        if gate.keyring.version < version:
            gate.turn(_read_ring(installation.settings.secrets_file, version))
            installation.vault.turn(gate.keyring)

    return House(
        store=installation.store,
        gate=gate,
        fence=Fence(installation.store, directory, know),
        vault=installation.vault,
        hashing=Hashing(installation.hasher()),
        idle=IdleWatch(installation.store, clock),
        throttle=AddressThrottle(limit=600, window_ms=MINUTE),
        limits=SharedLimits(installation.settings.limits_file),
        proxies=Proxies(installation.settings.trusted_proxies, installation.settings.proxy_header),
        clock=clock,
        checkout_time=installation.settings.checkout_seconds * SECOND,
        password_minimum=installation.settings.password_minimum,
    )


def _read_ring(path: Path, version: int) -> Keyring:
    """The secrets file, if it is as new as the store says that it must be. Until it is, this process answers 503."""
    try:
        keyring = Keyring.read_file(path)
    except (OSError, ValueError) as problem:
        raise StoreUnavailable(f"the secrets file cannot be read: {problem}") from problem
    if keyring.version < version:
        raise StoreUnavailable(f"the secrets file has version {keyring.version}, the store asks for {version}")
    return keyring


def web_application(settings_json: str) -> Adapter:
    """The ASGI application of one web process; what the server's workers load."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    house = open_house(open_installation(settings))

    async def started() -> None:
        await house.fence.passed()

    async def stopped() -> None:
        house.store.close()

    return Adapter(Pipeline(house, RouteMap.of(ROUTES)).handle, started, stopped)


def _database(settings: Settings) -> str | Path:
    return settings.database or settings.sqlite_file
