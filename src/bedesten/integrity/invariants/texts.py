"""3: names are in their normal form, so that two spellings are one name. Checked in Python: SQL cannot do it."""

from collections.abc import Callable, Iterator

from sqlalchemy import literal, select

from bedesten.accounts.tables import accounts
from bedesten.catalogue.tables import categories, products
from bedesten.core import text
from bedesten.core.text import Text, TextError
from bedesten.store.sql import CrossTenantStatement, cross_tenant
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.tables import tenants

_P, _A, _T = products.c, accounts.c, tenants.c
_Row = tuple[str, str, str, str | None]
"""The tenant, the id, the text, and the comparison key that is stored with it, if there is one."""
_NAME_QUERIES: tuple[tuple[str, Text, CrossTenantStatement[_Row]], ...] = (
    ("the name of tenant", text.name, cross_tenant(select(_T.id, _T.id, _T.name, _T.name_key))),
    ("the name of product", text.name, cross_tenant(select(_P.tenant_id, _P.id, _P.name, literal(None)))),
    ("the sku of product", text.sku, cross_tenant(select(_P.tenant_id, _P.id, _P.sku, _P.sku_key))),
    (
        "the supplier's sku of product",
        text.sku,
        cross_tenant(select(_P.tenant_id, _P.id, _P.supplier_sku, _P.supplier_sku_key)),
    ),
    (
        "the name of category",
        text.name,
        cross_tenant(select(categories.c.tenant_id, categories.c.id, categories.c.name, literal(None))),
    ),
    (
        "the name of owner",
        text.name,
        cross_tenant(
            select(_A.tenant_id, _A.id, _A.name, _A.handle).where((_A.kind == "supplier") | (_A.kind == "integration"))
        ),
    ),
    (
        "the e-mail of account",
        text.email,
        cross_tenant(
            select(_A.tenant_id, _A.id, _A.handle, literal(None)).where(
                (_A.kind == "partner") | (_A.kind == "customer")
            )
        ),
    ),
)


def violations(tx: SystemTransaction) -> Iterator[tuple[str, str]]:
    """The tenant and a message for each text that is not in its normal form or has a wrong comparison key."""
    for what, kind, rows in _NAME_QUERIES:
        for tenant, row, written, compared in tx.all(rows):
            if written is not None and not _is_normal(kind, written):
                yield tenant, f"{what} {row} is not in its normal form"
            elif written is not None and compared is not None and compared != text.key(written):
                yield tenant, f"{what} {row} has a wrong comparison key"


def _is_normal(kind: Callable[[str], str], written: str) -> bool:
    try:
        return kind(written) == written
    except TextError:
        return False
