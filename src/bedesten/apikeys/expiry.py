"""Handles API keys over time: warns before they expire, and deletes their secrets long afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, or_, select, update

from bedesten.apikeys.tables import api_keys, key_exists, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.core.clock import DAY, wire_time
from bedesten.store.sql import TENANT, cross_tenant, cross_tenant_rows_as, p, statement
from bedesten.store.transaction import SystemTransaction

WARNING_DAYS = (1, 7, 30)
"""Days left at which a warning is recorded, once each, the smallest first."""
SECRET_RETENTION = 7 * DAY
"""Time (ms) for which the digest of an ended secret is kept: it is refused as expired until then, and as unknown
later."""
MAX_WARNINGS = 1_000
MAX_DELETED = 200
"""Secrets deleted in one transaction: each advances the revision, and a revocation waits for the revision's row."""
CLOCK = Actor("clock")


@dataclass(frozen=True, slots=True)
class Expiring:
    """A key that expires soon, and its last warning (days, or None)."""

    tenant: str
    key_id: str
    owner: str
    hint: str
    expires: int
    warned: int | None


_K, _S = api_keys.c, key_secrets.c
_EXPIRING = cross_tenant_rows_as(
    Expiring,
    select(_K.tenant_id, _K.id, _K.owner_id, _K.hint, _K.expires, _K.warned)
    .where(
        _K.expires.is_not(None), _K.expires > p("now"), _K.expires <= p("horizon"), _K.revoked.is_(None), key_exists()
    )
    .where(
        or_(
            _K.warned.is_(None),
            (_K.warned > WARNING_DAYS[0]) & (_K.expires <= p("soonest")),
            (_K.warned > WARNING_DAYS[1]) & (_K.expires <= p("sooner")),
        )
    )
    .order_by(_K.expires)
    .limit(p("most")),
)
_WARNED = statement(
    update(api_keys)
    .where(
        _K.tenant_id == TENANT,
        _K.id == p("id"),
        _K.revoked.is_(None),
        or_(_K.warned.is_(None), _K.warned > p("stage")),
    )
    .values(warned=p("stage"))
)
_ENDED_SECRETS = cross_tenant(
    select(_S.digest).where(_S.expires.is_not(None), _S.expires <= p("before")).limit(p("most"))
)  # fmt: skip
_ENDED_KEYS = cross_tenant(
    select(_S.digest)
    .select_from(key_secrets.join(api_keys, _K.id == _S.key_id))
    .where(_K.expires.is_not(None), _K.expires <= p("before"))
    .limit(p("most"))
)
_DROP = cross_tenant(delete(key_secrets).where(_S.digest == p("digest")))


def stage_of(left: int) -> int | None:
    """Returns the latest warning stage (days) reached with this many milliseconds left; None before the first stage."""
    return next((days for days in WARNING_DAYS if left <= days * DAY), None)


def warn(tx: SystemTransaction) -> list[tuple[Expiring, int]]:
    """Records a warning for every key that has reached another stage; returns each key with the days of its stage.

    A key created with fewer days than a stage never gets that stage's warning. Safe in any number of processes: only
    the process that marks a stage records it.
    """
    now = tx.now
    found = tx.all(
        _EXPIRING,
        now=now,
        horizon=now + WARNING_DAYS[-1] * DAY,
        soonest=now + WARNING_DAYS[0] * DAY,
        sooner=now + WARNING_DAYS[1] * DAY,
        most=MAX_WARNINGS,
    )
    return list(_marked(tx, found))


def _marked(tx: SystemTransaction, found: Iterable[Expiring]) -> Iterable[tuple[Expiring, int]]:
    for key in found:
        stage = stage_of(key.expires - tx.now)
        assert stage is not None, "it was looked for inside the last stage"
        bound = tx.for_tenant(key.tenant)
        if bound.run(_WARNED, id=key.key_id, stage=stage):
            record(bound, CLOCK, "key.expiring", key.key_id, days=stage, expires=wire_time(key.expires), hint=key.hint)
            yield key, stage


def delete_ended(tx: SystemTransaction) -> int:
    """Deletes secrets that ended, or whose key ended, long ago; keeps the keys. Returns the number of secrets.

    One call deletes at most `MAX_DELETED`: call it again until it returns 0.
    """
    before = tx.now - SECRET_RETENTION
    queries = (_ENDED_SECRETS, _ENDED_KEYS)
    ended = {bytes(row[0]) for query in queries for row in tx.all(query, before=before, most=MAX_DELETED // 2)}
    for digest in sorted(ended):
        tx.run(_DROP, digest=digest)
        tx.advance_revision("key", digest.hex())
    return len(ended)
