"""The basket that the shop keeps for a customer. It reserves nothing: a checkout from it does.

A basket is one row with its lines. Every change locks that row, before every other lock, and increments its version.
Each line remembers what the customer saw when adding it; `quote` says what a line costs now and what has changed since.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import select, update

from bedesten import errors
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import Product
from bedesten.errors import Refusal, bad_field
from bedesten.orders import statements as sql
from bedesten.orders.availability import problem_of
from bedesten.orders.model import MAX_LINES, MAX_UNITS, Buyer, NewLine, Reason, RequiredDatum
from bedesten.orders.tables import baskets
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Transaction

PRICE, NAME, AVAILABILITY = "price", "name", "availability"
CHANGES = (PRICE, NAME, AVAILABILITY)
"""What can change about a line after it was added."""


class BasketLine(msgspec.Struct, frozen=True):
    """One line as it is stored. Name, price (minor units) and availability are as of when it was added."""

    id: str
    product_id: str
    quantity: int
    data: tuple[RequiredDatum, ...]
    name: str
    unit_price: int
    orderable: bool


@dataclass(frozen=True, slots=True)
class Basket:
    """A customer's basket. `version` counts its changes; `updated` is None before the first one."""

    version: int
    lines: tuple[BasketLine, ...]
    updated: int | None


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with its product as it is now (None: the buyer no longer sees it), and why it cannot be ordered."""

    line: BasketLine
    product: Product | None
    reason: str | None
    changes: tuple[str, ...]


_B = baskets.c
_MINE = (_B.tenant_id == TENANT) & (_B.customer_id == p("customer"))
_READ = select(_B.version, _B.lines, _B.updated).where(_MINE)
_GET, _LOCK = statement(_READ), statement(_READ.with_for_update())
_ENTER = insert_of(baskets, or_ignore=True)
_PUT = statement(update(baskets).where(_MINE).values(version=p("new_version"), lines=p("new_lines"), updated=p("now")))


def read(tx: Transaction, customer: str) -> Basket:
    """Returns the customer's basket; an empty one if there is none yet."""
    return _basket(tx.one(_GET, customer=customer))


def lock(tx: Transaction, customer: str, version: int | None = None) -> Basket:
    """Returns the customer's basket with its row locked. Raises `Refusal` (-8) if `version` is not its current one."""
    tx.run(_ENTER, customer_id=customer, version=0, lines="[]", updated=tx.now)
    found = _basket(tx.one(_LOCK, customer=customer))
    if version not in (None, found.version):
        problem = f"the basket has changed: its version is {found.version}"
        raise Refusal(errors.CONFLICT, "another version of the basket", fields={"version": problem})
    return found


def add(tx: Transaction, buyer: Buyer, new: NewLine, version: int | None) -> Basket:
    """Adds units of a product: to the line with the same product and details, or as a new last line.

    Raises `Refusal`: -2, -3 for a product that the buyer cannot see, -8, -204 for more than a basket holds.
    """
    fresh = _seen(tx, buyer, [new], ("",))[0]

    def edit(lines: list[BasketLine]) -> list[BasketLine]:
        same = next((at for at, one in enumerate(lines) if _alike(one, fresh)), None)
        if same is None:
            return [*lines, fresh]
        more = msgspec.structs.replace(fresh, id=lines[same].id, quantity=lines[same].quantity + fresh.quantity)
        return [*lines[:same], more, *lines[same + 1 :]]

    return _change(tx, buyer.id, version, edit)


def replace(tx: Transaction, buyer: Buyer, wanted: Sequence[NewLine], version: int | None) -> Basket:
    """Replaces all lines. A line with the same product and details keeps its id. Raises `Refusal` as `add`."""
    fresh = _seen(tx, buyer, wanted, [f"items[{at}]." for at in range(len(wanted))])

    def edit(lines: list[BasketLine]) -> list[BasketLine]:
        left, made = list(lines), []
        for one in fresh:
            known = next((other for other in left if _alike(one, other)), None)
            if known is not None:
                left.remove(known)
            made.append(one if known is None else msgspec.structs.replace(one, id=known.id))
        return made

    return _change(tx, buyer.id, version, edit)


def update_line(
    tx: Transaction,
    buyer: Buyer,
    line_id: str,
    quantity: int | None,
    data: tuple[RequiredDatum, ...] | None,
    version: int | None,
) -> Basket:
    """Changes the quantity or the details of a line; None keeps them. The line then remembers today's price.

    Raises `Refusal` as `add`, and -3 for a line that is not in the basket.
    """

    def edit(lines: list[BasketLine]) -> list[BasketLine]:
        known = next((one for one in lines if one.id == line_id), None)
        if known is None:
            raise Refusal(errors.NOT_FOUND, "no such line", missing="basket line")
        wanted = NewLine("", known.product_id, quantity or known.quantity, data=known.data if data is None else data)
        fresh = msgspec.structs.replace(_seen(tx, buyer, [wanted], ("",))[0], id=known.id)
        return [fresh if one.id == line_id else one for one in lines]

    return _change(tx, buyer.id, version, edit)


def remove(tx: Transaction, customer: str, line_ids: Sequence[str] | None, version: int | None) -> Basket:
    """Removes lines and ignores ids that are gone already; None removes all. Raises `Refusal` (-8)."""
    return _change(
        tx, customer, version, lambda lines: [one for one in lines if line_ids is not None and one.id not in line_ids]
    )


def is_ordered(tx: Transaction, customer: str, reference: str) -> bool:
    """Reports whether the reference names an order of the customer already."""
    return tx.one(sql.ORDER_BY_REFERENCE, buyer=customer, reference=reference) is not None


def quote(tx: Transaction, buyer: Buyer, basket: Basket) -> list[QuotedLine]:
    """Returns every line as it could be ordered now.

    Availability is an estimate: only a checkout reserves goods.
    """
    taken: dict[str, int] = {}
    quoted = []
    for line in basket.lines:
        product = catalogue.product(tx, line.product_id)
        reason = _reason(product, buyer, line, taken)
        visible = None if reason == Reason.UNKNOWN_PRODUCT else product
        quoted.append(QuotedLine(line, visible, reason, tuple(_changes(line, visible, reason))))
    return quoted


def as_request(basket: Basket) -> tuple[NewLine, ...]:
    """Returns the lines in the form of a request for an order; the id of each is its position, from 0."""
    return tuple(NewLine(str(at), one.product_id, one.quantity, data=one.data) for at, one in enumerate(basket.lines))


def _reason(product: Product | None, buyer: Buyer, line: BasketLine, taken: dict[str, int]) -> str | None:
    reason = problem_of(product, buyer, NewLine("", line.product_id, line.quantity, data=line.data))
    if reason or product is None:
        return reason or Reason.UNKNOWN_PRODUCT
    units = taken.get(product.id, 0) + line.quantity
    if (product.from_stock and product.available >= units) or product.on_demand:
        taken[product.id] = units
        return None
    return Reason.OUT_OF_STOCK


def _changes(line: BasketLine, product: Product | None, reason: str | None) -> list[str]:
    changed = []
    if product is not None and product.price is not None and product.price != line.unit_price:
        changed.append(PRICE)
    if product is not None and product.name != line.name:
        changed.append(NAME)
    if (reason is None) != line.orderable:
        changed.append(AVAILABILITY)
    return changed


def _seen(tx: Transaction, buyer: Buyer, wanted: Sequence[NewLine], fields: Sequence[str]) -> list[BasketLine]:
    """Returns new lines with their products' present facts. Raises `Refusal`: -3, -2 for details not asked for."""
    made = []
    for new, field in zip(wanted, fields, strict=True):
        product = catalogue.product(tx, new.product_id)
        reason = problem_of(product, buyer, new)
        if product is None or product.price is None or reason in (Reason.UNKNOWN_PRODUCT, Reason.NOT_ON_SALE):
            shown = {f"{field}productId": "is no product that is sold here"}
            raise Refusal(errors.NOT_FOUND, "no such product, or not sold", missing="product", fields=shown)
        if reason == Reason.REQUIRED_DATA_UNKNOWN:
            raise bad_field(f"{field}requireData", "answers what the product does not ask for")
        bare = BasketLine(tx.new_id("bsl"), product.id, new.quantity, new.data, product.name, product.price, True)
        made.append(msgspec.structs.replace(bare, orderable=_reason(product, buyer, bare, {}) is None))
    return made


def _alike(one: BasketLine, other: BasketLine) -> bool:
    return one.product_id == other.product_id and sorted(map(_datum, one.data)) == sorted(map(_datum, other.data))


def _datum(one: RequiredDatum) -> tuple[str, str, str]:
    return one.id, one.identifier, one.value


def _change(
    tx: Transaction, customer: str, version: int | None, edit: Callable[[list[BasketLine]], list[BasketLine]]
) -> Basket:
    known = lock(tx, customer, version)
    lines = edit(list(known.lines))
    for name, there_are, most in (
        ("lines", len(lines), MAX_LINES), ("quantity", max((one.quantity for one in lines), default=0), MAX_UNITS)
    ):  # fmt: skip
        if there_are > most:
            data = {"limit": name, "maximum": most}
            raise Refusal(errors.BASKET_LIMIT, f"{name}: {there_are} of {most}", data=data)
    if tuple(lines) == known.lines:
        return known
    stored = msgspec.json.encode(lines).decode()
    tx.run(_PUT, customer=customer, new_version=known.version + 1, new_lines=stored, now=tx.now)
    return Basket(known.version + 1, tuple(lines), tx.now)


def _basket(row: tuple[int, str, int] | None) -> Basket:
    if row is None:
        return Basket(0, (), None)
    version, lines, updated = row
    return Basket(version, tuple(msgspec.convert(json.loads(lines), list[BasketLine])), updated if version else None)
