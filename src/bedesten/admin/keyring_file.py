"""Reads and writes the file that holds an installation's keyring.

Back this file up separately: it must never be in the database. Only its owner can read it (mode 0600). A reader sees
the old file or the new one, never a part of one.
"""

import os
import stat
from pathlib import Path

from bedesten.gate.keyring import Keyring

MAX_FILE_BYTES = 65_536


def read_keyring(path: Path) -> Keyring:
    """Reads the keyring from a file. Raises ValueError if anyone but its owner can reach it, OSError if it is missing."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode  # of the open file, so it cannot be replaced after the check
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path} is not a regular file")
        if mode & 0o077:
            raise ValueError(f"{path} has mode {stat.S_IMODE(mode):04o}: others can reach it: chmod 600 {path}")
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is too large for a keyring")
    try:
        return Keyring.from_json(raw.decode("utf-8", "surrogateescape"))
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None


def write_keyring(keyring: Keyring, path: Path, *, overwrite: bool = False) -> None:
    """Writes the keyring atomically with mode 0600; it is on the disk when this returns.

    Raises FileExistsError if the file exists, unless `overwrite` is set.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask says
            file.write(keyring.to_json())
            file.flush()
            os.fsync(descriptor)
        if overwrite:
            draft.replace(path)
        else:
            os.link(draft, path)  # unlike a rename, fails if the name exists
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
