"""Books money by hand on partners', customers' and suppliers' accounts, and shows the trial balance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import Account
from bedesten.admin import customers, partners
from bedesten.admin.inputs import minor_amount, page_of
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field, normalised_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.ledger import actions as ledger
from bedesten.ledger import money_orders, trial_balance
from bedesten.ledger.actions import BOUNDED
from bedesten.ledger.money_orders import DEPOSIT, WITHDRAW, MoneyOrder, NewMoneyOrder
from bedesten.ledger.moves import MONEY_ORDER
from bedesten.ledger.trial_balance import Total
from bedesten.store.transaction import Transaction

FINDERS: Mapping[str, Callable[[Transaction, str], Account]] = {
    "partner": partners.find,
    "customer": customers.one,
    "supplier": lambda tx, name: accounts.find(tx, "supplier", name),
}
"""Functions that find the owner of a ledger account, by the account's kind."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the operator entered it. `change`: the amount by which the owner's balance changes."""

    kind: str
    owner_kind: str
    owner: str
    change: Decimal
    reason: str
    key: str | None = None


def owner(tx: Transaction, kind: str, name: str) -> Account:
    """Returns the partner, customer or supplier with this name or id. Raises `Refusal` (-3)."""
    return FINDERS[kind](tx, name)


def book(tx: Transaction, tenant: TenantEntry, booking: Booking, person: str) -> dict[str, object]:
    """Books money, or queues it for approval by a second person. Raises `Refusal`: -2, -3, -8, -300."""
    found = owner(tx, booking.owner_kind, booking.owner)
    minor = minor_amount(abs(booking.change), tenant.currency, "amount")
    new = NewMoneyOrder(
        kind=booking.kind,
        owner_id=found.id,
        owner_kind=booking.owner_kind,
        currency=tenant.currency,
        amount=-minor if booking.change < 0 else minor,
        reason=normalised_field(text.name, booking.reason, "reason"),
        business_key=None if booking.key is None else normalised_field(text.reference, booking.key, "key"),
    )
    return shown(tx, money_orders.book(tx, new, person))


def signed(kind: str, amount: Decimal) -> Decimal:
    """Returns the change of the owner's balance by a deposit or a withdrawal of this amount."""
    assert kind in (DEPOSIT, WITHDRAW), "an adjustment says itself in which direction it goes"
    return amount if kind == DEPOSIT else -amount


def approve(tx: Transaction, order_id: str, person: str) -> dict[str, object]:
    """Books an order that waits, as the second person. Raises `Refusal`: -3, -8, -300."""
    return shown(tx, money_orders.approve(tx, order_id, person))


def reject(tx: Transaction, order_id: str, person: str, why: str) -> dict[str, object]:
    """Rejects an order that waits. Raises `Refusal`: -2, -3, -8."""
    return shown(tx, money_orders.reject(tx, order_id, person, normalised_field(text.name, why, "reason")))


def list_orders(
    tx: Transaction, *, every: bool = False, after: str = "", limit: int
) -> tuple[list[dict[str, object]], str | None]:
    """A page of the orders that wait for a second person, or of all, oldest first, and the cursor of the next."""
    read = money_orders.list_orders(tx, every=every, after=after, most=limit + 1)
    found, following = page_of(read, limit, lambda one: one.id)
    return [shown(tx, one) for one in found], following


def shown(tx: Transaction, order: MoneyOrder) -> dict[str, object]:
    """The operator's view of a money order, with the owner's balance as it is now."""
    account = accounts.by_id(tx, order.owner_kind, order.owner_id)
    return {
        "id": order.id,
        "key": order.business_key,
        "kind": order.kind,
        "owner": order.owner_id,
        "ownerKind": order.owner_kind,
        "ownerName": (account.handle if order.owner_kind in BOUNDED else account.name) if account else None,
        "amount": to_decimal(order.amount, order.currency),
        "currency": order.currency,
        "reason": order.reason,
        "state": MONEY_ORDER.states[order.state].name,
        "created": wire_time(order.created),
        "createdBy": order.created_by,
        "decided": None if order.decided is None else wire_time(order.decided),
        "decidedBy": order.decided_by,
        "decision": order.decision,
        "balance": to_decimal(_balance(tx, order), order.currency),
    }


def _balance(tx: Transaction, order: MoneyOrder) -> int:
    found = ledger.account(tx, order.owner_id, order.owner_kind, order.currency)
    return found.posted if order.owner_kind in BOUNDED else ledger.balance_by_transfers(tx, found)


def one_owner(**names: str | None) -> tuple[str, str]:
    """Returns the kind and the name of the one owner that is named. Raises `Refusal` (-2) for none or several."""
    named = [(kind, name) for kind, name in names.items() if name is not None]
    if len(named) != 1:
        raise bad_field("owner", f"exactly one of {', '.join(f'--{kind}' for kind in names)} is needed")
    return named[0]


def trial(tx: Transaction, tenant: TenantEntry) -> dict[str, object]:
    """A tenant's trial balance: totals of each kind of account, and of all in a currency, whose balance is 0."""
    totals = trial_balance.totals(tx)
    sums = [
        Total(
            currency,
            "all",
            sum(one.accounts for one in totals if one.currency == currency),
            sum(one.received for one in totals if one.currency == currency),
            sum(one.given for one in totals if one.currency == currency),
        )
        for currency in sorted({one.currency for one in totals})
    ]
    return {"tenant": tenant.id, "kinds": [_total(one) for one in totals], "sums": [_total(one) for one in sums]}


def _total(one: Total) -> dict[str, object]:
    return {
        "currency": one.currency,
        "kind": one.kind,
        "accounts": one.accounts,
        "received": to_decimal(one.received, one.currency),
        "given": to_decimal(one.given, one.currency),
        "balance": to_decimal(one.received - one.given, one.currency),
    }
