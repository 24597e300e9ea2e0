"""The Payment surface as a table."""

from bedesten import errors
from bedesten.gate.access import Keyed
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route, Writes
from bedesten.surfaces import api_keys
from bedesten.surfaces.payment import examples, handlers, schemas

_DEPOSITS = Keyed(Surface.PAYMENT, "deposits:manage")
_PAYMENTS = Keyed(Surface.PAYMENT, "payments:manage")

ROUTES = (
    Route(
        method="POST",
        path="/Payment/Deposits/Create",
        access=_DEPOSITS,
        handler=Writes(handlers.create_deposit),
        body=schemas.CreateDeposit,
        response=schemas.DepositView,
        errors=(errors.NOT_FOUND, errors.CONFLICT, errors.DEPOSIT_LIMIT),
        summary="Announce money for a partner",
        example=examples.CREATE_DEPOSIT,
    ),
    Route(
        method="POST",
        path="/Payment/Deposits/Confirm",
        access=_DEPOSITS,
        handler=Writes(handlers.confirm_deposit),
        body=schemas.DepositId,
        response=schemas.DepositView,
        errors=(errors.NOT_FOUND, errors.DEPOSIT_STATE, errors.DEPOSIT_LIMIT),
        summary="Book a deposit into the partner's balance",
        example=examples.CONFIRM_DEPOSIT,
    ),
    Route(
        method="POST",
        path="/Payment/Payments/Create",
        access=_PAYMENTS,
        handler=Writes(handlers.create_payment),
        body=schemas.CreatePayment,
        response=schemas.PaymentView,
        errors=(errors.NOT_FOUND, errors.CONFLICT, errors.PAYMENT_STATE),
        summary="Announce a payment of a storefront order",
        example=examples.CREATE_PAYMENT,
    ),
    Route(
        method="POST",
        path="/Payment/Payments/Capture",
        access=_PAYMENTS,
        handler=Writes(handlers.capture_payment),
        body=schemas.PaymentId,
        response=schemas.PaymentView,
        errors=(errors.NOT_FOUND, errors.PAYMENT_STATE, errors.CHECKOUT_EXPIRED),
        summary="Book a payment and deliver its order",
        example=examples.CAPTURE_PAYMENT,
    ),
    Route(
        method="POST",
        path="/Payment/Payments/Cancel",
        access=_PAYMENTS,
        handler=Writes(handlers.cancel_payment),
        body=schemas.PaymentId,
        response=schemas.PaymentView,
        errors=(errors.NOT_FOUND, errors.PAYMENT_STATE),
        summary="Close a payment that was not captured",
        example=examples.CANCEL_PAYMENT,
    ),
    *api_keys.routes(Surface.PAYMENT),
)
