"""5: every refund and every claw-back has its transfer, and neither exceeds what was paid or earned."""

from typing import Any

from sqlalchemy import Table, and_, func, literal, or_, select

from bedesten.integrity.invariants.query import InvariantQuery, invariant_query
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.orders.tables import clawbacks, order_lines, refunds

_L, _R, _W = order_lines.c, refunds.c, clawbacks.c
_H, _T = holds.c, transfers.c
_from, _to = ledger_accounts.alias("giver"), ledger_accounts.alias("taker")
_EARNED = "cost:"
_ID_LENGTH = len("odl_") + 26
"""Characters of an id; see `core.ids`."""

_of_line = (
    select(_R.tenant_id, _R.line_id, func.sum(_R.amount).label("amount"))
    .group_by(_R.tenant_id, _R.line_id)
    .subquery("refunds_of_line")
)
_given_back = func.coalesce(_of_line.c.amount, 0)
_its_taker = and_(_to.c.tenant_id == _T.tenant_id, _to.c.id == _T.to_id)
_its_giver = and_(_from.c.tenant_id == _T.tenant_id, _from.c.id == _T.from_id)
_earning_line = func.substr(_T.business_key, len(_EARNED) + 1, _ID_LENGTH)
_earned = (
    select(_T.tenant_id, _earning_line.label("line_id"), _to.c.owner_id, func.sum(_T.amount).label("amount"))
    .select_from(transfers.join(_to, _its_taker))
    .where(func.substr(_T.business_key, 1, len(_EARNED)) == _EARNED)
    .group_by(_T.tenant_id, _earning_line, _to.c.owner_id)
    .subquery("earned_by_line")
)
_taken_back = (
    select(_W.tenant_id, _W.line_id, _W.supplier_id, func.sum(_W.amount).label("amount"))
    .group_by(_W.tenant_id, _W.line_id, _W.supplier_id)
    .subquery("taken_back")
)
_income = func.coalesce(_earned.c.amount, 0)


def _transfer_of(prefix: str, row: Any) -> Any:
    return and_(_T.tenant_id == row.tenant_id, _T.business_key == literal(prefix) + row.business_key)


def _agreeing(what: str, prefix: str, table: Table) -> tuple[InvariantQuery, InvariantQuery]:
    """Rows without their transfer of the same amount, and transfers without their row."""
    row, paid = table.c, func.coalesce(_T.amount, 0)
    return (
        invariant_query(
            5,
            f"{what} {{}} of {{}} has a transfer of {{}}",
            select(row.tenant_id, row.id, row.amount, paid)
            .select_from(table.outerjoin(transfers, _transfer_of(prefix, row)))
            .where(paid != row.amount),
        ),
        invariant_query(
            5,
            f"transfer {{}} of {{}} is booked for a {what} that does not exist",
            select(_T.tenant_id, _T.id, _T.amount)
            .select_from(transfers.outerjoin(table, _transfer_of(prefix, row)))
            .where(func.substr(_T.business_key, 1, len(prefix)) == prefix, row.id.is_(None)),
        ),
    )


REFUNDS = (
    invariant_query(
        5,
        "line {} has {} refunded, its refunds give {}",
        select(_L.tenant_id, _L.id, _L.refunded, _given_back)
        .select_from(
            order_lines.outerjoin(_of_line, and_(_of_line.c.tenant_id == _L.tenant_id, _of_line.c.line_id == _L.id))
        )
        .where(_L.refunded != _given_back),
    ),
    invariant_query(
        5,
        "line {} has {} refunded, {} were captured",
        select(_L.tenant_id, _L.id, _L.refunded, _L.delivered * _L.unit_price).where(
            _L.refunded > _L.delivered * _L.unit_price
        ),
    ),
    *_agreeing("refund", "refund:", refunds),
    invariant_query(
        5,
        "refund {} goes from an account of kind {} to {}, its order was paid from {}",
        select(_R.tenant_id, _R.id, _from.c.kind, _T.to_id, func.coalesce(_H.account_id, "-"))
        .select_from(
            refunds.join(transfers, _transfer_of("refund:", _R))
            .join(_from, _its_giver)
            .join(order_lines, and_(_L.tenant_id == _R.tenant_id, _L.id == _R.line_id))
            .outerjoin(holds, and_(_H.tenant_id == _L.tenant_id, _H.order_id == _L.order_id))
        )
        .where(or_(_from.c.kind != "sales", func.coalesce(_H.account_id, "-") != _T.to_id)),
    ),
    *_agreeing("claw-back", "clawback:", clawbacks),
    invariant_query(
        5,
        "claw-back {} from supplier {} goes from account {} of {} to one of kind {}",
        select(_W.tenant_id, _W.id, _W.supplier_id, _T.from_id, _from.c.owner_id, _to.c.kind)
        .select_from(
            clawbacks.join(transfers, _transfer_of("clawback:", _W)).join(_from, _its_giver).join(_to, _its_taker)
        )
        .where(or_(_from.c.owner_id != _W.supplier_id, _from.c.kind != "supplier", _to.c.kind != "sales")),
    ),
    invariant_query(
        5,
        "supplier {} earned {} with line {}, {} were taken back",
        select(_taken_back.c.tenant_id, _taken_back.c.supplier_id, _income, _taken_back.c.line_id, _taken_back.c.amount)
        .select_from(
            _taken_back.outerjoin(
                _earned,
                and_(
                    _earned.c.tenant_id == _taken_back.c.tenant_id,
                    _earned.c.line_id == _taken_back.c.line_id,
                    _earned.c.owner_id == _taken_back.c.supplier_id,
                ),
            )
        )
        .where(_taken_back.c.amount > _income),
    ),
)
