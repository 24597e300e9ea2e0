"""Writes rows to the audit trail."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

from bedesten.audit.tables import APPEND
from bedesten.store.transaction import Transaction

INSTALLATION = "-"
"""The tenant id of rows about the installation as a whole."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `operator` or the id of an account; with the request id if it acts in a request."""

    name: str
    request_id: str | None = None


OPERATOR = Actor("operator")


class _Shell:
    """The operating system's user who started the program in this process."""

    user: str | None = None


@contextmanager
def started_by(user: str) -> Iterator[None]:
    """Name the operating system's user in every row that the operator writes during the block, in any thread."""
    before, _Shell.user = _Shell.user, user
    try:
        yield
    finally:
        _Shell.user = before


def record(tx: Transaction, actor: Actor, action: str, subject: str, **detail: object) -> None:
    """Append one row to the audit trail, in the transaction of the change that it records."""
    tx.run(APPEND, **_columns(tx, actor, prepared(actor, action, subject, **detail)))


class PreparedRow(NamedTuple):
    """A row of the audit trail before it is written; `detail` is JSON."""

    action: str
    subject: str
    detail: str


def prepared(actor: Actor, action: str, subject: str, **detail: object) -> PreparedRow:
    """Prepare a row for `record_each`, before the transaction that writes it."""
    if actor == OPERATOR and _Shell.user is not None:
        detail["os_user"] = _Shell.user
    return PreparedRow(action, subject, _detail(detail))


def record_each(tx: Transaction, actor: Actor, rows: Iterable[PreparedRow]) -> None:
    """Append rows to the audit trail, in their order, in the transaction of the changes that they record."""
    tx.run_each(APPEND, [_columns(tx, actor, row) for row in rows])


def _columns(tx: Transaction, actor: Actor, row: PreparedRow) -> dict[str, object]:
    return {
        "id": tx.new_id("aud"),
        "actor": actor.name,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
        "request_id": actor.request_id,
        "at": tx.now,
        "seq": None,
        "hash": None,
    }


def redacted_url(url: str | None) -> str | None:
    """A URL without its path and query, which may hold a secret: scheme, host, and a digest to compare by."""
    if url is None:
        return None
    parts = urlsplit(url)
    rest = sha256(url.encode()).hexdigest()[:12]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/… (SHA-256 {rest}…)"


def _detail(detail: Mapping[str, object]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"), default=str)
