"""Manages stock: lists batches, withdraws codes, moves them to another product, changes how codes are compared.

Every change locks the stock levels first, by product id, and waits for the codes that orders have locked: a code is
either sold or withdrawn or moved. A change of many codes is several transactions, each of one part (`withdraw_part`,
`move_part`, `withdraw_rows`): other writers wait for one of them only. After each part every code is in one place, so
an interrupted change has changed some of the codes and is repeated for the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, or_, select, update

from bedesten import errors
from bedesten.catalogue import stock
from bedesten.catalogue.actions import Page
from bedesten.catalogue.batches import CONSIGN, LOADING_BATCH, READY_BATCH, Source, drop, insert
from bedesten.catalogue.code import EXACT, FOLDED, StockCode
from bedesten.catalogue.model import Product
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED, FREE, UNIT, WITHDRAWN
from bedesten.catalogue.tables import products, stock_batches, stock_codes, stock_levels
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, Statement, among, move_of, p, rows_as, statement
from bedesten.store.transaction import Query, RetryTransaction, Transaction
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


class _Place(NamedTuple):
    product: str
    state: int


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
_PAGE = rows_as(
    Batch, _LIST.where(or_(p("product") == "", _B.product_id == p("product")), _B.id > p("after")).limit(p("most"))
)
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


def _part_of(codes: FromClause) -> "Select[tuple[str]]":
    """Selects the next free codes of a batch."""
    c = codes.c
    return (
        select(c.id)
        .where(c.tenant_id == TENANT, c.product_id == p("from_product"), c.batch_id == p("batch"), c.state == FREE)
        .order_by(c.position)
        .limit(p("most"))
    )


_ANY_FREE = statement(_part_of(stock_codes))
_PART = _part_of(stock_codes.alias("part"))
_IN_PART = among(_C.id, _PART)
_WITHDRAW_PART = move_of(UNIT, "withdraw", _C.state, _IN_PART, _C.state == FREE, reason=p("why"))
_WITHDRAW_BATCH = move_of(
    UNIT, "withdraw", _C.state, _C.batch_id == p("batch"), _C.product_id == p("product"), _C.state == FREE,
    reason=p("why"),
)  # fmt: skip
_BY_DIGEST = statement(
    stock.with_digest(
        select(_C.id, _B.supplier_id)
        .select_from(stock_codes.outerjoin(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
        .where(_C.tenant_id == TENANT)
    )
)
_CODE = rows_as(_Place, select(_C.product_id, _C.state).where(_C.tenant_id == TENANT, _C.id == p("code")))
_WITHDRAW_CODE = move_of(
    UNIT, "withdraw", _C.state, _C.id == p("code"), _C.product_id == p("product"), _C.state == FREE, reason=p("why")
)
_TAKE_OFF = statement(
    update(stock_levels)
    .where(_L.tenant_id == TENANT, _L.product_id == p("product"))
    .values(available=_L.available - p("count"))
)
_PART_EXPIRY = statement(select(func.min(_C.expires)).where(_C.tenant_id == TENANT, _IN_PART))
_MOVE_PART = statement(
    update(stock_codes)
    .where(_C.tenant_id == TENANT, _IN_PART, _C.state == FREE)
    .values(product_id=p("product"), batch_id=p("to_batch"), folds=p("to_folds"))
)
_other = stock_codes.alias("other")
_OTHER = _other.c
_SAME = and_(_OTHER.tenant_id == _C.tenant_id, _OTHER.folded_digest == _C.folded_digest, _OTHER.id != _C.id)
_OF_PRODUCT = (_C.tenant_id == TENANT) & (_C.product_id == p("product"))


def _clashes(where: ColumnElement[bool], *unsold: ColumnElement[bool]) -> tuple[Statement[Any], ...]:
    """Returns statements that find codes which would be equal once a set is folded. `unsold`: which codes change.

    The first finds an equal folded code elsewhere, by the unique index of folded codes; the third finds two equal codes
    in the set. A set of folded codes has no two, so the second, which is cheap, finds out whether the third is needed.
    A single condition with OR could use no index: a batch of 100,000 codes took 10^10 comparisons.
    """
    elsewhere = select(_C.id).select_from(stock_codes.join(_other, _SAME)).where(where, *unsold, _OTHER.folds == 1)
    changed = func.sum(case((and_(*unsold), 1), else_=0)) if unsold else func.count()
    twice = select(func.min(_C.id)).where(where).group_by(_C.folded_digest).having(func.count() > 1, changed > 0)
    return (
        statement(elsewhere.limit(1)),
        statement(select(_C.id).where(where, _C.folds == 0).limit(1)),
        statement(twice.limit(1)),
    )


_CLASHES = _clashes(_OF_BATCH & (_C.product_id == p("product")), _C.state == FREE)
_CLASHES_IN_PART = _clashes((_C.tenant_id == TENANT) & _IN_PART)
_CLASHES_IN_PRODUCT = _clashes(_OF_PRODUCT)
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
    count = tx.run(_WITHDRAW_BATCH, batch=batch.id, product=batch.product_id, why=reason)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    after = batch_of(tx, batch.id)
    return Withdrawal(count, sold=after.sold + after.claimed, before=after.withdrawn - count)


def withdraw_part(tx: Transaction, batch: Batch, reason: str, most: int) -> int:
    """Withdraws the next unsold codes of a batch, up to `most`, and returns their number.

    The first part marks the batch as withdrawn: codes that an unpaid checkout returns from then on are withdrawn too.
    """
    tx.run(stock.LOCK_LEVEL, product=batch.product_id)
    tx.run(_MARK, batch=batch.id, why=reason)
    count = tx.run(_WITHDRAW_PART, batch=batch.id, from_product=batch.product_id, most=most, why=reason)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    return count


def has_unsold(tx: Transaction, batch: Batch) -> bool:
    """Reports whether a code of the batch can still be sold."""
    return tx.one(_ANY_FREE, batch=batch.id, from_product=batch.product_id, most=1) is not None


def withdraw_codes(
    tx: Transaction, cipher: TenantCipher, codes: Sequence[StockCode], reason: str, supplier: str | None = None
) -> Withdrawal:
    """Withdraws single codes for good, if they are unsold. With `supplier`, other owners' codes count as unknown."""
    found = find_codes(tx, cipher, codes, supplier)
    return replace(withdraw_rows(tx, found.rows, reason), unknown=found.unknown)


class FoundCodes(NamedTuple):
    """The ids of the codes that the shop has, each once, and how many of the requested codes it does not have."""

    rows: Sequence[str]
    unknown: int


def find_codes(
    tx: Transaction, cipher: TenantCipher, codes: Sequence[StockCode], supplier: str | None = None
) -> FoundCodes:
    """Finds codes as their products compare them. With `supplier`, other owners' codes count as unknown."""
    asked = [
        Query(
            _BY_DIGEST,
            {"digest": cipher.fingerprint(tx, code.exact), "folded_digest": cipher.fingerprint(tx, code.folded)},
        )
        for code in codes
    ]
    found = [[row for row, owner in rows if supplier in (None, owner)] for rows in tx.all_each(asked)]
    return FoundCodes(sorted({row for rows in found for row in rows}), sum(not rows for rows in found))


def withdraw_rows(tx: Transaction, rows: Sequence[str], reason: str) -> Withdrawal:
    """Withdraws codes by their ids for good, if they are unsold."""
    asked = [{"code": row} for row in sorted(rows)]
    products = sorted({one.product for one in tx.one_each(_CODE, asked) if one is not None})
    for product in products:
        tx.run(stock.LOCK_LEVEL, product=product)
    places = [one for one in tx.one_each(_CODE, asked) if one is not None]
    if not {one.product for one in places} <= set(products):
        raise RetryTransaction("a code was moved at this moment")
    counts = {
        product: tx.run_each(_WITHDRAW_CODE, ({**one, "product": product, "why": reason} for one in asked))
        for product in products
    }
    withdrawn = sum(counts.values())
    if withdrawn < sum(one.state == FREE for one in places):
        raise RetryTransaction("a code was sold at this moment")
    for product, count in counts.items():
        tx.run(_TAKE_OFF, product=product, count=count)
    before = sum(one.state == WITHDRAWN for one in places)
    return Withdrawal(withdrawn, sold=len(places) - withdrawn - before, before=before)


def refuse_clash(tx: Transaction, batch: Batch, product: Product) -> None:
    """Raises `Refusal` (-8) if a move would make two codes equal, as the product compares them. Reads only."""
    if product.code_comparison == FOLDED and _clash(tx, _CLASHES, batch=batch.id, product=batch.product_id):
        raise _twice()


def move_part(tx: Transaction, batch: Batch, product: str, made: str | None, actor: str, most: int) -> tuple[str, int]:
    """Moves the next unsold codes of a batch, up to `most`, to another product, with the same supplier and cost.

    They go into the batch `made`, or into a new one. Returns that batch and the number of codes. Raises `Refusal` (-8)
    if no code is unsold and there is no batch yet, or if the move would make two codes equal, as the product compares
    them.
    """
    for one in sorted({batch.product_id, product}):
        tx.run(stock.LOCK_LEVEL, product=one)
    part = {"batch": batch.id, "from_product": batch.product_id, "most": most}
    fold = stock.folds(tx, product)
    if fold and _clash(tx, _CLASHES_IN_PART, **part):
        raise _twice()
    expiry = tx.one(_PART_EXPIRY, **part)
    to_batch = made or insert(tx, product, _moved_from(batch, actor), state=READY_BATCH)
    count = tx.run(_MOVE_PART, **part, product=product, to_batch=to_batch, to_folds=int(fold))
    if not count and made is None:
        raise Refusal(errors.CONFLICT, "no code of the batch is unsold: there is nothing to move")
    tx.run(_LEAVE, batch=batch.id, count=count)
    tx.run(_ENTER, batch=to_batch, count=count)
    tx.run(_TAKE_OFF, product=batch.product_id, count=count)
    stock.put(tx, product, count, expiry[0] if expiry else None)
    if batch.supplier_id and batch.unit_cost:
        tx.run(CONSIGN, product=product)
    return to_batch, count


def _moved_from(batch: Batch, actor: str) -> Source:
    return Source(f"moved from {batch.id}", actor, batch.supplier_id, batch.unit_cost, batch.note)


def _twice() -> Refusal:
    return Refusal(errors.CONFLICT, "a code of the batch is in the shop before, as that product compares codes")


def set_comparison(tx: Transaction, product: str, comparison: str) -> None:
    """Changes how the product compares codes. Raises `Refusal` (-8) if two of its codes would then be the same."""
    assert comparison in (EXACT, FOLDED)
    tx.run(_COMPARE, product=product, comparison=comparison, now=tx.now)
    fold = comparison == FOLDED
    if fold and _clash(tx, _CLASHES_IN_PRODUCT, product=product):
        problem = "two codes differ only in case, hyphens and spaces"
        raise Refusal(errors.CONFLICT, problem, fields={"codeComparison": problem})
    tx.run(_FOLD, product=product, to_folds=int(fold))


def _clash(tx: Transaction, clashes: tuple[Statement[Any], ...], **of: object) -> bool:
    elsewhere, unfolded, twice = clashes
    if tx.one(elsewhere, **of) is not None:
        return True
    return tx.one(unfolded, **of) is not None and tx.one(twice, **of) is not None


# --- reading ----------------------------------------------------------------------------------------------------------


def batches_of(tx: Transaction, product: str = "") -> list[Batch]:
    """Returns every batch, or the batches of one product, in their order of sale."""
    return tx.all(_ALL, product=product)


def batches_page(tx: Transaction, product: str, after: str, most: int) -> list[Batch]:
    """Returns batches as `batches_of` does, after the batch `after`."""
    return tx.all(_PAGE, product=product, after=after, most=most)


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
