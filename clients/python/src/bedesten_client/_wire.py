"""Requests, responses and transport failures as values. No I/O."""

import email.utils
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec

from bedesten_client import _errors as errors
from bedesten_client._errors import ApiError, BedestenError, NoResponse, UnexpectedResponse
from bedesten_client._secret import Secret

Result = TypeVar("Result")
MAX_RESPONSE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Its `repr` omits what may contain a secret."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    credential: tuple[str, str, Secret] | None = field(default=None, repr=False)
    """The credential's header: its name, the prefix of its value, and the secret."""

    def header_lines(self) -> dict[str, str]:
        """Return all headers, including the credential in clear."""
        lines = dict(self.headers)
        if self.body is not None:
            lines["Content-Type"] = "application/json"
        if self.credential is not None:
            name, prefix, secret = self.credential
            lines[name] = prefix + secret.reveal()
        return lines


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def date(self) -> float | None:
        """The header `Date`: the server's time in seconds since 1970."""
        return http_date(self.headers.get("date", ""))

    @property
    def retry_after(self) -> float | None:
        """The header `Retry-After` in seconds. A date is compared with the server's own `Date`."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return float(text)
        then, now = http_date(text), self.date
        return max(0.0, then - now) if then is not None and now is not None else None

    @property
    def code(self) -> int | None:
        """The number of a refusal, or None if the response is not a refusal of this API."""
        refusal = _refusal(self)
        return None if refusal is None else refusal.code


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """Why there is no response. `unsent`: the request did not reach the server."""

    text: str
    unsent: bool = False


Outcome = Response | TransportFailure


class _Field(msgspec.Struct, frozen=True):
    field: str
    message: str


class _Refusal(msgspec.Struct, frozen=True, rename="camel"):
    code: int
    message: str = ""
    request_id: str | None = None
    errors: tuple[_Field, ...] = ()
    data: Any = None


def encode(body: object) -> bytes:
    """Encode the JSON of a request: decimals as exact numbers, secrets in clear."""
    return _encoder.encode(body)


def http_date(text: str) -> float | None:
    """Parse an HTTP date into seconds since 1970; None if it is not one."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def result_of(response: Response, kind: type[Result]) -> Result:
    """Return the data of a successful response. Raises the matching `BedestenError` for any other."""
    if response.status != 200:
        raise error_of(response)
    try:
        envelope = _decoder(cast(Any, kind)).decode(response.body)
        if envelope.success:
            return cast("Result", envelope.data)
        reason = "success is false"
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        reason = str(problem)
    raise UnexpectedResponse(
        f"this is not a response of the API: {reason}", status=200, request_id=response.headers.get("x-request-id")
    )


def error_of(outcome: Outcome) -> BedestenError:
    """Return the error for a response that is not a success, or for a transport failure."""
    if isinstance(outcome, TransportFailure):
        return NoResponse(outcome.text)
    refusal = _refusal(outcome)
    request_id = outcome.headers.get("x-request-id")
    if refusal is None:
        kind = outcome.headers.get("content-type", "no content type").partition(";")[0][:60]
        text = f"status {outcome.status} with {kind!r}: this is not a response of the API"
        return UnexpectedResponse(text, status=outcome.status, request_id=request_id, retry_after=outcome.retry_after)
    make: type[ApiError] = errors.api_error_class(outcome.status, refusal.code)
    return make(
        _refusal_text(refusal),
        code=refusal.code,
        status=outcome.status,
        request_id=refusal.request_id or request_id,
        retry_after=outcome.retry_after,
        fields={one.field: one.message for one in refusal.errors},
        data=refusal.data,
    )


def _refusal_text(refusal: _Refusal) -> str:
    fields = "".join(f"; {one.field}: {one.message}" for one in refusal.errors)
    return f"{refusal.code}: {refusal.message}{fields} (request {refusal.request_id})"


def _refusal(response: Response) -> _Refusal | None:
    if response.status < 400:
        return None
    try:
        refusal = _refusals.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return refusal if refusal.code < 0 else None


def _hook(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(kind)


def _revealed(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(type(value))


_refusals = msgspec.json.Decoder(_Refusal)
_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_revealed)


class _Envelope(msgspec.Struct, Generic[Result], frozen=True):
    success: bool
    data: Result


@cache
def _decoder(kind: type) -> "msgspec.json.Decoder[_Envelope[object]]":
    return msgspec.json.Decoder(_Envelope[kind], dec_hook=_hook)  # type: ignore[valid-type]


def random_key() -> str:
    """Return a new Idempotency-Key."""
    return secrets.token_hex(16)
