"""The operator's complaints: lists, shows and decides them."""

from sqlalchemy import select

from bedesten.accounts.tables import accounts
from bedesten.admin.inputs import page_of
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.audit.tables import audit
from bedesten.catalogue import units
from bedesten.catalogue.code import masked
from bedesten.complaints import actions, decisions
from bedesten.complaints.actions import ANY_STATE
from bedesten.complaints.model import Complaint, Proposal
from bedesten.complaints.moves import COMPLAINT
from bedesten.complaints.statements import ALL
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.orders import actions as orders
from bedesten.orders.model import Line, Order
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_LISTED = 1_000
_A, _T = accounts.c, audit.c
_NAME = statement(select(_A.name, _A.handle).where(_A.tenant_id == TENANT, _A.id == p("id")))
_REVEALS = statement(
    select(_T.at, _T.actor)
    .where(_T.tenant_id == TENANT, _T.action == "line.reveal", _T.subject == p("line"))
    .order_by(_T.at)
)


def list_complaints(
    tx: Transaction, state: str = "open", after: str = "", limit: int = MAX_LISTED
) -> tuple[list[dict[str, object]], str | None]:
    """A page of complaints in a state, or in `all`, oldest first, and the cursor of the next. Raises `Refusal` (-2)."""
    if state not in (*COMPLAINT.names, "all"):
        raise bad_field("--state", f"one of {', '.join(COMPLAINT.names)}, all")
    number = ANY_STATE if state == "all" else COMPLAINT.names.index(state)
    found, following = page_of(
        tx.all(ALL, after=after, since=0, state=number, most=limit + 1), limit, lambda one: one.id
    )
    return [shown(tx, one) for one in found], following


def shown(tx: Transaction, one: Complaint) -> dict[str, object]:
    """A complaint as `--json` shows it, without texts and codes."""
    order, line = _bought(tx, one)
    supplier = tx.one(_NAME, id=one.supplier_id) if one.supplier_id else None
    buyer = tx.one(_NAME, id=one.buyer_id)
    return {
        "complaintId": one.id,
        "state": COMPLAINT.states[one.state].name,
        "reason": one.reason,
        "origin": one.origin,
        "buyer": buyer[1] if buyer else one.buyer_id,
        "orderId": order.id,
        "orderReference": order.reference,
        "orderDetailId": line.id,
        "product": line.product_name,
        "supplier": supplier[0] if supplier else None,
        "earned": to_decimal(one.earned, order.currency),
        "charged": to_decimal(one.charged, order.currency),
        "unitPrice": to_decimal(line.unit_price, order.currency),
        "refunded": to_decimal(one.refunded, order.currency),
        "currency": order.currency,
        "proposal": one.proposal,
        "proposedAmount": None if one.proposed_amount is None else to_decimal(one.proposed_amount, order.currency),
        "decidedBy": one.decided_by,
        "created": wire_time(one.created),
        "updated": wire_time(one.updated),
    }


def show(tx: Transaction, cipher: TenantCipher, complaint: str) -> dict[str, object]:
    """A complaint with its texts, its masked code, and when the codes of its line were revealed. Raises `Refusal` (-3)."""
    one = actions.complaint_of(tx, complaint)
    said = actions.texts_of(tx, cipher, one)
    code = units.code_of(tx, cipher, one.code_id) if one.code_id else None
    return {
        **shown(tx, one),
        "code": masked(code) if code else None,
        "text": said.text or None,
        "evidence": said.evidence or None,
        "proposalText": said.proposal,
        "answer": said.answer,
        "revealed": [{"at": wire_time(at), "by": actor} for at, actor in tx.all(_REVEALS, line=one.line_id)],
    }


def decide(
    tx: Transaction,
    cipher: TenantCipher,
    complaint: str,
    answer: Proposal,
    charge: bool,
    actor: Actor = OPERATOR,
) -> dict[str, object]:
    """Decides an open complaint. Raises `Refusal`: -3; -2; -8 if it is not open, or no code is left for a replacement."""
    one = actions.complaint_of(tx, complaint)
    if not decisions.decide(tx, cipher, one, answer, actor, charge=charge):
        raise decisions.out_of_stock(one)
    return shown(tx, actions.complaint_of(tx, complaint))


def _bought(tx: Transaction, one: Complaint) -> tuple[Order, Line]:
    return orders.line_of(tx, one.buyer_id, one.line_id)
