"""Tells owners that stock or money runs low, once for each crossing of a threshold; the worker calls this."""

from dataclasses import dataclass

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock_alarms
from bedesten.core.money import to_decimal, with_currency
from bedesten.ledger import actions as ledger
from bedesten.ledger import balance_alarms
from bedesten.store.transaction import Transaction
from bedesten.webhooks.actions import notify

SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class LowStock:
    """A product whose level fell below its threshold."""

    product_id: str
    available: int
    threshold: int


def tell_of_stock(tx: Transaction, product: str) -> LowStock | None:
    """Writes an audit row when the stock fell too low, and `product.stock_low` for the product's supplier, if any."""
    fell = stock_alarms.mark(tx, product)
    if fell is None:
        return None
    threshold, available, supplier = fell
    if supplier is not None:
        body = {"productId": product, "available": available, "threshold": threshold}
        notify(tx, supplier, "product.stock_low", product, body)
    record(tx, SYSTEM, "product.stock_low", product, available=available, threshold=threshold)
    return LowStock(product, available, threshold)


def tell_of_balance(tx: Transaction, partner: str) -> bool:
    """Writes `balance.low` for a partner, and an audit row, when its balance fell. Returns whether it did."""
    fell = balance_alarms.mark(tx, partner)
    if fell is None:
        return False
    threshold, currency = fell
    money = ledger.balance(tx, partner, "partner", currency)
    assert money is not None, "its balance was compared just now"
    shown = {"spendable": money.spendable, "threshold": threshold}
    # an amount has at most 15 digits, which the shortest form of a float repeats exactly
    body = {name: float(to_decimal(amount, currency)) for name, amount in shown.items()}
    notify(tx, partner, "balance.low", partner, {**body, "currency": currency})
    record(tx, SYSTEM, "balance.low", partner, **{name: with_currency(one, currency) for name, one in shown.items()})
    return True
