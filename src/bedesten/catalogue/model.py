"""What a product is: values, and what follows from them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from bedesten.catalogue.code import FOLDED
from bedesten.core.money import to_decimal

STOCK, SUPPLIER, STOCK_FIRST = "stock", "supplier", "stock_first"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something a buyer must say with an order of the product: a player id, a phone number. `id` is what requests name."""

    id: str
    name: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Product:
    """One product. Amounts in minor units of `currency`; `price` None: not priced yet. See the table for the rest.

    `supplier_ready`: whether its supplier can be asked now: it is enabled and has an API key that is good. True without
    a look where `fulfilment` is `stock`, since nobody is asked then.
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
    available: int
    supplier_ready: int

    @property
    def sellable(self) -> bool:
        """Whether it is sold at all, whatever the stock."""
        return bool(self.active and self.offered and self.price is not None and not self.at_a_loss)

    @property
    def at_a_loss(self) -> bool:
        """Whether its price is below its cost by more than the operator has accepted: then it is not sold."""
        return self.price is not None and not covered(self.price, self.cost, self.accepted_cost)

    @property
    def on_demand(self) -> bool:
        """Whether its supplier can bring what is not in stock."""
        return self.fulfilment != STOCK and bool(self.supplier_ready)

    @property
    def in_stock(self) -> bool:
        """Whether an order of one unit can be fulfilled or at least queued now."""
        return (self.available > 0 and self.fulfilment != SUPPLIER) or self.on_demand

    @property
    def requirements(self) -> list[Requirement]:
        """What a buyer must say with an order of it."""
        return [Requirement(**one) for one in json.loads(self.require_data)] if self.require_data != "[]" else []


def covered(price: int, cost: int | None, accepted_cost: int | None) -> bool:
    """Whether a price covers the cost, or the operator has accepted that it does not."""
    return cost is None or cost <= max(price, accepted_cost or 0)


@dataclass(frozen=True, slots=True)
class ProductFields:
    """A product as it is to be written. `accepted_cost`: the operator sells it below cost up to this one."""

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
    active: bool = True
    offered: bool = True
    proposed_name: str | None = None
    refused_name: str | None = None


def fields_of(product: Product) -> ProductFields:
    """A product as it stands, to be written again with some of it changed."""
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
        active=bool(product.active),
        offered=bool(product.offered),
        proposed_name=product.proposed_name,
        refused_name=product.refused_name,
    )


def loss_problem(price: int | None, cost: int | None, currency: str) -> str | None:
    """Why a product may not be sold for this price unless the operator insists; None if it may."""
    if price is None:
        return None
    if price == 0:
        return "a price of 0 gives the goods away"
    if cost is None or price >= cost:
        return None
    return f"{to_decimal(price, currency)} is below the cost of {to_decimal(cost, currency)} {currency}"


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Requirements as they are stored."""
    return json.dumps(
        [{"id": one.id, "name": one.name, "required": one.required} for one in requirements],
        ensure_ascii=False,
        separators=(",", ":"),
    )
