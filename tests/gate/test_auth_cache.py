"""The auth cache keeps entries until the revision check reports a change, and never caches that something does not
exist."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from bedesten.core.revision import Revision
from bedesten.gate import auth_cache
from bedesten.gate.auth_cache import (
    PRUNE_THRESHOLD,
    AuthCache,
    CacheKey,
    CacheMiss,
    Change,
    Entry,
    KeyEntry,
    TenantEntry,
)
from bedesten.gate.scopes import Surface
from tests.gate.gate_fixture import CUSTOMER, PARTNER, SUPPLIER_KEY, TENANT

HOST, TENANT_WANT = CacheKey("host", "shop.example"), CacheKey("tenant", "ten_1")
PARTNER_WANT, CUSTOMER_WANT = CacheKey("account", "par_1"), CacheKey("account", "cus_1")
DIGEST = bytes(range(32))
KEY = replace(SUPPLIER_KEY, digest=DIGEST)
KEY_WANT = CacheKey("key", (DIGEST,))


def at(number: int) -> Revision:
    """A revision of a store that was never rolled back."""
    return Revision(number, -number)


def full() -> AuthCache:
    made = AuthCache()
    made.reset(at(7), 1, {"tok_old": 5_000})
    entries: dict[CacheKey, Entry] = {HOST: "ten_1", TENANT_WANT: TENANT, PARTNER_WANT: PARTNER, KEY_WANT: KEY}
    for key, entry in entries.items():
        made.put(key, entry)
    return made


def known(made: AuthCache) -> set[str]:
    """Names of the cached ones among the four entries."""
    found = set()
    for name, ask in (
        ("host or tenant", lambda: made.tenant_of_host("shop.example")),
        ("tenant", lambda: made.tenant_of_host("shop.example", {HOST: "ten_1"})),
        ("account", lambda: made.account("par_1")),
        ("key", lambda: made.cached_key(DIGEST)),
    ):
        try:
            found |= {name} if ask() is not None else set()
        except CacheMiss:
            continue
    return found


EVERYTHING = {"host or tenant", "tenant", "account", "key"}


# --- remembering --------------------------------------------------------------------------------------------------------


def test_a_new_cache_is_empty_and_older_than_any_store() -> None:
    made = AuthCache()
    assert made.revision is None
    assert made.token_version == 0
    assert made.sizes() == {"hosts": 0, "tenants": 0, "accounts": 0, "keys": 0, "revoked": 0}


def test_an_entry_is_found_under_its_key() -> None:
    made = full()
    assert made.tenant_of_host("shop.example") is TENANT
    assert made.account("par_1") is PARTNER
    assert made.cached_key(DIGEST) is KEY
    assert made.sizes() == {"hosts": 1, "tenants": 1, "accounts": 1, "keys": 1, "revoked": 1}


def test_a_cache_miss_names_the_key() -> None:
    made = AuthCache()
    for ask, key in (
        (lambda: made.tenant_of_host("shop.example"), HOST),
        (lambda: made.tenant_of_host("shop.example", {HOST: "ten_1"}), TENANT_WANT),
        (lambda: made.account("par_1"), PARTNER_WANT),
        (lambda: made.key((DIGEST, b"x"), {}), CacheKey("key", (DIGEST, b"x"))),
    ):
        with pytest.raises(CacheMiss) as miss:
            ask()
        assert miss.value.key == key
        assert str(miss.value) == key.kind


def test_an_entry_fetched_for_a_decision_is_used_without_being_cached() -> None:
    made = AuthCache()
    assert made.tenant_of_host("shop.example", {HOST: "ten_1", TENANT_WANT: TENANT}) is TENANT
    assert made.account("par_1", {PARTNER_WANT: PARTNER}) is PARTNER
    assert made.key((DIGEST,), {KEY_WANT: KEY}) is KEY
    assert set(made.sizes().values()) == {0}


def test_the_absence_of_an_entry_is_used_and_not_cached() -> None:
    made = AuthCache()
    assert made.tenant_of_host("shop.example", {HOST: None}) is None
    assert made.tenant_of_host("shop.example", {HOST: "ten_1", TENANT_WANT: None}) is None
    assert made.account("par_1", {PARTNER_WANT: None}) is None
    assert made.key((DIGEST,), {KEY_WANT: None}) is None
    assert made.cached_key(DIGEST) is None
    with pytest.raises(CacheMiss):
        made.account("par_1")


def test_an_entry_of_another_kind_is_ignored() -> None:
    made = AuthCache()
    assert made.tenant_of_host("shop.example", {HOST: PARTNER}) is None
    assert made.tenant_of_host("shop.example", {HOST: "ten_1", TENANT_WANT: PARTNER}) is None
    assert made.account("par_1", {PARTNER_WANT: TENANT}) is None
    assert made.key((DIGEST,), {KEY_WANT: PARTNER}) is None


def test_a_cached_entry_takes_precedence_over_a_fetched_one() -> None:
    made = full()
    assert made.account("par_1", {PARTNER_WANT: replace(PARTNER, disabled=True)}) is PARTNER
    assert made.tenant_of_host("shop.example", {HOST: "ten_2"}) is TENANT


def _host(number: int) -> tuple[CacheKey, Entry]:
    return CacheKey("host", f"{number}.example"), f"ten_{number}"


def _tenant(number: int) -> tuple[CacheKey, Entry]:
    return CacheKey("tenant", f"ten_{number}"), replace(TENANT, id=f"ten_{number}")


def _account(number: int) -> tuple[CacheKey, Entry]:
    return CacheKey("account", f"par_{number}"), replace(PARTNER, id=f"par_{number}")


def _key(number: int) -> tuple[CacheKey, Entry]:
    return CacheKey("key", (b"%d" % number,)), replace(KEY, digest=b"%d" % number)


MEMORIES: dict[str, tuple[Callable[[int], tuple[CacheKey, Entry]], Callable[[AuthCache, int], object]]] = {
    "hosts": (_host, lambda made, number: made.tenant_of_host(f"{number}.example", dict([_tenant(number)]))),
    "tenants": (_tenant, lambda made, number: made.tenant_of_host(f"{number}.example", dict([_host(number)]))),
    "accounts": (_account, lambda made, number: made.account(f"par_{number}")),
    "keys": (_key, lambda made, number: made.cached_key(b"%d" % number)),
}


@pytest.mark.parametrize("kind", MEMORIES)
def test_a_full_cache_drops_its_older_half(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(auth_cache, "MAX_ENTRIES", 10)
    made = AuthCache()
    entry, found = MEMORIES[kind]

    def kept(number: int) -> bool:
        with suppress(CacheMiss):
            return found(made, number) is not None
        return False

    sizes = []
    for number in range(16):
        made.put(*entry(number))
        sizes.append(made.sizes()[kind])

    assert sizes == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 6, 7, 8, 9, 10, 6]
    assert [number for number in range(16) if kept(number)] == [10, 11, 12, 13, 14, 15]


def test_two_hundred_thousand_entries_of_a_kind_are_kept() -> None:
    assert auth_cache.MAX_ENTRIES == 200_000


# --- forgetting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (("host", "shop.example"), {"tenant", "account", "key"}),
        (("tenant", "ten_1"), {"account", "key"}),
        (("account", "par_1"), EVERYTHING - {"account"}),
        (("key", DIGEST.hex()), EVERYTHING - {"key"}),
        (("token", "tok_9 9000"), EVERYTHING),
        (("host", "other.example"), EVERYTHING),
        (("tenant", "ten_2"), EVERYTHING),
        (("account", "par_2"), EVERYTHING),
        (("key", bytes(32).hex()), EVERYTHING),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_change_drops_exactly_the_entries_that_it_affects(change: tuple[str, str], left: set[str]) -> None:
    made = full()
    assert known(made) == EVERYTHING
    made.apply([Change(at(8), *change)])
    assert known(made) == left
    assert made.revision == at(8)


def test_a_revoked_token_is_remembered_from_the_change_until_it_has_expired() -> None:
    made = full()
    assert made.revoked("tok_old")
    assert not made.revoked("tok_9")
    made.apply([Change(at(8), "token", "tok_9 9000")])
    assert made.revoked("tok_9")
    assert not made.revoked("tok_9 9000")
    made.prune(4_999)
    assert made.revoked("tok_old")
    made.prune(5_000)
    assert not made.revoked("tok_old")
    made.prune(8_999)
    assert made.revoked("tok_9")
    made.prune(9_000)
    assert not made.revoked("tok_9")
    assert made.sizes()["revoked"] == 0


def test_all_changes_are_applied_in_order() -> None:
    made = full()
    made.apply(
        [Change(at(8), "account", "par_1"), Change(at(9), "key", DIGEST.hex()), Change(at(10), "token", "tok_9 9000")]
    )
    assert made.revision == at(10)
    assert known(made) == {"host or tenant", "tenant"}
    made.apply([])
    assert made.revision == at(10)


@pytest.mark.parametrize("seq", [6, 7, 9, 800])
def test_a_change_out_of_sequence_is_refused_and_drops_nothing(seq: int) -> None:
    made = full()
    with pytest.raises(ValueError) as refused:
        made.apply([Change(at(seq), "account", "par_1")])
    assert str(refused.value) == "changes are missing"
    assert made.revision == at(7)
    assert known(made) == EVERYTHING


def test_changes_are_applied_up_to_a_gap() -> None:
    made = full()
    with pytest.raises(ValueError, match="missing"):
        made.apply([Change(at(8), "account", "par_1"), Change(at(10), "key", DIGEST.hex())])
    assert made.revision == at(8)
    assert known(made) == EVERYTHING - {"account"}


@pytest.mark.parametrize("kind", ["installation", "something new", ""])
def test_a_change_of_an_unknown_kind_demands_a_reset_and_is_not_skipped(kind: str) -> None:
    made = full()
    with pytest.raises(ValueError) as refused:
        made.apply([Change(at(8), kind, "")])
    assert str(refused.value) == "a change of an unknown kind: reset the cache"
    assert made.revision == at(7)


def test_a_reset_drops_everything_and_takes_the_state_of_the_store() -> None:
    made = full()
    revoked = {"tok_2": 9}
    made.reset(at(12), 5, revoked)
    revoked["tok_3"] = 9
    assert (made.revision, made.token_version) == (at(12), 5)
    assert made.sizes() == {"hosts": 0, "tenants": 0, "accounts": 0, "keys": 0, "revoked": 1}
    assert known(made) == set()
    assert [made.revoked(jti) for jti in ("tok_old", "tok_2", "tok_3")] == [False, True, False]
    made.apply([Change(at(13), "account", "par_1")])
    assert made.revision == at(13)


# --- entries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "surface", "endpoint", "allowed"),
    [
        ({}, Surface.SUPPLIER, "POST /Supplier/Products/List", True),
        ({"supplier": False}, Surface.SUPPLIER, "POST /Supplier/Products/List", False),
        ({"supplier": True}, Surface.SUPPLIER, "POST /Supplier/Products/List", True),
        ({"supplier": False}, Surface.PAYMENT, "POST /Payment/Payments/Get", True),
        ({"post /supplier/products/list": False}, Surface.SUPPLIER, "POST /Supplier/Products/List", False),
        ({"post /supplier/products/list": False}, Surface.SUPPLIER, "POST /Supplier/Products/Upsert", True),
        ({"supplier": False, "post /supplier/products/list": True}, Surface.SUPPLIER, "POST /Supplier/Products/List",
         True),
        ({"supplier": True, "post /supplier/products/list": False}, Surface.SUPPLIER, "POST /Supplier/Products/List",
         False),
    ],
)  # fmt: skip
def test_an_endpoints_own_switch_overrides_that_of_its_surface(
    access: dict[str, bool], surface: Surface, endpoint: str, allowed: bool
) -> None:
    assert replace(TENANT, access=access).allows(surface, endpoint) is allowed


def test_a_key_entry_is_by_default_of_a_current_used_secret_that_was_not_imported() -> None:
    entry = KeyEntry("key_1", "ten_1", Surface.SUPPLIER, "sup_1", None, (), None)
    assert (entry.digest, entry.pepper_id, entry.slot) == (b"", "", 0)
    assert (entry.imported, entry.unused) == (False, False)


def test_a_tenant_entry_has_by_default_no_imported_keys() -> None:
    assert TENANT.imports is False


def test_entries_are_immutable() -> None:
    for entry, name in ((TENANT, "suspended"), (CUSTOMER, "disabled"), (KEY, "tenant"), (HOST, "kind")):
        with pytest.raises(AttributeError):
            setattr(entry, name, True)
    assert CacheKey("account", "cus_1") == CUSTOMER_WANT
    assert {CUSTOMER_WANT, CacheKey("account", "cus_1")} == {CUSTOMER_WANT}
    assert isinstance(TENANT, TenantEntry)


def test_an_ended_session_is_added_to_the_revoked_ones_and_no_entry_is_dropped() -> None:
    made = full()
    before = known(made)
    made.apply([Change(at(8), "session", "ses_1 9000")])
    assert [made.revoked(ref) for ref in ("ses_1", "ses_2", "9000")] == [True, False, False]
    assert known(made) == before


def test_expired_revoked_tokens_are_dropped_as_others_are_added() -> None:
    day = 24 * 3_600_000
    made = AuthCache()
    made.reset(at(0), 1, {})
    made.apply(Change(at(seq), "token", f"old{seq} {day}") for seq in range(1, PRUNE_THRESHOLD))
    assert made.sizes()["revoked"] == PRUNE_THRESHOLD - 1
    made.apply([Change(at(PRUNE_THRESHOLD), "token", f"late {3 * day - 1}")])
    assert made.sizes()["revoked"] == PRUNE_THRESHOLD
    assert made.revoked("old1")
    made.apply(
        Change(at(PRUNE_THRESHOLD + more), "token", f"later{more} {3 * day}") for more in range(1, PRUNE_THRESHOLD + 1)
    )
    assert not made.revoked("old1")
    assert made.revoked("late")
    assert made.sizes()["revoked"] == PRUNE_THRESHOLD + 1
