"""The operator's statements: of partners, customers and suppliers, and of the tenant's own accounts."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bedesten.admin import money
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.ledger import actions as ledger
from bedesten.ledger import statements
from bedesten.ledger.statements import Entry, Period
from bedesten.store.transaction import Transaction

OWN = ("sales", "clearing", "adjustments")
"""Kinds of the tenant's own accounts."""
COLUMNS = ("booked", "type", "amount", "balance", "currency", "orderId", "orderDetailId", "transferId", "key", "reason")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet takes for a formula."""
PAGE = 1_000


@dataclass(frozen=True, slots=True)
class OpenedStatement:
    """The account of a statement, and its opening balance."""

    account: str
    currency: str
    owner: str
    kind: str


def open_statement(tx: Transaction, tenant: TenantEntry, kind: str, name: str) -> OpenedStatement:
    """Finds the account of a statement: an owner's, or the tenant's own. Raises `Refusal` (-2, -3)."""
    if kind == "own":
        if name not in OWN:
            raise bad_field("own", f"one of {', '.join(OWN)}")
        owner, kind = tenant.id, name
    else:
        owner = money.owner(tx, kind, name).id
    return OpenedStatement(ledger.account(tx, owner, kind, tenant.currency).id, tenant.currency, owner, kind)


def page(
    tx: Transaction, opened: OpenedStatement, after: int, since: int, until: int | None
) -> tuple[dict[str, object], int | None]:
    """Returns a page with its opening balance, and the `after` of the next page; None after the last."""
    found = statements.page(tx, opened.account, Period(after, PAGE, since, until))
    document: dict[str, object] = {
        "openingBalance": to_decimal(found.opening, opened.currency),
        "entries": [_shown(one, opened.currency) for one in found.entries],
    }
    last = found.entries[-1].seq if found.entries else after
    return document, last if found.more else None


def csv_lines(rows: Iterable[Mapping[str, object]], *, header: bool) -> Iterator[str]:
    """The rows as CSV (RFC 4180). An apostrophe precedes text that a spreadsheet would take for a formula.

    Amounts are numbers and stay unchanged, also negative ones.
    """
    if header:
        yield ",".join(COLUMNS) + "\r\n"
    for row in rows:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow([_cell(row[name]) for name in COLUMNS])
        yield line.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def _shown(one: Entry, currency: str) -> dict[str, object]:
    return {
        "booked": wire_time(one.at),
        "type": one.kind,
        "amount": to_decimal(one.change, currency),
        "balance": to_decimal(one.balance, currency),
        "currency": currency,
        "orderId": one.order,
        "orderDetailId": one.line,
        "transferId": one.transfer,
        "key": one.business_key,
        "reason": one.reason,
    }
