"""A bearer token is minted, extracted from its header, verified strictly, and cached under its exact bytes."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bedesten.gate import bearer
from bedesten.gate.bearer import BearerRefusal, Claims, RefusalReason, extract, mint, verify
from bedesten.gate.derivation import hmac_sha256
from bedesten.gate.token_cache import TokenCache

KEY = bytes(range(7, 39))
NOW = 1_700_000_000_000
CLAIMS = Claims(
    issuer="https://issuer.example",
    audience="reseller",
    subject="ptn_01",
    tenant="ten_01",
    scopes=frozenset({"orders:read", "orders:create"}),
    issued_at=NOW // 1000,
    expires_at=NOW // 1000 + 3600,
    token_id="tok_01",
    session_id="ses_01",
    token_versions=(0, 1, 2, 3),
    kid="s1.4",
)
TOKEN = mint(CLAIMS, KEY).encode()


def accept(token: bytes = TOKEN, now: int = NOW, max_lifetime: int = 3_600_000) -> Claims:
    return verify(
        token,
        key_for={"s1.4": KEY}.get,
        issuer="https://issuer.example",
        audience="reseller",
        tenant="ten_01",
        now=now,
        max_lifetime=max_lifetime,
    )


def refusal(token: bytes, now: int = NOW, max_lifetime: int = 3_600_000) -> BearerRefusal:
    with pytest.raises(BearerRefusal) as refused:
        accept(token, now, max_lifetime)
    return refused.value


# --- minting ---

IDS, LIFETIME = "subject, token id and session id are ids", "a token expires after it was issued"


def test_a_minted_token_verifies_to_the_same_claims() -> None:
    assert accept() == CLAIMS


@pytest.mark.requirement(56)
def test_a_token_contains_exactly_the_documented_header_and_claims() -> None:
    header, payload, _ = (part + "=" * (-len(part) % 4) for part in TOKEN.decode().split("."))
    assert json.loads(urlsafe_b64decode(header)) == {"alg": "HS256", "typ": "JWT", "kid": "s1.4"}
    assert json.loads(urlsafe_b64decode(payload)) == {
        "iss": "https://issuer.example",
        "aud": "reseller",
        "sub": "ptn_01",
        "tenant": "ten_01",
        "scope": "orders:create orders:read",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
        "jti": "tok_01",
        "sid": "ses_01",
        "ep": [0, 1, 2, 3],
    }


def test_claims_are_immutable() -> None:
    with pytest.raises(AttributeError):
        CLAIMS.tenant = "ten_02"  # type: ignore[misc]


def test_the_last_second_that_can_be_minted_is_the_last_of_the_year_9999() -> None:
    last = replace(CLAIMS, issued_at=253_402_300_740, expires_at=253_402_300_799)
    assert accept(mint(last, KEY).encode(), now=253_402_300_740_000) == last
    with pytest.raises(ValueError, match="expires"):
        mint(replace(last, expires_at=253_402_300_800), KEY)


def test_a_token_may_be_minted_in_the_first_second_of_the_epoch() -> None:
    first = replace(CLAIMS, issued_at=0, expires_at=1)
    assert accept(mint(first, KEY).encode(), now=0) == first


def test_the_signature_is_the_standard_librarys_hmac() -> None:
    signed, _, signature = TOKEN.rpartition(b".")
    assert urlsafe_b64encode(hmac.digest(KEY, signed, "sha256")).rstrip(b"=") == signature


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (replace(CLAIMS, subject=""), IDS),
        (replace(CLAIMS, subject="someone@example.com"), IDS),
        (replace(CLAIMS, token_id="a b"), IDS),
        (replace(CLAIMS, expires_at=NOW // 1000), LIFETIME),
        (replace(CLAIMS, issued_at=-1), LIFETIME),
        (replace(CLAIMS, expires_at=10**12), LIFETIME),
    ],
)
def test_minting_refuses_what_verifying_would(claims: Claims, reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        mint(claims, KEY)
    assert str(refused.value) == reason


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match=r"^a signing key has at least 32 bytes$"):
        mint(CLAIMS, KEY[:31])


def test_a_token_without_scopes_is_valid_and_may_do_nothing() -> None:
    assert accept(mint(replace(CLAIMS, scopes=frozenset()), KEY).encode()).scopes == frozenset()


# --- the header line ---


@pytest.mark.requirement(4, 7)
@pytest.mark.parametrize(
    "value",
    [b"Bearer a.b.c", b"bearer a.b.c", b"BEARER a.b.c", b"BeArEr a.b.c", b"  Bearer   a.b.c \t", b"\tBearer a.b.c"],
)
def test_the_scheme_is_case_insensitive_and_white_space_around_the_value_is_ignored(value: bytes) -> None:
    assert extract([value]) == b"a.b.c"


@pytest.mark.parametrize("token", [b"X", b"XXX", b"Xa.b.cX", b"x.y.z==", b"a-._~+/9"])
def test_a_token_is_extracted_unchanged(token: bytes) -> None:
    assert extract([b"Bearer " + token]) == token


@pytest.mark.requirement(1, 10)
@pytest.mark.parametrize(
    "values",
    [
        [], [b""], [b" "], [b"a.b.c"], [b"Basic a.b.c"], [b"Token a.b.c"], [b"JWT a.b.c"],
        [b"ApiKey a.b.c"], [b"Bearer"],
        [b"Bearer "], [b"Bearera.b.c"], [b"Bearer:a.b.c"], [b"Bearer\ta.b.c"], [b"Bearer \ta.b.c"], [b'Bearer "a.b.c"'],
        [b"Bearer token=a.b.c"], [b"Bearer Bearer a.b.c"], [b"Bearer a.b.c x"], [b"Bearer a.b.c,"],
        [b"Bearer a.b.c, Bearer a.b.c"], [b"Bearer a.b.c", b"Bearer a.b.c"], [b"Bearer a.b.c", b""], [b"Bearer a\x00"],
        [b"Bearer a\r"], [b"Bearer a\n"], [b"Bearer a\xe9"], [b"Bearer\xc2\xa0a"], [b"Bearer a\r\n b"], [b"Bearer =a"],
        [b"Bearer ="], [b"Bearer =="], [b"XBearer a.b.c"], [b"Bearer a.b.c=d"],
    ],
)  # fmt: skip
def test_any_other_form_of_the_header_counts_as_a_missing_token(values: list[bytes]) -> None:
    with pytest.raises(BearerRefusal) as refused:
        extract(values)
    assert refused.value.reason is RefusalReason.MISSING


def test_the_reasons_have_the_numbers_of_the_wire() -> None:
    assert [(reason.name, reason.value) for reason in RefusalReason] == [
        ("MISSING", -20),
        ("INVALID", -21),
        ("EXPIRED", -22),
    ]


# --- time ---


@pytest.mark.requirement(45)
def test_a_token_lives_until_the_very_millisecond_of_its_exp() -> None:
    expiry = CLAIMS.expires_at * 1000
    assert accept(now=expiry - 1) == CLAIMS
    assert refusal(TOKEN, now=expiry).reason is RefusalReason.EXPIRED
    assert refusal(TOKEN, now=expiry + 1).reason is RefusalReason.EXPIRED


def test_expired_is_reported_only_when_nothing_else_is_wrong() -> None:
    late = CLAIMS.expires_at * 1000
    assert refusal(TOKEN[:-1] + b"A", now=late).reason is RefusalReason.INVALID
    assert refusal(TOKEN, now=late, max_lifetime=3_599_999).reason is RefusalReason.INVALID


@pytest.mark.requirement(48)
def test_a_token_from_the_future_is_refused_beyond_the_skew_of_clocks() -> None:
    assert accept(now=NOW - 60_000) == CLAIMS
    assert refusal(TOKEN, now=NOW - 60_001).cause == "iat in the future"


@pytest.mark.requirement(44)
def test_no_token_lives_longer_than_the_ceiling() -> None:
    assert accept(max_lifetime=3_600_000) == CLAIMS
    assert refusal(TOKEN, max_lifetime=3_599_999).cause == "lifetime out of bounds"


@pytest.mark.parametrize("lifetime", [0, -1, -60])
def test_a_token_without_a_positive_lifetime_is_out_of_bounds_and_not_merely_expired(lifetime: int) -> None:
    text, second = b64decode_payload(TOKEN), NOW // 1000 + 30
    text["iat"], text["exp"] = second, second + lifetime
    for now in (NOW, NOW + 3_600_000):
        assert refusal(resigned(text), now=now).cause == "lifetime out of bounds"


def test_a_token_that_begins_in_the_future_says_so() -> None:
    text = b64decode_payload(TOKEN) | {"nbf": NOW // 1000 + 61}
    assert refusal(resigned(text)).cause == "nbf in the future"


def b64decode_payload(token: bytes) -> dict[str, object]:
    payload = token.split(b".")[1]
    claims: dict[str, object] = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    return claims


def resigned(claims: dict[str, object], header: dict[str, object] | None = None) -> bytes:
    """A token with these members and the right MAC."""
    texts = (header or {"alg": "HS256", "typ": "JWT", "kid": "s1.4"}, claims)
    signed = b".".join(urlsafe_b64encode(json.dumps(text).encode()).rstrip(b"=") for text in texts)
    return signed + b"." + urlsafe_b64encode(hmac.digest(KEY, signed, "sha256")).rstrip(b"=")


@pytest.mark.requirement(21)
@pytest.mark.parametrize("token", [b"..", b".a.b", b"a..b", b"a.b."])
def test_an_empty_segment_is_refused_before_anything_is_parsed(token: bytes) -> None:
    assert refusal(token).cause == "an empty segment"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"alg": "none"}, "alg is not HS256"),
        ({"kid": ""}, "no kid"),
        ({"kid": 1}, "no kid"),
        ({"typ": "at+jwt"}, "typ is not JWT"),
        ({"x5t": "x"}, "a header member that is never accepted"),
        ({"x5t#S256": "x"}, "a header member that is never accepted"),
    ],
)
def test_the_log_distinguishes_the_faults_of_a_header(change: dict[str, object], cause: str) -> None:
    header = {"alg": "HS256", "typ": "JWT", "kid": "s1.4"} | change
    assert refusal(resigned(b64decode_payload(TOKEN), header)).cause == cause


def test_only_headers_of_genuine_tokens_are_cached_and_only_256_of_them() -> None:
    claims = b64decode_payload(TOKEN)
    known = bearer._genuine_headers
    sizes = []
    for number in range(600):
        token = resigned(claims, {"alg": "HS256", "typ": "JWT", "kid": "s1.4", "n": number})
        header = token.split(b".")[0]
        refusal(token[:-1] + (b"A" if token[-1:] != b"A" else b"E"))
        assert header not in known
        assert accept(token) == CLAIMS
        assert known[header] == "s1.4"
        sizes.append(len(known))
    assert max(sizes) == 256
    assert sizes[-1] > 80, "emptied when it is full, and not before"


# --- every bit ---


@pytest.mark.requirement(23)
def test_one_bit_changed_at_any_position_is_refused() -> None:
    for position in range(len(TOKEN)):
        for bit in range(8):
            altered = bytearray(TOKEN)
            altered[position] ^= 1 << bit
            assert refusal(bytes(altered)).reason is RefusalReason.INVALID


@pytest.mark.requirement(40)
def test_altered_copies_never_get_the_result_of_the_genuine_token() -> None:
    for position in range(0, len(TOKEN), 7):
        altered = bytearray(TOKEN)
        altered[position] ^= 1
        assert accept() == CLAIMS
        assert refusal(bytes(altered)).reason is RefusalReason.INVALID


@given(st.binary(max_size=80) | st.text("eyJhbGciOiJIUzI1NiJ9.-_=", max_size=80).map(str.encode))
@settings(max_examples=300)
def test_no_bytes_raise_anything_but_a_refusal(token: bytes) -> None:
    refused = refusal(token)
    assert refused.reason is RefusalReason.INVALID
    assert refused.__context__ is None


@given(st.binary(min_size=1, max_size=200), st.binary(min_size=32, max_size=100))
def test_the_mac_is_the_standard_librarys_for_every_key_and_message(message: bytes, key: bytes) -> None:
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


def test_a_refusal_contains_no_part_of_the_token() -> None:
    refused = refusal(TOKEN[:-1] + b"A")
    assert str(refused) == "INVALID: wrong MAC"
    assert refused.__context__ is None
    assert refused.__cause__ is None


# --- the token cache ---


def test_a_cached_token_is_found_under_its_exact_bytes_tenant_and_surface_only() -> None:
    cache = TokenCache()
    cache.put(TOKEN, "ten_01", "reseller", CLAIMS)
    assert cache.get(TOKEN, "ten_01", "reseller", NOW) is CLAIMS
    assert cache.get(TOKEN, "ten_01", "storefront", NOW) is None
    assert cache.get(TOKEN, "ten_02", "reseller", NOW) is None
    assert cache.get(TOKEN + b"=", "ten_01", "reseller", NOW) is None
    assert cache.get(TOKEN[:-1], "ten_01", "reseller", NOW) is None


def test_a_cached_token_expires_at_the_same_millisecond() -> None:
    cache = TokenCache()
    cache.put(TOKEN, "ten_01", "reseller", CLAIMS)
    assert cache.get(TOKEN, "ten_01", "reseller", CLAIMS.expires_at * 1000 - 1) is CLAIMS
    assert cache.get(TOKEN, "ten_01", "reseller", CLAIMS.expires_at * 1000) is None


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    cache = TokenCache(limit=10)
    cache.put(TOKEN, "ten_01", "reseller", CLAIMS)
    for number in range(1000):
        cache.put(str(number).encode(), "ten_01", "reseller", CLAIMS)
        assert cache.get(TOKEN, "ten_01", "reseller", NOW) is CLAIMS
        assert len(cache) <= 10
    assert cache.get(b"0", "ten_01", "reseller", NOW) is None


def test_the_cache_can_be_cleared_and_its_repr_shows_no_token() -> None:
    cache = TokenCache()
    cache.put(TOKEN, "ten_01", "reseller", CLAIMS)
    assert repr(cache) == "TokenCache(1 tokens)"
    cache.clear()
    assert cache.get(TOKEN, "ten_01", "reseller", NOW) is None


def test_clearing_a_cache_drops_its_old_half_too() -> None:
    cache = TokenCache(limit=10)
    for number in range(8):
        cache.put(b"%d" % number, "ten_01", "reseller", CLAIMS)
    assert len(cache) == 8
    cache.clear()
    assert len(cache) == 0
    assert cache.get(b"0", "ten_01", "reseller", NOW) is None


def test_a_cache_keeps_at_least_half_of_its_limit() -> None:
    cache = TokenCache(limit=10)
    for number in range(5):
        cache.put(b"%d" % number, "ten_01", "reseller", CLAIMS)
    assert [cache.get(b"%d" % number, "ten_01", "reseller", NOW) for number in range(5)] == [CLAIMS] * 5


def test_a_process_caches_at_most_65536_tokens() -> None:
    cache = TokenCache()
    most = 0
    for number in range(70_000):
        cache.put(b"%d" % number, "ten_01", "reseller", CLAIMS)
        most = max(most, len(cache))
    assert most == 65_536


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_the_smallest_cache_still_has_the_last_token(limit: int) -> None:
    cache = TokenCache(limit)
    for number in range(5):
        cache.put(b"%d" % number, "ten_01", "reseller", CLAIMS)
        assert cache.get(b"%d" % number, "ten_01", "reseller", NOW) is CLAIMS
        assert len(cache) <= 2
