"""The operator's stock codes: uploads, withdrawals, moves, and the list of batches."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin.code_file import CodeFile
from bedesten.admin.inputs import page_of
from bedesten.admin.products import product_of
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches, inventory, stock
from bedesten.catalogue.actions import SUPPLIER, Product
from bedesten.catalogue.batches import LOADING_BATCH, PART, READY_BATCH, Duplicate, Source, Upload
from bedesten.catalogue.code import StockCode
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.catalogue.inventory import Batch, Withdrawal
from bedesten.catalogue.moves import LOADING
from bedesten.catalogue.stock import PreparedCode
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher

Item = TypeVar("Item")
Result = TypeVar("Result")

CHANGE_PART = 500
"""Codes that one transaction withdraws or moves."""
PAUSE_BETWEEN_TRANSACTIONS_S = 0.005
"""Pause between two transactions, so that other actions that wait for SQLite's writer go first."""

CODE_STATES = ("in stock", "being bought", "sold", "taken out of stock", "being uploaded", "sold and replaced")
"""Descriptions of a duplicate code, indexed by its state."""


class WriteAction(Protocol):
    """Runs a writing action in one transaction of the tenant."""

    def __call__(self, work: Callable[[Transaction], Result], /) -> Result: ...


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Codes of a file that the tenant already had: how many, in which state, and where."""

    what: str
    product: str
    batch_id: str | None
    codes: int
    first_index: int


def stocked_product(tx: Transaction, name: str) -> Product:
    """The product with this sku or id. Raises `Refusal`: -3, or -2 if it keeps no stock."""
    product = product_of(tx, name)
    if product.fulfilment == SUPPLIER:
        raise bad_field(name, "this product is delivered by its supplier and keeps no stock")
    return product


def check_form(product: Product, read: CodeFile) -> None:
    """Raises `Refusal` (-2), which names the lines that do not match the product's patterns."""
    if misfits := product.patterns.misfits(read.codes):
        raise MalformedCodes(misfits, lambda at: f"line {read.lines[at]}")


def add_codes(
    store: Store,
    tenant: str,
    cipher: TenantCipher,
    product: Product,
    codes: Sequence[StockCode],
    source: Source,
    advance: Callable[[int], object] = lambda _: None,
) -> Upload:
    """Adds codes to the stock as one batch, all or none; duplicates are left out. Blocks.

    Up to `batches.PART` codes are one transaction. More are loaded in parts and become sellable together at the end. A
    failed upload is removed; if a crash leaves one behind, the next upload of the same file removes it. Codes are
    encrypted outside of the transactions.
    """
    write = partial(in_tenant, store, tenant)
    prepare = partial(stock.prepare, store.read_now(lambda tx: cipher.keys_of(tx.for_tenant(tenant))), store.ids.new)
    for left in store.read_now(lambda tx: batches.unfinished(tx.for_tenant(tenant), product.id, source)):
        _drop(write, left)
    if len(codes) <= PART:
        few = prepare(codes)
        return write(lambda tx: _record_upload(tx, product, batches.add_prepared(tx, cipher, product.id, few, source)))
    batch = write(lambda tx: batches.begin(tx, product.id, source))
    duplicates: list[Duplicate] = []
    try:
        for first in range(0, len(codes), PART):
            part = prepare(codes[first : first + PART])
            duplicates += write(partial(_load, cipher, product.id, batch, part, first, source.again))
            advance(len(part))
            time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)

        def complete(tx: Transaction) -> Upload:
            added = batches.finish(tx, product.id, batch, source)
            return _record_upload(tx, product, Upload(batch if added else None, added, tuple(duplicates)))

        return write(complete)
    except BaseException:
        with contextlib.suppress(StoreUnavailable):
            _drop(write, batch)
        raise


def _load(
    cipher: TenantCipher,
    product: str,
    batch: str,
    codes: Sequence[PreparedCode],
    first: int,
    again: bool,
    tx: Transaction,
) -> list[Duplicate]:
    return batches.load_prepared(tx, cipher, product, batch, codes, first, again=again)


def _drop(write: WriteAction, batch: str) -> None:
    while write(lambda tx: batches.drop_part(tx, batch)):
        time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)


def in_tenant(store: Store, tenant: str, work: Callable[[Transaction], Result]) -> Result:
    """Runs a writing action in one transaction of the tenant."""
    return store.write_now(lambda tx: work(tx.for_tenant(tenant)))


def _record_upload(tx: Transaction, product: Product, done: Upload) -> Upload:
    if done.added:
        record(tx, OPERATOR, "stock.upload", product.id, added=done.added, batch=done.batch_id)
    return done


def duplicate_groups(
    tx: Transaction, duplicates: Sequence[Duplicate], batch: str | None = None
) -> list[DuplicateGroup]:
    """Duplicates grouped by state and place, the largest group first. `batch`: the batch of this upload."""
    counted = Counter((one.batch_id, one.product_id, one.state) for one in duplicates)
    first: dict[tuple[str | None, str, int], int] = {}
    for one in duplicates:
        first.setdefault((one.batch_id, one.product_id, one.state), one.index)
    found = []
    for key, codes in counted.most_common():
        batch_id, product_id, state = key
        twice = (batch_id is not None and batch_id == batch) or (batch_id is None and state == LOADING)
        what = "twice in this file" if twice else CODE_STATES[state]
        found.append(DuplicateGroup(what, sku_of(tx, product_id), batch_id, codes, first[key]))
    return found


def sku_of(tx: Transaction, product_id: str) -> str:
    """The sku of a product, or its id if it has none."""
    product = catalogue.product(tx, product_id)
    return (product.sku if product else None) or product_id


# --- withdrawing and moving, a part at a time -------------------------------------------------------------------------


def withdraw_batch(
    store: Store, tenant: str, name: str, reason: str, advance: Callable[[int], object] = lambda _: None
) -> tuple[Batch, Withdrawal]:
    """Withdraws the unsold codes of a batch for good, `CHANGE_PART` in a transaction. Raises `Refusal` (-3). Blocks.

    An interrupted call has withdrawn some of the codes; repeating it withdraws the rest.
    """
    batch = store.read_now(lambda tx: inventory.batch_of(tx.for_tenant(tenant), name))
    write = partial(in_tenant, store, tenant)
    if batch.state == LOADING_BATCH:
        _drop(write, batch.id)
        write(lambda tx: record_withdrawal(tx, batch.id, batch.codes, reason))
        return batch, Withdrawal(batch.codes)
    withdrawn = 0
    while True:
        count, more = write(lambda tx: _withdraw_part(tx, batch, reason))
        withdrawn += count
        advance(count)
        if not more:
            break
        time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)
    after = store.read_now(lambda tx: inventory.batch_of(tx.for_tenant(tenant), batch.id))
    return batch, Withdrawal(withdrawn, sold=after.sold + after.claimed, before=after.withdrawn - withdrawn)


def _withdraw_part(tx: Transaction, batch: Batch, reason: str) -> tuple[int, bool]:
    count = inventory.withdraw_part(tx, batch, reason, CHANGE_PART)
    record_withdrawal(tx, batch.id, count, reason)
    return count, inventory.has_unsold(tx, batch)


def record_withdrawal(tx: Transaction, subject: str, count: int, reason: str) -> None:
    """Records withdrawn codes in the audit trail, if there are any."""
    if count:
        record(tx, OPERATOR, "stock.withdraw", subject, withdrawn=count, reason=reason)


def withdraw_codes(
    store: Store,
    tenant: str,
    cipher: TenantCipher,
    codes: Sequence[StockCode],
    reason: str,
    advance: Callable[[int], object] = lambda _: None,
) -> Withdrawal:
    """Withdraws single codes for good, if they are unsold, `CHANGE_PART` in a transaction. Blocks.

    An interrupted call has withdrawn some of the codes; repeating it withdraws the rest.
    """
    rows: dict[str, None] = {}
    unknown = 0
    for part in parts(codes, CHANGE_PART):
        found = store.read_now(partial(_find_codes, tenant, cipher, part))
        rows.update(dict.fromkeys(found.rows))
        unknown += found.unknown
    done = Withdrawal(0, unknown=unknown)
    for ids in parts(list(rows), CHANGE_PART):
        one = in_tenant(store, tenant, partial(_withdraw_rows, ids, reason))
        done = replace(
            done, withdrawn=done.withdrawn + one.withdrawn, sold=done.sold + one.sold, before=done.before + one.before
        )
        advance(len(ids))
        time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)
    return done


def _find_codes(
    tenant: str, cipher: TenantCipher, codes: Sequence[StockCode], tx: SystemTransaction
) -> inventory.FoundCodes:
    return inventory.find_codes(tx.for_tenant(tenant), cipher, codes)


def _withdraw_rows(rows: Sequence[str], reason: str, tx: Transaction) -> Withdrawal:
    done = inventory.withdraw_rows(tx, rows, reason)
    record_withdrawal(tx, tx.tenant, done.withdrawn, reason)
    return done


def move(
    store: Store, tenant: str, name: str, to: str, advance: Callable[[int], object] = lambda _: None
) -> tuple[str, int, Product]:
    """Moves the unsold codes of a batch to another product, `CHANGE_PART` in a transaction. Blocks.

    Returns the new batch, the number of codes, and the product. An interrupted call has moved some of the codes;
    repeating it moves the rest, into another new batch. Raises `Refusal`: -3; -2 for a product that keeps no stock; -8
    for a batch that is loading, has nothing unsold, or already belongs to the product, and for a code that the product
    already has by its own comparison. Checks all of this before the first part; later refuses only concurrent changes.
    """
    batch, product = store.read_now(lambda tx: _check_move(tx.for_tenant(tenant), name, to))
    made: str | None = None
    moved = 0
    while True:
        try:
            made, count, more = in_tenant(store, tenant, partial(_move_part, batch, product, made))
        except Refusal as problem:
            if made is None:
                raise
            moved_before = f"{moved} codes were moved into batch {made}, and the rest stays"
            raise Refusal(problem.code, f"{moved_before}: {problem.cause}", fields=problem.fields) from problem
        moved += count
        advance(count)
        if not more:
            return made, moved, product
        time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)


def _check_move(tx: Transaction, name: str, to: str) -> tuple[Batch, Product]:
    batch, product = inventory.batch_of(tx, name), stocked_product(tx, to)
    if batch.state != READY_BATCH:
        raise Refusal(errors.CONFLICT, f"batch {batch.id} is being uploaded")
    if batch.product_id == product.id:
        raise Refusal(errors.CONFLICT, f"batch {batch.id} belongs to this product already")
    inventory.refuse_clash(tx, batch, product)
    return batch, product


def _move_part(batch: Batch, product: Product, made: str | None, tx: Transaction) -> tuple[str, int, bool]:
    to_batch, count = inventory.move_part(tx, batch, product.id, made, OPERATOR.name, CHANGE_PART)
    if count:
        record(tx, OPERATOR, "stock.move", batch.id, to=product.id, batch=to_batch, moved=count)
    return to_batch, count, inventory.has_unsold(tx, batch)


def parts(many: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Splits the items into one part for each transaction."""
    for start in range(0, len(many), size):
        yield many[start : start + size]


# --- reading ----------------------------------------------------------------------------------------------------------


def list_batches(tx: Transaction, name: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of the batches of one product, or of all, in the order in which they are sold, and the cursor of the next."""
    product = product_of(tx, name) if name else None
    read = inventory.batches_page(tx, product.id if product else "", after, limit + 1)
    found, following = page_of(read, limit, lambda one: one.id)
    return [batch_view(tx, one) for one in found], following


def batch_view(tx: Transaction, one: Batch) -> dict[str, object]:
    """A batch as `--json` shows it."""
    supplier = accounts.by_id(tx, "supplier", one.supplier_id) if one.supplier_id else None
    product = catalogue.product(tx, one.product_id)
    assert product is not None, "a batch belongs to a product"
    return {
        "id": one.id,
        "product": one.sku or one.product_id,
        "productId": one.product_id,
        "state": "ready" if one.state == READY_BATCH else "loading",
        "source": one.source,
        "supplier": supplier.name if supplier else None,
        "unitCost": None if one.unit_cost is None else to_decimal(one.unit_cost, product.currency),
        "currency": product.currency,
        "note": one.note,
        "reason": one.reason,
        "actor": one.actor,
        "created": wire_time(one.created),
        "codes": one.codes,
        "free": one.free,
        "claimed": one.claimed,
        "sold": one.sold,
        "withdrawn": one.withdrawn,
    }
