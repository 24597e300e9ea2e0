"""A decision is reused as long as everything that it depends on is unchanged."""

from dataclasses import replace

import pytest

from bedesten.core.revision import Revision
from bedesten.errors import TOKEN_INVALID, Refusal
from bedesten.gate import decision_table
from bedesten.gate.access import Scoped
from bedesten.gate.auth_cache import Change
from bedesten.gate.decision_table import ABSENT, DecisionTable, LastingRefusal, RememberedRefusal
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from tests.gate.gate_fixture import NOW, SECOND, SUPPLIER_KEY, TENANT, GateFixture, bearer, seeded_randomness

CREDENTIAL = b"Bearer a.b.c"
ACCESS = Scoped(Surface.RESELLER, "account:read")
ROUTE, OTHER_ROUTE = object(), object()


@pytest.fixture
def fixture() -> GateFixture:
    return GateFixture()


def principal(fixture: GateFixture, expires_at: int = SECOND + 60) -> Principal:
    claims = fixture.claims(expires_at=expires_at)
    return Principal("ten_1", Surface.RESELLER, "par_1", "tok_1", frozenset(), None, token=claims)


def by_key(expires: int | None) -> Principal:
    entry = replace(SUPPLIER_KEY, expires=expires)
    return Principal("ten_1", Surface.SUPPLIER, "sup_1", "key_1", frozenset(), None, key=entry)


def test_an_acceptance_is_found_for_the_same_route_tenant_and_bytes_only(fixture: GateFixture) -> None:
    table, accepted = fixture.gate.decisions(), principal(fixture)
    table.put(ROUTE, TENANT, CREDENTIAL, accepted)

    assert table.get(ROUTE, TENANT, bytes(CREDENTIAL), NOW) is accepted
    assert table.get(OTHER_ROUTE, TENANT, CREDENTIAL, NOW) is None
    assert table.get(ROUTE, replace(TENANT, id="ten_2"), CREDENTIAL, NOW) is None
    assert table.get(ROUTE, TENANT, CREDENTIAL + b" ", NOW) is None


def test_the_acceptance_of_a_token_ends_at_the_millisecond_of_its_expiry(fixture: GateFixture) -> None:
    table, end = fixture.gate.decisions(), (SECOND + 60) * 1000
    table.put(ROUTE, TENANT, CREDENTIAL, principal(fixture))
    assert table.get(ROUTE, TENANT, CREDENTIAL, end - 1) is not None
    assert table.get(ROUTE, TENANT, CREDENTIAL, end) is None


def test_the_acceptance_of_a_key_ends_at_the_millisecond_of_its_expiry_if_it_has_one() -> None:
    table = DecisionTable(None, GateFixture().gate.keyring)
    table.put(ROUTE, TENANT, b"ak_1", by_key(NOW))
    table.put(ROUTE, TENANT, b"ak_2", by_key(None))
    assert table.get(ROUTE, TENANT, b"ak_1", NOW - 1) is not None
    assert table.get(ROUTE, TENANT, b"ak_1", NOW) is None
    assert table.get(ROUTE, TENANT, b"ak_2", NOW * 2) is not None


def test_any_change_of_the_revision_starts_a_new_table(fixture: GateFixture) -> None:
    cache = fixture.gate.auth_cache
    cache.reset(Revision(1, 11), 0, {})
    first = fixture.gate.decisions()
    first.put(ROUTE, TENANT, CREDENTIAL, principal(fixture))
    first.put_tenant(b"shop.example", TENANT)
    assert fixture.gate.decisions() is first

    cache.apply([Change(Revision(2, 22), "key", "00")])
    second = fixture.gate.decisions()
    assert (second is first, len(second), second.tenant(b"shop.example")) == (False, 0, None)
    cache.reset(Revision(2, 22), 0, {})
    assert fixture.gate.decisions() is not second, "a cache that was dropped may have been wrong"


def test_another_keyring_starts_a_new_table(fixture: GateFixture) -> None:
    gate = fixture.gate
    first = gate.decisions()
    first.put(ROUTE, TENANT, CREDENTIAL, principal(fixture))
    gate.use_keyring(gate.keyring.rotate_signing(seeded_randomness("next")))
    assert len(gate.decisions()) == 0


def test_a_request_from_before_a_change_adds_only_to_the_old_table(fixture: GateFixture) -> None:
    cache = fixture.gate.auth_cache
    cache.reset(Revision(1, 11), 0, {})
    taken_before = fixture.gate.decisions()
    cache.apply([Change(Revision(2, 22), "account", "par_1")])
    taken_before.put(ROUTE, TENANT, CREDENTIAL, principal(fixture))
    assert fixture.gate.decisions().get(ROUTE, TENANT, CREDENTIAL, NOW) is None
    cache.apply([Change(Revision(3, 33), "account", "par_1")])
    assert fixture.gate.decisions().get(ROUTE, TENANT, CREDENTIAL, NOW) is None


def test_the_table_is_bounded(fixture: GateFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_table, "MAX_DECISIONS", 3)
    monkeypatch.setattr(decision_table, "MAX_HOSTS", 3)
    table = fixture.gate.decisions()
    for number in range(7):
        table.put(ROUTE, TENANT, b"%d" % number, principal(fixture))
        table.put_tenant(b"%d.example" % number, TENANT)
        assert table.get(ROUTE, TENANT, b"%d" % number, NOW) is not None
        assert table.tenant(b"%d.example" % number) is TENANT
        assert len(table) <= 3
    assert table.tenant(b"0.example") is None


def test_the_repr_of_the_table_shows_no_credentials(fixture: GateFixture) -> None:
    table = fixture.gate.decisions()
    table.put(ROUTE, TENANT, CREDENTIAL, principal(fixture))
    assert repr(table) == "DecisionTable(1 acceptances, 0 refusals)"


# --- refusals -------------------------------------------------------------------------------------------------------------

REFUSED = RememberedRefusal(Refusal(TOKEN_INVALID, "wrong MAC"), None, NOW, NOW + 1000)


def test_a_refusal_is_found_for_the_same_route_tenant_bytes_and_address_within_its_lifetime(
    fixture: GateFixture,
) -> None:
    table = fixture.gate.decisions()
    table.put_refusal(ROUTE, TENANT, CREDENTIAL, "", REFUSED)

    assert table.refusal(ROUTE, TENANT, bytes(CREDENTIAL), "", NOW) is REFUSED
    assert table.refusal(ROUTE, TENANT, CREDENTIAL, "", NOW + 999) is REFUSED
    assert table.refusal(ROUTE, TENANT, CREDENTIAL, "", NOW - 1) is None, "the clock went back"
    assert table.refusal(ROUTE, TENANT, CREDENTIAL, "", NOW + 1000) is None
    assert table.refusal(OTHER_ROUTE, TENANT, CREDENTIAL, "", NOW) is None
    assert table.refusal(ROUTE, replace(TENANT, id="ten_2"), CREDENTIAL, "", NOW) is None
    assert table.refusal(ROUTE, TENANT, ABSENT, "", NOW) is None
    assert table.refusal(ROUTE, TENANT, CREDENTIAL, "192.0.2.1", NOW) is None


def test_a_change_of_the_revision_drops_refusals_and_unknown_hosts(fixture: GateFixture) -> None:
    cache = fixture.gate.auth_cache
    cache.reset(Revision(1, 11), 0, {})
    table = fixture.gate.decisions()
    table.put_refusal(ROUTE, TENANT, CREDENTIAL, "", REFUSED)
    table.put_unknown_host(b"new.example")
    assert table.names_no_tenant(b"new.example")
    cache.apply([Change(Revision(2, 22), "host", "new.example")])
    table = fixture.gate.decisions()
    assert table.refusal(ROUTE, TENANT, CREDENTIAL, "", NOW) is None
    assert not table.names_no_tenant(b"new.example")


def test_a_flood_of_refusals_is_bounded_and_displaces_no_acceptance(
    fixture: GateFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_table, "MAX_REFUSALS", 3)
    monkeypatch.setattr(decision_table, "MAX_UNKNOWN_HOSTS", 3)
    table, accepted = fixture.gate.decisions(), principal(fixture)
    table.put(ROUTE, TENANT, CREDENTIAL, accepted)
    table.put_tenant(b"shop.example", TENANT)
    for number in range(7):
        table.put_refusal(ROUTE, TENANT, b"%d" % number, "", REFUSED)
        table.put_unknown_host(b"%d.example" % number)
        assert table.refusal(ROUTE, TENANT, b"%d" % number, "", NOW) is REFUSED
        assert int(repr(table).split()[2]) <= 3
    assert not table.names_no_tenant(b"0.example")
    assert table.get(ROUTE, TENANT, CREDENTIAL, NOW) is accepted
    assert table.tenant(b"shop.example") is TENANT


def test_refusals_of_long_credentials_and_long_unknown_hosts_are_not_kept(fixture: GateFixture) -> None:
    table, long = fixture.gate.decisions(), b"x" * (decision_table.MAX_REFUSED_LENGTH + 1)
    table.put_refusal(ROUTE, TENANT, long, "", REFUSED)
    table.put_unknown_host(long)
    assert table.refusal(ROUTE, TENANT, long, "", NOW) is None
    assert not table.names_no_tenant(long)


def test_refusals_of_a_token_from_the_future_or_of_an_unknown_account_are_not_lasting(fixture: GateFixture) -> None:
    early = fixture.token(issued_at=SECOND + 600, expires_at=SECOND + 1200)
    unknown = fixture.token(subject="par_none")
    for token in (early, unknown):
        refused = fixture.refused(ACCESS, token)
        assert refused.code is TOKEN_INVALID
        assert not isinstance(refused, LastingRefusal)


def test_a_copy_of_a_refusal_holds_no_frames(fixture: GateFixture) -> None:
    refused = fixture.refused(ACCESS, bearer(b"a.b.c"))
    copy = refused.copy()
    assert (type(copy), str(copy), copy.headers) == (LastingRefusal, str(refused), refused.headers)
    assert (copy.__traceback__, copy.__cause__, copy.__context__) == (None, None, None)
