"""Links that prove access to a mailbox: one resets a password, the other verifies the e-mail address.

A link carries a token of 256 random bits. The store keeps a keyed digest of it, which covers the tenant and the purpose,
in a row of the account: a token is valid nowhere else. An account has one link for each purpose, so a newer link
replaces the older one. Using a link deletes its row, so one of many concurrent uses succeeds. A link that verifies the
present or a new address may be opened again until it expires.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select

from bedesten import errors
from bedesten.accounts.tables import account_links
from bedesten.core.clock import DAY, HOUR
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, Statement, insert, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

TOKEN_BYTES = 32
MAX_TOKEN = 100
"""Longest text that is looked up as a token."""


class Purpose(StrEnum):
    """The purpose of a link."""

    RESET = "reset"
    VERIFY = "verify"
    EMAIL = "email"


LIFETIMES = {Purpose.RESET: HOUR, Purpose.VERIFY: DAY, Purpose.EMAIL: DAY}
"""Time (ms) for which a link is valid."""

_L = account_links.c
_UPSERT = insert(account_links).values(tenant_id=TENANT)
_PUT: Statement[tuple[object, ...]] = Statement(
    _UPSERT.on_conflict_do_update(
        index_elements=["tenant_id", "account_id", "purpose"],
        set_={name: _UPSERT.excluded[name] for name in ("digest", "address", "created", "expires")},
    ),
    lambda *row: row,
    ("account_id", "purpose", "digest", "address", "created", "expires"),
)
_OF_DIGEST = (
    (_L.tenant_id == TENANT) & (_L.digest == p("digest")) & (_L.purpose == p("purpose")) & (_L.expires > p("now"))
)
_OWNER = statement(select(_L.account_id).where(_OF_DIGEST))
_ADDRESS = statement(select(_L.account_id, _L.address).where(_OF_DIGEST))
_USE = statement(delete(account_links).where(_OF_DIGEST).returning(_L.account_id))
_OF_ACCOUNT = (_L.tenant_id == TENANT) & (_L.account_id == p("account"))
_DROP = statement(delete(account_links).where(_OF_ACCOUNT))
_DROP_RESET = statement(delete(account_links).where(_OF_ACCOUNT, _L.purpose == Purpose.RESET.value))


@dataclass(frozen=True, slots=True)
class Link:
    """A fresh link's token, and the time (ms) until which it is valid."""

    token: Secret[str]
    expires: int


def create(
    tx: Transaction,
    cipher: TenantCipher,
    account: str,
    purpose: Purpose,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
    address: str | None = None,
) -> Link:
    """Creates a link of the account. An older one for the same purpose ends. `address` is the new one of `EMAIL`."""
    token = base64.urlsafe_b64encode(randomness(TOKEN_BYTES)).decode().rstrip("=")
    expires = tx.now + LIFETIMES[purpose]
    digest = _digest(tx, cipher, purpose, token)
    of_account = {"account_id": account, "purpose": purpose.value, "digest": digest, "address": address}
    tx.run(_PUT, **of_account, created=tx.now, expires=expires)
    return Link(Secret(token), expires)


def owner(tx: Transaction, cipher: TenantCipher, purpose: Purpose, token: str) -> str:
    """Returns the account of a valid link, without using it. Raises `Refusal` (-30)."""
    row = tx.one(_OWNER, digest=_digest(tx, cipher, purpose, token), purpose=purpose.value, now=tx.now)
    return _found(row)


def new_address(tx: Transaction, cipher: TenantCipher, account: str, token: str) -> str:
    """Returns the new e-mail address that a valid link of this account confirms. Raises `Refusal` (-30)."""
    purpose = Purpose.EMAIL
    row = tx.one(_ADDRESS, digest=_digest(tx, cipher, purpose, token), purpose=purpose.value, now=tx.now)
    if _found(row) != account or row is None:
        raise refused("another account's link")
    return str(row[1])


def use(tx: Transaction, cipher: TenantCipher, purpose: Purpose, token: str) -> str:
    """Uses up a valid link and returns its account. Raises `Refusal` (-30): unknown, used, replaced or expired."""
    row = tx.one(_USE, digest=_digest(tx, cipher, purpose, token), purpose=purpose.value, now=tx.now)
    return _found(row)


def drop_reset(tx: Transaction, account: str) -> None:
    """Ends the account's reset link, because the password was changed or the account is disabled."""
    tx.run(_DROP_RESET, account=account)


def drop(tx: Transaction, account: str) -> None:
    """Ends every link of the account."""
    tx.run(_DROP, account=account)


def refused(cause: str) -> Refusal:
    """The refusal of a link: the same for every cause."""
    return Refusal(errors.LINK_REFUSED, cause)


def _found(row: tuple[object, ...] | None) -> str:
    if row is None:
        raise refused("unknown, used, replaced or expired")
    return str(row[0])


def _digest(tx: Transaction, cipher: TenantCipher, purpose: Purpose, token: str) -> bytes:
    return cipher.fingerprint(tx, f"link\x1f{purpose.value}\x1f{token[:MAX_TOKEN]}")
