"""Limits what unpaid checkouts hold, so that nobody can reserve a shop's whole stock without paying.

A count of rows is exact only while no other transaction adds one. A checkout therefore locks its customer's row of
`checkout_holders`, then its address's row, before it counts, and keeps both until COMMIT. Checkouts that end only lower
the counts and lock nothing here.
"""

from collections.abc import Iterator

from sqlalchemy import func, select, update

from bedesten import errors
from bedesten.core.clock import wire_time
from bedesten.errors import Refusal
from bedesten.orders.model import UNPAID, Buyer
from bedesten.orders.tables import checkout_holders, order_lines, orders
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.checkout_limits import CheckoutLimits

_H, _O, _L = checkout_holders.c, orders.c, order_lines.c
_ENTER = insert_of(checkout_holders, or_ignore=True)
_LOCK = statement(
    update(checkout_holders).where(_H.tenant_id == TENANT, _H.holder == p("of_holder")).values(used=p("now"))
)
_OPEN = select(func.count(), func.coalesce(func.sum(_O.units), 0)).where(_O.tenant_id == TENANT, _O.state == UNPAID)
_OF_BUYER = statement(_OPEN.where(_O.buyer_id == p("buyer")))
_OF_ADDRESS = statement(_OPEN.where(_O.address == p("address")))
_THEIR_OPEN = (
    select(_O.id, _O.reference, _O.expires)
    .where(_O.tenant_id == TENANT, _O.buyer_id == p("buyer"), _O.state == UNPAID)
    .order_by(_O.created, _O.id)
)
_THEIRS = statement(_THEIR_OPEN)
_THEIRS_WITH = statement(
    _THEIR_OPEN.where(
        select(_L.id)
        .where(
            _L.tenant_id == _O.tenant_id,
            _L.order_id == _O.id,
            _L.product_id == p("product"),
            _L.supplier_id.is_(None),
        )
        .exists()
    )
)

Open = list[dict[str, object]]
"""A customer's unpaid checkouts in the wire's form."""


def lock(tx: Transaction, buyer: Buyer) -> None:
    """Locks the rows of the customer and the address: their other checkouts wait until this transaction ends."""
    for holder in (buyer.id, buyer.address.hex() if buyer.address else None):
        if holder is not None:
            tx.run(_ENTER, holder=holder, used=tx.now)
            if not tx.run(_LOCK, of_holder=holder, now=tx.now):
                raise RetryTransaction("the row was swept at this moment")


def admit(tx: Transaction, buyer: Buyer, units: int, limits: CheckoutLimits) -> None:
    """Refuses a checkout (-201) whose units exceed a limit. The caller has called `lock`."""
    for name, limit, would_be in _counted(tx, buyer, units, limits):
        if limit is not None and would_be > limit:
            data = {"limit": name, "maximum": limit, "openCheckouts": open_checkouts(tx, buyer.id)}
            raise Refusal(errors.CHECKOUT_LIMIT, f"{name}: {would_be} of {limit}", data=data)


def _counted(
    tx: Transaction, buyer: Buyer, units: int, limits: CheckoutLimits
) -> Iterator[tuple[str, int | None, int]]:
    """Returns each limit with its name and the count including this checkout."""
    checkouts, held = tx.one(_OF_BUYER, buyer=buyer.id) or (0, 0)
    yield "checkouts", limits.checkouts, checkouts + 1
    yield "units", limits.units, int(held) + units
    if buyer.address is not None:
        checkouts, held = tx.one(_OF_ADDRESS, address=buyer.address) or (0, 0)
        yield "addressCheckouts", limits.address_checkouts, checkouts + 1
        yield "addressUnits", limits.address_units, int(held) + units


def open_checkouts(tx: Transaction, buyer: str, product: str | None = None) -> Open:
    """Returns the customer's unpaid checkouts, the oldest first; with a product only those that hold it."""
    rows = tx.all(_THEIRS, buyer=buyer) if product is None else tx.all(_THEIRS_WITH, buyer=buyer, product=product)
    return [{"orderId": row[0], "reference": row[1], "expires": wire_time(row[2])} for row in rows]
