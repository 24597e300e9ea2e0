"""Builds the flat body of the delivery webhook of one order line when it is sent; never stored."""

import json
from dataclasses import dataclass

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock
from bedesten.catalogue.code import has_parts, parts
from bedesten.core.clock import wire_time
from bedesten.orders import statements as sql
from bedesten.orders.model import DELIVERED, EVENT_TYPES, PROCESSING
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher


@dataclass(frozen=True, slots=True)
class LineChange:
    """One change of a line's status, as its event stores it. `sequence` counts the line's changes; `at` is in ms."""

    line: str
    sequence: int
    status: int
    at: int


def event_payload(tx: Transaction, cipher: TenantCipher, change: LineChange) -> dict[str, object]:
    """Returns the body of an event of the line. The event of a delivery, whole or in part, has all codes that arrived."""
    line = tx.one(sql.LINE, line=change.line)
    assert line is not None, "an event has a line"
    order = tx.one(sql.ORDER_BY_ID, order_id=line.order_id)
    assert order is not None, "a line has an order"
    in_part = change.status == PROCESSING and change.sequence > 1 and line.delivered > 0  # 1 is when it was queued
    arrived = change.status == DELIVERED or in_part
    codes = stock.delivered_codes(tx, cipher, line.id) if arrived else []
    if codes:
        record(tx, Actor("webhook"), "line.reveal", line.id, codes=len(codes))
    items = [parts(one) for one in codes]
    return {
        "type": EVENT_TYPES[change.status],
        "orderId": order.id,
        "orderReference": order.reference,
        "deliverId": line.deliver_id,
        "orderDetailId": line.id,
        "status": change.status,
        "sequence": change.sequence,
        "occurredAt": wire_time(change.at),
        "deliveryData": [one.code for one in codes] or None,
        "deliveryNote": json.loads(line.note) if line.note and arrived else None,
        **({"deliveryItems": items} if any(has_parts(one) for one in codes) else {}),
    }
