"""Creates many API keys at once: stores batches of some hundred beside a running server; all become valid at the end.

It uses the runs of `imports`: until a run has finished, no query outside it finds its keys.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bedesten.apikeys import actions as key_actions
from bedesten.apikeys import imports
from bedesten.apikeys.actions import CURRENT
from bedesten.audit.actions import Actor, record
from bedesten.core.ids import IdGenerator
from bedesten.core.secret import Secret, masked
from bedesten.gate.api_keys import new_api_key
from bedesten.gate.keyring import Keyring
from bedesten.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new API key before it is stored: its id, the key itself, its digest under a pepper, and its columns."""

    id: str
    key: Secret[str]
    digest: bytes
    pepper: str
    columns: Mapping[str, object]


def make(
    keyring: Keyring, ids: IdGenerator, tenant: str, columns: Mapping[str, object], *, sandbox: bool
) -> CreatedKey:
    """Makes a key without the store. `columns` are those of `actions.columns_of`."""
    key, pepper = new_api_key(sandbox), keyring.digest.current
    return CreatedKey(ids.new("key"), key, keyring.key_digest(tenant, key.reveal(), pepper), pepper, columns)


def store_some(tx: Transaction, run: str, some: Sequence[CreatedKey]) -> None:
    """Stores up to `imports.MAX_KEYS_PER_TRANSACTION` keys, which are not valid yet. Raises `Refusal` (-8)."""
    imports.count_stored(tx, run, len(some))
    tx.run_each(
        key_actions.CREATE,
        ({**one.columns, "id": one.id, "hint": masked(one.key.reveal()), "import_id": run} for one in some),
    )
    secret = {"slot": CURRENT, "imported": 0, "grace": None, "expires": None}
    tx.run_each(
        key_actions.ADD_SECRET,
        ({**secret, "key_id": one.id, "digest": one.digest, "pepper_id": one.pepper} for one in some),
    )


def finish(tx: Transaction, run: str, made: Sequence[CreatedKey], actor: Actor) -> None:
    """Makes every key of the run valid, and records one row for each owner. Raises `Refusal` (-8)."""
    imports.close_run(tx, run)
    first = {_owner(one): one.id for one in reversed(made)}
    for (surface, owner), count in Counter(map(_owner, made)).items():
        record(tx, actor, "key.create", first[surface, owner], surface=surface, owner=owner, keys=count, run=run)


def _owner(one: CreatedKey) -> tuple[object, object]:
    return one.columns["surface"], one.columns["owner_id"]
