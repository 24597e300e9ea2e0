"""Rate limits that all processes of one machine share: counts by name, in a file that each process has open.

`RateLimiter` (this module) counts requests by credential, tenant and address. `AddressThrottle` (`ratelimit.throttle`)
counts refusals by address. Each has its own tables: a client that can choose names, such as one with many addresses,
displaces counts only in tables whose names clients can choose.

Storage: a table is a fixed number of slots of two words, the name's tag and the count. A name has eight possible slots;
when all are taken it replaces the count with the lowest priority. So the memory is bounded: a flood of names costs some
names their count but never exhausts it. A process holds a lock on the file for the few microseconds of a count; without
the lock two busy processes lose a third of their counts. A process waits for the lock for a few milliseconds at most,
so one that is stopped while it holds the lock blocks no other.

Failures: the file may be truncated, overwritten with garbage or on a full disk at any time. It is read and written,
never mapped, because a mapped page that is missing kills the process. A file that is not a valid counter file is
replaced when it is opened. In use, missing parts are restored, and an impossible count reads as zero, which also
corrects the counts after a clock went back. Without the file (`Counters.shared` is False) each process counts alone. No
limit ever fails a request.
"""

import contextlib
import fcntl
import os
import stat
import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from bedesten.core import syscalls

MINUTE_US = 60_000_000
MAX_BUCKET_US = MINUTE_US + 1_000_000
"""Every bucket is empty within this time. A later value in a slot is garbage, or from before the clock went back."""

SLOTS_PER_BUCKET = 8
MAX_LAST = 4_096
"""Names of a table whose slot a process caches."""
_flock, _LOCK_NOW, _UNLOCK = fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_UN
_WORD = 8
_HEADER = 8  # words: the magic number, two of the hash's secret, the end of throttling, four spare
_ROW = struct.Struct(f"<{SLOTS_PER_BUCKET * 2}Q")
_PAIR = struct.Struct("<2Q")
_SINGLE = struct.Struct("<Q")
_MAGIC = b"bedlim01"
MAX_LOCK_ATTEMPTS = 2_000
"""Attempts to take the lock, each of a microsecond or two."""
TABLE_SIZES = (("callers", 1 << 16), ("addresses", 1 << 16), ("refusals", 1 << 15))
"""How many names each table can count at once."""
_SIZE = (_HEADER + sum(slots for _, slots in TABLE_SIZES) * 2) * _WORD
_THROTTLED_UNTIL = 3 * _WORD

Priority = Callable[[int], int]
"""Rates a count: the slot with the lowest result is replaced first, and 0 is a worthless count."""


class CounterTable:
    """Counts by name within one region of the file. Several processes may use it at once (see the module)."""

    __slots__ = ("_counters", "_last", "bucket")

    def __init__(self, counters: "Counters", start: int, slots: int, secret: bytes) -> None:
        self._counters = counters
        self._last: dict[str, int] = {}
        rows = slots // SLOTS_PER_BUCKET

        @lru_cache(maxsize=16_384)
        def bucket(name: str) -> tuple[int, int]:
            """Returns the name's tag and the offset of its eight slots. A secret hides which names share slots."""
            number = int.from_bytes(blake2b(name.encode(), digest_size=8, key=secret).digest(), "little")
            return number | 1, start + number % rows * _ROW.size

        self.bucket = bucket

    def get(self, name: str) -> int:
        """Returns the name's count, 0 if it has none."""
        tag, first = self.bucket(name)
        row = _ROW.unpack(self._counters.read(first, _ROW.size))
        tags = row[::2]
        return row[tags.index(tag) * 2 + 1] if tag in tags else 0

    def slot(self, name: str, priority: Priority) -> tuple[int, int]:
        """Returns the offset for the name's count (see `put`) and the present count. The slot may hold another name."""
        tag, first = self.bucket(name)
        last = self._last.get(name)
        if last is not None:
            found, count = _PAIR.unpack(self._counters.read(last, _PAIR.size))
            if found == tag:
                return last, count
        row = _ROW.unpack(self._counters.read(first, _ROW.size))
        tags = row[::2]
        if tag in tags:
            number = tags.index(tag)
            self._keep(name, first + number * _PAIR.size)
            return first + number * _PAIR.size, row[number * 2 + 1]
        number = min(range(SLOTS_PER_BUCKET), key=lambda one: priority(row[one * 2 + 1]))
        return first + number * _PAIR.size, 0

    def _keep(self, name: str, at: int) -> None:
        """Caches where the name's count is, so that the next lookup reads one slot in place of eight."""
        if len(self._last) >= MAX_LAST:
            self._last.clear()
        self._last[name] = at

    def put(self, name: str, at: int, count: int) -> None:
        """Writes the name's count into the slot that `slot` returned."""
        self._counters.write(at, _PAIR.pack(self.bucket(name)[0], count))


class Counters:
    """The counter tables of one machine. `shared` is whether other processes see them; with `path` None they do not.

    `throttled_until` is one more shared number, which `AddressThrottle` maintains.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = None if path is None else _open_shared(path)
        self.shared = self._file is not None
        self._memory = bytearray() if self.shared else bytearray(_SIZE)
        self._header = self.read(0, _HEADER * _WORD) if self.shared else _fresh_header()
        self._repair()
        secret = self._header[_WORD : 3 * _WORD]
        tables, start = {}, _HEADER * _WORD
        for name, slots in TABLE_SIZES:
            tables[name] = CounterTable(self, start, slots, secret)
            start += slots * _PAIR.size
        self.callers, self.addresses, self.refusals = tables["callers"], tables["addresses"], tables["refusals"]

    @property
    def throttled_until(self) -> int:
        """The shared number, read from the file's header."""
        throttled_until: int = _SINGLE.unpack(self.read(_THROTTLED_UNTIL, _WORD))[0]
        return throttled_until

    @throttled_until.setter
    def throttled_until(self, number: int) -> None:
        self.write(_THROTTLED_UNTIL, _SINGLE.pack(number))

    def read(self, at: int, size: int) -> bytes:
        """Returns `size` bytes from the offset `at`; bytes past the end of the file are zero."""
        if self._file is None:
            return bytes(self._memory[at : at + size])
        found = syscalls.pread(self._file, size, at)
        if len(found) < size:
            self._repair()
            found = found.ljust(size, b"\0")
        return found

    def write(self, at: int, words: bytes) -> None:
        """Writes at the offset `at`. A failing disk is ignored."""
        if self._file is None:
            self._memory[at : at + len(words)] = words
            return
        try:
            os.pwrite(self._file, words, at)
        except OSError:
            return  # a full disk: requests that are not counted pass

    def lock(self) -> None:
        """Locks the file until `unlock`. Gives up without an error if another process holds the lock too long."""
        if self._file is None:
            return
        for _ in range(MAX_LOCK_ATTEMPTS):
            try:
                _flock(self._file, _LOCK_NOW)
            except OSError:
                os.sched_yield()
            else:
                return

    def unlock(self) -> None:
        """Releases the lock."""
        if self._file is not None:
            _flock(self._file, _UNLOCK)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _repair(self) -> None:
        """Restores size and header of a truncated file, so that a process that opens it now shares it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, self._header[: 3 * _WORD], 0)
                os.ftruncate(self._file, _SIZE)


def _open_shared(path: Path) -> int | None:
    """Opens the file, and creates it if necessary. Returns None if neither works.

    Holds a lock on the directory, so that processes that start together open the same file.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = _open_existing(path)
        return _create(path) if found is None else found
    except OSError:
        return None
    finally:
        os.close(folder)


def _open_existing(path: Path) -> int | None:
    """Opens the file if it is a valid counter file, else returns None."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode) and status.st_size == _SIZE and os.pread(file, _WORD, 0) == _MAGIC:
            return file
    except OSError:
        pass  # the caller creates it, or counts without a file
    os.close(file)
    return None


def _create(path: Path) -> int:
    """Creates a fresh file in place of an existing one, or of a directory. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.{os.getpid()}.aside"))
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, _SIZE)
        os.pwrite(file, _fresh_header(), 0)
        fresh.replace(path)
    except OSError:
        os.close(file)
        fresh.unlink()
        raise
    return file


def _fresh_header() -> bytes:
    return _MAGIC + os.urandom(2 * _WORD)


# --- request limits -----------------------------------------------------------------------------------------------------


class RateLimit(NamedTuple):
    """A limit that applies to a request: `kind` is `credential`, `tenant` or `address`, `name` identifies which one."""

    kind: str
    name: str
    per_minute: int


class LimitStatus(NamedTuple):
    """The state of a limit: `remaining` requests now, `reset` seconds until the bucket is full, `retry` seconds to wait."""

    limit: int
    remaining: int
    reset: int
    retry: int

    @property
    def allowed(self) -> bool:
        """Whether the request passes."""
        return self.retry == 0


class RateLimiter:
    """The generic cell rate algorithm (GCRA): a slot holds only the moment at which the bucket will be empty again.

    A limit of N a minute permits N requests at once and one more every 60/N seconds.
    """

    __slots__ = ("_counters",)

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def take(self, limits: Iterable[RateLimit], now: int) -> list[LimitStatus]:
        """Counts the request against every limit, or against none if one of them is exhausted. `now` is in epoch ms."""
        self._counters.lock()
        try:
            return self._take(limits, now * 1000)
        finally:
            self._counters.unlock()

    def look(self, limits: Iterable[RateLimit], now: int, *, counted: bool = False) -> list[LimitStatus]:
        """Returns the state of every limit for one more request, or for one that is already `counted` and passes."""
        moment, statuses = now * 1000, []
        for limit in limits:
            empty_at = _plausible(self._table(limit).get(limit.name), moment)
            if counted:
                empty_at -= MINUTE_US // limit.per_minute
            status, _ = _status_of(limit.per_minute, max(moment, empty_at), moment)
            statuses.append(status._replace(retry=0) if counted else status)
        return statuses

    def learn(self, limit: RateLimit, ahead_us: int, now: int) -> None:
        """Merges the counts of other machines: the bucket will not be empty before `ahead_us` from now."""
        ahead_us = min(ahead_us, limit.per_minute * (MINUTE_US // limit.per_minute))
        self._change(limit, now, lambda empty_at, moment: max(empty_at, moment + ahead_us))

    def give_back(self, limits: Iterable[RateLimit], now: int) -> None:
        """Undoes what `take` counted for a request that does not go on."""
        for limit in limits:
            step = MINUTE_US // limit.per_minute
            self._change(limit, now, lambda empty_at, moment, step=step: max(moment, empty_at - step))  # type: ignore[misc]

    def _change(self, limit: RateLimit, now: int, change: Callable[[int, int], int]) -> None:
        moment, table = now * 1000, self._table(limit)
        self._counters.lock()
        try:
            at, empty_at = table.slot(limit.name, lambda count: count if count <= moment + MAX_BUCKET_US else 0)
            table.put(limit.name, at, change(_plausible(empty_at, moment), moment))
        finally:
            self._counters.unlock()

    def _table(self, limit: RateLimit) -> CounterTable:
        return self._counters.addresses if limit.kind == "address" else self._counters.callers

    def _take(self, limits: Iterable[RateLimit], moment: int) -> list[LimitStatus]:
        statuses: list[LimitStatus] = []
        taken: list[tuple[CounterTable, str, int, int]] = []
        for limit in limits:
            table = self._table(limit)
            at, empty_at = table.slot(limit.name, lambda count: count if count <= moment + MAX_BUCKET_US else 0)
            status, empty_at = _status_of(limit.per_minute, empty_at, moment)
            statuses.append(status)
            taken.append((table, limit.name, at, empty_at))
        if all(status.allowed for status in statuses):
            for table, name, at, empty_at in taken:
                table.put(name, at, empty_at)
        return statuses


def _status_of(per_minute: int, empty_at: int, moment: int) -> tuple[LimitStatus, int]:
    """Returns the status after one more request, and the moment (µs) at which the bucket will be empty."""
    step = MINUTE_US // per_minute
    latest = moment + per_minute * step
    taken = _plausible(empty_at, moment) + step
    if taken > latest:
        return LimitStatus(per_minute, 0, _seconds(latest - moment), _seconds(taken - latest)), empty_at
    return LimitStatus(per_minute, (latest - taken) // step, _seconds(taken - moment), 0), taken


def _plausible(empty_at: int, moment: int) -> int:
    """Returns a stored moment, or the present one if the stored one is past or impossible."""
    return empty_at if moment < empty_at <= moment + MAX_BUCKET_US else moment


def _seconds(microseconds: int) -> int:
    return -(-microseconds // 1_000_000)  # rounded up, so that a client that waits this long passes
