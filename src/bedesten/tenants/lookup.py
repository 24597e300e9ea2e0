"""Reads the facts about tenants that the gate needs."""

import json

from sqlalchemy import select

from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.store.sql import cross_tenant, p
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.tables import hosts, tenant_access, tenants

_HOST = cross_tenant(select(hosts.c.tenant_id).where(hosts.c.host == p("host")))
_ACCESS = cross_tenant(
    select(tenant_access.c.target, tenant_access.c.allowed).where(tenant_access.c.tenant_id == p("tenant_id"))
)
_TENANT = cross_tenant(
    select(
        tenants.c.id,
        tenants.c.suspended,
        tenants.c.sandbox,
        tenants.c.currency,
        tenants.c.region,
        tenants.c.generation,
        tenants.c.token_version,
        tenants.c.reseller_token_version,
        tenants.c.storefront_token_version,
        tenants.c.lifetime_reseller,
        tenants.c.lifetime_storefront,
        tenants.c.idle_reseller,
        tenants.c.idle_storefront,
        tenants.c.idle_reseller_since,
        tenants.c.idle_storefront_since,
        tenants.c.origins,
        tenants.c.limits,
        tenants.c.name,
        tenants.c.brand,
        tenants.c.lenient,
        tenants.c.checkout_limits,
        tenants.c.verify_email,
    ).where(tenants.c.id == p("id"))
)


def tenant_of_host(tx: SystemTransaction, host: str) -> str | None:
    """Returns the id of the tenant that has the host."""
    row = tx.one(_HOST, host=host)
    return row[0] if row else None


def tenant_entry(tx: SystemTransaction, tenant: str) -> TenantEntry | None:
    """Returns the tenant's entry for the gate's cache."""
    row = tx.one(_TENANT, id=tenant)
    if row is None:
        return None
    return TenantEntry(
        id=row[0],
        suspended=bool(row[1]),
        sandbox=bool(row[2]),
        currency=row[3],
        region=row[4],
        generation=row[5],
        token_version=row[6],
        surface_token_versions={Surface.RESELLER: row[7], Surface.STOREFRONT: row[8]},
        lifetimes={Surface.RESELLER: row[9], Surface.STOREFRONT: row[10]},
        idle={Surface.RESELLER: row[11], Surface.STOREFRONT: row[12]},
        idle_since={Surface.RESELLER: row[13], Surface.STOREFRONT: row[14]},
        access={target: bool(allowed) for target, allowed in tx.all(_ACCESS, tenant_id=tenant)},
        origins=frozenset(row[15].split()),
        limits=json.loads(row[16]),
        name=row[17],
        brand=json.loads(row[18] or "{}"),
        lenient=bool(row[19]),
        checkout_limits=json.loads(row[20]),
        verify_email=bool(row[21]),
    )
