"""Passwords on every surface that has them: which may be set, and a new one with the token of a mailed link."""

from bedesten.accounts import actions as accounts
from bedesten.accounts import links, login_throttle
from bedesten.accounts.actions import SURFACES, Account
from bedesten.accounts.links import Purpose
from bedesten.audit.actions import Actor, record
from bedesten.errors import bad_field
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.weak_passwords import password_problem
from bedesten.http.context import LoginServices, RequestContext
from bedesten.mail import actions as mail
from bedesten.store.transaction import Transaction
from bedesten.surfaces.schemas import PasswordReset, ResetPassword
from bedesten.tenants import actions as tenants


async def reset_password(
    context: RequestContext, services: LoginServices, kind: str, body: ResetPassword
) -> PasswordReset:
    """Sets a new password of an account of this kind with a mailed link, and ends every token of the account.

    A password is hashed only for a valid link, and a password that is refused does not use the link up.
    """
    store, tenant = services.store, context.tenant.id
    account = await store.read(tenant, _owner, context, kind, body.token)
    await check_password(context, services, body.new_password, "newPassword", account.handle, account.name)
    hashed = await services.passwords.hash(context.tenant.id, body.new_password)
    await store.write(tenant, _reset, context, kind, body.token, hashed)
    return PasswordReset("changed")


def _reset(tx: Transaction, context: RequestContext, kind: str, token: str, password: PasswordHash) -> None:
    account = _owner(tx, context, kind, token)
    links.use(tx, context.cipher, Purpose.RESET, token)
    actor = Actor(account.id, context.request_id)
    accounts.set_password(tx, account.id, password, actor)
    accounts.set_verified(tx, account.id, actor)
    login_throttle.unlock(tx, context.keyring.login_digest(tx.tenant, SURFACES[kind], account.handle))
    record(tx, actor, "account.password.reset", account.id)
    mail.queue(tx, context.cipher, mail.PARTNER_PASSWORD if kind == "partner" else mail.PASSWORD, account.handle, actor)


def _owner(tx: Transaction, context: RequestContext, kind: str, token: str) -> Account:
    """The account of this kind to which a reset link belongs. Raises `Refusal` (-30)."""
    account = accounts.by_id(tx, kind, links.owner(tx, context.cipher, Purpose.RESET, token))
    if account is None or account.disabled:
        raise links.refused("the account is disabled, gone or of another kind")
    return account


async def check_password(
    context: RequestContext, services: LoginServices, password: str, field: str, *about: str
) -> None:
    """Refuses a password that is easy to guess from the owner's data in `about`, or from the shop's name."""
    shop = await services.store.read(context.tenant.id, tenants.name_of)
    problem = password_problem(password, minimum=services.min_password_length, words=(shop, *about))
    if problem:
        raise bad_field(field, problem)
