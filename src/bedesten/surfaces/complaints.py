"""Operations on complaints: the same four for buyers on both of their surfaces, and those of suppliers."""

from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta

from bedesten import errors
from bedesten.audit.actions import record
from bedesten.catalogue.code import MAX_CODE, code_text, read_code
from bedesten.catalogue.units import code_of
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import (
    MAX_EVIDENCE,
    MAX_TEXT,
    OTHER,
    PROPOSALS,
    REASONS,
    RECALLED,
    REFUND,
    REJECT,
    Complaint,
    NewComplaint,
    Proposal,
)
from bedesten.complaints.moves import COMPLAINT, OPEN, REFUNDED
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.route import Example, Reads, Reveals, Route, Writes
from bedesten.http.schemas import Amount, RequestModel, ResponseModel, amount
from bedesten.http.text_fields import kind
from bedesten.orders import statements as orders_sql
from bedesten.store.transaction import Transaction
from bedesten.surfaces import example_values, views
from bedesten.surfaces.route_table import RouteTable
from bedesten.surfaces.schemas import Id, Page, Paging, Time

RIGHT = "complaints:manage"
"""The scope of buyers and the grant of suppliers."""

Reason = Annotated[str, Meta(title="ComplaintReason", extra_json_schema={"enum": list(REASONS)})]
ShownReason = Annotated[str, Meta(title="ShownComplaintReason", extra_json_schema={"enum": [*REASONS, RECALLED]})]
State = Annotated[str, Meta(title="ComplaintState", extra_json_schema={"enum": list(COMPLAINT.names)})]
Answer = Annotated[str, Meta(title="ComplaintAnswer", extra_json_schema={"enum": list(PROPOSALS)})]
Remark = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, extra=kind(text.note))]
Evidence = Annotated[str, Meta(min_length=1, max_length=MAX_EVIDENCE, extra=kind(text.note))]
Code = Annotated[str, Meta(min_length=1, max_length=MAX_CODE, extra=kind(code_text))]


class CreateComplaint(RequestModel, frozen=True):
    """What is wrong with a delivered unit. `code` may be left out if the line has one code, or none."""

    order_detail_id: Id
    reason: Reason
    code: Code | None = None
    text: Remark | None = None
    evidence: Evidence | None = None


class ListComplaints(Paging, frozen=True):
    """Selects complaints in one state, or in all."""

    state: State | None = None


class GetComplaint(RequestModel, frozen=True):
    """Selects one complaint."""

    complaint_id: Id


class WithdrawComplaint(RequestModel, frozen=True):
    """Selects the complaint to withdraw."""

    complaint_id: Id


class AnswerComplaint(RequestModel, frozen=True):
    """A supplier's answer. `amount` belongs to a refund: without it the whole price; a rejection needs a `text`."""

    complaint_id: Id
    answer: Answer
    amount: Amount | None = None
    text: Remark | None = None


class ComplaintSummary(ResponseModel, frozen=True):
    """A complaint without what people wrote."""

    complaint_id: str
    order_id: str
    order_detail_id: str
    reason: ShownReason
    state: State
    refund_amount: Decimal | None
    currency: str
    created: Time
    updated: Time


class ComplaintView(ComplaintSummary, frozen=True):
    """A complaint as its buyer sees it. A replacement is read with the order line: it has the place of the old code."""

    text: str | None
    evidence: str | None
    answer: str | None


class SupplierComplaint(ResponseModel, frozen=True):
    """A complaint about a unit that the supplier delivered. `earned` is for the unit, `charged` was taken back."""

    complaint_id: str
    order_detail_id: str
    product_id: str
    reason: ShownReason
    state: State
    proposal: Answer | None
    proposed_amount: Decimal | None
    earned: Decimal
    charged: Decimal
    currency: str
    created: Time
    updated: Time


class SupplierComplaintView(SupplierComplaint, frozen=True):
    """A complaint with its code and what the buyer wrote. `code` is null for a delivery by a note."""

    code: str | None
    text: str | None
    evidence: str | None
    answer: str | None


# --- buyers -----------------------------------------------------------------------------------------------------------


def create(tx: Transaction, context: RequestContext, body: CreateComplaint) -> ComplaintView:
    """Opens a complaint; answers the same complaint again to the same request."""
    reason = _known(body.reason, REASONS, "reason")
    if reason == OTHER and not body.text:
        raise bad_field("text", f"is required with the reason {OTHER}")
    code = None if body.code is None else read_code(body.code)
    said = NewComplaint(body.order_detail_id, reason, code, body.text or "", body.evidence or "")
    return _view(tx, context, complaints.create(tx, context.cipher, context.who.owner, said, context.actor))


def list_own(tx: Transaction, context: RequestContext, body: ListComplaints) -> Page[ComplaintSummary]:
    """One page of the buyer's complaints, the oldest first."""
    page = views.requested_page(context, "complaints", body)
    found = complaints.complaints_of_buyer(tx, context.who.owner, page.after, page.size, page.since, _state(body))
    return views.page_view(context, "complaints", found, page, _id, lambda one: _summary(context, one))


def get(tx: Transaction, context: RequestContext, body: GetComplaint) -> ComplaintView:
    """One complaint of the buyer."""
    return _view(tx, context, complaints.complaint_of(tx, body.complaint_id, buyer=context.who.owner))


def withdraw(tx: Transaction, context: RequestContext, body: WithdrawComplaint) -> ComplaintView:
    """Withdraws an open complaint; a second call changes nothing."""
    return _view(tx, context, complaints.withdraw(tx, context.who.owner, body.complaint_id, context.actor))


def _id(one: Complaint) -> str:
    return one.id


def _known(value: str, values: tuple[str, ...], field: str) -> str:
    """The value in the documented spelling. Raises `Refusal` (-2) for another one."""
    if value not in values:
        raise bad_field(field, f"must be one of {', '.join(values)}")
    return value


def _state(body: ListComplaints) -> int:
    if body.state is None:
        return complaints.ANY_STATE
    return COMPLAINT.names.index(_known(body.state, COMPLAINT.names, "state"))


def _summary(context: RequestContext, one: Complaint) -> ComplaintSummary:
    currency = context.tenant.currency
    return ComplaintSummary(
        complaint_id=one.id,
        order_id=one.order_id,
        order_detail_id=one.line_id,
        reason=one.reason,
        state=COMPLAINT.states[one.state].name,
        refund_amount=to_decimal(one.refunded, currency) if one.state == REFUNDED else None,
        currency=currency,
        created=wire_time(one.created),
        updated=wire_time(one.updated),
    )


def _view(tx: Transaction, context: RequestContext, one: Complaint) -> ComplaintView:
    said, short = complaints.texts_of(tx, context.cipher, one), _summary(context, one)
    members = {name: getattr(short, name) for name in short.__struct_fields__}
    return ComplaintView(**members, text=said.text or None, evidence=said.evidence or None, answer=said.answer)


# --- suppliers --------------------------------------------------------------------------------------------------------


def list_for_supplier(tx: Transaction, context: RequestContext, body: ListComplaints) -> Page[SupplierComplaint]:
    """One page of the complaints about what the supplier delivered, the oldest first."""
    page = views.requested_page(context, "complaints", body)
    found = complaints.complaints_of_supplier(tx, context.who.owner, page.after, page.size, page.since, _state(body))
    return views.page_view(context, "complaints", found, page, _id, lambda one: _for_supplier(tx, context, one))


def get_for_supplier(tx: Transaction, context: RequestContext, body: GetComplaint) -> SupplierComplaintView:
    """One complaint with its code and texts."""
    return _supplier_view(tx, context, complaints.complaint_of(tx, body.complaint_id, supplier=context.who.owner))


def answer(tx: Transaction, context: RequestContext, body: AnswerComplaint) -> SupplierComplaint:
    """Keeps the supplier's answer, which the operator decides about, or decides at once where the shop allows that."""
    wanted = _known(body.answer, PROPOSALS, "answer")
    if body.amount is not None and wanted != REFUND:
        raise bad_field("amount", "belongs to a refund")
    if wanted == REJECT and not body.text:
        raise bad_field("text", "a rejection needs its reason")
    minor = None if body.amount is None else amount(body.amount, context.tenant.currency, "amount")
    proposal = Proposal(wanted, minor, body.text or "")
    supplier = context.who.owner
    done = complaints.answer(tx, context.cipher, supplier, body.complaint_id, proposal, context.actor)
    return _for_supplier(tx, context, done)


def _for_supplier(tx: Transaction, context: RequestContext, one: Complaint) -> SupplierComplaint:
    line, currency = tx.one(orders_sql.LINE, line=one.line_id), context.tenant.currency
    assert line is not None, "a complaint has a line"
    return SupplierComplaint(
        complaint_id=one.id,
        order_detail_id=one.line_id,
        product_id=line.product_id,
        reason=one.reason,
        state=COMPLAINT.states[one.state].name,
        proposal=one.proposal,
        proposed_amount=None if one.proposed_amount is None else to_decimal(one.proposed_amount, currency),
        earned=to_decimal(one.earned, currency),
        charged=to_decimal(one.charged, currency),
        currency=currency,
        created=wire_time(one.created),
        updated=wire_time(one.updated),
    )


def _supplier_view(tx: Transaction, context: RequestContext, one: Complaint) -> SupplierComplaintView:
    said, short = complaints.texts_of(tx, context.cipher, one), _for_supplier(tx, context, one)
    code = code_of(tx, context.cipher, one.code_id) if one.code_id else None
    if code:
        record(tx, context.actor, "line.reveal", one.line_id, codes=1, complaint=one.id)
    return SupplierComplaintView(
        **{name: getattr(short, name) for name in short.__struct_fields__},
        code=code.code if code else None,
        text=said.text or None,
        evidence=said.evidence or None,
        answer=said.answer,
    )


# --- routes -----------------------------------------------------------------------------------------------------------

_SUMMARY = ComplaintSummary(
    complaint_id=example_values.COMPLAINT,
    order_id=example_values.ORDER,
    order_detail_id=example_values.CARD_LINE,
    reason="ALREADY_REDEEMED",
    state=COMPLAINT.states[OPEN].name,
    refund_amount=None,
    currency="USD",
    created=example_values.NOW,
    updated=example_values.NOW,
)
_SHORT = {name: getattr(_SUMMARY, name) for name in _SUMMARY.__struct_fields__}
SAID = "The publisher says that it was used yesterday."


def buyer_routes(
    surface: Surface, order: str, line: str, complaint: str = example_values.COMPLAINT
) -> tuple[Route, ...]:
    """The four operations of a buyer's surface; `order`, `line` and `complaint` are those of its examples."""
    post = RouteTable(surface).post
    path = "/Complaints" if surface is Surface.RESELLER else f"/{surface.value.capitalize()}/Complaints"
    short = _SHORT | {"complaint_id": complaint, "order_id": order, "order_detail_id": line}
    view = ComplaintView(**short, text=SAID, evidence=None, answer=None)
    withdrawn = ComplaintView(**short | {"state": "withdrawn"}, text=SAID, evidence=None, answer=None)
    one, ended = GetComplaint(complaint_id=complaint), WithdrawComplaint(complaint_id=complaint)
    asked = CreateComplaint(order_detail_id=line, reason="ALREADY_REDEEMED", text=SAID)
    return (
        post(f"{path}/Create", access=RIGHT, handler=Writes(create), summary="Complain about a delivered unit",
             errors=(errors.NOT_FOUND, errors.CONFLICT, errors.COMPLAINT_WINDOW), example=Example(view, asked)),
        post(f"{path}/List", access=RIGHT, handler=Reads(list_own), summary="List complaints",
             example=Example(Page([ComplaintSummary(**short)], None), ListComplaints(page_size=20, state="open"))),
        post(f"{path}/Get", access=RIGHT, handler=Reads(get), summary="Read one complaint",
             errors=(errors.NOT_FOUND,), example=Example(view, one)),
        post(f"{path}/Withdraw", access=RIGHT, handler=Writes(withdraw), summary="Withdraw an open complaint",
             errors=(errors.NOT_FOUND, errors.CONFLICT), example=Example(withdrawn, ended)),
    )  # fmt: skip


def supplier_routes() -> tuple[Route, ...]:
    """The three operations of the Supplier surface."""
    post, path = RouteTable(Surface.SUPPLIER).post, "/Supplier/Complaints"
    short: dict[str, Any] = {
        "complaint_id": example_values.SUPPLIER_COMPLAINT,
        "order_detail_id": example_values.COMPLAINED_LINE,
        "product_id": example_values.TOP_UP,
        "reason": "INVALID_CODE",
        "state": COMPLAINT.states[OPEN].name,
        "proposal": None,
        "proposed_amount": None,
        "earned": Decimal("6.00"),
        "charged": Decimal("0.00"),
        "currency": "USD",
        "created": example_values.NOW,
        "updated": example_values.NOW,
    }
    view = SupplierComplaintView(**short, code=example_values.COMPLAINED_CODE, text=SAID, evidence=None, answer=None)
    proposed = SupplierComplaint(**short | {"proposal": REFUND, "proposed_amount": Decimal("3.50")})
    one = GetComplaint(complaint_id=example_values.SUPPLIER_COMPLAINT)
    said = AnswerComplaint(
        complaint_id=example_values.SUPPLIER_COMPLAINT,
        answer=REFUND,
        amount=Decimal("3.50"),
        text="Half of it is left.",
    )
    return (
        post(f"{path}/List", access=RIGHT, handler=Reads(list_for_supplier),
             summary="List the complaints about what the supplier delivered",
             example=Example(Page([SupplierComplaint(**short)], None), ListComplaints(page_size=20, state="open"))),
        post(f"{path}/Get", access=RIGHT, handler=Reveals(get_for_supplier), summary="Read one complaint and its code",
             errors=(errors.NOT_FOUND,), example=Example(view, one)),
        post(f"{path}/Answer", access=RIGHT, handler=Writes(answer), summary="Answer a complaint",
             errors=(errors.NOT_FOUND, errors.CONFLICT), example=Example(proposed, said)),
    )  # fmt: skip
