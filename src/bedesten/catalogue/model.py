"""Values of the catalogue, and the rules that follow from them alone."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.code_pattern import CodePatterns
from bedesten.core.money import to_decimal

STOCK, SUPPLIER, STOCK_FIRST = "stock", "supplier", "stock_first"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A detail that a buyer must give with an order: a player id, a phone number. Requests name it by `id`."""

    id: str
    name: str
    required: bool = True


class Product(msgspec.Struct, frozen=True):
    """One product. Amounts are in minor units of `currency`; `price` is None until the product is priced.

    `supplier_ready` says whether a supplier can receive lines now, see `suppliers.ready`. It
    is True without a check where `fulfilment` is `stock`, because no supplier is then asked. `tables` describes the
    rest.
    """

    id: str
    sku: str | None
    category_id: str | None
    name: str
    description: str
    region: str | None
    currency: str
    price: int | None
    cost: int | None
    fulfilment: str
    supplier_id: str | None
    supplier_sku: str | None
    require_data: str
    code_comparison: str
    active: int
    offered: int
    updated: int
    accepted_cost: int | None
    proposed_name: str | None
    refused_name: str | None
    published: int | None
    code_pattern: str | None
    pin_pattern: str | None
    serial_pattern: str | None
    available: int
    supplier_ready: int

    @property
    def sellable(self) -> bool:
        """Reports whether the product is on sale, whatever its stock."""
        return bool(self.active and self.offered and self.price is not None and not self.at_a_loss)

    @property
    def at_a_loss(self) -> bool:
        """Reports whether the cost exceeds both the price and the accepted cost; such a product is not sold."""
        return self.price is not None and not covered(self.price, self.cost, self.accepted_cost)

    @property
    def on_demand(self) -> bool:
        """Reports whether the supplier can deliver what is not in stock."""
        return self.fulfilment != STOCK and bool(self.supplier_ready)

    @property
    def from_stock(self) -> bool:
        """Reports whether orders take codes from stock first.

        A product that its supplier delivers has codes in stock when they came too late for their order. They are sold
        first, unless each order needs its buyer's details.
        """
        return self.fulfilment != SUPPLIER or (self.available > 0 and self.require_data == "[]")

    @property
    def in_stock(self) -> bool:
        """Reports whether an order of one unit can be fulfilled, or at least queued, now."""
        return (self.available > 0 and self.from_stock) or self.on_demand

    @property
    def patterns(self) -> CodePatterns:
        """Returns the form that codes of the product have."""
        return CodePatterns(self.code_pattern, self.pin_pattern, self.serial_pattern)

    @property
    def requirements(self) -> list[Requirement]:
        """Returns the details that a buyer must give with an order."""
        return [Requirement(**one) for one in json.loads(self.require_data)] if self.require_data != "[]" else []


def covered(price: int, cost: int | None, accepted_cost: int | None) -> bool:
    """Reports whether a price covers the cost, or the operator has accepted the loss."""
    return cost is None or cost <= max(price, accepted_cost or 0)


@dataclass(frozen=True, slots=True)
class ProductFields:
    """The writable fields of a product. `accepted_cost` is the highest cost at which the operator still sells."""

    name: str
    currency: str
    sku: str | None = None
    category_id: str | None = None
    description: str = ""
    region: str | None = None
    price: int | None = None
    cost: int | None = None
    accepted_cost: int | None = None
    fulfilment: str = STOCK
    supplier_id: str | None = None
    supplier_sku: str | None = None
    requirements: tuple[Requirement, ...] = ()
    code_comparison: str = FOLDED
    code_pattern: str | None = None
    pin_pattern: str | None = None
    serial_pattern: str | None = None
    active: bool = True
    offered: bool = True
    proposed_name: str | None = None
    refused_name: str | None = None


def fields_of(product: Product) -> ProductFields:
    """Returns the current fields of a product, so that a caller can change some of them."""
    return ProductFields(
        name=product.name,
        currency=product.currency,
        sku=product.sku,
        category_id=product.category_id,
        description=product.description,
        region=product.region,
        price=product.price,
        cost=product.cost,
        accepted_cost=product.accepted_cost,
        fulfilment=product.fulfilment,
        supplier_id=product.supplier_id,
        supplier_sku=product.supplier_sku,
        requirements=tuple(product.requirements),
        code_comparison=product.code_comparison,
        code_pattern=product.code_pattern,
        pin_pattern=product.pin_pattern,
        serial_pattern=product.serial_pattern,
        active=bool(product.active),
        offered=bool(product.offered),
        proposed_name=product.proposed_name,
        refused_name=product.refused_name,
    )


def loss_problem(price: int | None, cost: int | None, currency: str) -> str | None:
    """Explains why the product may not be sold at this price unless the operator insists; None if it may."""
    if price is None:
        return None
    if price == 0:
        return "a price of 0 gives the goods away"
    if cost is None or price >= cost:
        return None
    return f"{to_decimal(price, currency)} is below the cost of {to_decimal(cost, currency)} {currency}"


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Serialises requirements for storage."""
    return json.dumps(
        [{"id": one.id, "name": one.name, "required": one.required} for one in requirements],
        ensure_ascii=False,
        separators=(",", ":"),
    )
