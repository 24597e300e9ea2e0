"""Defines the text of a stock code. Pure; every entry point uses it: command line, Supplier surface, demo.

A code is a text of the kind `code` (`core.text`: 1 to 500 printable characters in Unicode normal form C, none of them
invisible) with at least one letter or digit. White space and invisible characters around it are removed; inside it they
are refused, because nobody can tell two such codes apart. Texts that spreadsheets produce instead of codes are refused
too: a column title, a whole row, a number like 1.23457E+15. PIN, serial number, URL and expiry date are separate parts.
A URL is one at which the buyer redeems the code: https, ASCII, with a host name and without a user. The shop never
fetches it.

A product compares codes in one of two forms. `exact` compares character by character. `folded` ignores case, hyphens
and spaces and treats compatibility forms (such as full-width digits) like the plain ones: normal form KC, case folded.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from bedesten.core import text
from bedesten.core.text import MAX_CODE as MAX_CODE
from bedesten.core.text import Text, TextError

EXACT, FOLDED = "exact", "folded"
MIN_YEAR, MAX_YEAR = 2000, 9000
"""Years that an expiry date may have."""
MAX_PART: Final = 200
"""Maximum length of a PIN or a serial number, in characters."""
MAX_URL: Final = 1_000
"""Maximum length of a URL, in characters."""


def _titles(listed: str) -> frozenset[str]:
    return frozenset(title.strip() for title in listed.split(";"))


CODE_TITLES = _titles(
    """code; codes; voucher; vouchers; coupon; coupons; key; keys; license; licence; epin; e-pin; kod; kodu; gutschein;
    voucher code; vouchercode; voucher_code; gift code; giftcode; gift_code; gift card code; card code; cardcode; card_code;
    coupon code; activation code; activation key; redeem code; license key; licence key; license_key; licensekey;
    product key; cd key; cdkey; cd-key; game key; steam key; gutscheincode"""
)
PIN_TITLES = _titles("pin; pins; pin code; pincode; pin_code; security code")
SERIAL_TITLES = _titles("serial; serials; serial number; serialnumber; serial_number; serial no; serial no.; sn")
URL_TITLES = _titles(
    """url; urls; link; links; redeem url; redeemurl; redeem_url; redeem link; redemption url; redemptionurl;
    redemption_url; redemption link; activation url; activationurl; activation_url; activation link; voucher url;
    voucher link; gift url; gift link"""
)
EXPIRY_TITLES = _titles(
    """expiry; expires; expiry date; expirydate; expiry_date; expiration; expiration date; expire; skt; valid until;
    valid to; valid thru; validuntil; expires at; expiresat; best before"""
)
_TITLES = CODE_TITLES | PIN_TITLES | SERIAL_TITLES | URL_TITLES | EXPIRY_TITLES

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that have no glyph: Unicode's default-ignorable code points that are not format characters."""
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_DAMAGED = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}", re.ASCII)
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_URL = re.compile(
    rf"https://(?=.{{1,253}}(?:[:/?#]|$)){_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?"
    r"(?:[/?#](?:[a-z0-9._~!$&'()*+,;=:@/?#\[\]-]|%[0-9a-f]{2})*)?",
    re.ASCII | re.IGNORECASE,
)
"""The characters of RFC 3986, without user information. Every part is bounded or matches one character at a time."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class BadCode(TextError):
    """The text is not a code, or not a valid part of one; `part` names it. The message never repeats the text."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(reason)
        self.part = part


class StockCode(msgspec.Struct, frozen=True, omit_defaults=True):
    """One code with its parts, as `read_code` parsed it. `expires` is the last day on which the code is valid."""

    code: str
    pin: str | None = None
    serial: str | None = None
    expires: date | None = None
    url: str | None = None

    def __repr__(self) -> str:
        return "StockCode(…)"

    @property
    def expires_at(self) -> int | None:
        """Returns the time (epoch ms) at which the code becomes invalid: midnight UTC after its last day."""
        if self.expires is None:
            return None
        return int(datetime.combine(self.expires + timedelta(days=1), time(), UTC).timestamp()) * 1000

    @property
    def exact(self) -> str:
        """Returns the form that is compared character by character."""
        return self.code

    @property
    def folded(self) -> str:
        """Returns the form that is compared without regard to case, hyphens and spaces."""
        strip_invisible = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", self.code).casefold())
        return "".join(
            each for each in strip_invisible if unicodedata.category(each) not in ("Pd", "Zs") and each != "\u2212"
        )


def read_code(
    code: str,
    pin: str | None = None,
    serial: str | None = None,
    expires: str | None = None,
    url: str | None = None,
) -> StockCode:
    """Parses a code from a request or a file and omits blank parts. Raises `BadCode`."""
    return StockCode(
        code=_read("code", code_text, code) or "",
        pin=_read("pin", part_text, pin),
        serial=_read("serial", part_text, serial),
        expires=_day(_read("expires", day_text, expires)),
        url=_read("url", url_text, url),
    )


def _read(part: str, rule: Text, given: str | None) -> str | None:
    if given is None or (part != "code" and not strip_invisible(given)):
        return None
    problem = ""
    try:
        return rule(given) or None
    except TextError as error:
        problem = str(error)
    raise BadCode(part, problem)  # outside `except`: no exception in the chain holds the text


def is_normal(code: StockCode) -> bool:
    """Reports whether `read_code` leaves the stored code unchanged."""
    try:
        return read_code(**parts(code)) == code  # type: ignore[arg-type]
    except BadCode:
        return False


def encode(code: StockCode) -> str:
    """Serialises the code with its parts to one text, which is then encrypted."""
    return msgspec.json.encode(code).decode()


def parts(code: StockCode) -> dict[str, str | None]:
    """Returns the code with its parts as buyers see it; a missing part is null."""
    expires = code.expires.isoformat() if code.expires else None
    return {"code": code.code, "pin": code.pin, "serial": code.serial, "url": code.url, "expires": expires}


def has_parts(code: StockCode) -> bool:
    """Reports whether the code has a PIN, a serial number, a URL or an expiry date."""
    return bool(code.pin or code.serial or code.url or code.expires)


def masked(code: StockCode) -> str:
    """Returns the ends of a code and its length: enough to recognise it, too little to use it."""
    shown = min(4, len(code.code) // 4)
    return f"{code.code[:shown]}…{code.code[len(code.code) - shown :]} ({len(code.code)} characters)"


decode: Callable[[str], StockCode] = msgspec.json.Decoder(StockCode).decode


def strip_invisible(given: str) -> str:
    """Removes white space and invisible characters from both ends of the text."""
    start, end = 0, len(given)
    while start < end and is_invisible(given[start]):
        start += 1
    while end > start and is_invisible(given[end - 1]):
        end -= 1
    return given[start:end]


def is_invisible(character: str) -> bool:
    """Reports whether the character is invisible or meaningless on its own: controls, formats, spaces, fillers."""
    return (
        unicodedata.category(character) in _INVISIBLE
        or character in _FILLERS
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


# --- the rule of each part --------------------------------------------------------------------------------------------


def code_text(given: str) -> str:
    """Returns the normal form of a code. Raises `TextError`."""
    code = text.code(strip_invisible(given))
    if not any(each.isalnum() for each in code):
        raise TextError("has neither a letter nor a digit")
    if code.casefold() in _TITLES:
        raise TextError("is the title of a column")
    if _DAMAGED.fullmatch(code):
        raise TextError("is a long number that a spreadsheet has shortened: export the column as text")
    if not _LINK.match(code) and any(each in code for each in ',;"'):
        raise TextError(
            "has a comma, a semicolon or a quotation mark: PIN, serial, URL and expiry are fields of their own"
        )
    return code


def part_text(given: str) -> str:
    """Returns the normal form of a PIN or a serial number. Raises `TextError`."""
    found = text.code(strip_invisible(given))
    if len(found) > MAX_PART:
        raise TextError(f"must have at most {MAX_PART} characters")
    return found


def url_text(given: str) -> str:
    """Returns the normal form of a URL: with its scheme in lower case. Raises `TextError`."""
    found = strip_invisible(given)
    if not found:
        raise TextError("must not be blank")
    if len(found) > MAX_URL:
        raise TextError(f"must have at most {MAX_URL:,} characters")
    if not _URL.fullmatch(found):
        raise TextError("must be a URL as https://host/path, in ASCII and without spaces, user name and password")
    return "https" + found[5:]


def day_text(given: str) -> str:
    """Returns the normal form of an expiry date. Raises `TextError`."""
    found = strip_invisible(given)
    if not found:
        raise TextError("must not be blank")
    _day(found)
    return found


def _day(text_of_day: str | None) -> date | None:
    if not text_of_day:
        return None
    try:
        day = date.fromisoformat(text_of_day) if _DATE.fullmatch(text_of_day) else None
    except ValueError:
        day = None
    if day is None or not MIN_YEAR <= day.year <= MAX_YEAR:
        raise TextError("must be a date as yyyy-MM-dd")
    return day
