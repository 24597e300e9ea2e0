"""Handles reports of API keys found in public: in a repository, a log, a chat.

A scanner sends text that looks like an API key. The API key is never stored, printed or logged, only its id and its
hint. The installation's leak policy decides what happens:

| policy | what happens |
|---|---|
| `notify` | a row in the audit trail, and a call of `notify`: a warning in the log by default |
| `grace` | also, the secret ends after 24 hours, unless it ends earlier anyway |
| `revoke` | also, it ends at once: only the previous secret if that one leaked, otherwise the whole API key |
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import select, update

from bedesten.apikeys import actions as key_actions
from bedesten.apikeys.actions import PREVIOUS, SLOTS
from bedesten.apikeys.tables import api_keys, key_exists, key_secrets
from bedesten.audit.actions import INSTALLATION as INSTALLATION_ID
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.core import credential
from bedesten.core.clock import DAY, wire_time
from bedesten.errors import bad_field
from bedesten.gate.api_keys import find_keys, imported_form, mask_keys
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, cross_tenant, p, statement
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION, SET_LEAK_POLICY, InstallationSettings
from bedesten.store.transaction import SystemTransaction

log = structlog.get_logger("bedesten.admin")
POLICIES = ("notify", "grace", "revoke")
GRACE_MS = DAY
MAX_CANDIDATES = 1_000
"""Most candidates in one report; every tenant is searched for each."""
MAX_SOURCE_LENGTH = 200

_S = key_secrets.c
_DIGEST_FORMS = cross_tenant(select(_S.tenant_id, _S.pepper_id, _S.imported).distinct())
_KEY_BY_DIGEST = cross_tenant(
    select(_S.key_id)
    .select_from(key_secrets.join(api_keys, api_keys.c.id == _S.key_id))
    .where(_S.digest == p("digest"), key_exists())
)
_END = statement(update(key_secrets).where(_S.tenant_id == TENANT, _S.digest == p("digest")).values(expires=p("ends")))


@dataclass(frozen=True, slots=True)
class LeakedKey:
    """One leaked secret of a tenant's API key, and what was done: `noted`, `ends`, `revoked`."""

    tenant: str
    key_id: str
    surface: str
    owner: str
    hint: str
    secret: str
    done: str
    ends: int | None


@dataclass(frozen=True, slots=True)
class LeakReport:
    """The result of a report: how many candidates it had, and which of them are valid secrets."""

    policy: str
    candidates: int
    leaked: tuple[LeakedKey, ...]


@dataclass(frozen=True, slots=True)
class _StoredKey:
    """An API key of the store, and every digest that it may have by the time the policy is applied."""

    tenant: str
    key_id: str
    digests: frozenset[bytes]


def log_leak(leaked: LeakedKey, source: str) -> None:
    """Logs a warning."""
    log.warning(
        "key-leaked", tenant=leaked.tenant, key=leaked.key_id, hint=leaked.hint, done=leaked.done, source=source
    )


def report_leaks(
    store: Store,
    load_keyring: Callable[[InstallationSettings], Keyring],
    lines: Iterable[str],
    source: str = "",
    actor: Actor = OPERATOR,
    notify: Callable[[LeakedKey, str], None] = log_leak,
) -> LeakReport:
    """Searches the lines for API keys and applies the leak policy to each. Blocks; may be repeated.

    `load_keyring` returns the store's master secrets: older or other secrets would not recognise a valid API key.
    `source` says where the lines were found, for the audit trail. Raises `Refusal` (-2) for more than `MAX_CANDIDATES`,
    and what `load_keyring` raises; nothing is done then.
    """
    candidates = _candidates(lines)
    masked_source = credential.redacted_location(mask_keys("".join(each for each in source if each.isprintable())))[
        :MAX_SOURCE_LENGTH
    ]
    installed, forms = store.read_now(lambda tx: (_installed(tx), tx.all(_DIGEST_FORMS)))
    keyring, policy = load_keyring(installed), installed.leak_policy
    leaked = []
    for key in candidates:
        digests = _digests(keyring, key, forms)
        for stored in store.read_now(partial(_stored_keys, digests=digests)):
            done = store.write_now(
                partial(_apply_policy, stored=stored, policy=policy, source=masked_source, actor=actor)
            )
            if done is not None:
                leaked.append(done)
                notify(done, masked_source)
    return LeakReport(policy, len(candidates), tuple(leaked))


def leak_policy(tx: SystemTransaction) -> str:
    """The policy for API keys that are reported as leaked."""
    return _installed(tx).leak_policy


def set_leak_policy(tx: SystemTransaction, policy: str) -> None:
    """Sets the policy for the next report. Raises `Refusal` (-2)."""
    if policy not in POLICIES:
        raise bad_field("policy", f"one of {', '.join(POLICIES)}")
    before = leak_policy(tx)
    tx.run(SET_LEAK_POLICY, policy=policy)
    record(tx.for_tenant(INSTALLATION_ID), OPERATOR, "keys.leak_policy", INSTALLATION_ID, before=before, after=policy)


def _installed(tx: SystemTransaction) -> InstallationSettings:
    installed = tx.one(INSTALLATION)
    assert installed is not None, "an opened store is an installation"
    return installed


def _candidates(lines: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for line in lines:
        found.update(dict.fromkeys(find_keys(line)))
        if len(found) > MAX_CANDIDATES:
            raise bad_field("keys", f"more than {MAX_CANDIDATES} in one report")
    return list(found)


def _digests(keyring: Keyring, key: str, forms: Iterable[tuple[str, str, int]]) -> dict[str, frozenset[bytes]]:
    """The digests under which each tenant may have the API key.

    The usual digest under every pepper, because the next use may re-digest the API key under another pepper; and the
    imported form, if the tenant has any API key in that form.
    """
    known, imported_key = keyring.digest_ids(), imported_form(key)
    found: dict[str, set[bytes]] = {}
    for tenant, pepper, imported in forms:
        mine = found.get(tenant)
        if mine is None:
            mine = found[tenant] = {keyring.key_digest(tenant, key, one) for one in known}
        if imported and pepper in known:
            mine.add(keyring.key_digest(tenant, imported_key, pepper))
    return {tenant: frozenset(digests) for tenant, digests in found.items()}


def _stored_keys(tx: SystemTransaction, digests: Mapping[str, frozenset[bytes]]) -> list[_StoredKey]:
    return [
        _StoredKey(tenant, row[0], mine)
        for tenant, mine in digests.items()
        for digest in mine
        if (row := tx.one(_KEY_BY_DIGEST, digest=digest)) is not None
    ]


def _apply_policy(
    across: SystemTransaction, stored: _StoredKey, policy: str, source: str, actor: Actor
) -> LeakedKey | None:
    """Applies the policy to one secret; None if it has already ended."""
    tx = across.for_tenant(stored.tenant)
    key = key_actions.lock(tx, stored.key_id)
    secret = next((one for one in key_actions.secrets_of(tx, key.id).values() if one.digest in stored.digests), None)
    if secret is None or not secret.live(tx.now) or key.ended(tx.now):
        return None
    done, ends = "noted", key_actions.end_of(key.expires, secret.expires)
    if policy == "grace":
        done, ends = "ends", key_actions.end_of(ends, tx.now + GRACE_MS)
        tx.run(_END, digest=secret.digest, ends=ends)
        tx.advance_revision("key", secret.digest.hex())
    elif policy == "revoke":
        done, ends = "revoked", tx.now
    name = SLOTS[secret.slot]
    until = None if ends is None else wire_time(ends)
    record(tx, actor, "key.leaked", key.id, secret=name, source=source, policy=policy, ends=until)
    if policy == "revoke":
        key_actions.revoke(tx, key.id, actor, previous_only=secret.slot == PREVIOUS)
    return LeakedKey(tx.tenant, key.id, key.surface, key.owner, key.hint, name, done, ends)
