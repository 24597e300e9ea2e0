"""Money: whole minor units and a currency. `Decimal` on the wire, never a binary float."""

import re
from decimal import Decimal

EXPONENTS = {
    "AED": 2, "AUD": 2, "AZN": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2,
    "GBP": 2, "GEL": 2, "HKD": 2, "HUF": 2, "IDR": 2, "INR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "KZT": 2, "MXN": 2,
    "NOK": 2, "NZD": 2, "PHP": 2, "PLN": 2, "QAR": 2, "RON": 2, "RUB": 2, "SAR": 2, "SEK": 2, "SGD": 2, "THB": 2,
    "TRY": 2, "UAH": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
"""Digits after the point for each currency that can be used (ISO 4217)."""

MAX_MINOR = 10**15
"""Every amount is below this many minor units, so sums stay far inside 64 bits and JSON's exact range."""


_AMOUNT = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,4})?")


def read_amount(text: str) -> Decimal:
    """Reads digits with at most one point as an exact decimal. Raises ValueError, also for a sign or a comma."""
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError("an amount is written like 12 or 12.50")
    return Decimal(text)


def to_minor(amount: Decimal, currency: str) -> int:
    """Returns the minor units of an amount. Raises ValueError if it is not finite, too large, or finer than the currency."""
    exponent = EXPONENTS[currency]
    if not amount.is_finite() or amount.adjusted() > 15 or amount.adjusted() < -(exponent + 1):
        if amount.is_finite() and not amount:
            return 0
        raise ValueError("not an amount")
    numerator, denominator = amount.as_integer_ratio()  # exact: Decimal's own arithmetic rounds to 28 digits
    minor, rest = divmod(numerator * int(10**exponent), denominator)
    if rest or abs(minor) >= MAX_MINOR:
        raise ValueError(f"an amount in {currency} has at most {exponent} digits after the point and is below 10^15")
    return minor


def to_decimal(minor: int, currency: str) -> Decimal:
    """Returns the amount in the wire format: a decimal with exactly the currency's digits after the point."""
    return Decimal(minor).scaleb(-EXPONENTS[currency])


def with_currency(minor: int, currency: str) -> str:
    """Returns the amount with its currency, for people: `24.00 USD`."""
    return f"{to_decimal(minor, currency)} {currency}"
