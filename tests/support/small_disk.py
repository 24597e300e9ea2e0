"""A small disk that a test can fill: a tmpfs, which only root may mount."""

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PIECE = bytes(64 * 1024)


@dataclass(frozen=True)
class SmallDisk:
    """A mounted small disk."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Fills the disk, so that no further page fits."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for piece in (PIECE, PIECE[:4096]):
                try:
                    while ballast.write(piece) == len(piece):
                        pass
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise

    def clear(self) -> None:
        """Frees the space again."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """Mounts a disk of this size at a new folder, for the block."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0777", "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: no disk of its own can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
