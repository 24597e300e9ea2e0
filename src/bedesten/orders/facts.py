"""Reads, in one round trip, what placing an order needs to know before it changes anything.

On PostgreSQL the facts are read before the transaction begins. That is safe: each of them is checked again by the change
that depends on it (the balance, the codes, the reference), or may be as old as the request (prices, endpoints, rules).
"""

from typing import Any

import msgspec
from sqlalchemy import and_, case, exists, or_, select

from bedesten.accounts.tables import accounts
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import StockedProduct
from bedesten.ledger.actions import Balance
from bedesten.ledger.tables import ledger_accounts
from bedesten.orders.model import Buyer, NewOrder
from bedesten.orders.tables import order_limits, orders, review_rules
from bedesten.store.sql import TENANT, p, rows_as
from bedesten.store.transaction import Query, Transaction
from bedesten.webhooks.actions import Endpoint
from bedesten.webhooks.moves import DELETED
from bedesten.webhooks.tables import webhook_endpoints

_A, _E, _O, _M, _R = accounts.c, webhook_endpoints.c, orders.c, order_limits.c, review_rules.c
_money, _sales = ledger_accounts.alias("money"), ledger_accounts.alias("sales")


class OrderFacts(msgspec.Struct, frozen=True):
    """The facts of one request for an order. A ledger account that does not exist yet is None.

    `known`: the buyer has an order with this reference. `limited`, `reviewed`: daily limits, or review rules, apply to the
    buyer, and the caller has to read them.
    """

    known: bool
    limited: bool
    reviewed: bool
    money: Balance | None
    sales: Balance | None
    endpoints: list[Endpoint]
    products: dict[str, StockedProduct]


def _flag(condition: Any) -> Any:
    return case((condition, 1), else_=0)


def _row(known: int, limited: int, reviewed: int, *columns: Any) -> tuple[Any, ...]:
    money, sales, endpoint, created = columns[:5], columns[5:10], columns[10:14], columns[14]
    return (
        (bool(known), bool(limited), bool(reviewed)),
        Balance(*money) if money[0] is not None else None,
        Balance(*sales) if sales[0] is not None else None,
        (created, Endpoint(*endpoint)) if created is not None else None,
    )


def _account(table: Any, owner: Any, kind: Any) -> Any:
    return and_(
        table.c.tenant_id == _A.tenant_id,
        table.c.owner_id == owner,
        table.c.kind == kind,
        table.c.currency == p("currency"),
    )


def _balance(table: Any) -> tuple[Any, ...]:
    return (table.c.id, table.c.currency, table.c.posted, table.c.held, table.c.credit_limit)


_FACTS = rows_as(
    _row,
    select(
        _flag(exists().where(_O.tenant_id == TENANT, _O.buyer_id == p("buyer"), _O.reference == p("reference"))),
        _flag(
            or_(
                exists().where(_M.tenant_id == TENANT, _M.holder == p("buyer")),
                exists().where(_M.tenant_id == TENANT, _M.holder == p("kind")),
            )
        ),
        _flag(exists().where(_R.tenant_id == TENANT, or_(_R.surface.is_(None), _R.surface == p("surface")))),
        *_balance(_money),
        *_balance(_sales),
        _E.id,
        _E.url,
        _E.event_types,
        _E.state,
        _E.created,
    )
    .select_from(
        accounts.outerjoin(_money, _account(_money, _A.id, p("kind")))
        .outerjoin(_sales, _account(_sales, _A.tenant_id, "sales"))
        .outerjoin(webhook_endpoints, and_(_E.tenant_id == _A.tenant_id, _E.owner_id == _A.id, _E.state != DELETED))
    )
    .where(_A.tenant_id == TENANT, _A.id == p("buyer")),
)


def _oldest_first(found: list[tuple[int, Endpoint]]) -> list[Endpoint]:
    """Sorts endpoints by age, here rather than in SQL: sorting one row costs a database more than reading it."""
    return [one[1] for one in sorted(found, key=lambda one: (one[0], one[1].id))]


def read(tx: Transaction, buyer: Buyer, request: NewOrder) -> OrderFacts:
    """Reads the facts of a request."""
    names = list(dict.fromkeys(line.product_id for line in request.lines))
    who = {"buyer": buyer.id, "kind": buyer.kind, "surface": buyer.surface, "currency": buyer.currency}
    asked: list[Query[Any]] = [Query(_FACTS, {**who, "reference": request.reference})]
    rows, *found = tx.all_each(asked + [catalogue.stocked_query(tx, name) for name in names])
    assert rows, "a buyer is an account of the tenant"
    (known, limited, reviewed), money, sales, _ = rows[0]
    return OrderFacts(
        known=known,
        limited=limited,
        reviewed=reviewed,
        money=money,
        sales=sales,
        endpoints=_oldest_first([row[3] for row in rows if row[3] is not None]),
        products={name: one[0] for name, one in zip(names, found, strict=True) if one},
    )
