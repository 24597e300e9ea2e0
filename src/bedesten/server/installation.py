"""An installation: its data directory, secrets and store, created once and opened by every process.

Separate from `build`, so that commands do not load the surfaces and the pipeline. PostgreSQL's driver and the
migrations are imported where they are used.
"""

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import column, select, table

from bedesten.admin.keyring_file import write_keyring
from bedesten.admin.master_secrets import fingerprints, incompatibility
from bedesten.core.clock import Clock, system_clock
from bedesten.core.ids import IdGenerator
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import Hasher, PasswordHash
from bedesten.server.data_directory_lock import AlreadyServing, DataDirectoryLock
from bedesten.server.database_connections import pool_sizes
from bedesten.server.database_url import DatabaseUrl
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.revision_log import COUNTER
from bedesten.store.sql import cross_tenant
from bedesten.store.sqlite import SqliteStore
from bedesten.store.store import Store
from bedesten.store.tables import INSTALL, INSTALLATION
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, insert_revision
from bedesten.tenants.cipher import TenantCipher

_VERSION = cross_tenant(select(column("version_num")).select_from(table("alembic_version")))


class InstallationError(Exception):
    """The data directory or the database is not an installation of this version. The text gives the reason."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An open installation. Commands, the worker and every web process start from it."""

    settings: Settings
    store: Store
    keyring: Keyring
    cipher: TenantCipher
    issuer: str
    master_secrets: MasterSecrets

    def hasher(self) -> "PasswordHasher":
        """A hasher with the installation's current pepper. Creating it takes the time of one hash."""
        return PasswordHasher(self.keyring)


class PasswordHasher:
    """Hashes the passwords of accounts that an operator creates."""

    def __init__(self, keyring: Keyring) -> None:
        self._pepper_id = keyring.digest.current
        self._hasher = Hasher(keyring.password_pepper())

    def hash(self, password: str) -> PasswordHash:
        """The hash to store. Raises ValueError for a text that cannot be a password."""
        return PasswordHash(self._hasher.hash(password), self._pepper_id)


def initialise(settings: Settings) -> bool:
    """Create an installation, or migrate an older one to this version. False if there was nothing to do.

    Raises `InstallationError` for a store whose secrets are elsewhere, since new secrets could not decrypt it, and for
    a store of a later version; `StoreUnavailable`, `ValueError`, `OSError`.
    """
    secret_cache = SecretCache.inherited()
    try:
        return _initialise(settings, secret_cache)
    except InvalidSetting as problem:
        raise InstallationError(str(problem)) from None


def _initialise(settings: Settings, secret_cache: SecretCache) -> bool:
    _check_place(settings)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not settings.database:
        if settings.secrets_file.exists() and not settings.sqlite_file.exists():  # the store's file is created first
            raise InstallationError(
                f"{settings.secrets_file} is there and its store is not: put {settings.sqlite_file.name} back beside it,"
                " or start again in an empty directory"
            )
        settings.sqlite_file.touch(mode=0o600)
    database = _database(settings, secret_cache)
    found = migrate.current(database)
    master_secrets = MasterSecrets(settings, secret_cache)
    fresh = not master_secrets.in_a_manager and not settings.secrets_file.exists()
    if fresh and found is not None:
        raise InstallationError(
            f"the store is in use, and its secrets are missing: put them at {settings.secrets_file}"
        )
    if found is not None and not migrate.knows(found):
        check_version(open_store(settings, secret_cache=secret_cache), found, close=True)
        return False
    if fresh:
        write_keyring(Keyring.generate(), settings.secrets_file)
    keyring = master_secrets.read()
    if found != migrate.HEAD:
        try:
            migrate.upgrade(database, partial(_serves_here, settings))
        except migrate.OlderPrograms as problem:
            raise InstallationError(str(problem)) from None
        fresh = True
    store = open_store(settings, secret_cache=secret_cache)
    try:
        store.write_now(lambda tx: _install(tx, keyring))
    finally:
        store.close()
    _note_place(settings)
    return fresh


def _serves_here(settings: Settings, _version: str) -> bool:
    """Whether a server runs on the data directory of an SQLite store. Its version is unknown and may be older."""
    if settings.database:
        return False
    lock = DataDirectoryLock(settings.lock_file)
    try:
        lock.acquire(wait_s=0)
    except AlreadyServing:
        return True
    lock.release()
    return False


def check_version(store: Store, found: str | None, *, close: bool = False) -> None:
    """Raises `InstallationError` if this program cannot use a store of the version `found`."""
    try:
        if found == migrate.HEAD:
            return
        if found is None or migrate.knows(found):
            raise InstallationError(
                f"the store has version {found}, this program needs {migrate.HEAD}: `bedesten init`"
            )
        try:
            installed = store.read_now(lambda tx: tx.one(INSTALLATION))
        except StoreUnavailable:
            raise
        except Exception:  # its table lacks columns that this program reads
            raise InstallationError(_too_new(found)) from None
        if installed is None or not installed.oldest_program or installed.oldest_program > migrate.HEAD:
            raise InstallationError(_too_new(found))
    finally:
        if close:
            store.close()


def _too_new(version: str) -> str:
    return f"the store has version {version}, which this program does not know: another version of the program made it"


def _check_place(settings: Settings) -> None:
    if not settings.database and settings.elsewhere_file.exists():
        raise InstallationError(
            f"the store of {settings.data} is kept on PostgreSQL: set BEDESTEN_DATABASE"
            f" (if that is no longer true, remove {settings.elsewhere_file})"
        )


def _note_place(settings: Settings) -> None:
    if settings.database:
        with contextlib.suppress(OSError):  # the data directory may be read-only
            settings.elsewhere_file.touch(mode=0o600)


def _install(tx: SystemTransaction, keyring: Keyring) -> None:
    tx.run(
        INSTALL,
        id=1,
        issuer=tx.new_id("bedesten"),
        token_version=1,
        webhook_networks="",
        keyring_version=keyring.version,
        leak_policy="notify",
        created=tx.now,
        fingerprints=fingerprints(keyring),
        moved=None,
        oldest_program=migrate.oldest_program(),
    )
    insert_revision(tx)


def open_store(settings: Settings, clock: Clock | None = None, secret_cache: SecretCache | None = None) -> Store:
    """Open the store of the settings. Raises `InstallationError` if the reference to its address is wrong."""
    ids = IdGenerator() if clock is None else IdGenerator(lambda: clock() * 1_000_000)
    if settings.database:
        from bedesten.store.postgres import PostgresStore

        try:
            address = DatabaseUrl(settings, secret_cache or SecretCache.inherited())
            return PostgresStore(address, clock, ids, pool_sizes(settings))
        except InvalidSetting as problem:
            raise InstallationError(str(problem)) from None
    return SqliteStore(settings.sqlite_file, clock or system_clock, ids)


def open_installation(
    settings: Settings, clock: Clock | None = None, secret_cache: SecretCache | None = None
) -> Installation:
    """Open an installation. Raises `InstallationError`, `ValueError` (weak or readable secrets), `StoreUnavailable`.

    `secret_cache` holds the secrets that settings refer to. By default it is the one inherited from the parent process.
    """
    secret_cache = secret_cache or SecretCache.inherited()
    try:
        return _open(settings, clock, secret_cache)
    except InvalidSetting as problem:
        raise InstallationError(str(problem)) from None


def open_for_server(settings: Settings) -> Installation:
    """Open an installation as `open_installation` does, for a process that serves until it ends.

    The thread that opens it never uses the store again, so its connection to PostgreSQL is closed.
    """
    installation = open_installation(settings)
    if not settings.database:
        return installation
    installation.store.close()
    return replace(installation, store=open_store(settings))


def _open(settings: Settings, clock: Clock | None, secret_cache: SecretCache) -> Installation:
    _check_place(settings)
    master_secrets = MasterSecrets(settings, secret_cache)
    stored = not settings.database and settings.sqlite_file.exists()
    if not master_secrets.in_a_manager and not settings.secrets_file.exists():
        if stored or settings.database:
            raise InstallationError(f"the master secrets are missing: put them at {settings.secrets_file}")
        raise InstallationError(f"{settings.data} is not an installation: run `bedesten init` first")
    keyring = master_secrets.read()
    if not settings.database and not stored:
        raise InstallationError(f"the store is missing: put it at {settings.sqlite_file}")
    if settings.database:
        DatabaseUrl(settings, secret_cache).read()  # a wrong address is a wrong setting, not an unavailable store
    store = open_store(settings, clock, secret_cache)
    try:
        found = version_of(store, settings, secret_cache)
        check_version(store, found)
        installed = store.read_now(lambda tx: tx.one(INSTALLATION))
        if installed is None or store.read_now(lambda tx: tx.one(COUNTER)) is None:
            raise InstallationError("the store is not an installation: run `bedesten init`")
        if installed.moved is not None:
            raise InstallationError(f"this store was moved to {installed.moved} (`bedesten move`)")
        reason = incompatibility(installed, keyring)
        if reason:
            raise InstallationError(f"{master_secrets.name} cannot be used: {reason}")
    except BaseException:
        store.close()
        raise
    _note_place(settings)
    return Installation(settings, store, keyring, TenantCipher(keyring), installed.issuer, master_secrets)


def version_of(store: Store, settings: Settings, secret_cache: SecretCache | None = None) -> str | None:
    """The version of the store's schema, None for an empty one. Raises `StoreUnavailable`."""
    try:
        row = store.read_now(lambda tx: tx.one(_VERSION))
    except StoreUnavailable:
        if settings.database or not settings.sqlite_file.exists():
            raise
        row = None
    except Exception as problem:
        if type(problem).__name__ != "UndefinedTable":
            raise
        row = None
    if row is not None:
        version: str = row[0]
        return version
    # the slow way can tell an empty store from an unreachable one
    return migrate.current(_database(settings, secret_cache or SecretCache.inherited()))


def _database(settings: Settings, secret_cache: SecretCache) -> str | Path:
    return DatabaseUrl(settings, secret_cache).read() if settings.database else settings.sqlite_file
