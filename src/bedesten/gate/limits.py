"""Rate limits that all workers of one machine share: counts by name, in a file that each of them has mapped.

What is counted: `Limits` counts requests by credential, tenant and address (this module), `AddressThrottle` counts
refusals by address (`gate.throttle`). Each has tables of its own, so that whoever can make up names, as addresses can be
made up, crowds out no count but those of others who can.

How it is kept: a table is a fixed number of slots of two words, the name's tag and the count. A name may stand in
any of eight slots; when all are taken it gets the one that is worth the least. So the memory is bounded whatever is
counted, and a flood of names costs some of them their count, never the server its memory. Whoever writes holds a lock on
the file for a microsecond or two, without which two busy workers lose a third of their counts; nobody waits for it
longer than a few milliseconds, so that a worker that was stopped in the wrong moment stops no other.

What can go wrong: the file may be lost, cut or filled with rubbish at any time. A file that is none, or of another size,
is made anew; a count that cannot be is taken for none, which also mends what a clock that went back leaves behind.
Without the file (`Tables.shared` is False) each process counts by itself. No limit ever fails a request.
"""

import fcntl
import mmap
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

MINUTE_US = 60_000_000
LONGEST_US = MINUTE_US + 1_000_000
"""No bucket is empty later than this from now; a slot that says so is rubbish, or of before the clock went back."""

WAYS = 8
_WORD = 8
_HEADER = 8  # words: what the file is, the two words of the hash's secret, one for the throttle, four spare
_HASHED = 3 * _WORD
_MAGIC = b"bedlim01"
PATIENCE = 2_000
"""Tries for the lock, each of a microsecond or two."""
SLOTS = (("callers", 1 << 16), ("addresses", 1 << 16), ("refusals", 1 << 15))
"""Names that can be counted at once, by table."""
_SIZE = (_HEADER + sum(slots for _, slots in SLOTS) * 2) * _WORD
NOTE = 3
"""The header's word that the throttle keeps."""

Worth = Callable[[int], int]
"""How much a count is worth keeping; 0: nothing."""


class Table:
    """Counts by name within one region of the words. Safe for several processes and threads, in the sense above."""

    def __init__(self, words: "memoryview[int]", start: int, slots: int, secret: bytes) -> None:
        self.words = words
        buckets = slots // WAYS

        @lru_cache(maxsize=16_384)
        def place(name: str) -> tuple[int, int]:
            """The name's tag and the first word of its eight slots. Nobody outside can tell which names share them."""
            number = int.from_bytes(blake2b(name.encode(), digest_size=8, key=secret).digest(), "little")
            return number | 1, start + number % buckets * WAYS * 2

        self.place = place

    def get(self, name: str) -> int:
        """The name's count, 0 if it has none."""
        tag, first = self.place(name)
        words = self.words
        for at in range(first, first + WAYS * 2, 2):
            if words[at] == tag:
                return words[at + 1]
        return 0

    def slot(self, name: str, worth: Worth) -> tuple[int, int]:
        """Where the name's count is to be written (`put`), and what it is now. May take the slot of another name."""
        tag, first = self.place(name)
        words = self.words
        for at in range(first, first + WAYS * 2, 2):
            if words[at] == tag:
                return at, words[at + 1]
        return min(range(first, first + WAYS * 2, 2), key=lambda at: worth(words[at + 1])), 0

    def put(self, name: str, at: int, count: int) -> None:
        """Writes the name's count into the slot that `slot` gave."""
        self.words[at + 1] = count
        self.words[at] = self.place(name)[0]


class Tables:
    """The tables of one machine. `shared` says whether other processes see them: `path` None keeps them in this one."""

    def __init__(self, path: Path | None = None) -> None:
        self._file = _shared(path) if path is not None else -1
        self.shared = self._file >= 0
        self._map = mmap.mmap(self._file, _SIZE)
        self.words = memoryview(self._map).cast("Q")
        if not self.shared:
            self._map[:_HASHED] = _MAGIC + os.urandom(2 * _WORD)
        secret = self.words[1:3].tobytes()
        made = {}
        start = _HEADER
        for name, slots in SLOTS:
            made[name] = Table(self.words, start, slots, secret)
            start += slots * 2
        self.callers, self.addresses, self.refusals = made["callers"], made["addresses"], made["refusals"]

    def lock(self) -> None:
        """Keeps other processes from writing until `unlock`, unless one of them holds the lock for too long."""
        if self._file < 0:
            return
        for _ in range(PATIENCE):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.sched_yield()
            else:
                return

    def unlock(self) -> None:
        """The end of what `lock` began."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Lets go of the memory; nothing can be counted any more."""
        self.words.release()
        self._map.close()
        if self._file >= 0:
            os.close(self._file)


def _shared(path: Path) -> int:
    """The file of this path, opened, made if need be; -1 if it cannot be had.

    Under a lock on its directory, so that workers that start together all get the same one. The whole of it is
    allocated at once: on a full disk the first use of a missing page would kill the process.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = _found(path)
        return found if found >= 0 else _made(path)
    except OSError:
        return -1
    finally:
        os.close(folder)


def _found(path: Path) -> int:
    """The file as it is, if it is one of ours, else -1."""
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        known = os.fstat(file)
        if stat.S_ISREG(known.st_mode) and known.st_size == _SIZE and os.pread(file, _WORD, 0) == _MAGIC:
            os.posix_fallocate(file, 0, _SIZE)
            return file
    except OSError:
        pass  # it is made anew, or not to be had
    os.close(file)
    return -1


def _made(path: Path) -> int:
    """A fresh file in place of whatever is there. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.{os.getpid()}.aside"))
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, _SIZE)
        os.pwrite(file, _MAGIC + os.urandom(2 * _WORD), 0)
        fresh.replace(path)
    except OSError:
        os.close(file)
        fresh.unlink(missing_ok=True)
        raise
    return file


# --- limits of requests -------------------------------------------------------------------------------------------------


class Ask(NamedTuple):
    """One limit that a request falls under: `kind` is `credential`, `tenant` or `address`, `name` whose it is."""

    kind: str
    name: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limit says: `remaining` requests now, the bucket full again in `reset` seconds, or a wait of `retry`."""

    limit: int
    remaining: int
    reset: int
    retry: int

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.retry == 0


class Limits:
    """The generic cell rate algorithm: a slot keeps the one moment at which the bucket will be empty again.

    A limit of N a minute lets N come at once, and gives one back every 60/N seconds.
    """

    __slots__ = ("_tables",)

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def take(self, asks: Iterable[Ask], now: int) -> list[Verdict]:
        """Takes the request out of every bucket, or out of none if one of them has nothing left. `now` in epoch ms."""
        self._tables.lock()
        try:
            return self._take(asks, now * 1000)
        finally:
            self._tables.unlock()

    def _take(self, asks: Iterable[Ask], moment: int) -> list[Verdict]:
        verdicts: list[Verdict] = []
        taken: list[tuple[Table, str, int, int]] = []
        for ask in asks:
            table = self._tables.addresses if ask.kind == "address" else self._tables.callers
            at, empty_at = table.slot(ask.name, lambda count: count if count <= moment + LONGEST_US else 0)
            verdict, empty_at = _judged(ask.per_minute, empty_at, moment)
            verdicts.append(verdict)
            taken.append((table, ask.name, at, empty_at))
        if all(verdict.allowed for verdict in verdicts):
            for table, name, at, empty_at in taken:
                table.put(name, at, empty_at)
        return verdicts


def _judged(per_minute: int, empty_at: int, moment: int) -> tuple[Verdict, int]:
    """The verdict for one more request, and the moment at which the bucket will then be empty. In microseconds."""
    step = MINUTE_US // per_minute
    latest = moment + per_minute * step
    taken = (empty_at if moment < empty_at <= moment + LONGEST_US else moment) + step
    if taken > latest:
        return Verdict(per_minute, 0, _seconds(latest - moment), _seconds(taken - latest)), empty_at
    return Verdict(per_minute, (latest - taken) // step, _seconds(taken - moment), 0), taken


def _seconds(microseconds: int) -> int:
    return max(1, -(-microseconds // 1_000_000))
