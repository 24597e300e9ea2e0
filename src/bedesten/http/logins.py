"""Logins: exchange an e-mail address and a password for a bearer token. Every failure has the same answer."""

import secrets
from dataclasses import dataclass

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import login_throttle, sessions
from bedesten.accounts.actions import Account
from bedesten.accounts.login_throttle import Attempt
from bedesten.accounts.sessions import Session, TokenVersions
from bedesten.apikeys.usage import shown_agent
from bedesten.core.clock import DAY
from bedesten.core.ids import session_id, token_id
from bedesten.core.text import email_or_none
from bedesten.errors import Refusal
from bedesten.gate import bearer
from bedesten.gate.bearer import Claims
from bedesten.gate.decide import challenge
from bedesten.gate.keyring import make_kid
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.context import LoginServices, RequestContext
from bedesten.ratelimit.shared import BucketsUnavailable
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store.transaction import Transaction
from bedesten.telemetry.request_log import RequestInfo

KINDS = {Surface.RESELLER: "partner", Surface.STOREFRONT: "customer"}
MAX_EMAIL_LENGTH = 1_000
MAX_SESSION_MS = 30 * DAY
"""Time after the login with a password in which a token can be exchanged for a fresh one."""
MIN_JITTERED_S = 60
"""Shorter lifetimes get no random part."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A fresh token, its end in epoch ms, and its idle time-out in ms, or None."""

    token: str
    expires: int
    idle: int | None


async def log_in(
    context: RequestContext, services: LoginServices, surface: Surface, email: str, password: str
) -> IssuedToken:
    """The first token of a session, after the password was accepted. Raises `Refusal` as `authenticate_password` does."""
    account = await authenticate_password(context, services, surface, email, password)
    return await begin_session(context, services, surface, account)


async def authenticate_password(
    context: RequestContext, services: LoginServices, surface: Surface, email: str, password: str
) -> Account:
    """The account with this e-mail address and password, if it may log in here.

    Raises `Refusal`: -26 for every failure alike, after the time of one password hash; -27 with the time to wait after
    too many failures, for existing and unknown accounts alike.
    """
    tenant = context.tenant
    await _check_address(context, services)
    handle = email_or_none(email) or ""
    attempt = _attempt(context, surface, handle or email[:MAX_EMAIL_LENGTH])
    wait = await services.store.read(tenant.id, login_throttle.wait, attempt)
    if wait > login_throttle.MAX_WAIT:  # the clock was wrong when it was written, or is wrong now
        wait = await services.store.write(tenant.id, login_throttle.cap_wait, attempt)
    _check_wait(wait)
    found = await services.store.read(tenant.id, accounts.by_handle, KINDS[surface], handle)
    proved = await services.passwords.verify(tenant.id, _hashed(found), password)
    if found is None or not proved or not found.api or found.disabled or not _is_switched_on(context, surface):
        _check_wait(await services.store.write(tenant.id, login_throttle.record_failure, attempt))
        who = found.id if found else ""
        raise Refusal(errors.LOGIN_REFUSED, _refusal_cause(context, found, proved), account=who)
    wait, must_record = await services.store.read(tenant.id, login_throttle.after_success, attempt)
    _check_wait(wait)
    better = await _upgraded_hash(services, tenant.id, found, password)
    if better or must_record:
        await services.store.write(tenant.id, _record_success, found, attempt, better)
    request_info = RequestInfo(
        context.request_id, "", context.address, tenant.id, surface.value, context.endpoint, found.id
    )
    services.request_log.log_login(request_info, services.clock())
    return found


def _check_wait(wait_ms: int) -> None:
    if wait_ms:
        raise Refusal(errors.TOO_MANY_LOGINS, "too many failures in a row", retry_after=-(-wait_ms // 1000))


async def _check_address(context: RequestContext, services: LoginServices) -> None:
    """Raises `Refusal` if another node throttles the caller's address, or if that cannot be known: a login fails closed."""
    if services.shared_limits is None:
        return
    now = services.clock()
    try:
        await services.shared_limits.check_address(context.address, now)
    except BucketsUnavailable as problem:
        raise Refusal(errors.UNAVAILABLE, str(problem), retry_after=1) from problem
    wait = services.throttle.admit(context.address, now)
    if wait is not None:
        raise Refusal(errors.TOO_MANY_REQUESTS, "too many refusals", retry_after=wait)


async def begin_session(
    context: RequestContext, services: LoginServices, surface: Surface, account: Account
) -> IssuedToken:
    """The first token of a session. A customer's session is stored before the token is returned."""
    tenant = context.tenant
    token_versions = (
        services.gate.auth_cache.token_version,
        tenant.token_version,
        tenant.surface_token_versions[surface],
        account.token_version,
    )
    now = services.clock()
    claims = _claims(context, services, surface, account, token_versions, session_id(services.store.ids), now // 1000)
    issued = _issued(context, services, surface, claims)
    if surface is Surface.STOREFRONT:
        agent = shown_agent(context.user_agent)
        kept = Session(claims.session_id, now, now, claims.expires_at * 1000, context.address, agent)
        await services.store.write(tenant.id, sessions.begin, account.id, token_versions, kept)
    return issued


async def exchange(context: RequestContext, services: LoginServices, surface: Surface, account: Account) -> IssuedToken:
    """Exchanges a valid token for a fresh one of the same session, until `MAX_SESSION_MS` after the password was given.

    The fresh token has the token versions of the old one, so a revocation ends both, even during the exchange. Raises
    `Refusal`: -22 if the session has expired, -21 if it was ended meanwhile.
    """
    token = context.who.token
    assert token is not None, "the route demands a token"
    since = token.authenticated_at or token.issued_at
    if services.clock() // 1000 >= since + MAX_SESSION_MS // 1000:
        raise Refusal(errors.TOKEN_EXPIRED, "the session is over", headers=challenge(errors.TOKEN_EXPIRED))
    claims = _claims(context, services, surface, account, token.token_versions, token.session_id, since)
    issued = _issued(context, services, surface, claims)
    store, tenant = services.store, context.tenant.id
    if not await store.write(tenant, sessions.renew, account.id, token.session_id, issued.expires):
        raise Refusal(errors.TOKEN_INVALID, "its session was ended", headers=challenge(errors.TOKEN_INVALID))
    return issued


def _claims(
    context: RequestContext,
    services: LoginServices,
    surface: Surface,
    account: Account,
    token_versions: TokenVersions,
    session: str,
    authenticated_at: int,
) -> Claims:
    """The claims of a fresh token, from the account's configuration and never from the request.

    `authenticated_at` (epoch seconds) is when the password was given. The lifetime is shortened by a random part of up
    to a twentieth, so that clients which started together do not all return together.
    """
    tenant = context.tenant
    now = services.clock() // 1000
    return Claims(
        issuer=services.gate.issuer,
        audience=surface.value,
        subject=account.id,
        tenant=tenant.id,
        scopes=SCOPES[surface] if account.scopes is None else frozenset(account.scopes.split()),
        issued_at=now,
        expires_at=min(now + _jittered(tenant.lifetimes[surface] // 1000), authenticated_at + MAX_SESSION_MS // 1000),
        token_id=token_id(session),
        session_id=session,
        token_versions=token_versions,
        kid=make_kid(services.keyring.sign.current, tenant.generation),
        authenticated_at=authenticated_at,
    )


def _issued(context: RequestContext, services: LoginServices, surface: Surface, claims: Claims) -> IssuedToken:
    keyring, tenant = services.keyring, context.tenant
    key = keyring.signing_key(keyring.sign.current, tenant.id, surface, tenant.generation)
    assert key is not None, "the key set contains its current secret"
    return IssuedToken(bearer.mint(claims, key), claims.expires_at * 1000, tenant.idle[surface])


def _jittered(seconds: int) -> int:
    return seconds - secrets.randbelow(seconds // 20 + 1) if seconds >= MIN_JITTERED_S else seconds


def _attempt(context: RequestContext, surface: Surface, email: str) -> Attempt:
    keyring, tenant, address = context.keyring, context.tenant.id, counting_unit(context.address)
    return Attempt(
        account=keyring.login_digest(tenant, surface, email),
        address=address_digest(context, surface),
        pair=keyring.login_digest(tenant, surface, f"{email} from {address}"),
    )


def address_digest(context: RequestContext, surface: Surface = Surface.STOREFRONT) -> bytes:
    """The digest under which the caller's network address is counted; the address cannot be recovered from it."""
    return context.keyring.login_digest(context.tenant.id, surface, f"address {counting_unit(context.address)}")


def mail_address_digest(context: RequestContext) -> bytes:
    """The digest under which reset mails are counted by the caller's network address."""
    label = f"mail {counting_unit(context.address)}"
    return context.keyring.login_digest(context.tenant.id, Surface.STOREFRONT, label)


def _refusal_cause(context: RequestContext, found: Account | None, proved: bool) -> str:
    """Why a login was refused, for log and audit trail only."""
    if found is None:
        return "no such account"
    if not proved:
        return "wrong password"
    if not found.api:
        return "not flagged for API use"
    if found.disabled:
        return "the account is disabled"
    return "the tenant is suspended" if context.tenant.suspended else "switched off for the tenant"


def _is_switched_on(context: RequestContext, surface: Surface) -> bool:
    return not context.tenant.suspended and context.tenant.allows(surface, context.endpoint)


def _hashed(account: Account | None) -> PasswordHash | None:
    if account is None or account.password is None or account.pepper_id is None:
        return None
    return PasswordHash(account.password, account.pepper_id)


async def _upgraded_hash(services: LoginServices, tenant: str, account: Account, password: str) -> PasswordHash | None:
    known = _hashed(account)
    if known is not None and services.passwords.outdated(known):
        return await services.passwords.hash(tenant, password)
    return None


def _record_success(tx: Transaction, account: Account, attempt: Attempt, better: PasswordHash | None) -> None:
    login_throttle.record_success(tx, attempt)
    if better:
        accounts.upgrade_hash(tx, account, better)
