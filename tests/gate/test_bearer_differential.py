"""The verifier compared with PyJWT: they agree on every token, except for documented rules, each of them stricter.

Ours accepts a token if, and only if, PyJWT in its strictest configuration accepts it *and* it breaks none of the rules in
`bearer_rules.RULES`; and then both return the same claims.
"""

import hmac
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo

import jwt
import jwt.api_jwt
import pytest
from hypothesis import HealthCheck, event, given, settings

from bedesten.gate.bearer import BearerRefusal, Claims, RefusalReason, mint, verify
from tests.gate.bearer_rules import CLAIMS, HEADER, MAX_LIFETIME_S, NOW, RULES, Presented, b64, broken, compact
from tests.gate.odd_tokens import KEY, KEYS, claims_of_ours, tokens
from tests.support.documents import DOCS, tables

IN_CI = bool(os.environ.get("CI"))
EXAMPLES = int(os.environ.get("BEDESTEN_FUZZ_EXAMPLES", "1000"))
"""Number of tokens to try. After a change of the verifier try 40000: a few minutes."""


class Stopped(datetime):
    """A stopped clock for PyJWT."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Stopped":
        return cls.fromtimestamp(NOW, UTC)


@pytest.fixture(autouse=True, scope="module")
def stopped_clock() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jwt.api_jwt, "datetime", Stopped)
        yield


def ours(token: bytes, now: int = NOW) -> Claims | BearerRefusal:
    try:
        return verify(
            token, key_for=KEYS.get, issuer="https://issuer.example", audience="reseller", tenant="ten_01",
            now=now * 1000, max_lifetime=MAX_LIFETIME_S * 1000,
        )  # fmt: skip
    except BearerRefusal as refused:
        return refused


def theirs(token: bytes) -> dict[str, object] | None:
    """The claims that PyJWT accepts in its strictest configuration; None if it fails."""
    with suppress(Exception):
        kid = jwt.get_unverified_header(token)["kid"]
        return jwt.decode(
            token, KEYS[kid], algorithms=["HS256"], audience="reseller", issuer="https://issuer.example", leeway=60,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti", "sid"], "strict_aud": True,
                "enforce_minimum_key_length": True,
            },
        )  # fmt: skip
    return None


def as_they_say_it(claims: Claims) -> dict[str, object]:
    """Our claims under their names on the wire."""
    since = {"auth_time": claims.authenticated_at} if claims.authenticated_at else {}
    return since | {
        "iss": claims.issuer,
        "aud": claims.audience,
        "sub": claims.subject,
        "tenant": claims.tenant,
        "scope": set(claims.scopes),
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "jti": claims.token_id,
        "sid": claims.session_id,
        "ep": list(claims.token_versions),
    }


def judge(token: bytes) -> str:
    """Asserts that both agree, and returns the verdict."""
    mine, claimed = ours(token), theirs(token)
    rules = set() if claimed is None else broken(token)
    if isinstance(mine, Claims):
        assert claimed is not None, "PyJWT refuses it"
        assert rules == set(), "it breaks a rule"
        said = {name: claimed[name] for name in (*CLAIMS, "auth_time") if claimed.get(name)}
        assert as_they_say_it(mine) == {"scope": set(), **said} | {"scope": set(str(claimed["scope"]).split())}
        return "both accept"
    assert mine.__context__ is None
    assert claimed is None or rules, "PyJWT accepts it, and no rule says why we do not"
    assert claimed is None or mine.cause in {cause for name in rules for cause in RULES[name][0].split("|")}
    if mine.reason is RefusalReason.EXPIRED:
        before = Presented.of(token).claims["exp"]
        assert isinstance(before, int)
        assert isinstance(ours(token, now=before - 1), Claims), "expired is said when nothing else is wrong"
    return "both refuse" if claimed is None else "only we refuse"


# --- all tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None, derandomize=IN_CI, suppress_health_check=list(HealthCheck))
@given(tokens())
def test_ours_accepts_exactly_what_pyjwt_accepts_and_no_written_rule_forbids(token: bytes) -> None:
    event(judge(token))


@settings(max_examples=EXAMPLES // 5, deadline=None, derandomize=IN_CI)
@given(claims_of_ours())
def test_pyjwt_reads_the_same_claims_from_the_tokens_that_ours_mints(claims: Claims) -> None:
    token = mint(claims, KEY).encode()

    assert ours(token) == claims
    assert judge(token) == "both accept"


def signed(header: bytes, payload: bytes) -> bytes:
    text = b64(header) + b"." + b64(payload)
    return text + b"." + b64(hmac.digest(KEY, text, "sha256"))


def of(header: dict[str, object] | None = None, **claims: object) -> bytes:
    return signed(compact(HEADER | (header or {})), compact(CLAIMS | claims))


def padded() -> bytes:
    head, payload = (b64(compact(members)) for members in (HEADER, CLAIMS | {"jti": "tok_0001"}))
    text = head + b"=" * (-len(head) % 4) + b"." + payload + b"=" * (-len(payload) % 4)
    assert b"=" in text
    return text + b"." + b64(hmac.digest(KEY, text, "sha256"))


WITNESSES = {
    "size": [of(more="a" * 3000)],
    "one spelling": [padded(), of() + b"="],
    "strict header": [
        signed(compact(HEADER)[:-1] + b',"alg":"HS256"}', compact(CLAIMS)),
        signed(compact(HEADER).decode().encode("utf-16"), compact(CLAIMS)),
    ],
    "strict claims": [
        signed(compact(HEADER), compact(CLAIMS)[:-1] + more + b"}")
        for more in (b',"exp":1800003000', b',"x":NaN', b',"x":' + b"[" * 40 + b"]" * 40, b',"x":"\\ud800"')
    ],
    "type": [of({"typ": "at+jwt"}), of({"typ": ""}), of({"typ": 1})],
    "header members": [of({name: "x"}) for name in ("jwk", "jku", "x5u", "x5c", "zip", "cty", "enc")],
    "whole seconds": [of(exp=f"{NOW + 60}"), of(exp=NOW + 60.0), of(iat=NOW - 0.5), of(nbf=True), of(auth_time="x")],
    "typed claims": [of(ep=[0, 0, 0]), of(ep="0 0 0 0"), of(scope=["orders:read"]), of(ep=[0, 0, 0, True])],
    "tenant": [of(tenant="ten_02"), of(tenant="ten_01 ")],
    "ids": [of(sub="ptn 01"), of(jti="p" * 65), of(sid="p" * 65), of(sub="")],
    "scope list": [of(scope="a  b"), of(scope="a a"), of(scope=" ")],
    "lifetime": [of(exp=NOW + 86_400), of(iat=NOW - 30, exp=NOW - 30), of(iat=NOW + 30, exp=NOW + 20)],
    "no leeway": [of(exp=NOW), of(exp=NOW - 59)],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_refuses_a_token_that_pyjwt_accepts_and_is_documented(rule: str) -> None:
    for token in WITNESSES[rule]:
        assert rule in broken(token)
        assert judge(token) == "only we refuse"

    assert f"| {rule} |" in (DOCS / "explanation" / "trust.md").read_text("utf-8")


def test_the_documents_list_no_other_rule() -> None:
    text = (DOCS / "explanation" / "trust.md").read_text("utf-8")
    _, *rows = next(table for table in tables(text) if table[0][0] == "rule")

    assert [rule for rule, _ in rows] == list(RULES)
