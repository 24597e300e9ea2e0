"""When bearer tokens were last used, for tenants with an idle time-out. Correct across processes and restarts."""

from sqlalchemy import select

from bedesten.accounts.tables import token_uses
from bedesten.store.sql import TENANT, Statement, insert, p, statement
from bedesten.store.transaction import Transaction

_READ = statement(select(token_uses.c.used).where(token_uses.c.tenant_id == TENANT, token_uses.c.jti == p("jti")))
_UPSERT = insert(token_uses).values(tenant_id=TENANT)
_WRITE: Statement[tuple[object, ...]] = Statement(
    _UPSERT.on_conflict_do_update(index_elements=["tenant_id", "jti"], set_={"used": _UPSERT.excluded.used}),
    lambda *row: row,
    ("jti", "used", "expires"),
)


def use(tx: Transaction, jti: str, since: int, longest: int, expires: int) -> bool:
    """Records a use at `tx.now`, unless the token has been idle for more than `longest` ms; then False.

    `since` is the earliest moment from which idleness can count: when the token was issued, or when the time-out was
    last changed, because before that uses were recorded more coarsely or not at all.
    """
    row = tx.one(_READ, jti=jti)
    last = max(since, row[0]) if row else since
    if tx.now - last > longest:
        return False
    tx.run(_WRITE, jti=jti, used=tx.now, expires=expires)
    return True
