"""`Idempotency-Key`: the first answer to a key is the answer to every later request with it.

A refusal that the state decided is an answer too (`is_kept`): the caller may not know whether the first request
succeeded, so the second must not do what the first was refused. A refusal of the request itself (-2) is not stored: the
caller corrects the request and sends it with the same key. An answer is stored in the transaction of its operation, so
a crash loses both or neither; see decision 0011.
"""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from bedesten import errors
from bedesten.errors import CATALOGUE, Refusal
from bedesten.http.schemas import encode
from bedesten.store.store import Store
from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import RetryTransaction, Transaction

KEPT_STATUSES = frozenset({404, 409})
"""The HTTP statuses of refusals that the state of the shop decided: not found, and in conflict with the state."""
_REFUSED = "!"
"""The first character of a stored refusal; no JSON begins with it."""


class _StoredRefusal(msgspec.Struct, frozen=True):
    """A stored refusal. It has no `cause`: that belongs to the first request, whose log line has it."""

    code: int
    text: str
    fields: dict[str, str] | None
    data: Any


async def answer(
    store: Store, tenant: str, owner: str, key: str, content: bytes, work: Callable[[Transaction], object]
) -> bytes | Refusal:
    """The encoded answer of `work`, or its refusal, stored for this owner and key.

    A refusal that `work` raises rolls its transaction back, so a second one stores it. Until that has committed,
    another request with the key may succeed; both then get the answer that was stored first.
    """
    try:
        return await store.write(tenant, once, owner, key, content, work)
    except Refusal as refusal:
        if not is_kept(refusal):
            raise
        return await store.write(tenant, keep, owner, key, content, refusal)


def once(
    tx: Transaction, owner: str, key: str, content: bytes, work: Callable[[Transaction], object]
) -> bytes | Refusal:
    """The encoded answer of `work`, run at most once for this owner and key.

    Other content under the same key is refused (-8). On PostgreSQL the second of two simultaneous requests waits for
    the first and returns its answer. The key is stored as a digest, because callers may put anything there, even a
    credential.
    """
    known = _known(tx, owner, key, content)
    if known is not None:
        return known
    made = work(tx)
    if isinstance(made, Refusal) and not is_kept(made):
        return made
    return _insert(tx, owner, key, content, made)


def keep(tx: Transaction, owner: str, key: str, content: bytes, refusal: Refusal) -> bytes | Refusal:
    """Stores a refusal as the answer to the key. Returns the answer that was stored first, if there is one."""
    known = _known(tx, owner, key, content)
    return _insert(tx, owner, key, content, refusal) if known is None else known


def is_kept(refusal: Refusal) -> bool:
    """Whether the refusal is the answer to every later request with the key."""
    return refusal.code.status in KEPT_STATUSES


def _known(tx: Transaction, owner: str, key: str, content: bytes) -> bytes | Refusal | None:
    """The stored answer, if there is one. Raises `Refusal` (-8) for other content."""
    known = tx.one(STORED_ANSWER, owner_id=owner, key=_digest(key))
    if known is None:
        return None
    if bytes(known[0]) != content:
        raise Refusal(errors.CONFLICT, "the Idempotency-Key was used with another content")
    stored: str = known[1]
    return _restored(stored) if stored.startswith(_REFUSED) else stored.encode()


def _insert(tx: Transaction, owner: str, key: str, content: bytes, made: object) -> bytes | Refusal:
    result = made if isinstance(made, Refusal) else encode(made)
    stored = _stored(result) if isinstance(result, Refusal) else result.decode()
    row = {"owner_id": owner, "key": _digest(key), "digest": content, "created": tx.now}
    if not tx.run(INSERT_ANSWER, **row, answer=stored):
        raise RetryTransaction("the same key was used at the same moment")
    return result


def _stored(refusal: Refusal) -> str:
    fields = None if refusal.fields is None else dict(refusal.fields)
    return _REFUSED + encode(_StoredRefusal(refusal.code.number, refusal.text, fields, refusal.data)).decode()


def _restored(stored: str) -> Refusal:
    read = msgspec.convert(json.loads(stored.removeprefix(_REFUSED), parse_float=Decimal), _StoredRefusal)
    refusal = Refusal(CATALOGUE[read.code], "the answer that the key got before", fields=read.fields, data=read.data)
    refusal.text = read.text
    return refusal


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
