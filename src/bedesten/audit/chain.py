"""The hash chain of the audit trail: every sealed row has the hash of all rows before it.

A row is written unsealed, in the transaction of the change that it records, so that no change waits for the chain.
Shortly after, a worker assigns it the next number and

    hash = SHA-256("bedesten-audit-1" || previous hash || fields)

where the fields are seq, id, tenant, actor, action, subject, detail, request id and at, in this order, each as its UTF-8
text after its length in eight bytes, and a missing request id as eight bytes of 0xFF. The first row follows 32 zero
bytes. No secret enters, so anyone who has the rows can check them.

The chain shows that a sealed row was altered, moved, removed or inserted. By itself it cannot show that someone with
write access to the whole database replaced all rows from some point on, or cut them off together with the head. To detect
that, compare with a head that was stored elsewhere: the worker logs one a minute (see `verify`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from sqlalchemy import func, select, update

from bedesten.audit.tables import audit, audit_chain
from bedesten.core.clock import MINUTE, wire_time
from bedesten.store.sql import cross_tenant, cross_tenant_rows_as, p
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction

VERIFY_BATCH_ROWS = 500
"""Rows that `verify` reads in one transaction."""
MAX_SEALED_ROWS = 200
"""Rows sealed in one transaction. On SQLite this blocks other writers for some ten milliseconds."""
MAX_SEAL_DELAY_MS = MINUTE
"""A row that waits longer than this while newer rows are sealed was held back."""
MAX_VIOLATIONS = 100

_FORM = b"bedesten-audit-1"
_ABSENT = b"\xff" * 8
START = bytes(32)


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row of the audit trail."""

    id: str
    tenant: str
    actor: str
    action: str
    subject: str
    detail: str
    request_id: str | None
    at: int
    seq: int | None
    hash: bytes | None

    def sealed_as(self, seq: int, previous: bytes) -> bytes:
        """The hash of this row as number `seq` after a row with the hash `previous`."""
        texts = (str(seq), self.id, self.tenant, self.actor, self.action, self.subject, self.detail, self.request_id)
        return sha256(b"".join([_FORM, previous, *map(_field, texts), _field(str(self.at))])).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The head of the chain: the number of sealed rows, and the hash of the last one."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Parse what `str` returns. Raises ValueError."""
        seq, _, digest = text.partition(":")
        if not (seq.isascii() and seq.isdigit() and len(seq) <= 18 and len(digest) == 64 and digest.isascii()):
            raise ValueError("a head is written SEQ:HASH, a number and 64 hexadecimal digits")
        return cls(int(seq), bytes.fromhex(digest))


def _field(text: str | None) -> bytes:
    if text is None:
        return _ABSENT
    raw = text.encode()
    return len(raw).to_bytes(8, "big") + raw


_A = audit.c
COLUMNS = (_A.id, _A.tenant_id, _A.actor, _A.action, _A.subject, _A.detail, _A.request_id, _A.at, _A.seq, _A.hash)


def _head(seq: int, digest: bytes) -> Head:
    return Head(seq, bytes(digest))


HEAD = cross_tenant_rows_as(_head, select(audit_chain.c.seq, audit_chain.c.hash).where(audit_chain.c.id == p("chain")))
_LOCKED_HEAD = cross_tenant_rows_as(
    _head, select(audit_chain.c.seq, audit_chain.c.hash).where(audit_chain.c.id == p("chain")).with_for_update()
)
_MOVE_HEAD = cross_tenant(
    update(audit_chain).where(audit_chain.c.id == p("chain")).values(seq=p("last"), hash=p("digest"))
)
_UNSEALED = cross_tenant_rows_as(Row, select(*COLUMNS).where(_A.seq.is_(None)).order_by(_A.at, _A.id).limit(p("most")))
_UNNUMBERED = func.coalesce(_A.seq, 0) == 0  # not the condition of the partial index, so that no planner uses it here
_SEAL = cross_tenant(update(audit).where(_A.id == p("row"), _UNNUMBERED).values(seq=p("number"), hash=p("digest")))
_SEALED = cross_tenant_rows_as(Row, select(*COLUMNS).where(_A.seq > p("after")).order_by(_A.seq).limit(p("most")))
_BY_SEQ = cross_tenant_rows_as(Row, select(*COLUMNS).where(_A.seq == p("number")))


def seal_rows(tx: SystemTransaction, most: int = MAX_SEALED_ROWS) -> Head | None:
    """Seal the oldest unsealed rows, at most `most`, and return the new head; None if no row waited.

    Locks the head's row until COMMIT, so any number of workers may call it: each continues where the last one ended.
    """
    head = tx.one(_LOCKED_HEAD, chain=1)
    assert head is not None, "the migration inserts the head"
    rows = tx.all(_UNSEALED, most=most)
    if not rows:
        return None
    seq, digest = head.seq, head.hash
    for row in rows:
        seq, digest = seq + 1, row.sealed_as(seq + 1, digest)
        tx.run(_SEAL, row=row.id, number=seq, digest=digest)
    tx.run(_MOVE_HEAD, chain=1, last=seq, digest=digest)
    return Head(seq, digest)


def head_of(tx: SystemTransaction) -> Head:
    """The head of the chain; number 0 and zeros before the first row is sealed."""
    return tx.one(HEAD, chain=1) or Head(0, START)


def contains(tx: SystemTransaction, head: Head) -> bool:
    """Whether the chain contains this head, so that it once ended there."""
    row = tx.one(_BY_SEQ, number=head.seq)
    return head.seq == 0 or (row is not None and row.hash is not None and bytes(row.hash) == head.hash)


def waiting(tx: SystemTransaction) -> Row | None:
    """The oldest unsealed row."""
    return tx.one(_UNSEALED, most=1)


def verify(store: Store, known_heads: Iterable[Head] = ()) -> list[str]:
    """Verify the whole chain and return one line for each violation in order; no lines for an intact trail.

    `known_heads` were stored elsewhere: each must still be in the chain. Reads in batches, so that a server can run beside
    it; rows that are sealed meanwhile are verified too. After a violation it continues from the stored hash, so that one
    altered row makes one line. Raises `StoreUnavailable`.
    """
    found: list[str] = []
    for violation in _violations(store, list(known_heads)):
        found.append(violation)
        if len(found) == MAX_VIOLATIONS:
            return [*found, "there may be more: verification stopped here"]
    return found


def _violations(store: Store, known_heads: list[Head]) -> Iterator[str]:
    reader = _ChainReader()
    more = True
    while more:
        rows, head = _next(store, reader.after)
        for row in rows:
            yield from reader.step(row)
        more = len(rows) == VERIFY_BATCH_ROWS
    if head is None:
        yield "the head of the chain is missing"
    elif (reader.seq, reader.hash) != (head.seq, head.hash):
        yield _wrong_head(reader, head)
    for one in known_heads:
        if not store.read_now(partial(contains, head=one)):
            yield f"row {one.seq} is not the known one: the chain was cut off or replaced before it"
    yield from _held_back(store, reader.latest)


def _next(store: Store, after: int) -> tuple[list[Row], Head | None]:
    """The sealed rows after a number, and the head, from one transaction."""
    return store.read_now(lambda tx: (tx.all(_SEALED, after=after, most=VERIFY_BATCH_ROWS), tx.one(HEAD, chain=1)))


def _wrong_head(reader: "_ChainReader", head: Head) -> str:
    if reader.seq < head.seq:
        return f"the chain ends with row {reader.seq}, its head says {head.seq}: rows were cut off"
    if reader.seq > head.seq:
        return f"row {head.seq + 1} is after the head of the chain, which says {head.seq}"
    return f"the head of the chain has another hash than its last row {reader.seq}"


def _held_back(store: Store, latest: int) -> Iterator[str]:
    """Yields a violation for an unsealed row much older than the last sealed one: inserted late, or held back."""
    row = store.read_now(waiting)
    if row is not None and row.at < latest - MAX_SEAL_DELAY_MS:
        yield (
            f"row {row.id} of {wire_time(row.at)} is not sealed, although rows of {wire_time(latest)} are: it was"
            " inserted later, or held back"
        )


class _ChainReader:
    """Reads the chain row by row: the last number and hash, and when the last sealed row was written (`latest`)."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = START
        self.after = -(1 << 62)
        self.latest = 0

    def step(self, row: Row) -> Iterator[str]:
        """Check the next stored row."""
        assert row.seq is not None, "only sealed rows are read"
        digest = bytes(row.hash or b"")
        expected = self.seq + 1
        self.after = row.seq
        if row.seq < expected:
            yield f"row {row.seq} ({row.id}) precedes the first one"
            return
        if row.seq > expected:
            gap = f"row {expected} is" if row.seq == expected + 1 else f"rows {expected} to {row.seq - 1} are"
            yield f"{gap} missing"
        elif row.sealed_as(row.seq, self.hash) != digest:
            yield f"row {row.seq} ({row.id}, {row.action}, {wire_time(row.at)}) was altered, moved or inserted"
        self.seq, self.hash, self.latest = row.seq, digest, row.at
