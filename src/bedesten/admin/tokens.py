"""Ends bearer tokens that were issued before now."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import sessions
from bedesten.accounts.actions import SURFACES, Account
from bedesten.audit.actions import INSTALLATION, OPERATOR, Actor, record
from bedesten.core.ids import session_of
from bedesten.core.revision import token_version_step
from bedesten.core.text import email_or_none
from bedesten.errors import Refusal
from bedesten.gate.decide import MAX_LIFETIME_MS
from bedesten.store.tables import END_ALL_TOKENS
from bedesten.store.transaction import SystemTransaction, Transaction


def end_tokens_of(tx: Transaction, subject: str) -> list[str]:
    """Ends the tokens of the partner and the customer with this id or e-mail. Returns the ids of those found.

    Raises `Refusal` (-3).
    """
    found = [account for kind in SURFACES if (account := _find(tx, kind, subject))]
    if not found:
        raise Refusal(
            errors.NOT_FOUND,
            f"no partner and no customer {subject!r}",
            fields={"subject": "there is no such partner or customer"},
        )
    for account in found:
        accounts.end_tokens(tx, account.id, OPERATOR)
    return [account.id for account in found]


def end_all_tokens(tx: SystemTransaction) -> None:
    """Ends every bearer token of every tenant that was issued before now."""
    tx.run(END_ALL_TOKENS, step=token_version_step())
    tx.advance_revision("installation", "")
    record(tx.for_tenant(INSTALLATION), OPERATOR, "installation.tokens.revoke", INSTALLATION)


def end_session_of(tx: Transaction, jti: str, actor: Actor) -> str:
    """Ends the session of a token, even if the token was never used. Returns the session's id."""
    session = session_of(jti)
    sessions.end(tx, session, actor)
    return session


def end_token(tx: Transaction, jti: str, actor: Actor) -> None:
    """Ends one token, even if it was never used. The row stays until every token issued today has expired."""
    accounts.revoke_token(tx, jti, tx.now + MAX_LIFETIME_MS, actor)


def _find(tx: Transaction, kind: str, subject: str) -> Account | None:
    return accounts.by_id(tx, kind, subject) or accounts.by_handle(tx, kind, email_or_none(subject) or "-")
