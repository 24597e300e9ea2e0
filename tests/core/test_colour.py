"""Readable colours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.apidocs.site.theme import DARK, LIGHT, stylesheet
from bedesten.core.colour import BLACK, WHITE, contrast, mix, parse, to_hex, with_contrast

PART = st.integers(0, 255)
COLOURS = st.tuples(PART, PART, PART)


def test_contrast_is_computed_as_in_the_guideline() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, WHITE) == 1
    assert contrast(parse("#767676"), WHITE) == pytest.approx(4.54, abs=0.005)
    assert contrast(parse("#0000ff"), parse("#ffff00")) == pytest.approx(8.00, abs=0.005)


@given(COLOURS)
def test_a_written_colour_is_parsed_back(colour: tuple[int, int, int]) -> None:
    assert parse(to_hex(colour)) == colour == parse(to_hex(colour).upper())
    assert mix(colour, BLACK, 1) == mix(BLACK, colour, 0) == colour


@pytest.mark.parametrize(
    "text", ["", "#fff", "85480a", "#85480g", "#85480a0", "#85480a;", " #85480a", "red", "#８5480a"]
)
def test_an_invalid_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="written #rrggbb"):
        parse(text)


@given(COLOURS)
def test_every_accent_is_readable_in_light_and_dark_mode(accent: tuple[int, int, int]) -> None:
    light, light_shade, dark, dark_shade = (
        parse(f"#{part[:6]}") for part in stylesheet(to_hex(accent)).decode().split("#")[1:]
    )
    for ink, grounds in ((light, (LIGHT, light_shade)), (dark, (DARK, dark_shade))):
        assert all(contrast(ink, ground) >= 4.5 for ground in grounds)


def test_a_readable_colour_stays_unchanged() -> None:
    accent = parse("#85480a")
    assert with_contrast(accent, BLACK, (LIGHT,)) == accent
    assert with_contrast(WHITE, BLACK, (LIGHT,)) != BLACK, "no darker than need be"
