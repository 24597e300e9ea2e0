"""API keys by their id: the operator rotates them without naming a tenant."""

from dataclasses import dataclass

from sqlalchemy import select

from bedesten import errors
from bedesten.apikeys import actions as key_actions
from bedesten.apikeys import rotation, usage
from bedesten.apikeys.actions import PREVIOUS
from bedesten.apikeys.tables import api_keys
from bedesten.apikeys.usage import LastUse
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import wire_time
from bedesten.core.secret import Secret
from bedesten.errors import Refusal, bad_field
from bedesten.gate.api_keys import looks_like_key
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import cross_tenant, p
from bedesten.store.transaction import SystemTransaction, Transaction

_TENANT = cross_tenant(select(api_keys.c.tenant_id).where(api_keys.c.id == p("id")))


@dataclass(frozen=True, slots=True)
class Grace:
    """How long the old secret stays valid after a rotation (ms), counted from now or from the first use of the new one.

    `replaces` is the hint of the secret to replace; None: the current one.
    """

    time: int
    from_first_use: bool = False
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """The new secret, and what happened to the earlier ones.

    `kept`: the old secret stays valid until `ends`; None: until a time after the first use of the new one.
    `ended`: the secret before it was still valid and has ended; `last_use` is the last use of that secret.
    """

    secret: Secret[str]
    kept: bool
    ends: int | None
    ended: bool
    last_use: LastUse | None


def bound_to_tenant_of(tx: SystemTransaction, key_id: str) -> Transaction:
    """The transaction, bound to the tenant of the API key with this id. Raises `Refusal`: -3, -2.

    If the text is an API key itself, the refusal does not repeat it.
    """
    if looks_like_key(key_id):
        raise bad_field("key", "that is an API key, not an id: `bedesten keys leaked --stdin` finds whose it is")
    row = tx.one(_TENANT, id=key_id)
    if row is None:
        raise Refusal(errors.NOT_FOUND, f"no API key has the id {key_id!r}", fields={"key": "there is no such key"})
    return tx.for_tenant(row[0])


def rotate(across: SystemTransaction, keyring: Keyring, key_id: str, grace: Grace, end_previous: bool) -> Rotation:
    """Gives the API key a new secret (`rotation.rotate`). A previous secret that is still valid ends at once.

    Callers may still use that secret, so `end_previous` must confirm its end: otherwise raises `Refusal` (-8).
    """
    tx = bound_to_tenant_of(across, key_id)
    ending, last_use = _previous(tx, key_id)
    if ending and not end_previous:
        raise Refusal(
            errors.CONFLICT,
            f"the previous secret of {key_id} ({used(last_use)}) is still valid and would end at once: add --yes, or wait",
            fields={"key": "its previous secret is still valid"},
        )
    secret = rotation.rotate(tx, keyring, key_id, grace.time, grace.from_first_use, OPERATOR, replaces=grace.replaces)
    return Rotation(secret, *rotation.previous_end(tx, key_id), ending, last_use if ending else None)


def used(use: LastUse | None) -> str:
    """Describes when, from where and by which user agent a secret was last used."""
    if use is None:
        return "never seen in use"
    return f"last used {wire_time(use.used)} from {use.address}" + (f" by {use.agent}" if use.agent else "")


def _previous(tx: Transaction, key_id: str) -> tuple[bool, LastUse | None]:
    """Whether a rotation would end a valid previous secret, and that secret's last use. Locks the API key."""
    key = key_actions.lock(tx, key_id)
    previous = key_actions.secrets_of(tx, key_id).get(PREVIOUS)
    good = previous is not None and previous.live(tx.now) and not key.ended(tx.now)
    return good, usage.last_uses(tx, key_id).get(PREVIOUS)
