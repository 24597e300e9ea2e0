"""Reading the trail, as an operator does: the newest rows, and those that come after them."""

import json

from sqlalchemy import func, select

from bedesten.audit.chain import COLUMNS, Row
from bedesten.audit.tables import audit
from bedesten.base.clock import wire_time
from bedesten.store.sql import crossing, crossing_into, p
from bedesten.store.transaction import CrossTransaction

LONGEST_WAIT = 60_000
"""A row comes to be seen at most so long after it got its id (milliseconds): no transaction lives longer."""

_NEWEST = crossing_into(Row, select(*COLUMNS).order_by(audit.c.id.desc()).limit(p("most")))
_NEWEST_OF = crossing_into(
    Row, select(*COLUMNS).where(audit.c.tenant_id == p("owner")).order_by(audit.c.id.desc()).limit(p("most"))
)
_AFTER = crossing_into(Row, select(*COLUMNS).where(audit.c.id > p("after")).order_by(audit.c.id).limit(p("most")))
_AFTER_OF = crossing_into(
    Row,
    select(*COLUMNS)
    .where(audit.c.tenant_id == p("owner"), audit.c.id > p("after"))
    .order_by(audit.c.id)
    .limit(p("most")),
)
_UNSEALED = crossing(select(func.count(audit.c.id), func.min(audit.c.at)).where(audit.c.seq.is_(None)))


def newest(tx: CrossTransaction, most: int, tenant: str | None = None) -> list[Row]:
    """The newest rows, of one tenant or of all, the oldest of them first."""
    rows = tx.all(_NEWEST, most=most) if tenant is None else tx.all(_NEWEST_OF, most=most, owner=tenant)
    return rows[::-1]


def after(tx: CrossTransaction, row_id: str, most: int, tenant: str | None = None) -> list[Row]:
    """The rows whose ids come after this one, of one tenant or of all.

    Ids sort by the time at which they were made, which is a little before their rows can be seen.
    """
    if tenant is None:
        return tx.all(_AFTER, after=row_id, most=most)
    return tx.all(_AFTER_OF, after=row_id, most=most, owner=tenant)


def unsealed(tx: CrossTransaction) -> tuple[int, int | None]:
    """How many rows wait for their seal, and when the oldest of them was written (epoch ms)."""
    row = tx.one(_UNSEALED)
    return (row[0], row[1]) if row else (0, None)


def shown(row: Row) -> dict[str, object]:
    """A row as people and programs read it. `seq` is null until it is sealed."""
    return {
        "seq": row.seq,
        "id": row.id,
        "at": wire_time(row.at),
        "tenant": row.tenant,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "requestId": row.request_id,
        "detail": json.loads(row.detail),
    }
