"""Secrets of this machine: environment variables and files."""

import os
import stat

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._secret_text import SecretText, without_line_end

MAX_SECRET_BYTES = 65_536
"""Largest secret; secret managers have similar limits."""


def read_variable(name: str, _seconds: float) -> SecretText:
    """Read an environment variable. Raises `ReadFailure`."""
    text = without_line_end(os.environ.get(name, ""))
    if not text:
        raise ReadFailure("the variable is not set, or empty")
    return SecretText(text)


def read_file(path: str, _seconds: float) -> SecretText:
    """Read a file. Raises `ReadFailure`, also if its mode is too open.

    The group may read it, because orchestrators mount secrets that way. Others must have no access, and only the owner
    may write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        raise ReadFailure(problem.strerror or "cannot be opened") from None
    try:
        mode = os.fstat(descriptor).st_mode  # of the open file, so it cannot be replaced after the check
        if not stat.S_ISREG(mode):
            raise ReadFailure("is not a regular file")
        if os.name == "posix" and mode & 0o027:
            raise ReadFailure(f"mode {stat.S_IMODE(mode):04o} gives others access (chmod 600)")
        raw = _all_of(descriptor)
    except OSError as problem:
        raise ReadFailure(problem.strerror or "cannot be read") from None
    finally:
        os.close(descriptor)
    return text_of(raw)


def _all_of(descriptor: int) -> "RawSecret":
    parts, length = [], 0
    while length <= MAX_SECRET_BYTES and (part := os.read(descriptor, MAX_SECRET_BYTES + 1 - length)):
        parts.append(part)
        length += len(part)
    return RawSecret(b"".join(parts))


class RawSecret:
    """The bytes of a secret before decoding. `repr` does not show them."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return "RawSecret(…)"


def text_of(raw: RawSecret) -> SecretText:
    """Decode a secret, without one line end after it. Raises `ReadFailure` if it is empty, too long or not UTF-8."""
    if len(raw.octets) > MAX_SECRET_BYTES:
        raise ReadFailure(f"is longer than {MAX_SECRET_BYTES} bytes")
    octets = RawSecret(raw.octets.removesuffix(b"\n").removesuffix(b"\r"))
    if not octets.octets:
        raise ReadFailure("is empty")
    try:
        return SecretText(octets.octets.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    raise ReadFailure("is not text in UTF-8")
