"""Recalls codes that their publisher took back: freezes unsold codes, and makes good sold ones.

A recall is a batch or a list of codes. Freezing is one action (for a large recall several, each of some codes): open
checkouts that hold such codes expire, and free codes are withdrawn for good. Each sold code is another action: it opens
a complaint with the reason `RECALLED`, unless its buyer has complained already, and decides it. So an interrupted
recall is repeated and continues where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select

from bedesten.accounts.tables import accounts
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.audit.tables import audit
from bedesten.catalogue import stock, units
from bedesten.catalogue.code import StockCode
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED, FREE, WITHDRAWN
from bedesten.catalogue.tables import stock_codes
from bedesten.complaints import actions, decisions
from bedesten.complaints import statements as complaints_sql
from bedesten.complaints.model import RECALLED, NewComplaint, Proposal
from bedesten.complaints.moves import COMPLAINT, OPEN, REJECTED
from bedesten.complaints.moves import WITHDRAWN as TAKEN_BACK
from bedesten.orders import checkout
from bedesten.orders import statements as orders_sql
from bedesten.orders.model import UNPAID
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

OUT_OF_STOCK = "outOfStock"
"""The outcome for a sold code if no code is left to replace it; its complaint stays open."""


@dataclass(frozen=True, slots=True)
class RecalledCode:
    """One code of a recall and its state."""

    id: str
    product_id: str
    state: int


@dataclass(frozen=True, slots=True)
class SoldUnit:
    """A sold code: who has it, since when it was revealed (epoch ms, None: never), and its complaint's state, if any."""

    code_id: str
    line_id: str
    order_id: str
    reference: str
    buyer: str
    product: str
    revealed: int | None
    complaint: str | None


_C, _L, _O, _A, _T = stock_codes.c, order_lines.c, orders.c, accounts.c, audit.c
_CODES = select(_C.id, _C.product_id, _C.state).where(_C.tenant_id == TENANT)
_OF_BATCH = statement(_CODES.where(_C.batch_id == p("batch")).order_by(_C.position))
_HELD_OF_BATCH = statement(
    _CODES.where(_C.product_id == p("product"), _C.state == CLAIMED, _C.batch_id == p("batch")).order_by(_C.position)
)
_BY_DIGEST = statement(stock.with_digest(_CODES))
_CHECKOUT = statement(
    select(_O.id)
    .select_from(
        stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)).join(
            orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id)
        )
    )
    .where(_C.tenant_id == TENANT, _C.id == p("code"), _C.state == CLAIMED, _O.state == UNPAID)
)
_SOLD = statement(
    select(_C.id, _L.id, _O.id, _O.reference, _A.handle, _L.product_name)
    .select_from(
        stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id))
        .join(orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id))
        .join(accounts, and_(_A.tenant_id == _O.tenant_id, _A.id == _O.buyer_id))
    )
    .where(_C.tenant_id == TENANT, _C.id == p("code"), or_(_C.state == DELIVERED, _C.state == BAD))
)
_REVEALS = statement(
    select(_T.subject, func.min(_T.at)).where(_T.tenant_id == TENANT, _T.action == "line.reveal").group_by(_T.subject)
)


def codes_of_batch(tx: Transaction, batch: str) -> list[RecalledCode]:
    """Returns the codes of a batch."""
    return [RecalledCode(*row) for row in tx.all(_OF_BATCH, batch=batch)]


def held_of_batch(tx: Transaction, batch: str, product: str) -> list[RecalledCode]:
    """Returns the codes of a batch that unpaid checkouts hold."""
    return [RecalledCode(*row) for row in tx.all(_HELD_OF_BATCH, batch=batch, product=product)]


def codes_named(tx: Transaction, cipher: TenantCipher, codes: Sequence[StockCode]) -> list[RecalledCode]:
    """Returns the codes of the shop among these, as their products compare them."""
    found: dict[str, RecalledCode] = {}
    for code in codes:
        digests = {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)}
        found.update({row[0]: RecalledCode(*row) for row in tx.all(_BY_DIGEST, **digests)})
    return list(found.values())


def counts(recalled: Sequence[RecalledCode]) -> dict[str, int]:
    """Returns how many codes of a recall are free, held by checkouts, sold, replaced or withdrawn."""
    states = [one.state for one in recalled]
    return {
        "free": states.count(FREE),
        "held": states.count(CLAIMED),
        "sold": states.count(DELIVERED),
        "replaced": states.count(BAD),
        "withdrawn": states.count(WITHDRAWN),
    }


def expire_checkouts(tx: Transaction, recalled: Sequence[RecalledCode]) -> int:
    """Expires the unpaid checkouts that hold recalled codes, which become free; returns the number of checkouts."""
    held = {row[0] for one in recalled if one.state == CLAIMED for row in tx.all(_CHECKOUT, code=one.id)}
    return sum(checkout.expire(tx, order) for order in sorted(held))


def sold_units(tx: Transaction, recalled: Sequence[RecalledCode]) -> list[SoldUnit]:
    """Returns who has the sold codes, and since when each line's codes were revealed."""
    reveals = {str(subject): int(at) for subject, at in tx.all(_REVEALS)}
    found: list[SoldUnit] = []
    for one in recalled:
        row = tx.one(_SOLD, code=one.id) if one.state in (DELIVERED, BAD) else None
        if row:
            before = tx.all(complaints_sql.OF_SUBJECT, subject=one.id)
            state = COMPLAINT.states[before[0].state].name if before else None
            code, line, order, reference, buyer, product = row
            found.append(SoldUnit(code, line, order, reference, buyer, product, reveals.get(str(line)), state))
    return found


def make_good(
    tx: Transaction,
    cipher: TenantCipher,
    code_id: str,
    kind: str | None,
    reason: str,
    *,
    charge: bool,
    actor: Actor = OPERATOR,
) -> str:
    """Opens the complaint of one sold code, unless there is one, and decides it; returns the outcome.

    `kind` is `replace` or `refund`; None leaves the complaint open. If no code is left for a replacement, the complaint
    stays open: `OUT_OF_STOCK`. A code that was made good before, by a recall or not, stays unchanged.
    """
    unit = units.unit_of(tx, code_id)
    assert unit is not None, "it was sold"
    line = tx.one(orders_sql.LINE, line=unit.line_id)
    order = tx.one(orders_sql.ORDER_BY_ID, order_id=line.order_id) if line else None
    assert line is not None, "a sold code has a line"
    assert order is not None, "a line has an order"
    tx.one(orders_sql.LOCK, order_id=order.id)
    before = tx.all(complaints_sql.OF_SUBJECT, subject=code_id)
    one = before[0] if before else None
    if one is None or one.state in (REJECTED, TAKEN_BACK):
        said = NewComplaint(line.id, RECALLED, units.code_of(tx, cipher, code_id), reason)
        one = actions.create(tx, cipher, order.buyer_id, said, actor, "recall")
    if one.state == OPEN and kind is not None:
        answer = Proposal(kind, None, reason)
        if not decisions.decide(tx, cipher, one, answer, actor, charge=charge):
            return OUT_OF_STOCK
    return COMPLAINT.states[actions.complaint_of(tx, one.id).state].name
