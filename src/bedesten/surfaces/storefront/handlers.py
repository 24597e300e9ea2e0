"""What web shops' and apps' calls do."""

from bedesten.accounts import actions as accounts
from bedesten.audit.actions import record
from bedesten.base.clock import wire_time
from bedesten.base.ids import new_id
from bedesten.base.money import to_decimal
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock
from bedesten.errors import bad_field
from bedesten.gate.passwords import canonical_email, password_problem
from bedesten.gate.scopes import Surface
from bedesten.orders import actions as orders
from bedesten.orders.model import DELIVERED, Buyer, Line, NewLine, NewOrder, Order
from bedesten.store.transaction import Transaction
from bedesten.surfaces import common
from bedesten.surfaces.common import Login, ProductView, Token
from bedesten.surfaces.storefront import shapes
from bedesten.web.call import Call
from bedesten.web.logins import log_in
from bedesten.web.shapes import Nothing

_STATES = ("awaitingPayment", "placed", "expired")


async def register(call: Call, body: shapes.Register) -> dict[str, str]:
    """Makes a customer. Whether the e-mail was known before is not told: the owner of the address knows."""
    email = canonical_email(body.email)
    if email is None:
        raise bad_field("email", "not an e-mail address")
    problem = password_problem(body.password, minimum=call.house.password_minimum, words=(email.split("@")[0],))
    if problem:
        raise bad_field("password", problem)
    hashed = await call.house.hashing.hash(body.password)
    await call.house.store.write(call.tenant.id, _register, call, email, body.name or email.split("@")[0], hashed)
    return {"status": "accepted"}


def _register(tx: Transaction, call: Call, email: str, name: str, password: str) -> None:
    made = accounts.create(tx, "customer", email, name, password=password)
    if made:
        record(tx, call.actor, "customer.register", made)


async def login(call: Call, body: Login) -> Token:
    """The customer login."""
    return common.token_view(call, await log_in(call, Surface.STOREFRONT, body.email, body.password))


def list_products(tx: Transaction, call: Call, body: shapes.ListProducts) -> dict[str, object]:
    """A page of what is sold in the caller's region."""
    page = common.page_of(call, "products", body)
    found = catalogue.shop_products(tx, page, call.region, body.category_id or "")
    return common.page_view(call, "products", found, page, lambda one: one.id, common.product_view)


def product(tx: Transaction, call: Call, _: Nothing) -> ProductView:
    """One product that is sold in the caller's region."""
    return common.product_view(catalogue.shop_product(tx, common.path_id(call), call.region))


def create_checkout(tx: Transaction, call: Call, body: shapes.CreateCheckout) -> shapes.CustomerOrder:
    """Reserves the goods until the checkout expires, or answers the same checkout again."""
    buyer = Buyer(call.who.owner, "customer", "storefront", call.tenant.currency, call.region)
    request = NewOrder(
        body.reference or new_id("chk"),
        tuple(
            NewLine(
                deliver_id=str(at),
                product_id=item.product_id,
                quantity=item.quantity,
                data=common.data_of(item.require_data, f"items[{at}].requireData"),
            )
            for at, item in enumerate(body.items)
        ),
    )
    placed = orders.reserve(tx, buyer, request, expires=tx.now + call.house.checkout_time)
    return _order_view(tx, call, placed.order, placed.lines, reveal=False)


def get_order(tx: Transaction, call: Call, body: shapes.GetOrder) -> shapes.CustomerOrder:
    """One order, with its codes once it is paid and delivered."""
    order = orders.order_of(tx, call.who.owner, body.order_id)
    return _order_view(tx, call, order, orders.lines_of(tx, order.id), reveal=True)


def _order_view(tx: Transaction, call: Call, order: Order, lines: list[Line], *, reveal: bool) -> shapes.CustomerOrder:
    return shapes.CustomerOrder(
        order_id=order.id,
        reference=order.reference,
        state=_STATES[order.state],
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        created=wire_time(order.created),
        expires=wire_time(order.expires) if order.expires else None,
        items=[_line_view(tx, call, order, line, reveal=reveal) for line in lines],
    )


def _line_view(tx: Transaction, call: Call, order: Order, line: Line, *, reveal: bool) -> shapes.CustomerLine:
    show = reveal and line.status == DELIVERED and "orders:reveal" in call.who.scopes
    codes = stock.delivered(tx, call.house.vault, line.id) if show else []
    if codes:
        record(tx, call.actor, "line.reveal", line.id, codes=len(codes))
    return shapes.CustomerLine(
        order_detail_id=line.id,
        product_id=line.product_id,
        product_name=line.product_name,
        quantity=line.quantity,
        unit_price=to_decimal(line.unit_price, order.currency),
        price=to_decimal(line.price, order.currency),
        status=line.status,
        delivery_data=codes or None,
        delivery_note=common.notes(line.note),
    )
