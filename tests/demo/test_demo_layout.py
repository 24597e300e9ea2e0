"""JSON for human eyes."""

import json
from decimal import Decimal

from bedesten.demo.layout import lay_out, shown_header

PRODUCT = {"name": "Card", "price": Decimal("24.00"), "inStock": True, "region": None, "id": "prd_01m85w7g63xfq6cbdw28"}


def test_what_fits_stays_on_one_line_with_amounts_as_they_are() -> None:
    assert lay_out({"a": 1, "price": Decimal("24.00"), "none": None}, 80) == ['{"a": 1, "price": 24.00, "none": null}']


def test_what_does_not_fit_is_broken_and_still_the_same_json() -> None:
    value = {"success": True, "data": {"items": [PRODUCT, PRODUCT], "scopes": ["orders:read"] * 4, "next": "x" * 40}}
    for width in (60, 72, 80, 100, 400):
        lines = lay_out(value, width)
        assert max(map(len, lines)) <= width
        assert json.loads("\n".join(lines), parse_float=Decimal) == value


def test_a_text_that_is_wider_than_the_terminal_has_a_line_of_its_own() -> None:
    assert lay_out({"a": 1, "b": "x" * 50}, 40) == ['{"a": 1,', f' "b": "{"x" * 50}"}}']


def test_long_texts_and_lists_are_cut() -> None:
    assert lay_out(["x" * 61], 100) == [f'["{"x" * 59}…"]']
    assert lay_out(list(range(9)), 100) == ["[0, 1, 2, 3, … 5 more]"]


def test_passwords_and_tokens_are_masked_wherever_they_are() -> None:
    secret = "correct-horse-battery-staple"
    shown = "\n".join(lay_out({"Password": secret, "data": [{"token": secret}], "short": {"password": "abc"}}, 100))
    assert shown == '{"Password": "…aple", "data": [{"token": "…aple"}], "short": {"password": "…"}}'


def test_credentials_in_headers_are_masked_and_their_scheme_is_not() -> None:
    key = "ak_live_8f3b1c0e5a4d4f2c9b1e7d6c5a4b3c2d"
    assert shown_header("ApiKey", key) == "ak_live_…3c2d"
    assert shown_header("Authorization", f"Bearer {key}") == "Bearer ak_live_…3c2d"
    assert shown_header("Authorization", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln") == "…c2ln"
    assert shown_header("Host", "second.example") == "second.example"
