"""Searches the audit trail for operators: the newest rows, the rows after them, and all rows that match a filter.

A search reads `BATCH_ROWS` rows in each transaction, along an index, so that it can run beside a server on a trail of
any length.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, select

from bedesten.audit.chain import COLUMNS, Row
from bedesten.audit.tables import audit
from bedesten.core.clock import wire_time
from bedesten.core.ids import first_id
from bedesten.store.sql import cross_tenant, cross_tenant_rows_as, p
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction

MAX_VISIBILITY_DELAY_MS = 60_000
"""Maximum time from the creation of a row's id to its commit: no transaction lives longer."""

BATCH_ROWS = 1_000
"""Rows that a search reads in one transaction."""
_END = "b"
"""Sorts after every id of the trail in any collation: ids begin with `aud_`."""

_BACKWARDS = select(*COLUMNS).where(audit.c.id < p("before")).order_by(audit.c.id.desc()).limit(p("most"))
_BEFORE = cross_tenant_rows_as(Row, _BACKWARDS)
_BEFORE_OF = cross_tenant_rows_as(Row, _BACKWARDS.where(audit.c.tenant_id == p("owner")))
_SEALED = cross_tenant_rows_as(
    Row, select(*COLUMNS).where(audit.c.seq > p("after")).order_by(audit.c.seq).limit(p("most"))
)
_AFTER = cross_tenant_rows_as(
    Row, select(*COLUMNS).where(audit.c.id > p("after")).order_by(audit.c.id).limit(p("most"))
)
_AFTER_OF = cross_tenant_rows_as(
    Row,
    select(*COLUMNS)
    .where(audit.c.tenant_id == p("owner"), audit.c.id > p("after"))
    .order_by(audit.c.id)
    .limit(p("most")),
)
_UNSEALED = cross_tenant(select(func.count(audit.c.id), func.min(audit.c.at)).where(audit.c.seq.is_(None)))


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Selects rows; None matches any value. An action that ends in a dot matches every action with that prefix."""

    tenant: str | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None

    def matches(self, row: Row) -> bool:
        """Whether the filter selects this row."""
        named = ((self.tenant, row.tenant), (self.actor, row.actor), (self.subject, row.subject))
        return all(asked in (None, found) for asked, found in named) and self._acts(row.action)

    def _acts(self, action: str) -> bool:
        asked = self.action
        return asked is None or action == asked or (asked.endswith(".") and action.startswith(asked))


def newest(tx: SystemTransaction, most: int, tenant: str | None = None) -> list[Row]:
    """The newest rows of one tenant or of all, in ascending order."""
    return _before(tx, _END, most, tenant)[::-1]


def find_newest(store: Store, most: int, row_filter: RowFilter) -> list[Row]:
    """The newest rows that match, in ascending order."""
    found: list[Row] = []
    before = _END
    while len(found) < most:
        rows = store.read_now(partial(_before, before=before, most=BATCH_ROWS, tenant=row_filter.tenant))
        found += filter(row_filter.matches, rows)
        if len(rows) < BATCH_ROWS:
            break
        before = rows[-1].id
    return found[:most][::-1]


def since(store: Store, at: int, row_filter: RowFilter) -> Iterator[Row]:
    """The matching rows since a time (epoch ms), in ascending order."""
    last = first_id("aud", at)
    while True:
        rows = store.read_now(partial(after, row_id=last, most=BATCH_ROWS, tenant=row_filter.tenant))
        yield from filter(row_filter.matches, rows)
        if len(rows) < BATCH_ROWS:
            return
        last = rows[-1].id


def find_sealed_after(store: Store, seq: int, row_filter: RowFilter) -> Iterator[Row]:
    """The matching sealed rows after a sequence number, in the order of the chain."""
    while True:
        rows = store.read_now(partial(_numbered, after=seq))
        yield from filter(row_filter.matches, rows)
        if len(rows) < BATCH_ROWS:
            return
        seq = rows[-1].seq or 0


def _before(tx: SystemTransaction, before: str, most: int, tenant: str | None) -> list[Row]:
    if tenant is None:
        return tx.all(_BEFORE, before=before, most=most)
    return tx.all(_BEFORE_OF, before=before, most=most, owner=tenant)


def _numbered(tx: SystemTransaction, after: int) -> list[Row]:
    return tx.all(_SEALED, after=after, most=BATCH_ROWS)


def after(tx: SystemTransaction, row_id: str, most: int, tenant: str | None = None) -> list[Row]:
    """The rows of one tenant or of all whose ids come after this id.

    Ids sort by the time of their creation, which is shortly before their rows are committed.
    """
    if tenant is None:
        return tx.all(_AFTER, after=row_id, most=most)
    return tx.all(_AFTER_OF, after=row_id, most=most, owner=tenant)


def unsealed(tx: SystemTransaction) -> tuple[int, int | None]:
    """The number of unsealed rows, and the time of the oldest (epoch ms)."""
    row = tx.one(_UNSEALED)
    return (row[0], row[1]) if row else (0, None)


def shown(row: Row) -> dict[str, object]:
    """A row as the program prints it. `seq` is null until the row is sealed."""
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
