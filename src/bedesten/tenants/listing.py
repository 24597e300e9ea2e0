"""The tenants as the operator sees them."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.store.sql import cross_tenant, p
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import tables
from bedesten.tenants.checkout_limits import CheckoutLimits

PAGE_SIZE, MAX_PAGE_SIZE = 200, 10_000
"""Number of tenants in one page, by default and at most."""

_T, _H, _X = tables.tenants.c, tables.hosts.c, tables.tenant_access.c
_ALL = select(
    _T.id, _T.name, _T.suspended, _T.sandbox, _T.currency, _T.region, _T.lifetime_reseller, _T.lifetime_storefront,
    _T.idle_reseller, _T.idle_storefront, _T.created, _T.limits, _T.origins, _T.lenient, _T.checkout_limits,
    _T.approve_above, _T.mail_from, _T.shop_url, _T.verify_email,
)  # fmt: skip
_PAGE = cross_tenant(_ALL.where(_T.id > p("after")).order_by(_T.id).limit(p("most")))
_ONE = cross_tenant(_ALL.where(_T.id == p("id")))
_HOSTS = cross_tenant(
    select(_H.tenant_id, _H.host).where(_H.tenant_id >= p("first"), _H.tenant_id <= p("last")).order_by(_H.host)
)
_ACCESS = cross_tenant(
    select(_X.tenant_id, _X.target, _X.allowed)
    .where(_X.tenant_id >= p("first"), _X.tenant_id <= p("last"))
    .order_by(_X.target)
)


def list_page(
    tx: SystemTransaction, after: str = "", limit: int = PAGE_SIZE
) -> tuple[list[dict[str, object]], str | None]:
    """Lists tenants as the operator sees them, and the id after which the next page begins."""
    found = tx.all(_PAGE, after=after, most=limit + 1)
    return _views(tx, found[:limit]), found[limit - 1][0] if len(found) > limit else None


def view(tx: SystemTransaction, tenant: str) -> dict[str, object]:
    """One tenant as the operator sees it."""
    return _views(tx, tx.all(_ONE, id=tenant))[0]


def list_all(tx: SystemTransaction) -> list[dict[str, object]]:
    """Lists every tenant as the operator sees it."""
    listed: list[dict[str, object]] = []
    after: str | None = ""
    while after is not None:
        page, after = list_page(tx, after, MAX_PAGE_SIZE)
        listed += page
    return listed


def _views(tx: SystemTransaction, rows: Sequence[tuple[Any, ...]]) -> list[dict[str, object]]:
    """The tenants of rows that are consecutive by id, so that range queries find their hosts and access."""
    if not rows:
        return []
    hosts: dict[str, list[str]] = {row[0]: [] for row in rows}
    access: dict[str, dict[str, bool]] = {row[0]: {} for row in rows}
    for tenant, host in tx.all(_HOSTS, first=rows[0][0], last=rows[-1][0]):
        hosts[tenant].append(host)
    for tenant, target, allowed in tx.all(_ACCESS, first=rows[0][0], last=rows[-1][0]):
        access[tenant][target] = bool(allowed)
    return [_view(row, hosts[row[0]], access[row[0]]) for row in rows]


def _view(row: tuple[Any, ...], hosts: list[str], access: dict[str, bool]) -> dict[str, object]:
    return {
        "id": row[0],
        "name": row[1],
        "suspended": bool(row[2]),
        "sandbox": bool(row[3]),
        "currency": row[4],
        "region": row[5],
        "hosts": hosts,
        "tokenLifetimeSeconds": {"reseller": row[6] // 1000, "storefront": row[7] // 1000},
        "tokenIdleSeconds": {
            "reseller": row[8] // 1000 if row[8] else None,
            "storefront": row[9] // 1000 if row[9] else None,
        },
        "access": access,
        "limits": json.loads(row[11]),
        "checkoutLimits": CheckoutLimits.of(json.loads(row[14])).wire(),
        "approveAbove": None if row[15] is None else to_decimal(row[15], row[4]),
        "mailFrom": row[16],
        "shopUrl": row[17],
        "verifyEmail": bool(row[18]),
        "origins": row[12].split(),
        "lenient": bool(row[13]),
        "created": wire_time(row[10]),
    }
