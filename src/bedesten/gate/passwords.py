"""Hashes and verifies passwords (NIST SP 800-63B-4, RFC 8265, RFC 9106).

A password is normalised to NFC, keyed with the pepper (HMAC-SHA256, so that nothing is cut off and a stolen database
alone cannot be attacked) and hashed with argon2id. A login for an account that does not exist costs the same hash.
`weak_passwords` decides which passwords may be set.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from bedesten.core.text import MAX_SECRET, secret


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password as the store keeps it: its argon2id hash in PHC form, and the id of the pepper that keyed it."""

    phc: str
    pepper_id: str


MEMORY_KIB, TIME_COST = 19_456, 2
"""The cost of one hash: OWASP's minimum for argon2id. Tests of other things lower it."""


class Hasher:
    """argon2id behind a pepper. Thread-safe.

    A call takes some 20 ms and `memory_kib`, without the GIL. The caller limits how many run at once.
    """

    __slots__ = ("_argon2", "_dummy", "_pepper")

    def __init__(
        self,
        pepper: bytes,
        memory_kib: int | None = None,
        time_cost: int | None = None,
        parallelism: int = 1,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """The cost is `MEMORY_KIB` and `TIME_COST` by default; hashes of another cost still verify (see `needs_rehash`)."""
        self._pepper = pepper
        self._argon2 = PasswordHasher(
            time_cost or TIME_COST, memory_kib or MEMORY_KIB, parallelism, hash_len=32, salt_len=16
        )
        self._dummy = self._argon2.hash(randomness(32))

    def hash(self, password: str) -> str:
        """Returns the PHC string of a password, with a fresh salt. Raises `TextError` as `core.text.secret` does."""
        return self._argon2.hash(self._keyed(secret(password)))

    def verify(self, phc: str, password: str) -> bool:
        """Whether the password is the right one. Takes the time of one hash for any password, and never raises.

        An impossible password (empty, or longer than `MAX_SECRET`) costs one dummy hash and is wrong.
        """
        try:
            keyed = self._keyed(secret(password))
        except ValueError:
            self.verify_dummy(password)
            return False
        return self._matches(phc, keyed)

    def verify_dummy(self, password: str) -> None:
        """Takes the time of `verify`, for an account that does not exist or may not log in.

        It uses the present parameters. After a raise, timing reveals an existing account until its next login.
        """
        self._matches(self._dummy, self._keyed(password[:MAX_SECRET]))

    def needs_rehash(self, phc: str) -> bool:
        """Whether a hash has other parameters than the present ones; the next successful login then hashes again."""
        try:
            return self._argon2.check_needs_rehash(phc)
        except InvalidHashError:
            return True

    def _keyed(self, password: str) -> bytes:
        return hmac.digest(self._pepper, password.encode("utf-8", "surrogatepass"), "sha256")

    def _matches(self, phc: str, keyed: bytes) -> bool:
        try:
            return self._argon2.verify(phc, keyed)
        except (Argon2Error, InvalidHashError):
            return False

    def __repr__(self) -> str:
        return "Hasher(argon2id)"
