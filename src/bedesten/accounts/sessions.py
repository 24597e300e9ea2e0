"""Sessions: one login and all tokens that are exchanged, one after the other, from its first token.

A customer's session has a row as long as it can continue. An exchange updates the row's `expires` in the transaction
that allows the exchange; ending the session deletes the row. The database therefore orders an exchange and an end that
happen at once: either the exchange finds no row, or its token belongs to a session that every process knows to be
revoked. A partner's session is a single token, which cannot be exchanged, so it has no row.
"""

from dataclasses import dataclass

from sqlalchemy import case, delete, select, update

from bedesten.accounts.tables import revoked_sessions, sessions
from bedesten.audit.actions import Actor, record
from bedesten.gate.decide import MAX_LIFETIME_MS
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

TokenVersions = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Session:
    """One customer's session. Times are in ms; `address` and `agent` are those of its login."""

    id: str
    created: int
    renewed: int
    expires: int
    address: str
    agent: str


_AFTER_EVERY_ID = "ses_" + "z" * 27
_S = sessions.c
_OWN = (_S.tenant_id == TENANT) & (_S.account_id == p("account"))
_OPEN = insert_of(sessions)
_RENEW = statement(
    update(sessions)
    .where(_OWN, _S.id == p("id"))
    .values(
        renewed=case((_S.renewed < p("now"), p("now")), else_=_S.renewed),
        expires=case((_S.expires < p("ends"), p("ends")), else_=_S.expires),
    )
)
_CLOSE = statement(delete(sessions).where(_S.tenant_id == TENANT, _S.id == p("id")))
_CLOSE_OWN = statement(delete(sessions).where(_OWN, _S.id == p("id")))
_REVOKE = insert_of(revoked_sessions, or_ignore=True)
_ACTIVE = rows_as(
    Session,
    select(_S.id, _S.created, _S.renewed, _S.expires, _S.address, _S.agent)
    .where(
        _OWN,
        _S.token_versions == p("token_versions"),
        _S.expires > p("now"),
        _S.id < p("before"),
        _S.renewed >= p("since"),
    )
    .order_by(_S.id.desc())
    .limit(p("most")),
)


def begin(tx: Transaction, account: str, token_versions: TokenVersions, session: Session) -> None:
    """Stores a new session of a customer."""
    tx.run(
        _OPEN,
        id=session.id,
        account_id=account,
        token_versions=_text(token_versions),
        created=session.created,
        renewed=session.renewed,
        expires=session.expires,
        address=session.address,
        agent=session.agent,
    )


def renew(tx: Transaction, account: str, session: str, ends: int) -> bool:
    """Extends a session for one more token, which expires at `ends` (ms). Returns False if the session has ended."""
    return bool(tx.run(_RENEW, account=account, id=session, now=tx.now, ends=ends))


def end(tx: Transaction, session: str, actor: Actor) -> None:
    """Ends a session, so that every token of it is refused. A second call changes nothing.

    The session need not have a row. Its revocation is kept for as long as a token issued before now can be valid.
    """
    tx.run(_CLOSE, id=session)
    expires = tx.now + MAX_LIFETIME_MS
    if tx.run(_REVOKE, sid=session, expires=expires):
        tx.advance_revision("session", f"{session} {expires}")
        record(tx, actor, "session.end", session)


def end_own(tx: Transaction, account: str, session: str, actor: Actor) -> bool:
    """Ends a session of this customer. Returns False if the customer has no such session."""
    if not tx.run(_CLOSE_OWN, account=account, id=session):
        return False
    end(tx, session, actor)
    return True


def active_sessions(
    tx: Transaction, account: str, token_versions: TokenVersions, before: str = "", since: int = 0, most: int = 100
) -> list[Session]:
    """Lists the customer's sessions whose tokens have these token versions, the newest first.

    Only sessions that began before the session `before` and were renewed since `since` (ms) are included.
    """
    return tx.all(
        _ACTIVE,
        account=account,
        token_versions=_text(token_versions),
        now=tx.now,
        before=before or _AFTER_EVERY_ID,
        since=since,
        most=most,
    )


def _text(token_versions: TokenVersions) -> str:
    return ".".join(map(str, token_versions))
