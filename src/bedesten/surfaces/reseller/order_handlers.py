"""The handlers of the Reseller surface for orders that were placed: list and cancel."""

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.orders import actions as orders
from bedesten.orders import cancel as cancellation
from bedesten.orders import listing
from bedesten.orders.listing import Listed
from bedesten.orders.model import Line, Order
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.reseller import schemas
from bedesten.surfaces.schemas import Page


def list_orders(tx: Transaction, context: RequestContext, body: schemas.ListOrders) -> Page[schemas.OrderSummary]:
    """One page of the partner's orders, the newest first."""
    page = views.requested_page(context, "orders", body)
    wanted = views.order_filter(body, page.since, body.order_reference, body.customer_store_product_id)
    found = listing.orders_of(tx, context.who.owner, wanted, page.after, page.size)
    return views.page_view(context, "orders", found, page, _order_id, lambda one: summary(*one))


def cancel(tx: Transaction, context: RequestContext, body: schemas.CancelOrder) -> schemas.OrderSummary:
    """Cancels lines of an order, or all that is not delivered."""
    named = partners_order(tx, context, body.order_id, body.order_reference)
    order = cancellation.lock(tx, named)
    lines = cancellation.cancel(tx, order, body.order_detail_ids, context.actor, body.reason or "")
    return summary(order, lines)


def partners_order(tx: Transaction, context: RequestContext, order_id: str | None, reference: str | None) -> Order:
    """The partner's order by its id or by the partner's own reference. Raises `Refusal`: -2, -3."""
    if (order_id is None) == (reference is None):
        raise bad_field("orderId", "exactly one of orderId and orderReference must be sent")
    return orders.order_of(tx, context.who.owner, order_id or "", reference or "")


def _order_id(one: Listed) -> str:
    return one[0].id


def summary(order: Order, lines: list[Line]) -> schemas.OrderSummary:
    """An order without codes."""
    return schemas.OrderSummary(
        order_id=order.id,
        order_reference=order.reference,
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        created=wire_time(order.created),
        details=[
            schemas.LineSummary(
                deliver_id=line.deliver_id,
                order_detail_id=line.id,
                customer_store_product_id=line.product_id,
                product_name=line.product_name,
                quantity=line.quantity,
                delivered=line.delivered,
                cancelled=line.cancelled,
                unit_price=to_decimal(line.unit_price, order.currency),
                price=to_decimal(line.price, order.currency),
                refunded=to_decimal(line.refunded, order.currency),
                status=line.status,
                updated=wire_time(line.updated),
            )
            for line in lines
        ],
    )
