"""The operator's complaints: reads them with what is known of the unit, decides them, and makes good without one."""

from sqlalchemy import select

from bedesten.accounts.tables import accounts
from bedesten.audit.actions import OPERATOR
from bedesten.audit.tables import audit
from bedesten.catalogue import units
from bedesten.catalogue.code import masked
from bedesten.complaints import actions, decisions
from bedesten.complaints.actions import ANY_STATE
from bedesten.complaints.model import OTHER, REFUND, REJECT, REPLACE, Complaint, NewComplaint, Proposal
from bedesten.complaints.moves import COMPLAINT
from bedesten.complaints.statements import ALL
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import NOT_FOUND, Refusal, bad_field
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.orders import statements as sql
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


def list_complaints(tx: Transaction, state: str = "open", supplier: str = "") -> list[dict[str, object]]:
    """Complaints in a state, or in `all`; oldest first, at most `MAX_LISTED`. Raises `Refusal` (-2)."""
    if state not in (*COMPLAINT.names, "all"):
        raise bad_field("--state", f"one of {', '.join(COMPLAINT.names)}, all")
    number = ANY_STATE if state == "all" else COMPLAINT.names.index(state)
    found = tx.all(ALL, after="", since=0, state=number, most=MAX_LISTED)
    return [shown(tx, one) for one in found if supplier in ("", one.supplier_id)]


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
) -> dict[str, object]:
    """Decides an open complaint. Raises `Refusal`: -3; -2; -8 if it is not open, or no code is left for a replacement."""
    one = actions.complaint_of(tx, complaint)
    if not decisions.decide(tx, cipher, one, answer, OPERATOR, charge=charge):
        raise decisions.out_of_stock(one)
    return shown(tx, actions.complaint_of(tx, complaint))


def replace_unit(
    tx: Transaction, cipher: TenantCipher, line_id: str, unit: int | None, reason: str, charge: bool
) -> dict[str, object]:
    """Replaces a unit of a line, counted from 1, as if its buyer had complained. Raises `Refusal`: -3, -2, -8."""
    order, line = line_of(tx, line_id)
    listed = [one for one in units.units_of(tx, line.id) if one.unit is not None]
    if unit is None and len(listed) != 1:
        raise bad_field("--unit", f"the line has {len(listed)} codes: say which one, 1 to {len(listed)}")
    number = 1 if unit is None else unit
    if not 1 <= number <= len(listed):
        raise bad_field("--unit", f"must be 1 to {len(listed)}")
    code = units.code_of(tx, cipher, listed[number - 1].code_id)
    said = NewComplaint(line.id, OTHER, code, reason)
    one = actions.create(tx, cipher, order.buyer_id, said, OPERATOR, "operator")
    return decide(tx, cipher, one.id, Proposal(REPLACE, None, reason), charge)


def refund_line(tx: Transaction, line_id: str, amount: int | None, key: str, reason: str) -> dict[str, object]:
    """Refunds a line, or a part of what was paid for it, to its buyer's balance, once for each key.

    Raises `Refusal`: -3; -8 if more than the rest would be given back, or the key names another refund.
    """
    order, line = line_of(tx, line_id)
    full_key = f"operator:{key}" if key else f"operator:{tx.new_id('key')}"
    known = refunds.refund_of(tx, full_key)
    left = known.amount if known and amount is None else refunds.refundable(line)
    made = (
        refunds.refund_line(tx, order, line, left if amount is None else amount, full_key, reason, OPERATOR)
        if (left or amount)
        else None
    )
    if made is None:
        raise bad_field("line", "there is nothing to refund")
    after = line_of(tx, line_id)[1]
    return {
        "refundId": made.id,
        "orderDetailId": line.id,
        "amount": to_decimal(made.amount, order.currency),
        "refunded": to_decimal(after.refunded, order.currency),
        "refundable": to_decimal(refunds.refundable(after), order.currency),
        "currency": order.currency,
    }


def line_of(tx: Transaction, line_id: str) -> tuple[Order, Line]:
    """Any buyer's order line. Raises `Refusal` (-3)."""
    line = tx.one(sql.LINE, line=line_id)
    order = tx.one(sql.ORDER_BY_ID, order_id=line.order_id) if line else None
    if line is None or order is None:
        raise Refusal(NOT_FOUND, f"no order line {line_id}", missing="order line")
    return order, line


def _bought(tx: Transaction, one: Complaint) -> tuple[Order, Line]:
    return orders.line_of(tx, one.buyer_id, one.line_id)


ANSWERS = {"replace": REPLACE, "refund": REFUND, "reject": REJECT}
