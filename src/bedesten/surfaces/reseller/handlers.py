"""The handlers of the Reseller surface. Each runs in one transaction of the caller's tenant."""

from decimal import Decimal

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.audit.actions import record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal, with_currency
from bedesten.errors import Refusal, bad_field
from bedesten.gate.scopes import Surface
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.logins import log_in
from bedesten.http.schemas import EmptyBody, amount
from bedesten.ledger import actions as ledger
from bedesten.ledger import balance_alarms
from bedesten.orders import actions as orders
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import Line, Order
from bedesten.store.transaction import Transaction
from bedesten.surfaces import passwords, statements, views
from bedesten.surfaces.reseller import order_handlers, schemas
from bedesten.surfaces.schemas import CategoryView, Items, Login, PasswordReset, ResetPassword, Token
from bedesten.surfaces.statements import BuyerEntry, GetStatement, Statement


async def generate_token(context: RequestContext, services: LoginServices, body: Login) -> Token:
    """*Generate Token*."""
    return views.token_view(context, await log_in(context, services, Surface.RESELLER, body.email, body.password))


async def reset_password(context: RequestContext, services: LoginServices, body: ResetPassword) -> PasswordReset:
    """Sets a new password with the token of a mailed link, and ends every token of the partner."""
    return await passwords.reset_password(context, services, "partner", body)


def categories(tx: Transaction, context: RequestContext, _: EmptyBody) -> Items[CategoryView]:
    """The categories with products for the caller's region."""
    return Items([CategoryView(*row) for row in catalogue.list_categories(tx, context.region)])


def create_order(tx: Transaction, context: RequestContext, body: schemas.CreateOrder) -> schemas.PlacedOrder:
    """Places an order; answers the same order again to the same request."""
    return _placed_view(order_handlers.place(tx, context, body, context.region))


def get_order(tx: Transaction, context: RequestContext, body: schemas.GetOrder) -> schemas.OrderView:
    """One order with all its lines and codes."""
    if (body.order_id is None) == (body.order_reference is None):
        raise bad_field("orderId", "exactly one of orderId and orderReference must be sent")
    order = orders.order_of(tx, context.who.owner, body.order_id or "", body.order_reference or "")
    return schemas.OrderView(
        order_id=order.id,
        order_reference=order.reference,
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        created=wire_time(order.created),
        details=[_line_view(tx, context, order, line) for line in orders.lines_of(tx, order.id)],
    )


def order_detail(tx: Transaction, context: RequestContext, _: EmptyBody) -> schemas.LineView:
    """One order line with its codes."""
    return _line_view(tx, context, *orders.line_of(tx, context.who.owner, views.path_argument_id(context)))


def account_details(tx: Transaction, context: RequestContext, _: EmptyBody) -> schemas.AccountView:
    """The caller's account and balance."""
    who = accounts.by_id(tx, "partner", context.who.owner)
    if who is None:
        raise Refusal(errors.NOT_FOUND, "the account is gone", missing="account")
    currency = context.tenant.currency
    money = ledger.balance(tx, who.id, "partner", currency) or ledger.Balance("", currency, 0, 0, 0)
    return schemas.AccountView(
        account_id=who.id,
        name=who.name,
        email=who.handle,
        scopes=sorted(context.who.scopes),
        currency=currency,
        balance=to_decimal(money.posted, currency),
        held=to_decimal(money.held, currency),
        available=to_decimal(money.available, currency),
        credit_limit=to_decimal(money.credit_limit, currency),
        spendable=to_decimal(money.spendable, currency),
        low_balance=_threshold_view(balance_alarms.threshold_of(tx, who.id), currency),
    )


def set_low_balance(tx: Transaction, context: RequestContext, body: schemas.SetLowBalance) -> schemas.LowBalanceView:
    """Sets the amount below which an event says what the caller can spend."""
    owner, currency = context.who.owner, context.tenant.currency
    threshold = amount(body.threshold, currency, "threshold")
    if threshold < 0:
        raise bad_field("threshold", "must be at least 0")
    if balance_alarms.set_threshold(tx, owner, currency, threshold or None):
        shown = with_currency(threshold, currency) if threshold else None
        record(tx, context.actor, "partner.low_balance", owner, threshold=shown)
    money = ledger.balance(tx, owner, "partner", currency) or ledger.Balance("", currency, 0, 0, 0)
    return schemas.LowBalanceView(
        threshold=_threshold_view(threshold or None, currency),
        spendable=to_decimal(money.spendable, currency),
        currency=currency,
    )


def _threshold_view(threshold: int | None, currency: str) -> Decimal | None:
    return None if threshold is None else to_decimal(threshold, currency)


def account_statement(tx: Transaction, context: RequestContext, body: GetStatement) -> Statement[BuyerEntry]:
    """One page of the transfers of the caller's balance."""
    return statements.buyer_statement(tx, context, "partner", body)


def _placed_view(placed: PlacedOrder) -> schemas.PlacedOrder:
    order = placed.order
    return schemas.PlacedOrder(
        order_id=order.id,
        order_reference=order.reference,
        currency=order.currency,
        total=to_decimal(order.total, order.currency),
        details=[
            schemas.PlacedLine(
                deliver_id=line.deliver_id,
                order_detail_id=line.id,
                quantity=line.quantity,
                price=to_decimal(line.price, order.currency),
                status=line.placed_status,
            )
            for line in placed.lines
        ],
    )


def _line_view(tx: Transaction, context: RequestContext, order: Order, line: Line) -> schemas.LineView:
    codes = stock.delivered_codes(tx, context.cipher, line.id) if line.delivered else []
    if codes:
        record(tx, context.actor, "line.reveal", line.id, codes=len(codes))
    return schemas.LineView(
        deliver_id=line.deliver_id,
        order_detail_id=line.id,
        customer_store_product_id=line.product_id,
        **views.line_members(line, order.currency),
        currency=order.currency,
        status=line.status,
        delivery_data=[one.code for one in codes] or None,
        delivery_items=views.delivered_codes(codes),
        delivery_note=views.notes(line.note),
        updated=wire_time(line.updated),
    )
