"""Ids sort in the order of their creation, whatever the clock does, and cannot be guessed."""

import threading
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from bedesten.core.ids import MAX_ID_LENGTH, IdGenerator, first_id, is_id

MS = 1_000_000


def ids_at(moments: list[int]) -> list[str]:
    clock: Iterator[int] = iter(moments)
    ids = IdGenerator(lambda: next(clock), lambda count: b"\xff" * count if len(moments) % 2 else b"\0" * count)
    return [ids.new("prd") for _ in moments]


@given(st.lists(st.integers(0, 2**48 * MS // 2), min_size=2, max_size=50))
def test_ids_increase_even_within_a_millisecond_and_when_the_clock_goes_back(moments: list[int]) -> None:
    made = ids_at(moments)

    assert made == sorted(set(made))


def test_ids_of_two_processes_with_one_clock_agree_to_the_microsecond() -> None:
    one, other = IdGenerator(lambda: 1_800_000_000_000_001_000), IdGenerator(lambda: 1_800_000_000_000_002_000)
    assert other.new("odl") > one.new("odl")


def test_ids_made_before_a_moment_sort_before_its_first_id() -> None:
    at = 1_800_000_000_000
    before, after = IdGenerator(lambda: at * MS - 1), IdGenerator(lambda: at * MS)
    assert before.new("aud") < first_id("aud", at) <= after.new("aud")


def test_the_random_part_is_drawn_for_each_id() -> None:
    clock = IdGenerator(lambda: 5 * MS)
    assert clock.new("a")[-12:] != clock.new("a")[-12:]


def test_ids_of_many_threads_are_all_different() -> None:
    ids = IdGenerator()
    made: list[str] = []

    def make() -> None:
        made.extend([ids.new("cod") for _ in range(500)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2_000
    assert all(is_id(one) and len(one) == 30 <= MAX_ID_LENGTH for one in made)
