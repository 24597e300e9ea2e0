"""6: every change of a line has exactly one event, and every event its delivery for a matching endpoint.

The matching endpoint of an event is the one of its order's buyer, if it has a URL or the order names one; the order's
is stronger (`webhooks.actions.record`). The table has only
today's URL; the audit trail (`partner.webhook`) says when it was last changed, and so whether there was one at the time.
"""

from sqlalchemy import and_, func, or_, select

from bedesten.audit.tables import audit
from bedesten.integrity.invariants.query import invariant_query
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import p
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
_url_changes = (
    select(audit.c.tenant_id, audit.c.subject, func.max(audit.c.at).label("at"))
    .where(audit.c.action == "partner.webhook")
    .group_by(audit.c.tenant_id, audit.c.subject)
    .subquery("url_changes")
)
_event_with_its_order = events.join(order_lines, and_(_L.tenant_id == _E.tenant_id, _L.id == _E.line_id)).join(
    orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id)
)
_known_since = func.coalesce(_url_changes.c.at, _W.created)

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
        "event {} has no delivery for endpoint {}",
        select(_E.tenant_id, _E.id, _W.id)
        .select_from(
            _event_with_its_order.join(
                webhook_endpoints, and_(_W.tenant_id == _O.tenant_id, _W.owner_id == _O.buyer_id)
            )
            .outerjoin(
                _url_changes, and_(_url_changes.c.tenant_id == _W.tenant_id, _url_changes.c.subject == _W.owner_id)
            )
            .outerjoin(
                deliveries,
                and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id, _V.endpoint_id == _W.id),
            )
        )
        .where(
            _V.id.is_(None),
            or_(
                and_(_O.notify_url.is_not(None), _W.created + OVERLAP <= _E.created),
                and_(_W.url.is_not(None), _known_since + OVERLAP <= _E.created),
            ),
        ),
    ),
    invariant_query(
        6,
        "delivery {} of event {} goes to endpoint {}, which is not the buyer's, or past the order's notifyUrl",
        select(_V.tenant_id, _V.id, _E.id, _V.endpoint_id)
        .select_from(
            _event_with_its_order.join(deliveries, and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id)).outerjoin(
                webhook_endpoints,
                and_(_W.tenant_id == _V.tenant_id, _W.id == _V.endpoint_id, _W.owner_id == _O.buyer_id),
            )
        )
        .where(or_(_W.id.is_(None), func.coalesce(_O.notify_url, _V.url) != _V.url)),
    ),
)
