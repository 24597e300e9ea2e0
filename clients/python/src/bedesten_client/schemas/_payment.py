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
    """A payment of a storefront order. `state`: `created`, `authorised`, `partlyCaptured`, `captured`, `failed`,
    `cancelled`, `refused` (refund it), `refunded`, `disputed` or `lost`. `captured`, `refunded` and `lost` are amounts."""

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    captured: Decimal
    refunded: Decimal
    lost: Decimal
    method: str | None
    reason: str | None
    created: datetime
    updated: datetime


class PaymentRefund(Schema, frozen=True):
    """A refund of a payment. `state`: `requested` from the payment service, `done` or `failed`."""

    refund_id: str
    payment_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    reason: str | None
    created: datetime
    updated: datetime


class ProviderEvent(Schema, frozen=True):
    """A provider's event. `state`: `waiting`, `applied`, `unknown` or `contradicted`; `outcome` is for people."""

    event_id: str
    type: str
    payment_id: str | None
    payment_reference: str | None
    operation_reference: str | None
    amount: Decimal | None
    currency: str
    reason: str | None
    occurred_at: datetime
    state: str
    outcome: str
    created: datetime
    updated: datetime


class SettlementLine(Schema, frozen=True):
    """A difference between a statement and the platform. `line` is 0 if the statement lacks it."""

    line: int
    kind: str
    reference: str
    subject_id: str | None
    amount_there: Decimal | None
    amount_here: Decimal | None
    result: str


class Settlement(Schema, frozen=True):
    """A provider's statement that was compared with the payments, and its first 200 differences."""

    settlement_id: str
    name: str
    currency: str
    total: Decimal
    until: datetime
    matched: int
    missing_here: int
    missing_there: int
    amount_differs: int
    differences: tuple[SettlementLine, ...]
    created: datetime
