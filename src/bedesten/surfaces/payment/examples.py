"""Example requests and answers of the Payment surface."""

from decimal import Decimal

from bedesten.http.route import Example
from bedesten.surfaces import example_values
from bedesten.surfaces.payment import schemas
from bedesten.surfaces.schemas import Page, Paging


def _deposit(
    state: schemas.DepositState,
    updated: str,
    deposit: str = example_values.DEPOSIT,
    reference: str = "transfer-8841",
) -> schemas.DepositView:
    return schemas.DepositView(
        deposit_id=deposit,
        partner_id=example_values.PARTNER,
        reference=reference,
        amount=Decimal("100.00"),
        currency="USD",
        state=state,
        created=example_values.EARLIER,
        updated=updated,
    )


def _payment(
    state: schemas.PaymentState,
    updated: str,
    payment: str = example_values.PAYMENT,
    reference: str = "charge-5150",
    captured: Decimal = Decimal("0.00"),
    refunded: Decimal = Decimal("0.00"),
) -> schemas.PaymentView:
    return schemas.PaymentView(
        payment_id=payment,
        order_id=example_values.CHECKOUT,
        reference=reference,
        amount=Decimal("5.00"),
        currency="USD",
        state=state,
        captured=captured,
        refunded=refunded,
        lost=Decimal("0.00"),
        method=None,
        reason=None,
        created=example_values.EARLIER,
        updated=updated,
    )


def _refund(
    state: str, refund: str = example_values.OTHER_REFUND, reference: str = "refund-78", reason: str = "wrong region"
) -> schemas.RefundView:
    return schemas.RefundView(
        refund_id=refund,
        payment_id=example_values.REFUNDED_PAYMENT,
        reference=reference,
        amount=Decimal("2.00"),
        currency="USD",
        state=state,
        reason=reason,
        created=example_values.EARLIER,
        updated=example_values.NOW,
    )


_EVENT = schemas.EventView(
    event_id="evt-90210",
    type="payment.captured",
    payment_id=None,
    payment_reference="charge-5150",
    operation_reference=None,
    amount=Decimal("5.00"),
    currency="USD",
    reason=None,
    occurred_at=example_values.EARLIER,
    state="applied",
    outcome="the payment is captured",
    created=example_values.NOW,
    updated=example_values.NOW,
)
_SETTLEMENT = schemas.SettlementView(
    settlement_id=example_values.SETTLEMENT,
    name="2026-02.csv",
    currency="USD",
    total=Decimal("10.00"),
    until=example_values.EARLIER,
    matched=1,
    missing_here=1,
    missing_there=0,
    amount_differs=0,
    differences=[
        schemas.SettlementLine(
            line=3,
            kind="payment",
            reference="charge-5152",
            subject_id=None,
            amount_there=Decimal("5.00"),
            amount_here=None,
            result="missingHere",
        )
    ],
    created=example_values.NOW,
)


CREATE_DEPOSIT = Example(
    _deposit("created", example_values.EARLIER),
    schemas.CreateDeposit(
        partner=example_values.PARTNER_EMAIL, amount=Decimal("100.00"), reference="transfer-8841", currency="USD"
    ),
)
CONFIRM_DEPOSIT = Example(
    _deposit("confirmed", example_values.NOW), schemas.DepositId(deposit_id=example_values.DEPOSIT)
)
CREATE_PAYMENT = Example(
    _payment("created", example_values.EARLIER),
    schemas.CreatePayment(
        order_id=example_values.CHECKOUT, amount=Decimal("5.00"), reference="charge-5150", currency="USD"
    ),
)
_CANCELLED = _payment("cancelled", example_values.NOW, example_values.OTHER_PAYMENT, "charge-5151")
CANCEL_PAYMENT = Example(
    _CANCELLED,
    schemas.PaymentId(payment_id=example_values.OTHER_PAYMENT),
)
_CAPTURED = _payment("captured", example_values.NOW, captured=Decimal("5.00"))
CAPTURE_PAYMENT = Example(_CAPTURED, schemas.CapturePayment(payment_id=example_values.PAYMENT))
AUTHORISE_PAYMENT = Example(
    _payment("authorised", example_values.NOW), schemas.PaymentId(payment_id=example_values.PAYMENT)
)
GET_PAYMENT = Example(_CAPTURED, schemas.GetPayment(reference="charge-5150"))
LIST_PAYMENTS = Example(Page([_CANCELLED], None), schemas.ListPayments(state="cancelled", page_size=50))
_DONE = _refund("done", example_values.REFUND, "refund-77")
REFUND_PAYMENT = Example(
    _DONE,
    schemas.RefundPayment(
        payment_id=example_values.REFUNDED_PAYMENT, reference="refund-77", amount=Decimal("2.00"), reason="wrong region"
    ),
)
LIST_REFUNDS = Example(Page([_refund("requested")], None), schemas.ListRefunds(state="requested", page_size=50))
CONFIRM_REFUND = Example(_DONE, schemas.RefundId(refund_id=example_values.REFUND))
FAIL_REFUND = Example(
    _refund("failed", reason="the card is closed"),
    schemas.FailRefund(refund_id=example_values.OTHER_REFUND, reason="the card is closed"),
)
NOTIFY = Example(
    _EVENT,
    schemas.Notify(
        event_id="evt-90210",
        type="payment.captured",
        occurred_at=example_values.EARLIER,
        payment_reference="charge-5150",
        amount=Decimal("5.00"),
    ),
)
LIST_EVENTS = Example(Page([_EVENT], None), schemas.ListEvents(page_size=50))
LIST_SETTLEMENTS = Example(Page([_SETTLEMENT], None), Paging(page_size=50))
REJECT_DEPOSIT = Example(
    _deposit("rejected", example_values.NOW, example_values.OTHER_DEPOSIT, "transfer-8842"),
    schemas.DepositId(deposit_id=example_values.OTHER_DEPOSIT),
)
GET_DEPOSIT = Example(_deposit("confirmed", example_values.NOW), schemas.GetDeposit(reference="transfer-8841"))
LIST_DEPOSITS = Example(
    Page([_deposit("confirmed", example_values.NOW)], None), schemas.ListDeposits(state="confirmed", page_size=50)
)
