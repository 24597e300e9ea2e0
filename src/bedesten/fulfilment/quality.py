"""Quality of suppliers: how their assignments ended, and the pause of a supplier that fails too often."""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import suppliers
from bedesten.orders.assignments import CANCELLED, DELIVERED, LATE, REJECTED, REROUTED
from bedesten.orders.tables import line_assignments
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

WINDOW, MIN_LINES = 20, 10
"""A supplier is judged by its last `WINDOW` lines since it was resumed, once they are at least `MIN_LINES`."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How many lines a supplier was given in a period, how they ended, and how many it accepted; `waiting` are open."""

    assigned: int
    accepted: int
    waiting: int
    delivered: int
    rejected: int
    late: int
    cancelled: int
    rerouted: int

    @property
    def failure_percent(self) -> int | None:
        """Returns the share of rejected and late lines, in percent; None if none was delivered, rejected or late."""
        settled = self.delivered + self.rejected + self.late
        return (self.rejected + self.late) * 100 // settled if settled else None


_A = line_assignments.c
_OF_SUPPLIER = and_(_A.tenant_id == TENANT, _A.supplier_id == p("supplier"))
_COUNTS = statement(
    select(func.coalesce(_A.outcome, ""), func.count(), func.count(_A.accepted))
    .where(_OF_SUPPLIER, _A.queued >= p("since"))
    .group_by(func.coalesce(_A.outcome, ""))
)
_LATEST = statement(
    select(_A.outcome)
    .where(
        _OF_SUPPLIER,
        _A.ended > p("since"),
        or_(_A.outcome == DELIVERED, _A.outcome == REJECTED, _A.outcome == LATE),
    )
    .order_by(_A.ended.desc(), _A.id.desc())
    .limit(p("most"))
)


def quality_of(tx: Transaction, supplier: str, since: int = 0) -> Quality:
    """Returns the figures of the lines that the supplier was given at `since` (epoch ms) or later."""
    rows = tx.all(_COUNTS, supplier=supplier, since=since)
    counts = {str(row[0]): int(row[1]) for row in rows}
    return Quality(
        assigned=sum(counts.values()),
        accepted=sum(int(row[2]) for row in rows),
        waiting=counts.get("", 0),
        delivered=counts.get(DELIVERED, 0),
        rejected=counts.get(REJECTED, 0),
        late=counts.get(LATE, 0),
        cancelled=counts.get(CANCELLED, 0),
        rerouted=counts.get(REROUTED, 0),
    )


def pause_if_failing(tx: Transaction, supplier: str) -> bool:
    """Pauses the supplier if too many of its last lines were rejected or late. Returns whether it did.

    A paused supplier gets no new lines until the operator resumes it; the lines that it has stay with it.
    """
    settings = suppliers.settings_of(tx, supplier)
    if settings.max_failures is None or settings.paused is not None:
        return False
    latest = [str(row[0]) for row in tx.all(_LATEST, supplier=supplier, since=settings.resumed or 0, most=WINDOW)]
    failed = sum(outcome != DELIVERED for outcome in latest)
    if len(latest) < MIN_LINES or failed * 100 < settings.max_failures * len(latest):
        return False
    reason = f"{failed} of its last {len(latest)} lines were rejected or late"
    if not suppliers.pause(tx, supplier, reason):
        return False
    catalogue.touch(tx, supplier)
    record(tx, Actor("system"), "supplier.pause", supplier, reason=reason)
    return True
