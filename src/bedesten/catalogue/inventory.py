"""Manages stock: lists batches, withdraws codes, moves them to another product, changes how codes are compared.

Every change locks the stock levels first, by product id, and waits for the codes that orders have locked: a code is
either sold or withdrawn or moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update

from bedesten import errors
from bedesten.catalogue import stock
from bedesten.catalogue.actions import Page
from bedesten.catalogue.batches import LOADING_BATCH, READY_BATCH, Source, drop, insert, make_sellable
from bedesten.catalogue.code import EXACT, FOLDED, StockCode
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED, FREE, UNIT, WITHDRAWN
from bedesten.catalogue.tables import products, stock_batches, stock_codes, stock_levels
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, move_of, p, rows_as, statement
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch with the number of its codes in each state; `codes` is their sum. `sold` counts bad codes too."""

    id: str
    product_id: str
    sku: str | None
    source: str
    supplier_id: str | None
    unit_cost: int | None
    note: str | None
    reason: str | None
    actor: str
    created: int
    state: int
    codes: int
    free: int
    claimed: int
    sold: int
    withdrawn: int
    next_expiry: int | None


_B, _C, _L = stock_batches.c, stock_codes.c, stock_levels.c
_BATCH = (_B.tenant_id == TENANT) & (_B.id == p("batch"))
_OF_BATCH = (_C.tenant_id == TENANT) & (_C.batch_id == p("batch"))
_MARK = statement(update(stock_batches).where(_BATCH).values(reason=p("why")))
_LEAVE = statement(update(stock_batches).where(_BATCH).values(codes=_B.codes - p("count")))
_ENTER = statement(update(stock_batches).where(_BATCH).values(codes=_B.codes + p("count")))


def _in_state(*states: int) -> Any:
    return func.sum(case((or_(*(_C.state == state for state in states)), 1), else_=0))


_LIST = (
    select(
        _B.id, _B.product_id, products.c.sku, _B.source, _B.supplier_id, _B.unit_cost, _B.note, _B.reason, _B.actor,
        _B.created, _B.state, _B.codes, _in_state(FREE), _in_state(CLAIMED), _in_state(DELIVERED, BAD),
        _in_state(WITHDRAWN),
        func.min(case((_C.state == FREE, _C.expires))),
    )
    .select_from(
        stock_batches.join(products, and_(products.c.tenant_id == _B.tenant_id, products.c.id == _B.product_id))
        .outerjoin(stock_codes, and_(_C.tenant_id == _B.tenant_id, _C.batch_id == _B.id))
    )
    .where(_B.tenant_id == TENANT)
    .group_by(_B.id, products.c.sku)
    .order_by(_B.id)
)  # fmt: skip
_ALL = rows_as(Batch, _LIST.where(or_(p("product") == "", _B.product_id == p("product"))))
_ONE = rows_as(Batch, _LIST.where(_B.id == p("batch")))
_OF_SUPPLIER = rows_as(
    Batch,
    _LIST.where(
        _B.supplier_id == p("supplier"),
        _B.state == READY_BATCH,
        _B.id > p("after"),
        _B.created >= p("since"),
        or_(p("product") == "", _B.product_id == p("product")),
    ).limit(p("most")),
)
_WITHDRAW_BATCH = move_of(UNIT, "withdraw", _C.state, _C.batch_id == p("batch"), _C.state == FREE, reason=p("why"))
_BY_DIGEST = statement(
    stock.with_digest(
        select(_C.id, _C.product_id, _C.state, _B.supplier_id)
        .select_from(stock_codes.outerjoin(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
        .where(_C.tenant_id == TENANT)
    )
)
_WITHDRAW_CODE = move_of(
    UNIT, "withdraw", _C.state, _C.id == p("code"), _C.product_id == p("product"), _C.state == FREE, reason=p("why")
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
_CLASH = statement(
    select(_C.id)
    .select_from(stock_codes.join(_other, _SAME))
    .where(_OF_BATCH, _C.state == FREE, or_(_OTHER.folds == 1, _OTHER.batch_id == p("batch")))
    .limit(1)
)
_OF_PRODUCT = (_C.tenant_id == TENANT) & (_C.product_id == p("product"))
_CLASH_IN_PRODUCT = statement(
    select(_C.id)
    .select_from(stock_codes.join(_other, _SAME))
    .where(_OF_PRODUCT, or_(_OTHER.folds == 1, _OTHER.product_id == p("product")))
    .limit(1)
)
_COMPARE = statement(
    update(products)
    .where(products.c.tenant_id == TENANT, products.c.id == p("product"))
    .values(code_comparison=p("comparison"), updated=p("now"))
)
_FOLD = statement(update(stock_codes).where(_OF_PRODUCT).values(folds=p("to_folds")))


# --- withdrawing and moving ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The result of a withdrawal. `sold` counts the codes that a buyer has or is paying for."""

    withdrawn: int
    sold: int = 0
    unknown: int = 0
    before: int = 0


def withdraw_batch(tx: Transaction, batch: Batch, reason: str) -> Withdrawal:
    """Withdraws the unsold codes of a batch for good.

    Codes that an unpaid checkout returns later are withdrawn too. A batch that is still loading is dropped.
    """
    if batch.state == LOADING_BATCH:
        return Withdrawal(drop(tx, batch.id))
    tx.run(stock.LOCK_LEVEL, product=batch.product_id)
    tx.run(_MARK, batch=batch.id, why=reason)
    count = tx.run(_WITHDRAW_BATCH, batch=batch.id, why=reason)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    after = batch_of(tx, batch.id)
    return Withdrawal(count, sold=after.sold + after.claimed, before=after.withdrawn - count)


def withdraw_codes(
    tx: Transaction, cipher: TenantCipher, codes: Sequence[StockCode], reason: str, supplier: str | None = None
) -> Withdrawal:
    """Withdraws single codes for good, if they are unsold. With `supplier`, other owners' codes count as unknown."""
    known: dict[str, tuple[str, int]] = {}
    unknown = 0
    for code in codes:
        digests = {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)}
        rows = [row for row in tx.all(_BY_DIGEST, **digests) if supplier in (None, row[3])]
        unknown += not rows
        known.update({row[0]: (row[1], row[2]) for row in rows})
    for product in sorted({product for product, _ in known.values()}):
        tx.run(stock.LOCK_LEVEL, product=product)
    withdrawn: dict[str, int] = {}
    for row, (product, state) in sorted(known.items()):
        count = tx.run(_WITHDRAW_CODE, code=row, product=product, why=reason)
        if state == FREE and not count:
            raise RetryTransaction("the code was sold or moved at this moment")
        withdrawn[product] = withdrawn.get(product, 0) + count
    for product, count in withdrawn.items():
        tx.run(_TAKE_OFF, product=product, count=count)
    count = sum(withdrawn.values())
    before = sum(state == WITHDRAWN for _, state in known.values())
    return Withdrawal(count, sold=len(known) - count - before, unknown=unknown, before=before)


def move(tx: Transaction, batch: Batch, product: str, actor: str) -> tuple[str, int]:
    """Moves the unsold codes of a batch to another product, into a new batch with the same supplier and cost.

    Returns the new batch and its number of codes. Raises `Refusal` (-8) if no code is unsold, or if the other product
    already has one of the codes in the form in which it compares them.
    """
    for one in sorted({batch.product_id, product}):
        tx.run(stock.LOCK_LEVEL, product=one)
    fold = stock.folds(tx, product)
    if fold and tx.one(_CLASH, batch=batch.id) is not None:
        raise Refusal(errors.CONFLICT, "a code of the batch is in the shop before, as that product compares codes")
    source = Source(f"moved from {batch.id}", actor, batch.supplier_id, batch.unit_cost, batch.note)
    made = insert(tx, product, source, state=READY_BATCH)
    count = tx.run(_MOVE, batch=batch.id, product=product, to_batch=made, to_folds=int(fold))
    if not count:
        raise Refusal(errors.CONFLICT, "no code of the batch is unsold: there is nothing to move")
    tx.run(_LEAVE, batch=batch.id, count=count)
    tx.run(_ENTER, batch=made, count=count)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    make_sellable(tx, product, made, count, source)
    return made, count


def set_comparison(tx: Transaction, product: str, comparison: str) -> None:
    """Changes how the product compares codes. Raises `Refusal` (-8) if two of its codes would then be the same."""
    assert comparison in (EXACT, FOLDED)
    tx.run(_COMPARE, product=product, comparison=comparison, now=tx.now)
    fold = comparison == FOLDED
    if fold and tx.one(_CLASH_IN_PRODUCT, product=product) is not None:
        problem = "two codes differ only in case, hyphens and spaces"
        raise Refusal(errors.CONFLICT, problem, fields={"codeComparison": problem})
    tx.run(_FOLD, product=product, to_folds=int(fold))


# --- reading ----------------------------------------------------------------------------------------------------------


def batches_of(tx: Transaction, product: str = "") -> list[Batch]:
    """Returns every batch, or the batches of one product, in their order of sale."""
    return tx.all(_ALL, product=product)


def supplier_batches(tx: Transaction, page: Page, supplier: str, product: str = "") -> list[Batch]:
    """Returns the complete batches of a supplier, or of one product, by id: a page and one more.

    With `page.since` only batches that were added since then.
    """
    return tx.all(
        _OF_SUPPLIER, supplier=supplier, product=product, after=page.after, since=page.since, most=page.size + 1
    )


def batch_of(tx: Transaction, batch: str) -> Batch:
    """Returns one batch. Raises `Refusal` (-3)."""
    found = find_batch(tx, batch)
    if found is None:
        raise Refusal(errors.NOT_FOUND, f"no batch {batch}", fields={"batch": "there is no such batch"})
    return found


def find_batch(tx: Transaction, batch: str) -> Batch | None:
    """Returns one batch; None if there is none."""
    return tx.one(_ONE, batch=batch)
