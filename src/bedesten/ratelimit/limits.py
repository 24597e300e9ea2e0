"""Rate limits that all workers of one machine share: counts by name, in a file that each of them has open.

What is counted: `RateLimiter` counts requests by credential, tenant and address (this module), `AddressThrottle` counts
refusals by address (`gate.throttle`). Each has tables of its own, so that whoever can make up names, as addresses can be
made up, crowds out no count but those of others who can.

How it is kept: a table is a fixed number of slots of two words, the name's tag and the count. A name may stand in any of
eight slots; when all are taken it gets the one that is worth the least. So the memory is bounded whatever is counted,
and a flood of names costs some of them their count, never the server its memory. Whoever counts holds a lock on the file
for a few microseconds, without which two busy workers lose a third of their counts; nobody waits for it longer than a
few milliseconds, so that a worker that was stopped in the wrong moment stops no other.

What can go wrong: the file may be cut, filled with rubbish or on a full disk at any time. It is read and written, never
mapped: a mapped page that cannot be had kills the process. When opened, a file that is none of ours is made anew; in use,
what is missing is put back, and a count that cannot be is taken for none, which also mends what a clock that went back
leaves behind. Without the file (`Counters.shared` is False) each process counts by itself. No limit ever fails a request.
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
"""No bucket is empty later than this from now; a slot that says so is rubbish, or of before the clock went back."""

SLOTS_PER_BUCKET = 8
_WORD = 8
_HEADER = 8  # words: what the file is, the two of the hash's secret, the note, four spare
_ROW = struct.Struct(f"<{SLOTS_PER_BUCKET * 2}Q")
_PAIR = struct.Struct("<2Q")
_SINGLE = struct.Struct("<Q")
_MAGIC = b"bedlim01"
MAX_LOCK_ATTEMPTS = 2_000
"""Tries for the lock, each of a microsecond or two."""
TABLE_SIZES = (("callers", 1 << 16), ("addresses", 1 << 16), ("refusals", 1 << 15))
"""Names that can be counted at once, by table."""
_SIZE = (_HEADER + sum(slots for _, slots in TABLE_SIZES) * 2) * _WORD
_NOTE = 3 * _WORD

Priority = Callable[[int], int]
"""How much a count is worth keeping; 0: nothing."""


class CounterTable:
    """Counts by name within one region of the file. Safe for several processes, in the sense above."""

    __slots__ = ("_counters", "bucket")

    def __init__(self, counters: "Counters", start: int, slots: int, secret: bytes) -> None:
        self._counters = counters
        rows = slots // SLOTS_PER_BUCKET

        @lru_cache(maxsize=16_384)
        def bucket(name: str) -> tuple[int, int]:
            """The name's tag and where its eight slots begin. Nobody outside can tell which names share them."""
            number = int.from_bytes(blake2b(name.encode(), digest_size=8, key=secret).digest(), "little")
            return number | 1, start + number % rows * _ROW.size

        self.bucket = bucket

    def get(self, name: str) -> int:
        """The name's count, 0 if it has none."""
        tag, first = self.bucket(name)
        row = _ROW.unpack(self._counters.read(first, _ROW.size))
        tags = row[::2]
        return row[tags.index(tag) * 2 + 1] if tag in tags else 0

    def slot(self, name: str, priority: Priority) -> tuple[int, int]:
        """Where the name's count is to be written (`put`), and what it is now. May take the slot of another name."""
        tag, first = self.bucket(name)
        row = _ROW.unpack(self._counters.read(first, _ROW.size))
        tags = row[::2]
        if tag in tags:
            number = tags.index(tag)
            return first + number * _PAIR.size, row[number * 2 + 1]
        number = min(range(SLOTS_PER_BUCKET), key=lambda one: priority(row[one * 2 + 1]))
        return first + number * _PAIR.size, 0

    def put(self, name: str, at: int, count: int) -> None:
        """Writes the name's count into the slot that `slot` gave."""
        self._counters.write(at, _PAIR.pack(self.bucket(name)[0], count))


class Counters:
    """The tables of one machine. `shared` says whether other processes see them: `path` None keeps them in this one.

    `note` is one more number that all share; the throttle keeps it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = None if path is None else _open_shared(path)
        self.shared = self._file is not None
        self._memory = bytearray() if self.shared else bytearray(_SIZE)
        self._header = self.read(0, _HEADER * _WORD) if self.shared else _fresh_header()
        self._repair()
        secret = self._header[_WORD : 3 * _WORD]
        made, start = {}, _HEADER * _WORD
        for name, slots in TABLE_SIZES:
            made[name] = CounterTable(self, start, slots, secret)
            start += slots * _PAIR.size
        self.callers, self.addresses, self.refusals = made["callers"], made["addresses"], made["refusals"]

    @property
    def note(self) -> int:
        """The number in the header."""
        note: int = _SINGLE.unpack(self.read(_NOTE, _WORD))[0]
        return note

    @note.setter
    def note(self, number: int) -> None:
        self.write(_NOTE, _SINGLE.pack(number))

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from there; zeros where there is nothing."""
        if self._file is None:
            return bytes(self._memory[at : at + size])
        found = syscalls.pread(self._file, size, at)
        if len(found) < size:
            self._repair()
            found = found.ljust(size, b"\0")
        return found

    def write(self, at: int, words: bytes) -> None:
        """Writes them there, if that can be done."""
        if self._file is None:
            self._memory[at : at + len(words)] = words
            return
        with contextlib.suppress(OSError):  # a full disk: what is not counted is let through
            os.pwrite(self._file, words, at)

    def lock(self) -> None:
        """Keeps other processes from writing until `unlock`, unless one of them holds the lock for too long."""
        if self._file is None:
            return
        for _ in range(MAX_LOCK_ATTEMPTS):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.sched_yield()
            else:
                return

    def unlock(self) -> None:
        """The end of what `lock` began."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _repair(self) -> None:
        """Gives a file that was cut its size and its header back, so that a worker that opens it now shares it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._file, self._header[: 3 * _WORD], 0)
                os.ftruncate(self._file, _SIZE)


def _open_shared(path: Path) -> int | None:
    """The file of this path, opened, made if need be; None if it cannot be had.

    Under a lock on its directory, so that workers that start together all get the same one.
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
    """The file as it is, if it is one of ours, else None."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        known = os.fstat(file)
        if stat.S_ISREG(known.st_mode) and known.st_size == _SIZE and os.pread(file, _WORD, 0) == _MAGIC:
            return file
    except OSError:
        pass  # it is made anew, or not to be had
    os.close(file)
    return None


def _create(path: Path) -> int:
    """A fresh file in place of whatever is there. Raises OSError."""
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


# --- limits of requests -------------------------------------------------------------------------------------------------


class RateLimit(NamedTuple):
    """One limit that a request falls under: `kind` is `credential`, `tenant` or `address`, `name` whose it is."""

    kind: str
    name: str
    per_minute: int


class LimitStatus(NamedTuple):
    """What a limit says: `remaining` requests now, the bucket full again in `reset` seconds, or a wait of `retry`."""

    limit: int
    remaining: int
    reset: int
    retry: int

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.retry == 0


class RateLimiter:
    """The generic cell rate algorithm: a slot keeps the one moment at which the bucket will be empty again.

    A limit of N a minute lets N come at once, and gives one back every 60/N seconds.
    """

    __slots__ = ("_counters",)

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def take(self, limits: Iterable[RateLimit], now: int) -> list[LimitStatus]:
        """Takes the request out of every bucket, or out of none if one of them has nothing left. `now` in epoch ms."""
        self._counters.lock()
        try:
            return self._take(limits, now * 1000)
        finally:
            self._counters.unlock()

    def _take(self, limits: Iterable[RateLimit], moment: int) -> list[LimitStatus]:
        statuses: list[LimitStatus] = []
        taken: list[tuple[CounterTable, str, int, int]] = []
        for limit in limits:
            table = self._counters.addresses if limit.kind == "address" else self._counters.callers
            at, empty_at = table.slot(limit.name, lambda count: count if count <= moment + MAX_BUCKET_US else 0)
            status, empty_at = _status_of(limit.per_minute, empty_at, moment)
            statuses.append(status)
            taken.append((table, limit.name, at, empty_at))
        if all(status.allowed for status in statuses):
            for table, name, at, empty_at in taken:
                table.put(name, at, empty_at)
        return statuses


def _status_of(per_minute: int, empty_at: int, moment: int) -> tuple[LimitStatus, int]:
    """The verdict for one more request, and the moment at which the bucket will then be empty. In microseconds."""
    step = MINUTE_US // per_minute
    latest = moment + per_minute * step
    taken = (empty_at if moment < empty_at <= moment + MAX_BUCKET_US else moment) + step
    if taken > latest:
        return LimitStatus(per_minute, 0, _seconds(latest - moment), _seconds(taken - latest)), empty_at
    return LimitStatus(per_minute, (latest - taken) // step, _seconds(taken - moment), 0), taken


def _seconds(microseconds: int) -> int:
    return -(-microseconds // 1_000_000)  # rounded up, so that whoever waits as long is let in
