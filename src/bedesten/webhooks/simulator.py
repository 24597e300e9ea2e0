"""Plays delivery scenarios to one endpoint, so that its owner can test a receiver.

Every event is synthetic: its body has `test: true`, its ids exist nowhere, and its code is made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bedesten.core.clock import SECOND
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction
from bedesten.webhooks.actions import Target, run_event_steps, stored_event_steps
from bedesten.webhooks.endpoints import EndpointDetail, check_sendable


@dataclass(frozen=True, slots=True)
class Play:
    """One event of a scenario: the delay of its first attempt in ms, and what the outbox does with it."""

    delay: int = 0
    script: str | None = None


SCENARIOS: Mapping[str, tuple[Play, Play]] = {
    "delivered": (Play(), Play(1 * SECOND)),
    "late": (Play(), Play(30 * SECOND)),
    "outOfOrder": (Play(5 * SECOND), Play()),
    "twice": (Play(), Play(1 * SECOND, "repeat")),
    "afterFailure": (Play(), Play(1 * SECOND, "fail")),
}
"""When the first and the second event of the object are sent. `repeat`: sent again after its success, under the same
`webhook-id`. `fail`: the first attempt fails without being sent, and the usual retry follows."""


def simulate(tx: Transaction, surface: Surface, known: EndpointDetail, scenario: str) -> list[str]:
    """Queues the two events of a scenario for this endpoint alone; returns their ids in the order of their `sequence`.

    Raises `Refusal`: -2 for an unknown scenario, -601 if the endpoint is paused or has no URL.
    """
    if scenario not in SCENARIOS:
        raise bad_field("scenario", f"must be one of {', '.join(SCENARIOS)}")
    url = check_sendable(known)
    line, order = tx.new_id("odl"), tx.new_id("ord")
    made = []
    for at, play in enumerate(SCENARIOS[scenario]):
        name, body = _event(surface, line, order, last=at == 1)
        target = Target(known.brief, url, script=play.script, delay=play.delay)
        steps = stored_event_steps(tx, known.owner_id, name, line, {"test": True, **body}, [target], test=True)
        made.append(run_event_steps(tx, steps))
    return made


def _event(surface: Surface, line: str, order: str, *, last: bool) -> tuple[str, dict[str, object]]:
    """Returns the type and members of a synthetic event."""
    if surface is Surface.SUPPLIER:
        return "order.awaiting", {"orderDetailId": line, "productName": "Test product", "quantity": 1}
    if surface is Surface.PAYMENT:
        members: dict[str, object] = {"orderId": order, "orderReference": "test", "paymentId": line, "method": "test"}
        return "payment.started", members
    return "order_line.delivered" if last else "order_line.processing", {
        "orderId": order,
        "orderReference": "test",
        "deliverId": "1",
        "orderDetailId": line,
        "status": 1 if last else 2,
        "deliveryData": ["TEST-CODE-0000"] if last else None,
        "deliveryNote": None,
    }
