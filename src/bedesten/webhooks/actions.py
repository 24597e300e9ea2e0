"""Writes events and deliveries to the outbox, in the transaction of the change, and manages endpoints."""

import base64
import json
import os
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import exists, func, select

from bedesten.core.secret import Secret
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.tables import installation
from bedesten.store.transaction import RetryTransaction, Step, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.tables import tenants
from bedesten.webhooks.event_types import EVENT_TYPES, ORDER_LINE_TYPES, is_chosen, stored
from bedesten.webhooks.moves import ACTIVE, DELETED, DELIVERY, ENDPOINT
from bedesten.webhooks.tables import deliveries, events, webhook_endpoints
from bedesten.webhooks.targets import Network, parse_networks

MAX_NUMBERINGS = 50
"""Attempts to give an event the next number of its object, before the whole transaction is retried."""
SECRET, OUTBOUND_KEY = "webhook-secret", "webhook-key"


class Endpoint(msgspec.Struct, frozen=True):
    """A webhook endpoint of an account. Without a `url` only orders with their own URL are delivered."""

    id: str
    url: str | None
    event_types: str | None
    state: int


class Target(msgspec.Struct, frozen=True):
    """One delivery to make: which endpoint signs, where it goes, and what the simulator does with it."""

    endpoint: Endpoint
    url: str
    order_url: bool = False
    script: str | None = None
    delay: int = 0


class LineEvent(msgspec.Struct, frozen=True):
    """One change of the status of `owner`'s order line; `sequence` counts the line's changes."""

    owner: str
    line: str
    sequence: int
    status: int
    type: str


_E, _V = webhook_endpoints.c, events.c
_CREATE = insert_of(webhook_endpoints)
_OF_OWNER = rows_as(
    Endpoint,
    select(_E.id, _E.url, _E.event_types, _E.state)
    .where(_E.tenant_id == TENANT, _E.owner_id == p("owner"), _E.state != DELETED)
    .order_by(_E.created, _E.id),
)
_NETWORKS = statement(
    select(installation.c.webhook_networks).where(exists(select(tenants.c.id).where(tenants.c.id == TENANT)))
)
_EVENT = insert_of(events)
_NEXT = select(func.coalesce(func.max(_V.sequence), 0) + 1).where(
    _V.tenant_id == TENANT, _V.object_id == p("of_object"), _V.owner_id == p("of_owner")
)
_NUMBERED_EVENT = insert_of(events, or_ignore=True, sequence=_NEXT.scalar_subquery())
_QUEUE = insert_of(deliveries, next_at=DATABASE_NOW + p("delay"))


def create_endpoint(
    tx: Transaction, cipher: TenantCipher, owner: str, url: str | None, types: frozenset[str] | None = ORDER_LINE_TYPES
) -> tuple[Secret[str], Secret[str]]:
    """Creates an account's endpoint; returns the signing secret (`whsec_…`) and the outbound key, shown only now."""
    return insert_endpoint(tx, cipher, tx.new_id("whk"), owner, url, types)


def new_secret() -> str:
    """Returns a fresh signing secret in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def insert_endpoint(
    tx: Transaction, cipher: TenantCipher, endpoint: str, owner: str, url: str | None, types: frozenset[str] | None
) -> tuple[Secret[str], Secret[str]]:
    """Like `create_endpoint`, under a chosen id."""
    secret = new_secret()
    outbound = "ok_" + os.urandom(16).hex()
    tx.run(
        _CREATE,
        id=endpoint,
        owner_id=owner,
        url=url,
        event_types=None if types is None else stored(types),
        state=ENDPOINT["create"].target,
        secret=cipher.encrypt(tx, SECRET, endpoint, secret),
        previous_secret=None,
        previous_until=None,
        outbound_key=cipher.encrypt(tx, OUTBOUND_KEY, endpoint, outbound),
        failing_since=None,
        changed=tx.now,
        created=tx.now,
    )
    return Secret(secret), Secret(outbound)


def allowed_networks(tx: Transaction) -> tuple[Network, ...]:
    """Returns the private networks that the operator allows for webhooks; the same for every tenant."""
    row = tx.one(_NETWORKS)
    return parse_networks(row[0]) if row else ()


def endpoints_of(tx: Transaction, owner: str) -> list[Endpoint]:
    """Returns the account's endpoints, the oldest first."""
    return tx.all(_OF_OWNER, owner=owner)


def event_steps(tx: Transaction, change: LineEvent, endpoints: Sequence[Endpoint], url: str | None) -> list[Step]:
    """Returns the steps that write the event of an order line's change, and a delivery for each target.

    `url` is the order's own `notifyUrl`; it takes precedence over the endpoints' URLs, and the account's oldest endpoint
    signs for it.
    """
    event = tx.new_id("evt")
    row = {
        "id": event,
        "owner_id": change.owner,
        "type": change.type,
        "object_id": change.line,
        "sequence": change.sequence,
        "line_id": change.line,
        "status": change.status,
        "body": None,
        "test": 0,
        "request_id": tx.request_id,
        "created": tx.now,
    }
    targets = [Target(one, url, order_url=True) for one in endpoints[:1]] if url else _targets(endpoints, change.type)
    return [Step(_EVENT, row), *delivery_steps(tx, event, targets)]


def notify(tx: Transaction, owner: str, event_type: str, object_id: str, body: Mapping[str, object]) -> None:
    """Writes an event for an account, and its deliveries, in the transaction of the change; see `notify_steps`."""
    run_event_steps(tx, notify_steps(tx, owner, event_type, object_id, body, endpoints_of(tx, owner)))


def run_event_steps(tx: Transaction, steps: Sequence[Step]) -> str:
    """Runs the steps of one event with a stored body, which `notify_steps` returned; returns the event's id."""
    event, *others = steps
    for _ in range(MAX_NUMBERINGS):
        # on PostgreSQL the statement waits for the other transaction, and its next run sees that event
        if tx.run(event.statement, **event.parameters):
            break
    else:
        raise RetryTransaction("the object had many other events at this moment")
    tx.run_all(others)
    return str(event.parameters["id"])


def notify_steps(
    tx: Transaction,
    owner: str,
    event_type: str,
    object_id: str,
    body: Mapping[str, object],
    endpoints: Sequence[Endpoint],
) -> list[Step]:
    """Returns the steps that write an event with a stored body for the account `owner`, and a delivery for each endpoint.

    `body` is a JSON object without codes, secrets and members of the envelope, except `orderId` and `orderReference`,
    which it has if the event is about an order. `sequence` counts the events of `object_id` for the owner; the steps of
    two events of the same object and owner cannot run together. The buyer receives an order line's changes by
    `event_steps`, which numbers them itself: no other event has the line as its object for the buyer. Raises
    `RetryTransaction` when run if another transaction wrote an event of the object at the same moment.
    """
    assert event_type in EVENT_TYPES, f"{event_type} is missing from webhooks.event_types"
    assert event_type not in ORDER_LINE_TYPES, "an order line's events are written by event_steps"
    assert not {"type", "objectId", "sequence", "occurredAt"} & body.keys(), "the envelope has these members"
    return stored_event_steps(tx, owner, event_type, object_id, body, _targets(endpoints, event_type))


def stored_event_steps(
    tx: Transaction,
    owner: str,
    event_type: str,
    object_id: str,
    body: Mapping[str, object],
    targets: Sequence[Target],
    *,
    test: bool = False,
) -> list[Step]:
    """Like `notify_steps`, of any type and with chosen targets; `test` marks an event that the account asked for."""
    event = tx.new_id("evt")
    row = {
        "id": event,
        "owner_id": owner,
        "type": event_type,
        "object_id": object_id,
        "line_id": None,
        "status": None,
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        "test": int(test),
        "request_id": tx.request_id,
        "created": tx.now,
        "of_object": object_id,
        "of_owner": owner,
    }
    lost = "the object had another event at this moment"
    return [
        Step(_NUMBERED_EVENT, row, error=lambda: RetryTransaction(lost)),
        *delivery_steps(tx, event, targets),
    ]


def _targets(endpoints: Sequence[Endpoint], event_type: str) -> list[Target]:
    return [Target(one, one.url) for one in endpoints if one.url and is_chosen(event_type, one.event_types)]


def delivery_steps(tx: Transaction, event: str, targets: Sequence[Target]) -> list[Step]:
    """Returns the steps that queue the event for its targets; a delivery to a paused endpoint's URL is held."""
    if targets:
        tx.wake_worker()
    return [
        Step(
            _QUEUE,
            {
                "id": tx.new_id("dlv"),
                "event_id": event,
                "endpoint_id": one.endpoint.id,
                "url": one.url,
                "order_url": int(one.order_url),
                "script": one.script,
                "state": DELIVERY["queue" if one.order_url or one.endpoint.state == ACTIVE else "queueHeld"].target,
                "attempts": 0,
                "at": tx.at,
                "delay": one.delay,
                "last_status": None,
                "last_error": None,
                "updated": tx.now,
            },
        )
        for one in targets
    ]
