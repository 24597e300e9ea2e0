"""Files of shared secrets: with services behind forward-auth, and with secret scanners."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from bedesten.core.secret import Secret
from bedesten.forward_auth.identity_headers import read_secrets

MAX_FILE_BYTES = 4096


def make_secrets(path: Path) -> tuple[Secret[str], ...]:
    """Read the secrets of the file. Creates the file with a new secret if it is missing. Raises `OSError`, ValueError."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    return load_secrets(path)


def load_secrets(path: Path) -> tuple[Secret[str], ...]:
    """Read the secrets of the file. Raises `OSError`, ValueError; their texts contain no secret."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise ValueError(f"{path} is not a file that only its owner can reach (mode 0600)")
        raw = file.read(MAX_FILE_BYTES)
    try:
        return read_secrets(raw.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not ASCII") from None
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from None
