"""Manages the payment methods of a shop."""

from collections.abc import Sequence
from decimal import Decimal

from bedesten.accounts import actions as accounts
from bedesten.admin.inputs import minor_amount
from bedesten.admin.payments import integration_id
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field, normalised_field
from bedesten.gate.scopes import Surface
from bedesten.payments import methods
from bedesten.payments.methods import PaymentMethod
from bedesten.store.transaction import Transaction

MAX_CODE = 40


def add(
    tx: Transaction,
    currency: str,
    code: str,
    title: str,
    integration: str,
    currencies: Sequence[str] = (),
    bounds: tuple[Decimal | None, Decimal | None] = (None, None),
    url: str | None = None,
) -> dict[str, object]:
    """Adds a method. Raises `Refusal`: -2, -3 for an unknown integration, -8 if the code is taken."""
    named = normalised_field(text.identifier, code, "code")
    if len(named) > MAX_CODE or not named.replace("-", "").replace("_", "").isalnum() or not named.isascii():
        raise bad_field("code", f"1 to {MAX_CODE} letters, digits, hyphens and underscores")
    least, most = (_minor(one, currency, name) for one, name in zip(bounds, ("minAmount", "maxAmount"), strict=True))
    chosen = list(dict.fromkeys(one.upper() for one in currencies)) or [currency]
    if chosen != [currency]:
        raise bad_field("currency", f"must be the tenant's currency, {currency}: its orders have no other")
    new = PaymentMethod(
        code=named,
        title=normalised_field(text.name, title, "title"),
        integration_id=integration_id(tx, integration),
        currencies=" ".join(chosen),
        min_amount=least,
        max_amount=most,
        url=url,
        created=tx.now,
    )
    return _view(tx, methods.add(tx, new), currency)


def remove(tx: Transaction, code: str) -> dict[str, object]:
    """Removes a method. Payments already started with it continue. Raises `Refusal` (-3)."""
    methods.remove(tx, code)
    return {"code": code}


def list_methods(tx: Transaction, currency: str) -> list[dict[str, object]]:
    """Every method in the order in which the shop shows them."""
    return [_view(tx, one, currency) for one in methods.list_methods(tx)]


def _minor(amount: Decimal | None, currency: str, field: str) -> int | None:
    if amount is None:
        return None
    minor = minor_amount(amount, currency, field)
    if minor == 0:
        raise bad_field(field, "must be above zero")
    return minor


def _view(tx: Transaction, method: PaymentMethod, currency: str) -> dict[str, object]:
    least, most = (None if one is None else to_decimal(one, currency) for one in (method.min_amount, method.max_amount))
    return {
        "code": method.code,
        "title": method.title,
        "integrationId": method.integration_id,
        "integration": accounts.find(tx, accounts.OWNERS[Surface.PAYMENT], method.integration_id).name,
        "currencies": method.currencies.split(),
        "minAmount": least,
        "maxAmount": most,
        "url": method.url,
        "offered": method.takes(currency),
        "created": wire_time(method.created),
    }
