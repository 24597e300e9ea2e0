"""Refusals as documents show them: a schema a row of the catalogue, an example a row, a response a status."""

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
    """A line that cannot be ordered, and why. `deliverId` of a checkout's item is its place, from 0."""

    deliver_id: Annotated[str, Meta(description="the caller's own id of the line")]
    reason: Annotated[
        str,
        Meta(title="NotOrderableReason", description="why it cannot be ordered", extra_json_schema={"enum": REASONS}),
    ]


class OpenCheckout(ResponseModel, frozen=True):
    """An unpaid checkout of the customer: it can be paid, or cancelled."""

    order_id: Annotated[str, Meta(description="of the checkout")]
    reference: Annotated[str, Meta(description="the customer's own, or one that was made")]
    expires: Annotated[str, Meta(description="until when its goods are reserved")]


class NotOrdered(ResponseModel, frozen=True):
    """Every line that cannot be ordered."""

    items: Annotated[list[RefusedLine], Meta(description="the lines")]
    open_checkouts: Annotated[
        list[OpenCheckout] | UnsetType,
        Meta(description="in a checkout: the customer's own unpaid ones that hold such goods, if there are any"),
    ] = UNSET


class TooMuchReserved(ResponseModel, frozen=True):
    """The limit that is reached, and the customer's own unpaid checkouts."""

    limit: Annotated[str, Meta(description="its name", extra_json_schema={"enum": LIMITS})]
    maximum: Annotated[int, Meta(description="how much it allows")]
    open_checkouts: Annotated[list[OpenCheckout], Meta(description="what can be paid or cancelled instead")]


class NotCaptured(ResponseModel, frozen=True):
    """The money that the payer must have back, and every line that cannot be had; none if the customer cancelled."""

    refund_amount: Annotated[Decimal, Meta(description="what to give back: the payment's whole amount")]
    currency: Annotated[str, Meta(description="of the amount: ISO 4217, such as USD")]
    items: Annotated[list[RefusedLine], Meta(description="the lines that cannot be had; none after a cancellation")]


_OPEN = OpenCheckout("ord_01m8692580282ex3szypjhtpbv", "basket-42", "2026-03-01T09:45:00Z")
DETAILS: dict[ErrorCode, object] = {
    errors.CHECKOUT_LIMIT: TooMuchReserved("checkouts", 5, [_OPEN]),
    errors.NOT_ORDERABLE: NotOrdered([RefusedLine("1", Reason.OUT_OF_STOCK)]),
    errors.CHECKOUT_EXPIRED: NotCaptured(Decimal("9.99"), "USD", [RefusedLine("0", Reason.OUT_OF_STOCK)]),
}
"""What `data` shows with the rows where it shows anything, by an example of it."""
_FIELD = {"field": "quantity", "message": "must be a whole number, not text"}

HEADERS: dict[str, Schema] = {
    "X-Request-Id": {
        "description": "Names the request in the logs and the audit trail of the shop's operator.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "The scheme that is asked for, and what is wrong with what was sent (RFC 6750 section 3).",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds, after which the request may be sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    **{
        f"RateLimit-{name}": {
            "description": f"{text} Only where the operator has set a limit: of the one with the least left.",
            "schema": {"type": "integer", "minimum": 0},
        }
        for name, text in (
            ("Limit", "Requests a minute."),
            ("Remaining", "Requests that may come now."),
            ("Reset", "Seconds until nothing is used up any more."),
        )
    },
}
"""The headers of answers that mean something to a client. Names as documents write them; no case is meant."""
_ALWAYS = ("X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def headers(*more: str) -> Schema:
    """What every answer has, and more."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*_ALWAYS, *more)}


def name_of(code: ErrorCode) -> str:
    """The row's component: `not-orderable` is `NotOrderableFailure`."""
    return "".join(part.capitalize() for part in code.name.split("-")) + "Failure"


def components(codes: Iterable[ErrorCode], details: dict[ErrorCode, Schema]) -> dict[str, Schema]:
    """A schema for each row, and those that they share. `details` are the schemas of what `data` shows."""
    codes = list(codes)
    made: dict[str, Schema] = {
        "FieldError": {
            "description": "One field that is at fault.",
            **_object(
                {"field": _text("as the reference spells it; empty: the body as a whole"), "message": _text(_FAULT)}
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
                    "success": {"type": "boolean", "const": False, "description": "false: nothing was done"},
                    "message": _text(_MESSAGE),
                    "code": {**number, "description": "what clients decide by"},
                    "errorCode": {**number, "description": "the same as `code`"},
                    "data": {"description": "what cannot be done", **data} if data else _NO_DATA,
                    "requestId": _text(_REQUEST),
                    "errors": _ERRORS,
                },
                optional=("errors",),
            ),
        }
    return made


def responses(codes: Sequence[ErrorCode]) -> dict[str, Schema]:
    """For each status that the rows have, which come in its order: where its response is among the components."""
    return {
        str(group[0].status): {"$ref": f"#/components/responses/{_response_name(group)}"} for group in _groups(codes)
    }


def response_components(asked: Iterable[Sequence[ErrorCode]]) -> dict[str, Schema]:
    """Every response that `responses` names for any of these."""
    return {_response_name(group): _response(group) for codes in asked for group in _groups(codes)}


def _groups(codes: Sequence[ErrorCode]) -> list[list[ErrorCode]]:
    return [list(group) for _, group in groupby(codes, key=lambda code: code.status)]


def _response_name(codes: Sequence[ErrorCode]) -> str:
    """Its status and what it may mean: `409-8-200`."""
    return f"{codes[0].status}{''.join(str(code.number) for code in codes)}"


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


_FAULT = "what is wrong with it, in words that may change; never its value"
_MESSAGE = "what happened, in words that may change"
_REQUEST = "what the shop's operator finds the cause by"
_NO_DATA = {"type": "null", "description": "always null"}
_ERRORS = {
    "type": "array",
    "items": {"$ref": f"{PREFIX}FieldError"},
    "description": "the fields that are at fault, where there are any",
}


def _object(properties: Schema, optional: Sequence[str] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _problem(codes: Sequence[ErrorCode]) -> Schema:
    properties: Schema = {
        "type": {**_text("where the number is explained"), "format": "uri-reference"},
        "title": _text(_MESSAGE),
        "status": {
            "type": "integer",
            "enum": sorted({code.status for code in codes}),
            "description": "the status of the answer",
        },
        "code": {
            "type": "integer",
            "enum": sorted((code.number for code in codes), reverse=True),
            "description": "what clients decide by",
        },
        "requestId": _text(_REQUEST),
        "data": {"description": "what cannot be done, with the numbers that tell it"},
        "errors": _ERRORS,
    }
    text = "The same failure as an RFC 9457 document, for those who ask for `application/problem+json`."
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
    """A sample of the whole answer, with what `data` and `errors` show where they show anything."""
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
