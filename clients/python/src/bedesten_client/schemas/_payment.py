"""Deposits and payments of the Payment surface."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import Schema


class Deposit(Schema, frozen=True):
    """Money for a partner. `state`: `created`, `confirmed`, `rejected`, or `awaitingApproval` by the operator."""

    deposit_id: str
    partner_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    created: datetime
    updated: datetime


class Payment(Schema, frozen=True):
    """A payment of a storefront order. `state`: `created`, `captured`, `cancelled`, or `refused` (refund it)."""

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    created: datetime
    updated: datetime
