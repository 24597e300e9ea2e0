"""The customer's basket: read it with today's prices, and change it."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.core.clock import wire_time
from bedesten.core.money import MAX_MINOR, to_decimal
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import EmptyBody, RequestModel, ResponseModel
from bedesten.orders import basket as baskets
from bedesten.orders.basket import Basket, QuotedLine
from bedesten.orders.model import MAX_LINES, MAX_UNITS, Buyer, NewLine, Reason
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.schemas import Id, Quantity, RequireData, Time
from bedesten.surfaces.storefront.schemas import BasketVersion, CheckoutItem

REASONS = [value for name, value in vars(Reason).items() if name.isupper()]
LineReason = Annotated[str, Meta(title="BasketLineReason", extra_json_schema={"enum": REASONS})]
Change = Annotated[str, Meta(title="BasketChange", extra_json_schema={"enum": list(baskets.CHANGES)})]


class SetBasket(RequestModel, frozen=True):
    """All lines of the basket: they replace those that are there."""

    items: Annotated[list[CheckoutItem], Meta(max_length=MAX_LINES)]
    version: BasketVersion | None = None


class AddToBasket(RequestModel, frozen=True):
    """Units of one product to put in."""

    product_id: Id
    quantity: Quantity
    require_data: Annotated[list[RequireData], Meta(max_length=50)] = []
    version: BasketVersion | None = None


class UpdateBasketLine(RequestModel, frozen=True):
    """What changes of a line; what is left out stays."""

    line_id: Id
    quantity: Quantity | None = None
    require_data: Annotated[list[RequireData], Meta(max_length=50)] | None = None
    version: BasketVersion | None = None


class RemoveFromBasket(RequestModel, frozen=True):
    """The lines to remove."""

    line_ids: Annotated[list[Id], Meta(min_length=1, max_length=MAX_LINES)]
    version: BasketVersion | None = None


class ClearBasket(RequestModel, frozen=True):
    """Removes every line."""

    version: BasketVersion | None = None


class BasketDatum(ResponseModel, frozen=True):
    """The customer's answer to a requirement of the product."""

    product_require_id: str
    identifier: str | None
    value: str


class BasketLineView(ResponseModel, frozen=True):
    """One line. `reason` says why it cannot be ordered now; `changes` names what is different since it was put in."""

    line_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: list[BasketDatum]
    unit_price: Decimal | None
    price: Decimal | None
    unit_price_before: Decimal
    on_sale: bool
    reason: LineReason | None
    changes: list[Change]


class BasketView(ResponseModel, frozen=True):
    """The basket as it could be ordered now. `total` is that of the lines that can be ordered."""

    version: int
    items: list[BasketLineView]
    units: int
    total: Decimal | None
    currency: str
    orderable: bool
    max_lines: int
    max_quantity: int
    updated: Time | None


def get(tx: Transaction, context: RequestContext, _: EmptyBody) -> BasketView:
    """The customer's basket."""
    return _view(tx, context, context.region, baskets.read(tx, context.who.owner))


def replace(tx: Transaction, context: RequestContext, body: SetBasket) -> BasketView:
    """Replaces all lines."""
    wanted = [_wanted(item, f"items[{at}].requireData") for at, item in enumerate(body.items)]
    return _view(
        tx, context, context.region, baskets.replace(tx, buyer_of(context, context.region), wanted, body.version)
    )


def add(tx: Transaction, context: RequestContext, body: AddToBasket) -> BasketView:
    """Puts units of a product in; the same product with the same details is one line."""
    return _view(
        tx,
        context,
        context.region,
        baskets.add(tx, buyer_of(context, context.region), _wanted(body, "requireData"), body.version),
    )


def update(tx: Transaction, context: RequestContext, body: UpdateBasketLine) -> BasketView:
    """Changes a line."""
    if body.quantity is None and body.require_data is None:
        raise bad_field("quantity", "or requireData must say what changes")
    data = None if body.require_data is None else views.requirement_data(body.require_data, "requireData")
    buyer = buyer_of(context, context.region)
    return _view(
        tx, context, context.region, baskets.update_line(tx, buyer, body.line_id, body.quantity, data, body.version)
    )


def remove(tx: Transaction, context: RequestContext, body: RemoveFromBasket) -> BasketView:
    """Removes lines; those that are gone already change nothing."""
    return _view(tx, context, context.region, baskets.remove(tx, context.who.owner, body.line_ids, body.version))


def clear(tx: Transaction, context: RequestContext, body: ClearBasket) -> BasketView:
    """Removes every line."""
    return _view(tx, context, context.region, baskets.remove(tx, context.who.owner, None, body.version))


def buyer_of(context: RequestContext, region: str, address: bytes | None = None) -> Buyer:
    """The customer as the buyer of an order in the region."""
    return Buyer(context.who.owner, "customer", "storefront", context.tenant.currency, region, address)


def _wanted(item: CheckoutItem | AddToBasket, field: str) -> NewLine:
    return NewLine("", item.product_id, item.quantity, data=views.requirement_data(item.require_data, field))


def _view(tx: Transaction, context: RequestContext, region: str, basket: Basket) -> BasketView:
    currency = context.tenant.currency
    quoted = baskets.quote(tx, buyer_of(context, region), basket)
    ready = [one for one in quoted if one.reason is None]
    total = sum(_price(one) or 0 for one in ready)
    return BasketView(
        version=basket.version,
        items=[_line_view(one, currency) for one in quoted],
        units=sum(one.line.quantity for one in quoted),
        total=to_decimal(total, currency) if total < MAX_MINOR else None,
        currency=currency,
        orderable=bool(quoted) and len(ready) == len(quoted) and total < MAX_MINOR,
        max_lines=MAX_LINES,
        max_quantity=MAX_UNITS,
        updated=None if basket.updated is None else wire_time(basket.updated),
    )


def _price(one: QuotedLine) -> int | None:
    sold = one.product if one.product is not None and one.product.sellable else None
    return None if sold is None or sold.price is None else sold.price * one.line.quantity


def _line_view(one: QuotedLine, currency: str) -> BasketLineView:
    line, price = one.line, _price(one)
    return BasketLineView(
        line_id=line.id,
        product_id=line.product_id,
        product_name=line.name if one.product is None else one.product.name,
        quantity=line.quantity,
        require_data=[BasketDatum(datum.id, datum.identifier or None, datum.value) for datum in line.data],
        unit_price=None if price is None else to_decimal(price // line.quantity, currency),
        price=to_decimal(price, currency) if price is not None and price < MAX_MINOR else None,
        unit_price_before=to_decimal(line.unit_price, currency),
        on_sale=price is not None,
        reason=one.reason,
        changes=list(one.changes),
    )
