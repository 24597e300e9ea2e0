"""The routes of the Payment surface."""

from bedesten import errors
from bedesten.gate.scopes import Surface
from bedesten.http.route import Reads, Writes
from bedesten.surfaces import api_keys, webhooks
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
    post("/Payment/Deposits/Reject", access="deposits:manage", handler=Writes(handlers.reject_deposit),
         summary="Reject a deposit that is not booked", errors=(errors.NOT_FOUND, errors.DEPOSIT_STATE),
         example=examples.REJECT_DEPOSIT),
    post("/Payment/Deposits/Get", access="deposits:manage", handler=Reads(handlers.get_deposit),
         summary="Read a deposit", errors=(errors.NOT_FOUND,), example=examples.GET_DEPOSIT),
    post("/Payment/Deposits/List", access="deposits:manage", handler=Reads(handlers.list_deposits),
         summary="List the payment service's deposits", example=examples.LIST_DEPOSITS),
    post("/Payment/Payments/Create", access="payments:manage", handler=Writes(handlers.create_payment),
         summary="Announce a payment for a storefront order",
         errors=(errors.NOT_FOUND, errors.CONFLICT, errors.PAYMENT_STATE), example=examples.CREATE_PAYMENT),
    post("/Payment/Payments/Authorise", access="payments:manage", handler=Writes(handlers.authorise_payment),
         summary="Note that the payer's money is reserved", errors=(errors.NOT_FOUND, errors.PAYMENT_STATE),
         example=examples.AUTHORISE_PAYMENT),
    post("/Payment/Payments/Capture", access="payments:manage", handler=Writes(handlers.capture_payment),
         summary="Book a payment and deliver its order",
         errors=(errors.NOT_FOUND, errors.PAYMENT_STATE, errors.CHECKOUT_EXPIRED, errors.CONFLICT),
         example=examples.CAPTURE_PAYMENT),
    post("/Payment/Payments/Cancel", access="payments:manage", handler=Writes(handlers.cancel_payment),
         summary="Cancel a payment before its capture", errors=(errors.NOT_FOUND, errors.PAYMENT_STATE),
         example=examples.CANCEL_PAYMENT),
    post("/Payment/Payments/Refund", access="payments:manage", handler=Writes(handlers.refund_payment),
         summary="Book a refund that the payment service makes",
         errors=(errors.NOT_FOUND, errors.CONFLICT, errors.PAYMENT_STATE, errors.INSUFFICIENT_BALANCE),
         example=examples.REFUND_PAYMENT),
    post("/Payment/Payments/Get", access="payments:manage", handler=Reads(handlers.get_payment),
         summary="Read a payment", errors=(errors.NOT_FOUND,), example=examples.GET_PAYMENT),
    post("/Payment/Payments/List", access="payments:manage", handler=Reads(handlers.list_payments),
         summary="List the payment service's payments", example=examples.LIST_PAYMENTS),
    post("/Payment/Refunds/List", access="payments:manage", handler=Reads(handlers.list_refunds),
         summary="List refunds, such as those requested", example=examples.LIST_REFUNDS),
    post("/Payment/Refunds/Confirm", access="payments:manage", handler=Writes(handlers.confirm_refund),
         summary="Confirm that the payer has the money", errors=(errors.NOT_FOUND, errors.PAYMENT_STATE),
         example=examples.CONFIRM_REFUND),
    post("/Payment/Refunds/Fail", access="payments:manage", handler=Writes(handlers.fail_refund),
         summary="Report that a refund did not reach the payer", errors=(errors.NOT_FOUND,),
         example=examples.FAIL_REFUND),
    post("/Payment/Notify", access="payments:manage", handler=Writes(handlers.notify),
         summary="Report an event of a provider", errors=(errors.CONFLICT,), example=examples.NOTIFY),
    post("/Payment/Events/List", access="payments:manage", handler=Reads(handlers.list_events),
         summary="List the provider's events", example=examples.LIST_EVENTS),
    post("/Payment/Settlements/List", access="payments:manage", handler=Reads(handlers.list_settlements),
         summary="List the statements that were reconciled", example=examples.LIST_SETTLEMENTS),
    *api_keys.routes(Surface.PAYMENT),
    *webhooks.routes(Surface.PAYMENT),
)  # fmt: skip
