"""Operations on the caller's own webhook endpoints and deliveries, the same on each surface with webhooks."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from bedesten import errors
from bedesten.core.clock import SECOND, wire_time
from bedesten.core.paging import DEFAULT_PAGE_SIZE, make_cursor, read_cursor
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.route import Example, Reads, Route, Writes
from bedesten.http.schemas import EmptyBody, RequestModel, ResponseModel
from bedesten.store.transaction import Transaction
from bedesten.surfaces import example_values, views
from bedesten.surfaces.route_table import RouteTable
from bedesten.surfaces.schemas import Id, Items, Page, PageSize, Time
from bedesten.webhooks import endpoints, history, simulator
from bedesten.webhooks.endpoints import EVERY_TYPE, EndpointDetail
from bedesten.webhooks.history import ANY_STATE, AttemptRecord, DeliveryRecord
from bedesten.webhooks.moves import DELIVERY, DUE, ENDPOINT

MAX_URL = 2_000
Url = Annotated[str, Meta(min_length=1, max_length=MAX_URL)]
EventTypes = Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(min_length=1, max_length=50)]
EndpointState = Annotated[str, Meta(title="EndpointState", extra_json_schema={"enum": list(ENDPOINT.names[:3])})]
DeliveryState = Annotated[str, Meta(title="DeliveryState", extra_json_schema={"enum": list(DELIVERY.names)})]
Scenario = Annotated[str, Meta(title="Scenario", extra_json_schema={"enum": list(simulator.SCENARIOS)})]
SentTime = Annotated[str, Meta(max_length=40)]
_DELIVERY_STATES = {one.name: number for number, one in DELIVERY.states.items()}


class CreateEndpoint(RequestModel, frozen=True):
    """A new endpoint: where deliveries go, and the types of events that it wants; by default every type (`*`)."""

    url: Url
    event_types: EventTypes | None = None


class UpdateEndpoint(RequestModel, frozen=True):
    """What changes of an endpoint; what is left out stays. `paused` true holds its deliveries, false releases them."""

    endpoint_id: Id
    url: Url | None = None
    event_types: EventTypes | None = None
    paused: bool | None = None


class EndpointId(RequestModel, frozen=True):
    """Selects an endpoint."""

    endpoint_id: Id


class RotateEndpoint(RequestModel, frozen=True):
    """How long the old signing secret signs beside the new one."""

    endpoint_id: Id
    overlap_seconds: Annotated[int, Meta(ge=0, le=endpoints.MAX_OVERLAP // SECOND)] = (
        endpoints.DEFAULT_OVERLAP // SECOND
    )


class ListDeliveries(RequestModel, frozen=True):
    """Selects a page of deliveries, the newest first: of one endpoint or all, in one state or any."""

    endpoint_id: Id | None = None
    state: DeliveryState | None = None
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Meta(max_length=300)] | None = None


class Replay(RequestModel, frozen=True):
    """Selects one delivery, or the deliveries of an endpoint whose events were written in a range of time.

    A range replays what failed, or with `onlyFailed` false everything that has ended. Times are written
    `yyyy-MM-ddTHH:mm:ssZ`; `to` itself is not in the range.
    """

    delivery_id: Id | None = None
    endpoint_id: Id | None = None
    from_: SentTime | None = None
    to: SentTime | None = None
    only_failed: bool = True
    cursor: Annotated[str, Meta(max_length=300)] | None = None


class Simulate(RequestModel, frozen=True):
    """The scenario to play to an endpoint."""

    endpoint_id: Id
    scenario: Scenario


class EndpointView(ResponseModel, frozen=True):
    """An endpoint. `failingSince` is the first failure after the last success; `previousSecretEnds` ends a rotation."""

    endpoint_id: str
    url: str | None
    event_types: list[str]
    state: EndpointState
    created: Time
    failing_since: Time | None
    previous_secret_ends: Time | None


class CreatedEndpoint(ResponseModel, frozen=True):
    """A new endpoint with its signing secret and outbound key, shown once."""

    endpoint: EndpointView
    secret: str
    outbound_key: str


class RotatedEndpoint(ResponseModel, frozen=True):
    """The endpoint with its new signing secret, shown once."""

    endpoint: EndpointView
    secret: str


class DeletedEndpoint(ResponseModel, frozen=True):
    """The endpoint that was deleted."""

    endpoint_id: str


class QueuedEvents(ResponseModel, frozen=True):
    """The ids of the queued events: `webhook-id` of their messages."""

    event_ids: list[str]


class AttemptView(ResponseModel, frozen=True):
    """One attempt. `status` is the receiver's HTTP status, or null without an answer; `error` is null after a success."""

    at: Time
    status: int | None
    error: str | None
    duration_ms: int


class DeliveryView(ResponseModel, frozen=True):
    """A delivery with its attempts of the last 30 days. `nextAttempt` is null unless it is due."""

    delivery_id: str
    endpoint_id: str
    event_id: str
    type: str
    object_id: str
    sequence: int
    test: bool
    state: DeliveryState
    created: Time
    next_attempt: Time | None
    attempts: list[AttemptView]


class Replayed(ResponseModel, frozen=True):
    """How many deliveries are due again. `nextCursor` continues the range; it is null at its end."""

    replayed: int
    next_cursor: str | None


def create(tx: Transaction, context: RequestContext, body: CreateEndpoint) -> CreatedEndpoint:
    """Creates an endpoint."""
    types = endpoints.checked_types(_surface(context), body.event_types or [EVERY_TYPE])
    known, secret, key = endpoints.create(tx, context.cipher, context.who.owner, body.url, types, context.actor)
    return CreatedEndpoint(_view(known), secret.reveal(), key.reveal())


def list_endpoints(tx: Transaction, context: RequestContext, _: EmptyBody) -> Items[EndpointView]:
    """The caller's endpoints, the oldest first."""
    return Items([_view(one) for one in endpoints.list_endpoints(tx, context.who.owner)])


def update(tx: Transaction, context: RequestContext, body: UpdateEndpoint) -> EndpointView:
    """Changes an endpoint."""
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id)
    if body.url is not None or body.event_types is not None:
        types = known.chosen
        if body.event_types is not None:
            types = endpoints.checked_types(_surface(context), body.event_types)
        known = endpoints.change(tx, known, body.url or known.url, types, context.actor)
    if body.paused is not None:
        known = endpoints.set_paused(tx, known, body.paused, context.actor)
    return _view(known)


def delete(tx: Transaction, context: RequestContext, body: EndpointId) -> DeletedEndpoint:
    """Deletes an endpoint."""
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id)
    endpoints.delete(tx, known, context.actor)
    return DeletedEndpoint(known.id)


def rotate(tx: Transaction, context: RequestContext, body: RotateEndpoint) -> RotatedEndpoint:
    """Gives an endpoint a new signing secret."""
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id)
    after, secret = endpoints.rotate(tx, context.cipher, known, body.overlap_seconds * SECOND, context.actor)
    return RotatedEndpoint(_view(after), secret.reveal())


def test(tx: Transaction, context: RequestContext, body: EndpointId) -> QueuedEvents:
    """Queues a test event."""
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id)
    return QueuedEvents([endpoints.send_test(tx, known)])


def simulate(tx: Transaction, context: RequestContext, body: Simulate) -> QueuedEvents:
    """Queues the events of a scenario."""
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id)
    return QueuedEvents(simulator.simulate(tx, _surface(context), known, body.scenario))


def list_deliveries(tx: Transaction, context: RequestContext, body: ListDeliveries) -> Page[DeliveryView]:
    """One page of the caller's deliveries."""
    if body.state is not None and body.state not in _DELIVERY_STATES:
        raise bad_field("state", f"must be one of {', '.join(_DELIVERY_STATES)}")
    state = ANY_STATE if body.state is None else _DELIVERY_STATES[body.state]
    owner, endpoint = context.who.owner, body.endpoint_id or ""
    before = _after(context, "deliveries", body.cursor)
    found = history.list_deliveries(tx, owner, endpoint, state, before, body.page_size + 1)
    shown = found[: body.page_size]
    attempts = history.attempts_of(tx, owner, endpoint, shown)
    more = len(found) > len(shown)
    cursor = make_cursor(context.tenant.id, "deliveries", shown[-1].id) if more else None
    return Page([_delivery_view(one, attempts[one.id]) for one in shown], cursor)


def replay(tx: Transaction, context: RequestContext, body: Replay) -> Replayed:
    """Makes one delivery or a range of them due again."""
    if (body.delivery_id is None) == (body.endpoint_id is None):
        raise bad_field("deliveryId", "exactly one of deliveryId and endpointId must be sent")
    if body.delivery_id is not None:
        history.replay_one(tx, context.who.owner, body.delivery_id, context.actor)
        return Replayed(1, None)
    if body.from_ is None or body.to is None:
        raise bad_field("from", "a range needs from and to")
    known = endpoints.endpoint_of(tx, context.who.owner, body.endpoint_id or "")
    begin, end = views.parse_time(body.from_, "from"), views.parse_time(body.to, "to")
    after = _after(context, "replay", body.cursor)
    replayed, last = history.replay_range(tx, known, begin, end, after, context.actor, only_failed=body.only_failed)
    return Replayed(replayed, make_cursor(context.tenant.id, "replay", last) if last else None)


def _surface(context: RequestContext) -> Surface:
    """The surface of the request, which decides about the types of events."""
    return context.who.surface


def _after(context: RequestContext, kind: str, cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return read_cursor(context.tenant.id, kind, cursor)
    except ValueError as error:
        raise bad_field("cursor", str(error)) from error


def _time(moment: int | None) -> str | None:
    return None if moment is None else wire_time(moment)


def _view(known: EndpointDetail) -> EndpointView:
    return EndpointView(
        endpoint_id=known.id,
        url=known.url,
        event_types=known.types,
        state=ENDPOINT.states[known.state].name,
        created=wire_time(known.created),
        failing_since=_time(known.failing_since),
        previous_secret_ends=_time(known.previous_until),
    )


def _delivery_view(one: DeliveryRecord, attempts: list[AttemptRecord]) -> DeliveryView:
    return DeliveryView(
        delivery_id=one.id,
        endpoint_id=one.endpoint_id,
        event_id=one.event_id,
        type=one.type,
        object_id=one.object_id,
        sequence=one.sequence,
        test=bool(one.test),
        state=DELIVERY.states[one.state].name,
        created=wire_time(one.created),
        next_attempt=wire_time(one.next_at) if one.state == DUE else None,
        attempts=[AttemptView(wire_time(at.at), at.http_status, at.error, at.duration_ms) for at in attempts],
    )


URL = "https://hooks.partner.example/bedesten"
TYPES = {
    Surface.RESELLER: ["balance.low", "order_line.delivered"],
    Surface.SUPPLIER: ["key.expiring"],
    Surface.PAYMENT: ["key.expiring"],
}
_SECRET, _OUTBOUND = "whsec_" + "A" * 43 + "=", "ok_" + "0" * 32


@dataclass(frozen=True)
class _Ids:
    """The ids that a surface's examples name."""

    endpoint: str
    events: tuple[str, str]
    delivery: str
    object: str


_E = example_values
_IDS = {
    Surface.RESELLER: _Ids(_E.ENDPOINT, (_E.EVENT, _E.OTHER_EVENT), _E.DELIVERY, _E.PARTNER),
    Surface.SUPPLIER: _Ids(
        _E.SUPPLIER_ENDPOINT, (_E.SUPPLIER_EVENT, _E.OTHER_SUPPLIER_EVENT), _E.SUPPLIER_DELIVERY, _E.KEY
    ),
    Surface.PAYMENT: _Ids(_E.PAYMENT_ENDPOINT, (_E.PAYMENT_EVENT, _E.OTHER_PAYMENT_EVENT), _E.PAYMENT_DELIVERY, _E.KEY),
}


def _endpoint_examples(surface: Surface) -> dict[str, Example]:
    types, one = TYPES[surface], _IDS[surface].endpoint
    view = EndpointView(one, URL, types, "active", example_values.EARLIER, None, None)
    rotated = EndpointView(one, URL, types, "active", example_values.EARLIER, None, example_values.LATER)
    return {
        "create": Example(CreatedEndpoint(view, _SECRET, _OUTBOUND), CreateEndpoint(url=URL, event_types=types)),
        "list": Example(Items([view])),
        "update": Example(view, UpdateEndpoint(endpoint_id=one, event_types=types, paused=False)),
        "delete": Example(DeletedEndpoint(one), EndpointId(endpoint_id=one)),
        "rotate": Example(RotatedEndpoint(rotated, _SECRET), RotateEndpoint(endpoint_id=one, overlap_seconds=900)),
    }


def _delivery_examples(surface: Surface) -> dict[str, Example]:
    ids = _IDS[surface]
    delivery = DeliveryView(
        delivery_id=ids.delivery,
        endpoint_id=ids.endpoint,
        event_id=ids.events[0],
        type=TYPES[surface][0],
        object_id=ids.object,
        sequence=1,
        test=False,
        state="failed",
        created=example_values.EARLIER,
        next_attempt=None,
        attempts=[AttemptView(example_values.NOW, 503, "not a 2xx answer", 41)],
    )
    return {
        "test": Example(QueuedEvents([ids.events[1]]), EndpointId(endpoint_id=ids.endpoint)),
        "deliveries": Example(Page([delivery], None), ListDeliveries(endpoint_id=ids.endpoint, page_size=20)),
        "replay": Example(Replayed(1, None), Replay(delivery_id=ids.delivery)),
        "simulate": Example(
            QueuedEvents([ids.events[0], ids.events[1]]), Simulate(endpoint_id=ids.endpoint, scenario="outOfOrder")
        ),
    }


def routes(surface: Surface) -> tuple[Route, ...]:
    """The nine operations, below the surface's path."""
    prefix = "" if surface is Surface.RESELLER else f"/{surface.value.capitalize()}"
    post, path, shown = (
        RouteTable(surface).post,
        f"{prefix}/Webhooks",
        {**_endpoint_examples(surface), **_delivery_examples(surface)},
    )
    access = "webhooks:manage"
    missing, state = errors.NOT_FOUND, errors.ENDPOINT_STATE
    return (
        post(f"{path}/Endpoints/Create", access=access, handler=Writes(create, reveals=True),
             summary="Create a webhook endpoint: its secrets are shown once", errors=(errors.ENDPOINT_LIMIT,),
             example=shown["create"]),
        post(f"{path}/Endpoints/List", access=access, handler=Reads(list_endpoints),
             summary="List the account's webhook endpoints", example=shown["list"]),
        post(f"{path}/Endpoints/Update", access=access, handler=Writes(update),
             summary="Change, pause or resume a webhook endpoint", errors=(missing,), example=shown["update"]),
        post(f"{path}/Endpoints/Rotate", access=access, handler=Writes(rotate, reveals=True),
             summary="Rotate the signing secret of a webhook endpoint", errors=(missing,), example=shown["rotate"]),
        post(f"{path}/Deliveries/List", access=access, handler=Reads(list_deliveries),
             summary="List webhook deliveries with every attempt", example=shown["deliveries"]),
        post(f"{path}/Deliveries/Replay", access=access, handler=Writes(replay),
             summary="Send one webhook delivery, or a range of them, again", errors=(missing, state),
             example=shown["replay"]),
        post(f"{path}/Endpoints/Test", access=access, handler=Writes(test),
             summary="Send a test event to a webhook endpoint", errors=(missing, state), example=shown["test"]),
        post(f"{path}/Simulate", access=access, handler=Writes(simulate),
             summary="Play a scenario of deliveries to a webhook endpoint", errors=(missing, state),
             example=shown["simulate"]),
        post(f"{path}/Endpoints/Delete", access=access, handler=Writes(delete),
             summary="Delete a webhook endpoint", errors=(missing,), example=shown["delete"]),
    )  # fmt: skip
