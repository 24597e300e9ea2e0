"""Bearer tokens: HS256 JSON Web Tokens, minted and verified by hand (RFC 7519, RFC 7515, RFC 8725).

`verify` is the way of a token from top to bottom: shape, header, key, MAC, and only then what it claims. It accepts one
spelling of one algorithm. The primitive is the standard library's `hmac`; what is ours is the strictness around it,
because no library refuses everything that SECURITY sections 2 to 4 refuse.

A token that `mint` wrote is recognised by its bytes and costs a few microseconds. Any other one whose MAC is right
(another member order, white space, unknown claims) goes through the strict and slower reader, with the same outcome.

What a verified token claims still has to hold today: epochs, revoked `sid`s and `jti`s, idle time and scopes are compared by
`bedesten.gate.decide`, against what the directory knows.
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
"""Bytes of a token. What `mint` writes stays under 1 KiB; nothing longer than this is looked at."""
MIN_KEY_LENGTH = 32
"""Bytes of a key: at least as long as the hash (RFC 7518 section 3.2)."""
CLOCK_SKEW_MS = 60_000
"""Milliseconds by which the clocks of two nodes may differ: how far ahead `iat` and `nbf` may lie. `exp` has no leeway:
a token is expired from that very millisecond."""

_LATEST = 253_402_300_799  # the last second of the year 9999
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Second = Annotated[int, msgspec.Meta(ge=0, le=_LATEST)]


class RefusalReason(IntEnum):
    """Why a bearer token is refused. The number is the one on the wire."""

    MISSING = -20
    INVALID = -21
    EXPIRED = -22


class BearerRefusal(Exception):
    """The token is not accepted. `cause` is for the log only; it is a fixed phrase and never holds any of the token."""

    def __init__(self, reason: RefusalReason, cause: str) -> None:
        super().__init__(f"{reason.name}: {cause}")
        self.reason = reason
        self.cause = cause


class Claims(msgspec.Struct, frozen=True, gc=False):  # no cycles: thousands of them cost the collector nothing
    """What a token says. Times are whole seconds since the epoch (NumericDate without a fraction).

    `audience` is a `Surface` value, `token_id` the `jti`, `session_id` the `sid`: what one login began, shared by all
    tokens that were exchanged from its first one. `token_versions` are those of installation, tenant, surface and
    subject at the moment of issue; `authenticated_at` is when the password was given (OpenID Connect's `auth_time`), 0 in
    a token that does not say. `scopes` may be empty: such a token is valid and may do nothing.
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
    """The claims set as it stands in a token. The order of the fields is the order in which `mint` writes them."""

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
    """The token that says this, in the compact serialisation (RFC 7515 section 7.1).

    Raises ValueError rather than write what `verify` would refuse: a short key, an id that is none, no lifetime.
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
    """The token of the request's `Authorization` lines: exactly one, `Bearer`, spaces, token68 (RFC 6750 section 2.1).

    The scheme's case does not matter and white space around the whole value is not part of it (RFC 9110 sections 5.5,
    11.1, 11.4); nothing else is lenient. Raises `BearerRefusal(MISSING)`.
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
"""Header segments that stood under a right MAC, with their `kid`: a memo of a pure function, shared by all threads.
Only we can make new ones, so that strangers cannot wash it out; it is emptied when it is full."""
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
    """The claims of a token that is genuine, meant for this surface and tenant, and alive at `now`.

    `now`, `max_lifetime` and `leeway` are milliseconds. `max_lifetime` is the ceiling for every token of the
    installation, not the tenant's present setting, which rules new tokens only. `leeway` is for `iat` and `nbf` alone.
    `key_for` gives the key of a `kid`, or None for one that this surface of this tenant does not have.

    Raises `BearerRefusal`: EXPIRED only if nothing but the time is wrong, INVALID for the rest. What `key_for` raises
    passes through. Times must be integers: an `exp` of 600.5 or 600.0 is INVALID.
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
    """Header, payload, both with their dot (what is signed), signature. Counts before it cuts (CVE-2025-30204)."""
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
    """Refuses a signature segment that is not the canonical text of the MAC, in time that tells nothing of where.

    Text is compared with text: a second spelling of the same MAC (padding, junk, unused bits) is another text.
    """
    if not hmac.compare_digest(_mac(signed, key), signature):
        raise BearerRefusal(RefusalReason.INVALID, "wrong MAC")


def _check_times(wire: _Wire, now: int, max_lifetime: int, leeway: int) -> None:
    if not 0 < (wire.exp - wire.iat) * 1000 <= max_lifetime:
        raise BearerRefusal(RefusalReason.INVALID, "lifetime out of bounds")
    if wire.iat * 1000 > now + leeway:
        raise BearerRefusal(RefusalReason.INVALID, "iat in the future")
    if wire.nbf is not msgspec.UNSET and wire.nbf * 1000 > now + leeway:
        raise BearerRefusal(RefusalReason.INVALID, "nbf in the future")
    if now >= wire.exp * 1000:
        raise BearerRefusal(RefusalReason.EXPIRED, "past its exp")


def _remember_header(header: bytes, kid: str) -> None:
    if header not in _genuine_headers:
        if len(_genuine_headers) >= _MAX_GENUINE_HEADERS:
            _genuine_headers.clear()
        _genuine_headers[header] = kid


# --- the header (JOSE header, RFC 7515 section 4) ---------------------------------------------------------------------

_REFUSED_MEMBERS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "cty", "enc"})
"""Members that bring their own key, their own processing or another payload. Their presence alone is refused."""


def read_header(segment: bytes) -> dict[str, object]:
    """The members of a header segment that is strict JSON, says HS256 and asks for nothing else."""
    header = _read_json(decode_segment(segment))
    if header.get("alg") != "HS256":
        raise BearerRefusal(RefusalReason.INVALID, "alg is not HS256")
    if not _REFUSED_MEMBERS.isdisjoint(header):
        raise BearerRefusal(RefusalReason.INVALID, "a header member that is never accepted")
    return header


def jwt_kid(segment: bytes) -> str:
    """The `kid` of the header of one of our tokens. `typ` is `JWT` or `application/jwt` in any case (RFC 7519 5.1)."""
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
    """The claims set, strictly typed.

    What msgspec writes again byte for byte is what `mint` wrote, and has no second reading: no duplicates, no unknown
    members, no odd numbers or escapes. What its strings hold, `verify` compares with what is expected.
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
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/   ")  # what does not belong becomes a space, which is in no alphabet
_PADDING = (b'"', b'==="', b'=="', b'="')
_from_base64 = msgspec.json.Decoder(bytes).decode  # of a JSON string; three times as fast as binascii


def _encode(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode_segment(segment: bytes) -> bytes:
    """The bytes of a segment. Refuses every spelling but the canonical one by writing it again and comparing."""
    quoted = b'"' + segment.translate(_FROM_URL) + _PADDING[len(segment) & 3]
    try:
        raw = _from_base64(quoted)
        if binascii.b2a_base64(raw, newline=False) == quoted[1:-1]:
            return raw
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    raise BearerRefusal(RefusalReason.INVALID, "a segment is not canonical base64url")


def _mac(signed: bytes, key: bytes) -> bytes:
    """The signature segment: base64url of HMAC-SHA256 (RFC 7518 section 3.2)."""
    return _encode(hmac_sha256(key, signed))


# --- the memory -------------------------------------------------------------------------------------------------------


class TokenCache:
    """Tokens that were verified, by their exact bytes, tenant and surface, so that a token in use is checked once.

    A hit saves reading and the MAC, and nothing else: that the `kid` is still known, epochs, `jti` and scopes are
    compared anew by whoever asks. Times other than `exp` are not looked at again. Bounded to `limit` tokens: a full
    young half becomes the old half, and what is used there comes back, so every step takes constant time.
    For one thread (the event loop). Holds live credentials, hence never shows them.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int = 65_536) -> None:
        self._half = limit // 2
        self._young: dict[tuple[bytes, str, str], Claims] = {}
        self._old: dict[tuple[bytes, str, str], Claims] = {}

    def get(self, token: bytes, tenant: str, surface: str, now: int) -> Claims | None:
        """The claims of a token remembered for this tenant and surface and not expired at `now` (ms), or None."""
        name = (token, tenant, surface)
        claims = self._young.get(name)
        if claims is None:
            claims = self._old.pop(name, None)
            if claims is None:
                return None
            self._keep(name, claims)
        return claims if now < claims.expires_at * 1000 else None

    def put(self, token: bytes, tenant: str, surface: str, claims: Claims) -> None:
        """Remembers what `verify` has just made of a token for this tenant and surface."""
        self._keep((token, tenant, surface), claims)

    def clear(self) -> None:
        """Forgets every token: for whoever changes the rings or a tenant's generation."""
        self._young.clear()
        self._old.clear()

    def _keep(self, name: tuple[bytes, str, str], claims: Claims) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[name] = claims

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"TokenMemory({len(self)} tokens)"
