"""What the processes of one server know of the secrets that their settings name.

It lies in a memory file without a name, which the supervisor makes and every child inherits: never on a disk, and gone
with the last of them. It is reached by who can read the memory of these processes anyway.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "BEDESTEN_CHILD_SECRET_CACHE"
"""How a child is told the file's number."""
_DIGEST = 32
_MOST = 4_194_304
_lock = threading.Lock()
"""Excludes the threads of this process, as a record lock excludes only other processes."""


class SecretCache:
    """Secrets by reference. With a file they are shared by all processes that have it, otherwise this one's own.

    For threads. A process that was killed while it wrote leaves a file that is taken for an empty one.
    """

    def __init__(self, fd: int = -1) -> None:
        self.fd = fd
        self._own: dict[str, str] = {}

    @classmethod
    def shared(cls) -> "SecretCache":
        """With a file of its own, for children to inherit."""
        return cls(os.memfd_create("bedesten-secrets", os.MFD_CLOEXEC))

    @classmethod
    def inherited(cls) -> "SecretCache":
        """With the file that this process was given by its parent, if it was."""
        return cls(int(os.environ.get(VARIABLE, "-1")))

    def get(self, reference: str) -> str | None:
        """What a reference was last seen to name."""
        with self._locked(fcntl.LOCK_SH):
            return self._read().get(reference)

    def put(self, reference: str, secret: str) -> None:
        """Remembers what a reference names now."""
        with self._locked(fcntl.LOCK_EX):
            self._write({**self._read(), reference: secret})

    def close(self) -> None:
        """Lets go of the file."""
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
        raw = os.pread(self.fd, _MOST, 0)
        digest, body = raw[:_DIGEST], raw[_DIGEST:]
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
        assert len(raw) <= _MOST, "a handful of secrets of 64 KiB at most"
        os.pwrite(self.fd, raw, 0)
        os.ftruncate(self.fd, len(raw))

    def __repr__(self) -> str:
        return f"Known(fd={self.fd})"
