"""Secrets of this machine: variables of the environment, and files."""

import os
import stat

from bedesten_client.secrets._errors import Trouble
from bedesten_client.secrets._held import Held, without_line_end

MOST = 65_536
"""Bytes of the longest secret, as every manager bounds it too."""


def read_variable(name: str, _seconds: float) -> Held:
    """The secret in a variable of the environment. Raises `Trouble`."""
    text = without_line_end(os.environ.get(name, ""))
    if not text:
        raise Trouble("the variable is not set, or empty")
    return Held(text)


def read_file(path: str, _seconds: float) -> Held:
    """The secret in a file. Raises `Trouble`, also if others can reach the file.

    The group may read it, since that is how orchestrators hand secrets to a container; nobody else, and nobody but the
    owner may write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        raise Trouble(problem.strerror or "cannot be opened") from None
    try:
        mode = os.fstat(descriptor).st_mode  # of the open file: nobody can swap it in between
        if not stat.S_ISREG(mode):
            raise Trouble("is not a regular file")
        if os.name == "posix" and mode & 0o027:
            raise Trouble(f"mode {stat.S_IMODE(mode):04o} lets others reach it (chmod 600)")
        raw = _all_of(descriptor)
    except OSError as problem:
        raise Trouble(problem.strerror or "cannot be read") from None
    finally:
        os.close(descriptor)
    return text_of(raw)


def _all_of(descriptor: int) -> "Raw":
    parts, length = [], 0
    while length <= MOST and (part := os.read(descriptor, MOST + 1 - length)):
        parts.append(part)
        length += len(part)
    return Raw(b"".join(parts))


class Raw:
    """Bytes on their way to a secret, shown by nothing."""

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        return "Raw(…)"


def text_of(raw: Raw) -> Held:
    """The bytes as text, without the one line's end after it. Raises `Trouble` for what can be no secret."""
    if len(raw.octets) > MOST:
        raise Trouble(f"is longer than {MOST} bytes")
    octets = Raw(raw.octets.removesuffix(b"\n").removesuffix(b"\r"))
    if not octets.octets:
        raise Trouble("is empty")
    try:
        return Held(octets.octets.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    raise Trouble("is not text in UTF-8")
