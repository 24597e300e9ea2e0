"""Requests and answers of the Payment surface as the documents show them."""

from decimal import Decimal

from bedesten.http.route import Example
from bedesten.surfaces import samples
from bedesten.surfaces.payment import shapes


def _deposit(state: shapes.DepositState, updated: str) -> shapes.DepositView:
    return shapes.DepositView(
        deposit_id=samples.DEPOSIT,
        partner_id=samples.PARTNER,
        reference="transfer-8841",
        amount=Decimal("100.00"),
        currency="USD",
        state=state,
        created=samples.EARLIER,
        updated=updated,
    )


def _payment(
    state: shapes.PaymentState, updated: str, payment: str = samples.PAYMENT, reference: str = "charge-5150"
) -> shapes.PaymentView:
    return shapes.PaymentView(
        payment_id=payment,
        order_id=samples.CHECKOUT,
        reference=reference,
        amount=Decimal("5.00"),
        currency="USD",
        state=state,
        created=samples.EARLIER,
        updated=updated,
    )


CREATE_DEPOSIT = Example(
    _deposit("created", samples.EARLIER),
    shapes.CreateDeposit(
        partner=samples.PARTNER_EMAIL, amount=Decimal("100.00"), reference="transfer-8841", currency="USD"
    ),
)
CONFIRM_DEPOSIT = Example(_deposit("confirmed", samples.NOW), shapes.TheDeposit(deposit_id=samples.DEPOSIT))
CREATE_PAYMENT = Example(
    _payment("created", samples.EARLIER),
    shapes.CreatePayment(order_id=samples.CHECKOUT, amount=Decimal("5.00"), reference="charge-5150", currency="USD"),
)
CANCEL_PAYMENT = Example(
    _payment("cancelled", samples.NOW, samples.OTHER_PAYMENT, "charge-5151"),
    shapes.ThePayment(payment_id=samples.OTHER_PAYMENT),
)
CAPTURE_PAYMENT = Example(_payment("captured", samples.NOW), shapes.ThePayment(payment_id=samples.PAYMENT))
