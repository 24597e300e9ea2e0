"""What has had its time: revoked tokens past their expiry, old idempotent answers, old failures, old fence changes."""

from bedesten.accounts.lookup import REMEMBERED
from bedesten.accounts.tables import (
    login_failures,
    registrations,
    revoked_sessions,
    revoked_tokens,
    sessions,
    token_uses,
)
from bedesten.base.clock import DAY
from bedesten.orders.tables import checkout_holders
from bedesten.store.fence import COUNTER, FORGET, KEPT
from bedesten.store.sql import crossing, p
from bedesten.store.tables import idempotency
from bedesten.store.transaction import CrossTransaction

ANSWERS_KEPT = 30 * DAY

_TOKENS = crossing(revoked_tokens.delete().where(revoked_tokens.c.expires <= p("now")))
_ENDED = crossing(revoked_sessions.delete().where(revoked_sessions.c.expires <= p("now")))
_SESSIONS = crossing(sessions.delete().where(sessions.c.expires <= p("now")))
_USES = crossing(token_uses.delete().where(token_uses.c.expires <= p("now")))
_FAILURES = crossing(login_failures.delete().where(login_failures.c.updated < p("before")))
_REGISTRATIONS = crossing(registrations.delete().where(registrations.c.hour < p("before")))
_HOLDERS = crossing(checkout_holders.delete().where(checkout_holders.c.used < p("before")))
_ANSWERS = crossing(idempotency.delete().where(idempotency.c.created < p("before")))


def sweep(tx: CrossTransaction) -> None:
    """Removes it. Running it twice, or in two processes, changes nothing more."""
    tx.run(_TOKENS, now=tx.now - REMEMBERED)
    tx.run(_ENDED, now=tx.now - REMEMBERED)
    tx.run(_SESSIONS, now=tx.now - REMEMBERED)
    tx.run(_USES, now=tx.now)
    tx.run(_FAILURES, before=tx.now - DAY)
    tx.run(_REGISTRATIONS, before=tx.now - DAY)
    tx.run(_HOLDERS, before=tx.now - DAY)
    tx.run(_ANSWERS, before=tx.now - ANSWERS_KEPT)
    counter = tx.one(COUNTER)
    if counter:
        tx.run(FORGET, until=counter.number - KEPT)
