"""Rotates API keys: a new secret under the same key id, and a chosen grace period for the old secret.

A key has at most two secrets, the current one and the previous one. A rotation creates a third, so one has to end:

| who rotates, with which secret | the presented secret | the other secret, if there is one |
|---|---|---|
| the operator (none), or the holder with the current one | becomes the previous one | ends at once |
| the holder with the previous one, naming the current one, which nobody has used | stays the previous one | ends at once |
| the holder with the previous one, otherwise | nothing changes: -8 | |

A rotation names the secret that it replaces, by default the presented one. Of several simultaneous rotations one
therefore succeeds. The second row covers a lost answer: the rotation replaces the new secret that nobody has, and the
holder can retry with the secret it has. The third row prevents a forgotten program, or a thief of the old secret, from
taking the key away from those who use the new one. The first use of every secret is recorded (`record_first_use`) in
the request that presents it, before the request proceeds; so the table is exact on every worker.
"""

from collections.abc import Iterable

from sqlalchemy import case, or_, select, update

from bedesten import errors
from bedesten.apikeys import actions as key_actions
from bedesten.apikeys import usage
from bedesten.apikeys.actions import CURRENT, PREVIOUS, KeySecret
from bedesten.apikeys.tables import api_keys, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.core.clock import DAY, HOUR
from bedesten.core.secret import Secret, masked
from bedesten.errors import Refusal, bad_field
from bedesten.gate.api_keys import new_api_key
from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

DEFAULT_GRACE, MAX_GRACE = HOUR, 30 * DAY

_S = key_secrets.c
_HERE = (_S.tenant_id == TENANT) & (_S.digest == p("stored"))
_SANDBOX = statement(select(tenants.c.sandbox).where(tenants.c.id == TENANT))
_HINT = statement(
    update(api_keys).where(api_keys.c.tenant_id == TENANT, api_keys.c.id == p("id")).values(hint=p("hint"))
)
_MAKE_PREVIOUS = statement(update(key_secrets).where(_HERE).values(slot=PREVIOUS, grace=None, expires=p("ends")))
_END_GRACE = statement(update(key_secrets).where(_HERE).values(grace=None))
_END_PREVIOUS = statement(
    update(key_secrets)
    .where(_S.tenant_id == TENANT, _S.key_id == p("key_id"), _S.slot == PREVIOUS)
    .values(expires=case((or_(_S.expires.is_(None), _S.expires > p("ends")), p("ends")), else_=_S.expires))
)
_REDIGEST = statement(update(key_secrets).where(_HERE).values(digest=p("fresh"), pepper_id=p("pepper"), imported=0))
_IMPORTED_LEFT = statement(select(_S.key_id).where(_S.tenant_id == TENANT, _S.imported == 1).limit(1))


def rotate(
    tx: Transaction,
    keyring: Keyring,
    key_id: str,
    grace: int,
    from_first_use: bool,
    actor: Actor,
    *,
    presented: bytes | None = None,
    replaces: str | None = None,
) -> Secret[str]:
    """Creates a new secret for the key and returns it; it cannot be shown again.

    The old secret stays valid for `grace` ms, counted from now or, with `from_first_use`, from the first use of the new
    one; 0 ends it at that moment. The grace never extends an earlier end of the old secret, and the key's own expiry
    still applies. `presented` is the digest of the secret that the holder presents. `replaces` is the hint of the
    secret to be replaced; None means the presented one.

    Raises `Refusal`: -3 if there is no such key, -2 for an invalid grace, -8 if the key has ended, if its current
    secret is not the one to be replaced, or if the previous secret was presented while the current one is in use.
    """
    if not 0 <= grace <= MAX_GRACE:
        raise bad_field("grace", "from 0 to 30 days")
    key = key_actions.lock(tx, key_id)
    if key.ended(tx.now):
        raise Refusal(errors.CONFLICT, "the key was revoked or has expired", fields={"key": "it has ended"})
    if replaces is not None and replaces != key.hint:
        raise _replaced("another secret is the current one")
    old, other = _chosen(key_actions.secrets_of(tx, key_id), presented, replaces)
    if other is not None:
        key_actions.drop(tx, other)
    kept = old is not None and _keep(tx, old, grace, from_first_use)
    fresh = new_api_key(_sandbox(tx))
    hint = masked(fresh.reveal())
    key_actions.add_secret(tx, keyring, key_id, fresh.reveal(), grace=grace if kept else None)
    tx.run(_HINT, id=key_id, hint=hint)
    usage.move_uses(tx, key_id, replaced=old is not None and old.slot == PREVIOUS)
    record(tx, actor, "key.rotate", key_id, hint=hint, grace=grace, from_first_use=from_first_use, kept=kept)
    return fresh


def previous_end(tx: Transaction, key_id: str) -> tuple[bool, int | None]:
    """Reports whether a previous secret is valid too, and when it ends.

    The end is None while only the first use of the current secret can end it.
    """
    key, secret = key_actions.get(tx, key_id), key_actions.secrets_of(tx, key_id).get(PREVIOUS)
    if secret is None or not secret.live(tx.now) or key.ended(tx.now):
        return False, None
    return True, key_actions.end_of(key.expires, secret.expires)


def _chosen(
    secrets: dict[int, KeySecret], presented: bytes | None, replaces: str | None
) -> tuple[KeySecret | None, KeySecret | None]:
    """Returns the secret that gets the grace period and the one that ends at once. Raises `Refusal` (-8)."""
    current, previous = secrets.get(CURRENT), secrets.get(PREVIOUS)
    if presented is None or (current is not None and presented == current.digest):
        return current, previous
    if previous is None or presented != previous.digest:
        raise Refusal(errors.CONFLICT, "the secret was replaced while it was on its way", retry_after=1)
    if current is not None and current.grace is None:
        raise Refusal(errors.CONFLICT, "rotated with the previous secret, and the current one is in use")
    if replaces is None:
        raise _replaced("the secret that is presented was replaced before")
    return previous, current


def _replaced(cause: str) -> Refusal:
    """Returns the refusal for a rotation that lost a race; `Keys/Get` shows the hint of the current secret."""
    return Refusal(errors.CONFLICT, cause, fields={"replaces": "is not the current secret: Keys/Get shows its hint"})


def _keep(tx: Transaction, old: KeySecret, grace: int, from_first_use: bool) -> bool:
    """Makes the old secret the previous one with its end, or ends it; reports whether it stays valid."""
    if (grace == 0 and not from_first_use) or not old.live(tx.now):
        key_actions.drop(tx, old)
        return False
    ends = old.expires
    if not from_first_use:
        ends = tx.now + grace if ends is None else min(ends, tx.now + grace)
    tx.run(_MAKE_PREVIOUS, stored=old.digest, ends=ends)
    tx.advance_revision("key", old.digest.hex())
    return True


def _sandbox(tx: Transaction) -> bool:
    row = tx.one(_SANDBOX)
    assert row is not None, "a transaction is bound to a tenant that there is"
    return bool(row[0])


def record_first_use(tx: Transaction, keyring: Keyring, found: KeyEntry, key: str, actor: Actor) -> bytes | None:
    """Records the first use of a secret, once; returns the digest under which the secret is stored afterwards.

    An imported digest, or one under a retired pepper, is replaced by the digest of the key under the current pepper.
    The first use of a rotation's new secret sets the end of the previous one. Returns None if the secret ended in the
    meantime.
    """
    key_actions.lock(tx, found.key_id)
    fresh = keyring.key_digest(tx.tenant, key)
    stored = {secret.digest: secret for secret in key_actions.secrets_of(tx, found.key_id).values()}
    secret = stored.get(fresh) or stored.get(found.digest)
    if secret is None:
        return None
    if secret.digest != fresh:
        tx.run(_REDIGEST, stored=secret.digest, fresh=fresh, pepper=keyring.digest.current)
        tx.advance_revision("key", secret.digest.hex())
        if secret.imported:
            record(tx, actor, "key.import.used", found.key_id)
            if tx.one(_IMPORTED_LEFT) is None:
                tx.advance_revision("tenant", tx.tenant)
    if secret.grace is not None:
        _end_previous_after(tx, found.key_id, fresh, secret.grace, stored.values())
        record(tx, actor, "key.rotate.used", found.key_id)
    return fresh


def _end_previous_after(tx: Transaction, key_id: str, digest: bytes, grace: int, secrets: Iterable[KeySecret]) -> None:
    tx.run(_END_GRACE, stored=digest)
    tx.advance_revision("key", digest.hex())
    tx.run(_END_PREVIOUS, key_id=key_id, ends=tx.now + grace)
    for secret in secrets:
        if secret.slot == PREVIOUS:
            tx.advance_revision("key", secret.digest.hex())
