"""How long a buyer may complain: the product's time, else the tenant's, else `DEFAULT_DAYS`.

The time runs from the last change of the line: its delivery, its last part, a replaced code. A reveal does not move it.
Complaints that the operator or a recall opens have no window.
"""

from sqlalchemy import select, update

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue.tables import products
from bedesten.complaints import statements as sql
from bedesten.core.clock import DAY, wire_time
from bedesten.errors import Refusal, bad_field
from bedesten.orders.model import Line
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

DEFAULT_DAYS, MAX_DAYS = 180, 3650
_PRODUCT = (products.c.tenant_id == TENANT) & (products.c.id == p("product"))
_OF_PRODUCT = statement(select(products.c.complaint_days).where(_PRODUCT))
_SET_OF_PRODUCT = statement(update(products).where(_PRODUCT).values(complaint_days=p("days")))


def tenant_days(tx: Transaction) -> int:
    """Returns the tenant's time in days."""
    row = tx.one(sql.WINDOW)
    return int(row[0]) if row else DEFAULT_DAYS


def product_days(tx: Transaction, product: str) -> int | None:
    """Returns a product's own time in days; None: it has none."""
    row = tx.one(_OF_PRODUCT, product=product)
    return None if row is None or row[0] is None else int(row[0])


def set_tenant_days(tx: Transaction, days: int, actor: Actor) -> None:
    """Changes the tenant's time, for complaints from now on. Raises `Refusal` (-2)."""
    _check_bounds(days, "--days")
    if not tx.run(sql.INSERT_SETTINGS, supplier_decides=0, days=days):
        tx.run(sql.SET_WINDOW, new_days=days)
    record(tx, actor, "complaint.settings", tx.tenant, days=days)


def set_product_days(tx: Transaction, product: str, days: int | None, actor: Actor) -> None:
    """Changes a product's own time, for complaints from now on; None: the tenant's counts. Raises `Refusal` (-2)."""
    if days is not None:
        _check_bounds(days, "--complaint-days")
    tx.run(_SET_OF_PRODUCT, product=product, days=days)
    record(tx, actor, "product.complaint_days", product, days=days)


def _check_bounds(days: int, option: str) -> None:
    if not 1 <= days <= MAX_DAYS:
        raise bad_field(option, f"must be 1 to {MAX_DAYS:,} days")


def check(tx: Transaction, line: Line) -> None:
    """Refuses a complaint of a buyer (-510) about a line whose time has passed."""
    end = line.updated + (product_days(tx, line.product_id) or tenant_days(tx)) * DAY
    if end <= tx.now:
        raise Refusal(errors.COMPLAINT_WINDOW, f"the time ended at {wire_time(end)}", data={"ended": wire_time(end)})
