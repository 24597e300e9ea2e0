"""Verification of a webhook: its signature, its time stamp and its body."""

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
"""How far a time stamp may differ from the local time, either way: five minutes, as Standard Webhooks recommends."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX = "whsec_"


class Event(Schema, frozen=True):
    """A change of one order line.

    `id` is the same in every delivery attempt. `sequence` grows with every change of the line, so that a late, older
    event can be recognised.
    """

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
    """A request that is not a genuine event. `reason` is one word, `status` the HTTP status to answer."""

    def __init__(self, reason: str, status: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.status = status


def signature(secret: Secret, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, in the form of Standard Webhooks."""
    signed = event_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.digest(_raw(secret), signed, hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class _SignatureHeaders:
    event_id: str
    timestamp: str
    signatures: tuple[str, ...]


class Verifier:
    """Verifies webhooks with one signing secret, or with several during a change of the secret. Thread-safe.

    `tolerance` None accepts every time stamp, for a machine with an unreliable clock. Then only deduplication stops
    replays.
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
            raise ValueError("at least one signing secret is required")
        self._tolerance = tolerance
        self._clock = clock
        self._cooldown = Cooldown(time.monotonic, first=10.0, longest=300.0)

    def __repr__(self) -> str:
        return "Verifier(…)"

    def verify(self, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes) -> Event:
        """Return the event of a genuine request. Raises `WebhookRefused`, and `SecretError` if the secret cannot be read."""
        signed = _signature_headers(headers)
        if not self._matches(signed, body):
            raise WebhookRefused("forged", 401, "the signature does not match the body")
        self._check_time(signed.timestamp)
        try:
            event = _events.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            reason = str(problem)
        else:
            return msgspec.structs.replace(event, id=signed.event_id)
        raise WebhookRefused("malformed", 400, f"the body is not an event: {reason}")

    def _matches(self, signed: _SignatureHeaders, body: bytes) -> bool:
        secrets = [Secret(one.get()) for one in self._sources]
        if any(_matches_secret(one, signed, body) for one in secrets):
            self._cooldown.reset()
            return True
        if self._cooldown.left:
            return False
        self._cooldown.extend()  # forged requests must not each cause a read of the secret
        changed = [
            fresh
            for one, known in zip(self._sources, secrets, strict=True)
            if (fresh := Secret(one.refresh(known.reveal()))).reveal() != known.reveal()
        ]
        return any(_matches_secret(one, signed, body) for one in changed)

    def _check_time(self, timestamp: str) -> None:
        if self._tolerance is not None and abs(self._clock() - int(timestamp)) > self._tolerance:
            raise WebhookRefused("stale", 401, "the time stamp is too far from the local time")


def _signature_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> _SignatureHeaders:
    lines = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in lines:
        lowered = name.lower()
        if lowered in (ID, TIMESTAMP, SIGNATURE) and found.setdefault(lowered, value) != value:
            raise WebhookRefused("malformed", 400, f"{lowered} occurs twice with different values")
    if len(found) < 3:
        raise WebhookRefused("unsigned", 401, "a signature header is missing")
    event_id, timestamp = found[ID], found[TIMESTAMP]
    if not (event_id.isascii() and event_id.isprintable() and 0 < len(event_id) <= 256):
        raise WebhookRefused("malformed", 400, "webhook-id is not an id")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise WebhookRefused("malformed", 400, "webhook-timestamp is not a number of seconds")
    return _SignatureHeaders(event_id, timestamp, tuple(found[SIGNATURE].split()))


def _matches_secret(secret: Secret, signed: _SignatureHeaders, body: bytes) -> bool:
    expected = signature(secret, signed.event_id, signed.timestamp, body).encode()
    return any(hmac.compare_digest(expected, one.encode()) for one in signed.signatures)


def _raw(secret: Secret) -> bytes:
    """Return the bytes of a signing secret. Raises `BadReference`, whose text does not contain it."""
    try:
        raw = base64.b64decode(secret.reveal().strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise BadReference("the signing secret is not of the form whsec_…")
    return raw


_events = msgspec.json.Decoder(Event)
