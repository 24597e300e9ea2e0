"""Identifies a state of the rights in a store. A store that went back to an earlier state never repeats a revision.

Separate from the store, because the gate holds a revision and must not import the store.
"""

import os
from typing import NamedTuple


class Revision(NamedTuple):
    """A number that grows by one with each change of a right, and the random number of that change.

    The number alone does not identify a state: a store that went back (a restored backup, a standby that was promoted
    before it had everything) reaches the same number again with other changes. Two revisions are equal only if both agree.
    """

    number: int
    nonce: int


def new_nonce() -> int:
    """Returns 64 random bits from the operating system, as a signed integer that both databases store."""
    return int.from_bytes(os.urandom(8), signed=True)


def token_version_step() -> int:
    """Returns by how much a token version grows when tokens are revoked: 32 random bits, plus one.

    A bearer token carries the token versions at its issue. Suppose that a store lost its last changes, among them a new
    token version. With steps of one, revoking again would reach the lost version, and the tokens issued under it would
    be valid again. 2^53 is enough for a million steps (`gate.bearer`).
    """
    return 1 + int.from_bytes(os.urandom(4))
