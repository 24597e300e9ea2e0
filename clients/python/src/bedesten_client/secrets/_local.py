"""Secrets of this machine: variables of the environment, and files."""

import os
import stat

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._secret_text import SecretText, without_line_end

MAX_SECRET_BYTES = 65_536
"""Bytes of the longest secret, as every manager bounds it too."""


def read_variable(name: str, _seconds: float) -> SecretText:
    """The secret in a variable of the environment. Raises `ReadFailure`."""
    text = without_line_end(os.environ.get(name, ""))
    if not text:
        raise ReadFailure("the variable is not set, or empty")
    return SecretText(text)


def read_file(path: str, _seconds: float) -> SecretText:
    """The secret in a file. Raises `ReadFailure`, also if others can reach the file.

    The group may read it, since that is how orchestrators hand secrets to a container; nobody else, and nobody but the
    owner may write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        raise ReadFailure(problem.strerror or "cannot be opened") from None
    try:
        mode = os.fstat(descriptor).st_mode  # of the open file: nobody can swap it in between
        if not stat.S_ISREG(mode):
            raise ReadFailure("is not a regular file")
        if os.name == "posix" and mode & 0o027:
            raise ReadFailure(f"mode {stat.S_IMODE(mode):04o} lets others reach it (chmod 600)")
        raw = _all_of(descriptor)
    except OSError as problem:
        raise ReadFailure(problem.strerror or "cannot be read") from None
    finally:
        os.close(descriptor)
    return text_of(raw)


def _all_of(descriptor: int) -> "Raw":
    parts, length = [], 0
    while length <= MAX_SECRET_BYTES and (part := os.read(descriptor, MAX_SECRET_BYTES + 1 - length)):
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


def text_of(raw: Raw) -> SecretText:
    """The bytes as text, without the one line's end after it. Raises `ReadFailure` for what can be no secret."""
    if len(raw.octets) > MAX_SECRET_BYTES:
        raise ReadFailure(f"is longer than {MAX_SECRET_BYTES} bytes")
    octets = Raw(raw.octets.removesuffix(b"\n").removesuffix(b"\r"))
    if not octets.octets:
        raise ReadFailure("is empty")
    try:
        return SecretText(octets.octets.decode("utf-8"))
    except UnicodeDecodeError:
        pass
    raise ReadFailure("is not text in UTF-8")
