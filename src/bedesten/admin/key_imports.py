"""Imports API keys from another system beside a running server: many short transactions, and still all or none."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from bedesten.apikeys import imports
from bedesten.apikeys.actions import NewKey
from bedesten.apikeys.imports import MAX_KEYS_PER_TRANSACTION, ImportLine, ImportRun, PreparedKey
from bedesten.audit.actions import Actor
from bedesten.gate.keyring import Keyring
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, Transaction

Extra = TypeVar("Extra")
Part = TypeVar("Part")
PAUSE_BETWEEN_TRANSACTIONS_S = 0.005
"""Pause between two transactions, so that other actions that wait for SQLite's writer go first."""


def import_keys(
    store: Store,
    keyring: Keyring,
    tenant: str,
    lines: Sequence[ImportLine],
    describe: Callable[[Transaction], tuple[NewKey, Extra]],
    actor: Actor,
    advance: Callable[[int], object] = lambda _: None,
) -> tuple[list[str], Extra | None]:
    """Imports API keys, all or none. Returns their ids, and the second value that `describe` returned.

    `describe` runs in the transaction that opens the import; its changes stay even if the import fails later. Raises
    `Refusal`: -2 with the lines at fault, -8 while another import of the tenant runs. Blocks.
    """
    prepared = imports.prepare(keyring, store.ids, tenant, lines)
    if not prepared:
        return [], None
    remove_leftovers(store)
    store.read_now(lambda tx: imports.refuse_beside_another(tx.for_tenant(tenant)))
    wrong: dict[int, str] = {}
    for part in parts(prepared):
        wrong |= store.read_now(partial(_imported_before, tenant=tenant, part=part))
    imports.refuse(wrong)

    def begin(tx: SystemTransaction) -> tuple[ImportRun, NewKey, Extra]:
        new, extra = describe(tx.for_tenant(tenant))
        return imports.begin(tx.for_tenant(tenant), keyring, new, len(prepared)), new, extra

    run, new, extra = store.write_now(begin)
    key_ids = [one.key_id for one in prepared]
    with all_or_none(store, tenant, run.id):
        for part in parts(prepared):
            store.write_now(partial(_store_some, tenant=tenant, run=run, part=part))
            advance(len(part))
            time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)
        store.write_now(lambda tx: imports.finish(tx.for_tenant(tenant), run, new, key_ids, actor))
    return key_ids, extra


@contextlib.contextmanager
def all_or_none(store: Store, tenant: str, run: str) -> Iterator[None]:
    """Removes what was stored if the import ends early, also by Ctrl-C. If that fails, the worker retries later."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(StoreUnavailable):
            store.write_now(lambda tx: imports.abandon(tx.for_tenant(tenant), run))
            remove_leftovers(store)
        raise


def remove_leftovers(store: Store) -> None:
    """Removes the keys of abandoned runs, in short transactions so that others can write."""
    while store.write_now(imports.remove_leftovers):
        time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)


def parts(prepared: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """Splits the keys into one part for each transaction."""
    for start in range(0, len(prepared), MAX_KEYS_PER_TRANSACTION):
        yield prepared[start : start + MAX_KEYS_PER_TRANSACTION]


def _imported_before(tx: SystemTransaction, tenant: str, part: Sequence[PreparedKey]) -> dict[int, str]:
    return imports.imported_before(tx.for_tenant(tenant), part)


def _store_some(tx: SystemTransaction, tenant: str, run: ImportRun, part: Sequence[PreparedKey]) -> None:
    imports.store_some(tx.for_tenant(tenant), run, part)
