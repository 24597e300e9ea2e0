"""What the lines of a request ask for, whether it can be had, and taking it off the stock levels."""

from dataclasses import dataclass, replace

from bedesten import errors
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock
from bedesten.catalogue.actions import Product
from bedesten.catalogue.stock import Allotment
from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal
from bedesten.orders.model import Buyer, NewLine, NewOrder, Reason
from bedesten.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RequestedLine:
    """One line of a request with the product that it names."""

    line: NewLine
    product: Product
    position: int
    from_stock: bool
    earns: bool = False
    """A supplier may earn with the stock codes that it is given."""

    @property
    def price(self) -> int:
        assert self.product.price is not None, "only sellable products get here"
        return self.product.price * self.line.quantity


Problems = dict[int, dict[str, str]]
"""By position in the request: the caller's own id of the line, and why it cannot be had."""


def match_products(tx: Transaction, buyer: Buyer, request: NewOrder) -> tuple[list[RequestedLine], Problems]:
    """The lines whose products the buyer may have as it asks, and why it may not have the others."""
    wanted: list[RequestedLine] = []
    problems: Problems = {}
    for position, line in enumerate(request.lines):
        product = catalogue.product(tx, line.product_id)
        reason = _problem(product, buyer, line)
        if reason or product is None:
            problems[position] = {"deliverId": line.deliver_id, "reason": reason or Reason.UNKNOWN_PRODUCT}
        else:
            wanted.append(RequestedLine(line, product, position, from_stock=product.fulfilment != catalogue.SUPPLIER))
    return wanted, problems


_LINES = {"reseller": "basketData", "storefront": "items"}
"""How the surfaces call the lines of a request."""


def check_sums(buyer: Buyer, asked: list[RequestedLine]) -> None:
    """Raises `Refusal` (-2), naming the fields, where a line or the order would cost what nobody can ever pay."""
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


def _problem(product: Product | None, buyer: Buyer, line: NewLine) -> str | None:
    if product is None or product.published is None:
        return Reason.UNKNOWN_PRODUCT
    if product.region not in (None, buyer.region) or product.currency != buyer.currency:
        return Reason.UNKNOWN_PRODUCT
    if not product.sellable or product.price is None:
        return Reason.NOT_ON_SALE
    if line.max_unit_price is not None and product.price > line.max_unit_price:
        return Reason.PRICE_ABOVE_MAXIMUM
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
    """Takes every line. Raises `Refusal` with every one that cannot be had, for these problems or for want of stock."""
    taken = take(tx, wanted, problems, until, share)
    if problems:
        raise not_orderable(in_order(problems))
    return taken


def take(
    tx: Transaction, wanted: list[RequestedLine], problems: Problems, until: int, share: int | None = None
) -> list[RequestedLine]:
    """Takes the lines' units off the stock levels, by product id; what a supplier can bring instead is left to it.

    The codes must be good until then. Answers those that were taken, in the request's order, and adds the others to the
    problems. `share` is the percentage of a product's stock that unpaid checkouts may hold, if this is one.
    """
    taken: list[RequestedLine] = []
    for one in sorted(wanted, key=lambda one: one.product.id):
        units = _take_units(tx, one, until, share) if one.from_stock else Reason.OUT_OF_STOCK
        if not isinstance(units, str):
            taken.append(replace(one, earns=True) if units.earns else one)
        elif one.product.on_demand:
            taken.append(RequestedLine(one.line, one.product, one.position, from_stock=False))
        else:
            problems[one.position] = {"deliverId": one.line.deliver_id, "reason": units}
    return sorted(taken, key=lambda one: one.position)


def _take_units(tx: Transaction, one: RequestedLine, until: int, share: int | None) -> Allotment | str:
    """Takes a line's units off the stock level; or why not, and then nothing is taken."""
    product, count = one.product.id, one.line.quantity
    allotment = stock.take(tx, product, count, until)
    if allotment is None:
        return Reason.OUT_OF_STOCK
    if stock.exceeds_claim_share(tx, product, count, share):
        stock.return_units(tx, product, count)
        return Reason.RESERVED
    return allotment


def in_order(problems: Problems) -> list[dict[str, str]]:
    """The problems in the order of the request's lines."""
    return [problems[position] for position in sorted(problems)]


def not_orderable(items: list[dict[str, str]]) -> Refusal:
    """The refusal (-200) that names these lines."""
    return Refusal(errors.NOT_ORDERABLE, f"{len(items)} lines", data={"items": items})
