"""The handlers of the Reseller surface for orders: check, place, list and cancel."""

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import amount
from bedesten.orders import actions as orders
from bedesten.orders import cancel as cancellation
from bedesten.orders import listing
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.listing import OrderWithLines
from bedesten.orders.model import Buyer, Line, NewLine, NewOrder, Order
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.reseller import schemas
from bedesten.surfaces.schemas import Page
from bedesten.webhooks.targets import check_url


def list_orders(tx: Transaction, context: RequestContext, body: schemas.ListOrders) -> Page[schemas.OrderSummary]:
    """One page of the partner's orders, the newest first."""
    page = views.requested_page(context, "orders", body)
    wanted = views.order_filter(body, page.since, body.order_reference, body.customer_store_product_id)
    found = listing.orders_of(tx, context.who.owner, wanted, page.after, page.size)
    return views.page_view(context, "orders", found, page, _order_id, lambda one: summary(*one))


def validate(tx: Transaction, context: RequestContext, body: schemas.CreateOrder) -> schemas.ValidOrder:
    """Places the order in a transaction that is rolled back: the checks are those of `Orders/Create`."""
    placed = place(tx, context, body, context.region)
    order = placed.order
    return schemas.ValidOrder(
        order_reference=order.reference,
        known=placed.replayed,
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        details=[
            schemas.ValidLine(
                deliver_id=line.deliver_id,
                quantity=line.quantity,
                unit_price=to_decimal(line.unit_price, order.currency),
                price=to_decimal(line.price, order.currency),
                status=line.placed_status,
            )
            for line in placed.lines
        ],
    )


def place(tx: Transaction, context: RequestContext, body: schemas.CreateOrder, region: str) -> PlacedOrder:
    """Places the partner's order. Raises `Refusal`: -2, -8, -200, -203, -300."""
    if body.notify_url is not None:
        check_url(body.notify_url, "notifyUrl")
    buyer = Buyer(context.who.owner, "partner", "reseller", context.tenant.currency, region)
    return orders.place(tx, buyer, _requested(context, body))


def _requested(context: RequestContext, body: schemas.CreateOrder) -> NewOrder:
    if len({line.deliver_id for line in body.basket_data}) != len(body.basket_data):
        raise bad_field("basketData", "must not contain a deliverId twice")
    lines = []
    for at, line in enumerate(body.basket_data):
        where = f"basketData[{at}]"
        limit = line.max_unit_price
        lines.append(
            NewLine(
                deliver_id=line.deliver_id,
                product_id=line.customer_store_product_id,
                quantity=line.quantity,
                max_unit_price=None
                if limit is None
                else amount(limit, context.tenant.currency, f"{where}.maxUnitPrice"),
                data=views.requirement_data(line.require_data, f"{where}.requireData"),
            )
        )
    return NewOrder(body.order_reference, tuple(lines), body.notify_url)


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


def _order_id(one: OrderWithLines) -> str:
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
                **views.line_members(line, order.currency),
                status=line.status,
                updated=wire_time(line.updated),
            )
            for line in lines
        ],
    )
