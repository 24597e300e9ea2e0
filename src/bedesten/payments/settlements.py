"""Settlements: compares a provider's statement with what is booked here, once for each file.

The lines of a statement about one payment form up to three rows, each with the sum of its lines: captures, refunds and
the lost dispute. The lines about one deposit form one row.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Select, and_, func, literal, select, union_all

from bedesten.audit.actions import Actor, record
from bedesten.ledger.tables import transfers
from bedesten.payments import statements as sql
from bedesten.payments.model import ListPage
from bedesten.payments.moves import BOOKED, LOST, PAID_OUT
from bedesten.payments.tables import deposits, payment_refunds, payments, settlement_lines, settlements
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import RetryTransaction, Step, Transaction

PAYMENT, REFUND, DISPUTE, DEPOSIT = "payment", "refund", "dispute", "deposit"
MATCHED, MISSING_HERE, MISSING_THERE, AMOUNT_DIFFERS = "matched", "missingHere", "missingThere", "amountDiffers"
RESULTS = (MATCHED, MISSING_HERE, MISSING_THERE, AMOUNT_DIFFERS)
MAX_SHOWN = 200
"""Differences that a list shows with a settlement."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a provider's statement. `amount` is in minor units, below zero for what was taken back.

    `kind` is empty where the statement does not say it.
    """

    line: int
    kind: str
    reference: str
    amount: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A provider's statement: the name and digest of its file, its end in epoch ms, its lines."""

    name: str
    digest: bytes
    currency: str
    until: int
    lines: tuple[StatementLine, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """A statement that was compared. `total` is the sum of its lines in minor units."""

    id: str
    integration_id: str
    name: str
    currency: str
    until: int
    total: int
    created: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the result. `subject` is the id of the payment or deposit; amounts are in minor units."""

    line: int
    kind: str
    reference: str
    subject: str | None
    there: int | None
    here: int | None
    result: str


_S, _L, _T = settlements.c, settlement_lines.c, transfers.c
_P, _R, _D = payments.c, payment_refunds.c, deposits.c
_COLUMNS = (_S.id, _S.integration_id, _S.name, _S.currency, _S.until, _S.total, _S.created)
_INSERT = insert_of(settlements, or_ignore=True)
_INSERT_LINE = insert_of(settlement_lines)
_BY_DIGEST = rows_as(
    Settlement,
    select(*_COLUMNS).where(_S.tenant_id == TENANT, _S.integration_id == p("integration"), _S.digest == p("digest")),
)
_PAGE = rows_as(
    Settlement,
    select(*_COLUMNS)
    .where(
        _S.tenant_id == TENANT,
        (p("integration") == "") | (_S.integration_id == p("integration")),
        _S.id > p("after"),
        _S.created >= p("since"),
    )
    .order_by(_S.id)
    .limit(p("most")),
)
_LINES = rows_as(
    Comparison,
    select(_L.line, _L.kind, _L.reference, _L.subject, _L.there, _L.here, _L.result)
    .where(_L.tenant_id == TENANT, _L.settlement_id == p("settlement"), _L.result != MATCHED)
    .order_by(_L.id)
    .limit(p("most")),
)
_COUNTS = statement(
    select(_L.result, func.count())
    .where(_L.tenant_id == TENANT, _L.settlement_id == p("settlement"))
    .group_by(_L.result)
)
_PAYMENT_OF_REFUND = statement(
    select(_R.payment_id)
    .where(
        _R.tenant_id == TENANT,
        _R.integration_id == p("integration"),
        (_R.reference == p("reference")) | (_R.id == p("reference")),
    )
    .order_by(_R.id)
    .limit(1)
)
_REFUNDED = statement(
    select(func.coalesce(func.sum(_R.amount), 0)).where(
        _R.tenant_id == TENANT, _R.payment_id == p("payment"), _R.state == PAID_OUT
    )
)


def _unsettled() -> Select[tuple[str, str, str, int]]:
    """Selects kind, reference, subject and amount of everything booked by `until` that is in no statement so far."""
    refunded = (
        select(
            literal(REFUND).label("kind"), _P.reference, _P.id.label("subject"), (-func.sum(_R.amount)).label("here")
        )
        .select_from(payment_refunds.join(payments, and_(_P.tenant_id == _R.tenant_id, _P.id == _R.payment_id)))
        .where(
            _R.tenant_id == TENANT,
            _R.integration_id == p("integration"),
            _R.state == PAID_OUT,
            _R.updated <= p("until"),
        )
        .group_by(_P.reference, _P.id)
    )
    booked = union_all(_booked(PAYMENT, payments), _booked(DEPOSIT, deposits), refunded, _lost()).subquery("booked")
    settled = (
        select(_L.id)
        .where(
            _L.tenant_id == TENANT,
            _L.subject == booked.c.subject,
            _L.kind == booked.c.kind,
            (_L.result == MATCHED) | (_L.result == AMOUNT_DIFFERS),
        )
        .exists()
    )
    return select(booked.c.kind, booked.c.reference, booked.c.subject, booked.c.here).where(~settled)


def _booked(kind: str, table: object) -> Select[tuple[str, str, str, int]]:
    c = payments.c if table is payments else deposits.c
    return (
        select(literal(kind).label("kind"), c.reference, c.id.label("subject"), c.amount.label("here"))
        .select_from(
            (payments if table is payments else deposits).join(
                transfers, and_(_T.tenant_id == c.tenant_id, _T.business_key == literal(f"{kind}:") + c.id)
            )
        )
        .where(c.tenant_id == TENANT, c.integration_id == p("integration"), _T.created <= p("until"))
    )


def _lost() -> Select[tuple[str, str, str, int]]:
    return select(literal(DISPUTE).label("kind"), _P.reference, _P.id.label("subject"), (-_P.lost).label("here")).where(
        _P.tenant_id == TENANT,
        _P.integration_id == p("integration"),
        _P.state == LOST,
        _P.updated <= p("until"),
    )


_UNSETTLED = statement(_unsettled())


def reconcile(tx: Transaction, integration: str, sent: Statement, actor: Actor) -> tuple[Settlement, bool]:
    """Compares a statement with what is booked here and stores the result; the same file returns the first result.

    Returns the settlement, and whether the file was compared before.
    """
    known = tx.one(_BY_DIGEST, integration=integration, digest=sent.digest)
    if known is not None:
        return known, True
    found = compare(tx, integration, sent)
    made = Settlement(
        id=tx.new_id("set"),
        integration_id=integration,
        name=sent.name,
        currency=sent.currency,
        until=sent.until,
        total=sum(one.amount for one in sent.lines),
        created=tx.now,
    )
    inserted = tx.run(
        _INSERT,
        id=made.id,
        integration_id=integration,
        name=made.name,
        digest=sent.digest,
        currency=made.currency,
        until=made.until,
        total=made.total,
        created=made.created,
    )
    if not inserted:
        raise RetryTransaction("the same file was compared at this moment")
    tx.run_all([Step(_INSERT_LINE, _row(tx, made.id, one)) for one in found])
    counts = {result: sum(one.result == result for one in found) for result in RESULTS}
    record(tx, actor, "settlement.reconcile", made.id, file=sent.name, integration=integration, **counts)
    return made, False


def compare(tx: Transaction, integration: str, sent: Statement) -> list[Comparison]:
    """Compares a statement with what is booked here and stores nothing; what the statement lacks comes last."""
    groups: dict[tuple[str, str], Comparison] = {}
    for one in sent.lines:
        found = _subject(tx, integration, one)
        key = (found.kind, found.subject or found.reference)
        before = groups.get(key)
        groups[key] = found if before is None else replace(before, there=(before.there or 0) + one.amount)
    compared = [_judged(one) for one in groups.values()]
    there = {(one.kind, one.subject) for one in compared}
    for kind, reference, subject, here in tx.all(_UNSETTLED, integration=integration, until=sent.until):
        if (kind, subject) not in there:
            compared.append(Comparison(0, kind, reference, subject, None, int(here), MISSING_THERE))
    return compared


def _judged(one: Comparison) -> Comparison:
    result = MISSING_HERE if one.here is None else MATCHED if one.here == one.there else AMOUNT_DIFFERS
    return replace(one, result=result)


def _subject(tx: Transaction, integration: str, line: StatementLine) -> Comparison:
    """Finds the payment or deposit that a line is about, and what is booked of it here."""
    kind = line.kind or (PAYMENT if line.amount > 0 else REFUND)
    if kind != DEPOSIT:
        found = _payment(tx, integration, line.reference)
        if found is not None:
            payment_id, captured, lost = found
            if line.kind == "" and kind == REFUND and lost:
                kind = DISPUTE
            here = {PAYMENT: captured, DISPUTE: -lost, REFUND: -_refunded(tx, payment_id)}[kind]
            return Comparison(line.line, kind, line.reference, payment_id, line.amount, here or None, "")
    if kind == DEPOSIT or not line.kind:
        deposit = tx.one(sql.DEPOSIT_BY_REFERENCE, integration=integration, reference=line.reference)
        deposit = deposit or tx.one(sql.DEPOSIT_BY_ID, id=line.reference)
        if deposit is not None and deposit.integration_id == integration:
            booked = deposit.amount if deposit.state == BOOKED else None
            return Comparison(line.line, DEPOSIT, line.reference, deposit.id, line.amount, booked, "")
    return Comparison(line.line, kind, line.reference, None, line.amount, None, "")


def _payment(tx: Transaction, integration: str, reference: str) -> tuple[str, int, int] | None:
    """Returns id, captured and lost amount of the payment that a reference names: its own, its id or a refund's."""
    found = tx.one(sql.PAYMENT_BY_REFERENCE, integration=integration, reference=reference)
    if found is None:
        row = tx.one(_PAYMENT_OF_REFUND, integration=integration, reference=reference)
        found = tx.one(sql.PAYMENT_BY_ID, id=reference if row is None else row[0])
    if found is None or found.integration_id != integration:
        return None
    return found.id, found.captured, found.lost


def _refunded(tx: Transaction, payment_id: str) -> int:
    row = tx.one(_REFUNDED, payment=payment_id)
    assert row is not None, "a sum has a row"
    return int(row[0])


def _row(tx: Transaction, settlement: str, one: Comparison) -> dict[str, object]:
    return {
        "id": tx.new_id("stl"),
        "settlement_id": settlement,
        "line": one.line,
        "kind": one.kind,
        "reference": one.reference,
        "subject": one.subject,
        "there": one.there,
        "here": one.here,
        "result": one.result,
    }


def list_settlements(tx: Transaction, integration: str, page: ListPage) -> list[Settlement]:
    """Returns settlements by id, the oldest first: the integration's, or all if `integration` is empty."""
    return tx.all(_PAGE, integration=integration, after=page.after, since=page.since, most=page.size + 1)


def counts_of(tx: Transaction, settlement: str) -> dict[str, int]:
    """Returns how many rows of a settlement have each result."""
    found = {row[0]: int(row[1]) for row in tx.all(_COUNTS, settlement=settlement)}
    return {result: found.get(result, 0) for result in RESULTS}


def differences_of(tx: Transaction, settlement: str, most: int = MAX_SHOWN) -> list[Comparison]:
    """Returns the rows of a settlement that do not match, in the order of the statement."""
    return tx.all(_LINES, settlement=settlement, most=most)
