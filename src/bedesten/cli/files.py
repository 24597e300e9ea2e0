"""Files that commands are given: by name, or `-` for standard input."""

import sys
from pathlib import Path

from bedesten.admin.productfile import MOST_BYTES

FROM_INPUT = "-"


def read_file(file: Path) -> tuple[str, bytes]:
    """What to call the file, and its bytes, cut off one past the most that a file may have."""
    if str(file) == FROM_INPUT:
        return "standard input", sys.stdin.buffer.read(MOST_BYTES + 1)
    with file.open("rb") as opened:
        return file.name, opened.read(MOST_BYTES + 1)
