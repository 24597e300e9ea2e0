"""The handlers of a customer's account: profile, e-mail address and forgotten password."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import links, login_throttle, registrations
from bedesten.accounts.actions import Account
from bedesten.accounts.links import Purpose
from bedesten.audit.actions import Actor, record
from bedesten.core.clock import wire_time
from bedesten.errors import Refusal, bad_field
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.gate.weak_passwords import password_problem
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.logins import mail_address_digest
from bedesten.http.schemas import EmptyBody
from bedesten.mail import actions as mail
from bedesten.store.transaction import Transaction
from bedesten.surfaces.storefront import schemas
from bedesten.tenants import actions as tenants

MAX_RESET_MAILS = 20
"""Reset mails that one network address may ask for in an hour, for all accounts together."""


def profile(tx: Transaction, context: RequestContext, _: EmptyBody) -> schemas.Profile:
    """The caller's own account."""
    return _profile(customer_of(tx, context))


def update_profile(tx: Transaction, context: RequestContext, body: schemas.UpdateProfile) -> schemas.Profile:
    """Changes what the body names of the caller's own account."""
    customer = customer_of(tx, context)
    if body.name is not None and body.name != customer.name:
        accounts.set_name(tx, customer.id, body.name, context.actor)
    return _profile(customer_of(tx, context))


def verify(tx: Transaction, context: RequestContext, body: schemas.VerifyEmail) -> schemas.Profile:
    """Verifies the caller's e-mail address with the token of a mailed link.

    The caller has logged in. So nobody verifies, with a click, an account whose password a stranger chose. The link is not
    used up: it opens nothing, and people open links twice.
    """
    customer = customer_of(tx, context)
    if links.owner(tx, context.cipher, Purpose.VERIFY, body.token) != customer.id:
        raise links.refused("another account's link")
    accounts.set_verified(tx, customer.id, context.actor)
    return _profile(customer_of(tx, context))


def send_verification(tx: Transaction, context: RequestContext, _: EmptyBody) -> schemas.MailRequest:
    """Asks for another verification mail, unless the address is verified."""
    customer = customer_of(tx, context)
    if customer.verified is None:
        mail.queue(tx, context.cipher, mail.VERIFY, customer.handle, context.actor)
    return schemas.MailRequest("accepted")


def require_verified(tx: Transaction, context: RequestContext) -> None:
    """Raises `Refusal` (-29) if the tenant demands a verified e-mail address and the customer's is not."""
    if context.tenant.verify_email and customer_of(tx, context).verified is None:
        raise Refusal(errors.EMAIL_UNVERIFIED, "the e-mail address is not verified")


async def forgot_password(
    context: RequestContext, services: LoginServices, body: schemas.ForgotPassword
) -> schemas.MailRequest:
    """Asks for a mail with a link that resets the password.

    The same is done, and answered, for known and unknown addresses: whether there is an account, the worker finds out.
    """
    await services.store.write(context.tenant.id, _forgot, context, body.email)
    return schemas.MailRequest("accepted")


def _forgot(tx: Transaction, context: RequestContext, email: str) -> None:
    registrations.count(tx, mail_address_digest(context), MAX_RESET_MAILS, "reset mails")
    mail.queue(tx, context.cipher, mail.RESET, email, context.actor)


async def reset_password(
    context: RequestContext, services: LoginServices, body: schemas.ResetPassword
) -> schemas.PasswordReset:
    """Sets a new password with the token of a mailed link, and ends all sessions of the customer.

    A password is hashed only for a valid link, and a password that is refused does not use the link up.
    """
    store, tenant = services.store, context.tenant.id
    customer = await store.read(tenant, _owner, context, body.token)
    await check_password(context, services, body.new_password, "newPassword", customer.handle, customer.name)
    hashed = await services.passwords.hash(body.new_password)
    await store.write(tenant, _reset, context, body.token, hashed)
    return schemas.PasswordReset("changed")


def _reset(tx: Transaction, context: RequestContext, token: str, password: PasswordHash) -> None:
    customer = _owner(tx, context, token)
    links.use(tx, context.cipher, Purpose.RESET, token)
    actor = Actor(customer.id, context.request_id)
    accounts.set_password(tx, customer.id, password, actor)
    accounts.set_verified(tx, customer.id, actor)
    login_throttle.unlock(tx, context.keyring.login_digest(tx.tenant, Surface.STOREFRONT, customer.handle))
    record(tx, actor, "account.password.reset", customer.id)
    mail.queue(tx, context.cipher, mail.PASSWORD, customer.handle, actor)


def _owner(tx: Transaction, context: RequestContext, token: str) -> Account:
    """The customer whom a reset link belongs to. Raises `Refusal` (-30)."""
    customer = accounts.by_id(tx, "customer", links.owner(tx, context.cipher, Purpose.RESET, token))
    if customer is None or customer.disabled:
        raise links.refused("the account is disabled or gone")
    return customer


def customer_of(tx: Transaction, context: RequestContext) -> Account:
    """The caller's account. Raises `Refusal` (-3)."""
    customer = accounts.by_id(tx, "customer", context.who.owner)
    if customer is None:
        raise Refusal(errors.NOT_FOUND, "the account is gone", missing="account")
    return customer


async def check_password(
    context: RequestContext, services: LoginServices, password: str, field: str, *about: str
) -> None:
    """Refuses a password that is easy to guess from what `about` says of its owner, or from the shop's name."""
    shop = await services.store.read(context.tenant.id, tenants.name_of)
    problem = password_problem(password, minimum=services.min_password_length, words=(shop, *about))
    if problem:
        raise bad_field(field, problem)


def _profile(customer: Account) -> schemas.Profile:
    return schemas.Profile(
        customer_id=customer.id,
        email=customer.handle,
        email_verified=customer.verified is not None,
        name=customer.name,
        created=wire_time(customer.created),
    )
