"""Replaces a code of a delivered order line with another code of the product."""

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import units
from bedesten.catalogue.units import Unit
from bedesten.ledger import actions as ledger
from bedesten.orders import statements as sql
from bedesten.orders.model import Line, Order
from bedesten.store.transaction import Transaction


def replace_unit(tx: Transaction, order: Order, line: Line, unit: Unit, reason: str, actor: Actor) -> Unit | None:
    """Gives the buyer another code for a unit; marks the old code as bad for good and pays the new code's supplier.

    Returns the new unit; None, without a change, if no code of the product is left.
    """
    tx.one(sql.LOCK, order_id=order.id)
    made = units.replace(tx, unit, line.quantity, reason)
    if made is None:
        return None
    tx.run(sql.TOUCH_LINE, line=line.id, now=tx.now)
    if made.supplier_id and made.unit_cost:
        ledger.accrue_payable(
            tx, made.supplier_id, order.currency, made.unit_cost, line.id, order.id, stock=True, code=made.code_id
        )
    record(tx, actor, "line.replace", line.id, old=unit.code_id, new=made.code_id, reason=reason)
    return made
