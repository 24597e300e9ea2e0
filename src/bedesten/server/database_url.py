"""The address of PostgreSQL. Its password may be kept elsewhere, and may change while the server runs."""

import re
from urllib.parse import quote

from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting, secret_of
from bedesten.server.settings import Settings
from bedesten.store.transaction import StoreUnavailable

_URL = re.compile(r"postgres(?:ql)?://.")


class DatabaseUrl:
    """The address from `BEDESTEN_DATABASE` and `BEDESTEN_DATABASE_PASSWORD`. Implements `store.postgres.Address`."""

    def __init__(self, settings: Settings, secret_cache: SecretCache) -> None:
        """Raises `InvalidSetting`."""
        assert settings.database, "the settings name a database"
        self._url = secret_of("BEDESTEN_DATABASE", settings.database, secret_cache)
        password = settings.database_password
        self._password = secret_of("BEDESTEN_DATABASE_PASSWORD", password, secret_cache) if password else None

    def get(self) -> str:
        """The whole address. Raises `StoreUnavailable`."""
        try:
            return self.read()
        except InvalidSetting as problem:
            raise StoreUnavailable(str(problem)) from None

    def read(self) -> str:
        """The whole address. Raises `InvalidSetting`."""
        return self._joined(self._url.get(), self._password.get() if self._password else None)

    def refresh(self, stale: str) -> str:
        """The whole address, after a server refused the address `stale`. Raises `StoreUnavailable`."""
        try:
            now = self.read()
            if now != stale:
                return now
            url, password = self._url, self._password
            return self._joined(url.refresh(url.get()), password.refresh(password.get()) if password else None)
        except InvalidSetting as problem:
            raise StoreUnavailable(str(problem)) from None

    def _joined(self, url: str, password: str | None) -> str:
        if not _is_unambiguous(url):
            raise InvalidSetting(
                "BEDESTEN_DATABASE: a special character is not encoded; in a password write %40 for @, %2F for / and %3A"
                " for :, or use BEDESTEN_DATABASE_PASSWORD"
            )
        if not _URL.match(url) or not _is_parsable(url):
            raise InvalidSetting("BEDESTEN_DATABASE: must be postgresql://…")
        if password is None:
            return url
        scheme, _, rest = url.partition("://")
        authority, mark, tail = re.fullmatch(r"([^/?]*)([/?]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        user, sign, hosts = authority.rpartition("@")
        if not sign or not user or ":" in user:
            raise InvalidSetting("BEDESTEN_DATABASE_PASSWORD: BEDESTEN_DATABASE must name a user, and no password")
        return f"{scheme}://{user}:{quote(password, safe='')}@{hosts}{mark}{tail}"

    def __repr__(self) -> str:
        return "Database(…)"


def _is_parsable(url: str) -> bool:
    """Whether PostgreSQL's own library can parse the address. Its error messages repeat parts of it, so they are not
    shown."""
    from psycopg import ProgrammingError, conninfo

    try:
        conninfo.conninfo_to_dict(url)
    except ProgrammingError:
        return False
    return True


def _is_unambiguous(url: str) -> bool:
    """Whether the address can be parsed in one way only.

    A password with an `@` or a `/` in it would be cut there, and its rest taken for a host, a port or a database: it would
    reach the resolver and the driver's error messages.
    """
    before_path, slash, path = url.partition("://")[2].partition("/")
    credentials, sign, hosts = before_path.partition("@")
    hosts = (hosts if sign else credentials).partition("?")[0]
    if "@" in hosts or (slash and "@" in path.partition("?")[0]):
        return False
    return all(re.fullmatch(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::\d*)?", host) for host in hosts.split(","))
