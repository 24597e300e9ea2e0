"""Credentials: what a call presents, and how a refused credential is renewed. Flows, without I/O."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from logging import getLogger
from typing import Protocol

from bedesten_client._flow import Clock, Deadline, Flow, Invoke
from bedesten_client._secret import Secret
from bedesten_client._wire import Response
from bedesten_client.secrets import BadReference, SecretError, SecretSource

KEY_REFUSED = -23
RECHECK_INTERVAL_S = 30.0
"""Interval at which the source is asked again. The source caches the secret and decides when to read it."""

_log = getLogger("bedesten_client")


@dataclass(frozen=True, slots=True)
class CredentialHeader:
    """The header that presents a credential. Compared by identity."""

    name: str
    prefix: str
    secret: Secret

    @property
    def header(self) -> tuple[str, str, Secret]:
        """The header's name, the prefix of its value, and the secret."""
        return self.name, self.prefix, self.secret


class FixedSecret:
    """A `SecretSource` for a secret that is given as a value."""

    __slots__ = ("_secret",)

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def get(self) -> str:
        """Return the value."""
        return self._secret.reveal()

    def refresh(self, stale: str) -> str:  # noqa: ARG002
        """Return the value: it never changes."""
        return self._secret.reveal()


class Credential(Protocol):
    """Supplies calls with a credential."""

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:
        """Return a credential that should be valid."""
        ...

    def refuses(self, response: Response) -> bool:
        """Whether the response refuses this kind of credential, so that a renewed one may succeed."""
        ...

    def accepted(self, presented: CredentialHeader) -> None:
        """Record that the server accepted the credential."""
        ...

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:
        """Renew the credential. Return whether the call should be sent again with what `present` then returns."""
        ...


def shows_acceptance(response: Response) -> bool:
    """Whether the response proves that the server accepted the credential; 429 and 503 precede that check."""
    return response.status in (200, 403)


def header_safe(value: str, what: str) -> Secret:
    """Return the secret if a header can hold it. Raises `BadReference`, whose text does not contain it."""
    text = value.strip()
    if not text or not text.isascii() or any(not 33 <= ord(one) <= 126 for one in text):
        raise BadReference(f"{what} is empty, or contains spaces, line ends or non-ASCII characters")
    return Secret(text)


@dataclass
class Cooldown:
    """Limits futile attempts: after each one a wait that doubles from `first` to `longest` seconds."""

    clock: Clock
    first: float
    longest: float
    _until: float = field(default=float("-inf"), init=False)
    _next: float = field(default=0.0, init=False)

    @property
    def left(self) -> float:
        """Seconds left to wait."""
        return max(0.0, self._until - self.clock())

    def extend(self) -> None:
        """Record a futile attempt: wait twice as long as the last time."""
        self._next = min(self.longest, self._next * 2) if self._next else self.first
        self._until = self.clock() + self._next

    def pause(self, seconds: float) -> None:
        """Wait this many seconds, as the server asked."""
        self._until = self.clock() + seconds

    def reset(self) -> None:
        """Record a success: end the wait."""
        self._until, self._next = float("-inf"), 0.0


class KeyCredential:
    """An API key. After a refusal it is read again from its source, and the call is repeated if it has changed."""

    def __init__(self, source: SecretSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._checked_at = float("-inf")
        self._lock = threading.Lock()
        self._current: CredentialHeader | None = None
        self._cooldown = Cooldown(clock, first=1.0, longest=30.0)

    def __repr__(self) -> str:
        return "KeyCredential(…)"

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:  # noqa: ARG002 - the source has its own deadline
        """Return the API key as it was last read."""
        current, now = self._current, self._clock()
        if current is None or now - self._checked_at >= RECHECK_INTERVAL_S:
            self._checked_at = now
            current = yield from self._read(self._source.get, current)
        return current

    def refuses(self, response: Response) -> bool:
        """Whether the response is -23, or a gateway's 401 that asks for an API key."""
        if response.status != 401:
            return False
        asks_for_key = response.headers.get("www-authenticate", "").lower().startswith("apikey")
        return response.code == KEY_REFUSED or (response.code is None and asks_for_key)

    def accepted(self, presented: CredentialHeader) -> None:  # noqa: ARG002
        """End the wait after refusals."""
        self._cooldown.reset()

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:  # noqa: ARG002
        """Read the key again, unless that was futile a moment ago."""
        with self._lock:
            if self._current is not presented:
                return True
            if self._cooldown.left:
                return False
        try:
            fresh = yield from self._read(lambda: self._source.refresh(presented.secret.reveal()), presented)
        except SecretError as problem:
            _log.warning("an API key was refused and cannot be read again: %s", problem)
            fresh = presented
        if fresh is presented:
            self._cooldown.extend()
        return fresh is not presented

    def _read(self, read: Callable[[], str], known: CredentialHeader | None = None) -> Flow[CredentialHeader]:
        """Read the source and make its secret the current key. Return `known` itself if the secret is unchanged."""
        secret = yield from _secret(read)
        with self._lock:
            current = self._current
            if current is not known and current is not None:
                return current
            if known is not None and secret.reveal() == known.secret.reveal():
                return known
            self._current = CredentialHeader("ApiKey", "", secret)
            return self._current


def _secret(read: Callable[[], str]) -> Flow[Secret]:
    """Read a secret from its source. No suspended frame holds the bare text."""
    secret: Secret = yield Invoke(lambda: header_safe(read(), "the API key"))
    return secret
