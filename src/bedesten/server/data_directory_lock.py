"""The lock of the one server that may run on a data directory."""

import errno
import fcntl
import os
import time
from pathlib import Path


class AlreadyServing(Exception):
    """Another server holds this data directory."""


class DataDirectoryLock:
    """The right to serve one data directory: an flock on `DIR/serve.lock`.

    The lock belongs to the open file, which every child inherits. It is free when the supervisor *and* all its children
    are gone, so a second server never runs beside an orphan of the first. After a kill -9 they are gone well within a
    second, so `acquire` waits a little before it refuses. The file stays; only the lock counts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @property
    def fd(self) -> int:
        """The open file, for children to inherit."""
        return self._fd

    def acquire(self, wait_s: float = 2.0) -> None:
        """Take the lock. Raises `AlreadyServing` with the process id of its holder."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as problem:
                holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES) or time.monotonic() >= end:
                    os.close(fd)
                    raise AlreadyServing(
                        f"another server (process {holder}) serves the data directory {self.path.parent}"
                    ) from problem
            time.sleep(0.05)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        self._fd = fd

    def release(self) -> None:
        """Close the lock file in this process."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
