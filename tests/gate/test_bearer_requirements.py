"""The security requirements on tokens: each id names its requirement. A forgery has the right MAC by default."""

import hmac
import json
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping

import pytest

from bedesten.gate.bearer import BearerRefusal, Claims, RefusalReason, verify

KEY = bytes(range(100, 132))
OTHER_KEY = bytes(range(132, 164))
NOW = 1_700_000_000_000
IAT = NOW // 1000
HEADER: dict[str, object] = {"alg": "HS256", "typ": "JWT", "kid": "s1.0"}
CLAIMS: dict[str, object] = {
    "iss": "https://issuer.example",
    "aud": "reseller",
    "sub": "ptn_01",
    "tenant": "ten_01",
    "scope": "orders:read",
    "iat": IAT,
    "exp": IAT + 3600,
    "jti": "tok_01",
    "sid": "ses_01",
    "ep": [0, 0, 0, 0],
}


class Absent:
    """Stands for a missing member."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


def b64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def sign(signed: bytes, key: bytes = KEY, digest: str = "sha256") -> bytes:
    return signed + b"." + b64(hmac.digest(key, signed, digest))


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def raw_token(header: bytes, payload: bytes, key: bytes = KEY) -> bytes:
    return sign(b64(header) + b"." + b64(payload), key)


def with_header(**changes: object) -> bytes:
    header = {name: value for name, value in {**HEADER, **changes}.items() if value is not ABSENT}
    return raw_token(compact(header), compact(CLAIMS))


def with_claims(**changes: object) -> bytes:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ABSENT}
    return raw_token(compact(HEADER), compact(claims))


def payload_with(text: bytes) -> bytes:
    """The claims with a piece of raw JSON before the closing brace."""
    return raw_token(compact(HEADER), compact(CLAIMS)[:-1] + b"," + text + b"}")


def header_with(text: bytes) -> bytes:
    return raw_token(compact(HEADER)[:-1] + b"," + text + b"}", compact(CLAIMS))


def present(token: bytes, now: int = NOW) -> Claims:
    return verify(
        token,
        key_for={"s1.0": KEY, "s1.1": OTHER_KEY}.get,
        issuer="https://issuer.example",
        audience="reseller",
        tenant="ten_01",
        now=now,
        max_lifetime=86_400_000,
    )


GENUINE = raw_token(compact(HEADER), compact(CLAIMS))
SIGNED, _, SIGNATURE = GENUINE.rpartition(b".")
HEAD, _, PAYLOAD = SIGNED.partition(b".")


def structure() -> Iterator[tuple[str, bytes]]:
    yield from (
        ("R21-nothing", b""),
        ("R21-one-segment", HEAD),
        ("R21-two-segments", SIGNED),
        ("R21-four-segments", GENUINE + b".x"),
        ("R21-five-segments", GENUINE + b".x.y"),
        ("R21-6001-segments", b"." * 6000),
        ("R21-leading-dot", b"." + GENUINE),
        ("R21-trailing-dot", GENUINE + b"."),
        ("R21-only-dots", b".."),
        ("R22-empty-signature", SIGNED + b"."),
        ("R22-1-byte", SIGNED + b"." + b64(b"x")),
        ("R22-16-bytes", SIGNED + b"." + SIGNATURE[:22]),
        ("R22-33-bytes", SIGNED + b"." + b64(hmac.digest(KEY, SIGNED, "sha256") + b"x")),
        ("R22-6000-characters", SIGNED + b"." + b"A" * 6000),
        ("R22-32-zero-bytes", SIGNED + b"." + b64(bytes(32))),
        ("R24-unused-bits-of-the-signature", GENUINE[:-1] + bytes([GENUINE[-1] + 1])),
        ("R26-padded-header", sign(HEAD + b"=" * (-len(HEAD) % 4 or 4) + b"." + PAYLOAD)),
        ("R26-padded-payload", sign(HEAD + b"." + PAYLOAD + b"=" * (-len(PAYLOAD) % 4 or 4))),
        ("R26-padded-signature", GENUINE + b"="),
        ("R27-standard-alphabet", with_slash_in_signature()),
        ("R28-flattened-json", compact({"protected": HEAD.decode(), "payload": "x", "signature": "y"})),
        ("R29-jwe", b"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA"),
        ("R39-too-long", payload_with(b'"x":"' + b"a" * 4096 + b'"')),
    )
    for junk in b"?#!*~= ":
        for position in (0, 5, len(HEAD), len(HEAD) + 1, len(HEAD) + 9, len(SIGNED), len(SIGNED) + 1, len(GENUINE)):
            for count in (1, 4):
                altered = GENUINE[:position] + bytes([junk]) * count + GENUINE[position:]
                yield f"R25-{chr(junk)!r}-{count}-at-{position}", altered
                if position <= len(SIGNED):
                    signed = altered[: len(SIGNED) + count]
                    yield f"R25-{chr(junk)!r}-{count}-at-{position}-under-the-mac", sign(signed)


def with_slash_in_signature() -> bytes:
    """A token whose signature has `-` or `_`, respelt in the standard alphabet."""
    for number in range(100):
        token = with_claims(jti=f"tok_{number}")
        signed, _, signature = token.rpartition(b".")
        if b"-" in signature or b"_" in signature:
            return signed + b"." + signature.replace(b"-", b"+").replace(b"_", b"/")
    raise AssertionError


def json_forms() -> Iterator[tuple[str, bytes]]:
    not_objects = (b"x", b"[]", b'"x"', b"1", b"null", b"{}", b"{}{}", b"{}x", b"[{}]", b"true", b"{")
    for text in not_objects:
        yield f"R30-header-{text.decode()}", raw_token(text, compact(CLAIMS))
        yield f"R35-claims-{text.decode()}", raw_token(compact(HEADER), text)
    yield "R30-header-empty", sign(b"." + PAYLOAD)
    yield "R35-claims-empty", sign(HEAD + b".")
    yield "R35-claims-twice", raw_token(compact(HEADER), compact(CLAIMS) * 2)
    yield "R35-claims-and-more", raw_token(compact(HEADER), compact(CLAIMS) + b"x")
    deep_lists, deep_objects = b"[" * 1400 + b"]" * 1400, b'{"a":' * 450 + b"1" + b"}" * 450
    for name, evil in (
        ("R31-nested-arrays", b'"x":' + deep_lists),
        ("R31-nested-objects", b'"x":' + deep_objects),
        ("R32-5000-digits-cut-to-fit", b'"x":' + b"1" * 2500),
        ("R35-NaN", b'"x":NaN'),
        ("R35-Infinity", b'"x":-Infinity'),
        ("R36-lone-surrogate", b'"x":"\\ud800"'),
        ("R36-NUL", b'"x":"\\u0000"'),
        ("R33-invalid-utf-8", b'"x":"\xff"'),
        ("R33-overlong-utf-8", b'"x":"\xc0\x80"'),
    ):
        yield f"{name}-in-claims", payload_with(evil)
        yield f"{name}-in-header", header_with(evil)
    for codec in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        yield f"R33-header-in-{codec}", raw_token(compact(HEADER).decode().encode(codec), compact(CLAIMS))
        yield f"R33-claims-in-{codec}", raw_token(compact(HEADER), compact(CLAIMS).decode().encode(codec))
    for member in HEADER:
        yield f"R34-duplicate-{member}", header_with(compact({member: HEADER[member]})[1:-1])
    for member in CLAIMS:
        yield f"R34-duplicate-{member}", payload_with(compact({member: CLAIMS[member]})[1:-1])
    for bad in ("\ud800", "a\0", "\udfff\ud800"):
        yield f"R36-kid-{bad!r}", with_header(kid=bad)
        for member in ("sub", "tenant", "jti", "sid", "iss", "aud", "scope"):
            yield f"R36-{member}-{bad!r}", with_claims(**{member: bad})


def claims() -> Iterator[tuple[str, bytes]]:
    value: object
    not_times = (ABSENT, None, "soon", "1999999999", True, [1], {"a": 1}, -1, 10**29, 1.5, float(IAT + 60))
    for value in not_times:
        yield f"R41-R46-exp-{value!r:.30}", with_claims(exp=value)
        yield f"R48-iat-{value!r:.30}", with_claims(iat=value)
        if value is not ABSENT:
            yield f"R47-nbf-{value!r:.30}", with_claims(nbf=value)
    for text in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e9", b"17e8", b"0x10", b"1_0"):
        replaced = compact(CLAIMS).replace(f'"exp":{IAT + 3600}'.encode(), b'"exp":' + text)
        yield f"R43-exp-{text.decode()}", raw_token(compact(HEADER), replaced)
    yield "R42-exp-0", with_claims(exp=0)
    yield "R42-exp-before-iat", with_claims(exp=IAT - 1)
    yield "R44-exp-beyond-the-ceiling", with_claims(exp=IAT + 86_401)
    yield "R46-exp-with-a-fraction", with_claims(exp=IAT + 600.5)
    yield "R47-nbf-in-the-future", with_claims(nbf=IAT + 61)
    yield "R48-iat-in-the-future", with_claims(iat=IAT + 61)
    issuer = "https://issuer.example"
    for value in (
        ABSENT,
        None,
        1,
        "",
        [issuer],
        issuer[:-1],
        issuer + "/",
        issuer.upper(),
        issuer + " ",
        {"a": issuer},
    ):
        yield f"R50-iss-{value!r:.40}", with_claims(iss=value)
    for value in (
        ABSENT, None, "", "storefront", "resell", "resellers", "Reseller", "reseller ", [],
        ["reseller"], [["reseller"]],
        ["reseller", 1], ["reseller", "storefront"], {"reseller": 1}, 1,
    ):  # fmt: skip
        yield f"R51-aud-{value!r:.40}", with_claims(aud=value)
    for value in (ABSENT, 1, None, "", [], ["ptn_01"], "ptn_01 ", "ptn_01\0", "*", "' OR 1=1 --", "p" * 65, "ptn_０１"):
        yield f"R52-sub-{value!r:.40}", with_claims(sub=value)
        yield f"R55-jti-{value!r:.40}", with_claims(jti=value)
        yield f"R55-sid-{value!r:.40}", with_claims(sid=value)
    for value in (ABSENT, 1, None, [], ["ten_01"], {"a": 1}, "", "*", "ten_02", "ten_01 ", "TEN_01", "ten_０1"):
        yield f"R54-tenant-{value!r:.40}", with_claims(tenant=value)
    for value in (ABSENT, None, 1, [], ["orders:read"], "a  b", " a", "a ", "a\tb", "a a", 'a"'):
        yield f"R79-scope-{value!r:.40}", with_claims(scope=value)
    for value in (
        ABSENT,
        None,
        1,
        "0000",
        [],
        [0, 0, 0],
        [0] * 5,
        [0, 0, 0, "0"],
        [0, 0, 0, -1],
        [0, 0, 0, 1.5],
        [True] * 4,
    ):
        yield f"token-versions-{value!r:.40}", with_claims(ep=value)


def algorithms() -> Iterator[tuple[str, bytes]]:
    for alg in ("none", "None", "NONE", "nOnE", "", "none "):
        head = b64(compact({**HEADER, "alg": alg}))
        yield f"R59-{alg!r}-empty-signature", head + b"." + PAYLOAD + b"."
        yield f"R59-{alg!r}-old-signature", head + b"." + PAYLOAD + b"." + SIGNATURE
        yield f"R59-{alg!r}-right-mac", sign(head + b"." + PAYLOAD)
    for alg, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        head = b64(compact({**HEADER, "alg": alg}))
        yield f"R60-{alg}", sign(head + b"." + PAYLOAD, digest=digest)
        yield f"R60-{alg}-mac-of-HS256", sign(head + b"." + PAYLOAD)
    for value in ("hs256", "HS256 ", "HS256\0", 256, ["HS256"], {"HS256": 1}, None, ABSENT, True):
        yield f"R61-{value!r:.30}", with_header(alg=value)
    for alg in ("RS256", "ES256", "PS256", "EdDSA", "ES256K"):
        yield f"R62-{alg}", with_header(alg=alg)
    yield "R62-ES256-r-and-s-zero", b64(compact({**HEADER, "alg": "ES256"})) + b"." + PAYLOAD + b"." + b64(bytes(64))
    for name, key in (
        ("R63-empty", b""), ("R63-NUL", b"\0"), ("R63-32-zeros", bytes(32)), ("R63-64-zeros", bytes(64)),
        ("R64-secret", b"secret"), ("R64-changeme", b"changeme"), ("R64-your-256-bit-secret", b"your-256-bit-secret"),
        ("R64-a-string-secret-at-least-256-bits-long", b"a-string-secret-at-least-256-bits-long"),
        ("R65-kid", b"s1.0"), ("R65-iss", b"https://issuer.example"), ("R65-aud", b"reseller"), ("R65-tenant", b"ten_01"),
        ("R65-sub", b"ptn_01"), ("R65-host", b"issuer.example"), ("R66-hex-text", KEY.hex().encode()),
        ("R66-base64url-text", b64(KEY)), ("R66-first-8-bytes", KEY[:8]), ("R71-key-of-another-kid", OTHER_KEY),
    ):  # fmt: skip
        yield name, raw_token(compact(HEADER), compact(CLAIMS), key)
    yield "R70-kid-of-another-key", with_header(kid="s1.1")


def header_members() -> Iterator[tuple[str, bytes]]:
    jwk = {"kty": "oct", "k": b64(KEY).decode(), "kid": "s1.0"}
    members: Mapping[str, object]
    value: object
    for name, members in (
        ("R67-jwk", {"jwk": jwk}), ("R67-jwk-null", {"jwk": None}), ("R68-jku", {"jku": "http://127.0.0.1:9/keys"}),
        ("R68-x5u", {"x5u": "http://127.0.0.1:9/cert"}), ("R68-x5c", {"x5c": ["MII"]}), ("R72-crit", {"crit": ["x"]}),
        ("R72-crit-empty", {"crit": []}), ("R72-crit-string", {"crit": "exp"}), ("R72-crit-null", {"crit": None}),
        ("R72-crit-int", {"crit": 1}), ("R72-crit-object", {"crit": {}}), ("R72-crit-twice", {"crit": ["x", "x"]}),
        ("R72-crit-standard-name", {"crit": ["alg"]}), ("R72-crit-b64", {"crit": ["b64"], "b64": True}),
        ("R73-b64-false", {"b64": False}), ("R73-b64-false-crit", {"b64": False, "crit": ["b64"]}),
        ("R73-b64-true", {"b64": True}), ("R74-zip", {"zip": "DEF"}), ("R75-cty", {"cty": "JWT"}),
        ("R29-enc", {"enc": "A128GCM"}),
    ):  # fmt: skip
        yield name, with_header(**members)
    raw = b64(compact({**HEADER, "b64": False, "crit": ["b64"]}))
    yield "R73-detached", raw + b".." + b64(hmac.digest(KEY, raw + b"." + compact(CLAIMS), "sha256"))
    bomb = zlib.compress(compact({**CLAIMS, "x": "a" * 2_000_000}), 9)[2:-4]
    yield "R74-bomb", raw_token(compact({**HEADER, "zip": "DEF"}), bomb)
    yield "R74-bomb-without-zip", raw_token(compact(HEADER), bomb)
    yield "R75-nested", raw_token(compact({**HEADER, "cty": "JWT"}), GENUINE)
    for value in (
        ABSENT, None, "", 0, 1, True, [], ["s1.0"], {"s1.0": 1}, "../../dev/null", "/dev/null", "' UNION SELECT 1 --",
        "|sleep 5", "__class__", "k" * 2000, "s1.0\0", "S1.0", "s1.0 ", " s1.0", "s1.00", "s1",
    ):  # fmt: skip
        yield f"R69-R70-kid-{value!r:.30}", with_header(kid=value)
    for value in (
        ABSENT,
        None,
        "",
        "id+jwt",
        "refresh+jwt",
        "at+jwt",
        "JWT ",
        "application/",
        "application/at+jwt",
        1,
        [],
    ):
        yield f"R53-typ-{value!r:.30}", with_header(typ=value)


FORGERIES = [*structure(), *json_forms(), *claims(), *algorithms(), *header_members()]


@pytest.mark.parametrize("token", [token for _, token in FORGERIES], ids=[name for name, _ in FORGERIES])
def test_refused_as_invalid(token: bytes) -> None:
    for _ in range(2):  # the second time, the header may be cached
        with pytest.raises(BearerRefusal) as refused:
            present(token)
        assert refused.value.reason is RefusalReason.INVALID
        assert refused.value.__context__ is None


ACCEPTED = {
    "genuine": GENUINE,
    "R38-white-space-in-header": raw_token(json.dumps(HEADER, indent=2).encode(), compact(CLAIMS)),
    "R38-other-order": raw_token(compact(dict(reversed(HEADER.items()))), compact(dict(reversed(CLAIMS.items())))),
    "R38-white-space-in-claims": raw_token(compact(HEADER), b" \n" + json.dumps(CLAIMS, indent=1).encode()),
    "R38-unknown-claims": with_claims(email=None, nested={"a": [1, {"b": 2.5}]}, amr=["pwd"]),
    "R38-unknown-header-member": with_header(note="x", n=1),
    "R38-escapes": raw_token(compact(HEADER), compact(CLAIMS).replace(b'"ptn_01"', b'"\\u0070tn_01"')),
    "R47-nbf-now": with_claims(nbf=IAT),
    "R47-nbf-within-the-skew": with_claims(nbf=IAT + 60),
    "R53-typ-lower-case": with_header(typ="jwt"),
    "R53-typ-media-type": with_header(typ="Application/JWT"),
}


@pytest.mark.parametrize("token", ACCEPTED.values(), ids=list(ACCEPTED))
def test_accepted_with_the_same_claims(token: bytes) -> None:
    for _ in range(2):
        assert present(token) == Claims(
            issuer="https://issuer.example",
            audience="reseller",
            subject="ptn_01",
            tenant="ten_01",
            scopes=frozenset({"orders:read"}),
            issued_at=IAT,
            expires_at=IAT + 3600,
            token_id="tok_01",
            session_id="ses_01",
            token_versions=(0, 0, 0, 0),
            kid="s1.0",
        )


@pytest.mark.parametrize("exp", [IAT - 60, IAT - 1, IAT], ids=["R49-a-minute-ago", "R49-a-second-ago", "R45-now"])
def test_expired_without_any_leeway(exp: int) -> None:
    with pytest.raises(BearerRefusal) as refused:
        present(with_claims(iat=IAT - 3600, exp=exp))
    assert refused.value.reason is RefusalReason.EXPIRED


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": " "},
        {"iss": "x"},
        {"aud": "storefront"},
        {"tenant": "ten_02"},
        {"sub": ""},
        {"ep": []},
        {"nbf": IAT + 99},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_expired_is_reported_only_of_a_token_with_nothing_else_wrong(wrong: dict[str, object]) -> None:
    with pytest.raises(BearerRefusal) as refused:
        present(with_claims(iat=IAT - 3600, exp=IAT, **wrong))
    assert refused.value.reason is RefusalReason.INVALID


@pytest.mark.requirement(63, 76)
def test_a_short_key_verifies_nothing() -> None:
    short = raw_token(compact(HEADER), compact(CLAIMS), b"k" * 31)
    with pytest.raises(BearerRefusal) as refused:
        verify(short, key_for=lambda _: b"k" * 31, issuer="", audience="", tenant="", now=NOW, max_lifetime=1)
    assert refused.value.cause == "no key of this kid"


@pytest.mark.requirement(68, 74)
def test_a_forged_header_never_reaches_the_key() -> None:
    asked: list[str] = []

    def key_for(kid: str) -> bytes | None:
        asked.append(kid)
        return None

    for name, token in header_members():
        if name.startswith(("R67", "R68", "R72", "R73", "R74-zip", "R75")):
            with pytest.raises(BearerRefusal):
                verify(token, key_for=key_for, issuer="", audience="", tenant="", now=NOW, max_lifetime=1)
    assert asked == []


def test_claims_are_not_parsed_before_the_mac_is_verified() -> None:
    with pytest.raises(BearerRefusal) as refused:
        present(raw_token(compact(HEADER), b"not json", OTHER_KEY))
    assert refused.value.cause == "wrong MAC"


def test_errors_of_the_key_lookup_propagate() -> None:
    def out_of_reach(kid: str) -> bytes | None:
        raise ConnectionError(kid)

    with pytest.raises(ConnectionError):
        verify(GENUINE, key_for=out_of_reach, issuer="", audience="", tenant="", now=NOW, max_lifetime=1)


def of_length(length: int) -> bytes:
    """A genuine token of exactly this many bytes."""
    for note in range(4):
        for fill in range(length):
            header, claims = compact({**HEADER, "note": "n" * note}), compact({**CLAIMS, "fill": "f" * fill})
            wanted = length - len(b64(header)) - 2 - 43
            if len(b64(claims)) == wanted:
                return raw_token(header, claims)
            if len(b64(claims)) > wanted:
                break
    raise AssertionError


@pytest.mark.requirement(39)
def test_a_token_has_4096_bytes_at_most() -> None:
    longest, longer = of_length(4096), of_length(4097)
    assert (len(longest), len(longer)) == (4096, 4097)
    assert present(longest).subject == "ptn_01"
    with pytest.raises(BearerRefusal) as refused:
        present(longer)
    assert refused.value.cause == "too long"


def test_times_go_from_the_epoch_to_the_end_of_the_year_9999() -> None:
    first, last = with_claims(iat=0, exp=60), with_claims(iat=253_402_300_740, exp=253_402_300_799)
    assert present(first, now=0).issued_at == 0
    assert present(last, now=253_402_300_740_000).expires_at == 253_402_300_799
    with pytest.raises(BearerRefusal) as refused:
        present(with_claims(iat=253_402_300_740, exp=253_402_300_800), now=253_402_300_740_000)
    assert refused.value.cause == "a claim is missing or of the wrong type"


def test_token_versions_go_from_0_to_2_to_the_53rd_power() -> None:
    assert present(with_claims(ep=[0, 1, 2**53 - 1, 2**53])).token_versions == (0, 1, 2**53 - 1, 2**53)
    with pytest.raises(BearerRefusal):
        present(with_claims(ep=[0, 1, 2, 2**53 + 1]))
