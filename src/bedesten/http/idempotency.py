"""`Idempotency-Key`: the first answer to a key is the answer to every later request with it."""

import hashlib
from collections.abc import Callable

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.http.schemas import encode
from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import RetryTransaction, Transaction


def once(tx: Transaction, owner: str, key: str, content: bytes, work: Callable[[], object]) -> bytes | Refusal:
    """The encoded answer of `work`, run at most once for this owner and key.

    Other content under the same key is refused (-8). A refusal is not stored: the caller may correct the request and send
    it with the same key. On PostgreSQL the second of two simultaneous requests waits for the first and gives its answer.
    The key is stored as a digest, because callers may put anything there, even a credential.
    """
    key = hashlib.sha256(key.encode()).hexdigest()
    known = tx.one(STORED_ANSWER, owner_id=owner, key=key)
    if known is not None:
        if bytes(known[0]) != content:
            raise Refusal(errors.CONFLICT, "the Idempotency-Key was used with another content")
        stored: str = known[1]
        return stored.encode()
    made = work()
    if isinstance(made, Refusal):
        return made
    answer = encode(made)
    if not tx.run(INSERT_ANSWER, owner_id=owner, key=key, digest=content, answer=answer.decode(), created=tx.now):
        raise RetryTransaction("the same key was used at the same moment")
    return answer
