"""Logins of staff, and the only way to run an operation: it reads session, role and tenant in its transaction."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from bedesten import errors
from bedesten.accounts import login_throttle
from bedesten.accounts.login_throttle import Attempt
from bedesten.admin.master_secrets import incompatibility
from bedesten.audit.actions import INSTALLATION, Actor, record
from bedesten.console.operations import Call, Document, Operation, overview
from bedesten.core import text
from bedesten.core.secret import Secret
from bedesten.errors import Refusal, bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.decide import challenge
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.weak_passwords import password_problem
from bedesten.http.body_fields import Members
from bedesten.http.password_hash_pool import PasswordHashPool
from bedesten.http.schemas import decode_body
from bedesten.ratelimit.throttle import counting_unit
from bedesten.staff import actions as staff
from bedesten.staff import sessions
from bedesten.staff.actions import StaffMember
from bedesten.staff.sessions import OpenSession
from bedesten.store import tables
from bedesten.store.store import Store
from bedesten.store.tables import InstallationSettings
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants import listing
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.lookup import tenant_entry

Result = TypeVar("Result")
MAX_EMAIL_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Caller:
    """An unauthenticated request: the token that it presents, its address and its id."""

    token: str
    address: str
    request_id: str


class OperationRunner:
    """Logs staff in and runs operations. Lives on the event loop.

    Raises `Refusal`: -21 without an open session, -32 without the duty, -3 for a tenant that the member does not reach.
    """

    def __init__(
        self, store: Store, load_keyring: Callable[[InstallationSettings], Keyring], min_password_length: int
    ) -> None:
        """`load_keyring` returns the master secrets that the store requires. Raises `StoreUnavailable`. Blocks."""
        self._store = store
        self._load_keyring = load_keyring
        self._min_password_length = min_password_length
        self._keyring: Keyring | None = None
        self._cipher: TenantCipher | None = None
        self._passwords = PasswordHashPool(self._known_keyring)

    # --- logins ---

    async def log_in(self, email: str, password: str, caller: Caller) -> tuple[Secret[str], int]:
        """The token of a new session, and its end (ms). Raises `Refusal`: -26 for every failure, -27 if throttled."""
        keyring = await self._use_secrets()
        handle = text.email_or_none(email) or ""
        attempt = _attempt(keyring, handle or email[:MAX_EMAIL_LENGTH], caller.address)
        wait = await self._store.read(INSTALLATION, login_throttle.wait, attempt)
        if wait > login_throttle.MAX_WAIT:
            wait = await self._store.write(INSTALLATION, login_throttle.cap_wait, attempt)
        if wait:
            raise _too_many(wait)
        found = await self._store.read_across(lambda tx: staff.by_email(tx, handle))
        proved = await self._passwords.verify(INSTALLATION, found.hashed if found else None, password)
        begun = None
        if found is not None and proved and not found.disabled:
            better = await self._better_hash(found, password)
            begun = await self._store.write_across(partial(_begin, keyring, found, better, attempt, caller))
        if begun is None:
            late = await self._store.write(INSTALLATION, _record_failure, attempt, found, caller)
            if late:
                raise _too_many(late)
            raise Refusal(
                errors.LOGIN_REFUSED, "unknown, disabled or a wrong password", account=found.id if found else ""
            )
        return begun

    async def _better_hash(self, member: StaffMember, password: str) -> PasswordHash | None:
        if member.hashed is not None and self._passwords.outdated(member.hashed):
            return await self._passwords.hash(INSTALLATION, password)
        return None

    async def log_out(self, caller: Caller) -> None:
        """Ends the session."""
        keyring = await self._use_secrets()
        await self._store.write_across(lambda tx: sessions.end(tx, _session(tx, keyring, caller)))

    async def choose_password(self, code: str, password: str) -> None:
        """Sets the password of the member with this setup code. Raises `Refusal`: -30, -2 for a weak one."""
        keyring = await self._use_secrets()
        member = await self._store.read_across(lambda tx: staff.of_code(tx, keyring, code))
        if member is None:
            raise Refusal(errors.LINK_REFUSED, "no such setup code")
        words = ("bedesten", member.name, member.email)
        problem = password_problem(password, minimum=self._min_password_length, words=words)
        if problem:
            raise bad_field("password", problem)
        hashed = await self._passwords.hash(INSTALLATION, password)
        await self._store.write_across(lambda tx: staff.use_code(tx, keyring, code, hashed))

    # --- what a member does ---

    async def who(self, caller: Caller) -> tuple[OpenSession, list[Document]]:
        """The session, and the tenants that its member reaches."""
        keyring = await self._use_secrets()

        def read(tx: SystemTransaction) -> tuple[OpenSession, list[Document]]:
            session = _session(tx, keyring, caller)
            own = session.member.tenant
            found = listing.list_all(tx) if own is None else [listing.view(tx, own)]
            names = ("id", "name", "sandbox", "suspended", "currency", "hosts")
            return session, [{name: one[name] for name in names} for one in found]

        return await self._in_use(read, lambda result: result[0])

    async def perform(
        self, caller: Caller, operation: Operation, read_members: Callable[[], Members], raw: bytes = b""
    ) -> tuple[OpenSession, TenantEntry, Document]:
        """Runs one operation. Raises `Refusal`, also those of the use case.

        `read_members` parses the input; it is called only if the session has the duty.
        """
        keyring = await self._use_secrets()
        cipher = self._known_cipher()

        def run(tx: SystemTransaction) -> tuple[OpenSession, TenantEntry, Document]:
            session = _session(tx, keyring, caller)
            if operation.duty not in session.duties:
                raise Refusal(errors.ROLE_MISSING, f"needs {operation.duty.value}", account=session.member.id)
            wanted = decode_body(read_members(), operation.shape, strict=True, raw=raw)
            call = _call(tx, session, wanted.tenant, cipher, caller)
            return session, call.tenant, operation.run(call, wanted)

        if operation.writes:
            return await self._store.write_across(lambda tx: _renewed(tx, run(tx)))
        return await self._in_use(run, lambda result: result[0])

    async def look(self, caller: Caller, tenant: str) -> tuple[OpenSession, TenantEntry, Document]:
        """The overview of a tenant: what waits for the member. Raises `Refusal`."""
        keyring = await self._use_secrets()
        cipher = self._known_cipher()

        def read(tx: SystemTransaction) -> tuple[OpenSession, TenantEntry, Document]:
            session = _session(tx, keyring, caller)
            call = _call(tx, session, tenant, cipher, caller)
            return session, call.tenant, overview(call)

        return await self._in_use(read, lambda result: result[0])

    async def _in_use(
        self,
        read: Callable[[SystemTransaction], Result],
        session_of: Callable[[Result], OpenSession],
    ) -> Result:
        """Runs a reading action, and records that the session is used."""
        result = await self._store.read_across(read)
        session = session_of(result)
        if session.use_is_old:
            await self._store.write_across(lambda tx: sessions.renew(tx, session))
        return result

    # --- master secrets ---

    async def _use_secrets(self) -> Keyring:
        """The keyring that the store requires. Raises `StoreUnavailable`."""
        installed = await self._store.read_across(lambda tx: tx.one(tables.INSTALLATION))
        if installed is None or installed.moved is not None:
            raise StoreUnavailable("the store is not an installation, or was moved")
        if self._keyring is None or incompatibility(installed, self._keyring):
            self._keyring = await asyncio.to_thread(self._load_keyring, installed)
            if self._cipher is None:
                self._cipher = TenantCipher(self._keyring)
            self._cipher.use_keyring(self._keyring)
        return self._keyring

    def _known_keyring(self) -> Keyring:
        assert self._keyring is not None, "loaded before a password is hashed"
        return self._keyring

    def _known_cipher(self) -> TenantCipher:
        assert self._cipher is not None, "made with the keyring"
        return self._cipher


def _attempt(keyring: Keyring, email: str, address: str) -> Attempt:
    unit = counting_unit(address)
    return Attempt(
        account=keyring.staff_digest("login", email),
        address=keyring.staff_digest("login address", unit),
        pair=keyring.staff_digest("login pair", f"{email} from {unit}"),
    )


def _begin(
    keyring: Keyring,
    member: StaffMember,
    better: PasswordHash | None,
    attempt: Attempt,
    caller: Caller,
    tx: SystemTransaction,
) -> tuple[Secret[str], int] | None:
    late = login_throttle.wait(tx.for_tenant(INSTALLATION), attempt)
    if late:
        raise _too_many(late)
    begun = sessions.begin(tx, keyring, member, caller.address)
    if begun is not None:
        login_throttle.record_success(tx.for_tenant(INSTALLATION), attempt)
        if better is not None:
            staff.upgrade_hash(tx, member, better)
    return begun


def _record_failure(tx: Transaction, attempt: Attempt, found: StaffMember | None, caller: Caller) -> int:
    """Counts the failure, and returns the delay (ms) that concurrent failures have caused: see `login_throttle`.

    Writes an audit row only for an existing member; the delays limit the number of rows.
    """
    late = login_throttle.record_failure(tx, attempt)
    if found is not None:
        record(tx, Actor(found.id, caller.request_id), "staff.login.refused", found.id, address=caller.address)
    return late


def _too_many(wait_ms: int) -> Refusal:
    return Refusal(errors.TOO_MANY_LOGINS, "too many failures in a row", retry_after=-(-wait_ms // 1000))


def _session(tx: SystemTransaction, keyring: Keyring, caller: Caller) -> OpenSession:
    found = sessions.find(tx, keyring, caller.token)
    if found is None:
        raise Refusal(errors.TOKEN_INVALID, "no open session", headers=challenge(errors.TOKEN_INVALID))
    return found


def _renewed(
    tx: SystemTransaction, result: tuple[OpenSession, TenantEntry, Document]
) -> tuple[OpenSession, TenantEntry, Document]:
    if result[0].use_is_old:
        sessions.renew(tx, result[0])
    return result


def _call(tx: SystemTransaction, session: OpenSession, name: str, cipher: TenantCipher, caller: Caller) -> Call:
    tenant = tenant_entry(tx, _tenant_id(tx, session, name))
    assert tenant is not None, "its id was just found"
    actor = replace(session.actor, request_id=caller.request_id)
    return Call(tx.for_tenant(tenant.id), tenant, cipher, actor, session.duties)


def _tenant_id(tx: SystemTransaction, session: OpenSession, name: str) -> str:
    """The id of the named tenant. A tenant that the member does not reach is refused like one that does not exist."""
    own = session.member.tenant
    if own is not None and name in ("", own):
        return own
    if not name:
        raise bad_field("tenant", "is required")
    unknown = Refusal(errors.NOT_FOUND, "no such tenant", fields={"tenant": "there is no such tenant"})
    try:
        found = tenants.find(tx, name)
    except Refusal as refusal:
        raise (refusal if own is None else unknown) from None
    if not session.reaches(found):
        raise unknown
    return found
