"""One count for all workers of a machine, in a bounded memory that may be corrupted at any time."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bedesten.ratelimit import limits
from bedesten.ratelimit.limits import MAX_BUCKET_US, Counters, LimitStatus, RateLimit, RateLimiter

NOW = 1_700_000_000_000
MINUTE = 60_000


@pytest.fixture
def counters() -> Iterator[Counters]:
    made = Counters()
    yield made
    made.close()


@pytest.fixture
def counted(counters: Counters) -> RateLimiter:
    return RateLimiter(counters)


def take(
    counted: RateLimiter, per_minute: int, now: int = NOW, name: str = "par_1", kind: str = "credential"
) -> LimitStatus:
    return counted.take([RateLimit(kind, name, per_minute)], now)[0]


def accepted(counted: RateLimiter, tries: int, per_minute: int, now: int = NOW, name: str = "par_1") -> int:
    return sum(take(counted, per_minute, now, name).allowed for _ in range(tries))


# --- the limit ----------------------------------------------------------------------------------------------------------


def test_a_limit_allows_a_burst_of_one_minutes_worth_and_no_more(counted: RateLimiter) -> None:
    assert accepted(counted, 100, 60) == 60
    assert accepted(counted, 10, 7, name="seven") == 7
    assert accepted(counted, 3, 1, name="one") == 1


def test_tokens_are_refilled_evenly(counted: RateLimiter) -> None:
    assert accepted(counted, 60, 60) == 60
    assert accepted(counted, 5, 60, NOW + 999) == 0
    assert accepted(counted, 5, 60, NOW + 1000) == 1
    assert accepted(counted, 50, 60, NOW + 31_000) == 30
    assert accepted(counted, 100, 60, NOW + 10 * MINUTE) == 60


def test_the_status_has_the_remaining_requests_and_the_time_until_it_is_full(counted: RateLimiter) -> None:
    assert take(counted, 60) == LimitStatus(limit=60, remaining=59, reset=1, retry=0)
    assert take(counted, 60) == LimitStatus(limit=60, remaining=58, reset=2, retry=0)
    assert accepted(counted, 58, 60) == 58
    assert take(counted, 60) == LimitStatus(limit=60, remaining=0, reset=60, retry=1)
    assert take(counted, 60, NOW + 58_000) == LimitStatus(limit=60, remaining=57, reset=3, retry=0)


@pytest.mark.requirement(153)
@pytest.mark.parametrize("per_minute", [1, 2, 7, 59, 60, 61, 600, 601, 1_000_003, 10_000_000])
def test_who_waits_as_long_as_told_is_let_in(counted: RateLimiter, per_minute: int) -> None:
    counted.take([RateLimit("credential", "par_1", per_minute)] * 1, NOW)
    tables_full = NOW * 1000 + limits.MINUTE_US
    at, _ = counted._counters.callers.slot("par_1", lambda count: count)
    counted._counters.callers.put("par_1", at, tables_full)
    refused = take(counted, per_minute)
    assert refused.retry >= 1
    assert isinstance(refused.retry, int)
    assert take(counted, per_minute, NOW + refused.retry * 1000).allowed


def test_a_refused_request_takes_nothing(counted: RateLimiter) -> None:
    assert accepted(counted, 60, 60) == 60
    assert accepted(counted, 1000, 60) == 0
    assert take(counted, 60, NOW + 1000).allowed


def test_every_name_has_a_bucket_of_its_own(counted: RateLimiter) -> None:
    assert accepted(counted, 5, 3, name="ten_a credential par_1") == 3
    assert accepted(counted, 5, 3, name="ten_b credential par_1") == 3


def test_a_request_takes_from_all_of_its_limits_or_none(counted: RateLimiter) -> None:
    both = [RateLimit("tenant", "ten_a", 3), RateLimit("credential", "par_1", 10)]
    assert [[one.allowed for one in counted.take(both, NOW)] for _ in range(5)] == [[True, True]] * 3 + [
        [False, True]
    ] * 2
    assert take(counted, 10).remaining == 6, "two refused requests took nothing from the credential's"


def test_a_changed_limit_applies_at_once(counted: RateLimiter) -> None:
    assert accepted(counted, 100, 60) == 60
    assert accepted(counted, 100, 600, NOW + 1000) == 10
    assert accepted(counted, 100, 6, NOW + 1000) == 0
    assert take(counted, 6, NOW + 1000).retry == 10


@pytest.mark.parametrize("back", [1, 500, 62_000, 3_600_000, 400 * 86_400_000])
def test_a_clock_that_goes_back_locks_nobody_out(counted: RateLimiter, back: int) -> None:
    assert accepted(counted, 60, 60) == 60
    verdict = take(counted, 60, NOW - back)
    assert verdict.retry <= 2
    assert take(counted, 60, NOW - back + verdict.retry * 1000).allowed


# --- one memory for all processes ---------------------------------------------------------------------------------------

HAMMER = """
import sys
from pathlib import Path
from bedesten.ratelimit.limits import Counters, RateLimit, RateLimiter
counters = Counters(Path(sys.argv[1]))
assert counters.shared
limiter = RateLimiter(counters)
sys.stdin.read(1)
limits = [RateLimit("credential", "par_1", int(sys.argv[2]))]
print(sum(limiter.take(limits, 1_700_000_000_000)[0].allowed for _ in range(int(sys.argv[3]))))
"""


@pytest.mark.requirement(154)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_several_processes_together_hold_one_limit_within_a_tenth(tmp_path: Path, workers: int) -> None:
    command = [sys.executable, "-c", HAMMER, str(tmp_path / "limits.map"), "6000", "6000"]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)
    ]
    try:
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go")
            process.stdin.flush()
        let_through = sum(int(process.communicate(timeout=60)[0]) for process in started)
    finally:
        for process in started:
            process.kill()
    assert 6000 <= let_through <= 6600


def test_two_openings_of_the_file_share_their_counts(tmp_path: Path) -> None:
    first, second = Counters(tmp_path / "limits.map"), Counters(tmp_path / "limits.map")
    assert first.shared
    assert second.shared
    assert accepted(RateLimiter(first), 2, 3) == 2
    assert accepted(RateLimiter(second), 2, 3) == 1
    assert os.stat(tmp_path / "limits.map").st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.requirement(159)
def test_a_million_names_take_no_more_memory_and_do_not_free_who_goes_on(counters: Counters) -> None:
    counted = RateLimiter(counters)
    assert accepted(counted, 600, 600, name="heavy") == 600
    resident = _resident()
    moment = NOW * 1000 + 100_000
    for number in range(1_000_000):
        at, _ = counters.callers.slot(name := f"par_{number}", lambda empty_at: empty_at)
        counters.callers.put(name, at, moment)
    assert not take(counted, 600, name="heavy").allowed
    assert _resident() - resident < 16 * 1024 * 1024


def test_the_file_never_grows(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "limits.map")
    size = (tmp_path / "limits.map").stat().st_size
    assert size < 3 * 1024 * 1024
    for number in range(20_000):
        RateLimiter(counters).take([RateLimit("credential", f"par_{number}", 600)], NOW)
    assert (tmp_path / "limits.map").stat().st_size == size


def test_addresses_displace_no_credential(counted: RateLimiter) -> None:
    assert accepted(counted, 1, 60, name="light") == 1
    for number in range(150_000):
        counted.take([RateLimit("address", f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64", 600)], NOW)
    assert take(counted, 60, name="light").remaining == 58


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as status:
        return int(status.read().split()[1]) * os.sysconf("SC_PAGESIZE")


# --- faults of the file -----------------------------------------------------------------------------------------------


def _truncated(path: Path) -> None:
    path.write_bytes(b"bedesten")


def _empty(path: Path) -> None:
    path.touch()


def _rubbish(path: Path) -> None:
    Counters(path).close()
    path.write_bytes(os.urandom(path.stat().st_size))


def _too_long(path: Path) -> None:
    Counters(path).close()
    with path.open("ab") as file:
        file.write(b"\0")


def _unreadable(path: Path) -> None:
    Counters(path).close()
    path.chmod(0)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()


def _link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [_truncated, _empty, _rubbish, _too_long, _unreadable, _folder, _link, _pipe])
def test_anything_in_place_of_the_file_is_replaced(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "limits.map"
    spoil(path)
    counters = Counters(path)
    assert counters.shared
    assert accepted(RateLimiter(counters), 5, 3) == 3
    assert accepted(RateLimiter(Counters(path)), 5, 3) == 0
    assert not (tmp_path / "elsewhere").exists()


def test_garbage_after_the_header_locks_nobody_out_and_lifts_no_limit(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "limits.map")
    size = (tmp_path / "limits.map").stat().st_size
    counters.write(64, os.urandom(size - 64))
    assert accepted(RateLimiter(counters), 5, 3) == 3


@pytest.mark.parametrize("word", [0, 1, NOW, (1 << 64) - 1, NOW * 1000 + MAX_BUCKET_US + 1])
def test_an_impossible_count_is_treated_as_zero(counters: Counters, word: int) -> None:
    at, _ = counters.callers.slot("par_1", lambda count: count)
    counters.callers.put("par_1", at, word)
    assert accepted(RateLimiter(counters), 5, 3) == 3


@pytest.mark.parametrize("length", [0, 4, 30, 100, 10_000])
def test_a_file_truncated_in_use_is_repaired_and_stays_shared(tmp_path: Path, length: int) -> None:
    path = tmp_path / "limits.map"
    first, second = Counters(path), Counters(path)
    assert accepted(RateLimiter(first), 2, 3) == 2
    size = path.stat().st_size
    at, _ = first.callers.slot("par_1", lambda count: count)
    os.truncate(path, min(length, at))
    assert accepted(RateLimiter(first), 1, 3) == 1
    assert accepted(RateLimiter(second), 5, 3) in (0, 1, 2), "what was counted before the cut may be forgotten"
    assert not take(RateLimiter(first), 3).allowed
    assert path.stat().st_size == size
    assert accepted(RateLimiter(Counters(path)), 5, 3) == 0, "a process that opens it now shares it"


def test_on_a_full_disk_nothing_is_counted_and_nothing_fails() -> None:
    counters = Counters()
    counters._file = os.open("/dev/full", os.O_RDWR)
    assert accepted(RateLimiter(counters), 5, 3) == 5
    counters.close()


@pytest.mark.requirement(158)
def test_without_a_place_for_the_file_each_process_counts_by_itself(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "missing" / "limits.map")
    assert not counters.shared
    assert accepted(RateLimiter(counters), 5, 3) == 3
    assert not Counters(Path("/proc/limits.map")).shared
