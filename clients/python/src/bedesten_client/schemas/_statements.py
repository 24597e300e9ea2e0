"""Statements of balances."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import Page, Schema


class Transfer(Schema, frozen=True, kw_only=True):
    """A row of a buyer's statement. `balance` is that after the transfer; `amount` is negative where it fell."""

    transfer_id: str
    booked: datetime
    type: str
    amount: Decimal
    balance: Decimal
    order_id: str | None = None
    order_reference: str | None = None
    order_detail_id: str | None = None


class SupplierTransfer(Schema, frozen=True, kw_only=True):
    """A row of a supplier's statement. `balance` is that after the transfer; `amount` is negative where it fell."""

    transfer_id: str
    booked: datetime
    type: str
    amount: Decimal
    balance: Decimal
    order_detail_id: str | None = None


class Statement(Page[Transfer], frozen=True, kw_only=True):
    """A page of a partner's statement, the oldest transfer first."""

    currency: str
    opening_balance: Decimal


class SupplierStatement(Page[SupplierTransfer], frozen=True, kw_only=True):
    """A page of a supplier's statement, the oldest transfer first."""

    currency: str
    opening_balance: Decimal


class Wallet(Page[Transfer], frozen=True, kw_only=True):
    """A customer's balance, and a page of its statement. `available` is `balance` − `held`."""

    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    spendable: Decimal
    opening_balance: Decimal
