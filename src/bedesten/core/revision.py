"""Which state of the rights this is: numbers that a store which went back does not reach a second time.

Kept apart from the store, because the gate remembers a revision and knows no store.
"""

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


def token_version_step() -> int:
    """By how much an epoch grows when tokens are ended: 32 random bits and one.

    A token carries the epochs of the moment in which it was issued. With steps of one, an epoch that was lost with the last
    changes of a store would be reached again by ending the tokens again, and what was issued under it would be good again.
    2^53 leaves room for a million steps (`gate.bearer`).
    """
    return 1 + int.from_bytes(os.urandom(4))
