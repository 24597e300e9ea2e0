"""The input of the operations. `tenant` is a name or an id; a member of one tenant may leave it out."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, field

from bedesten.core import text
from bedesten.core.ids import MAX_ID_LENGTH
from bedesten.http.schemas import Amount, RequestModel
from bedesten.http.text_fields import kind

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, extra=kind(text.identifier))]
Search = Annotated[str, Meta(min_length=1, max_length=1_000)]
Note = Annotated[str, Meta(min_length=1, max_length=2_000, extra=kind(text.note))]
Reason = Annotated[str, Meta(min_length=1, max_length=text.MAX_NAME, extra=kind(text.name))]
Key = Annotated[str, Meta(min_length=1, max_length=text.MAX_REFERENCE, extra=kind(text.reference))]
PAGE, MAX_PAGE = 50, 200
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE)]


class Credentials(RequestModel, frozen=True):
    """A login."""

    email: Annotated[str, Meta(max_length=1_000)]
    password: Annotated[str, Meta(max_length=16_384)]


class OfTenant(RequestModel, frozen=True, kw_only=True):
    """What every operation takes."""

    tenant: Annotated[str, Meta(max_length=text.MAX_NAME)] = ""


class OfList(OfTenant, frozen=True, kw_only=True):
    """What every list takes: the number of rows, and `nextCursor` of the page before."""

    limit: Limit = MAX_PAGE
    cursor: Id | None = None


class ListOrders(OfList, frozen=True, kw_only=True):
    """Selects orders, the newest first: of a buyer (id or e-mail), in one state, with a line in one status."""

    buyer: Search | None = None
    state: Id | None = None
    status: Id | None = None
    limit: Limit = PAGE


class Find(OfTenant, frozen=True):
    """A text to look for."""

    search: Search


class OrderId(OfTenant, frozen=True):
    """Names an order."""

    order_id: Id


class ChangeOrder(OfTenant, frozen=True):
    """Names an order, or some of its lines, and why it is changed."""

    order_id: Id
    reason: Reason
    lines: list[Id] = field(default_factory=list)


class NoteOrder(OfTenant, frozen=True):
    """A note, which buyers never see."""

    order_id: Id
    note: Note


class RefundLine(OfTenant, frozen=True):
    """A refund of a line to its buyer's balance, or to the payer; without an amount all that is left. Once for each key."""

    order_detail_id: Id
    reason: Reason
    key: Key
    amount: Amount | None = None
    to_payer: bool = False


class ListComplaints(OfList, frozen=True):
    """Selects complaints in one state, or in `all`."""

    state: Id = "open"


class ComplaintId(OfTenant, frozen=True):
    """Names a complaint."""

    complaint_id: Id


class AnswerComplaint(OfTenant, frozen=True):
    """An answer: `replace`, `refund` (a part of the price, or all) or `reject` (with a text, which the buyer reads)."""

    complaint_id: Id
    answer: Id
    text: Note | None = None
    amount: Amount | None = None
    charge_supplier: bool = False


class CustomerId(OfTenant, frozen=True):
    """Names a customer, by id or e-mail."""

    customer: Search


class ListStock(OfList, frozen=True):
    """Selects products: all, or those whose stock is low."""

    only_low: bool = False


class ListDeposits(OfList, frozen=True):
    """Selects deposits: those that wait, or every one."""

    every: bool = False


class DepositId(OfTenant, frozen=True):
    """Names a deposit."""

    deposit_id: Id


class ListWebhooks(OfList, frozen=True):
    """Selects webhook endpoints: those that fail, or every one."""

    every: bool = False


class EndpointId(OfTenant, frozen=True):
    """Names a webhook endpoint."""

    endpoint_id: Id


class DeliveryId(OfTenant, frozen=True):
    """Names a webhook delivery."""

    delivery_id: Id


def decimal_of(value: Amount | None) -> Decimal | None:
    """An amount of a request as an exact number."""
    return None if value is None else Decimal(value)
