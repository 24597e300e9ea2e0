"""Money of payments: set aside for the order that it pays, and given back to the payer.

A buyer's account may go into debt: a provider takes money back whatever the balance is. The debt is stored as the
account's `overdraft_limit` until it is covered. A debt never stops an order that a payment pays in full.
"""

from sqlalchemy import case, update

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.ledger.actions import Balance, account
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Step, Transaction

_A = ledger_accounts.c
_TRANSFER = insert_of(transfers, or_ignore=True)
_HOLD = insert_of(holds)
_HERE = (_A.tenant_id == TENANT) & (_A.id == p("id"))
_TAKEN = _A.posted - _A.held - p("amount")
_OWED = case((-_A.credit_limit > _TAKEN, -_TAKEN), else_=_A.credit_limit)
_SET_ASIDE = statement(
    update(ledger_accounts)
    .where(_HERE)
    .values(held=_A.held + p("amount") - p("captured"), posted=_A.posted - p("captured"), overdraft_limit=_OWED)
)
_TAKE = statement(update(ledger_accounts).where(_HERE).values(posted=_A.posted - p("amount"), overdraft_limit=_OWED))
_TAKE_AVAILABLE = statement(
    update(ledger_accounts).where(_HERE, _A.posted - _A.held >= p("amount")).values(posted=_A.posted - p("amount"))
)


def hold_received_steps(from_: Balance, amount: int, order: str, captured: int) -> list[Step]:
    """Returns the steps that set aside the money that a payment has just brought for an order.

    Unlike `actions.hold_steps` they do not check the balance: a debt of the account stays and is not paid with the
    order's money.
    """
    parts = {"id": from_.id, "amount": amount, "captured": captured}
    hold = {"account_id": from_.id, "currency": from_.currency, "placed": amount, "captured": captured, "released": 0}
    return [Step(_SET_ASIDE, parts), Step(_HOLD, {"order_id": order, **hold})]


def give_back(
    tx: Transaction, from_: Balance, amount: int, business_key: str, order: str | None, *, owe: bool = False
) -> bool:
    """Books money from a bounded account back out to its payer. Returns False if the business key is in use.

    Credit is never paid out. With `owe` the provider has already taken the money, so the account may go into debt.
    Raises `Refusal` (-300) if the balance is too low.
    """
    clearing = account(tx, tx.tenant, "clearing", from_.currency)
    booked = tx.run(
        _TRANSFER,
        id=tx.new_id("trf"),
        business_key=business_key,
        from_id=from_.id,
        to_id=clearing.id,
        currency=from_.currency,
        amount=amount,
        order_id=order,
        created=tx.now,
    )
    if not booked:
        return False
    if not tx.run(_TAKE if owe else _TAKE_AVAILABLE, id=from_.id, amount=amount):
        raise Refusal(errors.INSUFFICIENT_BALANCE, "the buyer's balance does not cover it")
    return True
