"""Example requests and answers of the Payment surface."""

from decimal import Decimal

from bedesten.http.route import Example
from bedesten.surfaces import example_values
from bedesten.surfaces.payment import schemas


def _deposit(state: schemas.DepositState, updated: str) -> schemas.DepositView:
    return schemas.DepositView(
        deposit_id=example_values.DEPOSIT,
        partner_id=example_values.PARTNER,
        reference="transfer-8841",
        amount=Decimal("100.00"),
        currency="USD",
        state=state,
        created=example_values.EARLIER,
        updated=updated,
    )


def _payment(
    state: schemas.PaymentState, updated: str, payment: str = example_values.PAYMENT, reference: str = "charge-5150"
) -> schemas.PaymentView:
    return schemas.PaymentView(
        payment_id=payment,
        order_id=example_values.CHECKOUT,
        reference=reference,
        amount=Decimal("5.00"),
        currency="USD",
        state=state,
        created=example_values.EARLIER,
        updated=updated,
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
CANCEL_PAYMENT = Example(
    _payment("cancelled", example_values.NOW, example_values.OTHER_PAYMENT, "charge-5151"),
    schemas.PaymentId(payment_id=example_values.OTHER_PAYMENT),
)
CAPTURE_PAYMENT = Example(
    _payment("captured", example_values.NOW), schemas.PaymentId(payment_id=example_values.PAYMENT)
)
