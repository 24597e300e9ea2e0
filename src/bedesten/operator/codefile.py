"""Files of stock codes: one on each line."""

from typing import Final

from bedesten.errors import bad_field
from bedesten.operator.productfile import MOST_BYTES

LONGEST: Final = 500
"""Characters of a code, as a supplier may send it."""


def read_codes(raw: bytes) -> list[str]:
    """The codes of a file, without empty lines and without blanks around them. Raises `Refusal` (-2), which names lines and
    never codes."""
    if len(raw) > MOST_BYTES:
        raise bad_field("file", f"more than {MOST_BYTES // 2**20} MiB: send it in parts")
    try:
        lines = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        lines = None
    if lines is None:  # raised out here, so that no exception in the chain holds the codes
        raise bad_field("file", "not UTF-8")
    codes = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, code in codes:
        if len(code) > LONGEST or not code.isprintable():
            raise bad_field("file", f"line {number}: a code is 1 to {LONGEST} printable characters")
    if not codes:
        raise bad_field("file", "there is no code in it")
    return [code for _, code in codes]
