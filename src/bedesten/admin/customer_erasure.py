"""Erases a customer's personal data (GDPR article 17). Money and orders stay under the customer's id.

Updates the account's row first. On PostgreSQL this waits for transactions that are placing orders, because an order
references the account; so no order is overlooked.
"""

from sqlalchemy import and_, delete, func, or_, select, update

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts import links, login_throttle
from bedesten.accounts.actions import Account
from bedesten.accounts.tables import accounts as accounts_table
from bedesten.accounts.tables import login_addresses, sessions
from bedesten.admin import checkouts
from bedesten.audit.actions import OPERATOR, record
from bedesten.complaints import actions as complaints
from bedesten.complaints.decisions import TEXT
from bedesten.complaints.moves import OPEN
from bedesten.complaints.tables import complaints as complaints_table
from bedesten.core.money import with_currency
from bedesten.errors import Refusal
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.mail import actions as mail
from bedesten.orders.model import PLACED, PROCESSING, TAKEN_OUT
from bedesten.orders.tables import baskets, order_lines, orders
from bedesten.payments.moves import AUTHORISED, CREATED, PART_CAPTURED
from bedesten.payments.tables import payments
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.tables import idempotency
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

NAME = "Erased"
NO_TEXTS = '["", ""]'
"""A complaint's text and evidence, both empty."""

_A, _O, _L, _P, _C, _I = accounts_table.c, orders.c, order_lines.c, payments.c, complaints_table.c, idempotency.c
_REPLACE = statement(
    update(accounts_table)
    .where(_A.tenant_id == TENANT, _A.id == p("account"), _A.kind == "customer", _A.handle == p("old_handle"))
    .values(handle=p("new_handle"), name=p("new_name"), password=p("phc"), pepper_id=p("pepper"), verified=None)
)
_ORDERS = select(_O.id).where(_O.tenant_id == TENANT, _O.buyer_id == p("account"))
_OPEN_LINES = statement(
    select(func.count()).where(
        _L.tenant_id == TENANT,
        _L.order_id.in_(_ORDERS.where(_O.state == PLACED)),
        or_(_L.status == PROCESSING, _L.status == TAKEN_OUT),
    )
)
_OPEN_PAYMENTS = statement(
    select(func.count()).where(
        _P.tenant_id == TENANT,
        _P.order_id.in_(_ORDERS),
        or_(_P.state == CREATED, _P.state == AUTHORISED, _P.state == PART_CAPTURED),
    )
)
_OPEN_COMPLAINTS = statement(
    select(func.count()).where(_C.tenant_id == TENANT, _C.buyer_id == p("account"), _C.state == OPEN)
)
_CLEAR_LINES = statement(
    update(order_lines).where(_L.tenant_id == TENANT, _L.order_id.in_(_ORDERS)).values(require_data="[]")
)
_CLEAR_ORDERS = statement(
    update(orders).where(_O.tenant_id == TENANT, _O.buyer_id == p("account")).values(address=None)
)
_CLEAR_COMPLAINT = statement(
    update(complaints_table).where(_C.tenant_id == TENANT, _C.id == p("complaint")).values(ciphertext=p("texts"))
)
_FORGET_SESSIONS = statement(
    delete(sessions).where(sessions.c.tenant_id == TENANT, sessions.c.account_id == p("account"))
)
_FORGET_BASKET = statement(delete(baskets).where(baskets.c.tenant_id == TENANT, baskets.c.customer_id == p("account")))
_FORGET_ANSWERS = statement(delete(idempotency).where(_I.tenant_id == TENANT, _I.owner_id == p("account")))
_FORGET_ADDRESSES = statement(
    delete(login_addresses).where(and_(login_addresses.c.tenant_id == TENANT, login_addresses.c.digest == p("digest")))
)
ALL = 1_000_000_000


def is_erased(customer: Account) -> bool:
    """Whether the customer was erased before."""
    return customer.handle.endswith(f"@{accounts.ERASED_DOMAIN}")


def erase(
    tx: Transaction,
    keyring: Keyring,
    cipher: TenantCipher,
    currency: str,
    customer: Account,
    unknown: PasswordHash,
    *,
    force: bool,
) -> dict[str, object]:
    """Erases the customer for good; a second call changes nothing. `unknown` is the hash of a password nobody knows.

    Raises `Refusal` (-8) and changes nothing while lines are open or money is held; without `force` also while there are
    a balance, open payments or open complaints, which stay with the customer's id.
    """
    handle = f"{customer.id.lower()}@{accounts.ERASED_DOMAIN}"
    if is_erased(customer) or not tx.run(
        _REPLACE,
        account=customer.id,
        old_handle=customer.handle,
        new_handle=handle,
        new_name=NAME,
        phc=unknown.phc,
        pepper=unknown.pepper_id,
    ):  # a concurrent erasure shows in the row only after its COMMIT
        return {"id": customer.id, "erased": True, "changed": False, "releasedCheckouts": 0}
    accounts.set_disabled(tx, customer, True)
    released = sum(checkouts.release(tx, str(row["orderId"])) for row in checkouts.list_open(tx, customer.id))
    obstacles = _obstacles(tx, currency, customer.id, force=force)
    if obstacles:
        problem = f"the customer has {' and '.join(obstacles)}"
        raise Refusal(errors.CONFLICT, problem, fields={"customer": problem})
    _forget(tx, keyring, cipher, customer)
    record(tx, OPERATOR, "customer.erase", customer.id, force=force)
    return {"id": customer.id, "erased": True, "changed": True, "releasedCheckouts": released}


def _obstacles(tx: Transaction, currency: str, customer: str, *, force: bool) -> list[str]:
    """The reasons not to erase, in words. `force` ignores all but open lines and held money."""
    balance = ledger.balance(tx, customer, "customer", currency)
    posted, held = (balance.posted, balance.held) if balance else (0, 0)
    lines, payments_open, complaints_open = (
        (tx.one(one, account=customer) or (0,))[0] for one in (_OPEN_LINES, _OPEN_PAYMENTS, _OPEN_COMPLAINTS)
    )
    found = [
        (lines, f"{lines} order lines that are not delivered or cancelled", True),
        (held, f"{with_currency(held, currency)} held", True),
        (posted, f"a balance of {with_currency(posted, currency)}", False),
        (payments_open, f"{payments_open} open payments", False),
        (complaints_open, f"{complaints_open} open complaints", False),
    ]
    return [text for amount, text, always in found if amount and (always or not force)]


def _forget(tx: Transaction, keyring: Keyring, cipher: TenantCipher, customer: Account) -> None:
    """Deletes or replaces the personal data."""
    account = customer.id
    for one in (_CLEAR_LINES, _CLEAR_ORDERS, _FORGET_SESSIONS, _FORGET_ANSWERS, _FORGET_BASKET):
        tx.run(one, account=account)
    for said in complaints.complaints_of_buyer(tx, account, "", ALL):
        texts = cipher.encrypt(tx, TEXT, said.id, NO_TEXTS)
        tx.run(_CLEAR_COMPLAINT, complaint=said.id, texts=texts)
    digest = keyring.login_digest(tx.tenant, Surface.STOREFRONT, customer.handle)
    login_throttle.unlock(tx, digest)
    tx.run(_FORGET_ADDRESSES, digest=digest)
    links.drop(tx, account)
    mail.forget(tx, customer.handle, account)
