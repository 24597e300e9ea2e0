"""Refusals in the documents: a schema and an example for each error code, a response for each status."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from bedesten import errors
from bedesten.apidocs.openapi.schemas import PREFIX, Schema
from bedesten.errors import ErrorCode
from bedesten.http.schemas import ResponseModel
from bedesten.orders.model import Reason

REQUEST_ID = "req_5f0d7b1f6f4f4b7b9c2a1d3e"
LIMITS = ["checkouts", "units", "addressCheckouts", "addressUnits"]
REASONS = [value for name, value in vars(Reason).items() if name.isupper()]


class RefusedLine(ResponseModel, frozen=True):
    """A line that cannot be ordered, and the reason. `deliverId` of a checkout's item is its index, from 0."""

    deliver_id: Annotated[str, Meta(description="the caller's own id of the line")]
    reason: Annotated[
        str,
        Meta(title="NotOrderableReason", description="the reason", extra_json_schema={"enum": REASONS}),
    ]


class OpenCheckout(ResponseModel, frozen=True):
    """An unpaid checkout of the customer: it can be paid, or cancelled."""

    order_id: Annotated[str, Meta(description="of the checkout")]
    reference: Annotated[str, Meta(description="the customer's own, or a generated one")]
    expires: Annotated[str, Meta(description="until when its goods are reserved")]


class NotOrdered(ResponseModel, frozen=True):
    """Every line that cannot be ordered."""

    items: Annotated[list[RefusedLine], Meta(description="the lines")]
    open_checkouts: Annotated[
        list[OpenCheckout] | UnsetType,
        Meta(description="for a checkout: the customer's own unpaid checkouts that reserve such goods, if any"),
    ] = UNSET


class TooMuchReserved(ResponseModel, frozen=True):
    """The limit that was reached, and the customer's own unpaid checkouts."""

    limit: Annotated[str, Meta(description="its name", extra_json_schema={"enum": LIMITS})]
    maximum: Annotated[int, Meta(description="the maximum that it allows")]
    open_checkouts: Annotated[list[OpenCheckout], Meta(description="the checkouts to pay or to cancel")]


class DailyLimit(ResponseModel, frozen=True):
    """The limit of the account that does not allow the order."""

    limit: Annotated[str, Meta(description="its name", extra_json_schema={"enum": ["dailyAmount", "dailyUnits"]})]
    maximum: Annotated[Decimal, Meta(description="the maximum of one day: an amount, or a number of units")]
    left: Annotated[Decimal, Meta(description="what is left of it today")]
    resets: Annotated[str, Meta(description="when the next day begins")]


class ClosedLine(ResponseModel, frozen=True):
    """A line that cannot be cancelled."""

    order_detail_id: Annotated[str, Meta(description="the platform's id of the line")]
    deliver_id: Annotated[str, Meta(description="the caller's own id of the line")]
    status: Annotated[int, Meta(description="its status: 1 delivered, 0 cancelled, 2 in an order that is not paid")]


class NotCancelled(ResponseModel, frozen=True):
    """Every named line that cannot be cancelled."""

    items: Annotated[list[ClosedLine], Meta(description="the lines")]


class NotCaptured(ResponseModel, frozen=True):
    """The amount to refund to the payer, and every line that is unavailable; none if the customer cancelled."""

    refund_amount: Annotated[Decimal, Meta(description="the amount to refund: the whole payment")]
    currency: Annotated[str, Meta(description="currency of the amount: ISO 4217, such as USD")]
    items: Annotated[list[RefusedLine], Meta(description="the unavailable lines; none after a cancellation")]


class BasketFull(ResponseModel, frozen=True):
    """The bound of a basket that was reached."""

    limit: Annotated[str, Meta(description="its name", extra_json_schema={"enum": ["lines", "quantity"]})]
    maximum: Annotated[int, Meta(description="how many lines a basket, or units a line can have")]


class MethodNotUsable(ResponseModel, frozen=True):
    """The order's total, and the bounds of the method if the shop offers it."""

    total: Annotated[Decimal, Meta(description="total of the order")]
    min_amount: Annotated[Decimal | None, Meta(description="the smallest total; null: no bound, or not offered")]
    max_amount: Annotated[Decimal | None, Meta(description="the largest total; null: no bound, or not offered")]
    currency: Annotated[str, Meta(description="currency of the amounts: ISO 4217, such as USD")]


_OPEN = OpenCheckout("ord_01m8692580282ex3szypjhtpbv", "basket-42", "2026-03-01T09:45:00Z")
DETAILS: dict[ErrorCode, object] = {
    errors.CHECKOUT_LIMIT: TooMuchReserved("checkouts", 5, [_OPEN]),
    errors.NOT_ORDERABLE: NotOrdered([RefusedLine("1", Reason.OUT_OF_STOCK)]),
    errors.ORDER_LIMIT: DailyLimit("dailyAmount", Decimal("500.00"), Decimal("12.50"), "2026-03-02T00:00:00Z"),
    errors.NOT_CANCELLABLE: NotCancelled([ClosedLine("odl_01m86925809x1ewas0k0s1pxhz", "1", 1)]),
    errors.BASKET_LIMIT: BasketFull("lines", 50),
    errors.PAYMENT_METHOD: MethodNotUsable(Decimal("0.80"), Decimal("1.00"), None, "USD"),
    errors.CHECKOUT_EXPIRED: NotCaptured(Decimal("9.99"), "USD", [RefusedLine("0", Reason.OUT_OF_STOCK)]),
}
"""An example of `data` for each error code that has data."""
_FIELD = {"field": "quantity", "message": "must be a whole number, not text"}

HEADERS: dict[str, Schema] = {
    "X-Request-Id": {
        "description": "Identifies the request in the operator's logs and audit trail.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "The required scheme, and what is wrong with the credential (RFC 6750 section 3).",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which the request may be sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    **{
        f"RateLimit-{name}": {
            "description": f"{text} Only if the operator has set a limit; it describes the limit with the least left.",
            "schema": {"type": "integer", "minimum": 0},
        }
        for name, text in (
            ("Limit", "Requests per minute."),
            ("Remaining", "Requests that are left now."),
            ("Reset", "Seconds until the whole limit is available again."),
        )
    },
}
"""The response headers that matter to clients. Their names are case-insensitive."""
_ALWAYS = ("X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def headers(*more: str) -> Schema:
    """References to the headers of every answer, and to these."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *more)}


def name_of(code: ErrorCode) -> str:
    """The name of the error code's component: `not-orderable` is `NotOrderableFailure`."""
    return "".join(part.capitalize() for part in code.name.split("-")) + "Failure"


def components(codes: Iterable[ErrorCode], details: dict[ErrorCode, Schema]) -> dict[str, Schema]:
    """A schema for each error code, and the schemas that they share. `details` are the schemas of `data`."""
    codes = list(codes)
    made: dict[str, Schema] = {
        "FieldError": {
            "description": "One invalid field.",
            **_object(
                {
                    "field": _text("its name as in the reference; empty for the whole body"),
                    "message": _text(_FAULT),
                }
            ),
        },
        "Problem": _problem(codes),
    }
    for code in codes:
        number = {"type": "integer", "const": code.number}
        data = details.get(code)
        made[name_of(code)] = {
            "description": f"{code.text} {code.remedy}",
            **_object(
                {
                    "success": {"type": "boolean", "const": False, "description": "false: nothing was changed"},
                    "message": _text(_MESSAGE),
                    "code": {**number, "description": "the number by which clients decide"},
                    "errorCode": {**number, "description": "the same as `code`"},
                    "data": {"description": "details of the failure", **data} if data else _NO_DATA,
                    "requestId": _text(_REQUEST),
                    "errors": _ERRORS,
                },
                optional=("errors",),
            ),
        }
    return made


def responses(codes: Sequence[ErrorCode]) -> dict[str, Schema]:
    """A reference to a response component for each status. The error codes are sorted by status."""
    return {
        str(group[0].status): {"$ref": f"#/components/responses/{_response_name(group)}"} for group in _groups(codes)
    }


def response_components(asked: Iterable[Sequence[ErrorCode]]) -> dict[str, Schema]:
    """Every response that `responses` references for these lists of error codes."""
    return {_response_name(group): _response(group) for codes in asked for group in _groups(codes)}


def _groups(codes: Sequence[ErrorCode]) -> list[list[ErrorCode]]:
    return [list(group) for _, group in groupby(codes, key=lambda code: code.status)]


def _response_name(codes: Sequence[ErrorCode]) -> str:
    """The response's status and its numbers: `409-8-200`."""
    return f"{codes[0].status}{''.join(str(code.number) for code in codes)}"


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


_FAULT = "what is wrong with it. The text may change, and never contains the value"
_MESSAGE = "what happened. The text may change"
_REQUEST = "with which the operator finds the cause"
_NO_DATA = {"type": "null", "description": "always null"}
_ERRORS = {
    "type": "array",
    "items": {"$ref": f"{PREFIX}FieldError"},
    "description": "the invalid fields, if any",
}


def _object(properties: Schema, optional: Sequence[str] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _problem(codes: Sequence[ErrorCode]) -> Schema:
    properties: Schema = {
        "type": {**_text("the page that explains the number"), "format": "uri-reference"},
        "title": _text(_MESSAGE),
        "status": {
            "type": "integer",
            "enum": sorted({code.status for code in codes}),
            "description": "the status of the answer",
        },
        "code": {
            "type": "integer",
            "enum": sorted((code.number for code in codes), reverse=True),
            "description": "the number by which clients decide",
        },
        "requestId": _text(_REQUEST),
        "data": {"description": "details of the failure, for the numbers that have them"},
        "errors": _ERRORS,
    }
    text = "The same failure as an RFC 9457 document, for clients that accept `application/problem+json`."
    return {"description": text, **_object(properties, optional=("data", "errors"))}


def _response(codes: Sequence[ErrorCode]) -> Schema:
    refs = [{"$ref": PREFIX + name_of(code)} for code in codes]
    more = set()
    for code in codes:
        if code.status == 401 or code is errors.SCOPE_MISSING:
            more.add("WWW-Authenticate")
        if code.status in (429, 503):
            more.add("Retry-After")
    return {
        "description": "\n".join(
            f"- [{code.number}](/documentation/errors/{code.number}) {code.text}" for code in codes
        ),
        "headers": headers(*sorted(more)),
        "content": {
            "application/json": {
                "schema": refs[0] if len(refs) == 1 else {"oneOf": refs},
                "examples": {code.name: {"summary": code.text, "value": envelope(code)} for code in codes},
            },
            "application/problem+json": {
                "schema": {"$ref": f"{PREFIX}Problem"},
                "examples": {code.name: {"summary": code.text, "value": _document(code)} for code in codes},
            },
        },
    }


def envelope(code: ErrorCode) -> dict[str, Any]:
    """An example of the whole answer, with `data` and `errors` if the error code has them."""
    shown = {
        "success": False,
        "message": code.text,
        "code": code.number,
        "errorCode": code.number,
        "data": DETAILS.get(code),
        "requestId": REQUEST_ID,
    }
    return shown | ({"errors": [_FIELD]} if code is errors.BAD_REQUEST else {})


def _document(code: ErrorCode) -> dict[str, Any]:
    shown = {
        "type": f"/documentation/errors/{code.number}",
        "title": code.text,
        "status": code.status,
        "code": code.number,
        "requestId": REQUEST_ID,
    }
    if code in DETAILS:
        shown["data"] = DETAILS[code]
    return shown | ({"errors": [_FIELD]} if code is errors.BAD_REQUEST else {})
