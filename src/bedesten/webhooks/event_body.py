"""Builds the body of an event whose body is stored. The body of an order line's event is `orders.event_payload`."""

import json

from bedesten.core.clock import wire_time
from bedesten.webhooks.outbox import Delivery


def stored_body(due: Delivery) -> dict[str, object]:
    """Returns the envelope with the stored members. `orderId` and `orderReference` are null without an order."""
    assert due.body is not None, "only an order line's event has no stored body"
    return {
        "type": due.type,
        "objectId": due.object_id,
        "orderId": None,
        "orderReference": None,
        "sequence": due.sequence,
        "occurredAt": wire_time(due.created),
        **json.loads(due.body),
    }
