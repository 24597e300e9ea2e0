"""The kinds of text: one normal form, one set of refused characters and one length each for every surface and command.

| kind | length | what it is |
|---|---|---|
| `identifier` | 1..100 | names one thing within a shop: a sku, the id of a requirement |
| `name` | 1..200 | what people call a thing, on one line |
| `reference` | 1..128 | the caller's own identifier of what it sends: an order reference, the id of a line |
| `note` | 1..10,000 | a text for people; the only kind with line breaks and tabs |
| `code` | 1..500 | a stock code |
| `email` | 3..254 | an address: ASCII letters of the local part in lower case, the domain in its IDNA form |
| `secret` | 1..1,024 | a password: nothing is trimmed, nothing folded |

Each kind is a function from a text to its normal form; it raises `TextError` with a reason for people. Every normal
form is NFC, and normalising it again changes nothing. White space around a text is removed, except in a secret, and no
kind accepts a blank text. Control characters, bidirectional controls and other invisible characters are refused. Names
and notes keep U+200C and U+200D where scripts and emoji need them: after a character from U+0590 on.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import idna

Text = Callable[[str], str]


class TextError(ValueError):
    """A text that is not valid for its kind. The reason is for people and does not quote the text."""


MAX_IDENTIFIER, MAX_NAME, MAX_REFERENCE, MAX_NOTE, MAX_CODE, MAX_EMAIL, MAX_SECRET = (
    100,
    200,
    128,
    10_000,
    500,
    254,
    1_024,
)

_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, range(0xE0100, 0xE01F0))
)
"""Characters that Unicode classifies as letters, marks or signs although they are invisible."""
_FIRST_JOINED = "\u0590"
"""Scripts whose letters join, and emoji, begin here (Hebrew); nothing before it needs a joiner."""
_ID_FORM = re.compile(r"[a-z]{3}_[0-9a-z]{26}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """The rule of one kind of text.

    joined: it may contain joiners and variation selectors. lines: it may contain line breaks and tabs. spaces: every kind
    of space becomes the plain one; otherwise only the plain one is accepted. runs: several spaces in a row stay. id_form:
    it may have the form of an id.
    """

    name: str
    most: int
    joined: bool = False
    lines: bool = False
    spaces: bool = True
    runs: bool = True
    id_form: bool = True

    def __call__(self, text: str) -> str:
        """The normal form. Raises `TextError`."""
        if text.isascii() and text.isprintable():
            normal = text.strip()
        else:
            normal = self._normal(text)
            self._refuse_unseen(normal)
        if not self.runs:
            normal = _RUN.sub(" ", normal)
        if not normal:
            raise TextError("must not be blank")
        if len(normal) > self.most:
            raise TextError(f"must have at most {self.most:,} characters")
        if not self.id_form and _ID_FORM.fullmatch(normal):
            raise TextError("must not have the form of an id")
        return normal

    def _normal(self, text: str) -> str:
        if len(text) > 4 * self.most:
            raise TextError(f"must have at most {self.most:,} characters")
        normal = unicodedata.normalize("NFC", text)
        if self.lines:
            normal = normal.replace("\r\n", "\n").replace("\r", "\n")
        if self.spaces:
            normal = "".join(" " if unicodedata.category(each) == "Zs" else each for each in normal)
        return normal.strip()

    def _refuse_unseen(self, normal: str) -> None:
        before = " "
        for each in normal:
            if each in _JOINERS or each in _SELECTORS:
                unseen = not (self.joined and _continues(before, each))
            else:
                unseen = each in _BLANK or unicodedata.category(each) == "Cf"
            if unseen:
                raise TextError("must not hold invisible characters")
            if not each.isprintable() and each not in _JOINERS and not (self.lines and each in "\n\t"):
                raise TextError(f"must hold printable characters only{'' if self.lines else ', on one line'}")
            before = each


def _continues(before: str, each: str) -> bool:
    """Whether a joiner or a variation selector has an effect after the character `before`."""
    if each in _SELECTORS:
        return before not in _SELECTORS and not before.isspace()
    return before >= _FIRST_JOINED and unicodedata.category(before)[0] in "LMS"


_RUN = re.compile(" {2,}")

identifier = Kind("identifier", MAX_IDENTIFIER)
sku = Kind("sku", MAX_IDENTIFIER, id_form=False)
"""An identifier for lookups that also accept an id: it never has the form of one."""
name = Kind("name", MAX_NAME, joined=True, runs=False, id_form=False)
reference = Kind("reference", MAX_REFERENCE)
note = Kind("note", MAX_NOTE, joined=True, lines=True)
code = Kind("code", MAX_CODE, spaces=False)


def secret(text: str) -> str:
    """The normal form of a password: NFC (RFC 8265 section 4.2). Raises `TextError`, without the secret."""
    if not 1 <= len(text) <= MAX_SECRET:
        raise TextError(f"a password has 1 to {MAX_SECRET} characters")
    categories = {unicodedata.category(each) for each in text}
    if "Cs" in categories:
        raise TextError("a password is Unicode text")
    if "Cc" in categories:
        raise TextError("a password holds no control characters and no line breaks")
    return unicodedata.normalize("NFC", text)


# --- e-mail addresses -------------------------------------------------------------------------------------------------

_LOCAL_ASCII = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_NO_ADDRESS = "must be an e-mail address"


def email(text: str) -> str:
    """Returns the canonical form, under which an account is stored and found. Raises `TextError`.

    NFC; in the local part ASCII letters become lower case and nothing else changes; the domain is written in its IDNA 2008
    form (`xn--…`). The local part may hold letters, marks and digits of one script besides ASCII digits and signs, so
    that no Cyrillic `а` hides among Latin letters, and no compatibility characters such as full-width letters.
    """
    if len(text) > 4 * MAX_EMAIL:
        raise TextError(_NO_ADDRESS)
    local, _, domain = unicodedata.normalize("NFC", text.strip()).rpartition("@")
    local, domain = local.translate(_LOWER), _ascii_domain(domain)
    if not 1 <= len(local) <= 64 or len(local) + 1 + len(domain) > MAX_EMAIL or not _local_part_is_plain(local):
        raise TextError(_NO_ADDRESS)
    return f"{local}@{domain}"


def email_or_none(text: str) -> str | None:
    """Returns the canonical form, or None for a text that is not an address."""
    try:
        return email(text)
    except TextError:
        return None


def _ascii_domain(domain: str) -> str:
    if not all(each in "-." or unicodedata.category(each)[0] in "LMN" for each in domain):
        raise TextError(_NO_ADDRESS)  # IDNA would drop invisible characters
    try:
        ascii_form = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True, std3_rules=True).decode()
    except UnicodeError:  # the base class of the exceptions of `idna`
        ascii_form = ""
    if _DOMAIN.fullmatch(ascii_form) is None:
        raise TextError(_NO_ADDRESS)
    return ascii_form


def _local_part_is_plain(local: str) -> bool:
    if local.startswith(".") or local.endswith(".") or ".." in local or unicodedata.normalize("NFKC", local) != local:
        return False
    scripts = set()
    for character in local:
        if character not in _LOCAL_ASCII and (character.isascii() or unicodedata.category(character)[0] not in "LMN"):
            return False
        if unicodedata.category(character)[0] == "L":
            scripts.add(unicodedata.name(character, "UNNAMED").partition(" ")[0])
    return len(scripts) <= 1


# --- comparing --------------------------------------------------------------------------------------------------------


def key(text: str) -> str:
    """Returns the comparison key of a name or sku, which ignores case, width, joiners and spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = "".join(each for each in folded if each not in _JOINERS and each not in _SELECTORS)
    return unicodedata.normalize("NFC", " ".join(visible.split()))


_ALIKE = {
    ord(one): other
    for one, other in zip("аевкмнорстухіѕјԁһӏԛԝαορνικτυχεηβγ015", "aebkmhopctyxisjdhlqwaopviktuxenbyols", strict=True)
}
"""Maps lower-case Cyrillic and Greek letters and digits to the Latin letters that they resemble."""


def skeleton(text: str) -> str:
    """Returns a key that is equal for names that look alike: Latin letters and digits, no accents, signs or spaces."""
    plain = unicodedata.normalize("NFKD", key(text)).translate(_ALIKE)
    return "".join(each for each in plain if each.isalnum()).replace("i", "l").replace("rn", "m")


def ascii_lower(text: str) -> str:
    """Returns the text with its ASCII letters in lower case and nothing else changed."""
    return text.translate(_LOWER)
