"""Leases waiting mails to a worker, writes their messages, and records the result of each attempt.

A mail that is being sent is leased: its next attempt is set to a later time, so that no other worker sends it, and the
lease of a worker that dies ends by itself within `LEASE`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage

from sqlalchemy import delete, func, select, update

from bedesten.accounts import actions as accounts
from bedesten.accounts import links
from bedesten.accounts.actions import Account
from bedesten.accounts.links import Purpose
from bedesten.accounts.tables import account_links
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.mail import message
from bedesten.mail.actions import EMAIL, EMAIL_CHANGED, NOTICES, PARTNER_PASSWORD, PARTNER_RESET, RESET
from bedesten.mail.moves import MAIL, WAITING
from bedesten.mail.tables import mail_counts, mails
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, any_value, cross_tenant, cross_tenant_rows_as, move_of, p, statement
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.mail_settings import mail_settings

LEASE = 10 * SECOND
"""Time after which another worker takes over the mails of a dead one; a living worker renews its leases."""
DELAYS = (5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR)
"""Delays (ms) after each failed attempt; the last one is repeated until the mail expires."""
RETENTION = 7 * DAY
"""Time (ms) for which a mail is listed after its end."""
NOT_SET_UP = "the tenant has no --mail-from or no --shop-url"


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """A mail that a worker has leased. `attempts` counts this one."""

    id: str
    tenant_id: str
    kind: str
    recipient: str
    attempts: int
    expires: int
    actor: str


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt: accepted, or why not, and whether that is for good."""

    error: str = ""
    permanent: bool = False


_M = mails.c
_IS_DUE = cross_tenant(select(_M.id).where(_M.state == WAITING, _M.next_at <= DATABASE_NOW).limit(1))
_DUE = cross_tenant_rows_as(
    WaitingMail,
    select(_M.id, _M.tenant_id, _M.kind, _M.recipient, _M.attempts + 1, _M.expires, _M.actor)
    .where(_M.state == WAITING, _M.next_at <= DATABASE_NOW)
    .order_by(_M.next_at, _M.id)
    .limit(p("most"))
    .with_for_update(skip_locked=True),
)
_OVERDUE = cross_tenant(
    select(_M.tenant_id, _M.id)
    .where(_M.state == WAITING, _M.expires <= p("now"), any_value(_M.next_at))
    .limit(p("most"))
)
_ROW = _M.id == p("id")
_LEASE = move_of(MAIL, "retry", _M.state, _ROW, attempts=_M.attempts + 1, next_at=DATABASE_NOW + LEASE)
_RENEW = statement(
    update(mails)
    .where(
        _M.tenant_id == TENANT,
        _ROW,
        _M.attempts == p("number"),
        _M.state == WAITING,
        _M.next_at <= DATABASE_NOW + LEASE,
    )
    .values(next_at=DATABASE_NOW + LEASE)
)
_RETRY = move_of(MAIL, "retry", _M.state, _ROW, next_at=DATABASE_NOW + p("delay"), error=p("why"), updated=p("now"))
_ENDED = {"error": p("why"), "updated": p("now")}
_SEND, _REFUSE, _EXPIRE, _DROP = (
    move_of(MAIL, event, _M.state, _ROW, **_ENDED) for event in ("send", "refuse", "expire", "drop")
)
_FORGET = cross_tenant(delete(mails).where(_M.state != WAITING, _M.updated < p("before")))
_FORGET_COUNTS = cross_tenant(delete(mail_counts).where(mail_counts.c.since < p("before")))
_FORGET_LINKS = cross_tenant(delete(account_links).where(account_links.c.expires < p("before")))
_WAITING = cross_tenant(
    select(func.count(), DATABASE_NOW - func.min(_M.created)).where(_M.state == WAITING, any_value(_M.next_at))
)
MAX_EXPIRED = 500


def is_due(tx: SystemTransaction) -> bool:
    """Reports whether a mail is due."""
    return tx.one(_IS_DUE, at=tx.at) is not None


def lease(tx: SystemTransaction, most: int) -> list[WaitingMail]:
    """Leases due mails, the longest waiting first. An overdue mail expires instead."""
    leased = []
    for one in tx.all(_DUE, at=tx.at, most=most):
        bound = tx.for_tenant(one.tenant_id)
        if one.expires <= tx.now:
            bound.run(_EXPIRE, id=one.id, why="it was not sent in time", now=tx.now)
            continue
        bound.run(_LEASE, id=one.id, at=tx.at)
        leased.append(one)
    return leased


def renew(tx: SystemTransaction, leased: Iterable[WaitingMail]) -> None:
    """Renews leases that are still this worker's."""
    for one in leased:
        tx.for_tenant(one.tenant_id).run(_RENEW, id=one.id, number=one.attempts, at=tx.at)


def write_message(tx: SystemTransaction, cipher: TenantCipher, mail: WaitingMail) -> EmailMessage | None:
    """Writes the message, with a fresh link; None: it was dropped, or the tenant cannot send mail yet."""
    bound = tx.for_tenant(mail.tenant_id)
    settings = mail_settings(bound)
    if settings.sender is None or settings.shop_url is None:
        settle(tx, mail, Result(NOT_SET_UP))
        return None
    account = _account_of(bound, mail)
    why = _reason_to_drop(account)
    if mail.kind == EMAIL and accounts.by_handle(bound, "customer", mail.recipient) is not None:
        why = "the address has an account"
    if account is None or why:
        bound.run(_DROP, id=mail.id, why=why, now=tx.now)
        return None
    template, purpose = _template(mail, account)
    address = mail.recipient if purpose is Purpose.EMAIL else None
    token = links.create(bound, cipher, account.id, purpose, address=address).token if purpose else None
    return message.write(mail.id, mail.recipient, settings, template, token, tx.now)


def _account_of(tx: Transaction, mail: WaitingMail) -> Account | None:
    """Returns the account that a mail is about: its actor's if the account's address changes, else its recipient's."""
    if mail.kind in (EMAIL, EMAIL_CHANGED):
        return accounts.by_id(tx, "customer", mail.actor)
    kind = "partner" if mail.kind in (PARTNER_RESET, PARTNER_PASSWORD) else "customer"
    return accounts.by_handle(tx, kind, mail.recipient)


def _reason_to_drop(account: Account | None) -> str:
    if account is None:
        return "the address has no account"
    return "the account is disabled" if account.disabled else ""


def _template(mail: WaitingMail, account: Account) -> tuple[str, Purpose | None]:
    """Returns the template of a mail, and the purpose of the link in it."""
    if mail.kind in (RESET, PARTNER_RESET):
        return mail.kind, Purpose.RESET
    if mail.kind == EMAIL:
        return "email", Purpose.EMAIL
    if mail.kind in NOTICES:
        return mail.kind, None
    return ("registered", None) if account.verified is not None else ("verify", Purpose.VERIFY)


def settle(tx: SystemTransaction, mail: WaitingMail, result: Result) -> str:
    """Records the result of an attempt. Returns the outcome: `sent`, `refused`, `expired` or `retried`."""
    bound = tx.for_tenant(mail.tenant_id)
    ended = {"id": mail.id, "why": result.error or None, "now": tx.now}
    if not result.error:
        bound.run(_SEND, **ended)
        return "sent"
    if result.permanent:
        bound.run(_REFUSE, **ended)
        return "refused"
    delay = DELAYS[min(mail.attempts, len(DELAYS)) - 1]
    if tx.now + delay >= mail.expires:
        bound.run(_EXPIRE, **ended)
        return "expired"
    bound.run(_RETRY, **ended, at=tx.at, delay=delay)
    return "retried"


def maintain(tx: SystemTransaction) -> None:
    """Expires mails that have waited too long, as without a mail server, and deletes mails that ended long ago."""
    for tenant, mail in tx.all(_OVERDUE, now=tx.now, most=MAX_EXPIRED):
        tx.for_tenant(tenant).run(_EXPIRE, id=mail, why="it was not sent in time", now=tx.now)
    tx.run(_FORGET, before=tx.now - RETENTION)
    tx.run(_FORGET_COUNTS, before=tx.now - 2 * DAY)
    tx.run(_FORGET_LINKS, before=tx.now)


def waiting(tx: SystemTransaction) -> tuple[int, int]:
    """Returns how many mails wait, and for how long (ms) the oldest has."""
    row = tx.one(_WAITING, at=tx.at)
    return (row[0], max(0, row[1] or 0)) if row else (0, 0)
