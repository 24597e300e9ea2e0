"""The handlers of the Storefront surface."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import registrations, sessions
from bedesten.accounts.actions import Account
from bedesten.accounts.sessions import Session
from bedesten.audit.actions import record
from bedesten.catalogue import stock
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.logins import address_digest, authenticate_password, begin_session, exchange, log_in
from bedesten.http.schemas import EmptyBody, amount
from bedesten.mail import actions as mail
from bedesten.orders import actions as orders
from bedesten.orders import basket as baskets
from bedesten.orders import checkout
from bedesten.orders.model import Buyer, Line, NewLine, NewOrder, Order
from bedesten.payments import actions as payments
from bedesten.payments.model import PaymentRefund
from bedesten.payments.moves import REFUND
from bedesten.store.transaction import Transaction
from bedesten.surfaces import statements, views
from bedesten.surfaces.passwords import check_password
from bedesten.surfaces.schemas import Login, Page, Token
from bedesten.surfaces.statements import GetStatement, Wallet
from bedesten.surfaces.storefront import basket, schemas
from bedesten.surfaces.storefront.account_handlers import customer_of, require_verified
from bedesten.surfaces.storefront.order_handlers import order_members
from bedesten.tenants.checkout_limits import CheckoutLimits
from bedesten.tenants.site import registration_is_open


async def register(
    context: RequestContext, services: LoginServices, body: schemas.Register
) -> schemas.RegistrationResult:
    """Creates a customer. The answer does not reveal whether the e-mail address was known before."""
    if not await services.store.read(context.tenant.id, registration_is_open):
        raise Refusal(errors.REGISTRATION_CLOSED, "the operator has closed the registration")
    await check_password(context, services, body.password, "password", body.email, body.name or "")
    limits = CheckoutLimits.of(context.tenant.checkout_limits)
    await services.store.write(context.tenant.id, registrations.count, address_digest(context), limits.registrations)
    hashed = await services.passwords.hash(context.tenant.id, body.password)
    name = body.name or body.email.split("@")[0]
    await services.store.write(context.tenant.id, _register, context, body.email, name, hashed)
    return schemas.RegistrationResult("accepted")


def _register(tx: Transaction, context: RequestContext, email: str, name: str, password: PasswordHash) -> None:
    made = accounts.create(tx, "customer", email, name, password=password)
    if made:
        record(tx, context.actor, "customer.register", made)
    if context.tenant.verify_email:
        mail.queue(tx, context.cipher, mail.VERIFY, email, context.actor)


async def login(context: RequestContext, services: LoginServices, body: Login) -> Token:
    """The customer login."""
    return views.token_view(context, await log_in(context, services, Surface.STOREFRONT, body.email, body.password))


async def refresh(context: RequestContext, services: LoginServices, _: EmptyBody) -> Token:
    """Exchanges a valid token for a fresh one of the same session. The old token stays valid until its expiry."""
    customer = await services.store.read(context.tenant.id, customer_of, context)
    return views.token_view(context, await exchange(context, services, Surface.STOREFRONT, customer))


def logout(tx: Transaction, context: RequestContext, body: schemas.Logout) -> schemas.SessionEnd:
    """Ends the session of the presented token, or all sessions of the customer, from the next request on."""
    if body.everywhere:
        accounts.end_tokens(tx, context.who.owner, context.actor)
    else:
        token = context.who.token
        assert token is not None, "the route demands a token"
        sessions.end(tx, token.session_id, context.actor)
    return schemas.SessionEnd("ended")


async def change_password(context: RequestContext, services: LoginServices, body: schemas.ChangePassword) -> Token:
    """Changes the password, ends all sessions, and begins a new one."""
    store, tenant = services.store, context.tenant.id
    customer = await store.read(tenant, customer_of, context)
    await authenticate_password(context, services, Surface.STOREFRONT, customer.handle, body.current_password)
    await check_password(context, services, body.new_password, "newPassword", customer.handle, customer.name)
    hashed = await services.passwords.hash(context.tenant.id, body.new_password)
    changed = await store.write(tenant, _set_password, context, hashed)
    return views.token_view(context, await begin_session(context, services, Surface.STOREFRONT, changed))


def _set_password(tx: Transaction, context: RequestContext, password: PasswordHash) -> Account:
    """The account right after the change, so that a later revocation also ends the fresh token."""
    accounts.set_password(tx, context.who.owner, password, context.actor)
    return customer_of(tx, context)


def list_sessions(tx: Transaction, context: RequestContext, body: schemas.ListSessions) -> Page[schemas.SessionView]:
    """One page of the customer's open sessions, the newest first."""
    token = context.who.token
    assert token is not None, "the route demands a token"
    page = views.requested_page(context, "sessions", body)
    found = sessions.active_sessions(tx, context.who.owner, token.token_versions, page.after, page.since, page.size + 1)

    def show(one: Session) -> schemas.SessionView:
        return schemas.SessionView(
            session_id=one.id,
            current=one.id == token.session_id,
            created=wire_time(one.created),
            renewed=wire_time(one.renewed),
            expires=wire_time(one.expires),
            address=one.address,
            user_agent=one.agent,
        )

    return views.page_view(context, "sessions", found, page, lambda one: one.id, show)


def end_session(tx: Transaction, context: RequestContext, body: schemas.EndSession) -> schemas.SessionEnd:
    """Ends one of the customer's sessions, the current one included, from the next request on."""
    if not sessions.end_own(tx, context.who.owner, body.session_id, context.actor):
        raise Refusal(errors.NOT_FOUND, "the customer has no such session", missing="session")
    return schemas.SessionEnd("ended")


def create_checkout(tx: Transaction, context: RequestContext, body: schemas.CreateCheckout) -> schemas.CustomerOrder:
    """Reserves the goods until the checkout expires; answers the same checkout again to the same request."""
    require_verified(tx, context)
    buyer = basket.buyer_of(context, context.region, address_digest(context))
    if bool(body.items) == body.from_basket:
        raise bad_field("items", "or fromBasket must say what to order, and not both")
    if body.basket_version is not None and not body.from_basket:
        raise bad_field("basketVersion", "needs fromBasket")
    total = None if body.expected_total is None else amount(body.expected_total, buyer.currency, "expectedTotal")
    request = _basket_request(tx, buyer, body, total) if body.from_basket else _items_request(tx, body)
    limits = CheckoutLimits.of(context.tenant.checkout_limits)
    placed = checkout.settle_free(tx, orders.reserve(tx, buyer, request, tx.now + context.checkout_ms, limits))
    if not placed.replayed:
        if total not in (None, placed.order.total):
            problem = f"the total is {to_decimal(placed.order.total, buyer.currency)} now"
            raise Refusal(errors.CONFLICT, "another total than expected", fields={"expectedTotal": problem})
        if body.from_basket:
            baskets.remove(tx, buyer.id, None, None)
    return _order_view(tx, context, placed.order, placed.lines, reveal=False)


def _items_request(tx: Transaction, body: schemas.CreateCheckout) -> NewOrder:
    lines = (
        NewLine(str(at), item.product_id, item.quantity, data=views.requirement_data(item.require_data, field))
        for at, item, field in ((at, item, f"items[{at}].requireData") for at, item in enumerate(body.items))
    )
    return NewOrder(body.reference or tx.new_id("chk"), tuple(lines))


def _basket_request(tx: Transaction, buyer: Buyer, body: schemas.CreateCheckout, total: int | None) -> NewOrder:
    """Locks the basket; returns its lines as an order, or no lines if the reference already names an order."""
    known = baskets.lock(tx, buyer.id)
    origin = f"basket:{body.basket_version}:{total}"
    if body.reference is not None and baskets.is_ordered(tx, buyer.id, body.reference):
        return NewOrder(body.reference, (), origin=origin)
    if body.basket_version not in (None, known.version):
        problem = f"the basket has changed: its version is {known.version}"
        raise Refusal(errors.CONFLICT, "another version of the basket", fields={"basketVersion": problem})
    if not known.lines:
        raise Refusal(errors.CONFLICT, "the basket is empty", fields={"fromBasket": "the basket is empty"})
    return NewOrder(body.reference or tx.new_id("chk"), baskets.as_request(known), origin=origin)


def cancel_checkout(tx: Transaction, context: RequestContext, body: schemas.CancelCheckout) -> schemas.CustomerOrder:
    """Cancels an unpaid checkout and releases its goods."""
    order = checkout.cancel(tx, context.who.owner, body.order_id)
    record(tx, context.actor, "checkout.cancel", order.id)
    return _order_view(tx, context, order, orders.lines_of(tx, order.id), reveal=False)


def get_order(tx: Transaction, context: RequestContext, body: schemas.GetOrder) -> schemas.CustomerOrder:
    """One order, with its codes once they are delivered."""
    order = orders.order_of(tx, context.who.owner, body.order_id)
    return _order_view(tx, context, order, orders.lines_of(tx, order.id), reveal=True)


def wallet(tx: Transaction, context: RequestContext, body: GetStatement) -> Wallet:
    """The customer's balance, and one page of its transfers."""
    return statements.wallet(tx, context, body)


def _order_view(
    tx: Transaction, context: RequestContext, order: Order, lines: list[Line], *, reveal: bool
) -> schemas.CustomerOrder:
    refunds = payments.refunds_of_order(tx, order.id) if reveal else []
    return schemas.CustomerOrder(
        **order_members(order),
        items=[_line_view(tx, context, order, line, reveal=reveal) for line in lines],
        refunds=[_refund_view(one) for one in refunds],
    )


def _refund_view(refund: PaymentRefund) -> schemas.OrderRefund:
    return schemas.OrderRefund(
        amount=to_decimal(refund.amount, refund.currency),
        state=REFUND.states[refund.state].name,
        created=wire_time(refund.created),
        updated=wire_time(refund.updated),
    )


def _line_view(
    tx: Transaction, context: RequestContext, order: Order, line: Line, *, reveal: bool
) -> schemas.CustomerLine:
    show = reveal and line.delivered > 0
    codes = stock.delivered_codes(tx, context.cipher, line.id) if show else []
    if codes:
        record(tx, context.actor, "line.reveal", line.id, codes=len(codes))
    return schemas.CustomerLine(
        order_detail_id=line.id,
        product_id=line.product_id,
        **views.line_members(line, order.currency),
        status=line.status,
        delivery_data=[one.code for one in codes] or None,
        delivery_items=views.delivered_codes(codes),
        delivery_note=views.notes(line.note),
    )
