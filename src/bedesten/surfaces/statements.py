"""Statements of partners, customers and suppliers: the schemas, and how a page of one is read."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from msgspec import Meta

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.core.paging import DEFAULT_PAGE_SIZE, make_cursor, read_cursor
from bedesten.errors import bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import RequestModel, ResponseModel
from bedesten.ledger import actions as ledger
from bedesten.ledger import statements
from bedesten.ledger.actions import Balance
from bedesten.ledger.statements import KINDS, OTHER, Entry, Period, StatementPage
from bedesten.orders import statements as orders
from bedesten.store.transaction import Transaction
from bedesten.surfaces.schemas import PageSize, SentTime, Time
from bedesten.surfaces.views import parse_time

TransferType = Annotated[str, Meta(title="TransferType", extra_json_schema={"enum": sorted({*KINDS.values(), OTHER})})]
View = TypeVar("View")


class GetStatement(RequestModel, frozen=True):
    """Selects a page of the statement, of `bookedFrom` ≤ `booked` < `bookedTo`. Without them, of everything."""

    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Meta(max_length=300)] | None = None
    booked_from: SentTime | None = None
    booked_to: SentTime | None = None


class BuyerEntry(ResponseModel, frozen=True):
    """A transfer: `amount` is what the balance changed by, `balance` is that after it.

    `orderId` and `orderReference` name the order of a purchase or a refund, `orderDetailId` the line that was bought.
    """

    transfer_id: str
    booked: Time
    type: TransferType
    amount: Decimal
    balance: Decimal
    order_id: str | None
    order_reference: str | None
    order_detail_id: str | None


class SupplierEntry(ResponseModel, frozen=True):
    """A transfer: `amount` is what the balance changed by, `balance` is that after it.

    `orderDetailId` is the line that was delivered.
    """

    transfer_id: str
    booked: Time
    type: TransferType
    amount: Decimal
    balance: Decimal
    order_detail_id: str | None


class Statement(ResponseModel, Generic[View], frozen=True):
    """A page of a statement, the oldest transfer first. `openingBalance` is the balance before the first of its items."""

    currency: str
    opening_balance: Decimal
    items: list[View]
    next_cursor: str | None


class Wallet(ResponseModel, frozen=True):
    """The customer's balance, and a page of its statement: `available` = `balance` − `held`."""

    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    spendable: Decimal
    opening_balance: Decimal
    items: list[BuyerEntry]
    next_cursor: str | None


def buyer_statement(tx: Transaction, context: RequestContext, kind: str, body: GetStatement) -> Statement[BuyerEntry]:
    """One page of the caller's statement, as a buyer sees it. Raises `Refusal` (-2)."""
    money, after, found = _page(tx, context, kind, body)
    return _statement(context, kind, money, after, found, _buyer_entries(tx, money, found.entries))


def wallet(tx: Transaction, context: RequestContext, body: GetStatement) -> Wallet:
    """The customer's balance, and one page of its statement. Raises `Refusal` (-2)."""
    shown = buyer_statement(tx, context, "customer", body)
    money = ledger.account(tx, context.who.owner, "customer", context.tenant.currency)
    return Wallet(
        currency=money.currency,
        balance=to_decimal(money.posted, money.currency),
        held=to_decimal(money.held, money.currency),
        available=to_decimal(money.available, money.currency),
        spendable=to_decimal(money.spendable, money.currency),
        opening_balance=shown.opening_balance,
        items=shown.items,
        next_cursor=shown.next_cursor,
    )


def supplier_statement(tx: Transaction, context: RequestContext, body: GetStatement) -> Statement[SupplierEntry]:
    """One page of the caller's statement, as a supplier sees it: its earnings and payouts. Raises `Refusal` (-2)."""
    money, after, found = _page(tx, context, "supplier", body)
    items = [
        SupplierEntry(
            transfer_id=one.transfer,
            booked=wire_time(one.at),
            type=one.kind,
            amount=to_decimal(one.change, money.currency),
            balance=to_decimal(one.balance, money.currency),
            order_detail_id=one.line,
        )
        for one in found.entries
    ]
    return _statement(context, "supplier", money, after, found, items)


def _page(
    tx: Transaction, context: RequestContext, kind: str, body: GetStatement
) -> tuple[Balance, int, StatementPage]:
    money = ledger.account(tx, context.who.owner, kind, context.tenant.currency)
    period = Period(
        after=_after(context, kind, body.cursor),
        size=body.page_size,
        since=parse_time(body.booked_from, "bookedFrom") if body.booked_from else 0,
        until=parse_time(body.booked_to, "bookedTo") if body.booked_to else None,
    )
    if period.until is not None and period.until < period.since:
        raise bad_field("bookedTo", "must not be before bookedFrom")
    return money, period.after, statements.page(tx, money.id, period)


def _after(context: RequestContext, kind: str, cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        return int(read_cursor(context.tenant.id, f"statement-{kind}", cursor))
    except ValueError as error:
        raise bad_field("cursor", "not a cursor of this list") from error


def _statement(
    context: RequestContext, kind: str, money: Balance, after: int, found: StatementPage, items: list[View]
) -> Statement[View]:
    last = found.entries[-1].seq if found.entries else after
    return Statement(
        currency=money.currency,
        opening_balance=to_decimal(found.opening, money.currency),
        items=items,
        next_cursor=make_cursor(context.tenant.id, f"statement-{kind}", str(last)) if found.more else None,
    )


def _buyer_entries(tx: Transaction, money: Balance, entries: Sequence[Entry]) -> list[BuyerEntry]:
    ids = list({one.order: None for one in entries if one.order})
    found = tx.one_each(orders.ORDER_BY_ID, [{"order_id": one} for one in ids])
    references = {one.id: one.reference for one in found if one}
    return [
        BuyerEntry(
            transfer_id=one.transfer,
            booked=wire_time(one.at),
            type=one.kind,
            amount=to_decimal(one.change, money.currency),
            balance=to_decimal(one.balance, money.currency),
            order_id=one.order,
            order_reference=references.get(one.order or ""),
            order_detail_id=one.line,
        )
        for one in entries
    ]
