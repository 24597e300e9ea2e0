"""Malformed and forged tokens: hypothesis strategies around one genuine token."""

import hmac
import json
from collections.abc import Mapping

from hypothesis import strategies as st

from bedesten.gate.bearer import Claims
from tests.gate.bearer_rules import CLAIMS, HEADER, MAX_LIFETIME_S, NOW, b64, compact

KEY, OTHER_KEY = bytes(range(100, 132)), bytes(range(132, 164))
KEYS = {"s1.0": KEY, "s1.1": OTHER_KEY, "s1.2": KEY[:31]}

SECONDS = [
    at + shift
    for at in (NOW, NOW - 600, NOW + 3000, NOW - 600 + MAX_LIFETIME_S)
    for shift in (-MAX_LIFETIME_S, -61, -60, -59, -1, 0, 1, 59, 60, 61)
]
texts = st.text(max_size=6) | st.sampled_from(["", "*", "a\0", "\ud800", "é", "orders:read", "a  b", "a a", "ptn_01 "])
odd = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**45), 10**45) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
times = (
    st.sampled_from(SECONDS) | st.sampled_from(SECONDS).map(str) | st.sampled_from(SECONDS).map(float)
    | st.sampled_from([0, -1, True, 253402300799, 253402300800, 10**30, NOW + 0.5])
)  # fmt: skip
token_versions = st.lists(st.sampled_from([0, 1, 2**53, 2**53 + 1, -1, True, 1.0, "1"]), min_size=3, max_size=5)
ids = st.sampled_from(["ptn_02", "A-b_9", "p" * 64, "p" * 65, "ptn 01", "ptn_０1", ""])
names = {
    "iss": st.sampled_from(["https://issuer.example/", "https://ISSUER.example", ["https://issuer.example"]]),
    "aud": st.sampled_from(["storefront", "Reseller", ["reseller"], ["reseller", "storefront"], "resell"]),
    "sub": ids,
    "jti": ids,
    "sid": ids,
    "tenant": st.sampled_from(["ten_02", "TEN_01", "ten_01 ", ["ten_01"]]),
    "scope": st.sampled_from(["", "a b c", "a\tb", "!#[]~", "a  b", "b a", 'a"b', ["orders:read"]]),
    "iat": times,
    "exp": times,
    "nbf": times,
    "auth_time": times,
    "ep": token_versions,
    "email": texts,
    "\ud800": texts,
}
headers = {
    "alg": st.sampled_from(["none", "None", "HS384", "hs256", "HS256 ", "RS256", ["HS256"]]),
    "typ": st.sampled_from(["jwt", "application/JWT", "at+jwt", "JWT "]),
    "kid": st.sampled_from(["s1.1", "s1.2", "s1.9", "S1.0", ["s1.0"], 0]),
    "crit": st.sampled_from([[], ["exp"], ["b64"], ["x"], "exp"]),
    "b64": st.booleans(),
    "zip": st.just("DEF"),
    "cty": st.just("JWT"),
    "jwk": st.just({"kty": "oct", "k": b64(KEY).decode()}),
    "x5t#S256": st.just("x"),
    "note": texts,
}
RAW_MEMBERS = [
    b'"x":NaN', b'"x":-Infinity', b'"x":1e400', b'"x":1e1000', b'"x":0.' + b"1" * 99, b'"x":' + b"1" * 40,
    b'"x":' + b"1" * 41, b'"x":' + b"[" * 31 + b"]" * 31, b'"x":' + b"[" * 32 + b"]" * 32, b'"x":"\\u0000"',
    b'"x":"\\ud83d\\ude00"', b'"x":"\\ude00\\ud83d"', b'"x":"\xff"', b'"x":"\xc3\xa9"', b'"x":1,"x":2', b'"kid":"s1.0"',
    b'"exp":1800003000', b'"sub":"ptn_02"', b'"\\u0065xp":1800003000', b'"x":"' + b"a" * 2500 + b'"', b'"x":[1,]', b"",
]  # fmt: skip
CODECS = ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"]


def changed(
    draw: st.DrawFn, base: dict[str, object], values: Mapping[str, st.SearchStrategy[object]]
) -> dict[str, object]:
    """The members, some of them removed or changed."""
    made = dict(base)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 1, 2]))):
        name = draw(st.sampled_from(sorted(values)))
        if draw(st.sampled_from([0, 1, 2, 3])) == 0:
            made.pop(name, None)
        else:
            made[name] = draw(values[name] if draw(st.sampled_from([0, 1, 2])) else odd)
    return made


def spelt(draw: st.DrawFn, members: dict[str, object]) -> bytes:
    """The members as JSON in some style, most often our own, perhaps with an odd extra member."""
    style = draw(st.sampled_from(["compact"] * 6 + ["spaced", "indented", "reversed", "utf-8", "raw", "raw", "codec"]))
    match style:
        case "spaced":
            return b" " + json.dumps(members).encode() + b"\n"
        case "indented":
            return json.dumps(members, indent=2).encode()
        case "reversed":
            return compact(dict(reversed(members.items())))
        case "utf-8":
            return json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass")
        case "raw":
            return compact(members)[:-1] + b"," + draw(st.sampled_from(RAW_MEMBERS)) + b"}"
        case "codec":
            return compact(members).decode().encode(draw(st.sampled_from(CODECS)))
    return compact(members)


def segment(draw: st.DrawFn, raw: bytes) -> bytes:
    """The bytes as a segment in some encoding, most often the right one."""
    right = b64(raw)
    match draw(st.sampled_from(["right"] * 14 + ["padded", "unused bits", "junk", "standard", "more padding"])):
        case "padded":
            return right + b"=" * (-len(right) % 4)
        case "more padding":
            return right + b"="
        case "unused bits":
            return right[:-1] + bytes([right[-1] + 1])
        case "junk":
            at = len(right) // 2
            return right[:at] + draw(st.sampled_from([b"?", b"=", b" ", b"\n", b"!!!!", b"."])) + right[at:]
        case "standard":
            return right.replace(b"-", b"+").replace(b"_", b"/")
    return right


def signature(draw: st.DrawFn, signed: bytes, kid: object) -> bytes:
    """The MAC of the signed text, right or wrong in some way."""
    key = KEYS.get(kid, KEY) if isinstance(kid, str) else KEY
    right = hmac.digest(key, signed, "sha256")
    match draw(st.sampled_from(["right"] * 16 + ["other key", "sha512", "short", "long", "zeros", "none"])):
        case "other key":
            right = hmac.digest(OTHER_KEY if key == KEY else KEY, signed, "sha256")
        case "sha512":
            right = hmac.digest(key, signed, "sha512")
        case "short":
            right = right[:16]
        case "long":
            right += b"\0"
        case "zeros":
            right = bytes(32)
        case "none":
            return b""
    return segment(draw, right)


@st.composite
def tokens(draw: st.DrawFn) -> bytes:
    """A token, genuine or with a few faults, most often with the MAC of its actual text."""
    header, claims = changed(draw, HEADER, headers), changed(draw, CLAIMS, names)
    texts = [segment(draw, spelt(draw, members)) for members in (header, claims)]
    signed = b".".join(texts)
    token = signed + b"." + signature(draw, signed, header.get("kid"))
    match draw(st.sampled_from(["whole"] * 16 + ["flip", "cut", "twice", "more"])):
        case "flip":
            at = draw(st.integers(0, len(token) - 1))
            return token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        case "cut":
            return token[: len(token) // 2]
        case "twice":
            return token + b"." + token
        case "more":
            return token + draw(st.sampled_from([b".", b"A", b"=", b"\n", b" "]))
    return token


@st.composite
def claims_of_ours(draw: st.DrawFn) -> Claims:
    """Any claims that `mint` accepts for this issuer, surface and tenant."""
    word = st.text("abcz:._-!#~", min_size=1, max_size=12)
    name = st.text("aZ0_-", min_size=1, max_size=64)
    count = st.integers(0, 2**53)
    issue_key = NOW - draw(st.integers(0, MAX_LIFETIME_S - 1))
    return Claims(
        issuer=str(CLAIMS["iss"]),
        audience=str(CLAIMS["aud"]),
        subject=draw(name),
        tenant=str(CLAIMS["tenant"]),
        scopes=draw(st.frozensets(word, max_size=8)),
        issued_at=issue_key,
        expires_at=draw(st.integers(NOW + 1, issue_key + MAX_LIFETIME_S)),
        token_id=draw(name),
        session_id=draw(name),
        token_versions=draw(st.tuples(count, count, count, count)),
        kid="s1.0",
        authenticated_at=draw(st.integers(0, NOW)),
    )
