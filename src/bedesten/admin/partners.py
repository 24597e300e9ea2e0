"""Partners: a reseller account, the ledger account that it buys from, and the endpoint that its webhooks go to."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import login_throttle
from bedesten.accounts.actions import Account
from bedesten.admin.inputs import minor_amount
from bedesten.audit.actions import OPERATOR, Actor, record, redacted_url
from bedesten.core import text
from bedesten.core.money import to_decimal, with_currency
from bedesten.core.secret import Secret
from bedesten.errors import Refusal, normalised_field
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.ledger import balance_alarms
from bedesten.mail import actions as mail
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import endpoints
from bedesten.webhooks.targets import check_target


@dataclass(frozen=True, slots=True)
class NewPartner:
    """A partner to create.

    `scopes` None: every scope of the surface. `credit` is in the tenant's currency.
    """

    email: str
    password: PasswordHash
    name: str = ""
    scopes: Iterable[str] | None = None
    webhook: str | None = None
    credit: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class CreatedPartner:
    """A new partner, with the secret and the key with which it verifies our webhooks. They are shown only once."""

    id: str
    email: str
    webhook_secret: Secret[str]
    webhook_key: Secret[str]


def address(email: str) -> str:
    """The canonical spelling of a partner's e-mail. Raises `Refusal` (-2)."""
    return normalised_field(text.email, email, "email")


def find(tx: Transaction, name: str) -> Account:
    """The partner with this e-mail or id. Raises `Refusal` (-3)."""
    return accounts.find(tx, "partner", text.email_or_none(name) or name)


def create(tx: Transaction, cipher: TenantCipher, currency: str, new: NewPartner) -> CreatedPartner:
    """Creates the account, its ledger account and its webhook endpoint. Raises `Refusal`: -2, -8 if the e-mail is taken."""
    email = address(new.email)
    name = normalised_field(text.name, new.name, "name") if new.name.strip() else email
    if new.webhook is not None:
        check_target(new.webhook, webhooks.allowed_networks(tx), "webhook")
    made = accounts.create(tx, "partner", email, name, password=new.password, scopes=new.scopes)
    if made is None:
        raise Refusal(errors.CONFLICT, f"there is a partner {email}", fields={"email": "a partner has this e-mail"})
    balance = ledger.account(tx, made, "partner", currency)
    credit = minor_amount(new.credit, currency, "credit")
    if credit:
        ledger.set_credit(tx, balance, credit)
    secret, key = webhooks.create_endpoint(tx, cipher, made, new.webhook)
    details = {
        "email": email,
        "scopes": None if new.scopes is None else sorted(new.scopes),
        "credit": with_currency(credit, currency),
    }
    record(tx, OPERATOR, "partner.create", made, **details, webhook=redacted_url(new.webhook))
    return CreatedPartner(made, email, secret, key)


def set_credit(tx: Transaction, currency: str, partner: Account, limit: Decimal) -> None:
    """Sets how far the partner's balance may go below zero. A larger debt stays. Raises `Refusal` (-2)."""
    minor = minor_amount(limit, currency, "amount")
    before = ledger.account(tx, partner.id, "partner", currency)
    ledger.set_credit(tx, before, minor)
    limits = {"before": with_currency(before.credit_limit, currency), "after": with_currency(minor, currency)}
    record(tx, OPERATOR, "partner.credit", partner.id, partner=partner.handle, **limits)


def set_low_balance(tx: Transaction, currency: str, partner: Account, threshold: Decimal) -> None:
    """Sets the spendable amount below which an event is sent; 0: never. Raises `Refusal` (-2)."""
    minor = minor_amount(threshold, currency, "--low-balance")
    ledger.account(tx, partner.id, "partner", currency)
    if balance_alarms.set_threshold(tx, partner.id, currency, minor or None):
        shown = with_currency(minor, currency) if minor else None
        record(tx, OPERATOR, "partner.low_balance", partner.id, partner=partner.handle, threshold=shown)


def unlock(tx: Transaction, keyring: Keyring, partner: Account) -> bool:
    """Resets the partner's failed logins. False if there were none. Idempotent.

    Failures are counted by a digest that names its pepper; counts under a retired pepper are too old to matter.
    """
    if not login_throttle.unlock(tx, keyring.login_digest(tx.tenant, Surface.RESELLER, partner.handle)):
        return False
    record(tx, OPERATOR, "account.unlock", partner.id)
    return True


def reset(tx: Transaction, cipher: TenantCipher, partner: Account, actor: Actor = OPERATOR) -> None:
    """Queues a mail with a password reset link. Raises `Refusal`: -8 if the partner is disabled, -7."""
    if partner.disabled:
        raise Refusal(errors.CONFLICT, "the partner is disabled", fields={"partner": "is disabled: enable it first"})
    if not mail.queue(tx, cipher, mail.PARTNER_RESET, partner.handle, actor):
        problem = "the address has had as many mails as one may have in an hour or a day"
        raise Refusal(errors.TOO_MANY_REQUESTS, problem, fields={"partner": problem})
    record(tx, actor, "account.reset", partner.id)


def set_webhook(tx: Transaction, cipher: TenantCipher, partner: Account, url: str | None) -> CreatedPartner | None:
    """Sets the URL of the partner's oldest webhook endpoint; None: webhooks are sent only for orders that name a URL.

    A partner without an endpoint gets one, and its secrets are returned.
    """
    if url is not None:
        check_target(url, webhooks.allowed_networks(tx), "url")
    before = next(iter(endpoints.list_endpoints(tx, partner.id)), None)
    made = None
    if before is None:
        made = CreatedPartner(partner.id, partner.handle, *webhooks.create_endpoint(tx, cipher, partner.id, url))
    else:
        endpoints.set_target(tx, before, url, before.chosen)
    was = redacted_url(before.url) if before else None
    record(tx, OPERATOR, "partner.webhook", partner.id, before=was, after=redacted_url(url))
    return made


def shown(tx: Transaction, currency: str, partner: Account) -> dict[str, object]:
    """The operator's view of a partner, with its money and webhook URL."""
    balance = ledger.balance(tx, partner.id, "partner", currency)
    endpoint = next(iter(webhooks.endpoints_of(tx, partner.id)), None)
    low = balance_alarms.threshold_of(tx, partner.id)
    return {
        **accounts.account_view(partner),
        "currency": currency,
        "balance": to_decimal(balance.posted if balance else 0, currency),
        "held": to_decimal(balance.held if balance else 0, currency),
        "available": to_decimal(balance.available if balance else 0, currency),
        "creditLimit": to_decimal(balance.credit_limit if balance else 0, currency),
        "spendable": to_decimal(balance.spendable if balance else 0, currency),
        "lowBalance": None if low is None else to_decimal(low, currency),
        "webhook": endpoint.url if endpoint else None,
    }


def list_partners(tx: Transaction, currency: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of the tenant's partners, and the id after which the next one begins."""
    found, following = accounts.list_page(tx, "partner", after, limit)
    return [shown(tx, currency, one) for one in found], following
