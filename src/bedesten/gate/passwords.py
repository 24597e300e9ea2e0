"""Passwords (NIST SP 800-63B-4, RFC 8265, RFC 9106).

A password is brought to NFC, keyed with the pepper (HMAC-SHA256, so nothing is cut off and a stolen database cannot be
guessed at), and hashed with argon2id. A login for an account that does not exist costs the same hash as any other.
"""

import hmac
import os
import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from bedesten.core.text import MAX_SECRET, secret
from bedesten.gate import weak_passwords
from bedesten.gate.weak_passwords import STEP, STEPS

# --- hashing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PasswordHash:
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
        return self._argon2.hash(self._keyed(secret(password)))

    def verify(self, phc: str, password: str) -> bool:
        """Whether the password is the one. Takes the time of one hash whatever the password, and never raises for it.

        An impossible password (empty, longer than 1024) costs a hash of something short and is wrong.
        """
        try:
            keyed = self._keyed(secret(password))
        except ValueError:
            self.verify_dummy(password)
            return False
        return self._matches(phc, keyed)

    def verify_dummy(self, password: str) -> None:
        """Takes the time of `verify` for an account that does not exist or may not log in.

        The time is that of today's parameters: after they were raised, an account is told apart until its next login.
        """
        self._matches(self._dummy, self._keyed(password[:MAX_SECRET]))

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

_LEET = str.maketrans("01345789@$!|+", "oieastbgasilt")
_HANGING = string.digits + string.punctuation
_DAY, _MONTH, _YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<!\d)(?:{_DAY}{_MONTH}(?:{_YEAR}|\d\d)|{_MONTH}{_DAY}{_YEAR}|{_YEAR}(?:{_MONTH}{_DAY})?"
    r"|\d\d?[./-]\d\d?[./-]\d{2,4}|\d{4}[./-]\d\d?[./-]\d\d?)(?!\d)"
)
"""A date as people write one, or a year."""
_LOOKED_AT = 64
"""Characters of a password that are looked at: of a longer one the beginning says enough."""
_NEXT_WORD = 4
"""What a second common word counts, and every further one: a phrase of several is a good password."""
_GAP = "\n"
"""Stands where something was taken out, so that its neighbours do not become a word."""
_LEAST_OWN = 4
_PART = re.compile(r"[^\W_]{4,}")
_SAME = re.compile(r"(.)\1{3,}", re.DOTALL)


def _by_beginning(words: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        found.setdefault(word[:4], []).append(word)
    return {beginning: tuple(longest_first) for beginning, longest_first in found.items()}


_COMMON = _by_beginning(weak_passwords.WORDS)


def password_problem(password: str, *, minimum: int = 15, words: Iterable[str] = ()) -> str | None:
    """Why a password may not be set, for its owner to read; None if it may. There are no rules of composition.

    Each code point counts one. `words` are what an attacker tries first here: the user's name and address, the
    tenant's name, the product's. Such words, common passwords (`gate.common`), dates, runs of neighbouring keys and
    repetitions may be part of a password, but do not count towards what makes it hard to guess. Takes some 30 µs.
    """
    try:
        text = secret(password)
    except ValueError as problem:
        return str(problem)
    if len(text) < minimum:
        return f"use at least {minimum} characters"
    folded = _plain(text)
    if len(set(folded)) < 5 or _repeats(folded):
        return "it repeats itself"
    folded = folded[: (folded + folded).find(folded, 1)][:_LOOKED_AT]  # once, if it is the same twice
    enough = max(4, minimum // 2)
    plain = [_plain(word) for word in words]
    parts = {part for word in plain for part in (word, *_PART.findall(word)) if len(part) >= _LEAST_OWN}
    own = sorted(parts, key=len, reverse=True)
    for spelling in _spellings(folded):
        rest = _without_runs(spelling)
        if _worth(rest, spelling) < enough:
            return "it is little more than a sequence"
        rest = _DATE.sub(_GAP, rest)
        if _worth(rest, spelling) < enough:
            return "it is little more than a date"
        rest = _without_own(rest, own)
        if _worth(rest, spelling) < enough:
            return "it is little more than your own or the shop's name"
        ways = [_without_words(rest)] if rest == spelling else [_without_words(rest), _words_first(spelling, own)]
        if any(_worth(left, spelling) + _NEXT_WORD * max(0, len(found) - 1) < enough for left, found in ways):
            return "it is little more than a common password"
    return None


def _spellings(folded: str) -> Iterable[str]:
    """The text as it stands, and read with digits and signs for letters, with and without those that hang behind it."""
    hanging = len(folded) - len(folded.rstrip(_HANGING))
    cuts = [len(folded) - tail for tail in (0, min(hanging, 4), hanging)]
    return dict.fromkeys((folded, *(folded[:cut].translate(_LEET) + folded[cut:] for cut in cuts)))


def _plain(text: str) -> str:
    """The text without case and accents: `Şifrem` as `sifrem`."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    parts = unicodedata.normalize("NFKD", folded.replace("ı", "i"))
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


def _repeats(text: str) -> bool:
    """Whether some beginning, repeated three times or more, gives the text (the last repetition may be cut off)."""
    return any(text.startswith(text[length:]) for length in range(1, min(len(text) // 3, _LOOKED_AT) + 1))


def _worth(rest: str, whole: str) -> int:
    """What a rest counts: all of it if nothing was taken out, else its letters and half of its digits, but no signs."""
    if rest == whole:
        return len(rest)
    letters = sum(character.isalpha() or not character.isascii() for character in rest)
    return letters + sum(map(str.isdecimal, rest)) // 2


def _without_own(text: str, longest_first: Iterable[str]) -> str:
    """What is left of a text without these words."""
    for word in longest_first:
        text = text.replace(word, _GAP)
    return text


def _without_words(text: str) -> tuple[str, set[str]]:
    """What is left of a text without common words, the longest wherever several fit, and which were found."""
    kept, found, end = [], set(), 0
    for at in [at for at in range(len(text) - 3) if text[at : at + 4] in _COMMON]:
        word = next((word for word in _COMMON[text[at : at + 4]] if text.startswith(word, at)), "")
        if word and at >= end:
            kept += [text[end:at], _GAP]
            found.add(word)
            end = at + len(word)
    return "".join(kept) + text[end:], found


def _words_first(text: str, own: Iterable[str]) -> tuple[str, set[str]]:
    """The same with dates and runs, which may share letters with a word, taken out after the words."""
    rest, found = _without_words(_without_own(text, own))
    return _without_runs(_DATE.sub(_GAP, rest)), found


def _without_runs(text: str) -> str:
    """What is left of a text without stretches of four or more that follow a row of keys or repeat one character."""
    text = _SAME.sub(_GAP, text)
    runs = [at for at in range(len(text) - STEP + 1) if text[at : at + STEP] in STEPS]
    if not runs:
        return text
    kept = list(text)
    for at in runs:
        kept[at : at + STEP] = [_GAP] * STEP
    return "".join(kept)
