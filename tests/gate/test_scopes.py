"""Scopes are a closed vocabulary, exact to the letter."""

import pytest

from bedesten.gate.scopes import SCOPES, Surface, check_scopes, effective, parse_scopes


def test_two_surfaces_use_tokens_and_two_use_keys() -> None:
    assert [surface.value for surface in Surface if surface.uses_tokens] == ["reseller", "storefront"]
    assert [surface.value for surface in Surface if not surface.uses_tokens] == ["payment", "supplier"]


def test_the_vocabulary_is_this() -> None:
    expected = {
        Surface.RESELLER: {
            "catalogue:read", "orders:create", "orders:read", "orders:cancel", "account:read", "complaints:manage",
            "webhooks:manage",
        },
        Surface.STOREFRONT: {"profile:manage", "orders:create", "orders:read", "orders:cancel", "complaints:manage"},
    }  # fmt: skip
    assert expected == SCOPES


def test_a_list_is_separated_by_single_spaces() -> None:
    assert parse_scopes("orders:read orders:create") == {"orders:create", "orders:read"}
    assert parse_scopes("!#[]~") == {"!#[]~"}


@pytest.mark.parametrize(
    "text",
    ["", " ", "a ", " a", "a  b", "a\tb", "a\nb", "a\u00a0b", 'a"b', "a\\b", "é", "a a", "a b a", "\x7f", "a\x00"],
)
def test_any_other_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_scopes(text)
    twice, malformed = "a scope is repeated", "scopes are words of printable ASCII, separated by single spaces"
    assert str(refused.value) == (twice if text in ("a a", "a b a") else malformed)


@pytest.mark.requirement(79)
@pytest.mark.parametrize(
    "scope", ["*", "all", "Orders:Read", "orders:rea", "orders:reads", "orders:*", "orders:reveal"]
)
def test_a_scope_that_the_surface_does_not_know_is_named(scope: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_scopes(Surface.RESELLER, frozenset({scope, "orders:read"}))
    known = ", ".join(sorted(SCOPES[Surface.RESELLER]))
    assert str(refused.value) == f"the reseller surface has no scope {scope}; there are {known}"


def test_several_unknown_scopes_are_named_in_their_order() -> None:
    with pytest.raises(ValueError) as refused:
        check_scopes(Surface.STOREFRONT, frozenset({"b", "orders:read", "a", "c"}))
    assert str(refused.value).startswith("the storefront surface has no scope a, b, c; there are complaints:manage, ")


def test_known_scopes_and_an_empty_set_are_accepted() -> None:
    check_scopes(Surface.STOREFRONT, SCOPES[Surface.STOREFRONT])
    check_scopes(Surface.RESELLER, frozenset())


@pytest.mark.parametrize("surface", [Surface.PAYMENT, Surface.SUPPLIER])
def test_api_key_surfaces_have_no_scopes(surface: Surface) -> None:
    with pytest.raises(ValueError, match="no scope orders:read"):
        check_scopes(surface, frozenset({"orders:read"}))


@pytest.mark.requirement(81, 82)
def test_a_scope_taken_away_is_gone_and_one_added_needs_a_new_token() -> None:
    snapshot = frozenset({"orders:read", "orders:create"})
    assert effective(snapshot, frozenset({"orders:read", "account:read"}), Surface.RESELLER) == {"orders:read"}
    assert effective(snapshot, frozenset(), Surface.RESELLER) == set()
    assert effective(frozenset(), None, Surface.RESELLER) == set()


def test_an_account_without_named_scopes_has_all_of_its_surface_and_no_others() -> None:
    snapshot = frozenset({"orders:read", "profile:manage"})
    assert effective(snapshot, None, Surface.STOREFRONT) == snapshot
    assert effective(snapshot, None, Surface.RESELLER) == {"orders:read"}
