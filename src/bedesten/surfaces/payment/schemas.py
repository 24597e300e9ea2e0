"""The wire schemas of the Payment surface."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.core import text
from bedesten.core.moves import MoveTable
from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.http.text_fields import kind
from bedesten.payments.moves import DEPOSIT, EVENT, PAYMENT
from bedesten.payments.settlements import RESULTS
from bedesten.surfaces.schemas import Id, Paging, Reference, RefundState, SentTime, ShortNote, Time

Currency = Annotated[str, Meta(min_length=3, max_length=3)]
Positive = Annotated[Amount, Meta(extra_json_schema={"exclusiveMinimum": 0})]


def _state(table: MoveTable, title: str) -> Meta:
    return Meta(title=title, extra_json_schema={"enum": list(table.names)})


DepositState = Annotated[str, _state(DEPOSIT, "DepositState")]
PaymentState = Annotated[str, _state(PAYMENT, "PaymentState")]
EventState = Annotated[str, _state(EVENT, "EventState")]
EventType = Annotated[str, Meta(min_length=1, max_length=text.MAX_IDENTIFIER, extra=kind(text.identifier))]


class CreateDeposit(RequestModel, frozen=True):
    """A deposit for a partner, named by id or e-mail. `reference` is the payment service's own name for the deposit."""

    partner: Annotated[str, Meta(min_length=1, max_length=254)]
    amount: Positive
    reference: Reference
    currency: Currency | None = None


class DepositId(RequestModel, frozen=True):
    """Selects a deposit."""

    deposit_id: Id


class GetDeposit(RequestModel, frozen=True):
    """Selects a deposit by its id or by the payment service's own reference."""

    deposit_id: Id | None = None
    reference: Reference | None = None


class ListDeposits(Paging, frozen=True):
    """Selects deposits, all of them or those in one state."""

    state: DepositState | None = None


class CreatePayment(RequestModel, frozen=True):
    """A payment for one storefront order. `amount` is the order's total."""

    order_id: Id
    amount: Positive
    reference: Reference
    currency: Currency | None = None


class PaymentId(RequestModel, frozen=True):
    """Selects a payment."""

    payment_id: Id


class CapturePayment(RequestModel, frozen=True):
    """The capture of a payment, or of a part of it under a `reference` of its own."""

    payment_id: Id
    amount: Positive | None = None
    reference: Reference | None = None


class GetPayment(RequestModel, frozen=True):
    """Selects a payment by its id or by the payment service's own reference."""

    payment_id: Id | None = None
    reference: Reference | None = None


class ListPayments(Paging, frozen=True):
    """Selects payments, all of them or those in one state."""

    state: PaymentState | None = None


class RefundPayment(RequestModel, frozen=True):
    """A refund that the payment service makes: of all that is left, or of `amount`. `reference` names the refund.

    With `refundOrder` the order's delivered lines are refunded in the same step.
    """

    payment_id: Id
    reference: Reference
    amount: Positive | None = None
    reason: ShortNote | None = None
    refund_order: bool = False


class ListRefunds(Paging, frozen=True):
    """Selects refunds, all of them or those in one state."""

    state: RefundState | None = None


class RefundId(RequestModel, frozen=True):
    """Selects a refund."""

    refund_id: Id


class FailRefund(RequestModel, frozen=True):
    """A refund that did not reach the payer, and why."""

    refund_id: Id
    reason: ShortNote | None = None


class Notify(RequestModel, frozen=True):
    """An event of a provider. It names its payment by id or reference; `operationReference` names a capture or refund."""

    event_id: Reference
    type: EventType
    occurred_at: SentTime
    payment_id: Id | None = None
    payment_reference: Reference | None = None
    operation_reference: Reference | None = None
    amount: Positive | None = None
    currency: Currency | None = None
    reason: ShortNote | None = None


class ListEvents(Paging, frozen=True):
    """Selects events, all of them or those in one state."""

    state: EventState | None = None


class DepositView(ResponseModel, frozen=True):
    """A deposit: `created`, `confirmed`, `rejected`, or `awaitingApproval` by the operator."""

    deposit_id: str
    partner_id: str
    reference: str
    amount: Decimal
    currency: str
    state: DepositState
    created: Time
    updated: Time


class PaymentView(ResponseModel, frozen=True):
    """A payment. `captured`, `refunded` and `lost` are amounts; a refused payment requests its refund to the payer.

    `method` is the payment method with which the customer started it; null if the payment service announced it.
    """

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: PaymentState
    captured: Decimal
    refunded: Decimal
    lost: Decimal
    method: str | None
    reason: str | None
    created: Time
    updated: Time


class RefundView(ResponseModel, frozen=True):
    """A refund: `requested` from the payment service, `done`, or `failed`."""

    refund_id: str
    payment_id: str
    reference: str
    amount: Decimal
    currency: str
    state: RefundState
    reason: str | None
    created: Time
    updated: Time


class EventView(ResponseModel, frozen=True):
    """A provider's event, and what came of it: `waiting`, `applied`, `unknown` or `contradicted`."""

    event_id: str
    type: str
    payment_id: str | None
    payment_reference: str | None
    operation_reference: str | None
    amount: Decimal | None
    currency: str
    reason: str | None
    occurred_at: Time
    state: EventState
    outcome: str
    created: Time
    updated: Time


class SettlementLine(ResponseModel, frozen=True):
    """What a statement and the platform say of one payment, refund, dispute or deposit, where they differ.

    `line` is its first line in the file; 0 if the file lacks it. `subjectId` is the id of the payment or deposit.
    """

    line: int
    kind: str
    reference: str
    subject_id: str | None
    amount_there: Decimal | None
    amount_here: Decimal | None
    result: Annotated[str, Meta(title="SettlementResult", extra_json_schema={"enum": list(RESULTS)})]


class SettlementView(ResponseModel, frozen=True):
    """A provider's statement that was compared with the payments, and the first 200 differences."""

    settlement_id: str
    name: str
    currency: str
    total: Decimal
    until: Time
    matched: int
    missing_here: int
    missing_there: int
    amount_differs: int
    differences: list[SettlementLine]
    created: Time
