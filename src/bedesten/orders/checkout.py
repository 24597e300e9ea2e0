"""Ends a customer's checkout: it is paid, it expires, or its customer cancels it and its goods are returned."""

from bedesten import errors
from bedesten.catalogue import stock
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.ledger import payouts
from bedesten.orders import actions, hold, review
from bedesten.orders import statements as sql
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import EXPIRED, PLACED, UNPAID, WITHDRAWN, Line, Order
from bedesten.store.transaction import RetryTransaction, SystemTransaction, Transaction


def settle_payment(tx: Transaction, order_id: str, business_key: str, received: int) -> Refusal | None:
    """Books the order's money, delivers the claimed codes and queues the other lines for their suppliers.

    `received` is the amount to book under the business key, in minor units; earlier captures brought the rest of the
    total.

    An expired checkout is checked like a new order and served if its goods are still available. If the order can no
    longer be paid, returns why and books nothing: -402 if it is unavailable or was cancelled, -401 if it was already
    paid. The caller has locked the order's row.
    """
    refusal = unpayable(tx, order_id)
    if refusal is not None:
        return refusal
    order = tx.one(sql.ORDER_BY_ID, order_id=order_id)
    assert order is not None, "a payment's order exists"
    state = order.state
    if order.expires is not None and order.expires <= tx.now:  # the worker is late, or stopped
        expire(tx, order.id)
        state = EXPIRED
    if state == EXPIRED:
        problems = actions.reclaim(tx, order, tx.now)
        if problems:
            return Refusal(errors.CHECKOUT_EXPIRED, "expired, and not to be had any more", data={"items": problems})
    if not tx.run(sql.PAY, order_id=order.id, was=state):
        raise RetryTransaction("it was paid or expired at this moment")
    _deliver(tx, order, actions.lines_of(tx, order.id), business_key, received)
    return None


def settle_free(tx: Transaction, placed: PlacedOrder) -> PlacedOrder:
    """Settles a checkout whose total is 0, because there is no payment of 0 to wait for.

    Returns any other checkout, and one that was settled before, unchanged.
    """
    if placed.order.total or placed.order.state != UNPAID:
        return placed
    tx.one(sql.LOCK, order_id=placed.order.id)
    refusal = settle_payment(tx, placed.order.id, f"free:{placed.order.id}", 0)
    assert refusal is None, "it was reserved in this transaction"
    order = actions.order_of(tx, placed.order.buyer_id, placed.order.id)
    return PlacedOrder(order, actions.lines_of(tx, order.id), placed.replayed)


def unpayable(tx: Transaction, order_id: str) -> Refusal | None:
    """Returns why no payment can pay the order now: -401 if it is paid, -402 if its customer cancelled it."""
    order = tx.one(sql.ORDER_BY_ID, order_id=order_id)
    assert order is not None, "a payment's order exists"
    if order.state == PLACED:
        return Refusal(errors.PAYMENT_STATE, "the order is paid already")
    if order.state == WITHDRAWN:
        return Refusal(errors.CHECKOUT_EXPIRED, "the customer cancelled the checkout", data={"items": []})
    return None


def _deliver(tx: Transaction, order: Order, lines: list[Line], business_key: str, received: int) -> None:
    held = review.reasons(tx, order, [(line.position, line.product_id) for line in lines])
    ready = [line for line in lines if line.supplier_id is None and line.position not in held]
    money = ledger.account(tx, order.buyer_id, "customer", order.currency)
    if received:
        booked = ledger.receive(tx, money, received, business_key, order.id)
        assert booked, "a payment is completed once"
    sales = ledger.account(tx, tx.tenant, "sales", order.currency)
    steps = payouts.hold_received_steps(money, order.total, order.id, captured=sum(line.price for line in ready))
    for line in ready:
        steps += ledger.sale_steps(tx, money.id, sales, line.price, line.id, order.id)
    tx.run_all(steps)
    for line in lines:
        if line.position in held:
            hold.hold_line(tx, order, line, held[line.position])
        elif line.supplier_id is None:
            got = stock.deliver_claimed(tx, line.id)
            assert got == line.quantity, "a reserved line has claimed its codes"
            actions.accrue_stock_payables(tx, order, line)
            actions.deliver_line(tx, order, line)
        else:
            actions.enqueue_for_supplier(tx, order, line, line.supplier_id)


def expire(tx: Transaction, order_id: str) -> bool:
    """Expires a checkout that nobody paid in time and returns its goods. Returns False if it was paid in the meantime."""
    if not tx.run(sql.EXPIRE, order_id=order_id):
        return False
    _put_back(tx, order_id)
    return True


def _put_back(tx: Transaction, order_id: str) -> None:
    for line in sorted(actions.lines_of(tx, order_id), key=lambda line: line.product_id):
        if line.supplier_id is None:
            stock.put_back(tx, line.product_id, line.id)


def cancel(tx: Transaction, buyer: str, order_id: str) -> Order:
    """Cancels a customer's unpaid checkout and returns its goods; a payment of it is refused from now on.

    A second call changes nothing. Raises `Refusal`: -3, or -8 if the order is paid.
    """
    order_id = actions.order_of(tx, buyer, order_id).id
    tx.one(sql.LOCK, order_id=order_id)
    order = actions.order_of(tx, buyer, order_id)
    if order.state == PLACED:
        raise Refusal(errors.CONFLICT, "the order is paid", fields={"orderId": "is paid, and no checkout any more"})
    if order.state == WITHDRAWN:
        return order
    if not tx.run(sql.WITHDRAW, order_id=order_id, was=order.state):
        raise RetryTransaction("it was paid or expired at this moment")
    if order.state == UNPAID:
        _put_back(tx, order_id)
    return actions.order_of(tx, buyer, order_id)


def expired_checkouts(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and order of the expired checkouts, the oldest first."""
    return [(row[0], row[1]) for row in tx.all(sql.UNPAID_BEFORE, now=tx.now, most=most)]
