"""The gate's three questions: each refusal has one cause, in one order, and says nothing of it to the caller."""

from dataclasses import replace

import pytest

from bedesten import errors
from bedesten.core.revision import Revision
from bedesten.gate.access import Anonymous, Keyed, Open, Scoped, SignedIn
from bedesten.gate.bearer import mint
from bedesten.gate.decide import MAX_LIFETIME, REALM, Credentials, Gate, challenge
from bedesten.gate.directory import AccountEntry, Change, Directory, TenantEntry, Unloaded, Want
from bedesten.gate.keyring import Keyring, make_kid
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import SCOPES, Surface
from tests.gate.gatehouse import (
    ADDRESS,
    CUSTOMER,
    NOTHING,
    NOW,
    PARTNER,
    SECOND,
    TENANT,
    House,
    api_key,
    bearer,
    dice,
    refusal,
    told,
)

READS = Scoped(Surface.RESELLER, "orders:read")
SIGNED = SignedIn(Surface.STOREFRONT)
CATALOGUE = Anonymous(Surface.STOREFRONT)
DELIVERS = Keyed(Surface.SUPPLIER, "orders:deliver")
ENDPOINT = "POST /Orders/Get"


@pytest.fixture
def house() -> House:
    return House()


# --- which tenant -------------------------------------------------------------------------------------------------------


def test_a_tenant_is_found_by_its_canonical_host_and_then_remembered(house: House) -> None:
    house.store |= {Want("host", "shop.example"): "ten_1", Want("tenant", "ten_1"): TENANT}

    found = house.decided(lambda loaded: house.gate.tenant([b"SHOP.example.:8080"], loaded), remember=True)

    assert found is TENANT
    assert house.wanted == [Want("host", "shop.example"), Want("tenant", "ten_1")]
    assert house.gate.tenant([b"shop.example"]) is TENANT


def test_there_is_no_default_tenant(house: House) -> None:
    refused = refusal(lambda: house.decided(lambda loaded: house.gate.tenant([b"other.example"], loaded)))

    assert told(refused) == (errors.UNKNOWN_HOST, "no tenant has this host")
    assert house.wanted == [Want("host", "other.example")]


@pytest.mark.parametrize(
    "lines", [[], [b""], [b"a/b"], [b"shop.example", b"shop.example"], [b"shop.example", b"other.example"]]
)
def test_a_host_that_is_missing_repeated_or_malformed_is_a_bad_request(house: House, lines: list[bytes]) -> None:
    refused = refusal(lambda: house.gate.tenant(lines, {Want("host", "shop.example"): "ten_1"}))

    assert told(refused) == (errors.BAD_REQUEST, "the Host header is missing, repeated or malformed")


# --- routes without a credential ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", [Open(None), Open(Surface.RESELLER), Open(Surface.STOREFRONT)])
def test_an_open_route_looks_at_no_credential(house: House, access: Open) -> None:
    rubbish = Credentials([b"Bearer x", b"y"], [b"z"], ADDRESS)
    assert house.authenticate(access, rubbish) is None
    assert house.authenticate(access, house.token()) is None


def test_a_suspended_tenant_shows_no_documents_but_answers_a_login_itself(house: House) -> None:
    house.tenant = replace(TENANT, suspended=True)
    assert told(house.refused(Open(None), NOTHING)) == (errors.UNKNOWN_HOST, "the tenant is suspended")
    assert house.authenticate(Open(Surface.RESELLER), NOTHING) is None


def test_an_anonymous_route_needs_no_token_but_one_that_is_sent_must_be_good(house: House) -> None:
    assert house.authenticate(CATALOGUE, NOTHING) is None
    assert house.authenticate(CATALOGUE, api_key("rubbish")) is None
    principal = house.authenticate(CATALOGUE, house.token(Surface.STOREFRONT))
    assert principal is not None
    assert principal.owner == "cus_1"
    assert house.refused(CATALOGUE, bearer(b"a.b.c")).row is errors.TOKEN_INVALID
    assert house.refused(CATALOGUE, Credentials([b""], [], ADDRESS)).row is errors.TOKEN_MISSING
    assert house.refused(CATALOGUE, house.token(Surface.RESELLER)).row is errors.TOKEN_INVALID


def test_a_suspended_tenants_shop_is_closed_to_everybody(house: House) -> None:
    token = house.token(Surface.STOREFRONT)
    house.tenant = replace(TENANT, suspended=True)
    for presented in (NOTHING, token):
        assert told(house.refused(CATALOGUE, presented)) == (errors.UNKNOWN_HOST, "the tenant is suspended")


# --- bearer tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", [READS, SignedIn(Surface.RESELLER)])
def test_a_good_token_proves_who_its_account_is(house: House, access: Scoped | SignedIn) -> None:
    claims = house.claims(scopes=frozenset({"orders:read", "orders:create"}), token_id="tok_77")

    principal = house.authenticate(access, bearer(house.minted(claims)))

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
    assert house.wanted == [Want("account", "par_1")]


def test_what_counts_is_the_tokens_snapshot_and_todays_scopes(house: House) -> None:
    house.knows(replace(PARTNER, scopes=frozenset({"orders:read", "account:read"})))
    principal = house.authenticate(READS, house.token(scopes=frozenset({"orders:read", "orders:create"})))
    assert principal is not None
    assert principal.scopes == {"orders:read"}


@pytest.mark.parametrize(
    ("lines", "row", "cause"),
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
    house: House, access: Scoped | SignedIn, lines: list[bytes], row: errors.ErrorRow, cause: str
) -> None:
    refused = house.refused(access, Credentials(lines, [], ADDRESS))

    assert told(refused) == (row, cause)
    assert refused.headers == challenge(row)
    assert refused.who == ""
    assert house.wanted == [], "nothing is read for a stranger"


def test_a_token_dies_with_its_second(house: House) -> None:
    token = house.token()
    assert house.authenticate(READS, token, NOW + 3_599_999) is not None
    refused = house.refused(READS, token, NOW + 3_600_000)
    assert told(refused) == (errors.TOKEN_EXPIRED, "past its exp")
    assert refused.headers == challenge(errors.TOKEN_EXPIRED)


def test_no_token_lives_longer_than_a_day(house: House) -> None:
    assert MAX_LIFETIME == 86_400_000
    assert house.authenticate(READS, house.token(expires_at=SECOND + 86_400)) is not None
    refused = house.refused(READS, house.token(expires_at=SECOND + 86_401))
    assert told(refused) == (errors.TOKEN_INVALID, "lifetime out of bounds")


def test_a_token_of_another_installation_surface_or_tenant_is_not_valid(house: House) -> None:
    assert told(house.refused(READS, house.token(issuer="https://other.example"))) == (
        errors.TOKEN_INVALID,
        "wrong iss",
    )
    for other in (house.token(Surface.STOREFRONT), house.token(tenant="ten_2")):
        assert told(house.refused(READS, other)) == (errors.TOKEN_INVALID, "wrong MAC")


def test_a_token_that_lies_about_its_surface_or_tenant_is_not_valid(house: House) -> None:
    signing = house.keyring.signing_key("s1", "ten_1", Surface.RESELLER, 4) or b""
    for claims, cause in (
        (house.claims(audience="storefront"), "wrong aud"),
        (house.claims(tenant="ten_2"), "wrong tenant"),
    ):
        presented = bearer(mint(claims, signing).encode())
        assert told(house.refused(READS, presented)) == (errors.TOKEN_INVALID, cause)


@pytest.mark.parametrize("generation", [3, 5, 0])
def test_a_token_of_another_generation_of_the_tenant_has_no_key(house: House, generation: int) -> None:
    refused = house.refused(READS, house.token(kid=make_kid("s1", generation)))
    assert told(refused) == (errors.TOKEN_INVALID, "no key of this kid")


@pytest.mark.parametrize("kid", ["s2.4", "d1.4", "s1", "s1.04", "S1.4", ".4", "4"])
def test_a_kid_that_names_no_signing_secret_has_no_key(house: House, kid: str) -> None:
    signing = house.keyring.signing_key("s1", "ten_1", Surface.RESELLER, 4) or b""
    presented = bearer(mint(house.claims(kid=kid), signing).encode())
    assert told(house.refused(READS, presented)) == (errors.TOKEN_INVALID, "no key of this kid")


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
    house: House, account: AccountEntry | None
) -> None:
    token = house.token()
    del house.store[Want("account", "par_1")]
    house.knows(*([account] if account else []))
    refused = house.refused(READS, token)
    assert told(refused) == (errors.TOKEN_INVALID, "the subject does not exist")
    assert refused.headers == challenge(errors.TOKEN_INVALID)
    assert refused.who == "", "the account of a stranger is nobody's business"


def test_a_customer_is_who_a_storefronts_token_names(house: House) -> None:
    principal = house.authenticate(SIGNED, house.token(Surface.STOREFRONT))
    assert principal is not None
    assert (principal.owner, principal.surface) == ("cus_1", Surface.STOREFRONT)
    house.knows(replace(CUSTOMER, kind="partner"))
    assert house.refused(SIGNED, house.token(Surface.STOREFRONT)).row is errors.TOKEN_INVALID


@pytest.mark.parametrize(
    ("tenant", "account", "cause"),
    [
        (replace(TENANT, suspended=True), PARTNER, "the tenant is suspended"),
        (TENANT, replace(PARTNER, disabled=True), "the account is disabled"),
        (replace(TENANT, suspended=True), replace(PARTNER, disabled=True), "the tenant is suspended"),
        (TENANT, replace(PARTNER, disabled=True, epoch=9), "the account is disabled"),
        (TENANT, replace(PARTNER, epoch=4), "issued before a revocation"),
        (TENANT, replace(PARTNER, epoch=2), "issued before a revocation"),
        (replace(TENANT, epoch=3), PARTNER, "issued before a revocation"),
        (replace(TENANT, epoch=1), PARTNER, "issued before a revocation"),
        (replace(TENANT, surface_epochs={**TENANT.surface_epochs, Surface.RESELLER: 11}), PARTNER,
         "issued before a revocation"),
    ],
)  # fmt: skip
def test_what_was_taken_away_refuses_a_token_that_was_good(
    house: House, tenant: TenantEntry, account: AccountEntry, cause: str
) -> None:
    token = house.token()
    assert house.authenticate(READS, token) is not None
    house.tenant = tenant
    house.knows(account)
    refused = house.refused(READS, token)
    assert told(refused) == (errors.TOKEN_INVALID, cause)
    assert refused.headers == challenge(errors.TOKEN_INVALID)
    assert refused.who == "par_1"


def test_another_surfaces_revocation_leaves_this_ones_tokens_alone(house: House) -> None:
    token = house.token()
    house.tenant = replace(TENANT, surface_epochs={**TENANT.surface_epochs, Surface.STOREFRONT: 99})
    assert house.authenticate(READS, token) is not None


@pytest.mark.parametrize("epoch", [0, 2])
def test_the_end_of_everybodys_tokens_refuses_them_all(house: House, epoch: int) -> None:
    token = house.token()
    house.gate.directory.restart(Revision(8, 80), epoch, {})
    assert told(house.refused(READS, token)) == (errors.TOKEN_INVALID, "issued before a revocation")


def test_a_single_token_that_was_revoked_is_refused_and_no_other_one(house: House) -> None:
    one, other = house.token(), house.token(token_id="tok_2")
    house.gate.directory.apply([Change(Revision(8, 80), "token", f"tok_1 {NOW + 3_600_000}")])
    refused = house.refused(READS, one)
    assert told(refused) == (errors.TOKEN_INVALID, "this token was revoked")
    assert refused.who == "par_1"
    assert house.authenticate(READS, other) is not None


# --- tokens that were verified before -----------------------------------------------------------------------------------


def test_a_verified_token_is_remembered_for_its_tenant_and_surface(house: House) -> None:
    token = house.token()
    house.authenticate(READS, token)
    assert len(house.gate.memory) == 1
    assert house.gate.memory.get(token.authorization[0][7:], "ten_1", "reseller", NOW) == house.claims()
    house.authenticate(READS, token)
    assert len(house.gate.memory) == 1


def test_a_refused_token_is_not_remembered(house: House) -> None:
    house.refused(READS, bearer(house.minted(house.claims())[:-1] + b"A"))
    house.refused(READS, house.token(), NOW + 3_600_000)
    assert len(house.gate.memory) == 0


def test_a_remembered_token_is_taken_at_its_word_and_not_read_again(house: House) -> None:
    house.gate.memory.put(b"x.y.z", "ten_1", "reseller", house.claims(token_id="tok_5"))
    principal = house.authenticate(READS, bearer(b"x.y.z"))
    assert principal is not None
    assert principal.credential == "tok_5"


def test_a_new_generation_ends_remembered_tokens_too(house: House) -> None:
    token = house.token()
    house.authenticate(READS, token)
    house.tenant = replace(TENANT, generation=5)
    assert told(house.refused(READS, token)) == (errors.TOKEN_INVALID, "no key of this kid")


def test_a_retired_signing_secret_still_verifies_until_it_is_forgotten(house: House) -> None:
    token = house.token()
    turned = house.keyring.rotate_signing(dice("next"))
    house.gate.turn(turned)
    assert house.authenticate(READS, token) is not None
    assert len(house.gate.memory) == 1
    house.gate.keyring = turned.forget_signing("s1")
    assert len(house.gate.memory) == 1, "also what is still remembered is refused"
    assert told(house.refused(READS, token)) == (errors.TOKEN_INVALID, "no key of this kid")


def test_turning_the_rings_forgets_what_was_verified_under_the_old_ones(house: House) -> None:
    house.authenticate(READS, house.token())
    other = Keyring.generate(dice("other"))
    house.gate.turn(other)
    assert house.gate.keyring is other
    assert len(house.gate.memory) == 0
    assert told(house.refused(READS, house.token())) == (errors.TOKEN_INVALID, "wrong MAC")


def test_each_gate_has_a_memory_of_its_own(house: House) -> None:
    one, other = (Gate(Directory(), house.keyring, "x") for _ in range(2))
    assert one.memory is not other.memory


# --- may they -----------------------------------------------------------------------------------------------------------


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
def test_who_has_what_is_demanded_goes_on(
    tenant: TenantEntry,
    access: Scoped | SignedIn | Anonymous | Keyed | Open,
    principal: Principal | None,
) -> None:
    Gate.authorise(tenant, access, ENDPOINT, principal)
    assert principal is None or principal.tenant == tenant.id


LACKS = f'Bearer realm="{REALM}", error="insufficient_scope", scope="orders:read"'.encode()


@pytest.mark.parametrize(
    ("tenant", "access", "principal", "row", "cause", "header"),
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
def test_who_lacks_it_is_told_so(
    tenant: TenantEntry,
    access: Scoped | SignedIn | Anonymous | Keyed,
    principal: Principal | None,
    row: errors.ErrorRow,
    cause: str,
    header: bytes | None,
) -> None:
    refused = refusal(lambda: Gate.authorise(tenant, access, ENDPOINT, principal))

    assert told(refused) == (row, cause)
    assert refused.headers == (((b"www-authenticate", header),) if header else ())


# --- what the caller is told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "header"),
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
def test_r1_r15_every_401_has_its_challenge(row: errors.ErrorRow, header: bytes) -> None:
    assert challenge(row) == ((b"www-authenticate", header),)


def test_a_decision_says_what_it_lacks_and_is_the_same_when_asked_again(house: House) -> None:
    token = house.token()
    for _ in range(2):
        with pytest.raises(Unloaded) as unloaded:
            house.gate.authenticate(TENANT, READS, token, NOW)
        assert unloaded.value.want == Want("account", "par_1")
    assert len(house.gate.memory) == 1
