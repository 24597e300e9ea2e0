"""Creates API keys from a file (`record_file`), all or none, beside a running server.

A record has `surface`, `owner`, `grants`, `networks` and `expires`. The command's options supply what it lacks. In CSV
grants and networks are separated by spaces or semicolons.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from bedesten.admin import owners
from bedesten.admin.key_imports import PAUSE_BETWEEN_TRANSACTIONS_S, all_or_none, parts, remove_leftovers
from bedesten.admin.record_file import Problems, RecordFormat, Row, read_records, text_of, texts
from bedesten.apikeys import actions as key_actions
from bedesten.apikeys import created, imports
from bedesten.apikeys.actions import NewKey
from bedesten.apikeys.created import CreatedKey
from bedesten.apikeys.imports import MAX_IMPORT_LINES
from bedesten.audit.actions import OPERATOR
from bedesten.core import text
from bedesten.core.clock import parse_duration_or_time
from bedesten.errors import NOT_FOUND, Refusal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.keyring import Keyring
from bedesten.gate.scopes import Surface
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction, Transaction

NO_OWNER = ""
"""Stands for an owner that is created with the keys."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values for fields that a record lacks. `expires`: ms from now, or epoch ms, or neither."""

    surface: Surface | None = None
    owner: str | None = None
    grants: Sequence[str] = ()
    networks: Sequence[str] = ()
    expires: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True, slots=True)
class KeyOfFile:
    """An API key of a file, with the name of its owner, before and after its creation."""

    surface: Surface
    owner: str
    columns: Mapping[str, object]
    created: CreatedKey | None = None


def read(source: str, raw: bytes, defaults: Defaults) -> list[Row]:
    """The API keys of the file `source`. Raises `Refusal`: -2 with every problem of every row, -5."""
    return read_records(source, raw, _format(defaults), MAX_IMPORT_LINES)


def create_all(
    store: Store,
    keyring: Keyring,
    tenant: TenantEntry,
    source: str,
    rows: Sequence[Row],
    defaults: Defaults,
    publish: Callable[[Sequence[KeyOfFile]], object],
    *,
    create_owner: bool = False,
    advance: Callable[[int], object] = lambda _: None,
) -> list[KeyOfFile]:
    """Creates the keys, all or none. Calls `publish` with them once they are stored, before they become valid.

    Raises `Refusal`: -2 with every problem of every row, -8 while an import of the tenant runs. A created owner stays
    even if the keys fail later. Blocks.
    """
    plan = partial(
        _plan, source=source, rows=rows, defaults=defaults, sandbox=tenant.sandbox, create_owner=create_owner
    )
    planned = store.read_now(lambda tx: plan(tx.for_tenant(tenant.id)))
    if not planned:
        return []
    remove_leftovers(store)
    run, holders = store.write_now(lambda tx: _begin(tx.for_tenant(tenant.id), planned))
    with all_or_none(store, tenant.id, run):
        made = [_made(one, keyring, store, tenant, holders) for one in planned]
        keys = [cast(CreatedKey, one.created) for one in made]
        for part in parts(keys):
            store.write_now(partial(_store_some, tenant=tenant.id, run=run, part=part))
            advance(len(part))
            time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)
        publish(made)
        store.write_now(lambda tx: created.finish(tx.for_tenant(tenant.id), run, keys, OPERATOR))
    return made


def _plan(
    tx: Transaction, source: str, rows: Sequence[Row], defaults: Defaults, *, sandbox: bool, create_owner: bool
) -> list[KeyOfFile]:
    problems = Problems(source, _DONE)
    known: dict[tuple[Surface, str], str | Refusal] = {}
    planned = []
    for row in rows:
        surface = cast(Surface, row.fields.get("surface") or defaults.surface)
        owner = cast(str, row.fields.get("owner") or defaults.owner)
        if (surface, owner) not in known:
            known[surface, owner] = _owner(tx, surface, owner, create_owner)
        holder = known[surface, owner]
        try:
            if isinstance(holder, Refusal):
                raise holder
            columns = key_actions.columns_of(_new_key(tx, row, defaults, surface, holder, sandbox), tx.now)
            planned.append(KeyOfFile(surface, owner, columns))
        except Refusal as refusal:
            for field, problem in (refusal.fields or {}).items():
                problems.add(row.line, _FIELDS.get(field, field), problem)
    problems.refuse_if_any()
    return planned


def _owner(tx: Transaction, surface: Surface, name: str, create: bool) -> str | Refusal:
    try:
        return owners.find_or_create(tx, surface, name, create=False)[0].id
    except Refusal as refusal:
        return NO_OWNER if create and refusal.code is NOT_FOUND else refusal


def _new_key(tx: Transaction, row: Row, defaults: Defaults, surface: Surface, owner: str, sandbox: bool) -> NewKey:
    after, at = cast(tuple[int | None, int | None], row.fields.get("expires") or defaults.expires)
    return NewKey(
        surface,
        owner,
        sandbox,
        cast(Sequence[str], row.fields.get("grants") or defaults.grants) or None,
        cast(Sequence[str], row.fields.get("networks") or defaults.networks),
        tx.now + after if after is not None else at,
    )


def _begin(tx: Transaction, planned: Sequence[KeyOfFile]) -> tuple[str, dict[tuple[Surface, str], str]]:
    """Opens the run and creates the missing owners. Returns the run, and the ids of those owners."""
    missing = {(one.surface, one.owner): "" for one in planned if one.columns["owner_id"] == NO_OWNER}
    holders = {place: owners.find_or_create(tx, *place, create=True)[0].id for place in missing}
    return imports.open_run(tx, len(planned)), holders


def _store_some(tx: SystemTransaction, tenant: str, run: str, part: Sequence[CreatedKey]) -> None:
    created.store_some(tx.for_tenant(tenant), run, part)


def _made(
    one: KeyOfFile, keyring: Keyring, store: Store, tenant: TenantEntry, holders: Mapping[tuple[Surface, str], str]
) -> KeyOfFile:
    holder = one.columns["owner_id"] or holders[one.surface, one.owner]
    columns = {**one.columns, "owner_id": holder}
    return replace(one, created=created.make(keyring, store.ids, tenant.id, columns, sandbox=tenant.sandbox))


def _format(defaults: Defaults) -> RecordFormat:
    given = {"surface": defaults.surface, "owner": defaults.owner}
    required = [name for name, value in given.items() if value is None]

    def missing(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        for name in required:
            if values.get(name) in (None, ""):
                yield name, f"is required, or --{name}"

    return RecordFormat("keys", _READERS, done=_DONE, missing=missing)


def _surface(value: object) -> Surface:
    keyed = [one for one in Surface if not one.uses_tokens]
    if not isinstance(value, str) or value.lower() not in keyed:
        raise ValueError(f"one of {', '.join(keyed)}")
    return Surface(value.lower())


def _expires(value: object) -> tuple[int | None, int | None]:
    if not isinstance(value, str):
        raise ValueError("must be text")
    try:
        return parse_duration_or_time(value)
    except ValueError:
        raise ValueError("must be a duration such as 30d, or a time such as yyyy-MM-ddTHH:mm:ssZ") from None


_DONE = "created"
_FIELDS = {"grant": "grants", "allow": "networks"}
_READERS = {
    "surface": _surface,
    "owner": text_of(text.name, text.MAX_IDENTIFIER),
    "grants": texts,
    "networks": texts,
    "expires": _expires,
}
