"""Patterns: what a mask means, which masks are refused, and that none of them is slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.catalogue.code import StockCode, read_code
from bedesten.catalogue.code_pattern import CodePatterns, MalformedCodes, code_pattern, matches, part_pattern
from bedesten.core.text import TextError

MATCHING = {
    "####-@@@@": ("1234-ABcd", "0000-zzzz"),
    "AMZN-**": ("AMZN-a1", "AMZN-9Z"),
    "#{16}": ("0123456789012345",),
    "@{2,4}#": ("AB1", "ABC1", "ABCD1"),
    "#{3}|@{2}-#|X": ("123", "AB-1", "X"),
    "?{3}": ("é!x", "a-b"),
    r"\#\{\}\|\?": ("#{}|?",),
    "https://gift.example/r?c=*{4}": ("https://gift.example/r?c=Ab12", "https://gift.example/rxc=Ab12"),
    "*{0,3}-": ("-", "a-", "a1b-"),
}
NOT_MATCHING = {
    "####-@@@@": ("12345-ABcd", "1234-ABc1", "1234ABcd", "1234-ABcd ", "x1234-ABcd", "", "١٢٣٤-ABcd"),
    "AMZN-**": ("amzn-a1", "AMZN-a", "XMZN-a1", "AMZN-é1"),
    "@{2,4}#": ("A1", "ABCDE1", "AB"),
    "#{3}|@{2}-#|X": ("1234", "X1", "|", "123AB-1"),
    "?{3}": ("a b", "ab", "abcd"),
}
REFUSED = {
    "": "1 to 200 characters",
    "#" * 201: "1 to 200 characters",
    "[A-Z]{4}": "a pattern is a mask",
    "^####$": "a pattern is a mask",
    "(ab)+": "a pattern is a mask",
    r"\d{4}": "a backslash precedes a sign",
    "####\\": "a backslash precedes a sign",
    "#{4": "a pattern is a mask",
    "{4}": "a pattern is a mask",
    "#{4}{2}": "a pattern is a mask",
    "#{4,}": "a pattern is a mask",
    "#{0}": "n is at least 1",
    "#{5,4}": "m up to n",
    "#{501}": "matches up to 501 characters",
    "#{1000}": "a pattern is a mask",
    "#{1,2}@{1,2}": "more than one range",
    "|".join("#" * 11): "at most 10 alternatives",
    "####é": "printable ASCII",
    "##\n##": "printable ASCII",
    "####|": "must not match an empty code",
    "#{0,9}": "must not match an empty code",
}


@pytest.mark.parametrize(("pattern", "text"), [(one, text) for one, texts in MATCHING.items() for text in texts])
def test_a_code_of_this_form_matches(pattern: str, text: str) -> None:
    assert code_pattern(pattern) == pattern
    assert matches(pattern, text)


@pytest.mark.parametrize(("pattern", "text"), [(one, text) for one, texts in NOT_MATCHING.items() for text in texts])
def test_a_code_of_another_form_does_not_match(pattern: str, text: str) -> None:
    assert not matches(code_pattern(pattern), text)


@pytest.mark.parametrize("pattern", REFUSED, ids=ascii)
def test_an_invalid_mask_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(TextError, match=re.escape(REFUSED[pattern])):
        code_pattern(pattern)


def test_an_empty_alternative_makes_a_part_optional() -> None:
    optional, required = part_pattern("####|"), part_pattern("####")
    assert matches(optional, None)
    assert matches(optional, "1234")
    assert not matches(optional, "123")
    assert not matches(required, None)


def test_misfits_name_the_row_and_the_part_and_never_the_code() -> None:
    patterns = CodePatterns("@@@-#", "####", None)
    codes = [read_code("SEC-1", "0042"), read_code("SECRET", "0042"), read_code("SEC-2"), read_code("SECRET", "9")]
    found = patterns.misfits(codes)
    assert [(one.index, one.what) for one in found] == [
        (1, "the code does not have the form @@@-#"),
        (2, "the PIN is missing; its form is ####"),
        (3, "the code does not have the form @@@-#"),
        (3, "the PIN does not have the form ####"),
    ]
    refusal = MalformedCodes(found).named(lambda at: f"line {at + 2}")
    assert list(refusal.fields or ()) == ["line 3", "line 4", "line 5"]
    assert "SECRET" not in f"{refusal} {refusal.fields}"
    assert CodePatterns().misfits(codes) == []


def test_a_refusal_names_twenty_rows_and_says_that_there_are_more() -> None:
    refusal = MalformedCodes(CodePatterns("#").misfits([StockCode("x")] * 25))
    assert len(refusal.fields or ()) == 20
    assert "25 codes" in refusal.cause
    assert "the first 20 follow" in refusal.cause


@given(st.text("#@*?{}0123456789,|\\A-", max_size=40), st.text("A1-|{#é ", max_size=60))
def test_every_pattern_is_refused_or_usable(pattern: str, text: str) -> None:
    try:
        part_pattern(pattern)
    except TextError:
        return
    assert matches(pattern, text) in (True, False)


def test_the_worst_patterns_take_no_longer_for_long_codes() -> None:
    worst = [code_pattern("|".join(["*{0,249}?{249}#"] * 10)), code_pattern("?{0,499}!"), code_pattern("@{1,499}#")]
    began = time.process_time()
    for pattern in worst:
        for length in (498, 499, 500):
            assert not matches(pattern, "A" * length)
    assert time.process_time() - began < 5
