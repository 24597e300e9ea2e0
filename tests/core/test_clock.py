"""Times and durations stay within a range that every program can show."""

import pytest

from bedesten.core.clock import MAX_DURATION_MS, MAX_TIME_MS, parse_duration, wire_time


def test_a_duration_is_a_number_and_a_unit_up_to_a_hundred_years() -> None:
    assert [parse_duration(one) for one in ("250ms", "90s", "30m", "1h", "7d")] == [
        250, 90_000, 1_800_000, 3_600_000, 604_800_000,
    ]  # fmt: skip
    assert parse_duration("36500d") == MAX_DURATION_MS


@pytest.mark.parametrize("text", ["36501d", "3000000d", "999999999d", "9" * 30 + "s", "9" * 5_000 + "d"])
def test_a_longer_duration_is_refused_and_the_maximum_named(text: str) -> None:
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1", "h", "1.5h", "1 h", "١h", "1w"])
def test_an_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number and a unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (MAX_TIME_MS, "9999-12-31T23:59:59Z"),
        (MAX_TIME_MS + 1, "9999-12-31T23:59:59Z"),
        (2**63, "9999-12-31T23:59:59Z"),
        (-1, "1970-01-01T00:00:00Z"),
    ],
)
def test_every_time_can_be_formatted(at: int, shown: str) -> None:
    assert wire_time(at) == shown
