"""One customer as the operator sees it, and everything about it as one document (GDPR articles 15 and 20)."""

import json

import msgspec
from sqlalchemy import or_, select

from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import Account
from bedesten.accounts.tables import sessions
from bedesten.admin import complaints as operator_complaints
from bedesten.admin import orders as operator_orders
from bedesten.audit.actions import OPERATOR, record
from bedesten.audit.tables import audit
from bedesten.catalogue import stock
from bedesten.complaints import actions as complaints
from bedesten.core.clock import wire_time
from bedesten.core.ids import first_id
from bedesten.core.money import to_decimal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.ledger import statements
from bedesten.ledger.statements import Period
from bedesten.mail import actions as mail
from bedesten.orders import basket, listing
from bedesten.orders.basket import BasketLine
from bedesten.orders.listing import OrderFilter, OrderWithLines
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_SHOWN = 50
"""Orders, complaints and entries of the time line that `show` has; the export has all."""
PAGE = 200
_S, _U = sessions.c, audit.c
_SESSIONS = statement(
    select(_S.id, _S.token_versions, _S.created, _S.renewed, _S.expires, _S.address, _S.agent)
    .where(_S.tenant_id == TENANT, _S.account_id == p("account"), _S.expires > p("now"))
    .order_by(_S.id.desc())
)
_TRAIL = statement(
    select(_U.at, _U.actor, _U.action, _U.subject, _U.detail)
    .where(
        _U.tenant_id == TENANT,
        _U.id >= p("first"),
        or_(_U.subject == p("account"), _U.actor == p("account")),
    )
    .order_by(_U.id.desc())
    .limit(p("most"))
)
ALL = 1_000_000_000


def show(tx: Transaction, tenant: TenantEntry, customer: Account) -> dict[str, object]:
    """The account, its sessions and balance, the newest orders and complaints, and a time line. Never a code."""
    orders = listing.orders_of(tx, customer.id, OrderFilter(), "", MAX_SHOWN)[:MAX_SHOWN]
    opened = complaints.complaints_of_buyer(tx, customer.id, "", ALL)[-MAX_SHOWN:]
    return {
        **_account(tx, tenant, customer),
        "orders": [operator_orders.summary(tx, one) for one in orders],
        "complaints": [operator_complaints.shown(tx, one) for one in opened],
        "mails": [one for one in mail.list_mails(tx) if one["recipient"] == customer.handle],
        "timeline": _trail(tx, customer, MAX_SHOWN),
    }


def export(
    tx: Transaction, tenant: TenantEntry, cipher: TenantCipher, customer: Account, *, with_codes: bool
) -> dict[str, object]:
    """Everything that the store has about the customer. Includes codes only on request, and records each reveal."""
    record(tx, OPERATOR, "customer.export", customer.id, codes=with_codes)
    opened = complaints.complaints_of_buyer(tx, customer.id, "", ALL)
    return {
        **_account(tx, tenant, customer),
        "exported": wire_time(tx.now),
        "transfers": _transfers(tx, tenant, customer),
        "orders": [_order(tx, cipher, one, with_codes=with_codes) for one in _all_orders(tx, customer)],
        "basket": [_basket_line(line, tenant.currency) for line in basket.read(tx, customer.id).lines],
        "complaints": [operator_complaints.show(tx, cipher, one.id) for one in opened],
        "mails": [one for one in mail.list_mails(tx) if one["recipient"] == customer.handle],
        "timeline": _trail(tx, customer, ALL),
    }


def _basket_line(line: BasketLine, currency: str) -> dict[str, object]:
    return {
        "productId": line.product_id,
        "name": line.name,
        "quantity": line.quantity,
        "unitPrice": to_decimal(line.unit_price, currency),
        "requireData": [msgspec.structs.asdict(one) for one in line.data],
    }


def _account(tx: Transaction, tenant: TenantEntry, customer: Account) -> dict[str, object]:
    balance = ledger.balance(tx, customer.id, "customer", tenant.currency)
    held = balance.held if balance else 0
    return {
        **accounts.account_view(customer),
        "emailVerified": None if customer.verified is None else wire_time(customer.verified),
        "currency": tenant.currency,
        "balance": to_decimal(balance.posted if balance else 0, tenant.currency),
        "held": to_decimal(held, tenant.currency),
        "available": to_decimal(balance.available if balance else 0, tenant.currency),
        "sessions": _sessions(tx, tenant, customer),
    }


def _sessions(tx: Transaction, tenant: TenantEntry, customer: Account) -> list[dict[str, object]]:
    """The open sessions. If all tokens of the installation were ended, also ended sessions until they expire."""
    versions = (tenant.token_version, tenant.surface_token_versions[Surface.STOREFRONT], customer.token_version)
    living = "." + ".".join(map(str, versions))
    return [
        {
            "sessionId": session,
            "created": wire_time(created),
            "renewed": wire_time(renewed),
            "expires": wire_time(expires),
            "address": address,
            "userAgent": agent,
        }
        for session, token_versions, created, renewed, expires, address, agent in tx.all(
            _SESSIONS, account=customer.id, now=tx.now
        )
        if token_versions.endswith(living) and not customer.disabled
    ]


def _trail(tx: Transaction, customer: Account, most: int) -> list[dict[str, object]]:
    """The newest rows of the audit trail about the customer or by the customer, oldest first."""
    first = first_id("aud", customer.created - 1)
    rows = tx.all(_TRAIL, account=customer.id, first=first, most=most)
    return [
        {"at": wire_time(at), "what": action, "actor": actor, "subject": subject, **json.loads(detail)}
        for at, actor, action, subject, detail in reversed(rows)
    ]


def _all_orders(tx: Transaction, customer: Account) -> list[OrderWithLines]:
    found: list[OrderWithLines] = []
    while True:
        page = listing.orders_of(tx, customer.id, OrderFilter(), found[-1][0].id if found else "", PAGE)
        found += page[:PAGE]
        if len(page) <= PAGE:
            return found


def _order(tx: Transaction, cipher: TenantCipher, listed: OrderWithLines, *, with_codes: bool) -> dict[str, object]:
    order, lines = listed
    shown = operator_orders.show(tx, order.id)
    bought: dict[str, object] = {}
    for line in lines:
        codes = stock.delivered_codes(tx, cipher, line.id) if with_codes and line.delivered else []
        if codes:
            record(tx, OPERATOR, "line.reveal", line.id, codes=len(codes))
        bought[line.id] = {
            "requireData": json.loads(line.require_data),
            "note": json.loads(line.note) if line.note else None,
            **({"codes": [msgspec.to_builtins(code) for code in codes]} if with_codes else {}),
        }
    return {**shown, "contents": bought}


def _transfers(tx: Transaction, tenant: TenantEntry, customer: Account) -> list[dict[str, object]]:
    balance = ledger.balance(tx, customer.id, "customer", tenant.currency)
    found: list[dict[str, object]] = []
    after, more = 0, balance is not None
    while more and balance is not None:
        page = statements.page(tx, balance.id, Period(after, PAGE))
        found += [
            {
                "booked": wire_time(one.at),
                "type": one.kind,
                "amount": to_decimal(one.change, tenant.currency),
                "balance": to_decimal(one.balance, tenant.currency),
                "orderId": one.order,
                "transferId": one.transfer,
                "reason": one.reason,
            }
            for one in page.entries
        ]
        after, more = page.entries[-1].seq if page.entries else after, page.more
    return found
