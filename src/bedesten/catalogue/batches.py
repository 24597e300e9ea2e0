"""Batches: codes that came together. Put in, withdrawn, moved to another product, listed.

A batch of up to `CHUNK` codes goes in by one transaction (`add`). A longer one is loaded by the chunk (`begin`, `load`,
`finish`), so that others who write wait for one chunk only; nothing of it can be sold before `finish`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, select, update

from bedesten import errors
from bedesten.base.ids import new_id
from bedesten.catalogue import stock
from bedesten.catalogue.code import EXACT, FOLDED, StockCode
from bedesten.catalogue.stock import CLAIMED, DELIVERED, FREE, LOADING, WITHDRAWN
from bedesten.catalogue.tables import products, stock_batches, stock_codes, stock_levels
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, inserting, into, p, statement
from bedesten.store.transaction import Transaction, TryAgain
from bedesten.tenants.vault import Vault

CHUNK = 1_000
LOAD, READY = 0, 1
"""States of a batch."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a batch comes from. `supplier` earns `unit_cost` (minor units) with each code; None: the operator's own."""

    name: str
    actor: str
    supplier: str | None = None
    unit_cost: int | None = None
    note: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A code of an upload, by its index, that was in the shop before (or stood before in the same upload: same batch)."""

    index: int
    product_id: str
    batch_id: str | None
    state: int


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of an upload; without a batch when nothing of it was new."""

    batch_id: str | None
    added: int
    duplicates: tuple[Duplicate, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch with the number of its codes in each state; `codes` is their sum."""

    id: str
    product_id: str
    sku: str | None
    source: str
    supplier_id: str | None
    unit_cost: int | None
    note: str | None
    actor: str
    created: int
    state: int
    codes: int
    free: int
    claimed: int
    sold: int
    withdrawn: int


_B, _C, _L = stock_batches.c, stock_codes.c, stock_levels.c
_BATCH = (_B.tenant_id == TENANT) & (_B.id == p("batch"))
_OF_BATCH = (_C.tenant_id == TENANT) & (_C.batch_id == p("batch"))
_INSERT = inserting(stock_batches)
_KNOWN = statement(
    select(_C.product_id, _C.batch_id, _C.state)
    .where(
        _C.tenant_id == TENANT,
        or_(_C.digest == p("digest"), and_(_C.folded_digest == p("folded_digest"), _C.folds == 1)),
    )
    .order_by(_C.digest != p("digest"))
    .limit(1)
)
_COUNT = statement(update(stock_batches).where(_BATCH, _B.state == p("state")).values(codes=_B.codes + p("count")))
_LOCK = statement(update(stock_batches).where(_BATCH, _B.state == LOAD).values(state=LOAD))
_READY = statement(update(stock_batches).where(_BATCH, _B.state == LOAD).values(state=READY))
_FREE_ALL = statement(update(stock_codes).where(_OF_BATCH, _C.state == LOADING).values(state=FREE))
_DROP_CODES = statement(delete(stock_codes).where(_OF_BATCH, _C.state == LOADING))
_DROP = statement(delete(stock_batches).where(_BATCH, _B.state == LOAD))
_SELLABLE = statement(
    update(stock_levels)
    .where(_L.tenant_id == TENANT, _L.product_id == p("product"))
    .values(
        available=_L.available + p("count"),
        consigned=case((_L.consigned == 1, 1), else_=p("consigned")),
        next_expiry=select(func.min(_C.expires))
        .where(_C.tenant_id == TENANT, _C.product_id == p("product"), or_(_C.state == FREE, _C.state == CLAIMED))
        .scalar_subquery(),
    )
)
_UNFINISHED = statement(
    select(_B.id).where(
        _B.tenant_id == TENANT, _B.product_id == p("product"), _B.digest == p("digest"), _B.state == LOAD
    )
)


def _in_state(state: int) -> Any:
    return func.sum(case((_C.state == state, 1), else_=0))


_LIST = (
    select(
        _B.id, _B.product_id, products.c.sku, _B.source, _B.supplier_id, _B.unit_cost, _B.note, _B.actor, _B.created,
        _B.state, _B.codes, *(_in_state(state) for state in (FREE, CLAIMED, DELIVERED, WITHDRAWN)),
    )
    .select_from(
        stock_batches.join(products, and_(products.c.tenant_id == _B.tenant_id, products.c.id == _B.product_id))
        .outerjoin(stock_codes, and_(_C.tenant_id == _B.tenant_id, _C.batch_id == _B.id))
    )
    .where(_B.tenant_id == TENANT)
    .group_by(_B.id, products.c.sku)
    .order_by(_B.id)
)  # fmt: skip
_ALL = into(Batch, _LIST.where(or_(p("product") == "", _B.product_id == p("product"))))
_ONE = into(Batch, _LIST.where(_B.id == p("batch")))
_WITHDRAW_BATCH = statement(
    update(stock_codes).where(_OF_BATCH, _C.state == FREE).values(state=WITHDRAWN, reason=p("why"))
)
_BY_DIGEST = statement(
    select(_C.id, _C.product_id, _C.state).where(
        _C.tenant_id == TENANT,
        or_(_C.digest == p("digest"), and_(_C.folded_digest == p("folded_digest"), _C.folds == 1)),
    )
)
_WITHDRAW_CODE = statement(
    update(stock_codes)
    .where(_C.tenant_id == TENANT, _C.id == p("code"), _C.product_id == p("product"), _C.state == FREE)
    .values(state=WITHDRAWN, reason=p("why"))
)
_TAKE_OFF = statement(
    update(stock_levels)
    .where(_L.tenant_id == TENANT, _L.product_id == p("product"))
    .values(available=_L.available - p("count"))
)
_MOVE = statement(
    update(stock_codes)
    .where(_OF_BATCH, _C.state == FREE)
    .values(product_id=p("product"), batch_id=p("to_batch"), folds=p("to_folds"))
)
_other = stock_codes.alias("other")
_OTHER = _other.c
_SAME = and_(_OTHER.tenant_id == _C.tenant_id, _OTHER.folded_digest == _C.folded_digest, _OTHER.id != _C.id)
_CLASHES = statement(
    select(func.count())
    .select_from(stock_codes.join(_other, _SAME))
    .where(_OF_BATCH, _C.state == FREE, or_(_OTHER.folds == 1, _OTHER.batch_id == p("batch")))
)
_OF_PRODUCT = (_C.tenant_id == TENANT) & (_C.product_id == p("product"))
_CLASHES_IN_PRODUCT = statement(
    select(func.count())
    .select_from(stock_codes.join(_other, _SAME))
    .where(_OF_PRODUCT, or_(_OTHER.folds == 1, _OTHER.product_id == p("product")))
)
_COMPARE = statement(
    update(products)
    .where(products.c.tenant_id == TENANT, products.c.id == p("product"))
    .values(code_comparison=p("comparison"), updated=p("now"))
)
_FOLD = statement(update(stock_codes).where(_OF_PRODUCT).values(folds=p("to_folds")))


# --- putting in -------------------------------------------------------------------------------------------------------


def add(tx: Transaction, vault: Vault, product: str, codes: Sequence[StockCode], source: Source) -> Upload:
    """Puts codes into stock as one batch, each once in the tenant; those that are there already are left out."""
    batch = _insert(tx, product, source)
    duplicates = load(tx, vault, product, batch, codes, 0)
    added = finish(tx, product, batch, source)
    return Upload(batch if added else None, added, tuple(duplicates))


def begin(tx: Transaction, product: str, source: Source) -> str:
    """Makes an empty batch to be loaded; what an interrupted upload of the same file has left is thrown away."""
    if source.digest is not None:
        for (left,) in tx.all(_UNFINISHED, product=product, digest=source.digest):
            drop(tx, left)
    return _insert(tx, product, source)


def load(
    tx: Transaction, vault: Vault, product: str, batch: str, codes: Sequence[StockCode], first: int
) -> list[Duplicate]:
    """Loads a chunk, whose first code has this index in the upload; answers the codes that are there already.

    Raises `Refusal` (-8) if the batch is not being loaded any more.
    """
    if not tx.run(_LOCK, batch=batch):
        raise _overtaken()
    found = stock.insert(
        tx, vault, product, codes, lambda at: {"state": LOADING, "batch_id": batch, "position": first + at}
    )
    outcomes = list(found)
    count = sum(one.inserted for one in outcomes)
    tx.run(_COUNT, batch=batch, state=LOAD, count=count)
    known = [_duplicate(tx, one, first) for one in outcomes if not one.inserted]
    return sorted(known, key=lambda one: one.index)


def finish(tx: Transaction, product: str, batch: str, source: Source) -> int:
    """Makes a loaded batch sellable; answers how many codes that are. A batch without any is thrown away.

    Raises `Refusal` (-8) if another upload of the same file has thrown it away meanwhile.
    """
    if not tx.run(_LOCK, batch=batch):
        raise _overtaken()
    tx.run(stock.LOCK_LEVEL, product=product)
    count = tx.run(_FREE_ALL, batch=batch)
    if not count:
        drop(tx, batch)
        return 0
    tx.run(_READY, batch=batch)
    earns = int(bool(source.supplier and source.unit_cost))
    tx.run(_SELLABLE, product=product, count=count, consigned=earns)
    return count


def drop(tx: Transaction, batch: str) -> int:
    """Throws a batch away that was not loaded to its end; answers how many codes it had."""
    tx.run(_LOCK, batch=batch)
    count = tx.run(_DROP_CODES, batch=batch)
    tx.run(_DROP, batch=batch)
    return count


def _insert(tx: Transaction, product: str, source: Source, codes: int = 0, state: int = LOAD) -> str:
    batch = new_id("bat")
    tx.run(
        _INSERT,
        id=batch,
        product_id=product,
        source=source.name,
        digest=source.digest,
        supplier_id=source.supplier,
        unit_cost=source.unit_cost,
        note=source.note,
        actor=source.actor,
        created=tx.now,
        codes=codes,
        state=state,
    )
    return batch


def _duplicate(tx: Transaction, one: stock.Outcome, first: int) -> Duplicate:
    row = tx.one(_KNOWN, digest=one.digest, folded_digest=one.folded_digest)
    if row is None:
        raise TryAgain("the code that was in the way was taken out at this moment")
    return Duplicate(first + one.place, product_id=row[0], batch_id=row[1], state=row[2])


def _overtaken() -> Refusal:
    return Refusal(errors.CONFLICT, "another upload of the same file has taken over: nothing of this one was put in")


def preview(tx: Transaction, vault: Vault, product: str, codes: Sequence[StockCode]) -> list[Duplicate]:
    """The codes that an upload would leave out, as far as that can be seen now. Writes nothing.

    One that stood before in the same upload has no batch, and the state of one that is loading.
    """
    fold = stock.folds(tx, product)
    found: list[Duplicate] = []
    before: set[bytes] = set()
    for at, code in enumerate(codes):
        digest, folded = vault.fingerprint(tx, code.exact), vault.fingerprint(tx, code.folded)
        known = tx.one(_KNOWN, digest=digest, folded_digest=folded)
        key = folded if fold else digest
        if known is not None:
            found.append(Duplicate(at, *known))
        elif key in before:
            found.append(Duplicate(at, product, None, LOADING))
        before.add(key)
    return found


# --- taking out and moving ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What became of codes that were to be taken out. `sold` counts those that a buyer has or is paying for."""

    withdrawn: int
    sold: int = 0
    unknown: int = 0
    before: int = 0


def withdraw_batch(tx: Transaction, batch: Batch, reason: str) -> Withdrawal:
    """Takes the unsold codes of a batch out of stock for good; a batch that is still loading is thrown away."""
    if batch.state == LOAD:
        return Withdrawal(drop(tx, batch.id))
    tx.run(stock.LOCK_LEVEL, product=batch.product_id)
    count = tx.run(_WITHDRAW_BATCH, batch=batch.id, why=reason)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    after = batch_of(tx, batch.id)
    return Withdrawal(count, sold=after.sold + after.claimed, before=after.withdrawn - count)


def withdraw_codes(tx: Transaction, vault: Vault, codes: Sequence[StockCode], reason: str) -> Withdrawal:
    """Takes single codes out of stock for good, if they are unsold."""
    known: dict[str, tuple[str, int]] = {}
    unknown = 0
    for code in codes:
        digests = {"digest": vault.fingerprint(tx, code.exact), "folded_digest": vault.fingerprint(tx, code.folded)}
        rows = tx.all(_BY_DIGEST, **digests)
        unknown += not rows
        known.update({row[0]: (row[1], row[2]) for row in rows})
    for product in sorted({product for product, _ in known.values()}):
        tx.run(stock.LOCK_LEVEL, product=product)
    withdrawn: dict[str, int] = {}
    for row, (product, state) in sorted(known.items()):
        count = tx.run(_WITHDRAW_CODE, code=row, product=product, why=reason)
        if state == FREE and not count:
            raise TryAgain("the code was sold or moved at this moment")
        withdrawn[product] = withdrawn.get(product, 0) + count
    for product, count in withdrawn.items():
        tx.run(_TAKE_OFF, product=product, count=count)
    count = sum(withdrawn.values())
    before = sum(state == WITHDRAWN for _, state in known.values())
    return Withdrawal(count, sold=len(known) - count - before, unknown=unknown, before=before)


def move(tx: Transaction, batch: Batch, product: str, actor: str) -> tuple[str, int]:
    """Moves the unsold codes of a batch to another product, as a batch of their own with the same supplier and cost.

    Answers that batch and how many codes it has. Raises `Refusal` (-8) if none was unsold, or the other product compares
    codes in a form in which one of them is there already.
    """
    for one in sorted({batch.product_id, product}):
        tx.run(stock.LOCK_LEVEL, product=one)
    fold = stock.folds(tx, product)
    if fold and _number(tx.one(_CLASHES, batch=batch.id)):
        raise Refusal(errors.CONFLICT, "a code of the batch is in the shop before, as that product compares codes")
    source = Source(f"moved from {batch.id}", actor, batch.supplier_id, batch.unit_cost, batch.note)
    made = _insert(tx, product, source, state=READY)
    count = tx.run(_MOVE, batch=batch.id, product=product, to_batch=made, to_folds=int(fold))
    if not count:
        raise Refusal(errors.CONFLICT, "no code of the batch is unsold: there is nothing to move")
    tx.run(_COUNT, batch=batch.id, state=READY, count=-count)
    tx.run(_COUNT, batch=made, state=READY, count=count)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    tx.run(_SELLABLE, product=product, count=count, consigned=int(bool(batch.supplier_id and batch.unit_cost)))
    return made, count


def compare(tx: Transaction, product: str, comparison: str) -> None:
    """Changes how the product compares codes. Raises `Refusal` (-8) if two of its codes would then be one."""
    assert comparison in (EXACT, FOLDED)
    tx.run(_COMPARE, product=product, comparison=comparison, now=tx.now)
    fold = comparison == FOLDED
    if fold and _number(tx.one(_CLASHES_IN_PRODUCT, product=product)):
        problem = "two codes are the same but for case, hyphens and spaces"
        raise Refusal(errors.CONFLICT, problem, fields={"codeComparison": problem})
    tx.run(_FOLD, product=product, to_folds=int(fold))


def _number(row: tuple[int, ...] | None) -> int:
    return row[0] if row else 0


# --- reading ----------------------------------------------------------------------------------------------------------


def batches_of(tx: Transaction, product: str = "") -> list[Batch]:
    """Every batch, or those of one product, in their order of sale."""
    return tx.all(_ALL, product=product)


def batch_of(tx: Transaction, batch: str) -> Batch:
    """One batch. Raises `Refusal` (-3)."""
    found = tx.one(_ONE, batch=batch)
    if found is None:
        raise Refusal(errors.NOT_FOUND, f"no batch {batch}", fields={"batch": "there is no such batch"})
    return found
