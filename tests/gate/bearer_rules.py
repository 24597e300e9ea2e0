"""The rules in which the verifier is stricter than a library, as predicates over a token that do not use our parser.

The rules apply only to tokens that PyJWT accepts, so they rely on what PyJWT checks itself: three segments, the
alphabet, a JSON object, HS256, the MAC, `iss`, `aud`, the presence of claims. Their names are those of
`docs/explanation/trust.md`.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass

HEADER: dict[str, object] = {"alg": "HS256", "typ": "JWT", "kid": "s1.0"}
NOW = 1_800_000_000
CLAIMS: dict[str, object] = {
    "iss": "https://issuer.example",
    "aud": "reseller",
    "sub": "ptn_01",
    "tenant": "ten_01",
    "scope": "orders:create orders:read",
    "iat": NOW - 600,
    "exp": NOW + 3000,
    "jti": "tok_01",
    "sid": "ses_01",
    "ep": [0, 1, 2, 3],
}
MAX_LIFETIME_S = 86_400
LATEST = 253_402_300_799
TIMES = ("iat", "exp", "nbf", "auth_time")


@dataclass(frozen=True)
class Presented:
    """A token that PyJWT accepts: its bytes, its JSON texts, and their parsed header and claims."""

    token: bytes
    texts: tuple[bytes, bytes]
    header: Mapping[str, object]
    claims: Mapping[str, object]

    @classmethod
    def of(cls, token: bytes) -> "Presented":
        """Parses a token of three segments."""
        header, payload = (_decoded(segment) for segment in token.split(b".")[:2])
        return cls(token, (header, payload), json.loads(header), json.loads(payload))


def _decoded(segment: bytes) -> bytes:
    stripped = segment.rstrip(b"=")
    return urlsafe_b64decode(stripped + b"=" * (-len(stripped) % 4))


# --- strict JSON --------------------------------------------------------------------------------------------------------


class _Loose(Exception):
    """Raised for JSON that two parsers could read differently."""


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Loose
    return dict(pairs)


def _constant(_: str) -> object:
    raise _Loose


def _whole(text: str) -> int:
    if len(text.removeprefix("-")) > 40:
        raise _Loose
    return int(text)


def _broken(text: str) -> float:
    exponent = re.search(r"[eE][+-]?0*([0-9]*)$", text)
    if len(text) > 100 or (exponent and len(exponent[1]) > 3):
        raise _Loose
    return 0.5


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + max((_depth(one) for one in inner), default=0)


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in [name, *_strings(one)]]
    if isinstance(value, list):
        return [text for one in value for text in _strings(one)]
    return [value] if isinstance(value, str) else []


def _loose(raw: bytes) -> bool:
    """Whether the standard library accepts a text as JSON and our parser does not."""
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_broken,
        )
    except (_Loose, ValueError):  # includes text that is not UTF-8 or begins with a byte order mark
        return True
    return _depth(value) > 32 or any("\0" in text or re.search("[\ud800-\udfff]", text) for text in _strings(value))


# --- the rules ----------------------------------------------------------------------------------------------------------


def _whole_number(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _second(value: object) -> bool:
    return _whole_number(value, LATEST)


def _untyped(one: Presented) -> bool:
    claims, token_versions = one.claims, one.claims.get("ep")
    texts = all(isinstance(claims.get(name), str) for name in ("tenant", "scope", "sid"))
    counts = (
        isinstance(token_versions, list)
        and len(token_versions) == 4
        and all(_whole_number(one, 2**53) for one in token_versions)
    )
    return not (texts and counts)


def _lifetime(one: Presented) -> bool:
    issue_key, expires = one.claims["iat"], one.claims["exp"]
    return not (isinstance(issue_key, int) and isinstance(expires, int) and 0 < expires - issue_key <= MAX_LIFETIME_S)


def _typ(one: Presented) -> bool:
    typ = one.header.get("typ")
    return not (isinstance(typ, str) and typ.lower() in ("jwt", "application/jwt"))


def _bad_scope(one: Presented) -> bool:
    text = one.claims.get("scope")
    words = text.split(" ") if isinstance(text, str) else []
    syntax = all(re.fullmatch(r"[!#-\[\]-~]+", word) for word in words)
    return bool(text) and not (syntax and len(set(words)) == len(words))


def _expired(one: Presented) -> bool:
    expires = one.claims["exp"]
    return isinstance(expires, int | float) and expires <= NOW


NEVER = {"crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "cty", "enc"}
NOT_CANONICAL = "a segment is not canonical base64url|wrong MAC"  # the signature is compared as text
RULES: Mapping[str, tuple[str, Callable[[Presented], bool]]] = {
    "size": ("too long", lambda one: len(one.token) > 4096),
    "one spelling": (NOT_CANONICAL, lambda one: b"=" in one.token),
    "strict header": ("a segment is not a strict JSON object", lambda one: _loose(one.texts[0])),
    "strict claims": ("a segment is not a strict JSON object", lambda one: _loose(one.texts[1])),
    "type": ("typ is not JWT", _typ),
    "header members": ("a header member that is never accepted", lambda one: not NEVER.isdisjoint(one.header)),
    "whole seconds": (
        "a claim is missing or of the wrong type",
        lambda one: not all(_second(one.claims[name]) for name in TIMES if name in one.claims),
    ),
    "typed claims": ("a claim is missing or of the wrong type", _untyped),
    "tenant": ("wrong tenant", lambda one: one.claims.get("tenant") != "ten_01"),
    "ids": (
        "sub, jti or sid is not an id",
        lambda one: (
            not all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(one.claims[name])) for name in ("sub", "jti", "sid"))
        ),
    ),
    "scope list": ("scope is not a list of scopes", _bad_scope),
    "lifetime": ("lifetime out of bounds", _lifetime),
    "no leeway": ("past its exp", _expired),
}
"""Each stricter rule: the causes that our verifier may report, and whether a token breaks the rule."""


def broken(token: bytes) -> set[str]:
    """The stricter rules that a token breaks although PyJWT accepts it."""
    one = Presented.of(token)
    return {name for name, (_, breaks) in RULES.items() if breaks(one)}


# --- building tokens ----------------------------------------------------------------------------------------------------


def b64(raw: bytes) -> bytes:
    """Canonical base64url."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def compact(value: object) -> bytes:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":")).encode()
