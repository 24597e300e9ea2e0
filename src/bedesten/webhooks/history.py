"""Lists deliveries with every attempt, and replays them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, or_, select

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.errors import Refusal, bad_field
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, move_of, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.endpoints import EndpointDetail, check_sendable, endpoint_of
from bedesten.webhooks.moves import DELIVERY, DONE, GIVEN_UP
from bedesten.webhooks.tables import deliveries, delivery_attempts, events, webhook_endpoints

MAX_REPLAYED = 500
"""Deliveries that one call replays at most."""
ANY_STATE = -1


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One delivery and its event; times are in epoch ms. `next_at` counts while the delivery is due."""

    id: str
    endpoint_id: str
    owner_id: str
    event_id: str
    type: str
    object_id: str
    sequence: int
    test: int
    url: str
    order_url: int
    state: int
    attempts: int
    next_at: int
    created: int


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt of a delivery. `http_status` is None without an answer, `error` if the receiver accepted it."""

    delivery_id: str
    at: int
    http_status: int | None
    error: str | None
    duration_ms: int


_D, _E, _W, _A = deliveries.c, events.c, webhook_endpoints.c, delivery_attempts.c
_OF_ENDPOINT = deliveries.join(webhook_endpoints, and_(_W.tenant_id == _D.tenant_id, _W.id == _D.endpoint_id))
_FILTER = (
    _D.tenant_id == TENANT,
    or_(p("owner") == "", _W.owner_id == p("owner")),
    or_(p("endpoint") == "", _D.endpoint_id == p("endpoint")),
)
_COLUMNS = (
    _D.id, _D.endpoint_id, _W.owner_id, _E.id, _E.type, _E.object_id, _E.sequence, _E.test, _D.url, _D.order_url, _D.state,
    _D.attempts,
    _D.next_at, _E.created,
)  # fmt: skip
_WITH_EVENT = _OF_ENDPOINT.join(events, and_(_E.tenant_id == _D.tenant_id, _E.id == _D.event_id))
_LIST = rows_as(
    DeliveryRecord,
    select(*_COLUMNS)
    .select_from(_WITH_EVENT)
    .where(
        *_FILTER,
        or_(p("before") == "", _D.id < p("before")),
        or_(p("state") == ANY_STATE, _D.state == p("state")),
    )
    .order_by(_D.id.desc())
    .limit(p("most")),
)
_ONE = rows_as(DeliveryRecord, select(*_COLUMNS).select_from(_WITH_EVENT).where(*_FILTER, _D.id == p("id")))
_ATTEMPTS = rows_as(
    AttemptRecord,
    select(_A.delivery_id, _A.at, _A.http_status, _A.error, _A.duration_ms)
    .select_from(
        delivery_attempts.join(deliveries, and_(_D.tenant_id == _A.tenant_id, _D.id == _A.delivery_id)).join(
            webhook_endpoints, and_(_W.tenant_id == _D.tenant_id, _W.id == _D.endpoint_id)
        )
    )
    .where(*_FILTER, _A.delivery_id >= p("first"), _A.delivery_id <= p("last"))
    .order_by(_A.delivery_id, _A.id),
)
_RANGE = statement(
    select(_D.id)
    .select_from(_WITH_EVENT)
    .where(
        *_FILTER,
        _D.id > p("after"),
        _E.created >= p("begin"),
        _E.created < p("end"),
        or_(_D.state == DONE, _D.state == GIVEN_UP),
        or_(p("state") == ANY_STATE, _D.state == p("state")),
    )
    .order_by(_D.id)
    .limit(p("most"))
)
_REPLAY = move_of(
    DELIVERY,
    "replay",
    _D.state,
    _D.id == p("id"),
    attempts=0,
    next_at=DATABASE_NOW,
    url=case((_D.order_url == 1, _D.url), else_=p("target")),
    script=None,
)


def list_deliveries(
    tx: Transaction, owner: str, endpoint: str, state: int, before: str, most: int
) -> list[DeliveryRecord]:
    """Returns deliveries, the newest first: of one owner or all (""), of one endpoint or all (""), in one state or any.

    `before` is the id of the last delivery of the previous page.
    """
    return tx.all(_LIST, owner=owner, endpoint=endpoint, state=state, before=before, most=most)


def attempts_of(
    tx: Transaction, owner: str, endpoint: str, found: Sequence[DeliveryRecord]
) -> dict[str, list[AttemptRecord]]:
    """Returns the attempts of a page of deliveries, by delivery, the oldest first."""
    made: dict[str, list[AttemptRecord]] = {one.id: [] for one in found}
    if found:
        ids = sorted(made)
        for one in tx.all(_ATTEMPTS, owner=owner, endpoint=endpoint, first=ids[0], last=ids[-1]):
            made.get(one.delivery_id, []).append(one)
    return made


def replay_one(tx: Transaction, owner: str, delivery: str, actor: Actor) -> str:
    """Makes a delivery due again, from its first attempt; returns its endpoint's id.

    It goes to the endpoint's present URL, or to that of its order. Raises `Refusal`: -3, -601 if the endpoint is paused,
    was deleted or has no URL.
    """
    found = tx.one(_ONE, owner=owner, endpoint="", id=delivery)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such delivery, or another account's", missing="webhook delivery")
    endpoint = _endpoint(tx, found)
    target = found.url if found.order_url else check_sendable(endpoint)
    if not tx.run(_REPLAY, id=found.id, at=tx.at, target=target):
        raise Refusal(errors.ENDPOINT_STATE, "the delivery is held")
    record(tx, actor, "delivery.replay", found.id, endpoint=endpoint.id)
    return endpoint.id


def replay_range(
    tx: Transaction, endpoint: EndpointDetail, begin: int, end: int, after: str, actor: Actor, *, only_failed: bool
) -> tuple[int, str]:
    """Replays the ended deliveries of an endpoint whose events were written from `begin` to before `end` (epoch ms).

    At most `MAX_REPLAYED` at once, the oldest first; returns their number, and where the next call continues ("": the
    end). Raises `Refusal`: -2 if the range is empty, -601 if the endpoint is paused or has no URL.
    """
    if begin >= end:
        raise bad_field("to", "must be later than from")
    url = check_sendable(endpoint)
    state = GIVEN_UP if only_failed else ANY_STATE
    found = [
        str(row[0])
        for row in tx.all(
            _RANGE, owner=endpoint.owner_id, endpoint=endpoint.id, after=after, begin=begin, end=end, state=state,
            most=MAX_REPLAYED,
        )
    ]  # fmt: skip
    replayed = sum(tx.run(_REPLAY, id=one, at=tx.at, target=url) for one in found)
    if replayed:
        record(tx, actor, "delivery.replay", endpoint.id, deliveries=replayed, begin=begin, end=end)
    return replayed, found[-1] if len(found) == MAX_REPLAYED else ""


def _endpoint(tx: Transaction, found: DeliveryRecord) -> EndpointDetail:
    try:
        return endpoint_of(tx, found.owner_id, found.endpoint_id)
    except Refusal as refusal:
        raise Refusal(errors.ENDPOINT_STATE, "the endpoint was deleted") from refusal
