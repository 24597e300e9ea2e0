"""Daily limits and review rules, by the names and amounts that operators enter."""

from decimal import Decimal

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin.inputs import minor_amount, page_of
from bedesten.catalogue import actions as catalogue
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal
from bedesten.orders import limits, review
from bedesten.orders.limits import OrderLimits
from bedesten.orders.review import Rule
from bedesten.store.transaction import Transaction

KINDS = ("partner", "customer")


def show_limits(tx: Transaction, currency: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of the tenant's daily limits, by holder, and the cursor of the next."""
    found, following = page_of(limits.list_limits(tx, after, limit + 1), limit, lambda one: one.holder)
    return [_limits(tx, one, currency) for one in found], following


def set_limits(
    tx: Transaction, holder: str, amount: Decimal | None, units: int | None, currency: str
) -> dict[str, object]:
    """Sets both limits of a partner or customer (e-mail or id), or of every `partner` or `customer`. None: no limit.

    Raises `Refusal`: -2, or -3 for an unknown account.
    """
    found = holder if holder in KINDS else _account(tx, holder)
    minor = None if amount is None else minor_amount(amount, currency, "dailyAmount")
    made = OrderLimits(found, minor, units)
    limits.set_limits(tx, made)
    return _limits(tx, made, currency)


def _account(tx: Transaction, name: str) -> str:
    for kind in KINDS:
        found = accounts.by_id(tx, kind, name) or accounts.by_handle(tx, kind, name)
        if found is not None:
            return found.id
    raise Refusal(errors.NOT_FOUND, f"there is no partner or customer {name!r}", fields={"holder": "is unknown"})


def _limits(tx: Transaction, one: OrderLimits, currency: str) -> dict[str, object]:
    account = (
        None if one.holder in KINDS else next(filter(None, (accounts.by_id(tx, k, one.holder) for k in KINDS)), None)
    )
    return {
        "holder": one.holder,
        "email": account.handle if account else None,
        "dailyAmount": None if one.daily_amount is None else to_decimal(one.daily_amount, currency),
        "dailyUnits": one.daily_units,
        "currency": currency,
    }


def list_rules(tx: Transaction, currency: str) -> list[dict[str, object]]:
    """Every review rule of the tenant, the oldest first."""
    return [_rule(one, currency) for one in review.rules(tx)]


def add_rule(
    tx: Transaction, kind: str, surface: str, amount: Decimal | None, product: str, currency: str
) -> dict[str, object]:
    """Adds a review rule. Raises `Refusal`: -2, or -3 for an unknown product."""
    minor = None if amount is None else minor_amount(amount, currency, "amount")
    found = catalogue.by_sku(tx, product) if product else None
    return _rule(review.add_rule(tx, kind, surface or None, minor, found.id if found else product or None), currency)


def _rule(one: Rule, currency: str) -> dict[str, object]:
    return {
        "id": one.id,
        "rule": one.kind,
        "surface": one.surface,
        "amount": None if one.amount is None else to_decimal(one.amount, currency),
        "productId": one.product_id,
        "created": wire_time(one.created),
    }
