"""Amounts of money as operators write them."""

import re
from decimal import Decimal

from bedesten.core.money import to_minor
from bedesten.errors import bad_field

_AMOUNT = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,4})?")


def read_amount(text: str) -> Decimal:
    """The exact decimal of digits with at most one point. Raises ValueError, also for a sign and for a comma."""
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError("an amount is written like 12 or 12.50")
    return Decimal(text)


def minor_amount(amount: Decimal, currency: str, field: str) -> int:
    """Minor units of an amount, zero or above. Raises `Refusal` (-2)."""
    try:
        minor = to_minor(amount, currency)
    except ValueError as error:
        raise bad_field(field, str(error)) from error
    if minor < 0:
        raise bad_field(field, "not below zero")
    return minor
