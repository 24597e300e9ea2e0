"""Sessions of staff members: begun by a login, looked up in the store for every request."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten.audit.actions import INSTALLATION, Actor, record
from bedesten.core.clock import HOUR, MINUTE
from bedesten.core.secret import Secret
from bedesten.gate.keyring import Keyring
from bedesten.staff.actions import MAX_CODE, StaffMember
from bedesten.staff.roles import Duty, duties_of
from bedesten.staff.tables import staff, staff_sessions
from bedesten.store.sql import cross_tenant, cross_tenant_insert_of, p
from bedesten.store.transaction import SystemTransaction

MAX_SESSION = 12 * HOUR
"""Time (ms) after which a session ends, however much it is used."""
IDLE_TIMEOUT = 30 * MINUTE
"""Time (ms) after which an unused session ends."""
USE_RESOLUTION = MINUTE
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class OpenSession:
    """An open session and its member. `digest` names its row; if `use_is_old`, the caller must `renew` it."""

    member: StaffMember
    digest: bytes
    expires: int
    use_is_old: bool

    @property
    def actor(self) -> Actor:
        """The member, as audit rows name it."""
        return Actor(self.member.id)

    @property
    def duties(self) -> frozenset[Duty]:
        """What the member may do."""
        return duties_of(self.member.roles)

    def reaches(self, tenant: str) -> bool:
        """Whether the member works for this tenant."""
        return self.member.tenant in (None, tenant)


_S, _T = staff_sessions.c, staff.c
_BEGIN = cross_tenant_insert_of(staff_sessions)
_STILL = cross_tenant(
    select(_T.id).where(_T.id == p("id"), _T.disabled == 0, _T.password == p("phc")).with_for_update()
)
"""Locks the member's row, so that a concurrent reset either precedes the new session or ends it."""
_OPEN = cross_tenant(
    select(
        _T.id, _T.tenant_id, _T.email, _T.name, _T.roles, _T.password, _T.pepper_id, _T.disabled, _T.created,
        _S.expires, _S.used,
    )
    .select_from(staff_sessions.join(staff, _T.id == _S.staff_id))
    .where(_S.digest == p("digest"), _S.expires > p("now"), _S.used > p("since"), _T.disabled == 0)
)  # fmt: skip
_RENEW = cross_tenant(update(staff_sessions).where(_S.digest == p("digest")).values(used=p("now")))
_END = cross_tenant(delete(staff_sessions).where(_S.digest == p("digest")))
DELETE_EXPIRED = cross_tenant(delete(staff_sessions).where(_S.expires <= p("now")))


def begin(
    tx: SystemTransaction,
    keyring: Keyring,
    member: StaffMember,
    address: str,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[Secret[str], int] | None:
    """Begins a session of a member whose password was accepted. Returns its token and its end (ms).

    None if the member was disabled, or its password changed, after it was read.
    """
    if tx.one(_STILL, id=member.id, phc=member.password) is None:
        return None
    token = base64.urlsafe_b64encode(randomness(TOKEN_BYTES)).decode().rstrip("=")
    expires = tx.now + MAX_SESSION
    digest = keyring.staff_digest("session", token)
    tx.run(_BEGIN, digest=digest, staff_id=member.id, created=tx.now, used=tx.now, expires=expires, address=address)
    record(tx.for_tenant(INSTALLATION), Actor(member.id), "staff.login", member.id, address=address)
    return Secret(token), expires


def find(tx: SystemTransaction, keyring: Keyring, token: str) -> OpenSession | None:
    """The open session with this token, or None."""
    if not 0 < len(token) <= MAX_CODE or not token.isascii():
        return None
    for pepper in keyring.digest_ids():
        digest = keyring.staff_digest("session", token, pepper)
        row = tx.one(_OPEN, digest=digest, now=tx.now, since=tx.now - IDLE_TIMEOUT)
        if row is not None:
            *member, expires, used = row
            return OpenSession(StaffMember(*member), digest, expires, used < tx.now - USE_RESOLUTION)
    return None


def renew(tx: SystemTransaction, session: OpenSession) -> None:
    """Records that the session is in use. A session that has ended meanwhile stays ended."""
    tx.run(_RENEW, digest=session.digest, now=tx.now)


def end(tx: SystemTransaction, session: OpenSession) -> None:
    """Ends the session. Idempotent."""
    if tx.run(_END, digest=session.digest):
        record(tx.for_tenant(INSTALLATION), session.actor, "staff.logout", session.member.id)
