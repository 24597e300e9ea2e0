"""The routes of the Payment surface."""

from bedesten import errors
from bedesten.gate.scopes import Surface
from bedesten.http.route import Writes
from bedesten.surfaces import api_keys
from bedesten.surfaces.payment import examples, handlers
from bedesten.surfaces.route_table import RouteTable

post = RouteTable(Surface.PAYMENT).post

ROUTES = (
    post("/Payment/Deposits/Create", access="deposits:manage", handler=Writes(handlers.create_deposit),
         summary="Announce a deposit for a partner",
         errors=(errors.NOT_FOUND, errors.CONFLICT, errors.DEPOSIT_LIMIT), example=examples.CREATE_DEPOSIT),
    post("/Payment/Deposits/Confirm", access="deposits:manage", handler=Writes(handlers.confirm_deposit),
         summary="Book a deposit into the partner's balance",
         errors=(errors.NOT_FOUND, errors.DEPOSIT_STATE, errors.DEPOSIT_LIMIT), example=examples.CONFIRM_DEPOSIT),
    post("/Payment/Payments/Create", access="payments:manage", handler=Writes(handlers.create_payment),
         summary="Announce a payment for a storefront order",
         errors=(errors.NOT_FOUND, errors.CONFLICT, errors.PAYMENT_STATE), example=examples.CREATE_PAYMENT),
    post("/Payment/Payments/Capture", access="payments:manage", handler=Writes(handlers.capture_payment),
         summary="Book a payment and deliver its order",
         errors=(errors.NOT_FOUND, errors.PAYMENT_STATE, errors.CHECKOUT_EXPIRED), example=examples.CAPTURE_PAYMENT),
    post("/Payment/Payments/Cancel", access="payments:manage", handler=Writes(handlers.cancel_payment),
         summary="Cancel a payment before its capture", errors=(errors.NOT_FOUND, errors.PAYMENT_STATE),
         example=examples.CANCEL_PAYMENT),
    *api_keys.routes(Surface.PAYMENT),
)  # fmt: skip
