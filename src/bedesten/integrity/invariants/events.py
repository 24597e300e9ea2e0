"""6: every change of a line has exactly one event, and every event its deliveries.

An event is delivered to each endpoint of its owner that subscribes to its type and has a URL; an event of an order with
a `notifyUrl` goes there instead, once (`webhooks.actions.event_steps`). The table has only the current URL and types;
`changed` says since when. Events that an account asked for (`test`) go to one endpoint.
"""

from sqlalchemy import and_, exists, func, literal, or_, select

from bedesten.integrity.invariants.query import invariant_query
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import p
from bedesten.webhooks.moves import DELETED
from bedesten.webhooks.tables import deliveries, events, webhook_endpoints

_O, _L = orders.c, order_lines.c
_E, _W, _V = events.c, webhook_endpoints.c, deliveries.c


OVERLAP = p("overlap")
"""Milliseconds. Concurrent transactions do not see each other's rows, and their `now` does not give the order of their
commits. So a missing delivery counts only if the endpoint, or its URL, is older than the event by this."""

_line_events = (
    select(
        _E.tenant_id,
        _E.line_id,
        func.count().label("events"),
        func.min(_E.sequence).label("first"),
        func.max(_E.sequence).label("last"),
    )
    .where(_E.line_id.is_not(None))
    .group_by(_E.tenant_id, _E.line_id)
    .subquery("line_events")
)
_with_order = events.outerjoin(order_lines, and_(_L.tenant_id == _E.tenant_id, _L.id == _E.line_id)).outerjoin(
    orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id)
)
_its_owner_s = and_(_W.tenant_id == _E.tenant_id, _W.owner_id == _E.owner_id)
_has_delivery = exists().where(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id)
_signs = exists().where(_its_owner_s, _W.state != DELETED, _W.created + OVERLAP <= _E.created)
_name = literal(" ").concat(_E.type).concat(" ")
_chosen = or_(_W.event_types.is_(None), func.replace(_W.event_types, _name, "") != _W.event_types)


EVENTS = (
    invariant_query(
        6,
        "line {} has version {} and {} events, from {} to {}",
        select(_L.tenant_id, _L.id, _L.version, _line_events.c.events, _line_events.c.first, _line_events.c.last)
        .select_from(
            order_lines.outerjoin(
                _line_events, and_(_line_events.c.tenant_id == _L.tenant_id, _line_events.c.line_id == _L.id)
            )
        )
        .where(
            or_(
                func.coalesce(_line_events.c.events, 0) != _L.version,
                func.coalesce(_line_events.c.last, 0) != _L.version,
                func.coalesce(_line_events.c.first, 1) != 1,
            )
        ),
    ),
    invariant_query(
        6,
        "line {} has status {}, its latest event {} says {}",
        select(_L.tenant_id, _L.id, _L.status, _E.id, _E.status)
        .select_from(
            order_lines.join(events, and_(_E.tenant_id == _L.tenant_id, _E.line_id == _L.id, _E.sequence == _L.version))
        )
        .where(_E.status != _L.status),
    ),
    invariant_query(
        6,
        "event {} of line {} belongs to {}, who is not its buyer",
        select(_E.tenant_id, _E.id, _E.line_id, _E.owner_id).select_from(_with_order).where(_E.owner_id != _O.buyer_id),
    ),
    invariant_query(
        6,
        "event {} has no delivery for endpoint {}",
        select(_E.tenant_id, _E.id, _W.id)
        .select_from(
            _with_order.join(webhook_endpoints, _its_owner_s).outerjoin(
                deliveries, and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id, _V.endpoint_id == _W.id)
            )
        )
        .where(
            _V.id.is_(None),
            _E.test == 0,
            _E.object_id != _W.id,
            _O.notify_url.is_(None),
            _W.url.is_not(None),
            _W.state != DELETED,
            _W.changed + OVERLAP <= _E.created,
            _chosen,
        ),
    ),
    invariant_query(
        6,
        "event {} has no delivery for its order's notifyUrl",
        select(_E.tenant_id, _E.id).select_from(_with_order).where(_O.notify_url.is_not(None), _signs, ~_has_delivery),
    ),
    invariant_query(
        6,
        "delivery {} of event {} goes to endpoint {}, which is not its owner's, or past the order's notifyUrl",
        select(_V.tenant_id, _V.id, _E.id, _V.endpoint_id)
        .select_from(
            _with_order.join(deliveries, and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id)).outerjoin(
                webhook_endpoints, and_(_its_owner_s, _W.id == _V.endpoint_id)
            )
        )
        .where(
            or_(
                _W.id.is_(None),
                func.coalesce(_O.notify_url, _V.url) != _V.url,
                and_(_V.order_url == 1, _O.notify_url.is_(None)),
                and_(_V.order_url == 0, _O.notify_url.is_not(None)),
            )
        ),
    ),
)
