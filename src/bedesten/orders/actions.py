"""Places orders and changes their lines.

Locks are taken in one sequence everywhere: the order's row, stock codes and levels by product id, the ledger account.
"""

import json
from dataclasses import dataclass

from bedesten import errors
from bedesten.catalogue import stock, suppliers
from bedesten.catalogue.suppliers import Candidate
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import assignments, checkout_limits, facts, review
from bedesten.orders import limits as daily_limits
from bedesten.orders import statements as sql
from bedesten.orders.availability import (
    RequestedLine,
    check_sums,
    expect,
    in_order,
    match_products,
    not_orderable,
    read_products,
    take,
    take_all,
)
from bedesten.orders.limits import OrderLimits
from bedesten.orders.model import (
    DELIVERED,
    EVENT_TYPES,
    EXPIRED,
    PLACED,
    PROCESSING,
    UNPAID,
    Buyer,
    Line,
    NewLine,
    NewOrder,
    Order,
    Reason,
    RequiredDatum,
)  # fmt: skip
from bedesten.orders.placing import (
    count_steps,
    insert_order,
    line_step,
    new_line,
    new_order,
    order_step,
    payment_steps,
    run,
)
from bedesten.store.transaction import RetryTransaction, Step, Transaction
from bedesten.tenants.checkout_limits import CheckoutLimits
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks.actions import LineEvent
from bedesten.webhooks.targets import check_target


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order and its lines; `replayed` means that an earlier request with the same reference created it."""

    order: Order
    lines: list[Line]
    replayed: bool


def place(tx: Transaction, buyer: Buyer, request: NewOrder) -> PlacedOrder:
    """Places an order, all or nothing: holds the money, assigns stock codes, queues the other lines for suppliers.

    The same reference with the same content returns the first order; with other content it is refused (-8). Raises
    `Refusal`: -200 with every unavailable line and the reason, -300 if the balance does not cover the order.
    """
    known = facts.read(tx, buyer, request)
    daily = None
    if known.limited:
        daily = daily_limits.lock(tx, buyer)
        known = facts.read(tx, buyer, request)
    if known.known and (before := _replayed(tx, buyer, request)):
        return before
    asked, problems = match_products(known.products, buyer, request)
    check_sums(buyer, asked)
    if daily is not None:
        _check_limits(tx, daily, buyer, asked)
    if request.notify_url is not None:
        check_target(request.notify_url, webhooks.allowed_networks(tx), "notifyUrl")
    order = new_order(tx, buyer, request, asked, PLACED, None)
    held = review.reasons(tx, order, [(one.position, one.product.id) for one in asked]) if known.reviewed else {}
    wanted = None
    if tx.attempt == 1 and not problems:  # after a lost race the order is placed step by step
        wanted = expect(tx, asked, known.products, tx.now)
    money = known.money or ledger.account(tx, buyer.id, buyer.kind, buyer.currency)
    sales = known.sales or ledger.account(tx, tx.tenant, "sales", buyer.currency)
    steps = []
    if wanted is not None:
        ledger.check_covered(money, order.total)
        steps = [order_step(order), *count_steps(tx, wanted)]
    else:
        insert_order(tx, order)
        wanted = take_all(tx, asked, problems, tx.now)
    lines = [new_line(tx, order, one, hold=held.get(one.position)) for one in wanted]
    steps += [line_step(line) for line in lines]
    for line in lines:
        change = LineEvent(buyer.id, line.id, line.version, line.status, EVENT_TYPES[line.status])
        steps += webhooks.event_steps(tx, change, known.endpoints, order.notify_url)
    run(tx, steps, wanted, lines, tx.now, payment_steps(tx, order, money, sales, lines))
    for line, one in zip(lines, wanted, strict=True):
        if one.earns and line.status == DELIVERED:
            accrue_stock_payables(tx, order, line)
        if line.queued is not None:
            assignments.begin(tx, line)
    return PlacedOrder(order, lines, replayed=False)


def reserve(tx: Transaction, buyer: Buyer, request: NewOrder, expires: int, limits: CheckoutLimits) -> PlacedOrder:
    """Creates a customer's checkout: like `place`, but the codes are only claimed until it is paid or expires.

    The same request resumes a checkout that has expired: its goods are claimed again, at its prices. Raises `Refusal`:
    -201 above the limits, -200 together with the open checkouts in which the customer holds the goods.
    """
    checkout_limits.lock(tx, buyer)
    daily = daily_limits.limits_of(tx, buyer.id, buyer.kind)
    known = _replayed(tx, buyer, request)
    if known and known.order.state != EXPIRED:
        return known
    units = known.order.units if known else sum(line.quantity for line in request.lines)
    checkout_limits.admit(tx, buyer, units, limits)
    try:
        if known:
            daily_limits.check(tx, daily, buyer, known.order.total, known.order.units)
            return _resume(tx, known.order, expires, limits)
        return _reserve(tx, buyer, request, expires, limits, daily)
    except Refusal as refusal:
        _offer_open_checkouts(tx, buyer, request, refusal)
        raise


def _reserve(
    tx: Transaction, buyer: Buyer, request: NewOrder, expires: int, limits: CheckoutLimits, daily: OrderLimits
) -> PlacedOrder:
    asked, problems = match_products(read_products(tx, request), buyer, request)
    check_sums(buyer, asked)
    _check_limits(tx, daily, buyer, asked)
    order = new_order(tx, buyer, request, asked, UNPAID, expires)
    insert_order(tx, order)
    wanted = take_all(tx, asked, problems, expires, limits.stock_share)
    lines = [new_line(tx, order, one, reserved=True) for one in wanted]
    run(tx, [line_step(line) for line in lines], wanted, lines, expires)
    return PlacedOrder(order, lines, replayed=False)


def _check_limits(tx: Transaction, daily: OrderLimits, buyer: Buyer, asked: list[RequestedLine]) -> None:
    """Refuses an order (-203) that goes beyond the buyer's daily limits."""
    total, units = sum(one.price for one in asked), sum(one.line.quantity for one in asked)
    daily_limits.check(tx, daily, buyer, total, units)


def _offer_open_checkouts(tx: Transaction, buyer: Buyer, request: NewOrder, refusal: Refusal) -> None:
    """Adds the customer's own checkouts that hold the unavailable goods: the customer can pay or cancel one of them."""
    if not isinstance(refusal.data, dict) or "items" not in refusal.data:
        return
    short = {
        one["deliverId"] for one in refusal.data["items"] if one["reason"] in (Reason.OUT_OF_STOCK, Reason.RESERVED)
    }
    products = {line.product_id for line in request.lines if line.deliver_id in short}
    found = {
        str(one["orderId"]): one for name in products for one in checkout_limits.open_checkouts(tx, buyer.id, name)
    }
    if found:
        refusal.data["openCheckouts"] = [found[order] for order in sorted(found)]


def reclaim(tx: Transaction, order: Order, until: int, share: int | None = None) -> list[dict[str, str]]:
    """Checks an expired checkout like a new order and claims its goods again; returns the unavailable lines.

    If one line is unavailable, nothing changes. A product that costs more than the line has the reason
    `priceAboveMaximum`. The codes must be valid until `until`. The caller has locked the order's row.
    """
    lines = lines_of(tx, order.id)
    buyer = Buyer(order.buyer_id, "customer", order.surface, order.currency, order.region)
    again = NewOrder(order.reference, tuple(_as_asked(line) for line in lines))
    asked, problems = match_products(read_products(tx, again), buyer, again)
    taken = take(tx, asked, problems, until, share)
    if problems:
        for one in taken:
            if one.from_stock:
                stock.return_units(tx, one.product.id, one.line.quantity)
        return in_order(problems)
    steps = [
        Step(
            sql.RENEW_LINE,
            {
                "line": line.id,
                "supplier": one.supplier.supplier_id if one.supplier else None,
                "cost": one.supplier.cost if one.supplier else one.product.cost,
            },
        )
        for line, one in zip(lines, taken, strict=True)
    ]
    run(tx, steps, taken, lines, until)
    return []


def _as_asked(line: Line) -> NewLine:
    """Rebuilds the request of a line, with the line's own price as its maximum."""
    data = tuple(
        RequiredDatum(one["productRequireId"], one["identifier"], one["value"]) for one in json.loads(line.require_data)
    )
    return NewLine(line.deliver_id, line.product_id, line.quantity, line.unit_price, data)


def _resume(tx: Transaction, order: Order, expires: int, limits: CheckoutLimits) -> PlacedOrder:
    """Reopens an expired checkout. Raises `Refusal` (-200) if its goods are no longer available."""
    tx.one(sql.LOCK, order_id=order.id)
    if order_of(tx, order.buyer_id, order.id).state != EXPIRED:
        raise RetryTransaction("it was paid or cancelled at this moment")
    problems = reclaim(tx, order, expires, limits.stock_share)
    if problems:
        raise not_orderable(problems)
    tx.run(sql.RESUME, order_id=order.id, until=expires)
    resumed = order_of(tx, order.buyer_id, order.id)
    return PlacedOrder(resumed, lines_of(tx, order.id), replayed=True)


def order_of(tx: Transaction, buyer: str, order_id: str = "", reference: str = "") -> Order:
    """Returns the buyer's order by id or by its own reference. Raises `Refusal` (-3)."""
    if order_id:
        found = tx.one(sql.ORDER_BY_ID, order_id=order_id)
    else:
        found = tx.one(sql.ORDER_BY_REFERENCE, buyer=buyer, reference=reference)
    if found is None or found.buyer_id != buyer:
        raise Refusal(errors.NOT_FOUND, "no such order, or another buyer's", missing="order")
    return found


def lines_of(tx: Transaction, order: str) -> list[Line]:
    """Returns the lines of an order in the sequence of the request."""
    return tx.all(sql.LINES, order_id=order)


def line_of(tx: Transaction, buyer: str, line_id: str) -> tuple[Order, Line]:
    """Returns one line of one of the buyer's orders. Raises `Refusal` (-3)."""
    line = tx.one(sql.LINE, line=line_id)
    order = tx.one(sql.ORDER_BY_ID, order_id=line.order_id) if line else None
    if line is None or order is None or order.buyer_id != buyer:
        raise Refusal(errors.NOT_FOUND, "no such order line, or another buyer's", missing="order line")
    return order, line


def deliver_line(tx: Transaction, order: Order, line: Line, note: str | None = None) -> None:
    """Closes a line in processing whose last unit was delivered, once, and writes its event."""
    if not tx.run(sql.DELIVER_LINE, line=line.id, was=line.version, new_note=note, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    write_event(tx, order, line, DELIVERED)


def write_event(tx: Transaction, order: Order, line: Line, status: int) -> None:
    """Writes the event of a line's next version, which the caller has just stored."""
    endpoints = webhooks.endpoints_of(tx, order.buyer_id)
    change = LineEvent(order.buyer_id, line.id, line.version + 1, status, EVENT_TYPES[status])
    tx.run_all(webhooks.event_steps(tx, change, endpoints, order.notify_url))


def enqueue_for_supplier(tx: Transaction, order: Order, line: Line, supplier: str) -> None:
    """Enqueues a paid line for its supplier and writes its event.

    Falls back to another supplier if this one, which could be asked when the goods were reserved, no longer can.
    """
    chosen = choose_supplier(tx, line, supplier)
    done = tx.run(
        sql.ENQUEUE_LINE,
        line=line.id,
        was=line.version,
        supplier=chosen.supplier_id,
        cost=chosen.cost,
        new_deadline=chosen.first_deadline(tx.now),
        now=tx.now,
    )
    assert done, "the order's row is locked by the caller"
    queued = tx.one(sql.LINE, line=line.id)
    assert queued is not None, "it was changed just now"
    assignments.begin(tx, queued)
    write_event(tx, order, line, PROCESSING)


def choose_supplier(tx: Transaction, line: Line, preferred: str) -> Candidate:
    """Returns the preferred supplier if it can be asked, else the first that can; if none can, the preferred one."""
    ready = suppliers.candidates(tx, line.product_id, line.unit_price)
    found = next((one for one in ready if one.supplier_id == preferred), None)
    return found or next(iter(ready), Candidate(preferred, line.unit_cost, None, None))


def deliver_part(tx: Transaction, order: Order, line: Line, count: int, note: str | None) -> None:
    """Adds `count` to the delivered units of a line in processing, and writes its event."""
    if not tx.run(sql.DELIVER_PART, line=line.id, was=line.version, count=count, new_note=note, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    write_event(tx, order, line, PROCESSING)


def accrue_stock_payables(tx: Transaction, order: Order, line: Line) -> None:
    """Books what suppliers earn with the stock codes of a line."""
    for supplier, amount in stock.supplier_earnings(tx, line.id):
        ledger.accrue_payable(tx, supplier, order.currency, amount, line.id, order.id, stock=True)


def _replayed(tx: Transaction, buyer: Buyer, request: NewOrder) -> PlacedOrder | None:
    known = tx.one(sql.ORDER_BY_REFERENCE, buyer=buyer.id, reference=request.reference)
    if known is None:
        return None
    if bytes(known.digest) != request.digest():
        raise Refusal(errors.CONFLICT, "the reference names an order with another content")
    return PlacedOrder(known, lines_of(tx, known.id), replayed=True)
