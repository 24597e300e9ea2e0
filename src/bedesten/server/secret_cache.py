"""The secrets that the settings of one server refer to, shared by its processes.

They are in an anonymous memory file, which the supervisor creates and every child inherits: never on a disk, and gone
with the last process. Only a program that can read the memory of these processes can read it.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "BEDESTEN_CHILD_SECRET_CACHE"
"""Passes the file descriptor to a child."""
_DIGEST_BYTES = 32
_MAX_BYTES = 4_194_304
_lock = threading.Lock()
"""Excludes threads of this process: a record lock excludes other processes only."""


class SecretCache:
    """Secrets by reference. All processes that have the file share them; without a file they belong to this process.

    Thread-safe. If a process is killed while it writes, its file counts as empty.
    """

    def __init__(self, fd: int = -1) -> None:
        self.fd = fd
        self._own: dict[str, str] = {}

    @classmethod
    def shared(cls) -> "SecretCache":
        """A cache with a file that children can inherit."""
        return cls(os.memfd_create("bedesten-secrets", os.MFD_CLOEXEC))

    @classmethod
    def inherited(cls) -> "SecretCache":
        """The cache that this process inherited from its parent, or one without a file."""
        return cls(int(os.environ.get(VARIABLE, "-1")))

    def get(self, reference: str) -> str | None:
        """The last known secret of a reference."""
        with self._locked(fcntl.LOCK_SH):
            return self._read().get(reference)

    def put(self, reference: str, secret: str) -> None:
        """Store the secret of a reference."""
        with self._locked(fcntl.LOCK_EX):
            self._write({**self._read(), reference: secret})

    def close(self) -> None:
        """Close the file."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with _lock:
            if self.fd < 0:
                yield
                return
            fcntl.lockf(self.fd, how)
            try:
                yield
            finally:
                fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def _read(self) -> dict[str, str]:
        if self.fd < 0:
            return self._own
        raw = os.pread(self.fd, _MAX_BYTES, 0)
        digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if not body or hashlib.sha256(body).digest() != digest:
            return {}
        found: dict[str, str] = json.loads(body)
        return found

    def _write(self, secrets: dict[str, str]) -> None:
        if self.fd < 0:
            self._own = secrets
            return
        body = json.dumps(secrets).encode()
        raw = hashlib.sha256(body).digest() + body
        assert len(raw) <= _MAX_BYTES, "a handful of secrets of 64 KiB at most"
        os.pwrite(self.fd, raw, 0)
        os.ftruncate(self.fd, len(raw))

    def __repr__(self) -> str:
        return f"SecretCache(fd={self.fd})"
