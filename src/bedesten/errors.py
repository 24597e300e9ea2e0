"""The catalogue of error codes: one `ErrorCode` for every refusal of this platform.

Clients decide by the number, never by the text. A number never gets another meaning. The public text comes from the
catalogue only; the precise cause goes to the log under the request id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from bedesten.core.text import Text, TextError


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCode:
    """A kind of refusal: its number on the wire, the HTTP status, the public text, and what the caller can do.

    Each exists once and is equal only to itself: comparing texts costs more than most checks.
    """

    number: int
    name: str
    status: int
    text: str
    remedy: str


_CODES: dict[int, ErrorCode] = {}


def _code(number: int, name: str, status: int, text: str, remedy: str) -> ErrorCode:
    assert number not in _CODES, "a number is never used twice"
    code = ErrorCode(number, name, status, text, remedy)
    _CODES[number] = code
    return code


INTERNAL = _code(
    -1, "internal-error", 500, "Internal error; the request changed nothing.",
    "Try again later with the same reference or Idempotency-Key; if it persists, send us the request id.")  # fmt: skip
BAD_REQUEST = _code(
    -2, "bad-request", 400, "The request is malformed, or a field is not valid.",
    "Correct the request; `errors` names each field that is not valid.")  # fmt: skip
NOT_FOUND = _code(
    -3, "not-found", 404, "Not found.",
    "Check the path and the id.")  # fmt: skip
METHOD_NOT_ALLOWED = _code(
    -4, "method-not-allowed", 405, "Method not allowed.",
    "Use a method that the Allow header names.")  # fmt: skip
TOO_LARGE = _code(
    -5, "too-large", 413, "The request is too large.",
    "Send a smaller request.")  # fmt: skip
NOT_JSON = _code(
    -6, "not-json", 415, "The body must be JSON.",
    "Send Content-Type: application/json, without a Content-Encoding.")  # fmt: skip
TOO_MANY_REQUESTS = _code(
    -7, "too-many-requests", 429, "Too many requests.",
    "Wait for the number of seconds in Retry-After.")  # fmt: skip
CONFLICT = _code(
    -8, "conflict", 409, "The request conflicts with the current state, or its reference was used with other content.",
    "Read the current state; use a new reference for new content.")  # fmt: skip
UNAVAILABLE = _code(
    -9, "unavailable", 503, "The service is temporarily unavailable.",
    "Send the same request again, with the same reference, after the number of seconds in Retry-After.")  # fmt: skip
UNKNOWN_HOST = _code(
    -10, "unknown-host", 421, "No shop has this host.",
    "Check the host name of the API.")  # fmt: skip
TOKEN_MISSING = _code(
    -20, "token-missing", 401, "A bearer token is required: Authorization: Bearer <token>.",
    "Send exactly one Authorization header of the form `Bearer <token>`.")  # fmt: skip
TOKEN_INVALID = _code(
    -21, "token-invalid", 401, "The bearer token is not valid.",
    "Generate a new token, once; if that one is refused too, check the host and the surface.")  # fmt: skip
TOKEN_EXPIRED = _code(
    -22, "token-expired", 401, "The bearer token has expired.",
    "Generate a new token and repeat the request.")  # fmt: skip
KEY_REFUSED = _code(
    -23, "key-refused", 401, "A valid API key is required in the ApiKey header.",
    "Check the key, the host and the header; do not retry in a loop.")  # fmt: skip
SCOPE_MISSING = _code(
    -24, "scope-missing", 403, "The token lacks the scope that this call needs.",
    "Ask the shop's operator for the scope, then generate a new token.")  # fmt: skip
NOT_GRANTED = _code(
    -25, "not-granted", 403, "This API key has no access to this endpoint.",
    "Ask the shop's operator for access.")  # fmt: skip
LOGIN_REFUSED = _code(
    -26, "login-refused", 400, "The login was refused.",
    "Check e-mail and password; the account must be enabled for API use.")  # fmt: skip
TOO_MANY_LOGINS = _code(
    -27, "too-many-logins", 429, "Too many failed logins.",
    "Wait for the number of seconds in Retry-After.")  # fmt: skip
PATH_NOT_ALLOWED = _code(
    -28, "path-not-allowed", 403, "No rule allows this path with this method.",
    "Check method and path; ask the operator of the service to allow it.")  # fmt: skip
EMAIL_UNVERIFIED = _code(
    -29, "email-unverified", 403, "The e-mail address is not verified yet.",
    "Open the link in the verification mail; `POST /Storefront/Customers/Verify/Send` sends another one.")  # fmt: skip
LINK_REFUSED = _code(
    -30, "link-refused", 400, "The link is not valid any more.",
    "Ask for a new mail: only the newest link works, for a limited time, and one to a new password once.")  # fmt: skip
REGISTRATION_CLOSED = _code(
    -31, "registration-closed", 409, "The shop takes no new customers at present.",
    "Hide the registration while the site configuration says `closed`; ask the shop.")  # fmt: skip
ROLE_MISSING = _code(
    -32, "role-missing", 403, "Your roles do not allow this.",
    "Ask the operator for a role that does; `bedesten staff roles` gives it.")  # fmt: skip
NOT_ORDERABLE = _code(
    -200, "not-orderable", 409, "The order was not placed: some lines cannot be ordered.",
    "`data.items` names every such line and why; nothing was taken.")  # fmt: skip
CHECKOUT_LIMIT = _code(
    -201, "checkout-limit", 409, "Too many unpaid reservations; nothing was reserved.",
    "Pay or cancel an open checkout (`data.openCheckouts` names the customer's), or wait until one expires.")  # fmt: skip
NOT_CANCELLABLE = _code(
    -202, "not-cancellable", 409, "Nothing was cancelled: a line is delivered or cancelled already, or not paid yet.",
    "`data.items` names each such line with its status; read the order and cancel only what is open.")  # fmt: skip
ORDER_LIMIT = _code(
    -203, "order-limit", 409, "The account's limit for one day does not allow this order; nothing was ordered.",
    "`data` names the limit and what is left of it; order less, or wait until `data.resets`.")  # fmt: skip
BASKET_LIMIT = _code(
    -204, "basket-limit", 409, "The basket cannot hold that much; nothing was changed.",
    "`data` names the limit and its maximum; remove lines or units, or check out first.")  # fmt: skip
NOT_DELIVERABLE = _code(
    -500, "not-deliverable", 409, "The line is not waiting for this delivery.",
    "Read the awaiting lines again; send at most as many codes as `remaining` says.")  # fmt: skip
NOT_ASSIGNED = _code(
    -501, "not-assigned", 409, "The line does not wait for this supplier any more.",
    "Read the awaiting lines again; `data` names the line's state. Codes can still be sent: they go to stock.")  # fmt: skip
COMPLAINT_WINDOW = _code(
    -510, "complaint-window", 409, "The time for a complaint about this line has passed.",
    "Ask the shop: its operator can still help. `data` says when the time ended.")  # fmt: skip
ENDPOINT_LIMIT = _code(
    -600, "endpoint-limit", 409, "The account has as many webhook endpoints as it can have.",
    "Delete an endpoint that is not needed, or change its URL.")  # fmt: skip
ENDPOINT_STATE = _code(
    -601, "endpoint-state", 409, "The webhook endpoint is not in a state that allows this.",
    "Read the endpoint's state; resume it if it is paused, and give it a URL.")  # fmt: skip
INSUFFICIENT_BALANCE = _code(
    -300, "insufficient-balance", 409, "The available balance does not cover this.",
    "Deposit money, or order less.")  # fmt: skip
DEPOSIT_STATE = _code(
    -400, "deposit-state", 409, "The deposit is not in a state that allows this.",
    "Read the deposit's current state.")  # fmt: skip
PAYMENT_STATE = _code(
    -401, "payment-state", 409, "The payment is not in a state that allows this.",
    "If the payer was charged, refund the money: another payment has paid the order, or this one has ended.")  # fmt: skip
CHECKOUT_EXPIRED = _code(
    -402, "checkout-expired", 409, "The checkout has expired; nothing was captured.",
    "Refund the payer the amount in `data`: the payment has ended. The customer may check out again.")  # fmt: skip
DEPOSIT_LIMIT = _code(
    -403, "deposit-limit", 409, "The deposit is larger than this payment service may deposit; nothing was booked.",
    "Check the amount; if it is right, ask the shop's operator for a higher limit.")  # fmt: skip
PAYMENT_METHOD = _code(
    -404, "payment-method", 409, "The order cannot be paid with this payment method.",
    "Ask for the payment methods again and let the customer choose one whose bounds hold the order's total.")  # fmt: skip

NOT_FOUND_TEXTS: Mapping[str, str] = MappingProxyType(
    {thing: f"{thing.capitalize()} not found." for thing in (
        "account", "basket line", "batch", "complaint", "deposit", "operation", "order", "order line", "partner", "payment",
        "product", "refund", "session", "webhook delivery", "webhook endpoint",
    )}
)  # fmt: skip
"""The public texts of -3 where the kind of the missing thing is known."""

CATALOGUE: Mapping[int, ErrorCode] = MappingProxyType(_CODES)
"""Every error code by its number."""


class Refusal(Exception):
    """Refuses a request. Raised inside a transaction it rolls the transaction back.

    `cause` and `account` (the account concerned, if it is known) go to the log and the audit trail only. `fields` become
    `errors` on the wire, and `data` is sent as it is; neither may hold a secret. `retry_after` is in whole seconds.
    `missing` is the kind of the thing that was not found. `text` is the public text.
    """

    def __init__(
        self,
        code: ErrorCode,
        cause: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        data: object = None,
        retry_after: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        account: str = "",
        missing: str = "",
    ) -> None:
        assert not missing or (code is NOT_FOUND and missing in NOT_FOUND_TEXTS)
        self.code = code
        self.cause = cause
        self.fields = fields
        self.data = data
        self.retry_after = retry_after
        self.headers = headers
        self.account = account
        self.text = NOT_FOUND_TEXTS[missing] if missing else code.text

    def __str__(self) -> str:
        return f"{self.code.number} {self.code.name}: {self.cause}"

    def copy(self) -> Self:
        """An equal refusal without traceback and cause: a raised exception keeps every frame it passed through."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made


def normalised_field(kind: Text, value: str, field: str) -> str:
    """Returns the normal form of a text of this kind. Raises `Refusal` (-2), which names the field."""
    try:
        return kind(value)
    except TextError as error:
        raise bad_field(field, str(error)) from error


def bad_field(name: str, problem: str) -> Refusal:
    """Returns the refusal for one invalid field. `name` is in the caller's spelling."""
    return Refusal(BAD_REQUEST, f"{name}: {problem}", fields={name: problem})
