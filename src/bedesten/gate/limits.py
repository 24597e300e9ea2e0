"""Rate limits that all workers of one machine share: a small table in a file that each of them has mapped.

The generic cell rate algorithm: a slot keeps one moment, the time at which the bucket will be empty again. Taking a
request costs one read and one write of sixteen bytes. No lock is held: two processes that hit one slot in the same
microsecond may count one request as none, which is far inside what a limit means. A bucket of slots that is full gives
up the one that has been empty for the longest; so the memory is bounded whatever is counted.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

MINUTE_US = 60_000_000
_SLOT = struct.Struct("<QQ")
_WAYS = 4
SLOTS = 1 << 16
"""Of sixteen bytes each: a megabyte, enough for 65,536 credentials and addresses at once."""


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


class SharedLimits:
    """Counts by name. `path` None keeps the table in this process alone. Safe for several processes and threads."""

    def __init__(self, path: Path | None) -> None:
        size = SLOTS * _SLOT.size
        if path is None:
            self._table = mmap.mmap(-1, size)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < size:
                os.ftruncate(descriptor, size)
            self._table = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def take(self, name: str, per_minute: int, now: int, burst: int | None = None) -> Verdict:
        """Takes one request out of the bucket of this name, if it may have it. `now` in epoch milliseconds.

        `burst` requests may come at once (a quarter of a minute's by default, at least ten); on the long run it is
        `per_minute`.
        """
        depth = min(per_minute, burst if burst is not None else max(10, per_minute // 4))
        step = MINUTE_US // per_minute
        moment = now * 1000
        tag, offset, full_at = self._find(name, moment)
        latest = moment + depth * step
        taken = min(max(full_at, moment), latest) + step
        if taken > latest:
            return Verdict(per_minute, 0, _seconds(latest - moment), _seconds(taken - latest))
        _SLOT.pack_into(self._table, offset, tag, taken)
        return Verdict(per_minute, (latest - taken) // step, _seconds(taken - moment), 0)

    def _find(self, name: str, moment: int) -> tuple[int, int, int]:
        """The tag of a name, where its slot is, and what stands there (or, for a fresh one, now)."""
        tag = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") | 1
        first = (tag >> 8) % (SLOTS // _WAYS) * _WAYS * _SLOT.size
        oldest, oldest_at = first, None
        for offset in range(first, first + _WAYS * _SLOT.size, _SLOT.size):
            found, full_at = _SLOT.unpack_from(self._table, offset)
            if found == tag:
                return tag, offset, full_at
            if oldest_at is None or full_at < oldest_at:
                oldest, oldest_at = offset, full_at
        return tag, oldest, moment

    def close(self) -> None:
        """Lets go of the table."""
        self._table.close()


def _seconds(microseconds: int) -> int:
    return max(1, -(-microseconds // 1_000_000))
