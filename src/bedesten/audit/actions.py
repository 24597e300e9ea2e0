"""Writing the trail."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from bedesten.audit.tables import APPEND
from bedesten.core.ids import new_id
from bedesten.store.transaction import Transaction

INSTALLATION = "-"
"""Stands for the tenant where something concerns the installation as a whole."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `operator`, or an account's id; and the request in which it was done, if it was one."""

    name: str
    request_id: str | None = None


OPERATOR = Actor("operator")


class _Shell:
    """Who has started the program in this process, as the operating system says it."""

    user: str | None = None


@contextmanager
def started_by(user: str) -> Iterator[None]:
    """Names the operating system's user in every row that the operator's doing leaves meanwhile, in any thread."""
    before, _Shell.user = _Shell.user, user
    try:
        yield
    finally:
        _Shell.user = before


def record(tx: Transaction, actor: Actor, action: str, subject: str, **detail: object) -> None:
    """Appends one row to the trail, in the transaction of what it tells of."""
    if actor == OPERATOR and _Shell.user is not None:
        detail["os_user"] = _Shell.user
    tx.run(
        APPEND,
        id=new_id("aud"),
        actor=actor.name,
        action=action,
        subject=subject,
        detail=_detail(detail),
        request_id=actor.request_id,
        at=tx.now,
        seq=None,
        hash=None,
    )


def redacted_url(url: str | None) -> str | None:
    """A URL as the trail names it: where it leads, and of the rest a digest to compare by, as it may hold a secret."""
    if url is None:
        return None
    parts = urlsplit(url)
    rest = sha256(url.encode()).hexdigest()[:12]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/… (SHA-256 {rest}…)"


def _detail(detail: Mapping[str, object]) -> str:
    return json.dumps(detail, ensure_ascii=False, separators=(",", ":"), default=str)
