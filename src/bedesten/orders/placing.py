"""Builds the rows of a new order, and the steps that store them."""

import json
from collections.abc import Sequence
from functools import partial

from msgspec.structs import asdict

from bedesten.catalogue import levels, moves, stock
from bedesten.ledger import actions as ledger
from bedesten.orders import statements as sql
from bedesten.orders.availability import RequestedLine, units_by_product
from bedesten.orders.model import DELIVERED, PROCESSING, TAKEN_OUT, Buyer, Line, NewOrder, Order
from bedesten.store.transaction import RetryTransaction, Step, Transaction


def new_order(
    tx: Transaction, buyer: Buyer, request: NewOrder, asked: list[RequestedLine], state: int, expires: int | None
) -> Order:
    """Returns the order of a request."""
    return Order(
        id=tx.new_id("ord"),
        surface=buyer.surface,
        buyer_id=buyer.id,
        reference=request.reference,
        digest=request.digest(),
        currency=buyer.currency,
        total=sum(one.price for one in asked),
        notify_url=request.notify_url,
        state=state,
        expires=expires,
        created=tx.now,
        region=buyer.region,
        units=sum(line.quantity for line in request.lines),
        address=buyer.address,
    )


_OVERTAKEN = partial(RetryTransaction, "the same reference was used at the same moment: the next run finds its order")


def order_step(order: Order) -> Step:
    """Returns the step that inserts the order; it raises `RetryTransaction` if the reference was just used."""
    return Step(sql.INSERT_ORDER, asdict(order), error=_OVERTAKEN)


def insert_order(tx: Transaction, order: Order) -> None:
    """Inserts the order before anything else changes.

    A concurrent request with the same reference blocks here and then gets this order, not a false "out of stock".
    """
    step = order_step(order)
    if not tx.run(step.statement, **step.parameters):
        raise step.error()


def count_steps(tx: Transaction, wanted: list[RequestedLine]) -> list[Step]:
    """Returns the steps that count the units to take from stock, by product id."""
    units = units_by_product([one for one in wanted if one.from_stock])
    return [levels.count_step(tx, product, units[product]) for product in sorted(units)]


def new_line(
    tx: Transaction, order: Order, wanted: RequestedLine, *, reserved: bool = False, hold: str | None = None
) -> Line:
    """Returns the line of an order. `reserved`: its codes are claimed, not delivered; `hold` says why it is held."""
    product, line = wanted.product, wanted.line
    assert product.price is not None, "only sellable products get here"
    status = DELIVERED if wanted.from_stock and not reserved else PROCESSING
    status = status if hold is None else TAKEN_OUT
    asked = status == PROCESSING and not reserved
    data = [{"productRequireId": one.id, "identifier": one.identifier, "value": one.value} for one in line.data]
    return Line(
        id=tx.new_id("odl"),
        order_id=order.id,
        position=wanted.position,
        deliver_id=line.deliver_id,
        product_id=product.id,
        product_name=product.name,
        quantity=line.quantity,
        unit_price=product.price,
        unit_cost=wanted.supplier.cost if wanted.supplier else product.cost,
        price=wanted.price,
        status=status,
        placed_status=status,
        version=0 if reserved else 1,
        supplier_id=wanted.supplier.supplier_id if wanted.supplier else None,
        queued=tx.now if asked else None,
        require_data=json.dumps(data, ensure_ascii=False, separators=(",", ":")) if data else "[]",
        note=None,
        updated=tx.now,
        delivered=line.quantity if status == DELIVERED else 0,
        cancelled=0,
        refunded=0,
        hold=hold,
        accepted=None,
        promised=None,
        deadline=wanted.supplier.first_deadline(tx.now) if wanted.supplier and asked else None,
    )


def line_step(line: Line) -> Step:
    """Returns the step that inserts the line."""
    return Step(sql.INSERT_LINE, asdict(line))


def payment_steps(
    tx: Transaction,
    order: Order,
    money: ledger.Balance,
    sales: ledger.Balance,
    lines: list[Line],
) -> list[Step]:
    """Returns the steps that hold the order's money and capture the part that is delivered at once."""
    at_once = [line for line in lines if line.status == DELIVERED]
    steps: list[Step] = []
    for line in at_once:
        steps += ledger.sale_steps(tx, money.id, sales, line.price, line.id, order.id)
    return steps + ledger.hold_steps(money, order.total, order.id, captured=sum(line.price for line in at_once))


def run(
    tx: Transaction,
    steps: list[Step],
    wanted: list[RequestedLine],
    lines: list[Line],
    until: int,
    last: Sequence[Step] = (),
) -> None:
    """Runs the steps and assigns codes to the lines: delivers them with a delivered line, else claims them.

    A second line of the same product must see which codes the first one got, so it runs in a later batch.
    """
    seen: set[str] = set()
    later: list[list[Step]] = []
    for line, one in zip(lines, wanted, strict=True):
        if one.from_stock:
            state = moves.DELIVERED if line.status == DELIVERED else moves.CLAIMED
            step = stock.attach_step(tx, one.product.id, line.id, line.quantity, state, until, earns=one.earns)
            if one.product.id in seen:
                later.append([step])
            else:
                steps.append(step)
            seen.add(one.product.id)
    if later:
        tx.run_last(steps, *later, last)
    else:
        tx.run_last([*steps, *last], joins=True)
