"""What a buyer is told of a line: the flat body of the delivery webhook. Made when it is sent, never stored."""

import json

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock
from bedesten.catalogue.code import has_parts, parts
from bedesten.orders import statements as sql
from bedesten.orders.model import DELIVERED
from bedesten.store.transaction import Transaction
from bedesten.tenants.vault import Vault


def notice(tx: Transaction, vault: Vault, line_id: str, status: int) -> dict[str, object]:
    """The body for an event of the line; the codes go with the event that says delivered."""
    line = tx.one(sql.LINE, line=line_id)
    assert line is not None, "an event has a line"
    codes = stock.delivered(tx, vault, line.id) if status == DELIVERED else []
    if codes:
        record(tx, Actor("webhook"), "line.reveal", line.id, codes=len(codes))
    items = [parts(one) for one in codes]
    return {
        "deliverId": line.deliver_id,
        "orderDetailId": line.id,
        "status": status,
        "deliveryData": [one.code for one in codes] or None,
        "deliveryNote": json.loads(line.note) if line.note and status == DELIVERED else None,
        **({"deliveryItems": items} if any(has_parts(one) for one in codes) else {}),
    }
