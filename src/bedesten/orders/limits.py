"""Daily limits: how much money and how many units an account may order in one day (UTC), cancelled units not counted.

The count is exact: an account with a limit locks its row of `checkout_holders` before it counts, and its other orders
wait until COMMIT.
"""

from dataclasses import dataclass

from sqlalchemy import func, or_, select

from bedesten import errors
from bedesten.audit.actions import OPERATOR, record
from bedesten.core.clock import DAY, wire_time
from bedesten.core.ids import first_id
from bedesten.core.money import MAX_MINOR, to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.orders import checkout_limits
from bedesten.orders.model import PLACED, UNPAID, Buyer
from bedesten.orders.tables import order_limits, order_lines, orders
from bedesten.store.sql import TENANT, insert, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.money_approval import in_currency

MAX_UNITS_A_DAY = 1_000_000
_M, _O, _L = order_limits.c, orders.c, order_lines.c


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """The limits of one holder: an account, or every account of a kind. Amounts are in minor units; None: no limit."""

    holder: str
    daily_amount: int | None
    daily_units: int | None


_COLUMNS = (_M.holder, _M.daily_amount, _M.daily_units)
_OF_ACCOUNT = rows_as(
    OrderLimits,
    select(*_COLUMNS).where(_M.tenant_id == TENANT, or_(_M.holder == p("account"), _M.holder == p("kind"))),
)
_ALL = rows_as(
    OrderLimits,
    select(*_COLUMNS).where(_M.tenant_id == TENANT, _M.holder > p("after")).order_by(_M.holder).limit(p("most")),
)
_SET = statement(
    insert(order_limits)
    .values(tenant_id=TENANT, holder=p("holder"), daily_amount=p("amount"), daily_units=p("units"))
    .on_conflict_do_update(
        index_elements=[_M.tenant_id, _M.holder], set_={"daily_amount": p("amount"), "daily_units": p("units")}
    )
)
_TODAY = statement(
    select(
        func.coalesce(func.sum(_L.unit_price * (_L.quantity - _L.cancelled)), 0),
        func.coalesce(func.sum(_L.quantity - _L.cancelled), 0),
    )
    .select_from(orders.join(order_lines, (_L.tenant_id == _O.tenant_id) & (_L.order_id == _O.id)))
    .where(
        _O.tenant_id == TENANT,
        _O.buyer_id == p("buyer"),
        _O.id >= p("first"),
        _O.created >= p("since"),
        or_(_O.state == PLACED, _O.state == UNPAID),
    )
)


def limits_of(tx: Transaction, account: str, kind: str) -> OrderLimits:
    """Returns the limits of an account: its own, or those of its kind."""
    found = {one.holder: one for one in tx.all(_OF_ACCOUNT, account=account, kind=kind)}
    return found.get(account) or found.get(kind) or OrderLimits(account, None, None)


def list_limits(tx: Transaction, after: str = "", most: int = 200) -> list[OrderLimits]:
    """Returns the limits of the holders after this one, by holder."""
    return tx.all(_ALL, after=after, most=most)


def set_limits(tx: Transaction, limits: OrderLimits) -> None:
    """Sets both limits of an account or of a kind, for orders from now on. Raises `Refusal` (-2)."""
    if limits.daily_amount is not None and not 0 < limits.daily_amount < MAX_MINOR:
        raise bad_field("dailyAmount", "must be above 0 and below 10^15 minor units")
    if limits.daily_units is not None and not 0 < limits.daily_units <= MAX_UNITS_A_DAY:
        raise bad_field("dailyUnits", f"must be 1 to {MAX_UNITS_A_DAY}")
    tx.run(_SET, holder=limits.holder, amount=limits.daily_amount, units=limits.daily_units)
    record(
        tx,
        OPERATOR,
        "order_limits.set",
        limits.holder,
        daily_amount=in_currency(tx, limits.daily_amount),
        daily_units=limits.daily_units,
    )


def lock(tx: Transaction, buyer: Buyer) -> OrderLimits:
    """Returns the buyer's limits; if there are any, locks its other orders out until COMMIT."""
    limits = limits_of(tx, buyer.id, buyer.kind)
    if limits.daily_amount is not None or limits.daily_units is not None:
        checkout_limits.lock(tx, buyer)
    return limits


def check(tx: Transaction, limits: OrderLimits, buyer: Buyer, total: int, units: int) -> None:
    """Refuses an order (-203) that would exceed a daily limit of the account. The caller has called `lock`."""
    if limits.daily_amount is None and limits.daily_units is None:
        return
    midnight = tx.now - tx.now % DAY
    row = tx.one(_TODAY, buyer=buyer.id, first=first_id("ord", midnight), since=midnight)
    spent, ordered = (int(one) for one in row or (0, 0))
    resets = {"resets": wire_time(midnight + DAY)}
    if limits.daily_amount is not None and spent + total > limits.daily_amount:
        maximum, left = (
            to_decimal(one, buyer.currency) for one in (limits.daily_amount, max(0, limits.daily_amount - spent))
        )
        data = {"limit": "dailyAmount", "maximum": maximum, "left": left}
        raise Refusal(errors.ORDER_LIMIT, "the daily amount", data=data | resets)
    if limits.daily_units is not None and ordered + units > limits.daily_units:
        counts = {"limit": "dailyUnits", "maximum": limits.daily_units, "left": max(0, limits.daily_units - ordered)}
        raise Refusal(errors.ORDER_LIMIT, "the daily units", data=counts | resets)
