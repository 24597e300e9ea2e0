"""Reads input files: by name, or `-` for standard input."""

import sys
from pathlib import Path

from bedesten.admin.product_file import MAX_FILE_BYTES

FROM_INPUT = "-"


def read_file(file: Path) -> tuple[str, bytes]:
    """Return the file's display name and its bytes, at most one byte over the limit."""
    if str(file) == FROM_INPUT:
        return "standard input", sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    with file.open("rb") as opened:
        return file.name, opened.read(MAX_FILE_BYTES + 1)
