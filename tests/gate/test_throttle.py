"""Only refusals count, only far beyond honest trouble, and only within a bounded memory."""

import pytest

from bedesten.gate.throttle import AddressThrottle, counting_unit

NOW = 1_700_000_000_000


def refuse(throttle: AddressThrottle, address: str, times: int, now: int = NOW) -> None:
    for _ in range(times):
        throttle.refused(address, now)


def test_six_hundred_refusals_a_minute_keep_their_true_answer_and_no_more() -> None:
    throttle = AddressThrottle()
    refuse(throttle, "192.0.2.1", 599)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 1)
    assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("192.0.2.2", NOW) is None


def test_r153_who_waits_as_long_as_told_is_answered_again() -> None:
    throttle = AddressThrottle(limit=2)
    refuse(throttle, "192.0.2.1", 2)
    assert throttle.admit("192.0.2.1", NOW + 1) == 60
    assert throttle.admit("192.0.2.1", NOW + 59_001) == 1
    assert throttle.admit("192.0.2.1", NOW + 59_999) == 1
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None
    refuse(throttle, "192.0.2.1", 1, NOW + 60_000)
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None


def test_a_clock_that_goes_back_locks_nobody_out() -> None:
    throttle = AddressThrottle(limit=1)
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
def test_an_address_counts_as_what_one_subscriber_has(address: str, unit: str) -> None:
    assert counting_unit(address) == unit


def test_all_addresses_of_one_subscriber_count_together() -> None:
    throttle = AddressThrottle(limit=2)
    throttle.refused("2001:db8::1", NOW)
    throttle.refused("2001:db8::2", NOW)
    assert throttle.admit("2001:db8::3", NOW) == 60
    assert throttle.admit("2001:db8:0:1::3", NOW) is None


def test_r159_a_flood_of_addresses_stays_within_the_bound_and_does_not_free_who_goes_on() -> None:
    throttle = AddressThrottle(limit=3, max_addresses=10)
    refuse(throttle, "192.0.2.1", 3)
    for number in range(1000):
        throttle.refused(f"10.0.{number // 250}.{number % 250}", NOW)
        throttle.refused("192.0.2.1", NOW)
        assert len(throttle) <= 10
        assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("10.0.0.0", NOW) is None
