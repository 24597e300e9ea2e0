"""Settings that name a secret in place of holding it: `env:`, `file:`, and the addresses of secret managers.

What a reference means and how it is read is the client library's business (`bedesten_client.secrets`), which is
loaded when the first reference is met, not before.

What one process has read, the others of the same server find in `known`. So a worker that is replaced starts although
the manager is down, and mostly one process asks the manager for all.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from bedesten.server.secret_cache import SecretCache

if TYPE_CHECKING:
    from bedesten_client.secrets import SecretSource

REFERENCE = r"(?i:(?:env|file|value):|(?:azure-kv|aws-sm|gcp-sm|vault|vault\+http)://)"
"""How a reference begins; a test compares it with the client's own list."""
READ_TIMEOUT_S = 5.0
"""Seconds that anything here waits for a manager."""
INSTALL_HINT = "in a clone of the repository, pip install -c constraints.txt ./clients/python ."
"""How the client library is installed, as long as neither package is in a public registry."""
_REFERENCE = re.compile(REFERENCE)


class InvalidSetting(Exception):
    """A setting names a secret that cannot be had. The text names the setting and the reason, never a value."""


def is_reference(text: str) -> bool:
    """Whether a setting's text names a secret."""
    return _REFERENCE.match(text) is not None


def displayed_reference(text: str) -> str:
    """A setting that is a reference, for people: where the secret is, and never the secret."""
    return "the setting itself" if text.lower().startswith("value:") else text


class NamedSecret:
    """The secret that one setting names. For threads; may wait for a manager, up to `READ_TIMEOUT_S`."""

    def __init__(self, setting: str, reference: str, known: SecretCache) -> None:
        """Raises `InvalidSetting` if the reference is none, or needs what is not installed."""
        self.setting = setting
        self._reference = reference
        self._known = known
        self._source = self._made(known.get(reference))

    def get(self) -> str:
        """The secret, as this machine last saw it. Raises `InvalidSetting`."""
        found = self._known.get(self._reference)
        return found if found is not None else self.remember(self._asked(self._source.get))

    def refresh(self, stale: str) -> str:
        """The secret after `stale` was refused: what another process has read since, or it is read again.

        The manager is not asked again and again for one that stays wrong, or while it is down. Gives `stale` if nothing
        better is known. Raises `InvalidSetting` if nothing is known at all.
        """
        found = self._known.get(self._reference)
        if found is not None and found != stale:
            return found
        mine = self._asked(self._source.get)  # may be older than what others have read
        fresh = self._asked(lambda: self._source.refresh(mine))
        return found if fresh == mine and found is not None else self.remember(fresh)

    def read_now(self) -> str:
        """What the manager says now, which is not remembered. Raises `InvalidSetting` if it says nothing."""
        return self._asked(self._made(None).get)

    def remember(self, secret: str) -> str:
        """From now on this is what the setting names, for every process of this server."""
        self._known.put(self._reference, secret)
        return secret

    def _made(self, known: str | None) -> "SecretSource":
        try:
            from bedesten_client import secrets
        except ImportError:
            raise InvalidSetting(
                f"{self.setting} names a secret, which needs the package bedesten-client: {INSTALL_HINT}"
            ) from None
        try:
            return secrets.source(self._reference, deadline=READ_TIMEOUT_S, known=known)
        except secrets.SecretError as problem:
            raise InvalidSetting(f"{self.setting}: {problem}") from None

    def _asked(self, ask: Callable[[], str]) -> str:
        from bedesten_client.secrets import SecretError

        try:
            return ask()
        except SecretError as problem:
            raise InvalidSetting(f"{self.setting}: {problem}") from None

    def __repr__(self) -> str:
        return f"NamedSecret({self.setting})"
