"""Creates staff members and changes what they may do. Only the program `bedesten` calls it; no member can."""

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten import errors
from bedesten.accounts import login_throttle
from bedesten.audit.actions import INSTALLATION, OPERATOR, Actor, record
from bedesten.core import text
from bedesten.core.clock import DAY, wire_time
from bedesten.core.secret import Secret
from bedesten.errors import Refusal, normalised_field
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import PasswordHash
from bedesten.staff.roles import Role, read_roles
from bedesten.staff.tables import staff, staff_sessions
from bedesten.store.sql import cross_tenant, cross_tenant_insert_of, cross_tenant_rows_as, p
from bedesten.store.transaction import SystemTransaction

SETUP_LIFETIME = DAY
"""Time (ms) for which a setup code works."""
CODE_BYTES = 32
MAX_CODE = 100
"""Longest text that is looked up as a setup code or as the token of a session."""


@dataclass(frozen=True, slots=True)
class StaffMember:
    """One staff member. `tenant` None: works for the whole installation. `password` is an argon2id hash or None."""

    id: str
    tenant: str | None
    email: str
    name: str
    role_names: str
    password: str | None
    pepper_id: str | None
    disabled: int
    created: int

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles. A role that this program does not know grants nothing."""
        named = self.role_names.split()
        return tuple(role for role in Role if role.value in named)

    @property
    def hashed(self) -> PasswordHash | None:
        """The password as it is stored."""
        return PasswordHash(self.password, self.pepper_id) if self.password and self.pepper_id else None


@dataclass(frozen=True, slots=True)
class NewMember:
    """A member to create. Without a password it gets a setup code."""

    email: str
    name: str
    roles: Iterable[str]
    tenant: str | None
    password: PasswordHash | None = None


_S = staff.c
_COLUMNS = (_S.id, _S.tenant_id, _S.email, _S.name, _S.roles, _S.password, _S.pepper_id, _S.disabled, _S.created)
_CREATE = cross_tenant_insert_of(staff, or_ignore=True)
_BY_EMAIL = cross_tenant_rows_as(StaffMember, select(*_COLUMNS).where(_S.email == p("email")))
_BY_ID = cross_tenant_rows_as(StaffMember, select(*_COLUMNS).where(_S.id == p("id")))
_LIST = cross_tenant_rows_as(StaffMember, select(*_COLUMNS).where(_S.id > p("after")).order_by(_S.id).limit(p("most")))
_OF_CODE = cross_tenant_rows_as(
    StaffMember,
    select(*_COLUMNS).where(_S.setup_digest == p("digest"), _S.setup_expires > p("now"), _S.disabled == 0),
)
_SET_ROLES = cross_tenant(update(staff).where(_S.id == p("id")).values(roles=p("new_roles")))
_SET_DISABLED = cross_tenant(
    update(staff).where(_S.id == p("id")).values(disabled=p("now_disabled"), setup_digest=None, setup_expires=None)
)
_SET_PASSWORD = cross_tenant(
    update(staff)
    .where(_S.id == p("id"))
    .values(password=p("phc"), pepper_id=p("pepper"), setup_digest=None, setup_expires=None)
)
_SET_CODE = cross_tenant(
    update(staff)
    .where(_S.id == p("id"))
    .values(password=None, pepper_id=None, setup_digest=p("digest"), setup_expires=p("expires"))
)
_USE_CODE = cross_tenant(
    update(staff)
    .where(_S.id == p("id"), _S.setup_digest == p("digest"))
    .values(password=p("phc"), pepper_id=p("pepper"), setup_digest=None, setup_expires=None)
)
_UPGRADE = cross_tenant(
    update(staff).where(_S.id == p("id"), _S.password == p("was")).values(password=p("phc"), pepper_id=p("pepper"))
)
_END_SESSIONS = cross_tenant(delete(staff_sessions).where(staff_sessions.c.staff_id == p("id")))


def create(
    tx: SystemTransaction,
    keyring: Keyring,
    new: NewMember,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[StaffMember, Secret[str] | None]:
    """Creates a member; returns it, and its setup code if it has no password. Raises `Refusal`: -2, -8."""
    email = normalised_field(text.email, new.email, "email")
    name = normalised_field(text.name, new.name, "name") if new.name.strip() else email
    roles = read_roles(new.roles)
    member = tx.new_id("stf")
    code, digest, expires = None, None, None
    if new.password is None:
        code, digest = _new_code(keyring, randomness)
        expires = tx.now + SETUP_LIFETIME
    made = tx.run(
        _CREATE,
        id=member,
        tenant_id=new.tenant,
        email=email,
        name=name,
        roles=" ".join(roles),
        password=new.password.phc if new.password else None,
        pepper_id=new.password.pepper_id if new.password else None,
        disabled=0,
        setup_digest=digest,
        setup_expires=expires,
        created=tx.now,
    )
    if not made:
        problem = "a staff member has this e-mail"
        raise Refusal(errors.CONFLICT, f"there is a staff member {email}", fields={"email": problem})
    _record(tx, OPERATOR, "staff.create", member, email=email, roles=list(roles), of_tenant=new.tenant)
    return find(tx, member), code


def find(tx: SystemTransaction, name: str) -> StaffMember:
    """The member with this id or e-mail. Raises `Refusal` (-3)."""
    found = tx.one(_BY_ID, id=name) or by_email(tx, name)
    if found is None:
        raise Refusal(errors.NOT_FOUND, f"no staff member {name!r}", fields={"staff": "there is no such staff member"})
    return found


def by_email(tx: SystemTransaction, email: str) -> StaffMember | None:
    """The member with this e-mail, or None."""
    return tx.one(_BY_EMAIL, email=text.email_or_none(email) or "")


def list_page(tx: SystemTransaction, after: str = "", limit: int = 200) -> tuple[list[StaffMember], str | None]:
    """Members in order of creation, and the id after which the next page begins."""
    found = tx.all(_LIST, after=after, most=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def set_roles(tx: SystemTransaction, member: StaffMember, names: Iterable[str]) -> None:
    """Replaces the member's roles, also for its open sessions. Raises `Refusal` (-2)."""
    roles = read_roles(names)
    tx.run(_SET_ROLES, id=member.id, new_roles=" ".join(roles))
    _record(tx, OPERATOR, "staff.roles", member.id, before=member.role_names.split(), after=list(roles))


def set_disabled(tx: SystemTransaction, member: StaffMember, disabled: bool) -> None:
    """Disables the member, which ends its sessions and its setup code, or enables it again."""
    tx.run(_SET_DISABLED, id=member.id, now_disabled=int(disabled))
    tx.run(_END_SESSIONS, id=member.id)
    action = "staff.disable" if disabled else "staff.enable"
    _record(tx, OPERATOR, action, member.id, before=bool(member.disabled), after=disabled)


def reset(
    tx: SystemTransaction,
    keyring: Keyring,
    member: StaffMember,
    password: PasswordHash | None = None,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> Secret[str] | None:
    """Ends the member's password, sessions and login delays. Returns a setup code, or None if there is a new password.

    Raises `Refusal` (-8) for a disabled member.
    """
    if member.disabled:
        problem = "is disabled: enable the member first"
        raise Refusal(errors.CONFLICT, "the staff member is disabled", fields={"staff": problem})
    code = None
    if password is None:
        code, digest = _new_code(keyring, randomness)
        tx.run(_SET_CODE, id=member.id, digest=digest, expires=tx.now + SETUP_LIFETIME)
    else:
        tx.run(_SET_PASSWORD, id=member.id, phc=password.phc, pepper=password.pepper_id)
    tx.run(_END_SESSIONS, id=member.id)
    login_throttle.unlock(tx.for_tenant(INSTALLATION), keyring.staff_digest("login", member.email))
    _record(tx, OPERATOR, "staff.reset", member.id)
    return code


def of_code(tx: SystemTransaction, keyring: Keyring, code: str) -> StaffMember | None:
    """The member who may choose a password with this setup code; None if it is unknown, used or expired."""
    for digest in _digests(keyring, code):
        found = tx.one(_OF_CODE, digest=digest, now=tx.now)
        if found is not None:
            return found
    return None


def use_code(tx: SystemTransaction, keyring: Keyring, code: str, password: PasswordHash) -> StaffMember:
    """Sets the password of the member with this setup code, once. Raises `Refusal` (-30)."""
    found = of_code(tx, keyring, code)
    used = found is not None and any(
        tx.run(_USE_CODE, id=found.id, digest=digest, phc=password.phc, pepper=password.pepper_id)
        for digest in _digests(keyring, code)
    )
    if found is None or not used:
        raise Refusal(errors.LINK_REFUSED, "no such setup code")
    tx.run(_END_SESSIONS, id=found.id)
    _record(tx, Actor(found.id), "staff.password", found.id)
    return found


def upgrade_hash(tx: SystemTransaction, member: StaffMember, better: PasswordHash) -> None:
    """Stores a stronger hash of the same password, unless the password has changed in the meantime."""
    tx.run(_UPGRADE, id=member.id, was=member.password, phc=better.phc, pepper=better.pepper_id)


def view(member: StaffMember) -> dict[str, object]:
    """A member as the operator sees it."""
    return {
        "id": member.id,
        "email": member.email,
        "name": member.name,
        "roles": [role.value for role in member.roles],
        "tenant": member.tenant,
        "disabled": bool(member.disabled),
        "passwordSet": member.password is not None,
        "created": wire_time(member.created),
    }


def _new_code(keyring: Keyring, randomness: Callable[[int], bytes]) -> tuple[Secret[str], bytes]:
    code = base64.urlsafe_b64encode(randomness(CODE_BYTES)).decode().rstrip("=")
    return Secret(code), keyring.staff_digest("setup", code)


def _digests(keyring: Keyring, code: str) -> list[bytes]:
    """The digest of a setup code under each pepper; none for a text that is not a code."""
    if not 0 < len(code) <= MAX_CODE or not code.isascii():
        return []
    return [keyring.staff_digest("setup", code, pepper) for pepper in keyring.digest_ids()]


def _record(tx: SystemTransaction, actor: Actor, action: str, subject: str, **detail: object) -> None:
    record(tx.for_tenant(INSTALLATION), actor, action, subject, **detail)
