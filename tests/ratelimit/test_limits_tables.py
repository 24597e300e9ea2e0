"""The table of counts: eight slots a name, a header that nothing overwrites, a lock that is held and released."""

import fcntl
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.ratelimit.limits import Counters, CounterTable, LimitStatus, RateLimit, RateLimiter
from bedesten.ratelimit.throttle import AddressThrottle

NOW = 1_700_000_000_000
DATABASE_NOW = NOW * 1000
FILE_SIZE = 64 + 16 * (65_536 + 65_536 + 32_768)


def neighbours(table: CounterTable, count: int) -> list[str]:
    """Returns this many names that share one row."""
    first = table.bucket("name 0")[1]
    names = (f"name {number}" for number in range(10_000_000))
    found = (name for name in names if table.bucket(name)[1] == first)
    return [next(found) for _ in range(count)]


def put(table: CounterTable, name: str, count: int) -> int:
    """Writes a name's count to its slot; returns the slot."""
    at, _ = table.slot(name, lambda worth: worth)
    table.put(name, at, count)
    return at


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limits.map"


@pytest.fixture
def counters(path: Path) -> Iterator[Counters]:
    made = Counters(path)
    yield made
    made.close()


# --- rows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["callers", "addresses", "refusals"])
def test_eight_names_in_one_row_have_their_own_counts(counters: Counters, name: str) -> None:
    table: CounterTable = getattr(counters, name)
    eight = neighbours(table, 8)
    first = table.bucket(eight[0])[1]
    around = counters.read(first - 128, 128), counters.read(first + 128, 128)

    buckets = [put(table, one, number * 1000) for number, one in enumerate(eight, 1)]

    assert sorted(buckets) == [first + 16 * number for number in range(8)]
    assert [table.get(one) for one in eight] == [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]
    assert [table.slot(one, lambda worth: worth) for one in eight] == [
        (bucket, number * 1000) for number, bucket in enumerate(buckets, 1)
    ]
    assert (counters.read(first - 128, 128), counters.read(first + 128, 128)) == around


def test_a_ninth_name_replaces_the_least_valuable_count(counters: Counters) -> None:
    table = counters.callers
    *eight, ninth = neighbours(table, 9)
    buckets = {one: put(table, one, 500 + number) for number, one in enumerate(eight)}

    assert table.get(ninth) == 0
    assert table.slot(ninth, lambda count: count) == (buckets[eight[0]], 0)
    assert table.slot(ninth, lambda count: -count) == (buckets[eight[7]], 0)
    assert table.slot(ninth, lambda count: abs(count - 504)) == (buckets[eight[4]], 0)

    table.put(ninth, buckets[eight[4]], 77)
    assert table.get(ninth) == 77
    assert [table.get(one) for one in eight] == [500, 501, 502, 503, 0, 505, 506, 507]


def test_the_tables_follow_the_header_one_after_the_other(counters: Counters, path: Path) -> None:
    assert path.stat().st_size == FILE_SIZE == 2_621_504
    end = 64
    for table, slots in ((counters.callers, 65_536), (counters.addresses, 65_536), (counters.refusals, 32_768)):
        buckets = [table.bucket(f"name {number}") for number in range(20_000)]
        start, end = end, end + slots * 16
        assert {(at - start) % 128 for _, at in buckets} == {0}
        assert start <= min(at for _, at in buckets) < start + 16_384
        assert end - 16_384 < max(at for _, at in buckets) < end
        assert {tag & 1 for tag, _ in buckets} == {1}, "no name is taken for an empty place"
        assert len({tag for tag, _ in buckets}) == 20_000
    assert end == FILE_SIZE


# --- the header ---------------------------------------------------------------------------------------------------------


def test_a_fresh_header_is_the_magic_a_secret_of_16_bytes_and_nothing_else(counters: Counters, path: Path) -> None:
    header = path.read_bytes()[:64]
    assert header[:8] == b"bedlim01"
    assert bytes(8) not in (header[8:16], header[16:24])
    assert header[24:] == bytes(40)
    assert counters.throttled_until == 0


def test_the_throttle_time_follows_the_secret_and_changes_nothing_else(counters: Counters, path: Path) -> None:
    before = path.read_bytes()
    counters.throttled_until = 0x0102030405060708
    assert counters.throttled_until == 0x0102030405060708
    assert path.read_bytes() == before[:24] + bytes([8, 7, 6, 5, 4, 3, 2, 1]) + before[32:]


def test_a_process_that_opens_the_file_while_it_has_a_throttle_time_shares_it(counters: Counters, path: Path) -> None:
    put(counters.callers, "par_1", 4711)
    counters.throttled_until = NOW
    assert Counters(path).callers.get("par_1") == 4711


@pytest.mark.parametrize("byte", [8, 15, 16, 23])
def test_every_byte_of_the_secret_affects_the_slot_of_a_name(counters: Counters, path: Path, byte: int) -> None:
    before = counters.callers.bucket("par_1")
    with path.open("r+b") as file:
        file.seek(byte)
        file.write(bytes([counters.read(byte, 1)[0] ^ 1]))
    assert Counters(path).callers.bucket("par_1") != before


def test_nobody_outside_can_tell_which_names_share_a_row() -> None:
    one, other = (
        [table.bucket(f"par_{number}") for number in range(20)] for table in (Counters().callers, Counters().callers)
    )
    assert not set(one) & set(other)


def test_a_truncated_file_gets_its_header_back_without_the_throttle_time(counters: Counters, path: Path) -> None:
    counters.throttled_until = NOW
    again = Counters(path)
    secret = path.read_bytes()[:24]
    os.truncate(path, 0)
    assert again.throttled_until == 0
    assert path.read_bytes() == secret + bytes(FILE_SIZE - 24)


# --- the lock -----------------------------------------------------------------------------------------------------------


class Watched(Counters):
    """Tables that check at every write whether another process could write too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.other = os.open(path, os.O_RDWR)
        self.free: list[bool] = []

    def is_free(self) -> bool:
        """Whether another process could get the lock now."""
        try:
            fcntl.flock(self.other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self.other, fcntl.LOCK_UN)
        return True

    def write(self, at: int, words: bytes) -> None:
        """Writes, and records whether the lock was held."""
        self.free.append(self.is_free())
        super().write(at, words)


def test_counting_takes_and_releases_the_lock(path: Path) -> None:
    watched = Watched(path)
    RateLimiter(watched).take([RateLimit("credential", "par_1", 60)], NOW)
    AddressThrottle(watched).refused("192.0.2.1", NOW)
    assert watched.free == [False, False]
    assert watched.is_free()


def test_a_lock_that_is_never_released_blocks_nobody(path: Path) -> None:
    watched = Watched(path)
    fcntl.flock(watched.other, fcntl.LOCK_EX)
    assert RateLimiter(watched).take([RateLimit("credential", "par_1", 1)], NOW)[0].allowed
    assert not RateLimiter(watched).take([RateLimit("credential", "par_1", 1)], NOW)[0].allowed


def test_workers_that_start_together_wait_for_each_other(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    made: list[Counters] = []
    starting = threading.Thread(target=lambda: made.append(Counters(path)))
    starting.start()
    starting.join(0.3)
    assert made == []
    assert not path.exists()
    fcntl.flock(folder, fcntl.LOCK_UN)
    starting.join()
    assert made[0].shared
    os.close(folder)


# --- opening and closing ------------------------------------------------------------------------------------------------


def test_closing_twice_closes_the_file_once(path: Path) -> None:
    before = open_files()
    counters = Counters(path)
    assert open_files() == before + 1
    counters.close()
    counters.close()
    assert open_files() == before


def test_a_file_of_another_kind_is_replaced_and_not_kept_open(path: Path) -> None:
    before = open_files()
    for spoilt in (b"bedlim01", bytes(FILE_SIZE), b"bedlim02" + bytes(FILE_SIZE - 8), b"bedlim01" + bytes(FILE_SIZE)):
        path.write_bytes(spoilt)
        counters = Counters(path)
        assert counters.shared
        assert path.stat().st_size == FILE_SIZE
        assert path.read_bytes()[:8] == b"bedlim01"
        assert path.read_bytes()[8:24] != bytes(16)
        counters.close()
        assert os.listdir(path.parent) == ["limits.map"]
    assert open_files() == before


def test_a_folder_in_place_of_the_file_is_moved_aside_and_a_link_is_not_followed(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()
    Counters(path).close()
    aside = path.with_name(f"limits.map.{os.getpid()}.aside")
    assert (aside / "something").exists()
    path.unlink()
    path.symlink_to(aside)
    Counters(path).close()
    assert not path.is_symlink()
    assert sorted(os.listdir(path.parent)) == ["limits.map", aside.name]


def test_a_leftover_draft_of_the_file_does_no_harm(path: Path) -> None:
    path.with_name("limits.map.new").write_bytes(b"half")
    assert Counters(path).shared
    assert os.listdir(path.parent) == ["limits.map"]


def test_without_room_for_the_file_nothing_is_left_behind(path: Path) -> None:
    before, limit = open_files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        counters = Counters(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not counters.shared
    assert os.listdir(path.parent) == []
    assert open_files() == before
    assert RateLimiter(counters).take([RateLimit("credential", "par_1", 1)], NOW)[0].allowed


# --- what a count is worth ----------------------------------------------------------------------------------------------


def test_addresses_and_callers_are_counted_in_separate_tables(counters: Counters) -> None:
    RateLimiter(counters).take(
        [RateLimit("address", "one", 60), RateLimit("credential", "two", 60), RateLimit("tenant", "three", 60)], NOW
    )
    counts = {name: (counters.callers.get(name), counters.addresses.get(name)) for name in ("one", "two", "three")}
    taken = DATABASE_NOW + 1_000_000
    assert counts == {"one": (0, taken), "two": (taken, 0), "three": (taken, 0)}


def test_an_impossible_count_is_evicted_first_then_the_bucket_that_ends_soonest(counters: Counters) -> None:
    *eight, ninth, tenth = neighbours(counters.callers, 10)
    counts = [
        DATABASE_NOW + 61_000_000,
        DATABASE_NOW + 61_000_001,
        *(DATABASE_NOW + second * 1_000_000 for second in (5, 2, 3, 4, 6, 7)),
    ]
    for one, count in zip(eight, counts, strict=True):
        put(counters.callers, one, count)

    RateLimiter(counters).take([RateLimit("credential", ninth, 60)], NOW)
    assert [one for one in eight if counters.callers.get(one) == 0] == [eight[1]], "later than can be"
    put(counters.callers, ninth, DATABASE_NOW + 9_000_000)
    RateLimiter(counters).take([RateLimit("credential", tenth, 60)], NOW)
    assert [one for one in eight if counters.callers.get(one) == 0] == [eight[1], eight[3]]


def test_a_count_is_valid_up_to_a_minute_and_a_second_from_now(counters: Counters) -> None:
    put(counters.callers, "par_1", DATABASE_NOW + 61_000_000)
    assert not RateLimiter(counters).take([RateLimit("credential", "par_1", 60)], NOW)[0].allowed
    put(counters.callers, "par_1", DATABASE_NOW + 61_000_001)
    assert RateLimiter(counters).take([RateLimit("credential", "par_1", 60)], NOW)[0].remaining == 59


def test_seconds_are_rounded_up(counters: Counters) -> None:
    counted = RateLimiter(counters)
    assert counted.take([RateLimit("credential", "one", 1)], NOW) == [LimitStatus(1, 0, 60, 0)]
    assert counted.take([RateLimit("credential", "one", 1)], NOW) == [LimitStatus(1, 0, 60, 60)]
    assert counted.take([RateLimit("credential", "one", 1)], NOW + 1) == [LimitStatus(1, 0, 60, 60)]
    assert counted.take([RateLimit("credential", "one", 1)], NOW + 59_999) == [LimitStatus(1, 0, 60, 1)]
    put(counters.callers, "two", DATABASE_NOW + 60_000_001)
    assert counted.take([RateLimit("credential", "two", 60)], NOW) == [LimitStatus(60, 0, 60, 2)]
