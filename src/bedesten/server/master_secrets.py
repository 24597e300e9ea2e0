"""Reads the master secrets: from the file in the data directory, or from where `BEDESTEN_SECRETS` points.

The store holds the lowest version of the key sets that a process may use. This program writes the file and then updates
the store. An operator writes the value in a manager; `admin.master_secrets` updates the store, either at once (`bedesten
secrets reload`) or when the worker next reads the manager.
"""

from bedesten.admin.keyring_file import read_keyring
from bedesten.admin.master_secrets import incompatibility
from bedesten.gate.keyring import Keyring
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting, NamedSecret
from bedesten.server.settings import Settings
from bedesten.store.tables import InstallationSettings
from bedesten.store.transaction import StoreUnavailable


class MasterSecrets:
    """The master secrets of one process."""

    def __init__(self, settings: Settings, secret_cache: SecretCache) -> None:
        """Raises `InvalidSetting`."""
        self._file = settings.secrets_file
        self._named = NamedSecret("BEDESTEN_SECRETS", settings.secrets, secret_cache) if settings.secrets else None

    @property
    def in_a_manager(self) -> bool:
        """Whether they are outside the data directory."""
        return self._named is not None

    @property
    def name(self) -> str:
        """The name of the place in messages."""
        return "BEDESTEN_SECRETS" if self._named else "the secrets file"

    def read(self) -> Keyring:
        """Read the key sets as this machine knows them. Raises `InvalidSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.get()) if self._named else read_keyring(self._file)

    def read_now(self) -> Keyring:
        """Read the key sets from their source, without caching them. Raises `InvalidSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.read_now()) if self._named else read_keyring(self._file)

    def remember(self, keyring: Keyring) -> None:
        """Store key sets for every process of this server."""
        if self._named:
            self._named.remember(keyring.to_json())

    def for_store(self, installed: InstallationSettings) -> Keyring:
        """The key sets of this store, at least as new as the store demands.

        May ask a manager: after a rollback of the store, the same version may stand for another value. Raises
        `StoreUnavailable` if they cannot be read: without them this process cannot answer.
        """
        try:
            keyring = self.read()
            if self._named and incompatibility(installed, keyring):
                keyring = self._parsed(self._named.refresh(self._named.get()))
        except (OSError, ValueError, InvalidSetting) as problem:
            raise StoreUnavailable(f"{self.name} cannot be read: {problem}") from problem
        reason = incompatibility(installed, keyring)
        if reason:
            raise StoreUnavailable(f"{self.name} cannot be used: {reason}")
        return keyring

    def _parsed(self, text: str) -> Keyring:
        try:
            return Keyring.from_json(text)
        except ValueError as problem:
            raise ValueError(f"BEDESTEN_SECRETS: {problem}") from None
