"""Webhook endpoints and deliveries, as their owners see them."""

from datetime import datetime

from bedesten_client._secret import Secret
from bedesten_client.schemas._base import Schema


class WebhookEndpoint(Schema, frozen=True):
    """An endpoint. `failing_since` is the first failure after the last success; `previous_secret_ends` ends a rotation."""

    endpoint_id: str
    url: str | None
    event_types: tuple[str, ...]
    state: str
    created: datetime
    failing_since: datetime | None
    previous_secret_ends: datetime | None


class CreatedWebhookEndpoint(Schema, frozen=True):
    """A new endpoint with its signing secret and outbound key. Store both: they are shown once."""

    endpoint: WebhookEndpoint
    secret: Secret
    outbound_key: Secret


class RotatedWebhookEndpoint(Schema, frozen=True):
    """The endpoint with its new signing secret. Store it: it is shown once."""

    endpoint: WebhookEndpoint
    secret: Secret


class DeletedWebhookEndpoint(Schema, frozen=True):
    """The endpoint that was deleted."""

    endpoint_id: str


class QueuedEvents(Schema, frozen=True):
    """The ids of the queued events: `webhook-id` of their messages."""

    event_ids: tuple[str, ...]


class DeliveryAttempt(Schema, frozen=True):
    """One attempt. `status` is the receiver's HTTP status, or None without an answer."""

    at: datetime
    status: int | None
    error: str | None
    duration_ms: int


class WebhookDelivery(Schema, frozen=True):
    """A delivery with its attempts of the last 30 days. `next_attempt` is None unless it is due."""

    delivery_id: str
    endpoint_id: str
    event_id: str
    type: str
    object_id: str
    sequence: int
    test: bool
    state: str
    created: datetime
    next_attempt: datetime | None
    attempts: tuple[DeliveryAttempt, ...]


class ReplayedDeliveries(Schema, frozen=True):
    """How many deliveries are due again. `next_cursor` continues the range; it is None at its end."""

    replayed: int
    next_cursor: str | None
