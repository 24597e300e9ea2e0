"""The operator's view of orders: list, find by anything that a buyer can name, show with a time line, cancel."""

from sqlalchemy import and_, select

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.tables import accounts as account_rows
from bedesten.admin import order_timeline
from bedesten.admin.inputs import page_of
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.catalogue import stock
from bedesten.catalogue.code import BadCode, read_code
from bedesten.catalogue.tables import stock_codes
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.orders import actions, annotations, cancel, checkout, hold, listing
from bedesten.orders import statements as sql
from bedesten.orders.listing import OrderFilter, OrderWithLines
from bedesten.orders.model import PLACED, Line, Order
from bedesten.orders.moves import LINE, ORDER
from bedesten.orders.tables import order_lines, orders
from bedesten.payments.tables import payments
from bedesten.store.sql import TENANT, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_FOUND = 50
_O, _L, _A, _P, _C = orders.c, order_lines.c, account_rows.c, payments.c, stock_codes.c
_BUYER = statement(select(_A.handle, _A.name).where(_A.tenant_id == TENANT, _A.id == p("id")))
_OF_REFERENCE = statement(
    select(_O.id).where(_O.tenant_id == TENANT, _O.reference == p("text")).order_by(_O.id.desc()).limit(p("most"))
)
_OF_BUYER = statement(
    select(_O.id).where(_O.tenant_id == TENANT, _O.buyer_id == p("buyer")).order_by(_O.id.desc()).limit(p("most"))
)
_OF_LINE = statement(select(_L.order_id).where(_L.tenant_id == TENANT, _L.id == p("text")))
_OF_PAYMENT = statement(select(_P.order_id).where(_P.tenant_id == TENANT, _P.id == p("text")))
_INTEGRATIONS = select(_A.id).where(_A.tenant_id == TENANT, _A.kind == "integration")
_OF_PAYMENT_REFERENCE = statement(
    select(_P.order_id)
    .where(_P.tenant_id == TENANT, _P.reference == p("text"), _P.integration_id.in_(_INTEGRATIONS))
    .distinct()
)
"""Looks each integration up in the unique index of references, whose first column it is: there are only a few."""
_OF_CODE = statement(
    stock.with_digest(
        select(_L.order_id)
        .select_from(stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(_C.tenant_id == TENANT)
    )
)
_ORDER = rows_as(Order, select(*sql.ORDER_COLUMNS).where(_O.tenant_id == TENANT, _O.id == p("order_id")))


def order_of(tx: Transaction, order_id: str) -> Order:
    """The order with this id, of any buyer. Raises `Refusal` (-3)."""
    found = tx.one(_ORDER, order_id=order_id)
    if found is None:
        problem = "there is no such order; `orders find` looks for everything that a buyer can name"
        raise Refusal(errors.NOT_FOUND, problem, fields={"order": "there is no such order"})
    return found


def list_orders(
    tx: Transaction, wanted: OrderFilter, buyer: str, most: int, before: str = ""
) -> tuple[list[dict[str, object]], str | None]:
    """A page of the orders that the filter selects, of all buyers or of one, newest first, and the cursor of the next.

    `buyer` is an id or an e-mail. Raises `Refusal` (-3).
    """
    if buyer:
        read = listing.orders_of(tx, _buyer_id(tx, buyer), wanted, before, most)
    else:
        read = listing.orders_of_tenant(tx, wanted, before, most)
    found, following = page_of(read, most, lambda one: one[0].id)
    return [summary(tx, one) for one in found], following


def _buyer_id(tx: Transaction, name: str) -> str:
    found = _buyers(tx, name)
    if not found:
        raise Refusal(errors.NOT_FOUND, f"there is no buyer {name!r}", fields={"buyer": "there is no such buyer"})
    return found[0]


def _buyers(tx: Transaction, name: str) -> list[str]:
    """The partner and the customer with this id or e-mail, by id."""
    handle = text.email_or_none(name) or name
    found = [accounts.by_id(tx, kind, name) or accounts.by_handle(tx, kind, handle) for kind in ("partner", "customer")]
    return sorted(one.id for one in found if one is not None)


def find(tx: Transaction, cipher: TenantCipher, anything: str) -> list[dict[str, object]]:
    """The newest orders with this id, reference, line, buyer (id or e-mail), payment (id or reference) or stock code.

    A code is looked up by its keyed digest; a search that finds it is recorded, without the code.
    """
    wanted = anything.strip()
    if not wanted:
        raise bad_field("text", "is empty")
    newest = [tx.all(_OF_REFERENCE, text=wanted, most=MAX_FOUND)]
    newest += [tx.all(_OF_BUYER, buyer=buyer, most=MAX_FOUND) for buyer in _buyers(tx, wanted)]
    found = [wanted] if tx.one(_ORDER, order_id=wanted) else []
    found += sorted((row[0] for rows in newest for row in rows), reverse=True)
    found += [row[0] for one in (_OF_LINE, _OF_PAYMENT, _OF_PAYMENT_REFERENCE) for row in tx.all(one, text=wanted)]
    found += _orders_with_code(tx, cipher, wanted)
    named = [order_of(tx, order_id) for order_id in dict.fromkeys(found)]
    return [summary(tx, (order, actions.lines_of(tx, order.id))) for order in named[:MAX_FOUND]]


def _orders_with_code(tx: Transaction, cipher: TenantCipher, given: str) -> list[str]:
    try:
        code = read_code(given)
    except BadCode:
        return []
    digests = {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)}
    return [row[0] for row in tx.all(_OF_CODE, **digests)]


def show(tx: Transaction, order_id: str) -> dict[str, object]:
    """One order with its lines, notes, tags, and its time line, oldest first. Never a code."""
    order = order_of(tx, order_id)
    lines = actions.lines_of(tx, order.id)
    return {
        **summary(tx, (order, lines)),
        "tags": annotations.tags_of(tx, order.id),
        "notes": annotations.notes_of(tx, order.id),
        "timeline": order_timeline.timeline(tx, order, lines),
    }


def cancel_order(
    tx: Transaction, order_id: str, lines: list[str], reason: str, actor: Actor = OPERATOR
) -> dict[str, object]:
    """Cancels lines, or all that is not delivered; an unpaid checkout only as a whole. Raises `Refusal`: -3, -202."""
    order = cancel.lock(tx, order_of(tx, order_id))
    if order.state == PLACED or lines:
        cancel.cancel(tx, order, lines, actor, reason)
    else:
        checkout.cancel(tx, order.buyer_id, order.id)
        record(tx, actor, "checkout.cancel", order.id, reason=reason)
    return show(tx, order.id)


def hold_order(
    tx: Transaction, order_id: str, lines: list[str], reason: str, actor: Actor = OPERATOR
) -> dict[str, object]:
    """Holds lines, or all lines that are being processed. Raises `Refusal`: -3, -8."""
    order = cancel.lock(tx, order_of(tx, order_id))
    hold.hold(tx, order, lines, actor, reason)
    return show(tx, order.id)


def release_order(
    tx: Transaction, order_id: str, lines: list[str], reason: str, actor: Actor = OPERATOR
) -> dict[str, object]:
    """Releases lines, or all held lines: delivers codes from stock, queues the others. Raises `Refusal`: -3, -8."""
    order = cancel.lock(tx, order_of(tx, order_id))
    hold.release(tx, order, lines, actor, reason)
    return show(tx, order.id)


def note(tx: Transaction, order_id: str, text_of_note: str, actor: Actor = OPERATOR) -> dict[str, object]:
    """Adds a note to an order. Raises `Refusal`: -2, -3."""
    order = order_of(tx, order_id)
    annotations.add_note(tx, order.id, errors.normalised_field(text.note, text_of_note, "note"), actor)
    return show(tx, order.id)


def tag(tx: Transaction, order_id: str, add: list[str], remove: list[str]) -> dict[str, object]:
    """Adds and removes tags of an order. Raises `Refusal`: -2, -3."""
    order = order_of(tx, order_id)
    annotations.set_tags(tx, order.id, add, remove, OPERATOR)
    return show(tx, order.id)


def summary(tx: Transaction, listed: OrderWithLines) -> dict[str, object]:
    """One order with its lines, as lists show it."""
    order, lines = listed
    buyer = tx.one(_BUYER, id=order.buyer_id)
    return {
        "orderId": order.id,
        "reference": order.reference,
        "surface": order.surface,
        "buyerId": order.buyer_id,
        "buyer": buyer[0] if buyer else order.buyer_id,
        "state": ORDER.states[order.state].name,
        "total": to_decimal(order.total, order.currency),
        "currency": order.currency,
        "created": wire_time(order.created),
        "expires": wire_time(order.expires) if order.expires else None,
        "lines": [_line(order, line) for line in lines],
    }


def _line(order: Order, line: Line) -> dict[str, object]:
    return {
        "orderDetailId": line.id,
        "deliverId": line.deliver_id,
        "productId": line.product_id,
        "product": line.product_name,
        "quantity": line.quantity,
        "delivered": line.delivered,
        "cancelled": line.cancelled,
        "price": to_decimal(line.price, order.currency),
        "refunded": to_decimal(line.refunded, order.currency),
        "status": LINE.states[line.status].name,
        "hold": line.hold,
        "supplierId": line.supplier_id,
        "updated": wire_time(line.updated),
    }
