"""Strict JSON is unambiguous or refused, in linear time, and a refusal repeats nothing of the text."""

import json
import time
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.core.strict_json import StrictJsonError, loads


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b" \t\r\n[true, false]\n", [True, False]),
        (b'{"a": {"b": [1, -0, 12]}}', {"a": {"b": [1, 0, 12]}}),
        (b'"\\ud83d\\ude00 \xf0\x9f\x98\x80"', "😀 😀"),
        (b'"\\\\u0000 \\\\ud800"', "\\u0000 \\ud800"),
        (b'{"Name": 1, "name": 2}', {"Name": 1, "name": 2}),
        (b"1" * 40, 1111111111111111111111111111111111111111),
        (b'"a\xef\xbb\xbfb"', "a\ufeffb"),
        (b'""', ""),
    ],
)
def test_a_strict_text_is_read_exactly(raw: bytes, value: object) -> None:
    assert loads(raw) == value


def test_fractions_and_exponents_become_exact_decimals() -> None:
    assert repr(loads(b"[0.10, 1e2, -1.5E-3]")) == "[Decimal('0.10'), Decimal('1E+2'), Decimal('-0.0015')]"
    assert loads(b"1e999") == Decimal("1e999")


def test_folding_lower_cases_only_member_names_at_every_depth() -> None:
    assert loads(b'{"Order": [{"PRICE": "A"}]}', fold=True) == {"order": [{"price": "A"}]}


NOT_JSON = "not JSON"
TWICE = "a member stands twice"
SURROGATE = "a string holds U+0000 or half a surrogate pair"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", NOT_JSON),
        (b"{}x", NOT_JSON),
        (b"{} {}", NOT_JSON),
        (b"[1,]", NOT_JSON),
        (b"{'a': 1}", NOT_JSON),
        (b"[01]", NOT_JSON),
        (b"[+1]", NOT_JSON),
        (b"[.5]", NOT_JSON),
        (b"[1.]", NOT_JSON),
        (b'"a\nb"', NOT_JSON),
        (b'"a\x00b"', NOT_JSON),
        (b'"open', NOT_JSON),
        (b'"\\x"', NOT_JSON),
        (b"\x00", NOT_JSON),
        (b"\xc2\xa0{}", NOT_JSON),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        ("{}".encode("utf-16"), "not UTF-8"),
        ("{}".encode("utf-16-le"), NOT_JSON),
        ("{}".encode("utf-32"), "not UTF-8"),
        (b'{"\xff": 1}', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\xc0\x80"', "not UTF-8"),
        (b"NaN", "NaN and Infinity are not JSON"),
        (b"[Infinity]", "NaN and Infinity are not JSON"),
        (b'{"a": -Infinity}', "NaN and Infinity are not JSON"),
        (b'{"a": 1, "a": 1}', TWICE),
        (b'{"a": 1, "\\u0061": 2}', TWICE),
        (b'[{"b": {"a": 1, "a": 2}}]', TWICE),
        (b"1" * 41, "a number is too long"),
        (b"-" + b"1" * 5000, "a number is too long"),
        (b"[0." + b"1" * 99 + b"]", "a number is too long"),
        (b"1e1000", "a number is too large or too small"),
        (b"1e-99999", "a number is too large or too small"),
        (b'"\\ud800"', SURROGATE),
        (b'"\\udc00\\ud800"', SURROGATE),
        (b'{"\\uD800": 1}', SURROGATE),
        (b'[{"a": ["x\\u0000"]}]', SURROGATE),
        (b'{"\\u0000": 1}', SURROGATE),
    ],
)
def test_ambiguous_json_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(StrictJsonError) as refused:
        loads(raw)
    assert str(refused.value) == reason
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,}', "line 1, column 9"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        ('{"é": x}'.encode(), "line 1, column 7"),
        (b"{} x", "line 1, column 4"),
        (b'{"a": 1, "a": 1}', ""),
        (b"[" * 40, ""),
        (b"\xff", ""),
    ],
)
def test_a_syntax_error_has_its_position(raw: bytes, place: str) -> None:
    with pytest.raises(StrictJsonError) as refused:
        loads(raw)
    assert refused.value.place == place


def test_members_whose_names_fold_to_one_are_refused_only_when_folding() -> None:
    with pytest.raises(StrictJsonError, match=TWICE):
        loads(b'{"Exp": 1, "exP": 2}', fold=True)
    with pytest.raises(StrictJsonError, match=TWICE):
        loads('{"kelvin": 1, "\u212aelvin": 2}'.encode(), fold=True)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_allowed_to_the_bound_and_not_beyond(opening: bytes, closing: bytes) -> None:
    assert loads(opening * 31 + b"[]" + closing * 31) is not None
    with pytest.raises(StrictJsonError, match="nested too deeply"):
        loads(opening * 32 + b"[]" + closing * 32)


def test_brackets_beside_each_other_or_inside_strings_are_not_depth() -> None:
    assert loads(b"[" + b",".join([b"[{}]"] * 500) + b"]") == [[{}]] * 500
    assert loads(b'["' + b"[{" * 500 + b'", "\\"[[[[[[[[", "\\\\"]', max_depth=1) == ["[{" * 500, '"[[[[[[[[', "\\"]


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'[["' + b'\\"' * 500_000 + b"[" * 40,
        b'"[' * 500_000,
        b"[]" * 500_000,
        b'["' + b"\\" * 999_999 + b"[" * 40,
        b"[" + b"9" * 1_000_000 + b"]",
        b"[1." + b"9" * 1_000_000 + b"]",
    ],
)
def test_a_megabyte_of_hostile_json_is_refused_in_linear_time(raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(StrictJsonError):
        loads(raw)
    assert time.process_time() - started < 1.0


@given(st.binary(max_size=60))
def test_no_input_raises_any_other_exception(raw: bytes) -> None:
    with suppress(StrictJsonError):
        loads(raw)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**39), 10**39) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_json_written_by_the_standard_library_is_read_back(value: object) -> None:
    assert loads(json.dumps(value).encode(), max_depth=64) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode("utf-8"), max_depth=64) == value
