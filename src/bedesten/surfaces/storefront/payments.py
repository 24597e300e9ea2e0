"""Payments in the customer's hand: the methods that the shop offers, starting a payment, its state."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import RequestModel, ResponseModel
from bedesten.orders import actions as orders
from bedesten.orders.model import Order
from bedesten.payments import methods, started
from bedesten.payments.methods import PaymentMethod
from bedesten.payments.model import Payment
from bedesten.payments.moves import FAILED, PAYMENT
from bedesten.store.transaction import Transaction
from bedesten.surfaces.schemas import Id, Items, Time
from bedesten.surfaces.storefront.order_handlers import STATES
from bedesten.surfaces.storefront.schemas import OrderState

PaymentState = Annotated[str, Meta(title="PaymentState", extra_json_schema={"enum": list(PAYMENT.names)})]


class ListMethods(RequestModel, frozen=True):
    """With `orderId` only the methods with which that order can be paid."""

    order_id: Id | None = None


class PaymentMethodView(ResponseModel, frozen=True):
    """A way of paying: its code, its title, and the bounds of an order's total (null: none)."""

    code: str
    title: str
    currency: str
    min_amount: Decimal | None
    max_amount: Decimal | None


class StartPayment(RequestModel, frozen=True):
    """The checkout to pay, and the code of the method."""

    order_id: Id
    method: Id


class PaymentStatus(RequestModel, frozen=True):
    """Selects a payment, or the latest one of an order; one that has paid the order goes before later ones."""

    payment_id: Id | None = None
    order_id: Id | None = None


class CustomerPayment(ResponseModel, frozen=True):
    """A payment as its customer sees it. `redirectUrl` is where to send the customer to pay, while the payment is open.

    `method` is null for a payment that the payment service announced. `reason` is what the provider says of a payment that
    it declined; null for every other one.
    """

    payment_id: str
    order_id: str
    order_state: Annotated[OrderState, Meta(title="OrderState")]
    method: str | None
    amount: Decimal
    currency: str
    state: PaymentState
    reason: str | None
    captured: Decimal
    refunded: Decimal
    redirect_url: str | None
    expires: Time | None
    created: Time
    updated: Time


def list_methods(tx: Transaction, context: RequestContext, body: ListMethods) -> Items[PaymentMethodView]:
    """The methods that the shop offers, in the operator's order."""
    return Items([method_view(one, context.tenant.currency) for one in _offered(tx, context, body.order_id)])


def _offered(tx: Transaction, context: RequestContext, order_id: str | None) -> list[PaymentMethod]:
    if order_id is None:
        return started.methods_for(tx, context.tenant.currency)
    order = orders.order_of(tx, context.who.owner, order_id)
    return [one for one in methods.list_methods(tx) if one.accepts(order.total, order.currency)]


def start(tx: Transaction, context: RequestContext, body: StartPayment) -> CustomerPayment:
    """Starts a payment of a checkout; answers the open payment of the same method again."""
    payment = started.start(tx, context.who.owner, body.order_id, body.method)
    return _view(tx, payment, orders.order_of(tx, context.who.owner, payment.order_id))


def status(tx: Transaction, context: RequestContext, body: PaymentStatus) -> CustomerPayment:
    """A payment of one of the customer's orders."""
    if (body.payment_id is None) == (body.order_id is None):
        raise bad_field("paymentId", "or orderId must be given, and not both")
    return _view(tx, *started.payment_of(tx, context.who.owner, body.payment_id or "", body.order_id or ""))


def method_view(method: PaymentMethod, currency: str) -> PaymentMethodView:
    """A method as customers see it."""
    least, most = (None if one is None else to_decimal(one, currency) for one in (method.min_amount, method.max_amount))
    return PaymentMethodView(method.code, method.title, currency, least, most)


def _view(tx: Transaction, payment: Payment, order: Order) -> CustomerPayment:
    method = methods.method_of(tx, payment.method) if payment.method is not None and started.is_open(payment) else None
    return CustomerPayment(
        payment_id=payment.id,
        order_id=order.id,
        order_state=STATES[order.state],
        method=payment.method,
        amount=to_decimal(payment.amount, payment.currency),
        currency=payment.currency,
        state=PAYMENT.states[payment.state].name,
        reason=payment.reason if payment.state == FAILED else None,
        captured=to_decimal(payment.captured, payment.currency),
        refunded=to_decimal(payment.refunded, payment.currency),
        redirect_url=None if method is None else method.redirect(payment.id, order.id),
        expires=wire_time(order.expires) if order.expires else None,
        created=wire_time(payment.created),
        updated=wire_time(payment.updated),
    )
