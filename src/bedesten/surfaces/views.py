"""Reads requests and builds answers, for more than one surface."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypedDict, TypeVar

import msgspec

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import Product
from bedesten.catalogue.code import StockCode, parts
from bedesten.catalogue.shop_list import ProductFilter
from bedesten.core import strict_json
from bedesten.core.clock import wire_time
from bedesten.core.ids import is_id
from bedesten.core.money import to_decimal
from bedesten.core.paging import make_cursor, read_cursor
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.http.logins import IssuedToken
from bedesten.orders.listing import END_OF_TIME, OrderFilter
from bedesten.orders.model import Line, RequiredDatum
from bedesten.surfaces.schemas import (
    DeliveredCode,
    OrderPaging,
    Page,
    Paging,
    ProductPaging,
    ProductView,
    RequireData,
    RequirementView,
    Token,
)

_TIME, _TIME_PROBLEM = "%Y-%m-%dT%H:%M:%SZ", "must be a time written yyyy-MM-ddTHH:mm:ssZ"
Item = TypeVar("Item")
View = TypeVar("View")


class LineMembers(TypedDict):
    """The members that every view of an order line has."""

    product_name: str
    quantity: int
    delivered: int
    cancelled: int
    unit_price: Decimal
    price: Decimal
    refunded: Decimal


def line_members(line: Line, currency: str) -> LineMembers:
    """Returns what every view of an order line shows."""
    return LineMembers(
        product_name=line.product_name,
        quantity=line.quantity,
        delivered=line.delivered,
        cancelled=line.cancelled,
        unit_price=to_decimal(line.unit_price, currency),
        price=to_decimal(line.price, currency),
        refunded=to_decimal(line.refunded, currency),
    )


def token_view(context: RequestContext, issued: IssuedToken) -> Token:
    """The answer to a login."""
    idle = issued.idle // 1000 if issued.idle else None
    return Token(issued.token, wire_time(issued.expires), idle, _callback_data(context.body))


def _callback_data(body: bytes) -> object:
    """The caller's own value, with its inner keys as they were sent."""
    members = strict_json.loads(body) if body else {}
    assert isinstance(members, dict), "decode_body has checked it"
    return next((value for name, value in members.items() if name.lower() == "callbackdata"), None)


def requested_page(context: RequestContext, kind: str, paging: Paging) -> catalogue.Page:
    """The requested page. Raises `Refusal` (-2) for a cursor of another list or tenant."""
    after, since = "", 0
    if paging.cursor:
        try:
            after = read_cursor(context.tenant.id, kind, paging.cursor)
        except ValueError as error:
            raise bad_field("cursor", str(error)) from error
    if paging.updated_since:
        since = parse_time(paging.updated_since, "updatedSince")
    return catalogue.Page(after=after, size=paging.page_size, since=since)


def page_view(
    context: RequestContext,
    kind: str,
    found: Sequence[Item],
    page: catalogue.Page,
    key: Callable[[Item], str],
    show: Callable[[Item], View],
) -> Page[View]:
    """One page of the rows in `found`. A row beyond the page's size means that there is a next page."""
    shown = found[: page.size]
    more = len(found) > page.size
    cursor = make_cursor(context.tenant.id, kind, key(shown[-1])) if more else None
    return Page([show(item) for item in shown], cursor)


def product_filter(body: ProductPaging, region: str) -> ProductFilter:
    """The products that a buyer selects, in the regions that it names or in its own."""
    return ProductFilter(
        regions=tuple(one.upper() for one in body.regions) or (region,),
        category=body.category_id or "",
        search=body.search or "",
        sku=body.sku or "",
        in_stock=body.in_stock,
        order=body.sort,
    )


def order_filter(
    body: OrderPaging, since: int, reference: str | None, product: str | None, states: frozenset[int] = frozenset()
) -> OrderFilter:
    """The orders that a buyer selects. Raises `Refusal` (-2)."""
    return OrderFilter(
        statuses=frozenset(body.status),
        states=states,
        created_from=parse_time(body.created_from, "createdFrom") if body.created_from else 0,
        created_to=parse_time(body.created_to, "createdTo") if body.created_to else END_OF_TIME,
        since=since,
        reference=reference or "",
        product=product or "",
    )


def product_view(product: Product, *regions: str) -> ProductView:
    """A product as buyers of the regions see it. One that is no longer sold there has no price and is out of stock."""
    on_sale, price = product.sellable and product.region in (None, *regions), product.price
    return ProductView(
        customer_store_product_id=product.id,
        name=product.name,
        description=product.description,
        category_id=product.category_id,
        region=product.region,
        price=to_decimal(price, product.currency) if on_sale and price is not None else None,
        currency=product.currency,
        on_sale=on_sale,
        in_stock=on_sale and product.in_stock,
        require_data=[RequirementView(one.id, one.name, one.required) for one in product.requirements],
        updated=wire_time(product.updated),
    )


def requirement_data(required: Sequence[RequireData], field: str) -> tuple[RequiredDatum, ...]:
    """The caller's values for the product's requirements. Raises `Refusal` (-2) if one is answered twice."""
    if len({one.product_require_id for one in required}) != len(required):
        raise bad_field(field, "must answer each requirement once")
    return tuple(RequiredDatum(one.product_require_id, one.identifier or "", one.value) for one in required)


def parse_time(written: str, field: str) -> int:
    """Epoch ms of `yyyy-MM-ddTHH:mm:ssZ`. Raises `Refusal` (-2)."""
    try:
        moment = datetime.strptime(written, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_field(field, _TIME_PROBLEM) from error
    if len(written) != 20 or not written.isascii():  # strptime also accepts single digits, and digits of other scripts
        raise bad_field(field, _TIME_PROBLEM)
    return int(moment.timestamp() * 1000)


def path_argument_id(context: RequestContext) -> str:
    """The id at the end of the path; "-", which no row has, if it cannot be an id."""
    return context.argument if is_id(context.argument) else "-"


def delivered_codes(codes: Sequence[StockCode]) -> list[DeliveredCode] | None:
    """The codes of a line with their parts; None without codes."""
    return [msgspec.convert(parts(one), DeliveredCode) for one in codes] or None


def notes(stored: str | None) -> list[str] | None:
    """A stored delivery note, decoded."""
    if stored is None:
        return None
    parsed: list[str] = json.loads(stored)
    return parsed
