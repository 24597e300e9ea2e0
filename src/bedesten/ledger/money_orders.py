"""Money orders: an operator's bookings by hand, each with a reason and, above the tenant's limit, a second person."""

from dataclasses import dataclass

from sqlalchemy import or_, select

from bedesten import errors
from bedesten.audit.actions import OPERATOR, record
from bedesten.core.money import MAX_MINOR, with_currency
from bedesten.errors import Refusal, bad_field
from bedesten.ledger import actions as ledger
from bedesten.ledger.actions import BOUNDED, Balance
from bedesten.ledger.moves import BOOKED, MONEY_ORDER, REJECTED, WAITING
from bedesten.ledger.tables import ledger_accounts, money_orders
from bedesten.store.sql import TENANT, insert_of, move_of, p, rows_as
from bedesten.store.transaction import RetryTransaction, Transaction
from bedesten.tenants.money_approval import approve_above

ADJUST, DEPOSIT, WITHDRAW = "adjust", "deposit", "withdraw"
OWNERS = frozenset({"supplier", *BOUNDED})
"""Kinds of accounts that an operator can book on."""
COUNTER = {ADJUST: "adjustments", DEPOSIT: "clearing", WITHDRAW: "clearing"}
"""The tenant's account on the other side of the transfer."""


@dataclass(frozen=True, slots=True)
class MoneyOrder:
    """One booking by hand. `amount` is in minor units: what the owner's balance changes by."""

    id: str
    business_key: str
    kind: str
    account_id: str
    currency: str
    amount: int
    reason: str
    state: int
    two_persons: int
    created: int
    created_by: str
    decided: int | None
    decided_by: str | None
    decision: str | None
    owner_id: str
    owner_kind: str


@dataclass(frozen=True, slots=True)
class NewMoneyOrder:
    """A request to book on an owner's account. The same `business_key` is booked once; without one, each is new."""

    kind: str
    owner_id: str
    owner_kind: str
    currency: str
    amount: int
    reason: str
    business_key: str | None = None


_M, _A = money_orders.c, ledger_accounts.c
_ORDERS = (
    select(
        _M.id, _M.business_key, _M.kind, _M.account_id, _M.currency, _M.amount, _M.reason, _M.state, _M.two_persons,
        _M.created, _M.created_by, _M.decided, _M.decided_by, _M.decision, _A.owner_id, _A.kind.label("owner_kind"),
    )
    .select_from(money_orders.join(ledger_accounts, (_A.tenant_id == _M.tenant_id) & (_A.id == _M.account_id)))
    .where(_M.tenant_id == TENANT)
)  # fmt: skip
_BY_ID = rows_as(MoneyOrder, _ORDERS.where(_M.id == p("id")))
_BY_KEY = rows_as(MoneyOrder, _ORDERS.where(_M.business_key == p("key")))
_LIST = rows_as(
    MoneyOrder,
    _ORDERS.where(or_(p("every") == 1, _M.state == WAITING), _M.id > p("after")).order_by(_M.id).limit(p("most")),
)
_INSERT = insert_of(money_orders, or_ignore=True)
_DECIDED = {"decided": p("now"), "decided_by": p("person"), "decision": p("why")}
_APPROVE = move_of(MONEY_ORDER, "approve", _M.state, _M.id == p("id"), **_DECIDED)
_REJECT = move_of(MONEY_ORDER, "reject", _M.state, _M.id == p("id"), **_DECIDED)


def book(tx: Transaction, new: NewMoneyOrder, person: str) -> MoneyOrder:
    """Books the order, or keeps it waiting for a second person if it is above the tenant's limit.

    The same business key with the same content returns the first order. Raises `Refusal`: -2 for an amount of the wrong
    sign or too large, -8 for a business key with other content, -300 if the balance does not cover it.
    """
    _check(new)
    known = tx.one(_BY_KEY, key=new.business_key) if new.business_key else None
    if known is not None:
        return _same(known, new)
    of = ledger.account(tx, new.owner_id, new.owner_kind, new.currency)
    limit = approve_above(tx)
    two_persons = limit is not None and abs(new.amount) > limit
    made = _insert(tx, of, new, person, two_persons=two_persons)
    if not two_persons:
        _transfer(tx, made, of)
    _record(tx, f"money.{'request' if two_persons else new.kind}", made, reason=new.reason)
    return made


def approve(tx: Transaction, order_id: str, person: str) -> MoneyOrder:
    """Books a waiting order, as the second person. A second approval by the same person changes nothing.

    Raises `Refusal`: -3, -8 if it was rejected or `person` requested it, -300 if the balance no longer covers it.
    """
    found = find(tx, order_id)
    if found.state == BOOKED and found.decided_by == person:
        return found
    if found.state != WAITING:
        raise Refusal(errors.CONFLICT, f"it is {MONEY_ORDER.states[found.state].name}")
    if found.created_by == person:
        raise Refusal(errors.CONFLICT, f"{person} requested it; somebody else has to approve it")
    if not tx.run(_APPROVE, id=found.id, person=person, why=None, now=tx.now):
        raise RetryTransaction("it was decided at this moment")
    _transfer(tx, found, ledger.account(tx, found.owner_id, found.owner_kind, found.currency))
    _record(tx, "money.approve", found, requested_by=found.created_by)
    return find(tx, order_id)


def reject(tx: Transaction, order_id: str, person: str, why: str) -> MoneyOrder:
    """Rejects a waiting order for good; its requester may do so too. Idempotent. Raises `Refusal`: -3, -8."""
    found = find(tx, order_id)
    if found.state == REJECTED:
        return found
    if found.state == BOOKED:
        raise Refusal(errors.CONFLICT, "it is booked")
    if not tx.run(_REJECT, id=found.id, person=person, why=why, now=tx.now):
        raise RetryTransaction("it was decided at this moment")
    _record(tx, "money.reject", found, requested_by=found.created_by, reason=why)
    return find(tx, order_id)


def find(tx: Transaction, order_id: str) -> MoneyOrder:
    """Returns one order. Raises `Refusal` (-3)."""
    found = tx.one(_BY_ID, id=order_id)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such money order", fields={"id": "there is no such money order"})
    return found


def list_orders(tx: Transaction, *, every: bool = False, after: str = "", most: int = 1_000) -> list[MoneyOrder]:
    """Returns the waiting orders, or all of them, the oldest first."""
    return tx.all(_LIST, every=int(every), after=after, most=most)


def _check(new: NewMoneyOrder) -> None:
    assert new.owner_kind in OWNERS, "the tenant's own accounts are the other side"
    if not new.amount:
        raise bad_field("amount", "must not be 0")
    if abs(new.amount) >= MAX_MINOR:
        raise ledger.amount_too_large("amount")
    assert new.kind == ADJUST or (new.amount > 0) == (new.kind == DEPOSIT), "a withdrawal takes, a deposit gives"


def _same(known: MoneyOrder, new: NewMoneyOrder) -> MoneyOrder:
    """Returns the stored order. Raises `Refusal` (-8) if its content differs."""
    before = (known.kind, known.owner_id, known.currency, known.amount, known.reason)
    if before != (new.kind, new.owner_id, new.currency, new.amount, new.reason):
        raise Refusal(errors.CONFLICT, f"the key was used for {known.id}, with another content")
    return known


def _insert(tx: Transaction, of: Balance, new: NewMoneyOrder, person: str, *, two_persons: bool) -> MoneyOrder:
    order_id = tx.new_id("mny")
    made = tx.run(
        _INSERT,
        id=order_id,
        business_key=new.business_key or order_id,
        kind=new.kind,
        account_id=of.id,
        currency=of.currency,
        amount=new.amount,
        reason=new.reason,
        state=MONEY_ORDER["request" if two_persons else "book"].target,
        two_persons=int(two_persons),
        created=tx.now,
        created_by=person,
        decided=None,
        decided_by=None,
        decision=None,
    )
    if not made:
        raise RetryTransaction("the same key was used at the same moment")
    return find(tx, order_id)


def _transfer(tx: Transaction, order: MoneyOrder, of: Balance) -> None:
    key, on_credit = f"money:{order.id}", order.kind == ADJUST
    ledger.book_by_hand(tx, of, order.owner_kind, order.amount, COUNTER[order.kind], key, on_credit=on_credit)


def _record(tx: Transaction, action: str, order: MoneyOrder, **detail: object) -> None:
    change = with_currency(order.amount, order.currency)
    record(tx, OPERATOR, action, order.id, kind=order.kind, owner=order.owner_id, change=change, **detail)
