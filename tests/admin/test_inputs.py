"""What operators write: amounts, access, hosts, networks."""

from decimal import Decimal

import pytest

from bedesten.admin import inputs
from bedesten.admin.inputs import minor_amount
from bedesten.cli import access
from bedesten.core.money import read_amount
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.server.build import ROUTES


@pytest.mark.parametrize(("text", "amount"), [("0", "0"), ("12", "12"), ("12.50", "12.50"), ("0.001", "0.001")])
def test_an_amount_is_an_exact_decimal(text: str, amount: str) -> None:
    assert str(read_amount(text)) == amount


@pytest.mark.parametrize("text", ["", "-1", "+1", "1,5", "1e3", "NaN", "1_0", " 1", ".5", "5.", "١", "1" * 17])
def test_nothing_else_is_an_amount(text: str) -> None:
    with pytest.raises(ValueError, match="an amount is written like"):
        read_amount(text)


@pytest.mark.parametrize(
    ("text", "currency", "minor"), [("12.5", "USD", 1250), ("12.345", "KWD", 12345), ("7", "JPY", 7)]
)
def test_minor_units_follow_the_currency(text: str, currency: str, minor: int) -> None:
    assert minor_amount(Decimal(text), currency, "price") == minor


@pytest.mark.parametrize(
    ("text", "currency"), [("0.001", "USD"), ("0.5", "JPY"), ("1" + "0" * 15, "USD"), ("-1", "USD")]
)
def test_an_amount_finer_or_larger_than_the_currency_allows_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Refusal) as caught:
        minor_amount(Decimal(text), currency, "price")
    assert list(caught.value.fields or {}) == ["price"]


def test_every_surface_and_each_of_its_endpoints_can_be_switched_but_no_public_page() -> None:
    names = access.switchable_targets(ROUTES)
    assert names[:4] == [surface.value for surface in Surface]
    assert set(names[4:]) == {
        route.endpoint for route in ROUTES if not route.path.startswith(("/documentation", "/openapi"))
    }


def test_each_name_and_each_alias_leads_to_its_own_endpoint() -> None:
    for route in ROUTES:
        if route.access.surface:
            for path in (route.path, *route.aliases):
                assert access.canonical_target(ROUTES, f"{route.method} {path}".upper()) == route.endpoint


def test_switched_endpoints_are_shown_as_the_route_tables_spell_them() -> None:
    known = {"supplier": False, "post /orders/create": True, "get /gone": False}
    assert access.shown(ROUTES, known) == {"supplier": False, "POST /Orders/Create": True, "get /gone": False}


@pytest.mark.parametrize(
    ("host", "only"),
    [("localhost", True), ("LOCALHOST.", True), ("shop.localhost", True), ("127.0.0.1", True), ("[::1]", True),
     ("api.example.com", False), ("10.0.0.1", False), ("*", False)],
)  # fmt: skip
def test_some_hosts_are_for_loopback_only(host: str, only: bool) -> None:
    assert inputs.is_loopback_only(host) is only


@pytest.mark.parametrize(("text", "code"), [("tr", "TR"), (" eu-west ", "EU-WEST"), ("GLOBAL", "GLOBAL")])
def test_a_region_is_written_in_capitals(text: str, code: str) -> None:
    assert inputs.region(text) == code
