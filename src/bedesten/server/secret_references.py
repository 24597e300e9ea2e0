"""Settings that refer to a secret instead of containing it: `env:`, `file:`, and the addresses of secret managers.

The client library (`bedesten_client.secrets`) defines references and reads them. It is loaded with the first reference.

Processes of one server share what they have read in the `SecretCache`. So a replaced worker starts while the manager is
down, and usually one process asks the manager for all.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from bedesten.server.secret_cache import SecretCache

if TYPE_CHECKING:
    from bedesten_client.secrets import SecretSource

REFERENCE = r"(?i:(?:env|file|value):|(?:azure-kv|aws-sm|gcp-sm|vault|vault\+http)://)"
"""The prefix of a reference. A test compares it with the client library's list."""
READ_TIMEOUT_S = 5.0
"""Longest wait for a manager."""
INSTALL_HINT = "in a clone of the repository, pip install -c constraints.txt ./clients/python ."
"""How to install the client library while neither package is in a public registry."""
_REFERENCE = re.compile(REFERENCE)


class InvalidSetting(Exception):
    """A setting refers to a secret that cannot be read. The text names the setting and the reason, never a value."""


def is_reference(text: str) -> bool:
    """Whether the text of a setting is a reference."""
    return _REFERENCE.match(text) is not None


def displayed_reference(text: str) -> str:
    """A reference as people may see it: the place of the secret, never the secret."""
    return "the setting itself" if text.lower().startswith("value:") else text


class LiteralSecret:
    """A setting that contains the secret itself."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get(self) -> str:
        """The secret."""
        return self._text

    def refresh(self, stale: str) -> str:  # noqa: ARG002 nothing is newer than the setting
        """The secret: there is nothing newer."""
        return self._text

    def __repr__(self) -> str:
        return "LiteralSecret(…)"


class NamedSecret:
    """The secret to which one setting refers. Thread-safe. Blocks up to `READ_TIMEOUT_S` while it asks a manager."""

    def __init__(self, setting: str, reference: str, known: SecretCache) -> None:
        """Raises `InvalidSetting` for a malformed reference, or one that needs a package that is not installed."""
        self.setting = setting
        self._reference = reference
        self._known = known
        self._source = self._open_source(known.get(reference))

    def get(self) -> str:
        """The secret as this machine last read it. Raises `InvalidSetting`."""
        found = self._known.get(self._reference)
        return found if found is not None else self.remember(self._ask(self._source.get))

    def refresh(self, stale: str) -> str:
        """The secret after `stale` was refused: one that another process has read since, or a new read.

        The client library limits how often the manager is asked. Returns `stale` if there is nothing newer. Raises
        `InvalidSetting` if nothing is known at all.
        """
        found = self._known.get(self._reference)
        if found is not None and found != stale:
            return found
        mine = self._ask(self._source.get)  # may be older than what others have read
        fresh = self._ask(lambda: self._source.refresh(mine))
        return found if fresh == mine and found is not None else self.remember(fresh)

    def read_now(self) -> str:
        """Ask the manager, without storing the answer. Raises `InvalidSetting` if there is no answer."""
        return self._ask(self._open_source(None).get)

    def remember(self, secret: str) -> str:
        """Store the secret of this setting for every process of this server, and return it."""
        self._known.put(self._reference, secret)
        return secret

    def _open_source(self, known: str | None) -> "SecretSource":
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

    def _ask(self, ask: Callable[[], str]) -> str:
        from bedesten_client.secrets import SecretError

        try:
            return ask()
        except SecretError as problem:
            raise InvalidSetting(f"{self.setting}: {problem}") from None

    def __repr__(self) -> str:
        return f"NamedSecret({self.setting})"


def secret_of(setting: str, text: str, known: SecretCache) -> NamedSecret | LiteralSecret:
    """The secret that a setting contains or refers to. Raises `InvalidSetting`."""
    return NamedSecret(setting, text, known) if is_reference(text) else LiteralSecret(text)
