"""Adds batches of stock codes.

One transaction (`add`) stores a batch of up to `CHUNK` codes. A larger batch is loaded in parts (`begin`, `load`,
`finish`), so that other writers wait for one part only; its codes cannot be sold before `finish`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, func, literal, select, union_all, update

from bedesten import errors
from bedesten.catalogue import stock
from bedesten.catalogue.code import StockCode, encode
from bedesten.catalogue.moves import FREE, LOADING, UNIT, WITHDRAWN
from bedesten.catalogue.stock import PreparedCode
from bedesten.catalogue.tables import stock_batches, stock_codes, stock_levels
from bedesten.core.clock import DAY
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, among, cross_tenant, insert_of, move_of, p, statement
from bedesten.store.transaction import RetryTransaction, SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher

CHUNK = 1_000
"""Codes that a supplier may send with one call."""
PART = 250
"""Codes that one transaction of a large upload stores."""
DROP_PART = 2_000
"""Codes of an abandoned upload that one transaction deletes."""
LOADING_BATCH, READY_BATCH = 0, 1
"""States of a batch."""
ABANDONED = "abandoned"
"""The reason of a loading batch that is being deleted."""


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a batch.

    `supplier` earns `unit_cost` (minor units) for each code; None means that the codes are the operator's own.
    """

    name: str
    actor: str
    supplier: str | None = None
    unit_cost: int | None = None
    note: str | None = None
    digest: bytes | None = None
    again: bool = False
    """Puts withdrawn codes into stock again."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A code of an upload, by its index, that the shop already has.

    A code that occurs earlier in the same upload names the upload's own batch.
    """

    index: int
    product_id: str
    batch_id: str | None
    state: int
    row: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """The result of an upload. It has no batch if none of its codes was new."""

    batch_id: str | None
    added: int
    duplicates: tuple[Duplicate, ...]


_B, _C, _L = stock_batches.c, stock_codes.c, stock_levels.c
_BATCH = (_B.tenant_id == TENANT) & (_B.id == p("batch"))
_OF_BATCH = (_C.tenant_id == TENANT) & (_C.batch_id == p("batch"))
_INSERT = insert_of(stock_batches)
_FOUND = union_all(
    select(_C.product_id, _C.batch_id, _C.state, _C.id, literal(0).label("rank")).where(
        _C.tenant_id == TENANT, _C.digest == p("digest")
    ),
    select(_C.product_id, _C.batch_id, _C.state, _C.id, literal(1)).where(
        _C.tenant_id == TENANT, _C.folded_digest == p("folded_digest"), _C.folds == 1
    ),
).subquery("found")
_KNOWN = statement(
    select(_FOUND.c.product_id, _FOUND.c.batch_id, _FOUND.c.state, _FOUND.c.id).order_by(_FOUND.c.rank).limit(1)
)
"""Two look-ups by unique indexes. As one condition with OR, PostgreSQL without statistics read a whole index for each."""
_REVIVE = move_of(
    UNIT, "revive", _C.state, _C.id == p("code"), product_id=p("product"), digest=p("digest"),
    folded_digest=p("folded_digest"), folds=p("to_folds"), ciphertext=p("ciphertext"), batch_id=p("batch"),
    position=p("position"), expires=p("expires"), reason=None,
)  # fmt: skip
_COUNT = statement(update(stock_batches).where(_BATCH, _B.state == p("state")).values(codes=_B.codes + p("count")))
_LOADING = and_(_BATCH, _B.state == LOADING_BATCH, _B.reason.is_(None))
_LOCK = statement(update(stock_batches).where(_LOADING).values(state=LOADING_BATCH))
_GIVE_UP = statement(update(stock_batches).where(_BATCH, _B.state == LOADING_BATCH).values(reason=ABANDONED))
_READY = statement(update(stock_batches).where(_LOADING).values(state=READY_BATCH))
_FREE_ALL = move_of(UNIT, "finish", _C.state, _C.batch_id == p("batch"))
_DROP_CODES = statement(delete(stock_codes).where(_OF_BATCH, _C.state == LOADING))
_part = stock_codes.alias("part")
_PART = (
    select(_part.c.id)
    .where(_part.c.tenant_id == TENANT, _part.c.batch_id == p("batch"), _part.c.state == LOADING)
    .limit(p("most"))
)
_DROP_PART = statement(delete(stock_codes).where(_OF_BATCH, _C.state == LOADING, among(_C.id, _PART)))
_DROP = statement(delete(stock_batches).where(_BATCH, _B.state == LOADING_BATCH))
CONSIGN = statement(
    update(stock_levels).where(_L.tenant_id == TENANT, _L.product_id == p("product")).values(consigned=1)
)
_FIRST_EXPIRY = statement(
    select(func.min(_C.expires)).where(_OF_BATCH, _C.product_id == p("product"), _C.state == FREE)
)
_UNFINISHED = statement(
    select(_B.id).where(
        _B.tenant_id == TENANT, _B.product_id == p("product"), _B.digest == p("digest"), _B.state == LOADING_BATCH
    )
)


_LEFT = cross_tenant(
    select(_B.tenant_id, _B.id)
    .where(_B.state == LOADING_BATCH, _B.created < p("before"))
    .order_by(_B.id)
    .limit(p("most"))
)


# --- adding ----------------------------------------------------------------------------------------------------------


def add(tx: Transaction, cipher: TenantCipher, product: str, codes: Sequence[StockCode], source: Source) -> Upload:
    """Adds codes to stock as one batch; omits codes that the tenant already has."""
    return add_prepared(tx, cipher, product, stock.prepare(cipher.keys_of(tx), tx.new_id, codes), source)


def add_prepared(
    tx: Transaction, cipher: TenantCipher, product: str, codes: Sequence[PreparedCode], source: Source
) -> Upload:
    """Adds codes that were prepared before the transaction."""
    batch = insert(tx, product, source)
    duplicates = load_prepared(tx, cipher, product, batch, codes, 0, again=source.again)
    added = finish(tx, product, batch, source)
    return Upload(batch if added else None, added, tuple(duplicates))


def is_known(tx: Transaction, cipher: TenantCipher, code: StockCode) -> bool:
    """Reports whether the tenant already has this code, in stock or sold."""
    digests = cipher.fingerprint(tx, code.exact), cipher.fingerprint(tx, code.folded)
    return tx.one(_KNOWN, digest=digests[0], folded_digest=digests[1]) is not None


def unfinished(tx: Transaction, product: str, source: Source) -> list[str]:
    """Returns the batches that interrupted uploads of the same file left behind."""
    return [row[0] for row in tx.all(_UNFINISHED, product=product, digest=source.digest)] if source.digest else []


def begin(tx: Transaction, product: str, source: Source) -> str:
    """Creates an empty batch for loading and drops batches that interrupted uploads of the same file left behind."""
    for left in unfinished(tx, product, source):
        drop(tx, left)
    return insert(tx, product, source)


def load(
    tx: Transaction,
    cipher: TenantCipher,
    product: str,
    batch: str,
    codes: Sequence[StockCode],
    first: int,
    *,
    again: bool = False,
) -> list[Duplicate]:
    """Loads a chunk as `load_prepared` does, and prepares it in the transaction."""
    prepared = stock.prepare(cipher.keys_of(tx), tx.new_id, codes)
    return load_prepared(tx, cipher, product, batch, prepared, first, again=again)


def load_prepared(
    tx: Transaction,
    cipher: TenantCipher,
    product: str,
    batch: str,
    codes: Sequence[PreparedCode],
    first: int,
    *,
    again: bool = False,
) -> list[Duplicate]:
    """Loads a chunk and returns the codes that the tenant already has.

    `first` is the index of the chunk's first code in the upload. Raises `Refusal` (-8) if the batch is no longer
    loading.
    """
    if not tx.run(_LOCK, batch=batch):
        raise _overtaken()
    found = stock.insert(tx, product, codes, lambda at: {"state": LOADING, "batch_id": batch, "position": first + at})
    count = 0
    known: list[Duplicate] = []
    for one in found:
        duplicate = None if one.inserted else _duplicate(tx, one, first)
        if duplicate and again and duplicate.state == WITHDRAWN:
            _revive(tx, cipher, product, batch, codes[one.place].code, one, duplicate)
            duplicate = None
        if duplicate:
            known.append(duplicate)
        else:
            count += 1
    tx.run(_COUNT, batch=batch, state=LOADING_BATCH, count=count)
    return sorted(known, key=lambda one: one.index)


def _revive(
    tx: Transaction,
    cipher: TenantCipher,
    product: str,
    batch: str,
    code: StockCode,
    one: stock.InsertedCode,
    withdrawn: Duplicate,
) -> None:
    """Moves a withdrawn code from its old batch into this one."""
    done = tx.run(
        _REVIVE,
        code=withdrawn.row,
        product=product,
        digest=one.digest,
        folded_digest=one.folded_digest,
        to_folds=int(stock.folds(tx, product)),
        ciphertext=cipher.encrypt(tx, stock.PURPOSE, withdrawn.row, encode(code)),
        batch=batch,
        position=withdrawn.index,
        expires=code.expires_at,
    )
    if not done:
        raise RetryTransaction("another upload has taken the code in at this moment")
    tx.run(_COUNT, batch=withdrawn.batch_id, state=READY_BATCH, count=-1)


def finish(tx: Transaction, product: str, batch: str, source: Source) -> int:
    """Makes a loaded batch sellable and returns its number of codes; drops a batch without codes.

    Raises `Refusal` (-8) if another upload of the same file has dropped the batch in the meantime.
    """
    if not tx.run(_LOCK, batch=batch):
        raise _overtaken()
    tx.run(stock.LOCK_LEVEL, product=product)
    count = tx.run(_FREE_ALL, batch=batch)
    if not count:
        drop(tx, batch)
        return 0
    tx.run(_READY, batch=batch)
    make_sellable(tx, product, batch, count, source)
    return count


def make_sellable(tx: Transaction, product: str, batch: str, count: int, source: Source) -> None:
    """Adds a batch's codes, which have just become free, to the stock level."""
    first = tx.one(_FIRST_EXPIRY, batch=batch, product=product)
    stock.put(tx, product, count, first[0] if first else None)
    if source.supplier and source.unit_cost:
        tx.run(CONSIGN, product=product)


def abandoned(tx: SystemTransaction, most: int = 20) -> list[tuple[str, str]]:
    """Returns tenant and id of batches whose upload began long ago and did not finish."""
    return [(row[0], row[1]) for row in tx.all(_LEFT, before=tx.now - DAY, most=most)]


def drop(tx: Transaction, batch: str) -> int:
    """Deletes a batch that did not finish loading; returns its number of codes."""
    tx.run(_GIVE_UP, batch=batch)
    count = tx.run(_DROP_CODES, batch=batch)
    tx.run(_DROP, batch=batch)
    return count


def drop_part(tx: Transaction, batch: str, most: int = DROP_PART) -> bool:
    """Deletes some codes of a batch that did not finish loading. Returns whether more may be left.

    Deletes the batch with its last code. From the first part on the batch can be neither loaded nor finished.
    """
    if not tx.run(_GIVE_UP, batch=batch):
        return False
    count = tx.run(_DROP_PART, batch=batch, most=most)
    tx.run(_COUNT, batch=batch, state=LOADING_BATCH, count=-count)
    if count < most:
        tx.run(_DROP, batch=batch)
    return count == most


def insert(tx: Transaction, product: str, source: Source, codes: int = 0, state: int = LOADING_BATCH) -> str:
    """Creates a batch without codes and returns its id."""
    batch = tx.new_id("bat")
    tx.run(
        _INSERT,
        id=batch,
        product_id=product,
        source=source.name,
        digest=source.digest,
        supplier_id=source.supplier,
        unit_cost=source.unit_cost,
        note=source.note,
        reason=None,
        actor=source.actor,
        created=tx.now,
        codes=codes,
        state=state,
    )
    return batch


def _duplicate(tx: Transaction, one: stock.InsertedCode, first: int) -> Duplicate:
    row = tx.one(_KNOWN, digest=one.digest, folded_digest=one.folded_digest)
    if row is None:
        raise RetryTransaction("the conflicting code was withdrawn at this moment")
    return Duplicate(first + one.place, *row)


def _overtaken() -> Refusal:
    return Refusal(errors.CONFLICT, "another upload of the same file has taken over: nothing of this one was put in")


def preview(tx: Transaction, cipher: TenantCipher, product: str, codes: Sequence[StockCode]) -> list[Duplicate]:
    """Predicts which codes an upload would omit. Writes nothing.

    A code that occurs earlier in the same upload has no batch, and its state is loading.
    """
    fold = stock.folds(tx, product)
    found: list[Duplicate] = []
    before: set[bytes] = set()
    for at, code in enumerate(codes):
        digest, folded = cipher.fingerprint(tx, code.exact), cipher.fingerprint(tx, code.folded)
        known = tx.one(_KNOWN, digest=digest, folded_digest=folded if fold else digest)
        key = folded if fold else digest
        if known is not None:
            found.append(Duplicate(at, *known))
        elif key in before:
            found.append(Duplicate(at, product, None, LOADING))
        before.add(key)
    return found
