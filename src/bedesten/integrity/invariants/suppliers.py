"""4 and 5: assignments, deliveries and earnings of suppliers agree with the order lines."""

from sqlalchemy import and_, case, func, or_, select

from bedesten.integrity.invariants.query import invariant_query
from bedesten.ledger.tables import ledger_accounts, transfers
from bedesten.orders import model
from bedesten.orders.tables import line_assignments, line_deliveries, order_lines

_L, _A, _D = order_lines.c, line_assignments.c, line_deliveries.c
_T, _G = transfers.c, ledger_accounts.c
_KEY = "cost:"
_ID_LENGTH = len("odl_") + 26
MAX_PART_KEY = len(_KEY) + _ID_LENGTH + len(":1000")
"""Characters of the longest business key of what a supplier earned with a delivery; with stock codes it is longer."""

_current = select(_A.tenant_id, _A.line_id, _A.supplier_id).where(_A.ended.is_(None)).subquery("current")
_waits = and_(_L.queued.is_not(None), or_(_L.status == model.PROCESSING, _L.status == model.TAKEN_OUT))
_delivered = (
    select(_D.tenant_id, _D.line_id, func.sum(_D.units).label("units"))
    .group_by(_D.tenant_id, _D.line_id)
    .subquery("delivered_by_suppliers")
)
_units = func.coalesce(_delivered.c.units, 0)
_should_be = case((_L.supplier_id.is_not(None), _L.delivered), else_=0)
_due = (
    select(_D.tenant_id, _D.line_id, _A.supplier_id, func.sum(_D.units * _A.unit_cost).label("amount"))
    .select_from(line_deliveries.join(line_assignments, and_(_A.tenant_id == _D.tenant_id, _A.id == _D.assignment_id)))
    .where(_A.unit_cost > 0)
    .group_by(_D.tenant_id, _D.line_id, _A.supplier_id)
    .subquery("due_to_suppliers")
)
_named_line = func.substr(_T.business_key, len(_KEY) + 1, _ID_LENGTH)
_got = (
    select(_T.tenant_id, _named_line.label("line_id"), _G.owner_id, func.sum(_T.amount).label("amount"))
    .select_from(transfers.join(ledger_accounts, and_(_G.tenant_id == _T.tenant_id, _G.id == _T.to_id)))
    .where(func.substr(_T.business_key, 1, len(_KEY)) == _KEY, func.length(_T.business_key) <= MAX_PART_KEY)
    .group_by(_T.tenant_id, _named_line, _G.owner_id)
    .subquery("got_by_suppliers")
)
_paid = func.coalesce(_got.c.amount, 0)
_same = and_(
    _got.c.tenant_id == _due.c.tenant_id, _got.c.line_id == _due.c.line_id, _got.c.owner_id == _due.c.supplier_id
)

SUPPLIERS = (
    invariant_query(
        4,
        "line {} with status {} has supplier {}, its current assignment is of {}",
        select(
            _L.tenant_id,
            _L.id,
            _L.status,
            func.coalesce(_L.supplier_id, "-"),
            func.coalesce(_current.c.supplier_id, "-"),
        )
        .select_from(
            order_lines.outerjoin(_current, and_(_current.c.tenant_id == _L.tenant_id, _current.c.line_id == _L.id))
        )
        .where(
            or_(
                and_(_waits, func.coalesce(_current.c.supplier_id, "-") != _L.supplier_id),
                and_(~_waits, _current.c.supplier_id.is_not(None)),
            )
        ),
    ),
    invariant_query(
        4,
        "line {} has {} units delivered by suppliers, their deliveries give {}",
        select(_L.tenant_id, _L.id, _should_be, _units)
        .select_from(
            order_lines.outerjoin(
                _delivered, and_(_delivered.c.tenant_id == _L.tenant_id, _delivered.c.line_id == _L.id)
            )
        )
        .where(_units != _should_be),
    ),
    invariant_query(
        5,
        "supplier {} earned {} by delivering line {}, its transfers are of {}",
        select(_due.c.tenant_id, _due.c.supplier_id, _due.c.amount, _due.c.line_id, _paid)
        .select_from(_due.outerjoin(_got, _same))
        .where(_paid != _due.c.amount),
    ),
    invariant_query(
        5,
        "account owner {} got {} for line {}, of which it delivered nothing that earns",
        select(_got.c.tenant_id, _got.c.owner_id, _got.c.amount, _got.c.line_id)
        .select_from(_got.outerjoin(_due, _same))
        .where(_due.c.line_id.is_(None)),
    ),
)
