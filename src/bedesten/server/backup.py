"""Copies a running SQLite store."""

import os
import secrets
from pathlib import Path

from bedesten.store import sqlite_file


def back_up_store(source: Path, target: Path) -> int:
    """Copy the state of the store at one moment and return the size in bytes. `target` appears complete or not at all, and
    is on the disk when this returns. Raises `FileExistsError`, `OSError`, `StoreUnavailable`."""
    if target.exists():
        raise FileExistsError(17, "the file exists already", str(target))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        sqlite_file.backup(source, draft)
        _sync(draft)
        os.link(draft, target)  # unlike a rename, fails if the name is taken
    finally:
        draft.unlink(missing_ok=True)
    _sync(target.parent)
    return target.stat().st_size


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
