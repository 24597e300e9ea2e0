"""Records when bearer tokens were last used, for tenants with an idle time-out.

The result is correct across processes and restarts. A use is recorded only if the last record is older than a step,
which is a twentieth of the time-out (`resolution`). A token was therefore last used at the time of its record, or at
most one step later.
"""

from sqlalchemy import case, select, update

from bedesten.accounts.tables import token_uses
from bedesten.gate.scopes import Surface
from bedesten.store.sql import TENANT, Statement, insert, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.actions import set_idle_timeout

RESOLUTION_STEPS = 20

_U = token_uses.c
_READ = statement(select(_U.used).where(_U.tenant_id == TENANT, _U.jti == p("jti")))
_UPSERT = insert(token_uses).values(tenant_id=TENANT)
_WRITE: Statement[tuple[object, ...]] = Statement(
    _UPSERT.on_conflict_do_update(index_elements=["tenant_id", "jti"], set_={"used": _UPSERT.excluded.used}),
    lambda *row: row,
    ("jti", "surface", "used", "expires"),
)
_LATEST = _U.used + p("resolution")
_MAY_BE_LATER = statement(
    update(token_uses)
    .where(_U.tenant_id == TENANT, _U.surface == p("surface"))
    .values(used=case((p("now") > _LATEST, _LATEST), else_=p("now")))
)


def resolution(idle: int) -> int:
    """Returns the age (ms) a record must have before the next use is recorded."""
    return max(1, idle // RESOLUTION_STEPS)


def record_use(tx: Transaction, surface: Surface, jti: str, since: int, idle: int, expires: int) -> bool:
    """Records a use at `tx.now`. Returns False if the token was idle for longer than `idle` ms plus one step.

    `since` is the earliest time from which idleness counts: the issue of the token, or the last time without an idle
    time-out, because no use was recorded then. A record with a time in the future counts as now.
    """
    row = tx.one(_READ, jti=jti)
    last = min(tx.now, max(since, row[0]) if row else since)
    if tx.now - last > idle + resolution(idle):
        return False
    tx.run(_WRITE, jti=jti, surface=surface.value, used=tx.now, expires=expires)
    return True


def set_idle(tx: Transaction, surface: Surface, idle: int | None) -> None:
    """Changes the idle time-out of a surface's tokens (milliseconds; None: off), including tokens already issued.

    A shorter time-out takes each record as the latest use that it may represent. Idle tokens therefore end at once, and
    a token in use is never refused because its record is too coarse.
    """
    before = set_idle_timeout(tx, surface, idle)
    if before is not None and idle is not None and idle < before:
        tx.run(_MAY_BE_LATER, surface=surface.value, resolution=resolution(before), now=tx.now)
