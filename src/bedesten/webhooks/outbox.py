"""Leases due deliveries to a worker and records the result of each attempt.

A delivery that is being sent is leased: its next attempt is set to a later time, so that no other worker sends it, and
the lease of a worker that dies expires by itself. All nodes compare and set times by one clock (`store.moment`);
otherwise a worker whose clock is ahead would take deliveries that others are sending.
"""

from dataclasses import dataclass

from sqlalchemy import select, update

from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import cross_tenant, cross_tenant_rows_as, p
from bedesten.store.transaction import SystemTransaction
from bedesten.webhooks.actions import DONE, DUE, GIVEN_UP
from bedesten.webhooks.tables import deliveries, events, webhook_endpoints

LEASE = 60 * SECOND
DELAYS = (
    2 * SECOND, 10 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
    DAY, DAY,
)  # fmt: skip
"""Delays after each failed attempt: thirteen more attempts over almost four days."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One due delivery with everything needed to build and sign it. Its secrets are still encrypted."""

    id: str
    tenant_id: str
    url: str
    attempts: int
    event_id: str
    type: str
    object_id: str
    sequence: int
    line_id: str | None
    status: int | None
    body: str | None
    created: int
    endpoint_id: str
    owner_id: str
    secret: bytes
    outbound_key: bytes


_D, _E, _W = deliveries.c, events.c, webhook_endpoints.c
_DUE = cross_tenant_rows_as(
    Delivery,
    select(
        _D.id, _D.tenant_id, _D.url, _D.attempts, _E.id, _E.type, _E.object_id, _E.sequence, _E.line_id,
        _E.status, _E.body, _E.created, _W.id, _W.owner_id, _W.secret, _W.outbound_key,
    )
    .select_from(deliveries.join(events, (_E.tenant_id == _D.tenant_id) & (_E.id == _D.event_id)).join(
            webhook_endpoints, (_W.tenant_id == _D.tenant_id) & (_W.id == _D.endpoint_id)
        ))
    .where(_D.state == DUE, _D.next_at <= DATABASE_NOW)
    .order_by(_D.next_at, _D.id)
    .limit(p("most"))
    .with_for_update(skip_locked=True, of=deliveries),
)  # fmt: skip
_LEASE = cross_tenant(
    update(deliveries)
    .where(_D.tenant_id == p("owner"), _D.id == p("id"), _D.state == DUE)
    .values(attempts=_D.attempts + 1, next_at=DATABASE_NOW + LEASE, updated=p("now"))
)
_SETTLE = cross_tenant(
    update(deliveries)
    .where(_D.tenant_id == p("owner"), _D.id == p("id"), _D.state == DUE)
    .values(
        state=p("to_state"),
        next_at=DATABASE_NOW + p("delay"),
        last_status=p("http_status"),
        last_error=p("error"),
        updated=p("now"),
    )
)


def lease(tx: SystemTransaction, most: int) -> list[Delivery]:
    """Leases due deliveries, the longest waiting first."""
    due = tx.all(_DUE, at=tx.at, most=most)
    for one in due:
        tx.run(_LEASE, owner=one.tenant_id, id=one.id, at=tx.at, now=tx.now)
    return due


def delivered(tx: SystemTransaction, delivery: Delivery, http_status: int) -> None:
    """Records that the receiver accepted the delivery."""
    tx.run(
        _SETTLE,
        owner=delivery.tenant_id,
        id=delivery.id,
        to_state=DONE,
        at=tx.at,
        delay=0,
        http_status=http_status,
        error=None,
        now=tx.now,
    )


def failed(tx: SystemTransaction, delivery: Delivery, http_status: int | None, error: str) -> None:
    """Records a failed attempt and schedules the next one, or gives up after the last."""
    over = delivery.attempts >= len(DELAYS)
    tx.run(
        _SETTLE,
        owner=delivery.tenant_id,
        id=delivery.id,
        to_state=GIVEN_UP if over else DUE,
        at=tx.at,
        delay=0 if over else DELAYS[delivery.attempts],
        http_status=http_status,
        error=error[:200],
        now=tx.now,
    )
