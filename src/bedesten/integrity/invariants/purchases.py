"""4: purchases from suppliers that are called agree with the assignments and the deliveries of their lines.

Unique constraints (3) make sure that an assignment has one purchase, and a purchase one reference.
"""

from sqlalchemy import and_, func, or_, select

from bedesten.connectors.booking import DELIVERED
from bedesten.connectors.moves import ORDERED, PLACING, PLANNED
from bedesten.connectors.tables import purchase_cards, purchases
from bedesten.integrity.invariants.query import invariant_query
from bedesten.orders.tables import line_assignments, line_deliveries

_P, _C, _A, _D = purchases.c, purchase_cards.c, line_assignments.c, line_deliveries.c
_assigned = purchases.join(line_assignments, and_(_A.tenant_id == _P.tenant_id, _A.id == _P.assignment_id))
_cards = (
    select(_C.tenant_id, _C.purchase_id, func.count().label("cards"))
    .where(_C.outcome == DELIVERED)
    .group_by(_C.tenant_id, _C.purchase_id)
    .subquery("delivered_cards")
)
_units = (
    select(_D.tenant_id, _D.assignment_id, func.sum(_D.codes).label("codes"))
    .group_by(_D.tenant_id, _D.assignment_id)
    .subquery("delivered_codes")
)
_codes = func.coalesce(_units.c.codes, 0)

PURCHASES = (
    invariant_query(
        4,
        "purchase {} is for line {} and supplier {}, its assignment is of line {} and supplier {}",
        select(_P.tenant_id, _P.id, _P.line_id, _P.supplier_id, _A.line_id, _A.supplier_id)
        .select_from(_assigned)
        .where(or_(_P.line_id != _A.line_id, _P.supplier_id != _A.supplier_id)),
    ),
    invariant_query(
        4,
        "purchase {} ended with state {}, and line {} still waits for it",
        select(_P.tenant_id, _P.id, _P.state, _P.line_id)
        .select_from(_assigned)
        .where(_A.ended.is_(None), _P.state != PLANNED, _P.state != PLACING, _P.state != ORDERED),
    ),
    invariant_query(
        4,
        "{} cards of purchase {} were delivered, its assignment delivered {} codes",
        select(_P.tenant_id, _cards.c.cards, _P.id, _codes)
        .select_from(
            purchases.join(_cards, and_(_cards.c.tenant_id == _P.tenant_id, _cards.c.purchase_id == _P.id)).outerjoin(
                _units, and_(_units.c.tenant_id == _P.tenant_id, _units.c.assignment_id == _P.assignment_id)
            )
        )
        .where(_cards.c.cards > _codes),
    ),
)
