"""Where the master secrets are read: the file in the data directory, or what `BEDESTEN_SECRETS` names.

The store says which version of the rings every process must know at least. A file is written by this program, which then
tells the store. A manager's value is written by the operator; `take_up` tells the store, either at once (`bedesten secrets
reload`) or when the worker next looks.
"""

import hmac
from collections.abc import Iterator

from bedesten.gate.keyring import RINGS, Keyring
from bedesten.server.known import Known
from bedesten.server.references import BadSetting, NamedSecret
from bedesten.server.settings import Settings
from bedesten.store.transaction import StoreUnavailable


class Rings:
    """The master secrets of one process."""

    def __init__(self, settings: Settings, known: Known) -> None:
        """Raises `BadSetting`."""
        self._file = settings.secrets_file
        self._named = NamedSecret("BEDESTEN_SECRETS", settings.secrets, known) if settings.secrets else None

    @property
    def in_a_manager(self) -> bool:
        """Whether they are elsewhere than in the data directory."""
        return self._named is not None

    @property
    def name(self) -> str:
        """What an operator calls the place."""
        return "BEDESTEN_SECRETS" if self._named else "the secrets file"

    def read(self) -> Keyring:
        """The rings as this machine knows them. Raises `BadSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.get()) if self._named else Keyring.read_file(self._file)

    def read_now(self) -> Keyring:
        """The rings as they are kept now; a manager's are not remembered. Raises `BadSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.read_now()) if self._named else Keyring.read_file(self._file)

    def remember(self, keyring: Keyring) -> None:
        """These are the rings that every process of this server begins with from now on."""
        if self._named:
            self._named.remember(keyring.to_json())

    def at_least(self, version: int) -> Keyring:
        """The rings in this version or a later one. Until they can be had this process knows too little to answer.

        Raises `StoreUnavailable`. May wait for a manager.
        """
        try:
            keyring = self._sought(version)
        except (OSError, ValueError, BadSetting) as problem:
            raise StoreUnavailable(f"{self.name} cannot be read: {problem}") from problem
        if keyring.version < version:
            raise StoreUnavailable(f"{self.name} has version {keyring.version}, the store asks for {version}")
        return keyring

    def known_version(self, wanted: int) -> int:
        """The version that this machine has, after another look if it is not `wanted`. Raises as `read`."""
        return self._sought(wanted).version

    def _sought(self, version: int) -> Keyring:
        keyring = self.read()
        if keyring.version < version and self._named:
            keyring = self._parsed(self._named.refresh(self._named.get()))
        return keyring

    def _parsed(self, text: str) -> Keyring:
        try:
            return Keyring.from_json(text)
        except ValueError as problem:
            raise ValueError(f"BEDESTEN_SECRETS: {problem}") from None


def unfit(old: Keyring, new: Keyring) -> str | None:
    """Why rings cannot follow those that are in use; None if they can."""
    if new.version < old.version:
        return f"version {new.version} is older than version {old.version}, which is in use"
    if new.version == old.version:
        return None if new.to_json() == old.to_json() else "they have changed, and their version has not"
    for name, secret_id, secret in _secrets(old):
        other = getattr(new, name).secrets.get(secret_id)
        if other is not None and not hmac.compare_digest(other, secret):
            return f"{name}.{secret_id} is another secret than before"
        if other is None and name == "wrap":
            return f"wrap.{secret_id} is missing, and without it what it encrypted cannot be opened"
        if other is None and name == "digest":
            return f"digest.{secret_id} is missing, and without it API keys and passwords are not found"
    return None


def _secrets(keyring: Keyring) -> Iterator[tuple[str, str, bytes]]:
    for name in RINGS:
        for secret_id, secret in getattr(keyring, name).secrets.items():
            yield name, secret_id, secret
