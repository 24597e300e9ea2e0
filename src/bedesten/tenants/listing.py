"""The tenants as the operator sees them."""

import json

from sqlalchemy import select

from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.store.sql import cross_tenant
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from bedesten.tenants import tables
from bedesten.tenants.checkout_limits import CheckoutLimits

_T = tables.tenants.c
_LIST = cross_tenant(
    select(
        _T.id, _T.name, _T.suspended, _T.sandbox, _T.currency, _T.region, _T.lifetime_reseller, _T.lifetime_storefront,
        _T.idle_reseller, _T.idle_storefront, _T.created, _T.limits, _T.origins, _T.lenient, _T.checkout_limits,
        _T.approve_above, _T.mail_from, _T.shop_url, _T.verify_email,
    ).order_by(_T.id)
)  # fmt: skip


def list_all(tx: SystemTransaction) -> list[dict[str, object]]:
    """Lists every tenant as the operator sees it."""
    listed = []
    for row in tx.all(_LIST):
        bound = tx.for_tenant(row[0])
        listed.append(
            {
                "id": row[0],
                "name": row[1],
                "suspended": bool(row[2]),
                "sandbox": bool(row[3]),
                "currency": row[4],
                "region": row[5],
                "hosts": tenants.list_hosts(bound),
                "tokenLifetimeSeconds": {"reseller": row[6] // 1000, "storefront": row[7] // 1000},
                "tokenIdleSeconds": {
                    "reseller": row[8] // 1000 if row[8] else None,
                    "storefront": row[9] // 1000 if row[9] else None,
                },
                "access": tenants.list_access(bound),
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
        )
    return listed
