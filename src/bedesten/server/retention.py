"""Deletes what has expired (revocations, sessions, stored answers, failures, old revisions) and caps waits that a wrong
clock wrote.
"""

from sqlalchemy import update

from bedesten.accounts.lookup import REVOCATION_RETENTION
from bedesten.accounts.tables import (
    login_failures,
    registrations,
    revoked_sessions,
    revoked_tokens,
    sessions,
    token_uses,
)
from bedesten.core.clock import DAY, HOUR
from bedesten.gate.bearer import CLOCK_SKEW_MS
from bedesten.orders.model import UNPAID
from bedesten.orders.tables import baskets, checkout_holders, orders
from bedesten.staff.sessions import DELETE_EXPIRED
from bedesten.store.revision_log import COUNTER, DELETE_CHANGES, MAX_CHANGES
from bedesten.store.sql import cross_tenant, p
from bedesten.store.tables import DELETE_BUCKETS, idempotency
from bedesten.store.transaction import SystemTransaction
from bedesten.webhooks.moves import DUE
from bedesten.webhooks.tables import deliveries

ANSWER_RETENTION = 30 * DAY
BASKET_RETENTION = 180 * DAY
"""How long a basket is kept after its last change."""

_TOKENS = cross_tenant(revoked_tokens.delete().where(revoked_tokens.c.expires <= p("now")))
_ENDED = cross_tenant(revoked_sessions.delete().where(revoked_sessions.c.expires <= p("now")))
_SESSIONS = cross_tenant(sessions.delete().where(sessions.c.expires <= p("now")))
_USES = cross_tenant(token_uses.delete().where(token_uses.c.expires <= p("now")))
_FAILURES = cross_tenant(login_failures.delete().where(login_failures.c.updated < p("before")))
_REGISTRATIONS = cross_tenant(registrations.delete().where(registrations.c.hour < p("before")))
_HOLDERS = cross_tenant(checkout_holders.delete().where(checkout_holders.c.used < p("before")))
_ANSWERS = cross_tenant(idempotency.delete().where(idempotency.c.created < p("before")))
_BASKETS = cross_tenant(baskets.delete().where(baskets.c.updated < p("before")))
_D, _O = deliveries.c, orders.c
_DELIVERIES = cross_tenant(
    update(deliveries)
    .where(_D.state == DUE, _D.next_at > p("latest"), _D.updated > p("latest"), _D.next_at >= _D.updated)
    .values(next_at=p("now") + _D.next_at - _D.updated)
)
_CHECKOUTS = cross_tenant(
    update(orders)
    .where(_O.state == UNPAID, _O.expires > p("latest"), _O.created > p("latest"), _O.expires >= _O.created)
    .values(expires=p("now") + _O.expires - _O.created)
)
"""Makes a row that a fast clock wrote wait for its original duration from now on. This happens once: afterwards its due
time is before the time at which it was written."""


def cap_waits(tx: SystemTransaction) -> None:
    """Cap waits that a wrong clock wrote. Idempotent."""
    for statement in (_DELIVERIES, _CHECKOUTS):
        tx.run(statement, now=tx.now, latest=tx.now + CLOCK_SKEW_MS)


def delete_expired(tx: SystemTransaction) -> None:
    """Delete what has expired and cap wrong waits. Idempotent, also in two processes."""
    cap_waits(tx)
    tx.run(_TOKENS, now=tx.now - REVOCATION_RETENTION)
    tx.run(_ENDED, now=tx.now - REVOCATION_RETENTION)
    tx.run(_SESSIONS, now=tx.now - REVOCATION_RETENTION)
    tx.run(DELETE_EXPIRED, now=tx.now)
    tx.run(_USES, now=tx.now)
    tx.run(_FAILURES, before=tx.now - DAY)
    tx.run(_REGISTRATIONS, before=tx.now - DAY)
    tx.run(_HOLDERS, before=tx.now - DAY)
    tx.run(_ANSWERS, before=tx.now - ANSWER_RETENTION)
    tx.run(DELETE_BUCKETS, before=(tx.now - HOUR) * 1000)
    tx.run(_BASKETS, before=tx.now - BASKET_RETENTION)
    counter = tx.one(COUNTER)
    if counter:
        tx.run(DELETE_CHANGES, until=counter.number - MAX_CHANGES)
