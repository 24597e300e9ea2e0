"""Logins: an e-mail and a password become a bearer token, or everything that is wrong becomes one answer."""

import secrets
from dataclasses import dataclass

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import logins, sessions
from bedesten.accounts.actions import Account
from bedesten.accounts.logins import Attempt
from bedesten.accounts.sessions import Epochs, Session
from bedesten.apikeys.key_uses import shown_agent
from bedesten.core.clock import DAY
from bedesten.core.ids import session_id, token_id
from bedesten.core.text import email_or_none
from bedesten.errors import Refusal
from bedesten.gate import bearer
from bedesten.gate.bearer import Claims
from bedesten.gate.decide import challenge
from bedesten.gate.keyring import make_kid
from bedesten.gate.passwords import Hashed
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.call import Call
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store.transaction import Transaction
from bedesten.telemetry.observer import Seen

KINDS = {Surface.RESELLER: "partner", Surface.STOREFRONT: "customer"}
LONGEST_EMAIL = 1_000
LONGEST_SESSION = 30 * DAY
"""A token can be exchanged for a fresh one until so long after the password was given (milliseconds)."""
SHORTEST_JITTERED = 60
"""Lifetimes below a minute are kept to the second."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh token and its end in epoch ms. `idle` in ms, or None."""

    token: str
    expires: int
    idle: int | None


async def log_in(call: Call, surface: Surface, email: str, password: str) -> Issued:
    """A token for the account, if the password is its own and it may log in. Raises `Refusal` as `prove` does."""
    return await begin_session(call, surface, await prove(call, surface, email, password))


async def prove(call: Call, surface: Surface, email: str, password: str) -> Account:
    """The account of this e-mail and password, if it may log in here.

    Raises `Refusal`: -26 for every other case alike, after the time of one password hash; -27 with the time to wait
    after too many failures, for accounts that exist and for those that do not.
    """
    house, tenant = call.house, call.tenant
    handle = email_or_none(email) or ""
    attempt = _attempt(call, surface, handle or email[:LONGEST_EMAIL])
    wait = await house.store.read(tenant.id, logins.wait, attempt)
    if wait > logins.LONGEST_WAIT:  # a clock was wrong when it was written, or is wrong now
        wait = await house.store.write(tenant.id, logins.cut, attempt)
    if wait:
        raise Refusal(errors.TOO_MANY_LOGINS, "too many failures in a row", retry_after=-(-wait // 1000))
    found = await house.store.read(tenant.id, accounts.by_handle, KINDS[surface], handle)
    proved = await house.hashing.verify(_hashed(found), password)
    if found is None or not proved or not found.api or found.disabled or not _open(call, surface):
        await house.store.write(tenant.id, logins.failed, attempt)
        who = found.id if found else ""
        raise Refusal(errors.LOGIN_REFUSED, _fault(call, found, proved), who=who)
    better = await _better_hash(call, found, password)
    noteworthy = await house.store.read(tenant.id, logins.needs_note, attempt)
    if better or noteworthy:
        await house.store.write(tenant.id, _welcome, found, attempt, better)
    seen = Seen(call.request_id, "", call.address, tenant.id, surface.value, call.endpoint, found.id)
    house.observer.logged_in(seen, house.clock())
    return found


async def begin_session(call: Call, surface: Surface, account: Account) -> Issued:
    """The first token of a session. A customer's session is kept in the store before the token is given."""
    house, tenant = call.house, call.tenant
    epochs = (house.gate.directory.epoch, tenant.epoch, tenant.surface_epochs[surface], account.epoch)
    now = house.clock()
    claims = _claims(call, surface, account, epochs, session_id(), now // 1000)
    issued = _issued(call, surface, claims)
    if surface is Surface.STOREFRONT:
        agent = shown_agent(call.user_agent)
        kept = Session(claims.session_id, now, now, claims.expires_at * 1000, call.address, agent)
        await house.store.write(tenant.id, sessions.begin, account.id, epochs, kept)
    return issued


async def exchange(call: Call, surface: Surface, account: Account) -> Issued:
    """A fresh token for a living one, of the same session. It ends `LONGEST_SESSION` after the password was given.

    The fresh token has the living one's epochs: what ends that one ends both, also while the exchange is under way.
    Raises `Refusal`: -22 when the session is over, -21 when it was ended meanwhile.
    """
    token = call.who.token
    assert token is not None, "the route demands a token"
    since = token.authenticated_at or token.issued_at
    if call.house.clock() // 1000 >= since + LONGEST_SESSION // 1000:
        raise Refusal(errors.TOKEN_EXPIRED, "the session is over", headers=challenge(errors.TOKEN_EXPIRED))
    claims = _claims(call, surface, account, token.epochs, token.session_id, since)
    issued = _issued(call, surface, claims)
    if not await call.house.store.write(call.tenant.id, sessions.renew, account.id, token.session_id, issued.expires):
        raise Refusal(errors.TOKEN_INVALID, "its session was ended", headers=challenge(errors.TOKEN_INVALID))
    return issued


def _claims(
    call: Call, surface: Surface, account: Account, epochs: Epochs, session: str, authenticated_at: int
) -> Claims:
    """What a fresh token says: what the server has configured for the account, and nothing that the caller asked for.

    `authenticated_at` (epoch seconds) is when the password was given. Tokens live for the configured time less a random
    part of up to a twentieth, so that clients which started together do not all come back together.
    """
    house, tenant = call.house, call.tenant
    now = house.clock() // 1000
    return Claims(
        issuer=house.gate.issuer,
        audience=surface.value,
        subject=account.id,
        tenant=tenant.id,
        scopes=SCOPES[surface] if account.scopes is None else frozenset(account.scopes.split()),
        issued_at=now,
        expires_at=min(now + _jittered(tenant.lifetimes[surface] // 1000), authenticated_at + LONGEST_SESSION // 1000),
        token_id=token_id(session),
        session_id=session,
        epochs=epochs,
        kid=make_kid(house.keyring.sign.current, tenant.generation),
        authenticated_at=authenticated_at,
    )


def _issued(call: Call, surface: Surface, claims: Claims) -> Issued:
    keyring, tenant = call.house.keyring, call.tenant
    key = keyring.signing_key(keyring.sign.current, tenant.id, surface, tenant.generation)
    assert key is not None, "the current secret is in the ring"
    return Issued(bearer.mint(claims, key), claims.expires_at * 1000, tenant.idle[surface])


def _jittered(seconds: int) -> int:
    return seconds - secrets.randbelow(seconds // 20 + 1) if seconds >= SHORTEST_JITTERED else seconds


def _attempt(call: Call, surface: Surface, email: str) -> Attempt:
    keyring, tenant, address = call.house.keyring, call.tenant.id, counting_unit(call.address)
    return Attempt(
        account=keyring.login_digest(tenant, surface, email),
        address=address_digest(call, surface),
        pair=keyring.login_digest(tenant, surface, f"{email} from {address}"),
    )


def address_digest(call: Call, surface: Surface = Surface.STOREFRONT) -> bytes:
    """What the caller's network address is counted as: it can be compared, and not be read back."""
    return call.house.keyring.login_digest(call.tenant.id, surface, f"address {counting_unit(call.address)}")


def _fault(call: Call, found: Account | None, proved: bool) -> str:
    """Why a login was refused, for the trail and the log alone."""
    if found is None:
        return "no such account"
    if not proved:
        return "wrong password"
    if not found.api:
        return "not flagged for API use"
    if found.disabled:
        return "the account is disabled"
    return "the tenant is suspended" if call.tenant.suspended else "switched off for the tenant"


def _open(call: Call, surface: Surface) -> bool:
    return not call.tenant.suspended and call.tenant.allows(surface, call.endpoint)


def _hashed(account: Account | None) -> Hashed | None:
    if account is None or account.password is None or account.pepper_id is None:
        return None
    return Hashed(account.password, account.pepper_id)


async def _better_hash(call: Call, account: Account, password: str) -> Hashed | None:
    known = _hashed(account)
    if known is not None and call.house.hashing.outdated(known):
        return await call.house.hashing.hash(password)
    return None


def _welcome(tx: Transaction, account: Account, attempt: Attempt, better: Hashed | None) -> None:
    logins.succeeded(tx, attempt)
    if better:
        accounts.upgrade_hash(tx, account, better)
