"""Records when, from where and by which client the secrets of API keys were last used.

It shows which callers break if a secret ends. The process that sees a use keeps it in memory and writes it later, many
at a time (`http.key_usage`). A process that is killed loses the uses it has not written; nothing else depends on them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, select, update

from bedesten.apikeys import actions as key_actions
from bedesten.apikeys.actions import CURRENT, PREVIOUS, SLOTS, ApiKey, KeySecret
from bedesten.apikeys.tables import api_keys, key_secrets, key_uses
from bedesten.core.clock import wire_time
from bedesten.gate.api_keys import mask_keys
from bedesten.store.sql import TENANT, Statement, insert, p, rows_as, statement
from bedesten.store.transaction import SystemTransaction, Transaction

MAX_AGENT_LENGTH = 200
_TOKEN = re.compile(r"eyJ[0-9A-Za-z_-]{8,}(?:\.[0-9A-Za-z_-]*)*")
"""The form of a bearer token. Some callers send a credential as their `User-Agent`; it must not be stored."""


@dataclass(slots=True)
class UsageRecord:
    """Uses of one secret since the last write, by `digest`, with its slot at that time; `used` is in epoch ms."""

    tenant: str
    key_id: str
    digest: bytes
    slot: int
    used: int
    uses: int
    address: str
    agent: bytes


@dataclass(frozen=True, slots=True)
class LastUse:
    """The last use of one secret, and its number of uses."""

    slot: int
    used: int
    uses: int
    address: str
    agent: str


_U, _S = key_uses.c, key_secrets.c
_KEY = (_U.tenant_id == TENANT) & (_U.key_id == p("key_id"))
_SLOT = statement(select(_S.slot).where(_S.tenant_id == TENANT, _S.digest == p("digest")))
_REVOKED = statement(
    select(api_keys.c.id).where(
        api_keys.c.tenant_id == TENANT, api_keys.c.id == p("key_id"), api_keys.c.revoked.is_not(None)
    )
)
_ROW = insert(key_uses).values(tenant_id=TENANT)
_NEW = _ROW.excluded
_NEWER = _NEW.used >= _U.used
_WRITE: Statement[tuple[object, ...]] = Statement(
    _ROW.on_conflict_do_update(
        index_elements=["tenant_id", "key_id", "slot"],
        set_={
            "used": case((_NEWER, _NEW.used), else_=_U.used),
            "uses": _U.uses + _NEW.uses,
            "address": case((_NEWER, _NEW.address), else_=_U.address),
            "agent": case((_NEWER, _NEW.agent), else_=_U.agent),
        },
    ),
    lambda *row: row,
    ("key_id", "slot", "used", "uses", "address", "agent"),
)
_READ = rows_as(LastUse, select(_U.slot, _U.used, _U.uses, _U.address, _U.agent).where(_KEY))
_FORGET = statement(delete(key_uses).where(_KEY, _U.slot == p("which")))
_SHIFT = statement(update(key_uses).where(_KEY, _U.slot == CURRENT).values(slot=PREVIOUS))


def write(tx: SystemTransaction, noted: Sequence[UsageRecord]) -> None:
    """Adds recorded uses. Uses of a secret that has ended are dropped, unless its whole key was revoked.

    All processes write in the same order, so that two of them do not block each other.
    """
    for one in sorted(noted, key=lambda each: (each.tenant, each.key_id, each.slot)):
        bound = tx.for_tenant(one.tenant)
        row = bound.one(_SLOT, digest=one.digest)
        if row is None and bound.one(_REVOKED, key_id=one.key_id) is None:
            continue
        bound.run(
            _WRITE,
            key_id=one.key_id,
            slot=row[0] if row else one.slot,
            used=one.used,
            uses=one.uses,
            address=one.address,
            agent=shown_agent(one.agent),
        )


def move_uses(tx: Transaction, key_id: str, *, replaced: bool) -> None:
    """Moves the uses along with their secrets in a rotation.

    The current secret has become the previous one, or with `replaced` it was replaced.
    """
    tx.run(_FORGET, key_id=key_id, which=CURRENT if replaced else PREVIOUS)
    if not replaced:
        tx.run(_SHIFT, key_id=key_id)


def last_uses(tx: Transaction, key_id: str) -> dict[int, LastUse]:
    """Returns the last use of each secret that was ever used, by slot."""
    return {use.slot: use for use in tx.all(_READ, key_id=key_id)}


def key_usage(tx: Transaction, key_id: str) -> dict[str, object]:
    """Returns the secrets of a key, each with its end and its last use. Raises `Refusal` (-3)."""
    key, secrets, uses = key_actions.get(tx, key_id), key_actions.secrets_of(tx, key_id), last_uses(tx, key_id)
    return {
        "id": key.id,
        "surface": key.surface,
        "owner": key.owner,
        "hint": key.hint,
        "expires": _time(key.expires),
        "revoked": _time(key.revoked),
        "secrets": [
            _shown(name, key, secrets.get(slot), uses.get(slot), tx.now)
            for slot, name in SLOTS.items()
            if slot in secrets or slot in uses
        ],
    }


def shown_agent(raw: bytes) -> str:
    """Returns a `User-Agent` for storage: printable characters only, credentials masked, truncated."""
    text = raw[: 4 * MAX_AGENT_LENGTH].decode("utf-8", "replace")
    printable = "".join(each for each in text if each.isprintable())
    return _TOKEN.sub("…", mask_keys(printable))[:MAX_AGENT_LENGTH]


def _shown(name: str, key: ApiKey, secret: KeySecret | None, use: LastUse | None, now: int) -> dict[str, object]:
    return {
        "secret": name,
        "live": secret is not None and secret.live(now) and not key.ended(now),
        "ends": _time(key_actions.end_of(key.expires, secret.expires if secret else None)),
        "lastUsed": _time(use.used if use else None),
        "uses": use.uses if use else 0,
        "address": use.address if use else None,
        "userAgent": use.agent if use else None,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else wire_time(at)
