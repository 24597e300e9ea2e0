"""Reads the statement files of payment providers. Pure: bytes in, lines or a refusal out.

A statement is a table whose first row has titles: a reference and an amount, optionally a type, a currency and a date;
other columns are ignored. If any line is invalid, the refusal numbers every invalid line, and nothing is read.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bedesten import errors
from bedesten.admin.code_file import MAX_PROBLEMS
from bedesten.admin.product_file import MAX_FILE_BYTES
from bedesten.admin.table_file import Row, decode, read_rows
from bedesten.catalogue.code import strip_invisible
from bedesten.core.money import EXPONENTS, to_minor
from bedesten.core.text import TextError, reference
from bedesten.errors import Refusal, bad_field
from bedesten.payments.settlements import DEPOSIT, DISPUTE, PAYMENT, REFUND, Statement, StatementLine

_TITLES = {
    "reference": ("reference", "payment reference", "merchant reference", "paymentid", "payment id", "payment", "charge",
                  "transaction", "transaction id", "id", "referans", "referenz"),
    "amount": ("amount", "gross", "gross amount", "total", "value", "tutar", "betrag"),
    "type": ("type", "kind", "transaction type", "event", "category", "tür", "typ", "art"),
    "currency": ("currency", "currency code", "para birimi", "währung"),
    "date": ("date", "created", "created (utc)", "booked", "booking date", "time", "settled", "tarih", "datum"),
}  # fmt: skip
_KINDS = {
    PAYMENT: ("payment", "charge", "capture", "sale", "purchase", "ödeme", "zahlung"),
    REFUND: ("refund", "payment_refund", "iade", "erstattung"),
    DISPUTE: ("dispute", "chargeback", "rückbuchung"),
    DEPOSIT: ("deposit", "topup", "top-up", "transfer", "einzahlung"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
_NOT_OURS = frozenset({"fee", "fees", "payout", "adjustment", "komisyon", "gebühr"})
"""Types of lines that concern no payment; they are skipped."""
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?(?:Z|\+00:?00)?)?", re.ASCII)
_DOTTED_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: (\d\d):(\d\d)(?::(\d\d))?)?", re.ASCII)
_GROUPS = re.compile(r"\d{1,3}(?:[ ,.']\d{3})+", re.ASCII)


def read_statement(
    source: str, raw: bytes, currency: str, now: int, encoding: str | None = None, until: int | None = None
) -> tuple[Statement, int]:
    """The statement in the file `source`, and the number of skipped lines, which concern no payment.

    `until` (epoch ms) is the statement's end, by default its last day or, without dates, `now`. Raises `Refusal` (-2),
    which names every invalid line.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise bad_field(source, f"more than {MAX_FILE_BYTES >> 20} MiB: send it in parts")
    rows = read_rows(source, decode(source, raw, encoding))
    columns = _columns(source, rows)
    lines: list[StatementLine] = []
    ends: list[int] = []
    problems: list[tuple[str, str]] = []
    for row in rows[1:]:
        try:
            read = _line(row, columns, currency)
        except ValueError as problem:
            problems.append((f"line {row.line}", str(problem)))
            continue
        if read is not None:
            lines.append(read)
        if "date" in columns:
            ends.append(_end(row.cells[columns["date"]]))
    if problems:
        raise _refusal(source, problems)
    if not lines:
        raise bad_field(source, "there is no payment in it")
    end = until if until is not None else max(ends, default=now)
    digest = hashlib.sha256(raw).digest()
    return Statement(source, digest, currency, end, tuple(lines)), len(rows) - 1 - len(lines)


def _columns(source: str, rows: list[Row]) -> dict[str, int]:
    """The column of each part, from the titles in the first row. Raises `Refusal`."""
    titles = [strip_invisible(cell).casefold() for cell in rows[0].cells] if rows else []
    found: dict[str, int] = {}
    for part, names in _TITLES.items():
        at = next((titles.index(name) for name in names if name in titles), None)
        if at is not None and at not in found.values():
            found[part] = at
    for part in ("reference", "amount"):
        if part not in found:
            known = ", ".join(_TITLES[part])
            raise bad_field(source, f"line 1 has no title for the {part}: it may be called {known}")
    return found


def _line(row: Row, columns: dict[str, int], currency: str) -> StatementLine | None:
    """One line; None if it concerns no payment. Raises ValueError."""
    cells = {part: strip_invisible(row.cells[at]) for part, at in columns.items()}
    type_ = cells.get("type", "").casefold()
    if type_ in _NOT_OURS:
        return None
    kind = _KIND_OF.get(type_, "")
    if type_ and not kind:
        raise ValueError(f"the type {cells['type']!r} is not known: payment, refund, dispute, deposit or fee")
    if cells.get("currency", currency).upper() != currency:
        raise ValueError(f"the currency is not {currency}")
    if "date" in cells:
        _end(cells["date"])
    try:
        name = reference(cells["reference"])
    except TextError as problem:
        raise ValueError(f"the reference {problem}") from problem
    minor = read_signed(cells["amount"], currency)
    if not minor:
        raise ValueError("the amount is 0")
    taken = kind in (REFUND, DISPUTE)
    if kind and not taken and minor < 0:
        raise ValueError(f"a {kind} is not below 0")
    return StatementLine(row.line, kind, name, -abs(minor) if taken else minor)


def read_signed(text: str, currency: str) -> int:
    """The minor units of an amount with a sign: `-12.50`, `1,234.50`, `1.234,50`, `12,5`, `(3.00)`, `12.50 USD`.

    Raises ValueError, also for an ambiguous separator: `1,234` in a currency of two digits.
    """
    plain = text.removesuffix(currency).strip().replace("\u2212", "-").replace("\u00a0", " ")
    negative = plain.startswith(("-", "(")) or plain.endswith("-")
    plain = plain.strip("-()+ ")
    digits = EXPONENTS[currency]
    point = max(plain.rfind("."), plain.rfind(","))
    whole, fraction = (plain, "") if point < 0 else (plain[:point], plain[point + 1 :])
    both = "." in plain and "," in plain
    if point >= 0 and not both and len(fraction) == 3 and (digits != 3 or plain.count(plain[point]) > 1):
        raise ValueError(f"the amount {text!r} can be read in two ways: write it like 1234.00")
    if _GROUPS.fullmatch(whole):
        whole = re.sub(r"[ ,.']", "", whole)
    if not (whole.isascii() and whole.isdigit()) or (point >= 0 and not (fraction.isascii() and fraction.isdigit())):
        raise ValueError(f"the amount {text!r} is not a number")
    if len(whole) > 16 or len(fraction) > digits:
        raise ValueError(f"the amount {text!r} is too large, or finer than {currency}")
    minor = to_minor(Decimal(f"{whole}.{fraction or '0'}"), currency)
    return -minor if negative else minor


def _end(text: str) -> int:
    """The time of a date in epoch ms; for a date without a time, the end of that day. Raises ValueError."""
    cell = strip_invisible(text)
    if found := _DATE.fullmatch(cell):
        year, month, day, *clock = found.groups()
    elif found := _DOTTED_DATE.fullmatch(cell):
        day, month, year, *clock = found.groups()
    else:
        raise ValueError(f"the date {cell!r} is not written yyyy-MM-dd")
    hour, minute, second = (int(one or 0) for one in clock)
    moment = datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
    if clock[0] is None:
        moment += timedelta(days=1, milliseconds=-1)
    return max(int(moment.timestamp() * 1000), 0)


def _refusal(source: str, problems: list[tuple[str, str]]) -> Refusal:
    count = "1 line is wrong" if len(problems) == 1 else f"{len(problems)} lines are wrong"
    first = f" (the first {MAX_PROBLEMS} follow)" if len(problems) > MAX_PROBLEMS else ""
    fields = dict(problems[:MAX_PROBLEMS])
    return Refusal(errors.BAD_REQUEST, f"{source}: {count}{first}; nothing was compared", fields=fields)
