"""Pauses a supplier about whose units too many buyers complain."""

from sqlalchemy import func, or_, select

from bedesten.audit.actions import Actor, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import suppliers
from bedesten.complaints.moves import OPEN, REFUNDED, REPLACED
from bedesten.complaints.tables import complaints
from bedesten.core.clock import DAY
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

WINDOW_DAYS = 30
_C = complaints.c
_COUNT = statement(
    select(func.count()).where(
        _C.tenant_id == TENANT,
        _C.supplier_id == p("supplier"),
        _C.origin == "buyer",
        _C.created > p("since"),
        or_(_C.state == OPEN, _C.state == REPLACED, _C.state == REFUNDED),
    )
)


def pause_if_complained(tx: Transaction, supplier: str) -> bool:
    """Pauses the supplier if its setting `max_complaints` is reached. Returns whether it did.

    Counts buyers' complaints of the last `WINDOW_DAYS` days, opened after the supplier was last resumed, that are open
    or were found right. Concurrent complaints are counted one after the other.
    """
    if suppliers.settings_of(tx, supplier).max_complaints is None:
        return False
    settings = suppliers.locked_settings(tx, supplier)
    if settings.max_complaints is None or settings.paused is not None:
        return False
    since = max(tx.now - WINDOW_DAYS * DAY - 1, settings.resumed or 0)
    row = tx.one(_COUNT, supplier=supplier, since=since)
    count = int(row[0]) if row else 0
    if count < settings.max_complaints:
        return False
    reason = f"buyers complained about {count} of its units within {WINDOW_DAYS} days"
    if not suppliers.pause(tx, supplier, reason):
        return False
    catalogue.touch(tx, supplier)
    record(tx, Actor("system"), "supplier.pause", supplier, reason=reason)
    return True
