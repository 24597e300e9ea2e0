"""Payments that customers start: the customer chooses a method, and its integration's payment service takes the money.

A started payment is like one that the payment service announces; its reference is its own id.
"""

from bedesten import errors
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import UNPAID, Order
from bedesten.payments import actions, methods
from bedesten.payments import statements as sql
from bedesten.payments.methods import PaymentMethod
from bedesten.payments.model import Payment
from bedesten.payments.moves import PAYMENT
from bedesten.store.transaction import Transaction
from bedesten.webhooks import actions as webhooks

MAX_PAYMENTS = 20
"""Payments of one order that its customer may start, including those that have ended."""


def methods_for(tx: Transaction, currency: str) -> list[PaymentMethod]:
    """Returns the methods that the shop offers now for payments in this currency."""
    return [one for one in methods.list_methods(tx) if one.takes(currency)]


def start(tx: Transaction, buyer: str, order_id: str, code: str) -> Payment:
    """Starts a payment of the customer's checkout and notifies the method's integration (`payment.started`).

    While a payment of the order with this method is open, it is returned and no event is written. Raises `Refusal`:
    -3; -8 if the order waits for no payment; -404 if the method is not offered for it.
    """
    named = orders.order_of(tx, buyer, order_id)
    method = methods.method_of(tx, code)
    if method is not None:
        tx.one(sql.SHARE_INTEGRATION, integration=method.integration_id)
        method = methods.method_of(tx, code)
    tx.one(orders_sql.LOCK, order_id=named.id)
    order = orders.order_of(tx, buyer, named.id)
    if order.state != UNPAID or order.expires is None or order.expires <= tx.now:
        problem = "waits for no payment: it is paid, cancelled or expired"
        raise Refusal(errors.CONFLICT, "the order waits for no payment", fields={"orderId": problem})
    made = [one for one in tx.all(sql.PAYMENTS_OF_ORDER, order_id=order.id) if one.method is not None]
    known = next((one for one in made if one.method == code and is_open(one)), None)
    if known is not None:
        return known
    if method is None or not method.accepts(order.total, order.currency):
        raise _not_offered(method, order)
    if len(made) >= MAX_PAYMENTS:
        problem = f"has had {MAX_PAYMENTS} payments: check out again"
        raise Refusal(errors.CONFLICT, "too many payments of an order", fields={"orderId": problem})
    payment = tx.new_id("pay")
    found = actions.announce(tx, method.integration_id, order, payment, payment, code)
    body = {"orderId": order.id, "orderReference": order.reference, "paymentId": found.id, "method": code}
    webhooks.notify(tx, method.integration_id, "payment.started", found.id, body)
    return found


def is_open(payment: Payment) -> bool:
    """Reports whether the payment can still be captured."""
    return PAYMENT.allows(payment.state, "capture")


def payment_of(tx: Transaction, buyer: str, payment_id: str = "", order_id: str = "") -> tuple[Payment, Order]:
    """Returns a payment of one of the customer's orders, and the order: by its id, or the latest of an order.

    A payment that has paid the order takes precedence over later ones. Raises `Refusal` (-3).
    """
    if payment_id:
        found = tx.one(sql.PAYMENT_BY_ID, id=payment_id)
    else:
        order = orders.order_of(tx, buyer, order_id)
        made = tx.all(sql.PAYMENTS_OF_ORDER, order_id=order.id)
        found = next((one for one in made if one.captured == one.amount), made[-1] if made else None)
    paid = None if found is None else tx.one(orders_sql.ORDER_BY_ID, order_id=found.order_id)
    if found is None or paid is None or paid.buyer_id != buyer:
        raise Refusal(errors.NOT_FOUND, "no such payment, or another customer's", missing="payment")
    return found, paid


def _not_offered(method: PaymentMethod | None, order: Order) -> Refusal:
    offered = method if method is not None and method.takes(order.currency) else None
    least, most = (None, None) if offered is None else (offered.min_amount, offered.max_amount)
    shown = {name: None if one is None else to_decimal(one, order.currency)
             for name, one in (("total", order.total), ("minAmount", least), ("maxAmount", most))}  # fmt: skip
    problem = "is not offered" if offered is None else "is not for an order of this total"
    return Refusal(
        errors.PAYMENT_METHOD, problem, fields={"method": problem}, data={**shown, "currency": order.currency}
    )
