"""When bearer tokens were last used, for tenants with an idle time-out. Correct across processes and restarts.

A use is recorded when the last record is older than a step, a twentieth of the time-out (`resolution`). So a token
was last used at its record, or at most a step later.
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
    """How old a record may be before the next use is recorded (ms)."""
    return max(1, idle // RESOLUTION_STEPS)


def record_use(tx: Transaction, surface: Surface, jti: str, since: int, idle: int, expires: int) -> bool:
    """Records a use at `tx.now`, unless the token has been idle for more than `idle` ms and a step; then False.

    `since` is the earliest moment from which idleness can count: when the token was issued, or when there was last no
    time-out, because then no use was recorded. A record that lies ahead counts as one of now.
    """
    row = tx.one(_READ, jti=jti)
    last = min(tx.now, max(since, row[0]) if row else since)
    if tx.now - last > idle + resolution(idle):
        return False
    tx.run(_WRITE, jti=jti, surface=surface.value, used=tx.now, expires=expires)
    return True


def set_idle(tx: Transaction, surface: Surface, idle: int | None) -> None:
    """Changes after how long without use a token of the surface is dead (milliseconds; None: never).

    It holds for living tokens. When it becomes shorter, each record counts as the latest use that it can stand for: so
    what is stale is dead at once, and no token in use is refused because its use was recorded too coarsely.
    """
    before = set_idle_timeout(tx, surface, idle)
    if before is not None and idle is not None and idle < before:
        tx.run(_MAY_BE_LATER, surface=surface.value, resolution=resolution(before), now=tx.now)
