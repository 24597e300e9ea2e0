"""Buyers complain, read their complaints and withdraw them; suppliers read and answer theirs."""

import json

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import units
from bedesten.catalogue.moves import BAD
from bedesten.catalogue.units import Unit
from bedesten.complaints import decisions, supplier_pause, window
from bedesten.complaints import statements as sql
from bedesten.complaints.decisions import TEXT
from bedesten.complaints.model import REFUND, REJECT, REPLACE, Complaint, NewComplaint, Proposal, Texts
from bedesten.complaints.moves import COMPLAINT, OPEN, REFUNDED, REJECTED, REPLACED, WITHDRAWN
from bedesten.errors import Refusal, bad_field
from bedesten.orders import actions as orders
from bedesten.orders import assignments
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import Line, Order
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.money_approval import in_currency

ANY_STATE = -1


def create(
    tx: Transaction, cipher: TenantCipher, buyer: str, request: NewComplaint, actor: Actor, origin: str = "buyer"
) -> Complaint:
    """Opens a complaint about a delivered unit of one of the buyer's lines.

    The same complaint again returns the first one. Raises `Refusal`: -3 for a line that is not the buyer's; -2 for
    a code that the line does not have, or a missing one; -8 if nothing was delivered yet or the unit has another
    complaint; -510 if the line's time has passed.
    """
    order, line = orders.line_of(tx, buyer, request.line_id)
    tx.one(orders_sql.LOCK, order_id=order.id)
    order, line = orders.line_of(tx, buyer, request.line_id)
    if not line.delivered:
        raise Refusal(
            errors.CONFLICT, "nothing of the line was delivered yet", fields={"orderDetailId": "is not delivered"}
        )
    unit = _unit(tx, cipher, line, request)
    known = _known(tx, line, unit, request)
    if known:
        return known
    if origin == "buyer":
        window.check(tx, line)
    return _open(tx, cipher, order, line, unit, request, actor, origin)


def _unit(tx: Transaction, cipher: TenantCipher, line: Line, request: NewComplaint) -> Unit | None:
    """Returns the unit that the complaint is about; None for a line that was delivered by a note alone."""
    if request.code is not None:
        found = units.find_unit(tx, cipher, line.id, request.code)
        if found is None:
            raise bad_field("code", "the line has no such code")
        return found
    listed = [one for one in units.units_of(tx, line.id) if one.state != BAD]
    if len(listed) > 1:
        raise bad_field("code", f"must name one of the {len(listed)} codes of the line")
    return listed[0] if listed else None


def _known(tx: Transaction, line: Line, unit: Unit | None, request: NewComplaint) -> Complaint | None:
    """Returns the complaint that the same request made before. Raises `Refusal` (-8) if another one is in effect."""
    before = tx.all(sql.OF_SUBJECT, subject=unit.code_id if unit else line.id)
    for one in before:
        if one.digest == request.digest() and one.state != WITHDRAWN:
            return one
    for one in before:
        if one.state in (OPEN, REPLACED, REFUNDED):
            problem = f"has complaint {one.id}, which is {COMPLAINT.states[one.state].name}"
            raise Refusal(errors.CONFLICT, problem, fields={"code": problem})
    if unit and unit.state == BAD:
        raise Refusal(errors.CONFLICT, "the code was replaced", fields={"code": "was replaced by another one"})
    return None


def _open(
    tx: Transaction,
    cipher: TenantCipher,
    order: Order,
    line: Line,
    unit: Unit | None,
    request: NewComplaint,
    actor: Actor,
    origin: str,
) -> Complaint:
    complaint, (supplier, earned) = tx.new_id("cmp"), _earning(tx, line, unit)
    said = json.dumps([request.text, request.evidence], ensure_ascii=False)
    empty = dict.fromkeys(
        ("proposal", "proposed_amount", "proposal_ciphertext", "answer_ciphertext", "decided_by", "replacement_id")
    )
    made = tx.run(
        sql.INSERT,
        id=complaint,
        order_id=order.id,
        line_id=line.id,
        buyer_id=order.buyer_id,
        code_id=unit.code_id if unit else None,
        subject=unit.code_id if unit else line.id,
        supplier_id=supplier,
        earned=earned,
        origin=origin,
        reason=request.reason,
        digest=request.digest(),
        ciphertext=cipher.encrypt(tx, TEXT, complaint, said),
        state=OPEN,
        refunded=0,
        charged=0,
        created=tx.now,
        updated=tx.now,
        **empty,
    )
    if not made:
        raise RetryTransaction("another complaint about the unit was opened at this moment")
    record(tx, actor, "complaint.open", complaint, line=line.id, reason=request.reason, supplier=supplier)
    decisions.tell_supplier(tx, supplier, complaint, line, request.reason)
    if supplier and origin == "buyer":
        supplier_pause.pause_if_complained(tx, supplier)
    return complaint_of(tx, complaint)


def _earning(tx: Transaction, line: Line, unit: Unit | None) -> tuple[str | None, int]:
    """Returns who supplied the unit, or the whole line where it has no codes, and what it earned with it."""
    if unit and unit.batch_id:
        return unit.supplier_id, (unit.unit_cost or 0) if unit.supplier_id else 0
    by = assignments.supplier_of_unit(tx, line.id, (unit.unit or 0) if unit else 0)
    return (by.supplier_id, (by.unit_cost or 0) * (1 if unit else line.delivered)) if by else (None, 0)


def complaint_of(tx: Transaction, complaint: str, *, buyer: str = "", supplier: str = "") -> Complaint:
    """Returns a complaint, of this buyer or supplier if one is named. Raises `Refusal` (-3)."""
    found = tx.one(sql.BY_ID, complaint=complaint)
    if found is None or (buyer and found.buyer_id != buyer) or (supplier and found.supplier_id != supplier):
        raise Refusal(errors.NOT_FOUND, "no such complaint, or another account's", missing="complaint")
    return found


def texts_of(tx: Transaction, cipher: TenantCipher, one: Complaint) -> Texts:
    """Decrypts the texts of a complaint."""

    def read(ciphertext: bytes | None) -> str | None:
        return None if ciphertext is None else cipher.decrypt(tx, TEXT, one.id, bytes(ciphertext))

    text, evidence = json.loads(read(one.ciphertext) or "[]")
    return Texts(text, evidence, read(one.proposal_ciphertext), read(one.answer_ciphertext))


def complaints_of_buyer(
    tx: Transaction, buyer: str, after: str, size: int, since: int = 0, state: int = ANY_STATE
) -> list[Complaint]:
    """Returns a page of a buyer's complaints, and one more: the oldest first, from the id `after` on."""
    return tx.all(sql.OF_BUYER, buyer=buyer, after=after, most=size + 1, since=since, state=state)


def complaints_of_supplier(
    tx: Transaction, supplier: str, after: str, size: int, since: int = 0, state: int = ANY_STATE
) -> list[Complaint]:
    """Returns a page of the complaints about what a supplier delivered, and one more, like `complaints_of_buyer`."""
    return tx.all(sql.OF_SUPPLIER, supplier=supplier, after=after, most=size + 1, since=since, state=state)


def withdraw(tx: Transaction, buyer: str, complaint: str, actor: Actor) -> Complaint:
    """Withdraws an open complaint of a buyer; a second call changes nothing. Raises `Refusal`: -3, -8 if it is answered."""
    found = complaint_of(tx, complaint, buyer=buyer)
    tx.one(orders_sql.LOCK, order_id=found.order_id)
    if not tx.run(sql.WITHDRAW, complaint=found.id, now=tx.now):
        now = complaint_of(tx, complaint, buyer=buyer)
        if now.state != WITHDRAWN:
            raise decisions.is_closed(now)
        return now
    record(tx, actor, "complaint.withdraw", found.id)
    return complaint_of(tx, complaint)


def counts_of_supplier(tx: Transaction, supplier: str, since: int = 0) -> tuple[int, int]:
    """Counts the complaints about a supplier's units opened since `since`, and those for which it gave money back."""
    row = tx.one(sql.COUNTS_OF_SUPPLIER, supplier=supplier, since=since)
    assert row is not None, "a count has a row"
    return int(row[0]), int(row[1])


_RESULTS = {REPLACE: REPLACED, REFUND: REFUNDED, REJECT: REJECTED}


def answer(
    tx: Transaction, cipher: TenantCipher, supplier: str, complaint: str, proposal: Proposal, actor: Actor
) -> Complaint:
    """Stores a supplier's answer to an open complaint as its proposal; decides if the tenant lets suppliers decide.

    A supplier that replaces or refunds is at fault and gives its earning back. A replacement for which no code is left
    stays a proposal. The same answer to a complaint that it has decided changes nothing. Raises `Refusal`: -3; -2 for an
    amount above the unit's price; -8 if the complaint is answered or withdrawn.
    """
    found = complaint_of(tx, complaint, supplier=supplier)
    tx.one(orders_sql.LOCK, order_id=found.order_id)
    if proposal.kind == REFUND:
        decisions.check_amount(tx, found, proposal.amount)
    text = cipher.encrypt(tx, TEXT, found.id, proposal.text) if proposal.text else None
    asked = {"proposal": proposal.kind, "amount": proposal.amount, "text": text}
    if not tx.run(sql.PROPOSE, complaint=found.id, now=tx.now, **asked):
        now = complaint_of(tx, complaint)
        same = (now.proposal, now.proposed_amount) == (proposal.kind, proposal.amount)
        if now.decided_by == supplier and now.state == _RESULTS[proposal.kind] and same:
            return now
        raise decisions.is_closed(now)
    record(tx, actor, "complaint.propose", found.id, proposal=proposal.kind, amount=in_currency(tx, proposal.amount))
    if supplier_decides(tx):
        decisions.decide(tx, cipher, complaint_of(tx, complaint), proposal, actor, charge=proposal.kind != REJECT)
    return complaint_of(tx, complaint)


def supplier_decides(tx: Transaction) -> bool:
    """Reports whether a supplier's answer takes effect at once; otherwise the operator decides."""
    row = tx.one(sql.SETTINGS)
    return bool(row and row[0])


def set_supplier_decides(tx: Transaction, decides: bool, actor: Actor) -> None:
    """Changes whether a supplier's answer takes effect at once."""
    if not tx.run(sql.INSERT_SETTINGS, supplier_decides=int(decides), days=window.DEFAULT_DAYS):
        tx.run(sql.UPDATE_SETTINGS, new_decides=int(decides))
    record(tx, actor, "complaint.settings", tx.tenant, supplier_decides=decides)
