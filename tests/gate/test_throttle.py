"""Only refusals count, only far beyond honest trouble, for all workers together, and only within a bounded memory."""

import os
from pathlib import Path

import pytest

from bedesten.gate.limits import Tables
from bedesten.gate.throttle import AddressThrottle, counting_unit

NOW = 1_700_000_000_000


def a_throttle(limit: int = 600) -> AddressThrottle:
    return AddressThrottle(Tables(), limit=limit)


def refuse(throttle: AddressThrottle, address: str, times: int, now: int = NOW) -> None:
    for _ in range(times):
        throttle.refused(address, now)


def test_six_hundred_refusals_a_minute_keep_their_true_answer_and_no_more() -> None:
    throttle = a_throttle()
    refuse(throttle, "192.0.2.1", 599)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 1)
    assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("192.0.2.2", NOW) is None


def test_six_hundred_a_minute_can_go_on_for_ever() -> None:
    throttle = a_throttle()
    for minute in range(5):
        for number in range(600):
            assert throttle.admit("192.0.2.1", NOW + minute * 60_000 + number * 100) is None
            throttle.refused("192.0.2.1", NOW + minute * 60_000 + number * 100)


def test_r153_who_waits_as_long_as_told_is_answered_again() -> None:
    throttle = a_throttle(limit=2)
    refuse(throttle, "192.0.2.1", 2)
    assert throttle.admit("192.0.2.1", NOW + 1) == 60
    assert throttle.admit("192.0.2.1", NOW + 59_001) == 1
    assert throttle.admit("192.0.2.1", NOW + 59_999) == 1
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None
    refuse(throttle, "192.0.2.1", 1, NOW + 60_000)
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None


def test_r154_the_refusals_of_all_workers_count_together(tmp_path: Path) -> None:
    workers = [AddressThrottle(Tables(tmp_path / "limits.map")) for _ in range(2)]
    for number in range(600):
        assert [worker.admit("192.0.2.1", NOW) for worker in workers] == [None, None]
        workers[number % 2].refused("192.0.2.1", NOW)
    assert [worker.admit("192.0.2.1", NOW) for worker in workers] == [60, 60]


def test_one_address_that_waits_makes_no_other_one_wait_longer_or_shorter() -> None:
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
def test_an_address_counts_as_what_one_subscriber_has(address: str, unit: str) -> None:
    assert counting_unit(address) == unit


def test_all_addresses_of_one_subscriber_count_together() -> None:
    throttle = a_throttle(limit=2)
    throttle.refused("2001:db8::1", NOW)
    throttle.refused("2001:db8::2", NOW)
    assert throttle.admit("2001:db8::3", NOW) == 60
    assert throttle.admit("2001:db8:0:1::3", NOW) is None


def test_r159_a_flood_of_addresses_does_not_free_who_was_refused_too_often() -> None:
    throttle = a_throttle(limit=3)
    refuse(throttle, "192.0.2.1", 3)
    for number in range(100_000):
        throttle.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOW + 1)
    assert throttle.admit("192.0.2.1", NOW + 2) == 60


def test_rubbish_in_the_table_locks_nobody_out() -> None:
    tables = Tables()
    tables.write(24, os.urandom(2_621_480))
    throttle = AddressThrottle(tables, limit=2)
    assert throttle.admit("192.0.2.1", NOW) is None
    refuse(throttle, "192.0.2.1", 2)
    assert throttle.admit("192.0.2.1", NOW) == 60
    assert throttle.admit("192.0.2.1", NOW + 60_000) is None
