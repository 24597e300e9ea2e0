"""Mints and verifies bearer tokens: HS256 JSON Web Tokens (RFC 7519, RFC 7515, RFC 8725).

`verify` checks the form, the header, the key and the MAC, in this order, and reads the claims only after that. It accepts
one algorithm in one spelling. The MAC is the standard library's `hmac`. The strict parsing around it is our own, because
no library refuses everything that SECURITY sections 2 to 4 refuse.

A token in the exact form that `mint` writes costs a few microseconds. Any other token with a right MAC (another member
order, white space, unknown claims) goes through the slower strict parser, with the same result.

The rest of the decision is in `bedesten.gate.decide`: it compares token versions, revoked `sid`s and `jti`s, idle time and
scopes with the auth cache.
"""

import binascii
import hmac
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from typing import Annotated

import msgspec

from bedesten.core import strict_json
from bedesten.core.ids import is_id
from bedesten.gate.derivation import hmac_sha256
from bedesten.gate.scopes import parse_scopes

MAX_TOKEN_LENGTH = 4096
"""Bytes of a token. `mint` writes less than 1 KiB; a longer token is refused unread."""
MIN_KEY_LENGTH = 32
"""Bytes of a key: at least as long as the hash (RFC 7518 section 3.2)."""
CLOCK_SKEW_MS = 60_000
"""Milliseconds by which the clocks of two nodes may differ, and so by which `iat` and `nbf` may be in the future. `exp` has
no leeway: a token is expired from that millisecond on."""

_LATEST = 253_402_300_799  # the last second of the year 9999
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Second = Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]


class RefusalReason(IntEnum):
    """Why a bearer token is refused. The value is the error number on the wire."""

    MISSING = -20
    INVALID = -21
    EXPIRED = -22


class BearerRefusal(Exception):
    """The token is refused. `cause` is for the log only: a fixed phrase without any part of the token.

    `lasting`: the same token is refused for the same cause at every later moment.
    """

    def __init__(self, reason: RefusalReason, cause: str, *, lasting: bool = True) -> None:
        self.reason = reason
        self.cause = cause
        self.lasting = lasting

    def __str__(self) -> str:
        return f"{self.reason.name}: {self.cause}"


class Claims(msgspec.Struct, frozen=True, gc=False):  # no cycles: thousands of them cost the collector nothing
    """The claims of a token. Times are whole seconds since 1970 (NumericDate without a fraction).

    `audience` is a `Surface` value and `token_id` the `jti`. `session_id` is the `sid`: all tokens that descend from one
    login share it. `token_versions` are those of installation, tenant, surface and subject when the token was issued.
    `authenticated_at` is the time of the login with a password (OpenID Connect's `auth_time`), 0 if the token has none.
    `scopes` may be empty: such a token is valid and permits nothing.
    """

    issuer: str
    audience: str
    subject: str
    tenant: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    token_id: str
    session_id: str
    token_versions: tuple[int, int, int, int]
    kid: str
    authenticated_at: int = 0


class _Wire(msgspec.Struct, frozen=True, gc=False):
    """The claims set on the wire. `mint` writes the members in the order of these fields."""

    iss: str
    aud: str
    sub: str
    tenant: str
    scope: str
    iat: _Second
    exp: _Second
    jti: str
    sid: str
    ep: tuple[_Count, _Count, _Count, _Count]
    auth_time: _Second | msgspec.UnsetType = msgspec.UNSET
    nbf: _Second | msgspec.UnsetType = msgspec.UNSET


# --- minting ----------------------------------------------------------------------------------------------------------


def mint(claims: Claims, key: bytes) -> str:
    """Returns a token with these claims in the compact serialisation (RFC 7515 section 7.1).

    Raises ValueError for what `verify` would refuse: a short key, an invalid id, no lifetime.
    """
    if len(key) < MIN_KEY_LENGTH:
        raise ValueError("a signing key has at least 32 bytes")
    if not (is_id(claims.subject) and is_id(claims.token_id) and is_id(claims.session_id)):
        raise ValueError("subject, token id and session id are ids")
    if not 0 <= claims.issued_at < claims.expires_at <= _LATEST:
        raise ValueError("a token expires after it was issued")
    wire = _Wire(
        claims.issuer,
        claims.audience,
        claims.subject,
        claims.tenant,
        " ".join(sorted(claims.scopes)),
        claims.issued_at,
        claims.expires_at,
        claims.token_id,
        claims.session_id,
        claims.token_versions,
        claims.authenticated_at or msgspec.UNSET,
    )
    signed = _minted_header(claims.kid) + b"." + _encode(_to_json(wire))
    return (signed + b"." + _mac(signed, key)).decode("ascii")


@lru_cache(maxsize=256)
def _minted_header(kid: str) -> bytes:
    return _encode(_to_json({"alg": "HS256", "typ": "JWT", "kid": kid}))


# --- from the header line to the token --------------------------------------------------------------------------------

_TOKEN68 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"


def extract(header_values: list[bytes]) -> bytes:
    """Returns the token of the `Authorization` lines: exactly one line, `Bearer`, spaces, token68 (RFC 6750 section 2.1).

    The scheme may be in any case, and white space around the whole value is ignored (RFC 9110 sections 5.5, 11.1, 11.4).
    Raises `BearerRefusal(MISSING)` for any other deviation.
    """
    if len(header_values) != 1:
        raise BearerRefusal(RefusalReason.MISSING, "sent twice" if header_values else "no Authorization header")
    value = header_values[0].strip(b" \t")
    token = value[7:].lstrip(b" ")
    core = token.rstrip(b"=")
    if value[:7].lower() != b"bearer " or not core or core.translate(None, _TOKEN68):
        raise BearerRefusal(RefusalReason.MISSING, "not of the form Bearer <token>")
    return token


# --- verifying --------------------------------------------------------------------------------------------------------

_genuine_headers: dict[bytes, str] = {}
"""Caches the `kid` of header segments that had a right MAC. All threads share it: the cached function is pure. Only
this installation can produce new segments, so strangers cannot flush the cache. It is emptied when it is full."""
_MAX_GENUINE_HEADERS = 256


def verify(
    token: bytes,
    *,
    key_for: Callable[[str], bytes | None],
    issuer: str,
    audience: str,
    tenant: str,
    now: int,
    max_lifetime: int,
    leeway: int = CLOCK_SKEW_MS,
) -> Claims:
    """Returns the claims of a token that is genuine, issued for this surface and tenant, and valid at `now`.

    `now`, `max_lifetime` and `leeway` are milliseconds. `max_lifetime` is the limit for every token of the installation,
    not the tenant's present setting, which applies to new tokens only. `leeway` applies to `iat` and `nbf` only.
    `key_for` returns the key of a `kid`, or None for a `kid` that this surface of this tenant does not have.

    Raises `BearerRefusal`: EXPIRED only if nothing else is wrong, otherwise INVALID. Exceptions of `key_for` propagate.
    Times must be integers: an `exp` of 600.5 or 600.0 is INVALID.
    """
    header, payload, signed, signature = split(token)
    kid = _genuine_headers.get(header) or jwt_kid(header)
    key = key_for(kid)
    if key is None or len(key) < MIN_KEY_LENGTH:
        raise BearerRefusal(RefusalReason.INVALID, "no key of this kid")
    check_mac(signed, signature, key)
    _remember_header(header, kid)
    wire = _read_claims(decode_segment(payload))
    if wire.iss != issuer:
        raise BearerRefusal(RefusalReason.INVALID, "wrong iss")
    if wire.aud != audience:
        raise BearerRefusal(RefusalReason.INVALID, "wrong aud")
    if wire.tenant != tenant:
        raise BearerRefusal(RefusalReason.INVALID, "wrong tenant")
    if not (is_id(wire.sub) and is_id(wire.jti) and is_id(wire.sid)):
        raise BearerRefusal(RefusalReason.INVALID, "sub, jti or sid is not an id")
    scopes = _scopes(wire.scope)
    _check_times(wire, now, max_lifetime, leeway)
    since = 0 if wire.auth_time is msgspec.UNSET else wire.auth_time
    return Claims(
        wire.iss,
        wire.aud,
        wire.sub,
        wire.tenant,
        scopes,
        wire.iat,
        wire.exp,
        wire.jti,
        wire.sid,
        wire.ep,
        kid,
        since,
    )


def split(token: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Returns header, payload, signing input and signature. Counts the dots before it splits (CVE-2025-30204)."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise BearerRefusal(RefusalReason.INVALID, "too long")
    if token.count(b".") != 2:
        raise BearerRefusal(RefusalReason.INVALID, "not three segments")
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    if not (header and payload and signature):
        raise BearerRefusal(RefusalReason.INVALID, "an empty segment")
    return header, payload, signed, signature


def check_mac(signed: bytes, signature: bytes, key: bytes) -> None:
    """Refuses a signature segment that is not the canonical text of the MAC. Compares in constant time.

    It compares text with text, so a second spelling of the same MAC (padding, junk, unused bits) is refused.
    """
    if not hmac.compare_digest(_mac(signed, key), signature):
        raise BearerRefusal(RefusalReason.INVALID, "wrong MAC")


def _check_times(wire: _Wire, now: int, max_lifetime: int, leeway: int) -> None:
    if not 0 < (wire.exp - wire.iat) * 1000 <= max_lifetime:
        raise BearerRefusal(RefusalReason.INVALID, "lifetime out of bounds")
    if wire.iat * 1000 > now + leeway:
        raise BearerRefusal(RefusalReason.INVALID, "iat in the future", lasting=False)
    if wire.nbf is not msgspec.UNSET and wire.nbf * 1000 > now + leeway:
        raise BearerRefusal(RefusalReason.INVALID, "nbf in the future", lasting=False)
    if now >= wire.exp * 1000:
        raise BearerRefusal(RefusalReason.EXPIRED, "past its exp")


def _remember_header(header: bytes, kid: str) -> None:
    if header not in _genuine_headers:
        if len(_genuine_headers) >= _MAX_GENUINE_HEADERS:
            _genuine_headers.clear()
        _genuine_headers[header] = kid


# --- the header (JOSE header, RFC 7515 section 4) ---------------------------------------------------------------------

_REFUSED_MEMBERS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "cty", "enc"})
"""Members that carry a key, demand other processing or announce another payload. A header that has one is refused."""


def read_header(segment: bytes) -> dict[str, object]:
    """Returns the members of a header segment. Refuses what is not strict JSON, not HS256, or has a refused member."""
    header = _read_json(decode_segment(segment))
    if header.get("alg") != "HS256":
        raise BearerRefusal(RefusalReason.INVALID, "alg is not HS256")
    if not _REFUSED_MEMBERS.isdisjoint(header):
        raise BearerRefusal(RefusalReason.INVALID, "a header member that is never accepted")
    return header


def jwt_kid(segment: bytes) -> str:
    """Returns the `kid` of the header of our own tokens. `typ` is `JWT` or `application/jwt` in any case (RFC 7519 5.1)."""
    header = read_header(segment)
    typ, kid = header.get("typ"), header.get("kid")
    if not (isinstance(typ, str) and typ.lower() in ("jwt", "application/jwt")):
        raise BearerRefusal(RefusalReason.INVALID, "typ is not JWT")
    if not (isinstance(kid, str) and kid):
        raise BearerRefusal(RefusalReason.INVALID, "no kid")
    return kid


# --- the claims -------------------------------------------------------------------------------------------------------

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(_Wire).decode


def _read_claims(raw: bytes) -> _Wire:
    """Returns the claims set, strictly typed.

    If msgspec encodes it to the same bytes, the text is in the form of `mint` and unambiguous: no duplicate or unknown
    members, no unusual numbers or escapes. `verify` compares the strings with the expected ones.
    """
    try:
        wire = _from_json(raw)
        if _to_json(wire) == raw:
            return wire
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return msgspec.convert(_read_json(raw), _Wire)
    except msgspec.ValidationError:
        pass
    raise BearerRefusal(RefusalReason.INVALID, "a claim is missing or of the wrong type")


def _scopes(text: str) -> frozenset[str]:
    try:
        return parse_scopes(text) if text else frozenset()
    except ValueError:
        pass
    raise BearerRefusal(RefusalReason.INVALID, "scope is not a list of scopes")


def _read_json(raw: bytes) -> dict[str, object]:
    value: object = None
    with suppress(strict_json.StrictJsonError):  # the refusal is raised outside, with no other exception in its chain
        value = strict_json.loads(raw)
    if not isinstance(value, dict):
        raise BearerRefusal(RefusalReason.INVALID, "a segment is not a strict JSON object")
    return value


# --- base64url without padding (RFC 7515 section 2, RFC 4648 sections 3.5 and 5) --------------------------------------

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/   ")  # any other character becomes a space, which is in no alphabet
_PADDING = (b'"', b'==="', b'=="', b'="')
_from_base64 = msgspec.json.Decoder(bytes).decode  # of a JSON string; three times as fast as binascii


def _encode(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_segment(segment: bytes) -> bytes:
    """Returns the bytes of a segment. Refuses any form that differs from the canonical encoding of those bytes."""
    quoted = b'"' + segment.translate(_FROM_URL) + _PADDING[len(segment) & 3]
    try:
        raw = _from_base64(quoted)
        if binascii.b2a_base64(raw, newline=False) == quoted[1:-1]:
            return raw
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    raise BearerRefusal(RefusalReason.INVALID, "a segment is not canonical base64url")


def _mac(signed: bytes, key: bytes) -> bytes:
    """Returns the signature segment: base64url of HMAC-SHA256 (RFC 7518 section 3.2)."""
    return _encode(hmac_sha256(key, signed))
