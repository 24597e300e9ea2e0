"""The ways of paying that a shop offers its customers, set by the operator.

A method names the integration that receives its payments. It is offered for an order if the integration is enabled, the
currency is one of the method's, and the total lies within its bounds.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import and_, delete, select

from bedesten import errors
from bedesten.accounts.tables import accounts
from bedesten.audit.actions import OPERATOR, record
from bedesten.errors import Refusal, bad_field
from bedesten.payments.tables import payment_methods
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

MAX_METHODS, MAX_URL = 20, 1_000
PAYMENT_PLACE, ORDER_PLACE = "{payment}", "{order}"
"""Placeholders for the ids in a method's URL."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """One way of paying. The bounds are in minor units, None means no bound; `disabled` is the integration's state."""

    code: str
    title: str
    integration_id: str
    currencies: str
    min_amount: int | None
    max_amount: int | None
    url: str | None
    created: int
    disabled: bool = False

    def accepts(self, total: int, currency: str) -> bool:
        """Reports whether the method can pay an order of this total."""
        within = (self.min_amount or 1) <= total and (self.max_amount is None or total <= self.max_amount)
        return within and self.takes(currency)

    def takes(self, currency: str) -> bool:
        """Reports whether the method now accepts payments in this currency."""
        return not self.disabled and currency in self.currencies.split()

    def redirect(self, payment: str, order: str) -> str | None:
        """Returns where the shop sends the customer to pay; None if the payment service does so itself."""
        return None if self.url is None else self.url.replace(PAYMENT_PLACE, payment).replace(ORDER_PLACE, order)


_M = payment_methods.c
_COLUMNS = (
    _M.code, _M.title, _M.integration_id, _M.currencies, _M.min_amount, _M.max_amount, _M.url, _M.created,
    accounts.c.disabled,
)  # fmt: skip
_ALL = (
    select(*_COLUMNS)
    .select_from(
        payment_methods.join(accounts, and_(accounts.c.tenant_id == _M.tenant_id, accounts.c.id == _M.integration_id))
    )
    .where(_M.tenant_id == TENANT)
)
_LIST = rows_as(PaymentMethod, _ALL.order_by(_M.created, _M.code))
_ONE = rows_as(PaymentMethod, _ALL.where(_M.code == p("code")))
_ADD = insert_of(payment_methods, or_ignore=True)
_REMOVE = statement(delete(payment_methods).where(_M.tenant_id == TENANT, _M.code == p("code")))


def list_methods(tx: Transaction) -> list[PaymentMethod]:
    """Returns every method, in the order in which they were added."""
    return tx.all(_LIST)


def method_of(tx: Transaction, code: str) -> PaymentMethod | None:
    """Returns the method with this code."""
    return tx.one(_ONE, code=code)


def add(tx: Transaction, new: PaymentMethod) -> PaymentMethod:
    """Adds a method. Raises `Refusal`: -2 for wrong bounds or a wrong URL, -8 if the code is taken or there are too many."""
    if new.min_amount is not None and new.max_amount is not None and new.min_amount > new.max_amount:
        raise bad_field("minAmount", "must not be above maxAmount")
    if new.url is not None:
        _check_url(new.url)
    if len(list_methods(tx)) >= MAX_METHODS:
        raise Refusal(errors.CONFLICT, "too many methods", fields={"code": f"there are {MAX_METHODS} methods already"})
    made = tx.run(
        _ADD,
        code=new.code,
        title=new.title,
        integration_id=new.integration_id,
        currencies=new.currencies,
        min_amount=new.min_amount,
        max_amount=new.max_amount,
        url=new.url,
        created=tx.now,
    )
    if not made:
        raise Refusal(errors.CONFLICT, "the code is taken", fields={"code": "there is a method of this code"})
    record(tx, OPERATOR, "payment_method.add", new.code, integration=new.integration_id, url=new.url)
    found = method_of(tx, new.code)
    assert found is not None, "it was just inserted"
    return found


def remove(tx: Transaction, code: str) -> None:
    """Removes a method; payments that were started with it go on. Raises `Refusal` (-3)."""
    if not tx.run(_REMOVE, code=code):
        raise Refusal(errors.NOT_FOUND, "no such method", fields={"code": "there is no such payment method"})
    record(tx, OPERATOR, "payment_method.remove", code)


def _check_url(url: str) -> None:
    rest = url.replace(PAYMENT_PLACE, "").replace(ORDER_PLACE, "")
    try:
        parts = urlsplit(rest)
        host = parts.hostname
    except ValueError:
        raise bad_field("url", "is not a URL") from None
    if len(url) > MAX_URL or not rest.isascii() or not rest.isprintable() or any(one in rest for one in ' {}"<>\\'):
        raise bad_field("url", f"must be printable ASCII, at most {MAX_URL} characters, with no other braces")
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not safe or not host or "@" in parts.netloc:
        raise bad_field("url", "must begin with https:// and a host, without a user name")
    if PAYMENT_PLACE not in url.partition(parts.netloc)[2]:
        raise bad_field("url", "must contain {payment} after its host")
