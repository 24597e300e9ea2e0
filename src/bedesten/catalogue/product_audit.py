"""Writes the audit rows of a product: who changed what, in words for people."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import select

from bedesten.accounts.tables import accounts
from bedesten.audit.actions import Actor, PreparedRow, prepared, record_each
from bedesten.catalogue.model import Product, ProductFields, fields_of
from bedesten.catalogue.tables import categories
from bedesten.core.money import to_decimal
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

Namer = Callable[[str, str], str]
"""Returns the name for a field (`category_id`, `supplier_id`) and its value."""
MAX_SHOWN = 200
"""Number of characters of a description that an audit row repeats."""

_SUPPLIER = statement(select(accounts.c.name).where(accounts.c.tenant_id == TENANT, accounts.c.id == p("id")))
_CATEGORY = statement(select(categories.c.name).where(categories.c.tenant_id == TENANT, categories.c.id == p("id")))


def record_change(
    tx: Transaction, actor: Actor, product_id: str, before: Product | None, after: ProductFields, **why: object
) -> bool:
    """Writes an audit row for the differences and returns whether there were any."""
    row = prepared_change(partial(name_of, tx), actor, product_id, before, after, **why)
    if row is None:
        return False
    record_each(tx, actor, [row])
    return True


def prepared_change(
    named: Namer, actor: Actor, product_id: str, before: Product | None, after: ProductFields, **why: object
) -> PreparedRow | None:
    """Prepares the audit row for the differences; None if there are none.

    Amounts appear as decimals, and names replace ids.
    """
    was, now = (fields_of(before) if before else None), after
    fields = [name for name in _SHOWN if was is None or getattr(was, name) != getattr(now, name)]
    if was is not None and not fields:
        return None
    detail: dict[str, object] = {"sku": now.sku, "name": now.name, **why}
    if was is not None:
        detail["before"] = _shown(named, was, fields)
    detail["after"] = _shown(named, now, fields)
    return prepared(actor, "product.change" if was else "product.create", product_id, **detail)


def name_of(tx: Transaction, field: str, reference: str) -> str:
    """Returns the name of the category or supplier that `field` refers to, or the reference itself if there is none."""
    row = tx.one(_CATEGORY if field == "category_id" else _SUPPLIER, id=reference)
    return row[0] if row else reference


_SHOWN = {
    "sku": "sku",
    "name": "name",
    "description": "description",
    "category_id": "category",
    "region": "region",
    "price": "price",
    "cost": "cost",
    "accepted_cost": "acceptedCost",
    "fulfilment": "fulfilment",
    "supplier_id": "supplier",
    "supplier_sku": "supplierSku",
    "requirements": "requireData",
    "code_comparison": "codeComparison",
    "code_pattern": "codePattern",
    "pin_pattern": "pinPattern",
    "serial_pattern": "serialPattern",
    "active": "active",
    "offered": "offered",
    "proposed_name": "proposedName",
}
"""Name of each field in audit rows, as in files and responses."""


def _shown(named: Namer, of: ProductFields, fields: list[str]) -> dict[str, object]:
    shown = {_SHOWN[name]: _value(named, of, name) for name in fields}
    if {"price", "cost", "accepted_cost"} & set(fields):
        shown["currency"] = of.currency
    return shown


def _value(named: Namer, of: ProductFields, name: str) -> object:
    value = getattr(of, name)
    if value is None:
        return None
    match name:
        case "price" | "cost" | "accepted_cost":
            return str(to_decimal(value, of.currency))
        case "category_id" | "supplier_id":
            return named(name, value)
        case "requirements":
            return [f"{one.id}: {one.name}{'' if one.required else '?'}" for one in of.requirements]
        case "description" if len(value) > MAX_SHOWN:
            return f"{value[:MAX_SHOWN]}…"
    return value
