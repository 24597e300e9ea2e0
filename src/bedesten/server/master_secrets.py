"""Where the master secrets are read: the file in the data directory, or what `BEDESTEN_SECRETS` names.

The store says which version of the rings every process must know at least. A file is written by this program, which then
tells the store. A manager's value is written by the operator; `activate` tells the store, either at once (`bedesten secrets
reload`) or when the worker next looks.
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
        """Whether they are elsewhere than in the data directory."""
        return self._named is not None

    @property
    def name(self) -> str:
        """What an operator calls the place."""
        return "BEDESTEN_SECRETS" if self._named else "the secrets file"

    def read(self) -> Keyring:
        """The rings as this machine knows them. Raises `InvalidSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.get()) if self._named else read_keyring(self._file)

    def read_now(self) -> Keyring:
        """Read the key sets from their source, without caching them. Raises `InvalidSetting`, `ValueError`, `OSError`."""
        return self._parsed(self._named.read_now()) if self._named else read_keyring(self._file)

    def remember(self, keyring: Keyring) -> None:
        """These are the rings that every process of this server begins with from now on."""
        if self._named:
            self._named.remember(keyring.to_json())

    def for_store(self, installed: InstallationSettings) -> Keyring:
        """The rings of this store, as new as it asks for. Until they can be had this process knows too little to answer.

        Raises `StoreUnavailable`. May wait for a manager: the rings may have this version in a history of the store that
        was lost, and another value now.
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
