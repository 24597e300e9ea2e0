"""Matches the lines of a request with products, checks their availability and takes their units from stock."""

from collections import Counter
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from bedesten import errors
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock, suppliers
from bedesten.catalogue.actions import Product, StockedProduct
from bedesten.catalogue.stock import Allocation
from bedesten.catalogue.suppliers import Candidate
from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal
from bedesten.orders.model import Buyer, NewLine, NewOrder, Reason
from bedesten.store.transaction import Transaction


class RequestedLine(msgspec.Struct, frozen=True):
    """One line of a request with its product."""

    line: NewLine
    product: Product
    position: int
    from_stock: bool
    earns: bool = False
    """A supplier may earn with the stock codes of this line."""
    supplier: Candidate | None = None
    """The supplier that is asked, unless the line is from stock."""

    @property
    def price(self) -> int:
        assert self.product.price is not None, "only sellable products get here"
        return self.product.price * self.line.quantity


Problems = dict[int, dict[str, str]]
"""Unavailable lines by their position in the request: the caller's own id of the line, and the reason."""


def read_products(tx: Transaction, request: NewOrder) -> Mapping[str, StockedProduct]:
    """Returns the products of a request by their ids; those that the tenant does not have are missing."""
    names = list(dict.fromkeys(line.product_id for line in request.lines))
    found = tx.all_each([catalogue.stocked_query(tx, name) for name in names])
    return {name: one[0] for name, one in zip(names, found, strict=True) if one}


def match_products(
    known: Mapping[str, StockedProduct], buyer: Buyer, request: NewOrder
) -> tuple[list[RequestedLine], Problems]:
    """Returns the lines that the buyer may order as requested, and the problems of the others."""
    wanted: list[RequestedLine] = []
    problems: Problems = {}
    for position, line in enumerate(request.lines):
        stocked = known.get(line.product_id)
        product = stocked.product if stocked else None
        reason = problem_of(product, buyer, line)
        if reason or product is None:
            problems[position] = {"deliverId": line.deliver_id, "reason": reason or Reason.UNKNOWN_PRODUCT}
        else:
            wanted.append(RequestedLine(line, product, position, from_stock=product.from_stock))
    return wanted, problems


_LINES = {"reseller": "basketData", "storefront": "items"}
"""Names of a request's lines on each surface."""


def check_sums(buyer: Buyer, asked: list[RequestedLine]) -> None:
    """Raises `Refusal` (-2), naming the fields, if a line or the order costs more than an amount can express."""
    lines = _LINES[buyer.surface]
    faults = {
        f"{lines}[{one.position}].quantity": "so many units reach 10^15 minor units"
        for one in asked
        if max(one.price, (one.product.cost or 0) * one.line.quantity) >= MAX_MINOR
    }
    if not faults and sum(one.price for one in asked) >= MAX_MINOR:
        faults = {lines: "all lines together reach 10^15 minor units"}
    if faults:
        raise Refusal(errors.BAD_REQUEST, f"sums beyond bounds: {', '.join(faults)}", fields=faults)


def problem_of(product: Product | None, buyer: Buyer, line: NewLine) -> str | None:
    """Returns why the buyer may not order the line as requested, regardless of stock; None if it may."""
    if product is None or product.published is None:
        return Reason.UNKNOWN_PRODUCT
    if product.region not in (None, buyer.region) or product.currency != buyer.currency:
        return Reason.UNKNOWN_PRODUCT
    if not product.sellable or product.price is None:
        return Reason.NOT_ON_SALE
    if line.max_unit_price is not None and product.price > line.max_unit_price:
        return Reason.PRICE_ABOVE_MAXIMUM
    if not line.data and product.require_data == "[]":
        return None
    known = {one.id: one.required for one in product.requirements}
    said = {datum.id for datum in line.data}
    if said - set(known):
        return Reason.REQUIRED_DATA_UNKNOWN
    if any(required and name not in said for name, required in known.items()):
        return Reason.REQUIRED_DATA_MISSING
    return None


def take_all(
    tx: Transaction, wanted: list[RequestedLine], problems: Problems, until: int, share: int | None = None
) -> list[RequestedLine]:
    """Takes every line. Raises `Refusal` with every unavailable line, whether in `problems` or out of stock."""
    taken = take(tx, wanted, problems, until, share)
    if problems:
        raise not_orderable(in_order(problems))
    return taken


def take(
    tx: Transaction, wanted: list[RequestedLine], problems: Problems, until: int, share: int | None = None
) -> list[RequestedLine]:
    """Takes the lines' units from stock, by product id; a line that stock cannot serve goes to a supplier that can.

    The codes must be valid until `until`. Returns the available lines in the sequence of the request and adds the
    others to `problems`. For a checkout, `share` is the percentage of a product's stock that unpaid checkouts may hold.
    """
    taken: list[RequestedLine] = []
    units_of: Counter[str] = Counter()
    for one in sorted(wanted, key=lambda one: one.product.id):
        units: Allocation | str = Reason.OUT_OF_STOCK
        if one.from_stock:
            units = _take_units(tx, one, until, share, units_of[one.product.id])
        if not isinstance(units, str):
            units_of[one.product.id] += one.line.quantity
            taken.append(replace(one, earns=True) if units.earns else one)
        elif supplier := _supplier(tx, one.product):
            taken.append(replace(one, from_stock=False, supplier=supplier))
        else:
            problems[one.position] = {"deliverId": one.line.deliver_id, "reason": units}
    return sorted(taken, key=lambda one: one.position)


def units_by_product(lines: list[RequestedLine]) -> dict[str, int]:
    """Returns how many units of each product the lines ask for."""
    units: dict[str, int] = {}
    for one in lines:
        units[one.product.id] = units.get(one.product.id, 0) + one.line.quantity
    return units


def _supplier(tx: Transaction, product: Product) -> Candidate | None:
    """Returns the supplier that is asked first for the product; None if no supplier can be asked."""
    if not product.on_demand or product.price is None:
        return None
    return next(iter(suppliers.candidates(tx, product.id, product.price)), None)


def expect(
    tx: Transaction, wanted: list[RequestedLine], known: Mapping[str, StockedProduct], until: int
) -> list[RequestedLine] | None:
    """Like `take`, but takes nothing: the steps that attach the codes find out whether there are enough.

    Returns None where only `take` can tell: by the facts a product has too few codes, or one of them is about to
    expire.
    """
    units = units_by_product(wanted)
    expected: list[RequestedLine] = []
    for one in wanted:
        stocked = known[one.product.id]
        expires = stocked.next_expiry
        if one.from_stock and (expires is None or expires > stock.sold_until(tx, until)):
            if stocked.product.available < units[one.product.id]:
                return None
            expected.append(replace(one, earns=stocked.earns))
        elif not one.from_stock and (supplier := _supplier(tx, one.product)):
            expected.append(replace(one, supplier=supplier))
        else:
            return None
    return expected


def _take_units(tx: Transaction, one: RequestedLine, until: int, share: int | None, before: int) -> Allocation | str:
    """Takes a line's units from stock, or returns the reason and takes nothing."""
    product, count = one.product.id, one.line.quantity
    allocation = stock.take(tx, product, count, until, before)
    if allocation is None:
        return Reason.OUT_OF_STOCK
    if stock.exceeds_claim_share(tx, product, count, share):
        stock.return_units(tx, product, count)
        return Reason.RESERVED
    return allocation


def in_order(problems: Problems) -> list[dict[str, str]]:
    """Returns the problems in the sequence of the request's lines."""
    return [problems[position] for position in sorted(problems)]


def not_orderable(items: list[dict[str, str]]) -> Refusal:
    """Returns the refusal (-200) that names these lines."""
    return Refusal(errors.NOT_ORDERABLE, f"{len(items)} lines", data={"items": items})
