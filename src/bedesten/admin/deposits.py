"""Approves and rejects deposits that are large enough to need the operator's approval."""

from sqlalchemy import or_, select

from bedesten.accounts.tables import accounts
from bedesten.admin.inputs import page_of
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.payments import actions as payments
from bedesten.payments.moves import AWAITING
from bedesten.payments.tables import deposits
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

STATES = ("created", "confirmed", "rejected", "awaitingApproval")
MAX_LISTED = 1_000
_D = deposits.c
_partner, _integration = accounts.alias("partner"), accounts.alias("integration")
_LIST = statement(
    select(_D.id, _partner.c.handle, _integration.c.name, _D.reference, _D.amount, _D.currency, _D.state, _D.created)
    .select_from(
        deposits.join(_partner, (_partner.c.tenant_id == _D.tenant_id) & (_partner.c.id == _D.partner_id)).join(
            _integration, (_integration.c.tenant_id == _D.tenant_id) & (_integration.c.id == _D.integration_id)
        )
    )
    .where(
        _D.tenant_id == TENANT,
        or_(p("only") == "", _D.id == p("only")),
        or_(p("every") == 1, _D.state == AWAITING),
        _D.id > p("after"),
    )
    .order_by(_D.id)
    .limit(p("most"))
)


def list_deposits(
    tx: Transaction, every: bool = False, only: str = "", after: str = "", limit: int = MAX_LISTED
) -> tuple[list[dict[str, object]], str | None]:
    """A page of deposits that await approval, or with `every` of all deposits, oldest first; and the next cursor."""
    read = tx.all(_LIST, only=only, every=int(every), after=after, most=limit + 1)
    found, following = page_of(read, limit, lambda row: str(row[0]))
    return [
        {
            "depositId": row[0],
            "partner": row[1],
            "integration": row[2],
            "reference": row[3],
            "amount": to_decimal(row[4], row[5]),
            "currency": row[5],
            "state": STATES[row[6]],
            "created": wire_time(row[7]),
        }
        for row in found
    ], following


def approve(tx: Transaction, deposit_id: str, actor: Actor = OPERATOR) -> dict[str, object]:
    """Books a deposit that awaits approval. Raises `Refusal`: -3, -400."""
    return _shown(tx, payments.approve_deposit(tx, deposit_id, actor).id)


def reject(tx: Transaction, deposit_id: str, actor: Actor = OPERATOR) -> dict[str, object]:
    """Rejects a deposit that is not booked. Raises `Refusal`: -3, -400."""
    return _shown(tx, payments.reject_deposit(tx, deposit_id, actor=actor).id)


def _shown(tx: Transaction, deposit_id: str) -> dict[str, object]:
    ((found,), _) = list_deposits(tx, every=True, only=deposit_id)
    return found
