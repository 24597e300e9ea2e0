"""Wire schemas that more than one surface uses."""

from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta

from bedesten.catalogue.shop_list import MAX_REGIONS
from bedesten.core import text
from bedesten.core.ids import MAX_ID_LENGTH
from bedesten.core.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from bedesten.http.schemas import RequestModel, ResponseModel
from bedesten.http.text_fields import kind
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT
from bedesten.payments.moves import REFUND

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, extra=kind(text.identifier))]
Sku = Annotated[str, Meta(min_length=1, max_length=text.MAX_IDENTIFIER, extra=kind(text.sku))]
Reference = Annotated[str, Meta(min_length=1, max_length=text.MAX_REFERENCE, extra=kind(text.reference))]
Region = Annotated[str, Meta(min_length=2, max_length=16, pattern="^[A-Za-z0-9-]+$")]
Name = Annotated[str, Meta(min_length=1, max_length=text.MAX_NAME, extra=kind(text.name))]
Email = Annotated[str, Meta(max_length=1_000, extra=kind(text.email))]
ShortNote = Annotated[str, Meta(min_length=1, max_length=1_000, extra=kind(text.note))]
Answer = Annotated[str, Meta(min_length=1, max_length=500, extra=kind(text.note))]
"""A buyer's value for a requirement of a product."""
PASSWORD = {"minLength": 8}
"""The documented minimum of a new password. The shop may require more, and refuses passwords that are easy to guess."""
LinkToken = Annotated[str, Meta(min_length=1, max_length=100)]
"""The token of a mailed link: what follows `#token=`."""
Quantity = Annotated[int, Meta(ge=1, le=1_000)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE)]

_DAY, _HOUR = "(?:0[1-9]|[12][0-9]|3[01])", "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_TIME_PATTERN = f"^(?:[1-9][0-9]{{3}}-(?:0[1-9]|1[0-2])-{_DAY}T{_HOUR}Z)?$"
_SENT_TIME = {"pattern": _TIME_PATTERN, "format": "utc-time"}
"""Not `date-time`: generated clients would also send other forms of it."""
SentTime = Annotated[str, Meta(max_length=40, extra_json_schema=_SENT_TIME)]
"""A time in a request."""
View = TypeVar("View")
RefundState = Annotated[str, Meta(title="RefundState", extra_json_schema={"enum": list(REFUND.names)})]
"""The state of a refund of a payment."""

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-03-01T09:30:00Z"])]
Status = Annotated[
    int,
    Meta(
        ge=CANCELLED,
        le=TAKEN_OUT,
        title="LineStatus",
        description="0 cancelled, 1 delivered, 2 being processed, 3 taken out of processing",
        extra_json_schema={
            "enum": [CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT],
            "x-enum-varnames": ["CANCELLED", "DELIVERED", "PROCESSING", "TAKEN_OUT"],
        },
    ),
]


class Login(RequestModel, frozen=True):
    """The credentials of an account. The answer contains `callbackData` unchanged."""

    email: Annotated[str, Meta(max_length=1_000)]
    password: Annotated[str, Meta(max_length=16_384)]
    callback_data: Any = None


class Token(ResponseModel, frozen=True):
    """A bearer token, its expiry, and its idle time-out in seconds (null: none)."""

    token: str
    expiration: Time
    idle_timeout_seconds: int | None
    callback_data: Any


class Page(ResponseModel, Generic[View], frozen=True):
    """One page of a list. `nextCursor` requests the next page; it is null on the last."""

    items: list[View]
    next_cursor: str | None


class Items(ResponseModel, Generic[View], frozen=True):
    """A whole list."""

    items: list[View]


class Paging(RequestModel, frozen=True):
    """Selects a page of a list: `cursor` is from the page before, `updatedSince` is written `yyyy-MM-ddTHH:mm:ssZ`."""

    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Meta(max_length=300)] | None = None
    updated_since: SentTime | None = None


class ProductPaging(Paging, frozen=True):
    """Selects products by words of their name, category, sku, stock and regions, in one of a few orders."""

    category_id: Id | None = None
    search: Name | None = None
    sku: Sku | None = None
    in_stock: bool = False
    regions: Annotated[list[Region], Meta(max_length=MAX_REGIONS)] = []
    sort: Annotated[Literal["id", "name", "price", "-price"], Meta(title="ProductOrder")] = "id"


class OrderPaging(Paging, frozen=True):
    """Selects orders by the status of a line and by their time: `createdFrom` ≤ created < `createdTo`."""

    status: Annotated[list[Status], Meta(max_length=4)] = []
    created_from: Annotated[str, Meta(max_length=40, extra_json_schema=_SENT_TIME)] | None = None
    created_to: Annotated[str, Meta(max_length=40, extra_json_schema=_SENT_TIME)] | None = None


class RequireData(RequestModel, frozen=True):
    """The buyer's value for a requirement of a product, such as a player id."""

    product_require_id: Id
    value: Answer
    identifier: Name | None = None


class RequirementView(ResponseModel, frozen=True):
    """Something that the product requires of its buyer."""

    product_require_id: str
    name: str
    required: bool


class ProductView(ResponseModel, frozen=True):
    """A product as buyers see it. While `onSale` is false, `price` is null: the product is no longer on sale."""

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


class CategoryView(ResponseModel, frozen=True):
    """A category, and the number of its products that are sold in the caller's region."""

    category_id: str
    name: str
    products: int


class DeliveredCode(ResponseModel, frozen=True):
    """A delivered code with its parts. `expires` is the last day on which it is valid (yyyy-MM-dd, UTC)."""

    code: str
    pin: str | None
    serial: str | None
    url: str | None
    expires: str | None


class ResetPassword(RequestModel, frozen=True):
    """The token of a mailed link, and the new password."""

    token: LinkToken
    new_password: Annotated[str, Meta(max_length=16_384, extra_json_schema=PASSWORD)]


class PasswordReset(ResponseModel, frozen=True):
    """The password was changed, and every session has ended."""

    status: Literal["changed"]
