"""What happens to a customer's checkout: it is paid, or it expires and its goods go back."""

from bedesten import errors
from bedesten.catalogue import stock
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import actions
from bedesten.orders import statements as sql
from bedesten.orders.model import DELIVERED, EXPIRED, PLACED, Line, Order
from bedesten.store.transaction import CrossTransaction, Transaction, TryAgain


def paid(tx: Transaction, order_id: str, business_key: str) -> Order:
    """The order's money arrived: books it, delivers what was claimed, asks the suppliers for the rest.

    A checkout that expired is served all the same while its goods can still be had. Raises `Refusal`: -402 when they
    are gone, -401 when the order was paid already. In both cases nothing is booked.
    """
    order = tx.one(sql.ORDER_BY_ID, order_id=order_id)
    assert order is not None, "a payment's order exists"
    if order.state == PLACED:
        raise Refusal(errors.PAYMENT_STATE, "the order is paid already")
    if not tx.run(sql.MARK_PLACED, order_id=order.id, was=order.state):
        raise TryAgain("it was paid or expired at this moment")
    lines = actions.lines_of(tx, order.id)
    if order.state == EXPIRED:
        _claim_again(tx, lines)
    ready = [line for line in lines if line.supplier_id is None]
    money = ledger.account(tx, order.buyer_id, "customer", order.currency)
    if order.total:
        ledger.receive(tx, money, order.total, business_key, order.id)
    sales = ledger.account(tx, tx.tenant, "sales", order.currency)
    steps = ledger.holding(money, order.total, order.id, captured=sum(line.price for line in ready))
    for line in ready:
        steps += ledger.selling(tx, money.id, sales, line.price, line.id, order.id)
    tx.run_all(steps)
    for line in lines:
        if line.supplier_id is None:
            got = stock.deliver_claimed(tx, line.id)
            assert got == line.quantity, "a reserved line has claimed its codes"
            actions.finish(tx, order, line, DELIVERED)
        else:
            actions.ask_supplier(tx, order, line, line.supplier_id)
    return order


def _claim_again(tx: Transaction, lines: list[Line]) -> None:
    for line in sorted(lines, key=lambda line: line.product_id):
        if line.supplier_id is None:
            if not stock.take(tx, line.product_id, line.quantity):
                raise Refusal(errors.CHECKOUT_EXPIRED, "expired, and the stock is gone")
            tx.run_all([stock.attaching(line.product_id, line.id, line.quantity, stock.CLAIMED)])


def expire(tx: Transaction, order_id: str) -> bool:
    """Ends a checkout that nobody paid in time and puts its goods back. False if it was paid meanwhile."""
    if not tx.run(sql.MARK_EXPIRED, order_id=order_id):
        return False
    for line in sorted(actions.lines_of(tx, order_id), key=lambda line: line.product_id):
        if line.supplier_id is None:
            stock.put_back(tx, line.product_id, line.id)
    return True


def expired(tx: CrossTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Tenant and order of checkouts whose time is over, the oldest first."""
    return [(row[0], row[1]) for row in tx.all(sql.UNPAID_BEFORE, now=tx.now, most=most)]
