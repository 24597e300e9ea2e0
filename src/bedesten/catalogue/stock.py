"""Sells stock codes: takes, attaches to a unit of an order line, returns, decrypts. `batches` adds them.

A code is sold by a conditional change of its own row, so stock is never oversold. On PostgreSQL buyers skip the codes
that other transactions have locked. A buyer who finds too few waits for those (`take`): nobody sees "sold out" while
another order can still roll back.

Order of sale: first in, first out. Batches are sold in the order in which their uploads began, and the codes of a batch
in the order of the file or call; concurrent buyers get neighbouring codes. A code that an unpaid checkout returns keeps
its place.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, literal, or_, select, union, update

from bedesten.audit.actions import Actor, record
from bedesten.catalogue.code import FOLDED, StockCode, decode, encode
from bedesten.catalogue.code_pattern import CodePatterns, MalformedCodes
from bedesten.catalogue.levels import AVAILABLE, count_taken, undo_count
from bedesten.catalogue.moves import CLAIMED, DELIVERED, FREE, UNIT
from bedesten.catalogue.tables import products, stock_batches, stock_codes, stock_levels
from bedesten.core.clock import HOUR
from bedesten.store.sql import TENANT, among, cross_tenant, insert_of, move_of, p, statement
from bedesten.store.transaction import RetryTransaction, Step, SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher, TenantKeys

PURPOSE = "stock-code"
MIN_CLAIMABLE = 10
"""Units of a product that unpaid checkouts may always hold, however low its stock."""
MIN_VALIDITY_MS = HOUR
"""A code that expires sooner than this is no longer sold."""
EXPIRED = "expired"
"""The reason recorded when such a code is withdrawn."""


def with_digest(codes: Select[Any]) -> Select[Any]:
    """Selects from `codes` as their products compare codes: by `digest`, or by `folded_digest` where a product folds.

    Two look-ups by unique indexes: with OR, or with `id IN`, PostgreSQL may read the whole table.
    """
    folded = codes.where(stock_codes.c.folded_digest == p("folded_digest"), stock_codes.c.folds == 1)
    found = union(codes.where(stock_codes.c.digest == p("digest")), folded).subquery("found")
    return select(*found.c)


_L, _C, _B = stock_levels.c, stock_codes.c, stock_batches.c
_LEVEL = (_L.tenant_id == TENANT) & (_L.product_id == p("product"))
_TERMS = statement(select(_L.consigned, _L.next_expiry).where(_LEVEL))
_PUT = statement(update(stock_levels).where(_LEVEL).values(available=_L.available + p("count")))
LOCK_LEVEL = statement(update(stock_levels).where(_LEVEL).values(available=_L.available))
"""Locks the level: other changes of the product's stock, and other checkouts, wait until COMMIT. Orders do not."""
_ADD = insert_of(stock_codes, or_ignore=True)
_STORED = statement(select(_C.id).where(_C.tenant_id == TENANT, _C.id == p("code")))
_CODE_RULES = statement(
    select(products.c.code_comparison, products.c.code_pattern, products.c.pin_pattern, products.c.serial_pattern)
    .where(products.c.tenant_id == TENANT, products.c.id == p("product"))
    .with_for_update(read=True)
)
_FREE = (
    select(_C.id, _C.batch_id, _C.position)
    .where(
        _C.tenant_id == TENANT,
        _C.product_id == p("product"),
        _C.state == 0,
        or_(_C.expires.is_(None), _C.expires > p("until")),
    )
    .order_by(_C.batch_id, _C.position)
    .limit(p("quantity"))
)
_COUNT_FREE = statement(select(func.count()).select_from(_FREE.subquery()))
_LOCK_FREE = statement(_FREE.with_for_update(skip_locked=True))
_AWAIT_FREE = statement(_FREE.with_for_update())
_SAME_TERMS = select(_L.consigned).where(_LEVEL).scalar_subquery() == p("earns")
_UNLOCKED = _FREE.where(_SAME_TERMS).with_for_update(skip_locked=True)
_SOLD = {"line_id": p("line"), "line_quantity": p("quantity")}
_FIRST = _C.id == _UNLOCKED.with_only_columns(_C.id).limit(1).scalar_subquery()
# With a parameter as its LIMIT, PostgreSQL would plan the statement of an order again for each order.
_CHOSEN = _UNLOCKED.cte("chosen")
_UNIT = func.row_number().over(order_by=(_CHOSEN.c.batch_id, _CHOSEN.c.position)) - 1
_IS_CHOSEN = among(_C.id, select(_CHOSEN.c.id))
_PLACED = select(_CHOSEN.c.id, _UNIT.label("unit")).subquery()
_EVENTS = {CLAIMED: "claim", DELIVERED: "sell"}
_ATTACH_ONE = {to: move_of(UNIT, event, _C.state, _FIRST, unit=0, **_SOLD) for to, event in _EVENTS.items()}
_ATTACH_MANY = {
    to: move_of(UNIT, event, _C.state, _C.id == _PLACED.c.id, _IS_CHOSEN, unit=_PLACED.c.unit, **_SOLD)
    for to, event in _EVENTS.items()
}
_OF_LINE = (_C.tenant_id == TENANT) & (_C.line_id == p("line"))
_WHY = (
    select(_B.reason)
    .where(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id, _B.reason.is_not(None))
    .correlate(stock_codes)
    .scalar_subquery()
)
_NO_LINE: dict[str, Any] = dict.fromkeys(("line_id", "line_quantity", "unit"))
_LINE_ROW = _C.line_id == p("line")
_DETACH_WITHDRAWN = move_of(
    UNIT, "withdraw", _C.state, _LINE_ROW, _C.state == CLAIMED, _WHY.is_not(None), reason=_WHY, **_NO_LINE
)
_DETACH = move_of(UNIT, "putBack", _C.state, _LINE_ROW, **_NO_LINE)
_FIRST_EXPIRY = statement(select(func.min(_C.expires)).where(_OF_LINE, _C.state == CLAIMED))
_NOTE_EXPIRY = statement(
    update(stock_levels)
    .where(_LEVEL, or_(_L.next_expiry.is_(None), _L.next_expiry > p("expiry")))
    .values(next_expiry=p("expiry"))
)
_DELIVER = move_of(UNIT, "deliver", _C.state, _LINE_ROW)
_CIPHERTEXTS = statement(select(_C.id, _C.ciphertext).where(_OF_LINE, _C.state == DELIVERED).order_by(_C.unit))
_CLAIMED = statement(
    select(func.count()).where(_C.tenant_id == TENANT, _C.product_id == p("product"), _C.state == CLAIMED)
)
_AVAILABLE = statement(select(AVAILABLE).where(_LEVEL))
_EARNED = statement(
    select(_B.supplier_id, func.sum(_B.unit_cost))
    .select_from(stock_codes.join(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
    .where(_OF_LINE, _C.state == DELIVERED, _B.supplier_id.is_not(None), _B.unit_cost > 0)
    .group_by(_B.supplier_id)
    .order_by(_B.supplier_id)
)
_DUE = statement(select(_L.product_id).where(_LEVEL, _L.next_expiry <= p("until")))
_ALL_DUE = cross_tenant(
    select(_L.tenant_id, _L.product_id).where(_L.next_expiry <= p("until")).order_by(_L.product_id).limit(p("most"))
)
_OF_PRODUCT = (_C.tenant_id == TENANT) & (_C.product_id == p("product"))
_WITHDRAW_EXPIRED = move_of(
    UNIT, "withdraw", _C.state, _C.product_id == p("product"), _C.state == FREE, _C.expires <= p("until"),
    reason=literal(EXPIRED),
)  # fmt: skip
_EXPIRED = statement(
    update(stock_levels)
    .where(_LEVEL)
    .values(
        available=_L.available - p("count"),
        next_expiry=select(func.min(_C.expires)).where(_OF_PRODUCT, _C.state == 0).scalar_subquery(),
    )
)


class Allocation(NamedTuple):
    """Units that an order takes. `earns` says whether a supplier may earn with them, see `supplier_earnings`."""

    earns: bool


def sold_until(tx: Transaction, until: int = 0) -> int:
    """Returns until when a code sold now must be valid: `MIN_VALIDITY_MS` from now, or `until` if later."""
    return max(until, tx.now + MIN_VALIDITY_MS)


def take(tx: Transaction, product: str, count: int, until: int = 0, before: int = 0) -> Allocation | None:
    """Takes units, all or none: locks as many free codes. The caller attaches them in the same transaction.

    If too few other codes are free, waits for those that other orders have locked. Returns None only if too few are
    free in committed data. `before` counts units of the product that this transaction has taken and not attached yet.
    Withdraws codes that expire by `until`, or within `MIN_VALIDITY_MS`, instead of selling them. Raises
    `RetryTransaction` if codes became free meanwhile.
    """
    until, wanted = sold_until(tx, until), count + before
    terms = tx.one(_TERMS, product=product)
    if terms is None:
        return None
    if terms[1] is not None and terms[1] <= until:
        withdraw_expired(tx, product, until)
    asked = {"product": product, "quantity": wanted, "until": until}
    if len(tx.all(_LOCK_FREE, **asked)) < wanted and len(tx.all(_AWAIT_FREE, **asked)) < wanted:
        row = tx.one(_COUNT_FREE, **asked)
        if row is not None and row[0] >= wanted:
            raise RetryTransaction("codes became free at this moment")
        return None
    count_taken(tx, product, count)
    return Allocation(earns=bool(terms[0]))


def attach_step(tx: Transaction, product: str, line: str, count: int, state: int, until: int, *, earns: bool) -> Step:
    """Returns the step that gives a line the first free codes, skipping codes that other orders have locked.

    The step raises `RetryTransaction` if it finds too few codes, because only `take` can tell that too few are left, or
    if a supplier who earns with sales has added codes since the order was read. Two such steps of one product cannot
    run together.
    """
    attach = (_ATTACH_ONE if count == 1 else _ATTACH_MANY)[state]
    what = {"product": product, "line": line, "quantity": count, "until": sold_until(tx, until), "earns": int(earns)}
    return Step(attach, what, rows=count, error=partial(RetryTransaction, "others have locked the codes, or sold them"))


def exceeds_claim_share(tx: Transaction, product: str, count: int, share: int | None) -> bool:
    """Reports whether unpaid checkouts would hold more than this percentage of the stock, including these units.

    `MIN_CLAIMABLE` units may always be held. Locks the row of the level: checkouts of one product are counted one by one.
    """
    if share is None:
        return False
    tx.run(LOCK_LEVEL, product=product)
    claimed, available = ((tx.one(one, product=product) or (0,))[0] for one in (_CLAIMED, _AVAILABLE))
    stock = available + count + claimed
    return bool(claimed + count > max(MIN_CLAIMABLE, stock * share // 100))


def return_units(tx: Transaction, product: str, count: int) -> None:
    """Undoes `take` in the same transaction."""
    undo_count(tx, product, count)


def put_back(tx: Transaction, product: str, line: str) -> None:
    """Frees the codes that a line had claimed and not received.

    Withdraws the codes of a batch that was withdrawn in the meantime.
    """
    tx.run(_DETACH_WITHDRAWN, line=line)
    expiry = tx.one(_FIRST_EXPIRY, line=line)
    freed = tx.run(_DETACH, line=line)
    if freed:
        put(tx, product, freed, expiry[0] if expiry else None)


def put(tx: Transaction, product: str, count: int, expiry: int | None = None) -> None:
    """Adds units to the level after codes of the product became free in this transaction.

    `expiry` is the earliest expiry of these codes.
    """
    tx.run(_PUT, product=product, count=count)
    if expiry is not None:
        tx.run(_NOTE_EXPIRY, product=product, expiry=expiry)


def withdraw_expired(tx: Transaction, product: str, until: int | None = None) -> bool:
    """Withdraws the product's free codes that expire by `until`. Returns False if there was nothing to check."""
    until = tx.now + MIN_VALIDITY_MS if until is None else until
    if tx.one(_DUE, product=product, until=until) is None:
        return False
    tx.run(LOCK_LEVEL, product=product)
    count = tx.run(_WITHDRAW_EXPIRED, product=product, until=until)
    tx.run(_EXPIRED, product=product, count=count)
    if count:
        record(tx, Actor("system"), "stock.withdraw", product, withdrawn=count, reason=EXPIRED)
    return True


def due_to_expire(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and product of each level in which a code may have expired."""
    return [(row[0], row[1]) for row in tx.all(_ALL_DUE, until=tx.now + MIN_VALIDITY_MS, most=most)]


def deliver_claimed(tx: Transaction, line: str) -> int:
    """Delivers the codes that a line had claimed; returns their number."""
    return tx.run(_DELIVER, line=line)


def supplier_earnings(tx: Transaction, line: str) -> list[tuple[str, int]]:
    """Returns what each supplier earns with the stock codes of a line: supplier and minor units."""
    return [(row[0], int(row[1])) for row in tx.all(_EARNED, line=line)]


class Place(NamedTuple):
    """The units of a line that get codes: from unit `first` on, of `quantity`."""

    line: str
    first: int
    quantity: int


def deliver_new(tx: Transaction, cipher: TenantCipher, product: str, to: Place, codes: Sequence[StockCode]) -> bool:
    """Gives codes that a supplier just sent to units of a line. Returns False if the tenant already had one of them."""
    place: dict[str, object] = {"state": DELIVERED, "line_id": to.line, "line_quantity": to.quantity}
    prepared = prepare(cipher.keys_of(tx), tx.new_id, codes)
    return all(one.inserted for one in insert(tx, product, prepared, lambda at: {**place, "unit": to.first + at}))


def delivered_codes(tx: Transaction, cipher: TenantCipher, line: str) -> list[StockCode]:
    """Returns the codes that a line received, decrypted. Every caller writes an audit row."""
    return [
        decode(cipher.decrypt(tx, PURPOSE, row, bytes(ciphertext)))
        for row, ciphertext in tx.all(_CIPHERTEXTS, line=line)
    ]


class PreparedCode(NamedTuple):
    """A code before it is stored: its future id, its digests and its ciphertext."""

    code: StockCode
    row: str
    digest: bytes
    folded_digest: bytes
    ciphertext: bytes


def prepare(keys: TenantKeys, new_id: Callable[[str], str], codes: Sequence[StockCode]) -> list[PreparedCode]:
    """Digests and encrypts codes without the store: it takes as long as storing them, but makes no writer wait."""
    prepared = []
    for code in codes:
        row = new_id("cod")
        digest, folded = keys.fingerprint(code.exact), keys.fingerprint(code.folded)
        prepared.append(PreparedCode(code, row, digest, folded, keys.encrypt(PURPOSE, row, encode(code))))
    return prepared


class InsertedCode(NamedTuple):
    """The result for one code of an upload; its digests find an older code that is the same."""

    place: int
    inserted: bool
    digest: bytes
    folded_digest: bytes


def insert(
    tx: Transaction, product: str, codes: Sequence[PreparedCode], columns: Callable[[int], dict[str, object]]
) -> list[InsertedCode]:
    """Inserts codes that no product of the tenant has yet; `columns` gives state and batch of the code at an index.

    Raises `MalformedCodes`, before anything is inserted, for codes that do not match the product's patterns. Rows are
    inserted in the order of their digests, the folded one first; of two equal codes the first one of the upload wins.
    Two uploads of the same codes therefore wait for each other in one direction only and cannot deadlock.
    """
    fold, patterns = _code_rules(tx, product)
    if misfits := patterns.misfits([one.code for one in codes]):
        raise MalformedCodes(misfits)
    ordered = sorted((one.folded_digest, b"" if fold else one.digest, at) for at, one in enumerate(codes))
    places = [at for _, _, at in ordered]
    shared = {**_NOWHERE, "product_id": product, "folds": int(fold), "reason": None}
    rows = ({**shared, **_columns(codes[at]), **columns(at)} for at in places)
    inserted = {codes[at].row for at in places}
    if tx.run_each(_ADD, rows) < len(codes):
        stored = tx.one_each(_STORED, [{"code": codes[at].row} for at in places])
        inserted = {row[0] for row in stored if row is not None}
    return [InsertedCode(at, codes[at].row in inserted, codes[at].digest, codes[at].folded_digest) for at in places]


def _columns(one: PreparedCode) -> dict[str, object]:
    return {
        "id": one.row,
        "digest": one.digest,
        "folded_digest": one.folded_digest,
        "ciphertext": one.ciphertext,
        "expires": one.code.expires_at,
    }


_NOWHERE: dict[str, object] = dict.fromkeys(("batch_id", "position", "line_id", "line_quantity", "unit"))


def folds(tx: Transaction, product: str) -> bool:
    """Reports whether the product compares folded codes, and keeps that setting fixed until COMMIT."""
    return _code_rules(tx, product)[0]


def fits(tx: Transaction, product: str, code: StockCode) -> bool:
    """Reports whether a code matches the product's patterns, and keeps these fixed until COMMIT."""
    return not _code_rules(tx, product)[1].misfits([code])


def _code_rules(tx: Transaction, product: str) -> tuple[bool, CodePatterns]:
    """Returns whether the product compares folded codes, and its patterns, and keeps both fixed until COMMIT."""
    row = tx.one(_CODE_RULES, product=product)
    assert row is not None, "the product is there"
    comparison, *patterns = row
    return comparison == FOLDED, CodePatterns(*patterns)
