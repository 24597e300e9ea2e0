"""All SQL statements on complaints."""

from typing import Any

from sqlalchemy import case, func, or_, select, update

from bedesten.complaints.model import Complaint
from bedesten.complaints.moves import COMPLAINT
from bedesten.complaints.tables import complaint_settings, complaints
from bedesten.store.sql import TENANT, insert_of, move_of, p, rows_as, statement

_C = complaints.c
_COLUMNS = (
    _C.id, _C.order_id, _C.line_id, _C.buyer_id, _C.code_id, _C.supplier_id, _C.earned, _C.origin, _C.reason, _C.digest,
    _C.ciphertext, _C.state, _C.proposal, _C.proposed_amount, _C.proposal_ciphertext, _C.answer_ciphertext, _C.decided_by,
    _C.refunded, _C.charged, _C.replacement_id, _C.created, _C.updated,
)  # fmt: skip
_MINE = select(*_COLUMNS).where(_C.tenant_id == TENANT)
_ROW = _C.id == p("complaint")

INSERT = insert_of(complaints, or_ignore=True)
BY_ID = rows_as(Complaint, _MINE.where(_ROW))
OF_SUBJECT = rows_as(Complaint, _MINE.where(_C.subject == p("subject")).order_by(_C.created.desc(), _C.id.desc()))
_PAGE: tuple[Any, ...] = (
    _C.id > p("after"),
    _C.updated >= p("since"),
    or_(p("state") == -1, _C.state == p("state")),
)
OF_BUYER = rows_as(Complaint, _MINE.where(_C.buyer_id == p("buyer"), *_PAGE).order_by(_C.id).limit(p("most")))
OF_SUPPLIER = rows_as(Complaint, _MINE.where(_C.supplier_id == p("supplier"), *_PAGE).order_by(_C.id).limit(p("most")))
ALL = rows_as(Complaint, _MINE.where(*_PAGE).order_by(_C.id).limit(p("most")))

COUNTS_OF_SUPPLIER = statement(
    select(func.count(), func.coalesce(func.sum(case((_C.charged > 0, 1), else_=0)), 0)).where(
        _C.tenant_id == TENANT, _C.supplier_id == p("supplier"), _C.created >= p("since")
    )
)
_UPDATED = {"updated": p("now")}
_DECIDED: dict[str, Any] = {**_UPDATED, "decided_by": p("actor"), "answer_ciphertext": p("answer")}
PROPOSE = move_of(
    COMPLAINT, "propose", _C.state, _ROW, **_UPDATED,
    proposal=p("proposal"), proposed_amount=p("amount"), proposal_ciphertext=p("text"),
)  # fmt: skip
REPLACE = move_of(COMPLAINT, "replace", _C.state, _ROW, **_DECIDED, replacement_id=p("code"), charged=p("charged"))
REFUND = move_of(COMPLAINT, "refund", _C.state, _ROW, **_DECIDED, refunded=p("amount"), charged=p("charged"))
REJECT = move_of(COMPLAINT, "reject", _C.state, _ROW, **_DECIDED)
WITHDRAW = move_of(COMPLAINT, "withdraw", _C.state, _ROW, **_UPDATED)

_S = complaint_settings.c
SETTINGS = statement(select(_S.supplier_decides).where(_S.tenant_id == TENANT))
WINDOW = statement(select(_S.days).where(_S.tenant_id == TENANT))
SET_WINDOW = statement(update(complaint_settings).where(_S.tenant_id == TENANT).values(days=p("new_days")))
INSERT_SETTINGS = insert_of(complaint_settings, or_ignore=True)
UPDATE_SETTINGS = statement(
    update(complaint_settings).where(_S.tenant_id == TENANT).values(supplier_decides=p("new_decides"))
)
