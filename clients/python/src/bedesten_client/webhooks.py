"""Webhooks: what the platform tells of order lines, verified (Standard Webhooks), handled once, and answered.

`Verifier` says whether a request is genuine. `asgi_receiver` and `wsgi_receiver` are whole applications around it:

| what comes | answer | the handler |
|---|---|---|
| a genuine event | 204 | is called |
| one that was handled before | 204 | is not called |
| one that is being handled at this moment | 503, `Retry-After` | is not called |
| one for which the handler raises | 500: it comes again | was called |
| without a signature, or with a wrong one; a time stamp that is off by more than the tolerance | 401 | is not called |
| not an event, or its end is missing | 400 | is not called |
| larger than the limit | 413 | is not called |
| another method than POST | 405 | is not called |
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from bedesten_client._base import SecretLike, source_of
from bedesten_client._credentials import Cooldown
from bedesten_client._secret import Secret
from bedesten_client.schemas import DeliveredCode, Schema
from bedesten_client.secrets import BadReference, SecretSource

TOLERANCE_S = 300.0
"""Seconds that a time stamp may be off, either way: the scheme's own five minutes."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"


class Event(Schema, frozen=True):
    """A change of one order line. `id` is the same in every attempt to deliver it; `sequence` grows with every change of the
    line, so that an older event that comes late is told from a newer one."""

    deliver_id: str
    order_detail_id: str
    status: int
    type: str = ""
    order_id: str = ""
    order_reference: str = ""
    sequence: int = 0
    occurred_at: datetime | None = None
    delivery_data: tuple[str, ...] | None = None
    delivery_note: tuple[str, ...] | None = None
    delivery_items: tuple[DeliveredCode, ...] | None = None
    id: str = ""


class WebhookRefused(Exception):
    """A request that is not to be believed. `reason` is one word, `status` what to answer."""

    def __init__(self, reason: str, status: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status


def signature(secret: Secret, event_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a body, in the scheme's form."""
    signed = event_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.digest(_raw(secret), signed, hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class _Head:
    event_id: str
    timestamp: str
    signatures: tuple[str, ...]


class Verifier:
    """Verifies with one signing secret, or with several while it is being changed. May be shared by threads.

    `tolerance` None takes every time stamp, for a machine whose time of day cannot be relied on: then only the memory of
    what was handled stands against replays.
    """

    def __init__(
        self,
        secret: SecretLike | list[SecretLike] | tuple[SecretLike, ...],
        *,
        tolerance: float | None = TOLERANCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        several = secret if isinstance(secret, list | tuple) else [secret]
        self._sources: list[SecretSource] = [source_of(one) for one in several]
        if not self._sources:
            raise ValueError("a signing secret is needed")
        self._tolerance = tolerance
        self._clock = clock
        self._hold = Cooldown(time.monotonic, first=10.0, longest=300.0)

    def __repr__(self) -> str:
        return "Verifier(…)"

    def verify(self, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes) -> Event:
        """The event of a genuine request. Raises `WebhookRefused`, and `SecretError` if the secret cannot be had."""
        head = _head(headers)
        if not self._matches(head, body):
            raise WebhookRefused("forged", 401, "the signature does not fit the body")
        self._check_time(head.timestamp)
        try:
            event = _events.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            reason = str(problem)
        else:
            return msgspec.structs.replace(event, id=head.event_id)
        raise WebhookRefused("malformed", 400, f"the body is not an event: {reason}")

    def _matches(self, head: _Head, body: bytes) -> bool:
        secrets = [Secret(one.get()) for one in self._sources]
        if any(_fits(one, head, body) for one in secrets):
            self._hold.clear()
            return True
        if self._hold.left:
            return False
        self._hold.more()  # whoever sends rubbish does not make us read the secret each time
        changed = [
            fresh
            for one, known in zip(self._sources, secrets, strict=True)
            if (fresh := Secret(one.refresh(known.reveal()))).reveal() != known.reveal()
        ]
        return any(_fits(one, head, body) for one in changed)

    def _check_time(self, timestamp: str) -> None:
        if self._tolerance is not None and abs(self._clock() - int(timestamp)) > self._tolerance:
            raise WebhookRefused("stale", 401, "the time stamp is too far from the time here")


def _head(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> _Head:
    lines = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in lines:
        lowered = name.lower()
        if lowered in (ID, TIMESTAMP, SIGNATURE) and found.setdefault(lowered, value) != value:
            raise WebhookRefused("malformed", 400, f"{lowered} stands twice")
    if len(found) < 3:
        raise WebhookRefused("unsigned", 401, "a header of the signature is missing")
    event_id, timestamp = found[ID], found[TIMESTAMP]
    if not (event_id.isascii() and event_id.isprintable() and 0 < len(event_id) <= 256):
        raise WebhookRefused("malformed", 400, "webhook-id is not an id")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookRefused("malformed", 400, "webhook-timestamp is not a number of seconds")
    return _Head(event_id, timestamp, tuple(found[SIGNATURE].split()))


def _fits(secret: Secret, head: _Head, body: bytes) -> bool:
    expected = signature(secret, head.event_id, head.timestamp, body).encode()
    return any(hmac.compare_digest(expected, one.encode()) for one in head.signatures)


def _raw(secret: Secret) -> bytes:
    """The bytes of a signing secret. Raises `BadReference`, which does not show it."""
    try:
        raw = base64.b64decode(secret.reveal().strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise BadReference("the signing secret is not of the form whsec_…")
    return raw


_events = msgspec.json.Decoder(Event)
