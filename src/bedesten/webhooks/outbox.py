"""Leases due deliveries to a worker and records the result of each attempt.

A delivery that is being sent is leased: its next attempt is set to a later time, so that no other worker sends it. The
worker renews its leases while it sends; those of a worker that dies expire by themselves within `LEASE`. The number of
attempts distinguishes a lease from the next one: a worker that lost its lease renews and gives back nothing, and its
failure is recorded but does not move the next attempt. All nodes compare and set times by one clock
(`store.database_clock`); otherwise a worker whose clock is ahead would take deliveries that others are sending.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, delete, func, select, update

from bedesten.audit.actions import Actor, record
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, cross_tenant, cross_tenant_rows_as, insert_of, move_of, p, statement
from bedesten.store.transaction import Step, SystemTransaction, Transaction
from bedesten.webhooks.actions import endpoints_of, notify_steps, run_event_steps
from bedesten.webhooks.moves import ACTIVE, DELETED, DELIVERY, DUE, ENDPOINT, HELD
from bedesten.webhooks.tables import deliveries, delivery_attempts, events, webhook_endpoints
from bedesten.webhooks.targets import host_of

LEASE = 6 * SECOND
"""Time after which another worker takes over the deliveries of a dead one."""
MAX_PER_ENDPOINT, MAX_PER_SLOW_ENDPOINT = 32, 2
"""Deliveries that one worker sends to an endpoint at once. Slow: it has not answered for a while, or its last attempt
failed."""
DELAYS = (
    2 * SECOND, 10 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY,
    DAY, DAY,
)  # fmt: skip
"""Delays after each failed attempt: thirteen more attempts over almost four days."""
DEAD_AFTER = 3 * DAY
"""An endpoint is paused if an attempt fails this long (ms) after the first failure since its last success."""
REPEAT_DELAY = 2 * SECOND
"""Time after which the simulator sends a delivered message again."""
ATTEMPT_RETENTION = 30 * DAY
MAX_RELEASED = 500
WORKER = Actor("worker")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One due delivery with everything needed to build and sign it. Its secrets are still encrypted."""

    id: str
    tenant_id: str
    url: str
    order_url: int
    script: str | None
    attempts: int
    event_id: str
    type: str
    object_id: str
    sequence: int
    line_id: str | None
    status: int | None
    body: str | None
    request_id: str | None
    created: int
    endpoint_id: str
    owner_id: str
    endpoint_state: int
    failing_since: int | None
    secret: bytes
    previous_secret: bytes | None
    previous_until: int | None
    outbound_key: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt. `error` is empty if the receiver accepted it; the duration is in milliseconds."""

    http_status: int | None
    error: str
    duration: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a worker can still take on: how many deliveries in all, and how many it sends to each endpoint now."""

    most: int
    running: Mapping[str, int] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()

    def limit(self, endpoint: str, *, failing: bool = False) -> int:
        """Returns how many deliveries of an endpoint may be sent at once."""
        return MAX_PER_SLOW_ENDPOINT if failing or endpoint in self.slow else MAX_PER_ENDPOINT

    @property
    def full(self) -> frozenset[str]:
        """Returns the endpoints that have no capacity left."""
        return frozenset(one for one, count in self.running.items() if count >= self.limit(one))


_D, _E, _W, _A = deliveries.c, events.c, webhook_endpoints.c, delivery_attempts.c
_DUE = cross_tenant_rows_as(
    Delivery,
    select(
        _D.id, _D.tenant_id, _D.url, _D.order_url, _D.script, _D.attempts, _E.id, _E.type, _E.object_id, _E.sequence,
        _E.line_id, _E.status, _E.body, _E.request_id, _E.created, _W.id, _W.owner_id, _W.state, _W.failing_since,
        _W.secret, _W.previous_secret, _W.previous_until, _W.outbound_key,
    )
    .select_from(deliveries.join(events, (_E.tenant_id == _D.tenant_id) & (_E.id == _D.event_id)).join(
            webhook_endpoints, (_W.tenant_id == _D.tenant_id) & (_W.id == _D.endpoint_id)
        ))
    .where(_D.state == DUE, _D.next_at <= DATABASE_NOW, func.replace(p("full"), _D.endpoint_id, "") == p("full"))
    .order_by(_D.next_at, _D.id)
    .limit(p("most"))
    .with_for_update(skip_locked=True, of=deliveries),
)  # fmt: skip
_ROW = _D.id == p("id")
_LEASE = move_of(
    DELIVERY, "retry", _D.state, _ROW, attempts=_D.attempts + 1, next_at=DATABASE_NOW + LEASE, updated=p("now")
)
_MINE = _D.attempts == p("number")
_RENEW = statement(
    update(deliveries)
    .where(_D.tenant_id == TENANT, _ROW, _MINE, _D.state == DUE, _D.next_at <= DATABASE_NOW + LEASE)
    .values(next_at=DATABASE_NOW + LEASE)
)
_RETURN = move_of(DELIVERY, "retry", _D.state, _ROW, _MINE, attempts=_D.attempts - 1, next_at=DATABASE_NOW)
_RESULT = {"last_status": p("http_status"), "last_error": p("error"), "updated": p("now")}
_DELIVERED = move_of(DELIVERY, "deliver", _D.state, _ROW, **_RESULT)
_RETRY = move_of(DELIVERY, "retry", _D.state, _ROW, _MINE, next_at=DATABASE_NOW + p("delay"), script=None, **_RESULT)
_GIVE_UP = move_of(DELIVERY, "giveUp", _D.state, _ROW, _MINE, **_RESULT)
_HOLD = move_of(DELIVERY, "hold", _D.state, _ROW)
_DROP = move_of(DELIVERY, "drop", _D.state, _ROW, last_error="the endpoint was deleted")
_INSERT_ATTEMPT = insert_of(delivery_attempts)
_SUCCEEDED = statement(
    update(webhook_endpoints).where(_W.tenant_id == TENANT, _W.id == p("endpoint")).values(failing_since=None)
)
_FAILED = statement(
    update(webhook_endpoints)
    .where(_W.tenant_id == TENANT, _W.id == p("endpoint"), _W.failing_since.is_(None))
    .values(failing_since=p("now"))
)
_PAUSE_DEAD = move_of(ENDPOINT, "fail", _W.state, _W.id == p("endpoint"), _W.failing_since <= p("before"))
_HELD = cross_tenant(
    select(_D.tenant_id, _D.id)
    .select_from(deliveries.join(webhook_endpoints, and_(_W.tenant_id == _D.tenant_id, _W.id == _D.endpoint_id)))
    .where(_D.state == HELD, _W.state == ACTIVE)
    .limit(p("most"))
)
_RELEASE = move_of(DELIVERY, "release", _D.state, _ROW, next_at=DATABASE_NOW)
_FORGET_SECRETS = cross_tenant(
    update(webhook_endpoints).where(_W.previous_until <= p("now")).values(previous_secret=None, previous_until=None)
)
_FORGET_ATTEMPTS = cross_tenant(delete(delivery_attempts).where(_A.at < p("before")))


def lease(tx: SystemTransaction, capacity: Capacity) -> list[Delivery]:
    """Leases due deliveries, the longest waiting first, as far as there is capacity for their endpoints.

    A delivery whose endpoint was paused is held instead.
    """
    leased: dict[str, list[Delivery]] = {}
    running = Counter(capacity.running)
    for one in tx.all(_DUE, at=tx.at, most=capacity.most, full=" ".join(sorted(capacity.full))):
        if one.endpoint_state != ACTIVE and not one.order_url:
            tx.for_tenant(one.tenant_id).run(_DROP if one.endpoint_state == DELETED else _HOLD, id=one.id)
        elif running[one.endpoint_id] < capacity.limit(one.endpoint_id, failing=one.failing_since is not None):
            running[one.endpoint_id] += 1
            leased.setdefault(one.tenant_id, []).append(one)
    for tenant, found in leased.items():
        tx.for_tenant(tenant).run_all([Step(_LEASE, {"id": one.id, "at": tx.at, "now": tx.now}) for one in found])
    return [one for found in leased.values() for one in found]


def renew(tx: SystemTransaction, leased: Iterable[Delivery]) -> None:
    """Renews leases that are still this worker's."""
    for one in leased:
        tx.for_tenant(one.tenant_id).run(_RENEW, id=one.id, number=one.attempts + 1, at=tx.at)


def give_back(tx: SystemTransaction, leased: Iterable[Delivery]) -> None:
    """Ends leases that are still this worker's: the deliveries are due, as if they had not been leased."""
    for one in leased:
        tx.for_tenant(one.tenant_id).run(_RETURN, id=one.id, number=one.attempts + 1, at=tx.at)


def delivered(tx: SystemTransaction, delivery: Delivery, attempt: Attempt) -> None:
    """Records that the receiver accepted the delivery."""
    bound = tx.for_tenant(delivery.tenant_id)
    _record(bound, delivery, attempt)
    result = {"id": delivery.id, "http_status": attempt.http_status, "error": None, "now": tx.now}
    if delivery.script == "repeat":
        bound.run(_RETRY, **result, number=delivery.attempts + 1, at=tx.at, delay=REPEAT_DELAY)
    else:
        bound.run(_DELIVERED, **result)
    if delivery.failing_since is not None and not delivery.order_url:
        bound.run(_SUCCEEDED, endpoint=delivery.endpoint_id)


def failed(tx: SystemTransaction, delivery: Delivery, attempt: Attempt) -> bool:
    """Records a failed attempt and schedules the next one, or gives up after the last.

    Reports whether the endpoint was paused because it has failed for `DEAD_AFTER`; its owner's other endpoints
    receive the event `endpoint.paused`.
    """
    bound = tx.for_tenant(delivery.tenant_id)
    _record(bound, delivery, attempt)
    result = {"id": delivery.id, "http_status": attempt.http_status, "error": attempt.error[:200], "now": tx.now}
    if delivery.attempts >= len(DELAYS):
        bound.run(_GIVE_UP, **result, number=delivery.attempts + 1)
    else:
        bound.run(_RETRY, **result, number=delivery.attempts + 1, at=tx.at, delay=DELAYS[delivery.attempts])
    if delivery.order_url or delivery.script:
        return False
    if delivery.failing_since is None:
        bound.run(_FAILED, endpoint=delivery.endpoint_id, now=tx.now)
        return False
    return _pause_if_dead(bound, delivery)


def _record(tx: Transaction, delivery: Delivery, attempt: Attempt) -> None:
    tx.run(
        _INSERT_ATTEMPT,
        id=tx.new_id("att"),
        delivery_id=delivery.id,
        at=tx.now,
        http_status=attempt.http_status,
        error=attempt.error[:200] or None,
        duration_ms=attempt.duration,
    )


def _pause_if_dead(tx: Transaction, delivery: Delivery) -> bool:
    if not tx.run(_PAUSE_DEAD, endpoint=delivery.endpoint_id, before=tx.now - DEAD_AFTER):
        return False
    host = host_of(delivery.url)
    record(tx, WORKER, "endpoint.fail", delivery.endpoint_id, host=host)
    others = [one for one in endpoints_of(tx, delivery.owner_id) if one.id != delivery.endpoint_id]
    body = {"endpointId": delivery.endpoint_id, "host": host}
    run_event_steps(tx, notify_steps(tx, delivery.owner_id, "endpoint.paused", delivery.endpoint_id, body, others))
    return True


def release_held(tx: SystemTransaction) -> int:
    """Makes held deliveries of active endpoints due; at most `MAX_RELEASED`: call it again until it returns 0.

    `endpoints.resume` releases them itself. This finds deliveries that were written while the endpoint was being
    resumed.
    """
    found = tx.all(_HELD, most=MAX_RELEASED)
    return sum(tx.for_tenant(tenant).run(_RELEASE, id=one, at=tx.at) for tenant, one in found)


def delete_ended(tx: SystemTransaction) -> None:
    """Deletes previous secrets whose overlap has ended, and attempts that are older than `ATTEMPT_RETENTION`."""
    tx.run(_FORGET_SECRETS, now=tx.now)
    tx.run(_FORGET_ATTEMPTS, before=tx.now - ATTEMPT_RETENTION)
