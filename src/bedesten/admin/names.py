"""Human-readable names in place of the ids in the audit trail."""

from sqlalchemy import select

from bedesten.accounts.tables import accounts
from bedesten.catalogue.tables import products
from bedesten.staff.tables import staff
from bedesten.store.sql import CrossTenantStatement, cross_tenant, p
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.tables import tenants

_ACCOUNT = cross_tenant(select(accounts.c.handle).where(accounts.c.id == p("id")))
_PRODUCT = cross_tenant(select(products.c.sku, products.c.name).where(products.c.id == p("id")))
_TENANT = cross_tenant(select(tenants.c.name).where(tenants.c.id == p("id")))
_STAFF = cross_tenant(select(staff.c.email).where(staff.c.id == p("id")))
_OF_KIND: dict[str, CrossTenantStatement[tuple[object, ...]]] = {
    **dict.fromkeys(("par", "cus", "sup", "int"), _ACCOUNT),
    "prd": _PRODUCT,
    "ten": _TENANT,
    "stf": _STAFF,
}


def name_of(tx: SystemTransaction, id_: str) -> str | None:
    """The e-mail or name of an account, the sku or name of a product, the name of a tenant; None for anything else."""
    named = _OF_KIND.get(id_.partition("_")[0])
    row = tx.one(named, id=id_) if named is not None else None
    return next((str(each) for each in row if each), None) if row else None
