"""The handlers of the Storefront surface for a customer's orders: list and cancel."""

from decimal import Decimal
from typing import TypedDict, get_args

from bedesten.audit.actions import record
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.http.context import RequestContext
from bedesten.orders import actions as orders
from bedesten.orders import cancel as cancellation
from bedesten.orders import checkout, listing
from bedesten.orders.listing import OrderWithLines
from bedesten.orders.model import PLACED, Line, Order
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.schemas import Page
from bedesten.surfaces.storefront import schemas

STATES: tuple[schemas.OrderState, ...] = get_args(schemas.OrderState)
"""The states of an order by their numbers."""


def list_orders(
    tx: Transaction, context: RequestContext, body: schemas.ListOrders
) -> Page[schemas.CustomerOrderSummary]:
    """One page of the customer's orders, the newest first."""
    page = views.requested_page(context, "orders", body)
    states = frozenset(STATES.index(one) for one in body.state)
    wanted = views.order_filter(body, page.since, body.reference, body.product_id, states)
    found = listing.orders_of(tx, context.who.owner, wanted, page.after, page.size)
    return views.page_view(context, "orders", found, page, _order_id, lambda one: _summary(*one))


def cancel(tx: Transaction, context: RequestContext, body: schemas.CancelOrder) -> schemas.CustomerOrderSummary:
    """Cancels lines of a paid order, or all that is not delivered; an unpaid checkout as a whole."""
    order = cancellation.lock(tx, orders.order_of(tx, context.who.owner, body.order_id))
    if order.state == PLACED or body.order_detail_ids:
        lines = cancellation.cancel(tx, order, body.order_detail_ids, context.actor, body.reason or "")
        return _summary(order, lines)
    withdrawn = checkout.cancel(tx, context.who.owner, order.id)
    record(tx, context.actor, "checkout.cancel", order.id)
    return _summary(withdrawn, orders.lines_of(tx, order.id))


def _order_id(one: OrderWithLines) -> str:
    return one[0].id


class OrderMembers(TypedDict):
    """The members that every view of a customer's order has."""

    order_id: str
    reference: str
    state: schemas.OrderState
    currency: str
    total: Decimal
    created: str
    expires: str | None


def order_members(order: Order) -> OrderMembers:
    """Returns what every view of a customer's order shows."""
    return OrderMembers(
        order_id=order.id,
        reference=order.reference,
        state=STATES[order.state],
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        created=wire_time(order.created),
        expires=wire_time(order.expires) if order.expires else None,
    )


def _summary(order: Order, lines: list[Line]) -> schemas.CustomerOrderSummary:
    return schemas.CustomerOrderSummary(
        **order_members(order),
        items=[
            schemas.CustomerLineSummary(
                order_detail_id=line.id,
                product_id=line.product_id,
                **views.line_members(line, order.currency),
                status=line.status,
                updated=wire_time(line.updated),
            )
            for line in lines
        ],
    )
