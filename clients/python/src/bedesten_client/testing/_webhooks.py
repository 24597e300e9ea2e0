"""Webhooks, signed as the platform signs them."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bedesten_client._secret import Secret
from bedesten_client.webhooks._verification import ID, SIGNATURE, TIMESTAMP, Event, signature


@dataclass(frozen=True, slots=True)
class SignedWebhook:
    """A request to a receiver: POST `body` with `headers`."""

    headers: dict[str, str]
    body: bytes


def sign(event: Event, secret: str | Secret, *, at: float | None = None) -> SignedWebhook:
    """Sign an event, now or `at` another time (seconds since 1970). An event without an id gets a new one."""
    items = {} if event.delivery_items is None else {"deliveryItems": event.delivery_items}
    body = msgspec.json.encode(
        {
            "type": event.type,
            "orderId": event.order_id,
            "orderReference": event.order_reference,
            "deliverId": event.deliver_id,
            "orderDetailId": event.order_detail_id,
            "status": event.status,
            "sequence": event.sequence,
            "occurredAt": event.occurred_at,
            "deliveryData": event.delivery_data,
            "deliveryNote": event.delivery_note,
            **items,
        }
    )
    event_id = event.id or f"evt_{secrets.token_hex(12)}"
    timestamp = str(int(time.time() if at is None else at))
    key = secret if isinstance(secret, Secret) else Secret(secret)
    return SignedWebhook(
        {
            "Content-Type": "application/json",
            ID: event_id,
            TIMESTAMP: timestamp,
            SIGNATURE: signature(key, event_id, timestamp, body),
        },
        body,
    )


def sign_body(event_id: str, body: dict[str, object], keys: Sequence[str]) -> SignedWebhook:
    """Sign an event of something other than an order line, with each secret: two during a rotation."""
    raw, timestamp = msgspec.json.encode(body), str(int(time.time()))
    signatures = " ".join(signature(Secret(one), event_id, timestamp, raw) for one in keys)
    head = {"Content-Type": "application/json", ID: event_id, TIMESTAMP: timestamp, SIGNATURE: signatures}
    return SignedWebhook(head, raw)
