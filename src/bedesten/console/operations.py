"""The operations as data: name, duty, input and use case. Only what is in the table can be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bedesten.admin import (
    complaints,
    customer_records,
    customers,
    deposits,
    order_refunds,
    orders,
    products,
    webhooks,
)
from bedesten.admin.inputs import minor_amount
from bedesten.audit.actions import Actor
from bedesten.catalogue import actions as catalogue
from bedesten.complaints.model import PROPOSALS, REFUND, REJECT, Proposal
from bedesten.console import schemas
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.schemas import Amount
from bedesten.orders.listing import OrderFilter
from bedesten.orders.moves import LINE, ORDER
from bedesten.staff.roles import Duty
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.webhooks.moves import DELIVERY, ENDPOINT, FAILING, GIVEN_UP

Document = dict[str, object]
MAX_DELIVERIES = 100


@dataclass(frozen=True, slots=True)
class Call:
    """The context of an operation: the tenant's transaction, and the staff member who acts."""

    tx: Transaction
    tenant: TenantEntry
    cipher: TenantCipher
    actor: Actor
    duties: frozenset[Duty]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `writes`: it changes something, so it runs in a writing transaction."""

    name: str
    duty: Duty
    shape: type[schemas.OfTenant]
    run: Callable[[Call, Any], Document]
    writes: bool = False


def _list_orders(call: Call, wanted: schemas.ListOrders) -> Document:
    chosen = OrderFilter(
        statuses=_number(wanted.status, LINE.names, "status"), states=_number(wanted.state, ORDER.names, "state")
    )
    listed, following = orders.list_orders(call.tx, chosen, wanted.buyer or "", wanted.limit, wanted.cursor or "")
    return {"orders": listed, "nextCursor": following}


def _number(name: str | None, known: tuple[str, ...], field: str) -> frozenset[int]:
    if name is None:
        return frozenset()
    if name not in known:
        raise bad_field(field, f"must be one of {', '.join(known)}")
    return frozenset({known.index(name)})


def _find_orders(call: Call, wanted: schemas.Find) -> Document:
    return {"orders": orders.find(call.tx, call.cipher, wanted.search)}


def _show_order(call: Call, wanted: schemas.OrderId) -> Document:
    return orders.show(call.tx, wanted.order_id)


def _change(use_case: Callable[[Transaction, str, list[str], str, Actor], Document]) -> Callable[[Call, Any], Document]:
    def run(call: Call, wanted: schemas.ChangeOrder) -> Document:
        return use_case(call.tx, wanted.order_id, wanted.lines, wanted.reason, call.actor)

    return run


def _note_order(call: Call, wanted: schemas.NoteOrder) -> Document:
    return orders.note(call.tx, wanted.order_id, wanted.note, call.actor)


def _refund_line(call: Call, wanted: schemas.RefundLine) -> Document:
    amount = _minor(call, wanted.amount)
    use_case = order_refunds.refund_to_payer if wanted.to_payer else order_refunds.refund_line
    return use_case(call.tx, wanted.order_detail_id, amount, wanted.key, wanted.reason, call.actor)


def _minor(call: Call, amount: Amount | None) -> int | None:
    exact = schemas.decimal_of(amount)
    return None if exact is None else minor_amount(exact, call.tenant.currency, "amount")


def _list_complaints(call: Call, wanted: schemas.ListComplaints) -> Document:
    listed, following = complaints.list_complaints(call.tx, wanted.state, wanted.cursor or "", wanted.limit)
    return {"complaints": listed, "nextCursor": following}


def _show_complaint(call: Call, wanted: schemas.ComplaintId) -> Document:
    return complaints.show(call.tx, call.cipher, wanted.complaint_id)


def _answer_complaint(call: Call, wanted: schemas.AnswerComplaint) -> Document:
    if wanted.answer not in PROPOSALS:
        raise bad_field("answer", f"must be one of {', '.join(PROPOSALS)}")
    if wanted.amount is not None and wanted.answer != REFUND:
        raise bad_field("amount", "only a refund has an amount")
    if wanted.answer == REJECT and wanted.text is None:
        raise bad_field("text", "a rejection needs its reason")
    answer = Proposal(wanted.answer, _minor(call, wanted.amount), wanted.text or "")
    return complaints.decide(call.tx, call.cipher, wanted.complaint_id, answer, wanted.charge_supplier, call.actor)


def _find_customers(call: Call, wanted: schemas.Find) -> Document:
    return {"customers": customers.find(call.tx, wanted.search)}


def _show_customer(call: Call, wanted: schemas.CustomerId) -> Document:
    return customer_records.show(call.tx, call.tenant, customers.one(call.tx, wanted.customer))


def _reset_customer(call: Call, wanted: schemas.CustomerId) -> Document:
    found = customers.one(call.tx, wanted.customer)
    customers.reset(call.tx, call.cipher, found, call.actor)
    return {"id": found.id, "email": found.handle, "status": "accepted"}


def _disable_customer(call: Call, wanted: schemas.CustomerId) -> Document:
    found = customers.one(call.tx, wanted.customer)
    return {"id": found.id, "disabled": True, "releasedCheckouts": customers.disable(call.tx, found, call.actor)}


_STOCK = (
    "id",
    "sku",
    "name",
    "price",
    "currency",
    "fulfilment",
    "supplier",
    "status",
    "available",
    "lowStock",
    "lowSince",
)


def _list_stock(call: Call, wanted: schemas.ListStock) -> Document:
    page = products.low_page if wanted.only_low else products.list_page
    listed, following = page(call.tx, call.tenant.region, wanted.cursor or "", wanted.limit)
    return {"products": [{name: one[name] for name in _STOCK} for one in listed], "nextCursor": following}


def _list_deposits(call: Call, wanted: schemas.ListDeposits) -> Document:
    after = wanted.cursor or ""
    listed, following = deposits.list_deposits(call.tx, wanted.every, after=after, limit=wanted.limit)
    return {"deposits": listed, "nextCursor": following}


def _approve_deposit(call: Call, wanted: schemas.DepositId) -> Document:
    return deposits.approve(call.tx, wanted.deposit_id, call.actor)


def _reject_deposit(call: Call, wanted: schemas.DepositId) -> Document:
    return deposits.reject(call.tx, wanted.deposit_id, call.actor)


def _list_webhooks(call: Call, wanted: schemas.ListWebhooks) -> Document:
    failing = ENDPOINT.states[FAILING].name
    following: str | None = None
    if wanted.every:
        listed, following = webhooks.endpoints_page(call.tx, "", wanted.cursor or "", wanted.limit)
    else:
        listed = [one for one in webhooks.list_endpoints(call.tx) if _in_trouble(one, failing)]
    failed = DELIVERY.states[GIVEN_UP].name
    return {
        "endpoints": [{**one, "url": _without_query(one["url"])} for one in listed],
        "nextCursor": following,
        "failedDeliveries": webhooks.list_deliveries(call.tx, "", "", failed, "", MAX_DELIVERIES),
    }


def _in_trouble(endpoint: Mapping[str, object], failing: str) -> bool:
    return endpoint["state"] == failing or endpoint["failingSince"] is not None


def _without_query(url: object) -> str | None:
    """The URL without its query, which may hold a secret of the partner."""
    return None if url is None else str(url).partition("?")[0]


def _resume_webhook(call: Call, wanted: schemas.EndpointId) -> Document:
    return webhooks.set_paused(call.tx, wanted.endpoint_id, False, call.actor)


def _replay_webhook(call: Call, wanted: schemas.DeliveryId) -> Document:
    webhooks.replay_one(call.tx, wanted.delivery_id, call.actor)
    return {"deliveryId": wanted.delivery_id, "status": "accepted"}


_COUNTED: tuple[tuple[Duty, str, Callable[[Call], int]], ...] = (
    (Duty.READ_COMPLAINTS, "openComplaints", lambda call: len(complaints.list_complaints(call.tx)[0])),
    (Duty.READ_DEPOSITS, "waitingDeposits", lambda call: len(deposits.list_deposits(call.tx)[0])),
    (Duty.READ_STOCK, "lowProducts", lambda call: catalogue.count_low(call.tx)),
    (
        Duty.READ_WEBHOOKS,
        "failingEndpoints",
        lambda call: sum(one["failingSince"] is not None for one in webhooks.list_endpoints(call.tx)),
    ),
)


def overview(call: Call) -> Document:
    """Counts the items that wait for staff, as far as the member may read them."""
    return {name: count(call) for duty, name, count in _COUNTED if duty in call.duties}


_TABLE = (
    Operation("orders.list", Duty.READ_ORDERS, schemas.ListOrders, _list_orders),
    Operation("orders.find", Duty.READ_ORDERS, schemas.Find, _find_orders),
    Operation("orders.show", Duty.READ_ORDERS, schemas.OrderId, _show_order),
    Operation("orders.note", Duty.NOTE_ORDERS, schemas.NoteOrder, _note_order, writes=True),
    Operation("orders.hold", Duty.HOLD_ORDERS, schemas.ChangeOrder, _change(orders.hold_order), writes=True),
    Operation("orders.release", Duty.HOLD_ORDERS, schemas.ChangeOrder, _change(orders.release_order), writes=True),
    Operation("orders.cancel", Duty.CANCEL_ORDERS, schemas.ChangeOrder, _change(orders.cancel_order), writes=True),
    Operation("orders.refund", Duty.REFUND_ORDERS, schemas.RefundLine, _refund_line, writes=True),
    Operation("complaints.list", Duty.READ_COMPLAINTS, schemas.ListComplaints, _list_complaints),
    Operation("complaints.show", Duty.READ_COMPLAINTS, schemas.ComplaintId, _show_complaint),
    Operation("complaints.answer", Duty.ANSWER_COMPLAINTS, schemas.AnswerComplaint, _answer_complaint, writes=True),
    Operation("customers.find", Duty.READ_CUSTOMERS, schemas.Find, _find_customers),
    Operation("customers.show", Duty.READ_CUSTOMERS, schemas.CustomerId, _show_customer),
    Operation("customers.reset", Duty.RESET_CUSTOMERS, schemas.CustomerId, _reset_customer, writes=True),
    Operation("customers.disable", Duty.DISABLE_CUSTOMERS, schemas.CustomerId, _disable_customer, writes=True),
    Operation("stock.list", Duty.READ_STOCK, schemas.ListStock, _list_stock),
    Operation("deposits.list", Duty.READ_DEPOSITS, schemas.ListDeposits, _list_deposits),
    Operation("deposits.approve", Duty.DECIDE_DEPOSITS, schemas.DepositId, _approve_deposit, writes=True),
    Operation("deposits.reject", Duty.DECIDE_DEPOSITS, schemas.DepositId, _reject_deposit, writes=True),
    Operation("webhooks.list", Duty.READ_WEBHOOKS, schemas.ListWebhooks, _list_webhooks),
    Operation("webhooks.resume", Duty.REPLAY_WEBHOOKS, schemas.EndpointId, _resume_webhook, writes=True),
    Operation("webhooks.replay", Duty.REPLAY_WEBHOOKS, schemas.DeliveryId, _replay_webhook, writes=True),
)

OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in _TABLE}
"""Every operation by its name."""
