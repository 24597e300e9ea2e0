"""Only refusals count, with a limit far above honest mistakes, for all workers together, in bounded memory."""

import os
from pathlib import Path

import pytest

from bedesten.ratelimit.limits import Counters
from bedesten.ratelimit.throttle import AddressThrottle, counting_unit

NOW = 1_700_000_000_000


def a_throttle(limit: int = 600) -> AddressThrottle:
    return AddressThrottle(Counters(), limit=limit)


def refuse(throttle: AddressThrottle, address: str, times: int, now: int = NOW) -> None:
    for _ in range(times):
        throttle.refused(address, now)


def test_the_throttle_begins_with_the_six_hundredth_refusal_in_a_minute() -> None:
    throttle = a_throttle()
    refuse(throttle, "192.0.2.1", 599)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 1)
    assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("192.0.2.2", NOW) is None


def test_six_hundred_evenly_spaced_refusals_a_minute_are_never_throttled() -> None:
    throttle = a_throttle()
    for minute in range(5):
        for number in range(600):
            assert throttle.admit("192.0.2.1", NOW + minute * 60_000 + number * 100) is None
            throttle.refused("192.0.2.1", NOW + minute * 60_000 + number * 100)


@pytest.mark.requirement(153)
def test_who_waits_as_long_as_told_is_answered_again() -> None:
    throttle = a_throttle(limit=2)
    refuse(throttle, "192.0.2.1", 2)
    assert throttle.admit("192.0.2.1", NOW + 1) == 60
    assert throttle.admit("192.0.2.1", NOW + 59_001) == 1
    assert throttle.admit("192.0.2.1", NOW + 59_999) == 1
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None
    refuse(throttle, "192.0.2.1", 1, NOW + 60_000)
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None


@pytest.mark.requirement(154)
def test_the_refusals_of_all_workers_are_counted_together(tmp_path: Path) -> None:
    workers = [AddressThrottle(Counters(tmp_path / "limits.map")) for _ in range(2)]
    for number in range(600):
        assert [worker.admit("192.0.2.1", NOW) for worker in workers] == [None, None]
        workers[number % 2].refused("192.0.2.1", NOW)
    assert workers[1].admit("192.0.2.1", NOW) == 60
    assert [worker.admit("192.0.2.1", NOW + 1) for worker in workers] == [60, 60], "a millisecond later for the others"


def test_a_throttled_address_does_not_change_the_wait_of_another() -> None:
    throttle = a_throttle(limit=2)
    refuse(throttle, "192.0.2.1", 2)
    refuse(throttle, "192.0.2.2", 2, NOW + 30_000)
    assert throttle.admit("192.0.2.1", NOW + 30_000) == 30
    assert throttle.admit("192.0.2.2", NOW + 30_000) == 60
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None
    assert throttle.admit("192.0.2.2", NOW + 60_000) == 30
    assert throttle.admit("192.0.2.2", NOW + 90_000) is None


def test_a_clock_that_goes_back_locks_nobody_out() -> None:
    throttle = a_throttle(limit=1)
    refuse(throttle, "192.0.2.1", 1)
    assert throttle.admit("192.0.2.1", NOW - 1) is None
    refuse(throttle, "192.0.2.1", 1, NOW - 3_600_000)
    assert throttle.admit("192.0.2.1", NOW - 3_600_000) == 60


@pytest.mark.parametrize(
    ("address", "unit"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_are_counted_by_the_unit_that_one_subscriber_gets(address: str, unit: str) -> None:
    assert counting_unit(address) == unit


def test_all_addresses_of_one_subscriber_count_together() -> None:
    throttle = a_throttle(limit=2)
    throttle.refused("2001:db8::1", NOW)
    throttle.refused("2001:db8::2", NOW)
    assert throttle.admit("2001:db8::3", NOW) == 60
    assert throttle.admit("2001:db8:0:1::3", NOW) is None


@pytest.mark.slow
@pytest.mark.requirement(159)
def test_a_flood_of_addresses_does_not_free_who_was_refused_too_often() -> None:
    throttle = a_throttle(limit=3)
    refuse(throttle, "192.0.2.1", 3)
    for number in range(100_000):
        throttle.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW + 1)
    assert throttle.admit("192.0.2.1", NOW + 2) == 60


def test_garbage_in_the_table_locks_nobody_out() -> None:
    counters = Counters()
    counters.write(24, os.urandom(2_621_480))
    throttle = AddressThrottle(counters, limit=2)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 2)
    assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None


# --- the table behind it --------------------------------------------------------------------------------------------------


def neighbours(counters: Counters, count: int) -> list[str]:
    """Returns this many addresses that share one row of the table."""
    first = counters.refusals.bucket("10.0.0.0")[1]
    addresses = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(1 << 24))
    found = (address for address in addresses if counters.refusals.bucket(address)[1] == first)
    return [next(found) for _ in range(count)]


def test_the_default_limit_is_600_in_a_minute() -> None:
    throttle = AddressThrottle(Counters())
    refuse(throttle, "192.0.2.1", 599)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 1)
    assert throttle.admit("192.0.2.1", NOW + 59_999) == 1
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None


def test_seconds_to_wait_are_rounded_up() -> None:
    throttle = a_throttle(limit=1)
    refuse(throttle, "192.0.2.1", 1)
    assert [throttle.admit("192.0.2.1", NOW + 60_000 - left) for left in (1000, 1001, 2000, 2001)] == [1, 2, 2, 3]


def test_an_expired_address_is_evicted_first_then_the_least_refused_one() -> None:
    counters = Counters()
    throttle = AddressThrottle(counters, limit=3)
    *eight, ninth, tenth = neighbours(counters, 10)
    refuse(throttle, eight[0], 2, NOW - 60_000)
    for address in eight[1:]:
        refuse(throttle, address, 1 if address == eight[5] else 2)

    refuse(throttle, ninth, 3)
    assert throttle.admit(ninth, NOW) == 60
    assert counters.refusals.get(eight[0]) == 0, "its minute was over"
    assert counters.refusals.get(eight[5]) != 0
    refuse(throttle, tenth, 1)
    assert counters.refusals.get(eight[5]) == 0, "it was refused the least"
    assert throttle.admit(ninth, NOW) == 60


def test_an_address_that_reaches_the_limit_later_shortens_nobodys_wait() -> None:
    throttle = a_throttle(limit=2)
    refuse(throttle, "192.0.2.1", 1)
    refuse(throttle, "192.0.2.2", 2, NOW + 30_000)
    refuse(throttle, "192.0.2.1", 1, NOW + 30_000)
    assert throttle.admit("192.0.2.1", NOW + 59_000) == 1
    assert throttle.admit("192.0.2.2", NOW + 59_000) == 31
    assert throttle.admit("192.0.2.2", NOW + 89_999) == 1


def test_no_refusals_are_looked_up_while_no_address_is_throttled() -> None:
    counters = Counters()
    throttle = AddressThrottle(counters, limit=2)
    refuse(throttle, "192.0.2.1", 1)
    assert counters.throttled_until == 0
    refuse(throttle, "192.0.2.1", 1)
    assert counters.throttled_until == NOW + 60_000


def test_a_throttle_time_from_a_clock_that_went_back_is_corrected() -> None:
    counters = Counters()
    throttle = AddressThrottle(counters, limit=1)
    counters.throttled_until = NOW + 60_001
    refuse(throttle, "192.0.2.1", 1)
    assert counters.throttled_until == NOW + 60_000
    counters.throttled_until = NOW + 59_999
    refuse(throttle, "192.0.2.1", 1)
    assert counters.throttled_until == NOW + 60_000


def test_the_refusal_count_of_an_address_stops_at_a_million() -> None:
    counters = Counters()
    throttle = AddressThrottle(counters)
    most, end = (1 << 20) - 1, NOW + 60_000
    at, _ = counters.refusals.slot("192.0.2.1", lambda count: count)
    counters.refusals.put("192.0.2.1", at, most - 1 << 44 | end)
    for _ in range(3):
        throttle.refused("192.0.2.1", NOW)
        assert counters.refusals.get("192.0.2.1") == most << 44 | end
    assert throttle.admit("192.0.2.1", NOW) == 60
