"""Detects commits: compares the header of SQLite's WAL-index in the memory that all processes share.

SQLite keeps the header in the first bytes of `…-shm` (https://www.sqlite.org/walformat.html, section 2.1): twice, with
a version, a transaction counter, the end of the log, its salts and a checksum. Every commit rewrites it, and SQLite's
own readers decide by it alone whether their cached pages are current. So does this module: unchanged bytes mean that
nothing was committed since they were read. That costs a fifth of a microsecond, and no system call; a real read costs
six, and releases the GIL.

Closing a file descriptor of `…-shm` drops the locks that SQLite holds on it in this process (fcntl(2)). So a process
opens it once, and closes it with the last store of that file, when SQLite holds no lock any more.
"""

import mmap
import os
import threading
from pathlib import Path
from typing import Final

VERSION: Final = (3_007_000).to_bytes(4, "little"), (3_007_000).to_bytes(4, "big")
"""Version of the format, in either byte order."""
_HALF: Final = 48


class _MappedIndex:
    """One mapped file. `users` counts the stores that use it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.memory = mmap.mmap(self.descriptor, 2 * _HALF, mmap.MAP_SHARED, mmap.PROT_READ)
        self.users = 0

    def close(self) -> None:
        self.memory.close()
        os.close(self.descriptor)


_mapped: dict[tuple[int, int], _MappedIndex] = {}
_mapping = threading.Lock()


class WalIndex:
    """The header of one store's WAL-index. Thread-safe. The store keeps a connection open as long as this is open."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, also if the file is too short for a header."""
        file = path.with_name(path.name + "-shm")
        with _mapping:
            found = os.stat(file)
            if found.st_size < 2 * _HALF:
                raise OSError(f"{file} has no header")
            self._key = (found.st_dev, found.st_ino)
            mapped = _mapped.get(self._key)
            if mapped is None:
                mapped = _mapped[self._key] = _MappedIndex(file)
            mapped.users += 1
        self._memory: mmap.mmap | None = mapped.memory

    def header(self) -> bytes | None:
        """The current header; None while it is being written, or if its version is unknown."""
        found = self._memory[:] if self._memory is not None else b""
        return found if found[:_HALF] == found[_HALF:] and found[:4] in VERSION else None

    def close(self) -> None:
        """Releases the mapping. To be called after the store's connections are closed."""
        with _mapping:
            mapped = _mapped.get(self._key)
            if self._memory is None or mapped is None:
                return
            self._memory = None
            mapped.users -= 1
            if not mapped.users:
                del _mapped[self._key]
                mapped.close()
