"""Passwords and the e-mail addresses that go with them (NIST SP 800-63B-4, RFC 8265, RFC 9106).

A password is brought to NFC, keyed with the pepper (HMAC-SHA256, so nothing is cut off and a stolen database cannot be
guessed at), and hashed with argon2id. A login for an account that does not exist costs the same hash as any other.
"""

import hmac
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MAX_PASSWORD_LENGTH = 1024
"""Code points of a password. Longer ones are never accepted, never stored, and never fed to the hash."""
MAX_EMAIL_LENGTH = 254
"""Characters of an e-mail address (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""


# --- e-mail addresses -------------------------------------------------------------------------------------------------

_LOCAL_ASCII = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


def canonical_email(text: str) -> str | None:
    """The one spelling under which an account is kept and looked up: NFKC and case-folded; None if it is no address.

    White space around it goes; inside it, and for controls, zero-width and bidirectional characters, it is no address.
    The domain must be ASCII after folding (international ones in their xn-- form). The local part may hold letters,
    marks and digits of one script besides ASCII digits and signs, so that no Cyrillic `а` stands among Latin letters.
    Two spellings with the same result (case, full width, the Kelvin sign) are one account, never two.
    """
    if len(text) > 4 * MAX_EMAIL_LENGTH:
        return None
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.strip()).casefold())
    local, at, domain = folded.rpartition("@")
    if not at or len(folded) > MAX_EMAIL_LENGTH or not 1 <= len(local) <= 64:
        return None
    if _DOMAIN.fullmatch(domain) is None or local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    return folded if _local_part_is_plain(local) else None


def _local_part_is_plain(local: str) -> bool:
    scripts = set()
    for character in local:
        if character not in _LOCAL_ASCII and (character.isascii() or unicodedata.category(character)[0] not in "LMN"):
            return False
        if unicodedata.category(character)[0] == "L":
            scripts.add(unicodedata.name(character, "UNNAMED").partition(" ")[0])
    return len(scripts) <= 1


# --- hashing ----------------------------------------------------------------------------------------------------------


def normalise(password: str) -> str:
    """The password as it is hashed: NFC (RFC 8265 section 4.2), nothing trimmed, nothing folded.

    Raises ValueError, without the password, if it has not 1 to 1024 code points or is not Unicode text.
    """
    if not 1 <= len(password) <= MAX_PASSWORD_LENGTH:
        raise ValueError(f"a password has 1 to {MAX_PASSWORD_LENGTH} characters")
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise ValueError("a password is Unicode text")
    return unicodedata.normalize("NFC", password)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A password as it is stored: its argon2id hash in PHC form, and the id of the pepper under which it was made."""

    phc: str
    pepper_id: str


class Hasher:
    """argon2id behind a pepper. Each call takes some 20 ms and `memory_kib`, without the GIL; bound them outside.

    May be used by several threads at once.
    """

    __slots__ = ("_argon2", "_dummy", "_pepper")

    def __init__(
        self,
        pepper: bytes,
        memory_kib: int = 19_456,
        time_cost: int = 2,
        parallelism: int = 1,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """The defaults are OWASP's least for argon2id; hashes made with others still verify (see `needs_rehash`)."""
        self._pepper = pepper
        self._argon2 = PasswordHasher(time_cost, memory_kib, parallelism, hash_len=32, salt_len=16)
        self._dummy = self._argon2.hash(randomness(32))

    def hash(self, password: str) -> str:
        """The PHC string of a password, with a fresh salt. Raises ValueError where `normalise` does."""
        return self._argon2.hash(self._keyed(normalise(password)))

    def verify(self, phc: str, password: str) -> bool:
        """Whether the password is the one. Takes the time of one hash whatever the password, and never raises for it.

        An impossible password (empty, longer than 1024) costs a hash of something short and is wrong.
        """
        try:
            keyed = self._keyed(normalise(password))
        except ValueError:
            self.waste(password)
            return False
        return self._matches(phc, keyed)

    def waste(self, password: str) -> None:
        """Takes the time of `verify` for an account that does not exist or may not log in.

        The time is that of today's parameters: after they were raised, an account is told apart until its next login.
        """
        self._matches(self._dummy, self._keyed(password[:MAX_PASSWORD_LENGTH]))

    def needs_rehash(self, phc: str) -> bool:
        """Whether a hash was made with other parameters than today's: then hash again upon the next good login."""
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


# --- what makes a password too easy -----------------------------------------------------------------------------------

_COMMON = """
    password passwort passwd pass1234 secret letmein welcome admin administrator root master login guest access default
    changeme test tester demo qwerty qwertz azerty iloveyou sunshine princess monkey dragon football baseball basketball
    superman batman trustno1 shadow michael jennifer jordan hunter ashley bailey charlie freedom whatever starwars
    pokemon computer internet google facebook samsung killer pepper ginger cookie flower summer winter spring autumn
    hello lovely family friend soccer liverpool arsenal chelsea mustang ferrari mercedes porsche
    parola sifre istanbul galatasaray fenerbahce besiktas trabzonspor turkiye bedesten giftcard
""".split()  # noqa: SIM905 - a word list reads better as text
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm")
_SEQUENCES = tuple(row for forward in _ROWS for row in (forward, forward[::-1]))
_LEET = str.maketrans("01345789@$!", "oieastbgasi")


def password_problem(password: str, *, minimum: int = 15, words: Iterable[str] = ()) -> str | None:
    """Why a password may not be set, for its owner to read; None if it may. There are no rules of composition.

    Each code point counts one. `words` are what an attacker tries first here: the user's name and address, the
    tenant's name, the product's. Such words, common passwords, runs of neighbouring keys and repetitions may be
    part of a password, but do not count towards what makes it hard to guess.
    """
    try:
        text = normalise(password)
    except ValueError as problem:
        return str(problem)
    if len(text) < minimum:
        return f"use at least {minimum} characters"
    folded = text.casefold()
    if len(set(folded)) < 5 or _period(folded) * 3 <= len(folded):
        return "it repeats itself"
    enough = max(4, minimum // 2)
    own = [part for word in words for part in re.split(r"[^\w]+", word.casefold()) if len(part) >= 4]
    for spelling in (folded, folded.translate(_LEET)):
        rest = _without_runs(spelling)
        if len(rest) < enough:
            return "it is little more than a sequence"
        if len(_without_words(rest, own)) < enough:
            return "it is little more than your own or the shop's name"
        if len(_without_words(rest, [*own, *_COMMON])) < enough:
            return "it is little more than a common password"
    return None


def _period(text: str) -> int:
    """The length of the shortest beginning that, repeated, gives the text (the last repetition may be cut off)."""
    return next(length for length in range(1, len(text) + 1) if text.startswith(text[length:]))


def _without_words(text: str, words: list[str]) -> str:
    """What is left of a text without these words and, if it holds any, without the digits and signs around them."""
    rest = text
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, " ")
    return text if rest == text else "".join(character for character in rest if character.isalpha())


def _without_runs(text: str) -> str:
    """What is left of a text without stretches of four or more that follow an alphabet, the digits or a key row."""
    kept, at = [], 0
    while at < len(text):
        end = at + 4
        if end <= len(text) and _is_run(text[at:end]):
            while end < len(text) and _is_run(text[at : end + 1]):
                end += 1
            at = end
        else:
            kept.append(text[at])
            at += 1
    return "".join(kept)


def _is_run(text: str) -> bool:
    return len(set(text)) == 1 or any(text in row for row in _SEQUENCES)
