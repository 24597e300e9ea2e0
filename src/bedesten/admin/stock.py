"""The operator's stock codes: uploads, withdrawals, moves, and the list of batches."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin.code_file import CodeFile
from bedesten.admin.products import product_of
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.actions import SUPPLIER, Product
from bedesten.catalogue.batches import CHUNK, READY_BATCH, Duplicate, Source, Upload
from bedesten.catalogue.code import StockCode
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.catalogue.inventory import Batch, Withdrawal
from bedesten.catalogue.moves import LOADING
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.store.transaction import StoreUnavailable, Transaction
from bedesten.tenants.cipher import TenantCipher

Result = TypeVar("Result")

CODE_STATES = ("in stock", "being bought", "sold", "taken out of stock", "being uploaded", "sold and replaced")
"""What is said of a duplicate code, by its state."""


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
    """Raises `Refusal` (-2) with the lines of a file that lack the form which the product states."""
    if misfits := product.patterns.misfits(read.codes):
        raise MalformedCodes(misfits, lambda at: f"line {read.lines[at]}")


def add_codes(
    write: WriteAction,
    cipher: TenantCipher,
    product: Product,
    codes: Sequence[StockCode],
    source: Source,
    advance: Callable[[int], object] = lambda _: None,
) -> Upload:
    """Adds codes to the stock as one batch, all or none; duplicates are left out.

    Up to `CHUNK` codes are one transaction. More are loaded in chunks and become sellable together at the end. A failed
    upload is removed; the next upload of the same file removes one that a crash left behind.
    """
    if len(codes) <= CHUNK:
        return write(lambda tx: _record_upload(tx, product, batches.add(tx, cipher, product.id, codes, source)))
    batch = write(lambda tx: batches.begin(tx, product.id, source))
    duplicates: list[Duplicate] = []
    try:
        for first in range(0, len(codes), CHUNK):
            part = codes[first : first + CHUNK]
            duplicates += write(partial(_load, cipher, product.id, batch, part, first, source.again))
            advance(len(part))

        def complete(tx: Transaction) -> Upload:
            added = batches.finish(tx, product.id, batch, source)
            return _record_upload(tx, product, Upload(batch if added else None, added, tuple(duplicates)))

        return write(complete)
    except BaseException:
        with contextlib.suppress(StoreUnavailable):
            write(lambda tx: batches.drop(tx, batch))
        raise


def _load(
    cipher: TenantCipher, product: str, batch: str, codes: Sequence[StockCode], first: int, again: bool, tx: Transaction
) -> list[Duplicate]:
    return batches.load(tx, cipher, product, batch, codes, first, again=again)


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


def withdraw_batch(tx: Transaction, name: str, reason: str) -> tuple[Batch, Withdrawal]:
    """Withdraws the unsold codes of a batch for good. Raises `Refusal` (-3)."""
    batch = inventory.batch_of(tx, name)
    done = inventory.withdraw_batch(tx, batch, reason)
    if done.withdrawn:
        record(tx, OPERATOR, "stock.withdraw", batch.id, withdrawn=done.withdrawn, reason=reason)
    return batch, done


def withdraw_codes(tx: Transaction, cipher: TenantCipher, codes: Sequence[StockCode], reason: str) -> Withdrawal:
    """Withdraws single codes for good, if they are unsold."""
    done = inventory.withdraw_codes(tx, cipher, codes, reason)
    if done.withdrawn:
        record(tx, OPERATOR, "stock.withdraw", tx.tenant, withdrawn=done.withdrawn, reason=reason)
    return done


def move(tx: Transaction, name: str, to: str) -> tuple[str, int, Product]:
    """Moves the unsold codes of a batch to another product. Returns the new batch, how many, and the product.

    Raises `Refusal`: -3; -2 for a product that keeps no stock; -8 for a batch that is loading, has nothing unsold, or
    already belongs to the product.
    """
    batch, product = inventory.batch_of(tx, name), stocked_product(tx, to)
    if batch.state != READY_BATCH:
        raise Refusal(errors.CONFLICT, f"batch {batch.id} is being uploaded")
    if batch.product_id == product.id:
        raise Refusal(errors.CONFLICT, f"batch {batch.id} belongs to this product already")
    made, count = inventory.move(tx, batch, product.id, OPERATOR.name)
    record(tx, OPERATOR, "stock.move", batch.id, to=product.id, batch=made, moved=count)
    return made, count, product


def list_batches(tx: Transaction, name: str = "") -> list[dict[str, object]]:
    """The batches of one product, or of all, in the order in which they are sold."""
    product = product_of(tx, name) if name else None
    suppliers = {one["id"]: one["name"] for one in accounts.list_all(tx, "supplier")}
    return [batch_view(tx, one, suppliers) for one in inventory.batches_of(tx, product.id if product else "")]


def batch_view(tx: Transaction, one: Batch, suppliers: dict[object, object] | None = None) -> dict[str, object]:
    """A batch as `--json` shows it."""
    if suppliers is None:
        suppliers = {each["id"]: each["name"] for each in accounts.list_all(tx, "supplier")}
    product = catalogue.product(tx, one.product_id)
    assert product is not None, "a batch belongs to a product"
    return {
        "id": one.id,
        "product": one.sku or one.product_id,
        "productId": one.product_id,
        "state": "ready" if one.state == READY_BATCH else "loading",
        "source": one.source,
        "supplier": suppliers.get(one.supplier_id),
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
