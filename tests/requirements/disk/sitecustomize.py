"""A disk that loses unsynced data: with this folder on PYTHONPATH, only synced content of SQLite files survives.

Whenever SQLite syncs a file, its content is copied into the directory `DURABLE_IMAGE`. When every process has been
killed, that directory holds what a power failure leaves in the worst case: nothing that was written and not synced.
Only SQLite's sync method is replaced.
"""

import ctypes
import os
from pathlib import Path

from pysqlite3 import _sqlite3

IMAGE = Path(os.environ["DURABLE_IMAGE"])
DATABASE, LOG = 0x00000100, 0x00080000  # SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_WAL
OPEN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class Vfs(ctypes.Structure):
    """`sqlite3_vfs` up to `xOpen`."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        ("xOpen", OPEN),
    )


class Methods(ctypes.Structure):
    """`sqlite3_io_methods` of version 3."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("before", ctypes.c_void_p * 4),
        ("xSync", SYNC),
        ("after", ctypes.c_void_p * 13),
    )


_open_files: dict[int, tuple[Path, int]] = {}
"""By the address of SQLite's file: its path, and a descriptor that stays open: closing it would drop SQLite's locks."""
_replaced: dict[int, Methods] = {}


def _keep(path: Path, descriptor: int) -> None:
    content = b""
    while chunk := os.pread(descriptor, 1 << 20, len(content)):
        content += chunk
    half = IMAGE / f"{path.name}.{os.getpid()}.half"
    half.write_bytes(content)
    half.replace(IMAGE / path.name)


def _with_sync_seen(address: int) -> Methods:
    methods = Methods.from_buffer_copy(ctypes.string_at(address, ctypes.sizeof(Methods)))
    sync = SYNC(ctypes.cast(methods.xSync, ctypes.c_void_p).value or 0)

    def synced(file: int, flags: int) -> int:
        code: int = sync(file, flags)
        if code == 0:
            _keep(*_open_files[file])
        return code

    methods.xSync = SYNC(synced)
    return methods


def _see_syncs() -> object:
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
    vfs = library.sqlite3_vfs_find(None).contents
    plain_open = OPEN(ctypes.cast(vfs.xOpen, ctypes.c_void_p).value or 0)

    def opened(own: int, name: int, file: int, flags: int, out: object) -> int:
        code: int = plain_open(own, name, file, flags, out)  # SQLite keeps using the name at this address
        if code == 0 and flags & (DATABASE | LOG):
            path = Path(os.fsdecode(ctypes.string_at(name)))
            known = {descriptor for seen, descriptor in _open_files.values() if seen == path}
            _open_files[file] = (path, known.pop() if known else os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            methods = ctypes.c_void_p.from_address(file)
            address = methods.value or 0
            if address not in _replaced:
                _replaced[address] = _with_sync_seen(address)
            methods.value = ctypes.addressof(_replaced[address])
        return code

    seen = OPEN(opened)
    vfs.xOpen = seen
    return seen


_kept = _see_syncs()
"""SQLite calls it until the process ends."""
