"""The gate looks up an API key and checks it in a fixed order; every refusal is the same and costs the same."""

from dataclasses import replace

import pytest

from bedesten import errors
from bedesten.gate.access import AnyKey, Keyed, Scoped
from bedesten.gate.api_keys import imported_form, parse_networks
from bedesten.gate.auth_cache import CacheKey
from bedesten.gate.decide import Credentials, challenge, key_refused
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from tests.gate.gate_fixture import (
    ABSENT,
    ADDRESS,
    INTEGRATION,
    LIVE_KEY,
    NO_KEY,
    NOW,
    SUPPLIER,
    SUPPLIER_KEY,
    TENANT,
    TEST_KEY,
    GateFixture,
    api_key,
    code_and_cause,
    kinds,
    refusal,
    seeded_randomness,
)

READS = Scoped(Surface.RESELLER, "orders:read")
DELIVERS = Keyed(Surface.SUPPLIER, "orders:deliver")


@pytest.fixture
def fixture() -> GateFixture:
    return GateFixture()


def test_a_good_key_proves_who_its_owner_is(fixture: GateFixture) -> None:
    credentials = fixture.issue_key(replace(SUPPLIER_KEY, grants=frozenset({"orders:deliver"})))

    principal = fixture.authenticate(DELIVERS, credentials)

    digest = fixture.digest(LIVE_KEY)
    assert principal == Principal(
        tenant="ten_1",
        surface=Surface.SUPPLIER,
        owner="sup_1",
        credential="key_1",
        scopes=frozenset(),
        grants=frozenset({"orders:deliver"}),
        token=None,
        key=replace(SUPPLIER_KEY, grants=frozenset({"orders:deliver"}), digest=digest),
    )
    assert fixture.reads == [CacheKey("key", (digest,)), CacheKey("account", "sup_1")]


def test_a_cached_key_is_not_read_again(fixture: GateFixture) -> None:
    fixture.issue_key()
    entry = fixture.store[CacheKey("key", (fixture.digest(LIVE_KEY),))]
    fixture.gate.auth_cache.put(CacheKey("key", (fixture.digest(LIVE_KEY),)), entry)
    assert fixture.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None
    assert kinds(fixture.reads) == ["account"]


KEYED_CAUSES = {
    "no live key has this digest": lambda fixture: api_key(LIVE_KEY),
    "no ApiKey header": lambda fixture: ABSENT,
    "sent twice": lambda fixture: Credentials([], [LIVE_KEY.encode()] * 2, ADDRESS),
    "not of the form of an API key": lambda fixture: api_key(LIVE_KEY + "0"),
}


@pytest.mark.parametrize("cause", KEYED_CAUSES)
def test_an_unknown_key_is_looked_up_like_any_other(fixture: GateFixture, cause: str) -> None:
    refused = fixture.refused(DELIVERS, KEYED_CAUSES[cause](fixture))

    assert code_and_cause(refused) == (errors.KEY_REFUSED, cause)
    assert refused.headers == challenge(errors.KEY_REFUSED)
    assert refused.account == ""
    asked = LIVE_KEY if cause.startswith("no live") else NO_KEY
    assert fixture.reads == [CacheKey("key", (fixture.digest(asked),))]


def disabled_owner(fixture: GateFixture) -> Credentials:
    fixture.add_accounts(replace(SUPPLIER, disabled=True))
    return fixture.issue_key()


def no_owner(fixture: GateFixture) -> Credentials:
    del fixture.store[CacheKey("account", "sup_1")]
    return fixture.issue_key()


def suspended(fixture: GateFixture) -> Credentials:
    fixture.tenant = replace(TENANT, suspended=True)
    return fixture.issue_key()


def sandbox(fixture: GateFixture) -> Credentials:
    fixture.tenant = replace(TENANT, sandbox=True)
    return fixture.issue_key()


WALL = "a key from the other side of the wall between sandboxes and live tenants (key_1)"
FAULTS = {
    "disabled owner": (disabled_owner, "a disabled owner's key (key_1)", "sup_1"),
    "no owner": (no_owner, "a disabled owner's key (key_1)", "sup_1"),
    "another tenant's": (
        lambda fixture: fixture.issue_key(replace(SUPPLIER_KEY, tenant="ten_2")),
        "another tenant's or a suspended tenant's key (key_1)",
        "",
    ),
    "suspended": (suspended, "another tenant's or a suspended tenant's key (key_1)", "sup_1"),
    "live key in a sandbox": (sandbox, WALL, "sup_1"),
    "test key in a live tenant": (lambda fixture: fixture.issue_key(key=TEST_KEY), WALL, "sup_1"),
    "expired": (lambda fixture: fixture.issue_key(replace(SUPPLIER_KEY, expires=NOW)), "expired (key_1)", "sup_1"),
    "long expired": (lambda fixture: fixture.issue_key(replace(SUPPLIER_KEY, expires=0)), "expired (key_1)", "sup_1"),
    "from elsewhere": (
        lambda fixture: fixture.issue_key(replace(SUPPLIER_KEY, networks=parse_networks(["198.51.100.0/24"]))),
        "not from an allowed address (key_1)",
        "sup_1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_key_with_a_fault_gets_the_answer_of_an_unknown_one_and_costs_as_much(
    fixture: GateFixture, fault: str
) -> None:
    arrange, cause, who = FAULTS[fault]
    credentials = arrange(fixture)

    refused = fixture.refused(DELIVERS, credentials)

    unknown = fixture.refused(DELIVERS, api_key(LIVE_KEY[:-1] + "0"))
    assert code_and_cause(refused) == (errors.KEY_REFUSED, cause)
    assert (refused.code, refused.headers) == (unknown.code, unknown.headers)
    assert refused.account == who
    key = credentials.api_key[0].decode()
    assert fixture.reads[:3] == [
        CacheKey("key", (fixture.digest(key),)),
        CacheKey("account", "sup_1"),
        CacheKey("key", (fixture.digest(NO_KEY),)),
    ], "as much is looked up as for a key that is not there"


def test_faults_are_checked_in_a_fixed_order(fixture: GateFixture) -> None:
    entry = replace(SUPPLIER_KEY, tenant="ten_2", expires=0, networks=parse_networks(["198.51.100.0/24"]))
    fixture.add_accounts(replace(SUPPLIER, disabled=True))
    fixture.tenant = replace(TENANT, sandbox=True)
    causes = []
    for better in ({"disabled": False}, {"tenant": "ten_1"}, {"sandbox": False}, {"expires": None}, {"networks": ()}):
        causes.append(fixture.refused(DELIVERS, fixture.issue_key(entry)).cause.split(" (")[0])
        if "disabled" in better:
            fixture.add_accounts(SUPPLIER)
        elif "sandbox" in better:
            fixture.tenant = TENANT
        else:
            entry = replace(entry, **better)
    assert causes == [
        "a disabled owner's key",
        "another tenant's or a suspended tenant's key",
        WALL.removesuffix(" (key_1)"),
        "expired",
        "not from an allowed address",
    ]
    assert fixture.authenticate(DELIVERS, fixture.issue_key(entry)) is not None


def test_a_key_lives_until_the_millisecond_of_its_end(fixture: GateFixture) -> None:
    credentials = fixture.issue_key(replace(SUPPLIER_KEY, expires=NOW))
    assert fixture.authenticate(DELIVERS, credentials, NOW - 1) is not None
    assert fixture.refused(DELIVERS, credentials, NOW).cause == "expired (key_1)"


def test_a_test_key_is_accepted_in_a_sandbox(fixture: GateFixture) -> None:
    fixture.tenant = replace(TENANT, sandbox=True)
    assert fixture.authenticate(DELIVERS, fixture.issue_key(key=TEST_KEY)) is not None


def test_a_key_may_be_bound_to_addresses(fixture: GateFixture) -> None:
    fixture.issue_key(replace(SUPPLIER_KEY, networks=parse_networks(["198.51.100.0/24"])))
    assert fixture.authenticate(DELIVERS, api_key(LIVE_KEY, address="198.51.100.7")) is not None
    assert fixture.refused(DELIVERS, api_key(LIVE_KEY, address="198.51.101.7")).code is errors.KEY_REFUSED


def test_a_key_is_found_under_a_retired_pepper_after_the_current_one(fixture: GateFixture) -> None:
    fixture.issue_key()
    rotated = fixture.keyring.rotate_digest(seeded_randomness("next"))
    fixture.gate.use_keyring(rotated)

    assert fixture.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None

    digests = tuple(rotated.key_digest("ten_1", LIVE_KEY, pepper) for pepper in ("d2", "d1"))
    assert fixture.reads == [CacheKey("key", digests), CacheKey("account", "sup_1")]


def test_a_cached_key_under_a_retired_pepper_is_not_read_again(fixture: GateFixture) -> None:
    fixture.issue_key()
    entry = fixture.store[CacheKey("key", (fixture.digest(LIVE_KEY),))]
    fixture.gate.auth_cache.put(CacheKey("key", (fixture.digest(LIVE_KEY),)), entry)
    fixture.gate.use_keyring(fixture.keyring.rotate_digest(seeded_randomness("next")))
    assert fixture.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None
    assert kinds(fixture.reads) == ["account"]


def test_an_imported_key_is_looked_up_by_its_imported_form_too(fixture: GateFixture) -> None:
    fixture.tenant = replace(TENANT, imports=True)
    foreign = fixture.digest(imported_form(LIVE_KEY))
    fixture.store[CacheKey("key", (foreign,))] = replace(SUPPLIER_KEY, digest=foreign, imported=True)
    rotated = fixture.keyring.rotate_digest(seeded_randomness("next"))
    fixture.gate.use_keyring(rotated)

    principal = fixture.authenticate(DELIVERS, api_key(LIVE_KEY))

    assert principal is not None
    assert principal.key is not None
    assert principal.key.imported
    forms = (LIVE_KEY, imported_form(LIVE_KEY))
    digests = tuple(rotated.key_digest("ten_1", form, pepper) for form in forms for pepper in ("d2", "d1"))
    assert fixture.reads[0] == CacheKey("key", digests)


def test_without_imports_the_imported_form_is_not_looked_up(fixture: GateFixture) -> None:
    foreign = fixture.digest(imported_form(LIVE_KEY))
    fixture.store[CacheKey("key", (foreign,))] = replace(SUPPLIER_KEY, digest=foreign)
    assert fixture.refused(DELIVERS, api_key(LIVE_KEY)).cause == "no live key has this digest"
    assert fixture.reads == [CacheKey("key", (fixture.digest(LIVE_KEY),))]


def test_a_surface_ignores_the_other_mechanisms_header(fixture: GateFixture) -> None:
    key, token = fixture.issue_key(), fixture.token()
    both = Credentials(token.authorization, key.api_key, ADDRESS)
    rubbish_token = Credentials([b"Bearer x"], key.api_key, ADDRESS)
    rubbish_key = Credentials(token.authorization, [b"x"], ADDRESS)
    assert fixture.authenticate(READS, both) is not None
    assert fixture.authenticate(DELIVERS, both) is not None
    assert fixture.authenticate(DELIVERS, rubbish_token) is not None
    assert fixture.authenticate(READS, rubbish_key) is not None
    assert fixture.refused(READS, key).code is errors.TOKEN_MISSING
    assert fixture.refused(DELIVERS, token).code is errors.KEY_REFUSED


def test_only_a_good_key_of_the_surface_passes_to_the_404_of_an_unknown_path(fixture: GateFixture) -> None:
    credentials = fixture.issue_key()
    payment = fixture.issue_key(
        replace(SUPPLIER_KEY, key_id="key_2", surface=Surface.PAYMENT, owner=INTEGRATION.id), key="ak_live_" + "a" * 32
    )

    def ask(surface: Surface, credentials: Credentials) -> None:
        access = AnyKey(surface)
        fixture.gate.authorise(fixture.tenant, access, "", fixture.authenticate(access, credentials))

    ask(Surface.SUPPLIER, credentials)
    ask(Surface.PAYMENT, payment)
    assert code_and_cause(refusal(lambda: ask(Surface.PAYMENT, credentials))) == (
        errors.NOT_GRANTED,
        "a key of another surface",
    )
    assert refusal(lambda: ask(Surface.SUPPLIER, payment)).code is errors.NOT_GRANTED
    assert refusal(lambda: ask(Surface.SUPPLIER, ABSENT)).code is errors.KEY_REFUSED


def test_every_part_that_refuses_a_key_uses_the_same_refusal() -> None:
    refused = key_refused("expired (key_1)", "sup_1")
    assert code_and_cause(refused) == (errors.KEY_REFUSED, "expired (key_1)")
    assert refused.account == "sup_1"
    assert refused.headers == challenge(errors.KEY_REFUSED)
    assert key_refused("x").account == ""
