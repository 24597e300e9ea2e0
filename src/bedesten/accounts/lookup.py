"""Reads the facts about accounts and revoked tokens that the gate needs."""

from sqlalchemy import select

from bedesten.accounts.tables import accounts, revoked_sessions, revoked_tokens
from bedesten.core.clock import DAY
from bedesten.gate.auth_cache import AccountEntry
from bedesten.store.sql import cross_tenant, p
from bedesten.store.transaction import SystemTransaction

REVOCATION_RETENTION = DAY
"""Time (ms) for which a revoked token stays listed after its expiry, because another process's clock may be behind and
would still accept it."""

_ACCOUNT = cross_tenant(
    select(
        accounts.c.id,
        accounts.c.tenant_id,
        accounts.c.kind,
        accounts.c.disabled,
        accounts.c.scopes,
        accounts.c.token_version,
    ).where(accounts.c.id == p("id"))
)
_REVOKED = cross_tenant(
    select(revoked_tokens.c.jti, revoked_tokens.c.expires).where(revoked_tokens.c.expires > p("now"))
)
_ENDED = cross_tenant(
    select(revoked_sessions.c.sid, revoked_sessions.c.expires).where(revoked_sessions.c.expires > p("now"))
)


def account_entry(tx: SystemTransaction, account: str) -> AccountEntry | None:
    """Returns the account's entry for the gate's cache."""
    row = tx.one(_ACCOUNT, id=account)
    if row is None:
        return None
    scopes = None if row[4] is None else frozenset(row[4].split())
    return AccountEntry(
        id=row[0], tenant=row[1], kind=row[2], disabled=bool(row[3]), scopes=scopes, token_version=row[5]
    )


def revoked(tx: SystemTransaction) -> dict[str, int]:
    """Returns every revoked session and token that some process may still take for valid, with its expiry."""
    since = tx.now - REVOCATION_RETENTION
    return dict([*tx.all(_REVOKED, now=since), *tx.all(_ENDED, now=since)])
