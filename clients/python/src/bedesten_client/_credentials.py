"""Credentials: what is presented with a call, and what is done when it is refused. Flows, without I/O."""

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
"""Seconds after which the source is asked again; it remembers, and knows when to read."""

_log = getLogger("bedesten_client")


@dataclass(frozen=True, slots=True)
class CredentialHeader:
    """A credential as it goes along with a call. Two are the same if they are the same object."""

    name: str
    prefix: str
    secret: Secret

    @property
    def header(self) -> tuple[str, str, Secret]:
        """The header, its value in two parts."""
        return self.name, self.prefix, self.secret


class FixedSecret:
    """The source of a secret that was handed over as a value."""

    __slots__ = ("_secret",)

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def get(self) -> str:
        """The value."""
        return self._secret.reveal()

    def refresh(self, stale: str) -> str:  # noqa: ARG002
        """The value; there is no other."""
        return self._secret.reveal()


class Credential(Protocol):
    """Where calls get their credential from."""

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:
        """A credential that should be good."""
        ...

    def refuses(self, response: Response) -> bool:
        """Whether the answer refuses this kind of credential, so that another one may help."""
        ...

    def accepted(self, presented: CredentialHeader) -> None:
        """Takes note that the server knew the credential."""
        ...

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:
        """Whether the call is worth sending again, with what `present` gives then."""
        ...


def shows_acceptance(response: Response) -> bool:
    """Whether the server has looked at the credential and found it good. 429 and 503 come before that."""
    return response.status in (200, 403)


def header_safe(value: str, what: str) -> Secret:
    """The secret, if a header can hold it. Raises `BadReference`, which does not show it."""
    text = value.strip()
    if not text or not text.isascii() or any(not 33 <= ord(one) <= 126 for one in text):
        raise BadReference(f"{what}: it is empty, or holds blanks, line ends or letters that are not ASCII")
    return Secret(text)


@dataclass
class Cooldown:
    """Keeps what does not help from being tried over and over: doubling waits between `first` and `longest` seconds."""

    clock: Clock
    first: float
    longest: float
    _until: float = field(default=float("-inf"), init=False)
    _next: float = field(default=0.0, init=False)

    @property
    def left(self) -> float:
        """Seconds that are still to wait."""
        return max(0.0, self._until - self.clock())

    def more(self) -> None:
        """It did not help: waits, longer than the last time."""
        self._next = min(self.longest, self._next * 2) if self._next else self.first
        self._until = self.clock() + self._next

    def pause(self, seconds: float) -> None:
        """It is said when it may help again."""
        self._until = self.clock() + seconds

    def clear(self) -> None:
        """It helped."""
        self._until, self._next = float("-inf"), 0.0


class KeyCredential:
    """An API key. One that is refused is read once more from where it is kept, and the call sent again if it is another."""

    def __init__(self, source: SecretSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._current: CredentialHeader | None = None
        self._hold = Cooldown(clock, first=1.0, longest=30.0)

    def __repr__(self) -> str:
        return "KeyCredential(…)"

    def present(self, deadline: Deadline) -> Flow[CredentialHeader]:  # noqa: ARG002 - reading has time-outs of its own
        """The API key, as it was read last."""
        current, now = self._current, self._clock()
        if current is None or now - self._looked >= RECHECK_INTERVAL_S:
            self._looked = now
            current = yield from self._read(self._source.get, current)
        return current

    def refuses(self, response: Response) -> bool:
        """-23, or a gateway's 401 that asks for an API key."""
        if response.status != 401:
            return False
        asked = response.headers.get("www-authenticate", "").lower().startswith("apikey")
        return response.code == KEY_REFUSED or (response.code is None and asked)

    def accepted(self, presented: CredentialHeader) -> None:  # noqa: ARG002
        """The key works."""
        self._hold.clear()

    def renew(self, presented: CredentialHeader, deadline: Deadline) -> Flow[bool]:  # noqa: ARG002
        """Reads the key again, unless that was of no use a moment ago."""
        with self._lock:
            if self._current is not presented:
                return True
            if self._hold.left:
                return False
        try:
            fresh = yield from self._read(lambda: self._source.refresh(presented.secret.reveal()), presented)
        except SecretError as problem:
            _log.warning("an API key was refused and cannot be read again: %s", problem)
            fresh = presented
        if fresh is presented:
            self._hold.more()
        return fresh is not presented

    def _read(self, read: Callable[[], str], known: CredentialHeader | None = None) -> Flow[CredentialHeader]:
        """What the source gives, as the current key; `known` itself where it is still that one."""
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
    """A secret from its source; the bare text stays in no frame that waits."""
    secret: Secret = yield Invoke(lambda: header_safe(read(), "the API key"))
    return secret
