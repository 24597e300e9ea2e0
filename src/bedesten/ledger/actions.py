"""Moves money. Every function works in the caller's transaction, undoes nothing itself and raises instead."""

from functools import partial

import msgspec
from sqlalchemy import case, func, or_, select, update

from bedesten import errors
from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal, bad_field
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Step, Transaction

BOUNDED = frozenset({"partner", "customer"})


class Balance(msgspec.Struct, frozen=True):
    """A ledger account in minor units. `posted` is the sum of its transfers, `held` the total set aside for orders."""

    id: str
    currency: str
    posted: int
    held: int
    credit_limit: int

    @property
    def available(self) -> int:
        """Returns the money that can be spent without credit: posted − held."""
        return self.posted - self.held

    @property
    def spendable(self) -> int:
        """Returns the money that can be spent with credit; 0 where the debt exceeds the limit."""
        return max(0, self.available + self.credit_limit)

    def can_receive(self, amount: int) -> bool:
        """Reports whether the balance and its credit stay within bounds with this much more money."""
        return self.posted + self.credit_limit + amount < MAX_MINOR


class Hold(msgspec.Struct, frozen=True):
    """The money set aside for one order; `placed` = captured + released + still held."""

    account_id: str
    currency: str
    placed: int
    captured: int
    released: int


_A = ledger_accounts.c
_OPEN = insert_of(ledger_accounts, or_ignore=True)
_BALANCE = rows_as(
    Balance,
    select(_A.id, _A.currency, _A.posted, _A.held, _A.credit_limit).where(
        _A.tenant_id == TENANT, _A.owner_id == p("owner"), _A.kind == p("kind"), _A.currency == p("currency")
    ),
)
_HERE = (_A.tenant_id == TENANT) & (_A.id == p("id"))
_SET_ASIDE = statement(
    update(ledger_accounts)
    .where(_HERE, _A.posted - _A.held + _A.credit_limit >= p("total"))
    .values(held=_A.held + p("waiting"), posted=_A.posted - p("captured"))
)
_CAPTURE = statement(
    update(ledger_accounts).where(_HERE).values(held=_A.held - p("amount"), posted=_A.posted - p("amount"))
)
_AFTER = _A.posted - _A.held + p("amount")
_STILL_OWED = case((-_A.credit_limit > _AFTER, -_AFTER), else_=_A.credit_limit)
_RELEASE = statement(
    update(ledger_accounts).where(_HERE).values(held=_A.held - p("amount"), overdraft_limit=_STILL_OWED)
)
_RECEIVE = statement(
    update(ledger_accounts)
    .where(_HERE, _A.posted + _A.credit_limit + p("amount") < MAX_MINOR)
    .values(posted=_A.posted + p("amount"), overdraft_limit=_STILL_OWED)
)
_SPEND = statement(
    update(ledger_accounts)
    .where(_HERE, _A.posted - _A.held + _A.credit_limit * p("on_credit") >= p("amount"))
    .values(posted=_A.posted - p("amount"))
)
_LOCK = statement(select(_A.id).where(_HERE).with_for_update())
_SUM = statement(
    select(
        func.coalesce(func.sum(case((transfers.c.to_id == p("id"), transfers.c.amount), else_=-transfers.c.amount)), 0)
    ).where(transfers.c.tenant_id == TENANT, or_(transfers.c.to_id == p("id"), transfers.c.from_id == p("id")))
)
_SET_CREDIT = statement(
    update(ledger_accounts)
    .where(_HERE, _A.posted + p("limit") < MAX_MINOR)
    .values(
        credit_limit=p("limit"),
        overdraft_limit=case((_A.posted - _A.held < -p("limit"), _A.held - _A.posted), else_=p("limit")),
    )
)
_TRANSFER = insert_of(transfers, or_ignore=True)
_HOLD = insert_of(holds)
_READ_HOLD = rows_as(
    Hold,
    select(holds.c.account_id, holds.c.currency, holds.c.placed, holds.c.captured, holds.c.released).where(
        holds.c.tenant_id == TENANT, holds.c.order_id == p("order_id")
    ),
)
_H = (holds.c.tenant_id == TENANT) & (holds.c.order_id == p("order_id"))
_HOLD_CAPTURE = statement(update(holds).where(_H).values(captured=holds.c.captured + p("amount")))
_HOLD_RELEASE = statement(update(holds).where(_H).values(released=holds.c.released + p("amount")))


def account(tx: Transaction, owner: str, kind: str, currency: str) -> Balance:
    """Returns the owner's ledger account in this currency; opens an empty one if there is none."""
    found = tx.one(_BALANCE, owner=owner, kind=kind, currency=currency)
    if found is None:
        tx.run(
            _OPEN,
            id=tx.new_id("acc"),
            owner_id=owner,
            kind=kind,
            currency=currency,
            bounded=int(kind in BOUNDED),
            posted=0,
            held=0,
            credit_limit=0,
            overdraft_limit=0,
        )
        found = tx.one(_BALANCE, owner=owner, kind=kind, currency=currency)
    assert found is not None, "an account that was just opened is there"
    return found


def balance(tx: Transaction, owner: str, kind: str, currency: str) -> Balance | None:
    """Reads the owner's ledger account without opening one."""
    return tx.one(_BALANCE, owner=owner, kind=kind, currency=currency)


def receive(tx: Transaction, to: Balance, amount: int, business_key: str, order: str | None = None) -> bool:
    """Books money from outside to a bounded account. Returns False without a change if the business key is in use.

    Raises `Refusal` (-2) if the balance would reach the largest possible amount.
    """
    return _credit(tx, account(tx, tx.tenant, "clearing", to.currency), to, amount, business_key, order)


def refund(tx: Transaction, to: Balance, amount: int, business_key: str, order: str) -> bool:
    """Books money from the tenant's sales back to a buyer. Returns False without a change if the business key is in use.

    Raises `Refusal` (-2) if the balance would reach the largest possible amount.
    """
    return _credit(tx, account(tx, tx.tenant, "sales", to.currency), to, amount, business_key, order)


def _credit(tx: Transaction, from_: Balance, to: Balance, amount: int, business_key: str, order: str | None) -> bool:
    if not tx.run(_TRANSFER, **_transfer(tx, from_.id, to.id, to.currency, amount, business_key, order)):
        return False
    if not tx.run(_RECEIVE, id=to.id, amount=amount):
        raise amount_too_large("amount")
    return True


def hold_steps(from_: Balance, amount: int, order: str, captured: int = 0) -> list[Step]:
    """Returns the steps that set money aside for an order and capture the part that is delivered at once.

    One statement checks and changes the balance, so that two orders can never spend the same money. It raises `Refusal`
    (-300) if the balance is too low. It runs last, because the buyer's other orders wait for the row that it locks.
    """
    parts = {"id": from_.id, "total": amount, "waiting": amount - captured, "captured": captured}
    held = {"account_id": from_.id, "currency": from_.currency, "placed": amount, "captured": captured, "released": 0}
    return [
        Step(_HOLD, {"order_id": order, **held}),
        Step(_SET_ASIDE, parts, error=_insufficient, sums=("total", "waiting", "captured")),
    ]


def check_covered(from_: Balance, amount: int) -> None:
    """Raises `Refusal` (-300) if the balance, as it was read, does not cover the amount."""
    if from_.available + from_.credit_limit < amount:
        raise _insufficient()


def sale_steps(tx: Transaction, buyer_id: str, sales: Balance, amount: int, line: str, order: str) -> list[Step]:
    """Returns the step that books one delivered line, once; `hold_steps` or `capture` changes the account's row."""
    if not amount:
        return []
    row = _transfer(tx, buyer_id, sales.id, sales.currency, amount, f"line:{line}", order)
    return [Step(_TRANSFER, row, error=partial(AssertionError, "a line is delivered once"))]


def capture(tx: Transaction, order: str, amount: int, line: str) -> None:
    """Turns part of an order's hold into a transfer to the tenant's sales when a line is delivered."""
    held = _the_hold(tx, order)
    sales = account(tx, tx.tenant, "sales", held.currency)
    tx.run(_HOLD_CAPTURE, order_id=order, amount=amount)
    tx.run(_CAPTURE, id=held.account_id, amount=amount)
    tx.run_all(sale_steps(tx, held.account_id, sales, amount, line, order))


def release(tx: Transaction, order: str, amount: int) -> None:
    """Releases part of an order's hold when a line is cancelled."""
    held = _the_hold(tx, order)
    tx.run(_HOLD_RELEASE, order_id=order, amount=amount)
    tx.run(_RELEASE, id=held.account_id, amount=amount)


def accrue_payable(
    tx: Transaction,
    supplier: str,
    currency: str,
    amount: int,
    line: str,
    order: str,
    *,
    stock: bool = False,
    code: str = "",
) -> None:
    """Books what a supplier earned with one delivered line: from the tenant's sales to the supplier's account.

    Several suppliers can earn with the stock codes of one line, so the business key then names the supplier too; the
    key of a replacement also names its `code`.
    """
    if amount:
        sales = account(tx, tx.tenant, "sales", currency)
        payable = account(tx, supplier, "supplier", currency)
        key = f"cost:{line}:{supplier}" if stock else f"cost:{line}"
        key += f":{code}" if code else ""
        tx.run(_TRANSFER, **_transfer(tx, sales.id, payable.id, currency, amount, key, order))


def claw_back(tx: Transaction, supplier: str, currency: str, amount: int, business_key: str, order: str) -> bool:
    """Books earnings from a supplier's account back to the tenant's sales. Returns False if the business key is in use."""
    sales = account(tx, tx.tenant, "sales", currency)
    payable = account(tx, supplier, "supplier", currency)
    return bool(tx.run(_TRANSFER, **_transfer(tx, payable.id, sales.id, currency, amount, business_key, order)))


def book_by_hand(
    tx: Transaction, of: Balance, kind: str, change: int, counter: str, business_key: str, *, on_credit: bool
) -> None:
    """Changes an owner's balance by a transfer with the tenant's account of the kind `counter`.

    With `on_credit` a bounded account may go down to its credit limit, and a supplier's account has no lower bound.
    Without it neither goes below 0. Raises `Refusal`: -300, or -2 if the balance would become too large.
    """
    other = account(tx, tx.tenant, counter, of.currency)
    giver, taker = (other, of) if change > 0 else (of, other)
    amount = abs(change)
    if kind in BOUNDED and change > 0 and not tx.run(_RECEIVE, id=of.id, amount=amount):
        raise amount_too_large("amount")
    if kind in BOUNDED and change < 0 and not tx.run(_SPEND, id=of.id, amount=amount, on_credit=int(on_credit)):
        raise _insufficient()
    if kind not in BOUNDED and change < 0 and not on_credit and _locked_sum(tx, of) < amount:
        raise _insufficient()
    booked = tx.run(_TRANSFER, **_transfer(tx, giver.id, taker.id, of.currency, amount, business_key, None))
    assert booked, "a business key of a money order is booked once"


def balance_by_transfers(tx: Transaction, of: Balance) -> int:
    """Returns the balance of an account without a cached balance, in minor units: the sum of its transfers."""
    row = tx.one(_SUM, id=of.id)
    assert row is not None, "a sum has a row"
    return int(row[0])


def _locked_sum(tx: Transaction, of: Balance) -> int:
    """Returns the balance with the account's row locked, so that payouts of a supplier are booked one at a time."""
    tx.one(_LOCK, id=of.id)
    return balance_by_transfers(tx, of)


def set_credit(tx: Transaction, of: Balance, limit: int) -> None:
    """Changes how far the account may go below zero. Existing debt beyond it stays; new orders are refused.

    Raises `Refusal` (-2) if balance and limit together would reach the largest possible amount.
    """
    if not tx.run(_SET_CREDIT, id=of.id, limit=limit):
        raise amount_too_large("amount")


def amount_too_large(field: str) -> Refusal:
    """Returns the refusal of an amount that would make a sum reach `MAX_MINOR`."""
    return bad_field(field, "with it the balance and its credit reach 10^15 minor units")


def _the_hold(tx: Transaction, order: str) -> Hold:
    held = tx.one(_READ_HOLD, order_id=order)
    assert held is not None, "an order that was placed has a hold"
    return held


def _transfer(
    tx: Transaction, from_id: str, to_id: str, currency: str, amount: int, business_key: str, order: str | None
) -> dict[str, str | int | None]:
    """Returns the row of a transfer; each business key has one row."""
    return {
        "id": tx.new_id("trf"),
        "business_key": business_key,
        "from_id": from_id,
        "to_id": to_id,
        "currency": currency,
        "amount": amount,
        "order_id": order,
        "created": tx.now,
    }


def _insufficient() -> Refusal:
    return Refusal(errors.INSUFFICIENT_BALANCE, "the available balance does not cover it")
