"""The handlers of a customer's account: profile, e-mail address and forgotten password."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import links, registrations
from bedesten.accounts.actions import Account
from bedesten.accounts.links import Purpose
from bedesten.core.clock import wire_time
from bedesten.errors import Refusal, bad_field
from bedesten.gate.scopes import Surface
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.logins import authenticate_password, mail_address_digest
from bedesten.http.schemas import EmptyBody
from bedesten.mail import actions as mail
from bedesten.store.transaction import Transaction
from bedesten.surfaces import passwords
from bedesten.surfaces.schemas import PasswordReset, ResetPassword
from bedesten.surfaces.storefront import schemas

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


async def change_email(
    context: RequestContext, services: LoginServices, body: schemas.ChangeEmail
) -> schemas.MailRequest:
    """Asks for a mail with a link to a new e-mail address, after the password. The old address stays until it is opened.

    Whether another account has the address is not revealed: then no mail is sent.
    """
    customer = await services.store.read(context.tenant.id, customer_of, context)
    await authenticate_password(context, services, Surface.STOREFRONT, customer.handle, body.current_password)
    if body.new_email == customer.handle:
        raise bad_field("newEmail", "is the account's address already")
    await services.store.write(context.tenant.id, _ask_for_email, context, body.new_email)
    return schemas.MailRequest("accepted")


def _ask_for_email(tx: Transaction, context: RequestContext, email: str) -> None:
    registrations.count(tx, mail_address_digest(context), MAX_RESET_MAILS, "mails")
    mail.queue(tx, context.cipher, mail.EMAIL, email, context.actor)


def confirm_email(tx: Transaction, context: RequestContext, body: schemas.VerifyEmail) -> schemas.Profile:
    """Changes the caller's e-mail address with the token of the link that was mailed to the new one.

    The caller has logged in. So nobody takes an account over because its owner mistyped the address. A second call changes
    nothing. The sessions stay: they belong to the account, and its password is the same.
    """
    customer = customer_of(tx, context)
    email = links.new_address(tx, context.cipher, customer.id, body.token)
    if email != customer.handle:
        accounts.set_email(tx, customer, email, context.actor)
        mail.queue(tx, context.cipher, mail.EMAIL_CHANGED, customer.handle, context.actor)
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


async def reset_password(context: RequestContext, services: LoginServices, body: ResetPassword) -> PasswordReset:
    """Sets a new password with the token of a mailed link, and ends all sessions of the customer."""
    return await passwords.reset_password(context, services, "customer", body)


def customer_of(tx: Transaction, context: RequestContext) -> Account:
    """The caller's account. Raises `Refusal` (-3)."""
    customer = accounts.by_id(tx, "customer", context.who.owner)
    if customer is None:
        raise Refusal(errors.NOT_FOUND, "the account is gone", missing="account")
    return customer


def _profile(customer: Account) -> schemas.Profile:
    return schemas.Profile(
        customer_id=customer.id,
        email=customer.handle,
        email_verified=customer.verified is not None,
        name=customer.name,
        created=wire_time(customer.created),
    )
