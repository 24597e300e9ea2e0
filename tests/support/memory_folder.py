"""Puts the folder of temporary files into memory: what tests write need not survive a power failure."""

import os
import tempfile
from pathlib import Path

FOLDER = Path("/dev/shm")
MEMORY = Path("/proc/meminfo")
MIN_FREE_BYTES = 6 << 30
"""Free bytes of the folder and of the machine's memory below which the usual folder is used: a run writes up to 3 GiB."""


def use() -> None:
    """Puts the temporary files of this process, and of those that it starts, into memory, unless `TMPDIR` is set."""
    if "TMPDIR" not in os.environ and _is_usable():
        os.environ["TMPDIR"] = tempfile.tempdir = str(FOLDER)


def _is_usable() -> bool:
    """Whether the folder may be written to, may hold programs, and has room."""
    try:
        found = os.statvfs(FOLDER)
        memory = dict(line.split(":") for line in MEMORY.read_text("utf-8").splitlines())
    except OSError:
        return False
    free = min(found.f_bavail * found.f_frsize, int(memory["MemAvailable"].split()[0]) << 10)
    return os.access(FOLDER, os.W_OK) and not found.f_flag & os.ST_NOEXEC and free >= MIN_FREE_BYTES
