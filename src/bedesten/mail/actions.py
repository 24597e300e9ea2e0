"""Queues mails, and shows them to the operator."""

from sqlalchemy import and_, delete, or_, select, update

from bedesten import errors
from bedesten.accounts.links import LIFETIMES, Purpose
from bedesten.audit.actions import Actor
from bedesten.core.clock import DAY, HOUR, wire_time
from bedesten.errors import Refusal
from bedesten.mail.moves import MAIL, WAITING
from bedesten.mail.tables import mail_counts, mails
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, any_value, insert_of, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

RESET, VERIFY, PASSWORD = "reset", "verify", "password"
"""Kinds of mail: a link that resets the password, one that verifies the address, the notice of a changed password."""
PARTNER_RESET, PARTNER_PASSWORD = "partner-reset", "partner-password"
"""The same link and notice for a partner."""
EMAIL, EMAIL_CHANGED = "email", "email-changed"
"""A link to a new e-mail address, whose account is the mail's actor; the notice to the old address."""
NOTICES = frozenset({PASSWORD, PARTNER_PASSWORD, EMAIL_CHANGED})
VALIDITY = {
    EMAIL: LIFETIMES[Purpose.EMAIL],
    EMAIL_CHANGED: DAY,
    RESET: LIFETIMES[Purpose.RESET],
    VERIFY: LIFETIMES[Purpose.VERIFY],
    PARTNER_RESET: LIFETIMES[Purpose.RESET],
    PASSWORD: DAY,
    PARTNER_PASSWORD: DAY,
}
"""Time (ms) after which a mail is no longer sent."""
LIMITS = ((HOUR, 3), (DAY, 10))
"""Mails to one address in an hour and in a day (UTC)."""
MAX_LISTED = 200

_M, _C = mails.c, mail_counts.c
_QUEUE = insert_of(mails, next_at=DATABASE_NOW)
_START = insert_of(mail_counts, or_ignore=True)
_COUNT = statement(
    update(mail_counts)
    .where(
        _C.tenant_id == TENANT,
        _C.recipient == p("of_recipient"),
        _C.since == p("of_since"),
        _C.mails < p("maximum"),
    )
    .values(mails=_C.mails + 1)
)
_COLUMNS = (
    _M.id, _M.kind, _M.recipient, _M.state, _M.attempts, _M.error, _M.actor, _M.created, _M.updated, _M.expires,
)  # fmt: skip
_BEFORE = or_(p("before") == "", _M.id < p("before"))
_LIST = statement(select(*_COLUMNS).where(_M.tenant_id == TENANT, _BEFORE).order_by(_M.id.desc()).limit(p("most")))
_LIST_WAITING = statement(
    select(*_COLUMNS)
    .where(_M.tenant_id == TENANT, _M.state == WAITING, any_value(_M.next_at), _BEFORE)
    .order_by(_M.id.desc())
    .limit(p("most"))
)  # fmt: skip
_ONE = statement(select(*_COLUMNS).where(_M.tenant_id == TENANT, _M.id == p("id")))
_FORGET = statement(
    delete(mails).where(
        _M.tenant_id == TENANT,
        or_(
            _M.recipient == p("recipient"),
            and_(_M.actor == p("account"), or_(_M.kind == EMAIL, _M.kind == EMAIL_CHANGED)),
        ),
    )
)


def queue(tx: Transaction, cipher: TenantCipher, kind: str, recipient: str, actor: Actor) -> bool:
    """Queues a mail to a canonical e-mail address, which need not have an account.

    Returns False, and queues none, if the address has had as many mails as `LIMITS` allow. The notice of a changed
    password is not limited. A mail to a partner finds no customer, and vice versa.
    """
    if kind not in NOTICES and not all(_count(tx, cipher, recipient, *limit) for limit in LIMITS):
        return False
    tx.run(
        _QUEUE,
        id=tx.new_id("mai"),
        kind=kind,
        recipient=recipient,
        state=WAITING,
        attempts=0,
        at=tx.at,
        expires=tx.now + VALIDITY[kind],
        error=None,
        actor=actor.name,
        created=tx.now,
        updated=tx.now,
    )
    return True


def forget(tx: Transaction, recipient: str, account: str) -> int:
    """Deletes every mail to an address, and to the other addresses of its account. Returns how many there were."""
    return tx.run(_FORGET, recipient=recipient, account=account)


def list_mails(
    tx: Transaction, *, waiting: bool = False, before: str = "", most: int = MAX_LISTED
) -> list[dict[str, object]]:
    """Returns the newest mails, before the mail `before` if it is given; all, or only waiting ones."""
    return [_shown(row) for row in tx.all(_LIST_WAITING if waiting else _LIST, before=before, most=most)]


def show(tx: Transaction, mail: str) -> dict[str, object]:
    """Returns one mail. Raises `Refusal` (-3)."""
    row = tx.one(_ONE, id=mail)
    if row is None:
        raise Refusal(errors.NOT_FOUND, f"no mail {mail!r}", fields={"mail": "there is no such mail"})
    return _shown(row)


def _count(tx: Transaction, cipher: TenantCipher, recipient: str, period: int, maximum: int) -> bool:
    since = tx.now - tx.now % period
    digest = cipher.fingerprint(tx, f"mail\x1f{period}\x1f{recipient}")
    tx.run(_START, recipient=digest, since=since, mails=0)
    return bool(tx.run(_COUNT, of_recipient=digest, of_since=since, maximum=maximum))


def _shown(row: tuple[object, ...]) -> dict[str, object]:
    mail, kind, recipient, state, attempts, error, actor, created, updated, expires = row
    assert isinstance(state, int), "columns of a mail"
    times = {"created": created, "updated": updated, "expires": expires}
    return {
        "id": mail,
        "kind": kind,
        "recipient": recipient,
        "state": MAIL.states[state].name,
        "attempts": attempts,
        "lastError": error,
        "requestedBy": actor,
        **{name: wire_time(int(str(at))) for name, at in times.items()},
    }
