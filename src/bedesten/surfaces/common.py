"""What more than one surface shows or asks."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import Product
from bedesten.catalogue.code import StockCode, parts
from bedesten.core import strictjson, text
from bedesten.core.clock import wire_time
from bedesten.core.ids import MAX_ID_LENGTH, is_id
from bedesten.core.money import to_decimal
from bedesten.core.paging import DEFAULT_PAGE, LARGEST_PAGE, make_cursor, read_cursor
from bedesten.errors import bad_field
from bedesten.http.call import Call
from bedesten.http.logins import Issued
from bedesten.http.shapes import Input, Output
from bedesten.http.texts import kind
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT, Datum

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, extra=kind(text.identifier))]
Sku = Annotated[str, Meta(min_length=1, max_length=text.MAX_IDENTIFIER, extra=kind(text.sku))]
Reference = Annotated[str, Meta(min_length=1, max_length=text.MAX_REFERENCE, extra=kind(text.reference))]
Name = Annotated[str, Meta(min_length=1, max_length=text.MAX_NAME, extra=kind(text.name))]
Email = Annotated[str, Meta(max_length=1_000, extra=kind(text.email))]
ShortNote = Annotated[str, Meta(min_length=1, max_length=1_000, extra=kind(text.note))]
Answer = Annotated[str, Meta(min_length=1, max_length=500, extra=kind(text.note))]
"""What a buyer says for a requirement of a product."""
Quantity = Annotated[int, Meta(ge=1, le=1_000)]
PageSize = Annotated[int, Meta(ge=1, le=LARGEST_PAGE)]

_DAY, _HOUR = "(?:0[1-9]|[12][0-9]|3[01])", "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIME_PATTERN = f"^(?:[1-9][0-9]{{3}}-(?:0[1-9]|1[0-2])-{_DAY}T{_HOUR}Z)?$"
_TIME, _TIME_PROBLEM = "%Y-%m-%dT%H:%M:%SZ", "a time is written yyyy-MM-ddTHH:mm:ssZ"
_SENT_TIME = {"pattern": _TIME_PATTERN, "format": "utc-time"}
"""Not `date-time`: clients that are made for that write times in other ways as well."""
Item = TypeVar("Item")
Shown = TypeVar("Shown")

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-03-01T09:30:00Z"])]
Status = Annotated[
    int,
    Meta(
        title="LineStatus",
        description="0 cancelled, 1 delivered, 2 being processed, 3 taken out of processing",
        extra_json_schema={
            "enum": [CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT],
            "x-enum-varnames": ["CANCELLED", "DELIVERED", "PROCESSING", "TAKEN_OUT"],
        },
    ),
]


class Login(Input, frozen=True):
    """Credentials of an account. `callbackData` is echoed unchanged."""

    email: Annotated[str, Meta(max_length=1_000)]
    password: Annotated[str, Meta(max_length=16_384)]
    callback_data: Any = None


class Token(Output, frozen=True):
    """A bearer token, when it ends, and after how many seconds without use it is dead (null: never)."""

    token: str
    expiration: Time
    idle_timeout_seconds: int | None
    callback_data: Any


class Page(Output, Generic[Shown], frozen=True):
    """A part of a list. `nextCursor` asks for the next one; null on the last."""

    items: list[Shown]
    next_cursor: str | None


class Items(Output, Generic[Shown], frozen=True):
    """A whole list."""

    items: list[Shown]


class Paging(Input, frozen=True):
    """Which part of a list: `cursor` from the page before; `updatedSince` as `yyyy-MM-ddTHH:mm:ssZ`."""

    page_size: PageSize = DEFAULT_PAGE
    cursor: Annotated[str, Meta(max_length=300)] | None = None
    updated_since: Annotated[str, Meta(max_length=40, extra_json_schema=_SENT_TIME)] | None = None


class RequireData(Input, frozen=True):
    """What a product asks of its buyer, such as a player id."""

    product_require_id: Id
    value: Answer
    identifier: Name | None = None


class RequirementView(Output, frozen=True):
    """Something that a buyer must say with an order of the product."""

    product_require_id: str
    name: str
    required: bool


class ProductView(Output, frozen=True):
    """A product as buyers see it. `onSale` false: it was on sale and is not any more, and `price` is null."""

    customer_store_product_id: str
    name: str
    description: str
    category_id: str | None
    region: str | None
    price: Decimal | None
    currency: str
    on_sale: bool
    in_stock: bool
    require_data: list[RequirementView]
    updated: Time


class CategoryView(Output, frozen=True):
    """A category and the number of products in it that are sold in the caller's region."""

    category_id: str
    name: str
    products: int


def token_view(call: Call, issued: Issued) -> Token:
    """The answer to a login."""
    idle = issued.idle // 1000 if issued.idle else None
    return Token(issued.token, wire_time(issued.expires), idle, _callback_data(call.body))


def _callback_data(body: bytes) -> object:
    """The caller's own value, its inner keys as they were written."""
    members = strictjson.loads(body) if body else {}
    assert isinstance(members, dict), "understood before"
    return next((value for name, value in members.items() if name.lower() == "callbackdata"), None)


def page_of(call: Call, kind: str, paging: Paging) -> catalogue.Page:
    """The page that is asked for. Raises `Refusal` (-2) for a cursor of another list or tenant."""
    after, since = "", 0
    if paging.cursor:
        try:
            after = read_cursor(call.tenant.id, kind, paging.cursor)
        except ValueError as error:
            raise bad_field("cursor", str(error)) from error
    if paging.updated_since:
        since = parse_time(paging.updated_since, "updatedSince")
    return catalogue.Page(after=after, size=paging.page_size, since=since)


def page_view(
    call: Call,
    kind: str,
    found: Sequence[Item],
    page: catalogue.Page,
    key: Callable[[Item], str],
    show: Callable[[Item], Shown],
) -> Page[Shown]:
    """A page of what was found: one more than the page tells that there is a next one."""
    shown = found[: page.size]
    more = len(found) > page.size
    cursor = make_cursor(call.tenant.id, kind, key(shown[-1])) if more else None
    return Page([show(item) for item in shown], cursor)


def product_view(product: Product, region: str) -> ProductView:
    """A product as buyers of the region see it; one that is not sold there any more without a price and out of stock."""
    on_sale, price = product.sellable and product.region in (None, region), product.price
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


def data_of(required: Sequence[RequireData], field: str) -> tuple[Datum, ...]:
    """What the caller said for the product's requirements; each of them once."""
    if len({one.product_require_id for one in required}) != len(required):
        raise bad_field(field, "a requirement is answered twice")
    return tuple(Datum(one.product_require_id, one.identifier or "", one.value) for one in required)


def parse_time(written: str, field: str) -> int:
    """Epoch ms of `yyyy-MM-ddTHH:mm:ssZ`. Raises `Refusal` (-2)."""
    try:
        moment = datetime.strptime(written, _TIME).replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_field(field, _TIME_PROBLEM) from error
    if len(written) != 20 or not written.isascii():  # strptime takes one digit for two, and other scripts' digits
        raise bad_field(field, _TIME_PROBLEM)
    return int(moment.timestamp() * 1000)


def path_id(call: Call) -> str:
    """The id that ends the path; one that cannot be an id names nothing, and that is all that is said of it."""
    return call.argument if is_id(call.argument) else "-"


class DeliveredCode(Output, frozen=True):
    """A code that was delivered, with its parts. `expires` is the last day on which it is good (yyyy-MM-dd, UTC)."""

    code: str
    pin: str | None
    serial: str | None
    expires: str | None


def delivered_codes(codes: Sequence[StockCode]) -> list[DeliveredCode] | None:
    """What a line got, with the parts of each code; None if it got no codes."""
    return [msgspec.convert(parts(one), DeliveredCode) for one in codes] or None


def notes(stored: str | None) -> list[str] | None:
    """A stored delivery note: a list of strings, or None."""
    if stored is None:
        return None
    parsed: list[str] = json.loads(stored)
    return parsed
