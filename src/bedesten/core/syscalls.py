"""Two system calls that the kernel answers from memory, made without releasing the GIL.

Python releases the GIL around each system call so that other threads can run. Under load another thread takes it at
once, and a call of one microsecond costs some thirty. Releasing is right for a call that may block, and a waste for a
mere look-up. Do not use these on a file that may answer slowly. Decision 0010 has the measurement.
"""

import ctypes
import os
from functools import cache

_libc = ctypes.PyDLL(None, use_errno=True)
_Identity = ctypes.c_uint64 * 64
"""Larger than `struct stat` on any system. On 64-bit Linux it begins with the device and the inode."""


def _declared(name: str, *arguments: type, result: type) -> "ctypes._NamedFuncPointer | None":
    function = getattr(_libc, name, None)
    if function is not None:
        function.argtypes, function.restype = arguments, result
    return function


_stat = _declared("stat", ctypes.c_char_p, ctypes.c_void_p, result=ctypes.c_int)
_pread = _declared("pread", ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, result=ctypes.c_ssize_t)


def identity(path: bytes) -> tuple[int, int]:
    """Returns the device and inode of a file. Raises `OSError`."""
    found = _Identity()
    assert _stat is not None
    if _stat(path, found):
        raise _problem()
    return found[0], found[1]


def pread(descriptor: int, size: int, at: int) -> bytes:
    """Like `os.pread`. Raises `OSError`."""
    buffer = _buffer(size)()
    assert _pread is not None
    got = _pread(descriptor, buffer, size, at)
    if got < 0:
        raise _problem()
    return buffer.raw[:got]


@cache
def _buffer(size: int) -> "type[ctypes.Array[ctypes.c_char]]":
    return ctypes.c_char * size


def _problem() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _as_python_says() -> bool:
    """Whether the C library of this machine has the expected layout."""
    expected = os.stat(os.sep)
    return (
        _stat is not None and _pread is not None and identity(os.fsencode(os.sep)) == (expected.st_dev, expected.st_ino)
    )


def _slow_identity(path: bytes) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _slow_pread(descriptor: int, size: int, at: int) -> bytes:
    return os.pread(descriptor, size, at)


if not _as_python_says():
    identity, pread = _slow_identity, _slow_pread
