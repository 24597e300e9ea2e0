"""Which credential gives access to what: every scope alone, every surface's credential on the others, forged tokens."""

import base64
import hmac
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from bedesten.gate import bearer as tokens
from bedesten.gate.keyring import parse_kid
from bedesten.gate.scopes import SCOPES, Surface
from tests.requirements.populated_tenant import ENDPOINTS, PopulatedTenant
from tests.support.client import Lines, api_key, bearer
from tests.support.expected_routes import EXPECTED_ROUTES, ExpectedRoute

PUBLISHED = Path(__file__).parents[1] / "vectors" / "jwt-secrets-sample.txt"
MISSING, INVALID, KEY_REFUSED, NO_SCOPE, NOT_GRANTED = -20, -21, -23, -24, -25
BY_TOKEN, BY_KEY = (Surface.RESELLER, Surface.STOREFRONT), (Surface.PAYMENT, Surface.SUPPLIER)


def scoped(surface: Surface) -> list[ExpectedRoute]:
    """Every route of the surface that requires a scope, aliases included."""
    return [one for one in EXPECTED_ROUTES.values() if one.demand.kind == "scoped" and one.demand.surface is surface]


@pytest.mark.requirement(78)
@pytest.mark.parametrize("surface", BY_TOKEN)
def test_every_endpoint_is_opened_by_its_own_scope_and_by_no_other(tenant: PopulatedTenant, surface: Surface) -> None:
    subject = tenant.partner if surface is Surface.RESELLER else tenant.customer
    opened, expected = {}, {}
    for scope in ("", *sorted(SCOPES[surface])):
        held = [scope] if scope else []
        token = tenant.operator.mint(tenant.operator.claims(tenant.tenant, surface, subject, scopes=held))
        for expected_route in scoped(surface):
            cell = (expected_route.method, expected_route.path, scope)
            code = tenant.code(
                expected_route.method, expected_route.path.replace("{", "x").replace("}", ""), bearer(token)
            )
            assert code not in (MISSING, INVALID)
            opened[cell] = code != NO_SCOPE
            expected[cell] = scope == expected_route.demand.right
    assert opened == expected
    assert list(opened.values()).count(True) == len(scoped(surface)) >= 3


@pytest.mark.requirement(79)
def test_a_scope_in_a_token_counts_to_the_letter_or_not_at_all(tenant: PopulatedTenant) -> None:
    for text in ("*", "all", "Account:read", "account:rea", "account:reads", "account:*", "account", ":read", "read"):
        token = tenant.operator.mint(
            tenant.operator.claims(tenant.tenant, Surface.RESELLER, tenant.partner, scopes=[text])
        )
        assert tenant.call(Surface.RESELLER, bearer(token)) == NO_SCOPE, text
    both = tenant.operator.claims(tenant.tenant, Surface.RESELLER, tenant.partner, scopes=["*", "account:read"])
    assert tenant.call(Surface.RESELLER, bearer(tenant.operator.mint(both))) == 0, (
        "an unknown one beside it does no harm"
    )


@pytest.mark.requirement(221)
@pytest.mark.parametrize("surface", BY_KEY)
def test_a_key_gives_itself_no_right_and_makes_no_key(tenant: PopulatedTenant, surface: Surface) -> None:
    granted = [one for one in EXPECTED_ROUTES.values() if one.demand.kind == "keyed" and one.demand.surface is surface]
    rights = {str(one.demand.right) for one in granted}
    assert len(rights) > 1
    operator, prefix = tenant.operator, f"/{surface.value.title()}/Keys"
    owner = operator.owner(tenant.tenant, surface, "Narrow")
    narrow = api_key(operator.key(tenant.tenant, surface, owner, grants=["keys:manage"]).text)
    more = {"grants": sorted(rights), "networks": [], "expires": None, "owner": "Wide", "surface": "payment"}
    for path in (prefix, f"{prefix}/Create", f"{prefix}/Update", f"{prefix}/Grant"):
        assert tenant.code("POST", path, narrow, more) == -3
    assert tenant.code("POST", f"{prefix}/Rotate", narrow, more) == -2
    answer = tenant.server.ask("POST", f"{prefix}/Rotate", narrow, {}, host=tenant.host)
    rotated = api_key(json.loads(answer.body)["data"]["key"])
    for lines in (narrow, rotated):
        opened = {
            one.demand.right
            for one in granted
            if not one.path.startswith(prefix) and tenant.code(one.method, one.path, lines) != NOT_GRANTED
        }
        assert opened == set()
        assert tenant.code("POST", f"{prefix}/Get", lines) == 0


@pytest.mark.requirement(52)
def test_a_subject_that_is_nobody_of_this_kind_or_gone_is_refused_under_a_good_mac(tenant: PopulatedTenant) -> None:
    operator = tenant.operator
    good = operator.claims(tenant.tenant, Surface.RESELLER, tenant.partner)
    gone = operator.account(tenant.tenant, "partner", "gone@example.com")
    operator.disable(tenant.tenant, "partner", gone)
    supplier = operator.owner(tenant.tenant, Surface.SUPPLIER, "Acme")
    for subject in ("par_01m8000000000000000000000x", "nobody", tenant.customer, supplier, tenant.tenant, gone):
        assert tenant.call(Surface.RESELLER, bearer(operator.mint(replace(good, subject=subject)))) == INVALID, subject
    assert tenant.call(Surface.RESELLER, bearer(operator.mint(good))) == 0


HOW: dict[str, Callable[[str], Lines]] = {
    "as a bearer token": bearer,
    "as an API key": api_key,
    "bare": lambda credential: (("Authorization", credential),),
    "in the scheme ApiKey": lambda credential: (("Authorization", f"ApiKey {credential}"),),
}


def outcome(presented: Surface, how: str, at: Surface) -> int:
    """The expected code for a valid credential of one surface that is sent to another in this way."""
    if at in BY_TOKEN:
        if how != "as a bearer token":
            return MISSING
        return 0 if presented is at else INVALID
    if how != "as an API key" or presented in BY_TOKEN:
        return KEY_REFUSED
    return 0 if presented is at else NOT_GRANTED


@pytest.mark.requirement(83)
@pytest.mark.parametrize("how", HOW)
def test_a_credential_opens_its_own_surface_in_its_own_header_and_nothing_else(
    tenant: PopulatedTenant, how: str
) -> None:
    answers, expected = {}, {}
    for presented, credential in tenant.credentials.items():
        for at in Surface:
            answers[presented, at] = tenant.call(at, HOW[how](credential))
            expected[presented, at] = outcome(presented, how, at)
    assert answers == expected
    assert list(answers.values()).count(0) == {"as a bearer token": 2, "as an API key": 2}.get(how, 0)


@pytest.mark.requirement(102)
@pytest.mark.parametrize("surface", BY_KEY)
def test_a_key_in_query_cookie_or_body_is_none(tenant: PopulatedTenant, surface: Surface) -> None:
    key = tenant.keys[surface].text
    _, path = ENDPOINTS[surface]
    for name in ("ApiKey", "apikey", "api_key", "key", "access_token"):
        assert tenant.code("POST", f"{path}?{name}={key}") == KEY_REFUSED
        assert tenant.code("POST", path, (("Cookie", f"{name}={key}"),)) == KEY_REFUSED
        assert tenant.code("POST", path, (), {name: key}) == KEY_REFUSED
    assert tenant.code("POST", path, api_key(key)) == 0


# --- tokens that only look like ours ----------------------------------------------------------------------------------


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def signing_key(tenant: PopulatedTenant, surface: Surface, kid: str) -> bytes:
    """The key that signs the surface's tokens."""
    master, generation = parse_kid(kid) or ("", -1)
    key = tenant.operator.installation.keyring.signing_key(master, tenant.tenant, surface, generation)
    assert key is not None
    return key


def signed(header: dict[str, object], payload: bytes, key: bytes) -> str:
    """A token with this header and payload and a MAC by this key."""
    text = _b64(json.dumps(header).encode()) + b"." + payload
    return (text + b"." + _b64(hmac.digest(key, text, "sha256"))).decode()


def parts_of(token: str) -> tuple[dict[str, object], bytes]:
    """A token's parsed header, and its payload as it stands."""
    header, payload, _ = token.split(".")
    return json.loads(base64.urlsafe_b64decode(header + "==")), payload.encode()


@pytest.mark.requirement(71)
def test_a_token_for_one_surface_under_the_key_of_the_other_is_refused_although_both_have_one_kid(
    tenant: PopulatedTenant,
) -> None:
    operator = tenant.operator
    reseller = operator.claims(tenant.tenant, Surface.RESELLER, tenant.partner)
    storefront = operator.claims(tenant.tenant, Surface.STOREFRONT, tenant.customer)
    assert reseller.kid == storefront.kid
    crossed = tokens.mint(storefront, signing_key(tenant, Surface.RESELLER, reseller.kid))
    rewritten = tokens.mint(
        replace(reseller, audience="storefront"), signing_key(tenant, Surface.RESELLER, reseller.kid)
    )
    for token in (crossed, rewritten):
        assert tenant.call(Surface.STOREFRONT, bearer(token)) == INVALID
    assert tenant.call(Surface.STOREFRONT, bearer(operator.mint(storefront))) == 0


@pytest.mark.requirement(68)
def test_nobody_is_called_for_a_key_that_a_token_names(tenant: PopulatedTenant) -> None:
    header, payload = parts_of(tenant.tokens[Surface.RESELLER])
    key = signing_key(tenant, Surface.RESELLER, str(header["kid"]))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for member in ("jku", "x5u", "kid", "iss", "jwks_uri"):
            for under in (key, bytes(32)):
                code = tenant.call(Surface.RESELLER, bearer(signed({**header, member: url}, payload, under)))
                assert (code == 0) is (under == key and member in ("iss", "jwks_uri")), member
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.requirement(64)
def test_no_published_secret_signs_anything(tenant: PopulatedTenant) -> None:
    """A sample of 2,000 of the 103,979 secrets that were found in public code."""
    header, payload = parts_of(tenant.tokens[Surface.RESELLER])
    secrets = PUBLISHED.read_bytes().split(b"\n")[:-1]
    assert len(secrets) == 2_000
    answers = {tenant.call(Surface.RESELLER, bearer(signed(header, payload, secret))) for secret in secrets}
    assert answers == {INVALID}
    key = signing_key(tenant, Surface.RESELLER, str(header["kid"]))
    assert tenant.call(Surface.RESELLER, bearer(signed(header, payload, key))) == 0
