"""The gate's three decisions: each refusal has one cause, in a fixed order, and does not reveal it to the caller."""

from dataclasses import replace

import pytest

from bedesten import errors
from bedesten.core.revision import Revision
from bedesten.gate.access import Anonymous, Keyed, Open, Scoped, SignedIn
from bedesten.gate.auth_cache import AccountEntry, AuthCache, CacheKey, CacheMiss, Change, TenantEntry
from bedesten.gate.bearer import mint
from bedesten.gate.decide import MAX_LIFETIME_MS, REALM, Credentials, Gate, challenge
from bedesten.gate.keyring import Keyring, make_kid
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import SCOPES, Surface
from tests.gate.gate_fixture import (
    ABSENT,
    ADDRESS,
    CUSTOMER,
    NOW,
    PARTNER,
    SECOND,
    TENANT,
    GateFixture,
    api_key,
    bearer,
    code_and_cause,
    refusal,
    seeded_randomness,
)

READS = Scoped(Surface.RESELLER, "orders:read")
SIGNED = SignedIn(Surface.STOREFRONT)
CATALOGUE = Anonymous(Surface.STOREFRONT)
DELIVERS = Keyed(Surface.SUPPLIER, "orders:deliver")
ENDPOINT = "POST /Orders/Get"


@pytest.fixture
def fixture() -> GateFixture:
    return GateFixture()


# --- which tenant -------------------------------------------------------------------------------------------------------


def test_a_tenant_is_found_by_its_canonical_host_and_then_cached(fixture: GateFixture) -> None:
    fixture.store |= {CacheKey("host", "shop.example"): "ten_1", CacheKey("tenant", "ten_1"): TENANT}

    found = fixture.decide_with_store(
        lambda fetched: fixture.gate.tenant([b"SHOP.example.:8080"], fetched), remember=True
    )

    assert found is TENANT
    assert fixture.reads == [CacheKey("host", "shop.example"), CacheKey("tenant", "ten_1")]
    assert fixture.gate.tenant([b"shop.example"]) is TENANT


def test_there_is_no_default_tenant(fixture: GateFixture) -> None:
    refused = refusal(
        lambda: fixture.decide_with_store(lambda fetched: fixture.gate.tenant([b"other.example"], fetched))
    )

    assert code_and_cause(refused) == (errors.UNKNOWN_HOST, "no tenant has this host")
    assert fixture.reads == [CacheKey("host", "other.example")]


@pytest.mark.parametrize(
    "lines", [[], [b""], [b"a/b"], [b"shop.example", b"shop.example"], [b"shop.example", b"other.example"]]
)
def test_a_host_that_is_missing_repeated_or_malformed_is_a_bad_request(
    fixture: GateFixture, lines: list[bytes]
) -> None:
    refused = refusal(lambda: fixture.gate.tenant(lines, {CacheKey("host", "shop.example"): "ten_1"}))

    assert code_and_cause(refused) == (errors.BAD_REQUEST, "the Host header is missing, repeated or malformed")


# --- routes without a credential ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", [Open(None), Open(Surface.RESELLER), Open(Surface.STOREFRONT)])
def test_an_open_route_ignores_credentials(fixture: GateFixture, access: Open) -> None:
    rubbish = Credentials([b"Bearer x", b"y"], [b"z"], ADDRESS)
    assert fixture.authenticate(access, rubbish) is None
    assert fixture.authenticate(access, fixture.token()) is None


def test_a_suspended_tenant_shows_no_documents_and_leaves_refusing_logins_to_the_handler(fixture: GateFixture) -> None:
    fixture.tenant = replace(TENANT, suspended=True)
    assert code_and_cause(fixture.refused(Open(None), ABSENT)) == (
        errors.UNKNOWN_HOST,
        "the tenant is suspended",
    )
    assert fixture.authenticate(Open(Surface.RESELLER), ABSENT) is None


def test_an_anonymous_route_needs_no_token_but_refuses_an_invalid_one(fixture: GateFixture) -> None:
    assert fixture.authenticate(CATALOGUE, ABSENT) is None
    assert fixture.authenticate(CATALOGUE, api_key("rubbish")) is None
    principal = fixture.authenticate(CATALOGUE, fixture.token(Surface.STOREFRONT))
    assert principal is not None
    assert principal.owner == "cus_1"
    assert fixture.refused(CATALOGUE, bearer(b"a.b.c")).code is errors.TOKEN_INVALID
    assert fixture.refused(CATALOGUE, Credentials([b""], [], ADDRESS)).code is errors.TOKEN_MISSING
    assert fixture.refused(CATALOGUE, fixture.token(Surface.RESELLER)).code is errors.TOKEN_INVALID


def test_a_suspended_tenants_shop_is_closed_to_everybody(fixture: GateFixture) -> None:
    token = fixture.token(Surface.STOREFRONT)
    fixture.tenant = replace(TENANT, suspended=True)
    for credentials in (ABSENT, token):
        assert code_and_cause(fixture.refused(CATALOGUE, credentials)) == (
            errors.UNKNOWN_HOST,
            "the tenant is suspended",
        )


# --- bearer tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", [READS, SignedIn(Surface.RESELLER)])
def test_a_good_token_proves_who_its_account_is(fixture: GateFixture, access: Scoped | SignedIn) -> None:
    claims = fixture.claims(scopes=frozenset({"orders:read", "orders:create"}), token_id="tok_77")

    principal = fixture.authenticate(access, bearer(fixture.signed_token(claims)))

    assert principal == Principal(
        tenant="ten_1",
        surface=Surface.RESELLER,
        owner="par_1",
        credential="tok_77",
        scopes=frozenset({"orders:read", "orders:create"}),
        grants=None,
        token=claims,
        key=None,
    )
    assert fixture.reads == [CacheKey("account", "par_1")]


def test_the_scopes_are_those_of_both_the_token_and_the_account_today(fixture: GateFixture) -> None:
    fixture.add_accounts(replace(PARTNER, scopes=frozenset({"orders:read", "account:read"})))
    principal = fixture.authenticate(READS, fixture.token(scopes=frozenset({"orders:read", "orders:create"})))
    assert principal is not None
    assert principal.scopes == {"orders:read"}


@pytest.mark.parametrize(
    ("lines", "code", "cause"),
    [
        ([], errors.TOKEN_MISSING, "no Authorization header"),
        ([b"Bearer a.b.c", b"Bearer a.b.c"], errors.TOKEN_MISSING, "sent twice"),
        ([b"Basic a.b.c"], errors.TOKEN_MISSING, "not of the form Bearer <token>"),
        ([b"Bearer a.b"], errors.TOKEN_INVALID, "not three segments"),
        ([b"Bearer a.b.c"], errors.TOKEN_INVALID, "a segment is not canonical base64url"),
    ],
)
@pytest.mark.parametrize("access", [READS, SIGNED])
def test_a_token_that_cannot_be_read_is_refused_with_its_challenge(
    fixture: GateFixture, access: Scoped | SignedIn, lines: list[bytes], code: errors.ErrorCode, cause: str
) -> None:
    refused = fixture.refused(access, Credentials(lines, [], ADDRESS))

    assert code_and_cause(refused) == (code, cause)
    assert refused.headers == challenge(code)
    assert refused.account == ""
    assert fixture.reads == [], "nothing is read for a stranger"


def test_a_token_expires_at_the_second_of_its_exp(fixture: GateFixture) -> None:
    token = fixture.token()
    assert fixture.authenticate(READS, token, NOW + 3_599_999) is not None
    refused = fixture.refused(READS, token, NOW + 3_600_000)
    assert code_and_cause(refused) == (errors.TOKEN_EXPIRED, "past its exp")
    assert refused.headers == challenge(errors.TOKEN_EXPIRED)


def test_no_token_lives_longer_than_a_day(fixture: GateFixture) -> None:
    assert MAX_LIFETIME_MS == 86_400_000
    assert fixture.authenticate(READS, fixture.token(expires_at=SECOND + 86_400)) is not None
    refused = fixture.refused(READS, fixture.token(expires_at=SECOND + 86_401))
    assert code_and_cause(refused) == (errors.TOKEN_INVALID, "lifetime out of bounds")


def test_a_token_of_another_installation_surface_or_tenant_is_not_valid(fixture: GateFixture) -> None:
    assert code_and_cause(fixture.refused(READS, fixture.token(issuer="https://other.example"))) == (
        errors.TOKEN_INVALID,
        "wrong iss",
    )
    for other in (fixture.token(Surface.STOREFRONT), fixture.token(tenant="ten_2")):
        assert code_and_cause(fixture.refused(READS, other)) == (errors.TOKEN_INVALID, "wrong MAC")


def test_a_token_whose_surface_or_tenant_does_not_match_its_key_is_not_valid(fixture: GateFixture) -> None:
    signing = fixture.keyring.signing_key("s1", "ten_1", Surface.RESELLER, 4) or b""
    for claims, cause in (
        (fixture.claims(audience="storefront"), "wrong aud"),
        (fixture.claims(tenant="ten_2"), "wrong tenant"),
    ):
        credentials = bearer(mint(claims, signing).encode())
        assert code_and_cause(fixture.refused(READS, credentials)) == (errors.TOKEN_INVALID, cause)


@pytest.mark.parametrize("generation", [3, 5, 0])
def test_a_token_of_another_generation_of_the_tenant_has_no_key(fixture: GateFixture, generation: int) -> None:
    refused = fixture.refused(READS, fixture.token(kid=make_kid("s1", generation)))
    assert code_and_cause(refused) == (errors.TOKEN_INVALID, "no key of this kid")


@pytest.mark.parametrize("kid", ["s2.4", "d1.4", "s1", "s1.04", "S1.4", ".4", "4"])
def test_a_kid_that_names_no_signing_secret_has_no_key(fixture: GateFixture, kid: str) -> None:
    signing = fixture.keyring.signing_key("s1", "ten_1", Surface.RESELLER, 4) or b""
    credentials = bearer(mint(fixture.claims(kid=kid), signing).encode())
    assert code_and_cause(fixture.refused(READS, credentials)) == (errors.TOKEN_INVALID, "no key of this kid")


@pytest.mark.parametrize(
    "account",
    [
        None,
        replace(PARTNER, tenant="ten_2"),
        replace(PARTNER, kind="customer"),
        replace(PARTNER, kind="supplier"),
    ],
    ids=["none", "another tenant's", "a customer", "a supplier"],
)
def test_the_subject_is_an_account_of_this_tenant_and_of_the_surfaces_kind(
    fixture: GateFixture, account: AccountEntry | None
) -> None:
    token = fixture.token()
    del fixture.store[CacheKey("account", "par_1")]
    fixture.add_accounts(*([account] if account else []))
    refused = fixture.refused(READS, token)
    assert code_and_cause(refused) == (errors.TOKEN_INVALID, "the subject does not exist")
    assert refused.headers == challenge(errors.TOKEN_INVALID)
    assert refused.account == "", "the account of a stranger is nobody's business"


def test_the_subject_of_a_storefront_token_is_a_customer(fixture: GateFixture) -> None:
    principal = fixture.authenticate(SIGNED, fixture.token(Surface.STOREFRONT))
    assert principal is not None
    assert (principal.owner, principal.surface) == ("cus_1", Surface.STOREFRONT)
    fixture.add_accounts(replace(CUSTOMER, kind="partner"))
    assert fixture.refused(SIGNED, fixture.token(Surface.STOREFRONT)).code is errors.TOKEN_INVALID


@pytest.mark.parametrize(
    ("tenant", "account", "cause"),
    [
        (replace(TENANT, suspended=True), PARTNER, "the tenant is suspended"),
        (TENANT, replace(PARTNER, disabled=True), "the account is disabled"),
        (replace(TENANT, suspended=True), replace(PARTNER, disabled=True), "the tenant is suspended"),
        (TENANT, replace(PARTNER, disabled=True, token_version=9), "the account is disabled"),
        (TENANT, replace(PARTNER, token_version=4), "issued before a revocation"),
        (TENANT, replace(PARTNER, token_version=2), "issued before a revocation"),
        (replace(TENANT, token_version=3), PARTNER, "issued before a revocation"),
        (replace(TENANT, token_version=1), PARTNER, "issued before a revocation"),
        (replace(TENANT, surface_token_versions={**TENANT.surface_token_versions, Surface.RESELLER: 11}), PARTNER,
         "issued before a revocation"),
    ],
)  # fmt: skip
def test_a_suspension_a_disabling_or_another_token_version_refuses_a_good_token(
    fixture: GateFixture, tenant: TenantEntry, account: AccountEntry, cause: str
) -> None:
    token = fixture.token()
    assert fixture.authenticate(READS, token) is not None
    fixture.tenant = tenant
    fixture.add_accounts(account)
    refused = fixture.refused(READS, token)
    assert code_and_cause(refused) == (errors.TOKEN_INVALID, cause)
    assert refused.headers == challenge(errors.TOKEN_INVALID)
    assert refused.account == "par_1"


def test_a_revocation_on_one_surface_does_not_affect_tokens_of_another(fixture: GateFixture) -> None:
    token = fixture.token()
    fixture.tenant = replace(TENANT, surface_token_versions={**TENANT.surface_token_versions, Surface.STOREFRONT: 99})
    assert fixture.authenticate(READS, token) is not None


@pytest.mark.parametrize("token_version", [0, 2])
def test_another_token_version_of_the_installation_refuses_every_token(
    fixture: GateFixture, token_version: int
) -> None:
    token = fixture.token()
    fixture.gate.auth_cache.reset(Revision(8, 80), token_version, {})
    assert code_and_cause(fixture.refused(READS, token)) == (errors.TOKEN_INVALID, "issued before a revocation")


def test_a_single_token_that_was_revoked_is_refused_and_no_other_one(fixture: GateFixture) -> None:
    one, other = fixture.token(), fixture.token(token_id="tok_2")
    fixture.gate.auth_cache.apply([Change(Revision(8, 80), "token", f"tok_1 {NOW + 3_600_000}")])
    refused = fixture.refused(READS, one)
    assert code_and_cause(refused) == (errors.TOKEN_INVALID, "this token was revoked")
    assert refused.account == "par_1"
    assert fixture.authenticate(READS, other) is not None


# --- cached tokens ------------------------------------------------------------------------------------------------------


def test_a_verified_token_is_cached_for_its_tenant_and_surface(fixture: GateFixture) -> None:
    token = fixture.token()
    fixture.authenticate(READS, token)
    assert len(fixture.gate.token_cache) == 1
    assert fixture.gate.token_cache.get(token.authorization[0][7:], "ten_1", "reseller", NOW) == fixture.claims()
    fixture.authenticate(READS, token)
    assert len(fixture.gate.token_cache) == 1


def test_a_refused_token_is_not_cached(fixture: GateFixture) -> None:
    fixture.refused(READS, bearer(fixture.signed_token(fixture.claims())[:-1] + b"A"))
    fixture.refused(READS, fixture.token(), NOW + 3_600_000)
    assert len(fixture.gate.token_cache) == 0


def test_a_cached_token_is_not_verified_again(fixture: GateFixture) -> None:
    fixture.gate.token_cache.put(b"x.y.z", "ten_1", "reseller", fixture.claims(token_id="tok_5"))
    principal = fixture.authenticate(READS, bearer(b"x.y.z"))
    assert principal is not None
    assert principal.credential == "tok_5"


def test_a_new_generation_ends_cached_tokens_too(fixture: GateFixture) -> None:
    token = fixture.token()
    fixture.authenticate(READS, token)
    fixture.tenant = replace(TENANT, generation=5)
    assert code_and_cause(fixture.refused(READS, token)) == (errors.TOKEN_INVALID, "no key of this kid")


def test_a_retired_signing_secret_still_verifies_until_it_is_forgotten(fixture: GateFixture) -> None:
    token = fixture.token()
    rotated = fixture.keyring.rotate_signing(seeded_randomness("next"))
    fixture.gate.use_keyring(rotated)
    assert fixture.authenticate(READS, token) is not None
    assert len(fixture.gate.token_cache) == 1
    fixture.gate.keyring = rotated.forget_signing("s1")
    assert len(fixture.gate.token_cache) == 1, "also what is still remembered is refused"
    assert code_and_cause(fixture.refused(READS, token)) == (errors.TOKEN_INVALID, "no key of this kid")


def test_rotating_the_key_sets_clears_the_token_cache(fixture: GateFixture) -> None:
    fixture.authenticate(READS, fixture.token())
    other = Keyring.generate(seeded_randomness("other"))
    fixture.gate.use_keyring(other)
    assert fixture.gate.keyring is other
    assert len(fixture.gate.token_cache) == 0
    assert code_and_cause(fixture.refused(READS, fixture.token())) == (errors.TOKEN_INVALID, "wrong MAC")


def test_each_gate_has_its_own_token_cache(fixture: GateFixture) -> None:
    one, other = (Gate(AuthCache(), fixture.keyring, "x") for _ in range(2))
    assert one.token_cache is not other.token_cache


# --- authorisation ------------------------------------------------------------------------------------------------------


def a_partner(*scopes: str) -> Principal:
    return Principal("ten_1", Surface.RESELLER, "par_1", "tok_1", frozenset(scopes), None)


def a_supplier(*grants: str, surface: Surface = Surface.SUPPLIER) -> Principal:
    return Principal("ten_1", surface, "sup_1", "key_1", frozenset(), frozenset(grants) if grants else None)


def off(*names: str, on: str = "") -> TenantEntry:
    return replace(TENANT, access=dict.fromkeys(names, False) | ({on: True} if on else {}))


@pytest.mark.parametrize(
    ("tenant", "access", "principal"),
    [
        (TENANT, READS, a_partner("orders:read")),
        (TENANT, READS, a_partner(*SCOPES[Surface.RESELLER])),
        (off("storefront"), READS, a_partner("orders:read")),
        (off("reseller", on="post /orders/get"), READS, a_partner("orders:read")),
        (TENANT, SignedIn(Surface.RESELLER), a_partner()),
        (TENANT, CATALOGUE, None),
        (off("reseller"), CATALOGUE, None),
        (TENANT, DELIVERS, a_supplier()),
        (TENANT, DELIVERS, a_supplier("orders:deliver")),
        (TENANT, Open(None), None),
        (off("reseller", "post /orders/get"), Open(Surface.RESELLER), None),
    ],
)
def test_a_principal_with_the_demanded_right_is_authorised(
    tenant: TenantEntry,
    access: Scoped | SignedIn | Anonymous | Keyed | Open,
    principal: Principal | None,
) -> None:
    Gate.authorise(tenant, access, ENDPOINT, principal)
    assert principal is None or principal.tenant == tenant.id


LACKS = f'Bearer realm="{REALM}", error="insufficient_scope", scope="orders:read"'.encode()


@pytest.mark.parametrize(
    ("tenant", "access", "principal", "code", "cause", "header"),
    [
        (TENANT, READS, None, errors.SCOPE_MISSING, "lacks orders:read", LACKS),
        (TENANT, READS, a_partner(), errors.SCOPE_MISSING, "lacks orders:read", LACKS),
        (TENANT, READS, a_partner("orders:create"), errors.SCOPE_MISSING, "lacks orders:read", LACKS),
        (off("reseller"), READS, a_partner("orders:read"), errors.SCOPE_MISSING, "lacks orders:read", LACKS),
        (off("post /orders/get"), READS, a_partner("orders:read"), errors.SCOPE_MISSING, "lacks orders:read", LACKS),
        (off("storefront"), SIGNED, a_partner(), errors.SCOPE_MISSING, "switched off",
         b'Bearer realm="bedesten", error="insufficient_scope"'),
        (off("storefront"), CATALOGUE, None, errors.NOT_FOUND, "switched off for the tenant", None),
        (off("post /orders/get"), CATALOGUE, None, errors.NOT_FOUND, "switched off for the tenant", None),
        (TENANT, DELIVERS, None, errors.NOT_GRANTED, "a key of another surface", None),
        (TENANT, DELIVERS, a_supplier(surface=Surface.PAYMENT), errors.NOT_GRANTED, "a key of another surface", None),
        (off("supplier"), DELIVERS, a_supplier(), errors.NOT_GRANTED, "switched off for the tenant", None),
        (TENANT, DELIVERS, a_supplier("orders:read"), errors.NOT_GRANTED, "the key lacks orders:deliver", None),
        (off("supplier"), DELIVERS, a_supplier("orders:read"), errors.NOT_GRANTED, "switched off for the tenant", None),
        (off("supplier"), DELIVERS, a_supplier(surface=Surface.PAYMENT), errors.NOT_GRANTED,
         "a key of another surface", None),
    ],
)  # fmt: skip
def test_a_principal_without_the_demanded_right_gets_a_403_that_says_so(
    tenant: TenantEntry,
    access: Scoped | SignedIn | Anonymous | Keyed,
    principal: Principal | None,
    code: errors.ErrorCode,
    cause: str,
    header: bytes | None,
) -> None:
    refused = refusal(lambda: Gate.authorise(tenant, access, ENDPOINT, principal))

    assert code_and_cause(refused) == (code, cause)
    assert refused.headers == (((b"www-authenticate", header),) if header else ())


# --- what the caller sees -----------------------------------------------------------------------------------------------


@pytest.mark.requirement(1, 15)
@pytest.mark.parametrize(
    ("code", "header"),
    [
        (errors.TOKEN_MISSING, b'Bearer realm="bedesten"'),
        (errors.TOKEN_INVALID,
         b'Bearer realm="bedesten", error="invalid_token", error_description="The token is not valid"'),
        (errors.TOKEN_EXPIRED,
         b'Bearer realm="bedesten", error="invalid_token", error_description="The token has expired"'),
        (errors.SCOPE_MISSING, b'Bearer realm="bedesten", error="insufficient_scope"'),
        (errors.KEY_REFUSED, b'ApiKey realm="bedesten"'),
    ],
)  # fmt: skip
def test_every_401_has_its_challenge(code: errors.ErrorCode, header: bytes) -> None:
    assert challenge(code) == ((b"www-authenticate", header),)


def test_a_decision_names_the_missing_entry_and_is_the_same_when_repeated(fixture: GateFixture) -> None:
    token = fixture.token()
    for _ in range(2):
        with pytest.raises(CacheMiss) as miss:
            fixture.gate.authenticate(TENANT, READS, token, NOW)
        assert miss.value.key == CacheKey("account", "par_1")
    assert len(fixture.gate.token_cache) == 1
