"""Which state of the rights this is. Kept apart from the store, because the gate remembers one and knows no store."""

import os
from typing import NamedTuple


class Revision(NamedTuple):
    """A number that grows by one with each change of a right, and a random number that was made with that change.

    The number alone says nothing about a store that went back (a restored backup, a standby that was promoted before it
    had everything): it reaches the same number again with other changes. Two revisions are the same only if both agree.
    """

    number: int
    nonce: int


def new_nonce() -> int:
    """64 random bits from the operating system, as a signed integer that both engines store."""
    return int.from_bytes(os.urandom(8), signed=True)
