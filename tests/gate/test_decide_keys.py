"""An API key is looked up, its faults are looked at in one order, and every refusal is the same and costs the same."""

from dataclasses import replace

import pytest

from bedesten import errors
from bedesten.gate.access import Keyed, Scoped
from bedesten.gate.apikeys import foreign_form, parse_networks
from bedesten.gate.decide import Credentials, challenge, key_refused
from bedesten.gate.directory import Want
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from tests.gate.gatehouse import (
    ADDRESS,
    INTEGRATION,
    LIVE_KEY,
    NO_KEY,
    NOTHING,
    NOW,
    SUPPLIER,
    SUPPLIER_KEY,
    TENANT,
    TEST_KEY,
    House,
    api_key,
    dice,
    kinds,
    refusal,
    told,
)

READS = Scoped(Surface.RESELLER, "orders:read")
DELIVERS = Keyed(Surface.SUPPLIER, "orders:deliver")


@pytest.fixture
def house() -> House:
    return House()


def test_a_good_key_proves_who_its_owner_is(house: House) -> None:
    presented = house.issued(replace(SUPPLIER_KEY, grants=frozenset({"orders:deliver"})))

    principal = house.authenticate(DELIVERS, presented)

    digest = house.digest(LIVE_KEY)
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
    assert house.wanted == [Want("key", (digest,)), Want("account", "sup_1")]


def test_a_key_in_memory_is_not_read_again(house: House) -> None:
    house.issued()
    entry = house.store[Want("key", (house.digest(LIVE_KEY),))]
    house.gate.directory.put(Want("key", (house.digest(LIVE_KEY),)), entry)
    assert house.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None
    assert kinds(house.wanted) == ["account"]


KEYED_CAUSES = {
    "no live key has this digest": lambda house: api_key(LIVE_KEY),
    "no ApiKey header": lambda house: NOTHING,
    "sent twice": lambda house: Credentials([], [LIVE_KEY.encode()] * 2, ADDRESS),
    "not of the form of an API key": lambda house: api_key(LIVE_KEY + "0"),
}


@pytest.mark.parametrize("cause", KEYED_CAUSES)
def test_a_key_that_nobody_has_is_looked_up_like_any_other(house: House, cause: str) -> None:
    refused = house.refused(DELIVERS, KEYED_CAUSES[cause](house))

    assert told(refused) == (errors.KEY_REFUSED, cause)
    assert refused.headers == challenge(errors.KEY_REFUSED)
    assert refused.who == ""
    asked = LIVE_KEY if cause.startswith("no live") else NO_KEY
    assert house.wanted == [Want("key", (house.digest(asked),))]


def disabled_owner(house: House) -> Credentials:
    house.knows(replace(SUPPLIER, disabled=True))
    return house.issued()


def no_owner(house: House) -> Credentials:
    del house.store[Want("account", "sup_1")]
    return house.issued()


def suspended(house: House) -> Credentials:
    house.tenant = replace(TENANT, suspended=True)
    return house.issued()


def sandbox(house: House) -> Credentials:
    house.tenant = replace(TENANT, sandbox=True)
    return house.issued()


WALL = "a key from the other side of the wall between sandboxes and live tenants (key_1)"
FAULTS = {
    "disabled owner": (disabled_owner, "a disabled owner's key (key_1)", "sup_1"),
    "no owner": (no_owner, "a disabled owner's key (key_1)", "sup_1"),
    "another tenant's": (
        lambda house: house.issued(replace(SUPPLIER_KEY, tenant="ten_2")),
        "another tenant's or a suspended tenant's key (key_1)",
        "",
    ),
    "suspended": (suspended, "another tenant's or a suspended tenant's key (key_1)", "sup_1"),
    "live key in a sandbox": (sandbox, WALL, "sup_1"),
    "test key in a live tenant": (lambda house: house.issued(key=TEST_KEY), WALL, "sup_1"),
    "expired": (lambda house: house.issued(replace(SUPPLIER_KEY, expires=NOW)), "expired (key_1)", "sup_1"),
    "long expired": (lambda house: house.issued(replace(SUPPLIER_KEY, expires=0)), "expired (key_1)", "sup_1"),
    "from elsewhere": (
        lambda house: house.issued(replace(SUPPLIER_KEY, networks=parse_networks(["198.51.100.0/24"]))),
        "not from an allowed address (key_1)",
        "sup_1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_key_with_a_fault_is_told_what_an_unknown_one_is_and_costs_as_much(house: House, fault: str) -> None:
    arrange, cause, who = FAULTS[fault]
    presented = arrange(house)

    refused = house.refused(DELIVERS, presented)

    unknown = house.refused(DELIVERS, api_key(LIVE_KEY[:-1] + "0"))
    assert told(refused) == (errors.KEY_REFUSED, cause)
    assert (refused.row, refused.headers) == (unknown.row, unknown.headers)
    assert refused.who == who
    key = presented.api_key[0].decode()
    assert house.wanted[:3] == [
        Want("key", (house.digest(key),)),
        Want("account", "sup_1"),
        Want("key", (house.digest(NO_KEY),)),
    ], "as much is looked up as for a key that is not there"


def test_faults_are_looked_at_in_one_order(house: House) -> None:
    entry = replace(SUPPLIER_KEY, tenant="ten_2", expires=0, networks=parse_networks(["198.51.100.0/24"]))
    house.knows(replace(SUPPLIER, disabled=True))
    house.tenant = replace(TENANT, sandbox=True)
    causes = []
    for better in ({"disabled": False}, {"tenant": "ten_1"}, {"sandbox": False}, {"expires": None}, {"networks": ()}):
        causes.append(house.refused(DELIVERS, house.issued(entry)).cause.split(" (")[0])
        if "disabled" in better:
            house.knows(SUPPLIER)
        elif "sandbox" in better:
            house.tenant = TENANT
        else:
            entry = replace(entry, **better)
    assert causes == [
        "a disabled owner's key",
        "another tenant's or a suspended tenant's key",
        WALL.removesuffix(" (key_1)"),
        "expired",
        "not from an allowed address",
    ]
    assert house.authenticate(DELIVERS, house.issued(entry)) is not None


def test_a_key_lives_until_the_millisecond_of_its_end(house: House) -> None:
    presented = house.issued(replace(SUPPLIER_KEY, expires=NOW))
    assert house.authenticate(DELIVERS, presented, NOW - 1) is not None
    assert house.refused(DELIVERS, presented, NOW).cause == "expired (key_1)"


def test_a_test_key_opens_a_sandbox(house: House) -> None:
    house.tenant = replace(TENANT, sandbox=True)
    assert house.authenticate(DELIVERS, house.issued(key=TEST_KEY)) is not None


def test_a_key_may_be_bound_to_addresses(house: House) -> None:
    house.issued(replace(SUPPLIER_KEY, networks=parse_networks(["198.51.100.0/24"])))
    assert house.authenticate(DELIVERS, api_key(LIVE_KEY, address="198.51.100.7")) is not None
    assert house.refused(DELIVERS, api_key(LIVE_KEY, address="198.51.101.7")).row is errors.KEY_REFUSED


def test_a_key_is_found_under_a_retired_pepper_after_the_current_one(house: House) -> None:
    house.issued()
    turned = house.keyring.rotate_digest(dice("next"))
    house.gate.turn(turned)

    assert house.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None

    digests = tuple(turned.key_digest("ten_1", LIVE_KEY, pepper) for pepper in ("d2", "d1"))
    assert house.wanted == [Want("key", digests), Want("account", "sup_1")]


def test_a_key_that_is_in_memory_under_a_retired_pepper_is_not_read_again(house: House) -> None:
    house.issued()
    entry = house.store[Want("key", (house.digest(LIVE_KEY),))]
    house.gate.directory.put(Want("key", (house.digest(LIVE_KEY),)), entry)
    house.gate.turn(house.keyring.rotate_digest(dice("next")))
    assert house.authenticate(DELIVERS, api_key(LIVE_KEY)) is not None
    assert kinds(house.wanted) == ["account"]


def test_an_imported_key_is_looked_for_by_what_another_system_knew_of_it(house: House) -> None:
    house.tenant = replace(TENANT, imports=True)
    foreign = house.digest(foreign_form(LIVE_KEY))
    house.store[Want("key", (foreign,))] = replace(SUPPLIER_KEY, digest=foreign, imported=True)
    turned = house.keyring.rotate_digest(dice("next"))
    house.gate.turn(turned)

    principal = house.authenticate(DELIVERS, api_key(LIVE_KEY))

    assert principal is not None
    assert principal.key is not None
    assert principal.key.imported
    forms = (LIVE_KEY, foreign_form(LIVE_KEY))
    digests = tuple(turned.key_digest("ten_1", form, pepper) for form in forms for pepper in ("d2", "d1"))
    assert house.wanted[0] == Want("key", digests)


def test_without_imports_nothing_else_is_looked_for(house: House) -> None:
    foreign = house.digest(foreign_form(LIVE_KEY))
    house.store[Want("key", (foreign,))] = replace(SUPPLIER_KEY, digest=foreign)
    assert house.refused(DELIVERS, api_key(LIVE_KEY)).cause == "no live key has this digest"
    assert house.wanted == [Want("key", (house.digest(LIVE_KEY),))]


def test_a_surface_ignores_the_other_mechanisms_header(house: House) -> None:
    key, token = house.issued(), house.token()
    both = Credentials(token.authorization, key.api_key, ADDRESS)
    rubbish_token = Credentials([b"Bearer x"], key.api_key, ADDRESS)
    rubbish_key = Credentials(token.authorization, [b"x"], ADDRESS)
    assert house.authenticate(READS, both) is not None
    assert house.authenticate(DELIVERS, both) is not None
    assert house.authenticate(DELIVERS, rubbish_token) is not None
    assert house.authenticate(READS, rubbish_key) is not None
    assert house.refused(READS, key).row is errors.TOKEN_MISSING
    assert house.refused(DELIVERS, token).row is errors.KEY_REFUSED


def test_only_a_good_key_of_the_surface_learns_that_there_is_no_such_path(house: House) -> None:
    presented = house.issued()
    payment = house.issued(
        replace(SUPPLIER_KEY, key_id="key_2", surface=Surface.PAYMENT, owner=INTEGRATION.id), key="ak_live_" + "a" * 32
    )

    def knock(surface: Surface, credentials: Credentials) -> None:
        house.decided(lambda loaded: house.gate.knocks(house.tenant, surface, credentials, NOW, loaded))

    knock(Surface.SUPPLIER, presented)
    knock(Surface.PAYMENT, payment)
    assert told(refusal(lambda: knock(Surface.PAYMENT, presented))) == (errors.NOT_GRANTED, "a key of another surface")
    assert refusal(lambda: knock(Surface.SUPPLIER, payment)).row is errors.NOT_GRANTED
    assert refusal(lambda: knock(Surface.SUPPLIER, NOTHING)).row is errors.KEY_REFUSED


def test_there_is_one_refusal_of_keys_for_whoever_refuses_one() -> None:
    refused = key_refused("expired (key_1)", "sup_1")
    assert told(refused) == (errors.KEY_REFUSED, "expired (key_1)")
    assert refused.who == "sup_1"
    assert refused.headers == challenge(errors.KEY_REFUSED)
    assert key_refused("x").who == ""
