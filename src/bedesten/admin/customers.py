"""Finds customers, disables them, and starts a reset of their passwords."""

from sqlalchemy import ColumnElement, func, or_, select

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import Account
from bedesten.accounts.tables import accounts as table
from bedesten.admin import checkouts
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.errors import Refusal
from bedesten.mail import actions as mail
from bedesten.orders.model import UNPAID
from bedesten.orders.tables import orders
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_RESULTS = 50
_A, _O = table.c, orders.c
_FOUND = (
    select(_A.id, _A.handle, _A.name, _A.disabled, _A.created)
    .where(
        _A.tenant_id == TENANT,
        _A.kind == "customer",
        or_(
            _A.id == p("text"),
            _A.handle.like(p("address"), escape="!"),
            func.lower(_A.name).like(p("pattern"), escape="!"),
        ),
    )
    .order_by(_A.handle, _A.id)
    .limit(p("most"))
    .subquery("found")
)


def _of_unpaid(value: ColumnElement[int]) -> ColumnElement[int]:
    """A subquery: an aggregate over a found customer's unpaid checkouts."""
    mine = (_O.tenant_id == TENANT, _O.buyer_id == _FOUND.c.id, _O.state == UNPAID)
    return select(value).where(*mine).scalar_subquery()


_FIND = statement(
    select(*_FOUND.c, _of_unpaid(func.count()), _of_unpaid(func.coalesce(func.sum(_O.units), 0))).order_by(
        _FOUND.c.handle, _FOUND.c.id
    )
)


def find(tx: Transaction, part: str) -> list[dict[str, object]]:
    """Up to `MAX_RESULTS` customers with this id, or with this text in their e-mail or name."""
    wanted = part.strip()
    address = text.email_or_none(wanted) or text.ascii_lower(wanted)
    return [
        {
            "id": row[0],
            "email": row[1],
            "name": row[2],
            "disabled": bool(row[3]),
            "openCheckouts": row[5],
            "reservedUnits": int(row[6]),
            "created": wire_time(row[4]),
        }
        for row in tx.all(
            _FIND, text=wanted, address=_like_pattern(address), pattern=_like_pattern(wanted.lower()), most=MAX_RESULTS
        )
    ]


def _like_pattern(part: str) -> str:
    """The LIKE pattern for texts that contain this one; `!` escapes."""
    return "%" + "".join(f"!{each}" if each in "%_!" else each for each in part) + "%"


def one(tx: Transaction, name: str) -> Account:
    """The customer with this e-mail or id. Raises `Refusal` (-3)."""
    return accounts.find(tx, "customer", text.email_or_none(name) or name)


def disable(tx: Transaction, customer: Account, actor: Actor = OPERATOR) -> int:
    """Refuses every bearer token of the customer from the next request on. Returns how many checkouts were released."""
    accounts.set_disabled(tx, customer, True, actor)
    return sum(checkouts.release(tx, str(row["orderId"])) for row in checkouts.list_open(tx, customer.id))


def reset(tx: Transaction, cipher: TenantCipher, customer: Account, actor: Actor = OPERATOR) -> None:
    """Queues a mail with a password reset link. Raises `Refusal`: -8 if the customer is disabled, -7."""
    if customer.disabled:
        raise Refusal(errors.CONFLICT, "the customer is disabled", fields={"customer": "is disabled: enable it first"})
    if not mail.queue(tx, cipher, mail.RESET, customer.handle, actor):
        problem = "the address has had as many mails as one may have in an hour or a day"
        raise Refusal(errors.TOO_MANY_REQUESTS, problem, fields={"customer": problem})
    record(tx, actor, "account.reset", customer.id)
