"""Rejects passwords that an attacker guesses early (NIST SP 800-63B-4 section 3.1.1.2). There are no composition rules.

The word lists in `data/` hold stems, not leaked passwords. Rules undo what people do to a stem: capitals, trailing
digits, letters replaced by signs, doubling, dates, keyboard walks. A password is weak if what remains without such parts
is too short. A few kilobytes of stems stand for millions of passwords in this way.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from bedesten.core.text import secret

WALK_LENGTH = 4
"""Characters of a keyboard walk, digit run or alphabet run that are recognised as one."""
_LEET = str.maketrans("01345789@$!|+", "oieastbgasilt")
_TRAILING = string.digits + string.punctuation
_DAY, _MONTH, _YEAR = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<!\d)(?:{_DAY}{_MONTH}(?:{_YEAR}|\d\d)|{_MONTH}{_DAY}{_YEAR}|{_YEAR}(?:{_MONTH}{_DAY})?"
    r"|\d\d?[./-]\d\d?[./-]\d{2,4}|\d{4}[./-]\d\d?[./-]\d\d?)(?!\d)"
)
"""A date in the common notations, or a year."""
_MAX_EXAMINED = 64
"""Characters of a password that the rules examine; the beginning of a longer one is enough."""
_SCORE_OF_NEXT_WORD = 4
"""Characters that the second common word, and each further one, adds to the score: a phrase is a good password."""
_GAP = "\n"
"""Replaces each removed part, so that its neighbours do not join into a word."""
_MIN_WORD_LENGTH = 4
_PART = re.compile(r"[^\W_]{4,}")
_REPEATED_CHARACTER = re.compile(r"(.)\1{3,}", re.DOTALL)


def password_problem(password: str, *, minimum: int = 15, words: Iterable[str] = ()) -> str | None:
    """Says why a password must not be set, in words for its owner; None if it may be set. Takes some 30 µs.

    `minimum` counts code points. `words` are what an attacker tries first for this account: its name and address, the
    tenant's name, the product's. They, common words, dates, keyboard walks and repetitions may be part of a password but
    do not count towards its length.
    """
    try:
        text = secret(password)
    except ValueError as problem:
        return str(problem)
    if len(text) < minimum:
        return f"use at least {minimum} characters"
    folded = _fold(text)
    if len(set(folded)) < 5 or _repeats(folded):
        return "it repeats itself"
    folded = folded[: (folded + folded).find(folded, 1)][:_MAX_EXAMINED]  # `abcabc` counts as `abc`
    enough = max(4, minimum // 2)
    folded_words = [_fold(word) for word in words]
    parts = {part for word in folded_words for part in (word, *_PART.findall(word)) if len(part) >= _MIN_WORD_LENGTH}
    own_words = sorted(parts, key=len, reverse=True)
    for spelling in _spellings(folded):
        rest = _without_runs(spelling)
        if _score(rest, spelling) < enough:
            return "it is little more than a sequence"
        rest = _DATE.sub(_GAP, rest)
        if _score(rest, spelling) < enough:
            return "it is little more than a date"
        rest = _without(rest, own_words)
        if _score(rest, spelling) < enough:
            return "it is little more than your own or the shop's name"
        orders = [_without_common_words(rest)]
        if rest != spelling:
            orders.append(_common_words_first(spelling, own_words))
        if any(
            _score(left, spelling) + _SCORE_OF_NEXT_WORD * max(0, len(found) - 1) < enough for left, found in orders
        ):
            return "it is little more than a common password"
    return None


def _spellings(folded: str) -> Iterable[str]:
    """Yields the text as it is, and with digits and signs read as letters: all of them, or all but trailing ones."""
    trailing = len(folded) - len(folded.rstrip(_TRAILING))
    cuts = [len(folded) - tail for tail in (0, min(trailing, 4), trailing)]
    return dict.fromkeys((folded, *(folded[:cut].translate(_LEET) + folded[cut:] for cut in cuts)))


def _fold(text: str) -> str:
    """Removes case and accents: `Şifrem` becomes `sifrem`."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    parts = unicodedata.normalize("NFKD", folded.replace("ı", "i"))
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


def _repeats(text: str) -> bool:
    """Whether the text is a prefix repeated three times or more (the last repetition may be incomplete)."""
    return any(text.startswith(text[length:]) for length in range(1, min(len(text) // 3, _MAX_EXAMINED) + 1))


def _score(rest: str, whole: str) -> int:
    """Counts all characters if nothing was removed; otherwise the letters and half of the digits, but no signs."""
    if rest == whole:
        return len(rest)
    letters = sum(character.isalpha() or not character.isascii() for character in rest)
    return letters + sum(map(str.isdecimal, rest)) // 2


def _without(text: str, longest_first: Iterable[str]) -> str:
    for word in longest_first:
        text = text.replace(word, _GAP)
    return text


def _without_common_words(text: str) -> tuple[str, set[str]]:
    """Removes common words, the longest where several match; returns the rest and the words that were found."""
    by_prefix = _words_by_prefix()
    kept, found, end = [], set(), 0
    for at in [at for at in range(len(text) - 3) if text[at : at + 4] in by_prefix]:
        word = next((word for word in by_prefix[text[at : at + 4]] if text.startswith(word, at)), "")
        if word and at >= end:
            kept += [text[end:at], _GAP]
            found.add(word)
            end = at + len(word)
    return "".join(kept) + text[end:], found


def _common_words_first(text: str, own_words: Iterable[str]) -> tuple[str, set[str]]:
    """Removes words before dates and runs: a run may share letters with a word, so both orders are tried."""
    rest, found = _without_common_words(_without(text, own_words))
    return _without_runs(_DATE.sub(_GAP, rest)), found


def _without_runs(text: str) -> str:
    """Removes stretches of four or more characters that follow a keyboard row or repeat one character."""
    text = _REPEATED_CHARACTER.sub(_GAP, text)
    walks = keyboard_walks()
    runs = [at for at in range(len(text) - WALK_LENGTH + 1) if text[at : at + WALK_LENGTH] in walks]
    if not runs:
        return text
    kept = list(text)
    for at in runs:
        kept[at : at + WALK_LENGTH] = [_GAP] * WALK_LENGTH
    return "".join(kept)


# --- the lists --------------------------------------------------------------------------------------------------------


@cache
def common_words() -> frozenset[str]:
    """Every common word: lower case, no accents, at least four letters."""
    return frozenset(_lines("common_words.txt"))


@cache
def keyboard_walks() -> frozenset[str]:
    """Every run of four characters in the order of an alphabet, the digits or a keyboard row, in either direction."""
    return frozenset(
        walk[at : at + WALK_LENGTH]
        for row in _lines("keyboard_rows.txt")
        for walk in (row, row[::-1])
        for at in range(len(walk) - WALK_LENGTH + 1)
    )


@cache
def _words_by_prefix() -> Mapping[str, tuple[str, ...]]:
    """The common words by their first four letters, the longest first."""
    found: dict[str, list[str]] = {}
    for word in sorted(common_words(), key=len, reverse=True):
        found.setdefault(word[:4], []).append(word)
    return {prefix: tuple(longest_first) for prefix, longest_first in found.items()}


def _lines(name: str) -> list[str]:
    text = resources.files("bedesten.gate").joinpath("data", name).read_text("utf-8")
    return [line for line in text.splitlines() if line and line != "#" and not line.startswith("# ")]
