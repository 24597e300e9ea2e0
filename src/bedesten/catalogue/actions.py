"""Reads and changes products and categories."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import case, exists, func, or_, select, update

from bedesten import errors
from bedesten.catalogue.levels import AVAILABLE
from bedesten.catalogue.model import STOCK as STOCK
from bedesten.catalogue.model import STOCK_FIRST as STOCK_FIRST
from bedesten.catalogue.model import SUPPLIER as SUPPLIER
from bedesten.catalogue.model import Product as Product
from bedesten.catalogue.model import ProductFields as ProductFields
from bedesten.catalogue.model import Requirement as Requirement
from bedesten.catalogue.model import fields_of, loss_problem, requirements_text
from bedesten.catalogue.suppliers import further_ready, ready
from bedesten.catalogue.tables import categories, product_suppliers, products, stock_alarms, stock_levels
from bedesten.core.text import key
from bedesten.errors import Refusal, bad_field
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Query, RetryTransaction, Transaction

_P = products.c
SUPPLIER_READY = case(
    (_P.fulfilment == STOCK, 1),
    (ready(_P.supplier_id), 1),
    (further_ready, 1),
    else_=0,
)
_COLUMNS = (
    _P.id,
    _P.sku,
    _P.category_id,
    _P.name,
    _P.description,
    _P.region,
    _P.currency,
    _P.price,
    _P.cost,
    _P.fulfilment,
    _P.supplier_id,
    _P.supplier_sku,
    _P.require_data,
    _P.code_comparison,
    _P.active,
    _P.offered,
    _P.updated,
    _P.accepted_cost,
    _P.proposed_name,
    _P.refused_name,
    _P.published,
    _P.code_pattern,
    _P.pin_pattern,
    _P.serial_pattern,
    AVAILABLE,
    SUPPLIER_READY,
)
_FROM = products.join(stock_levels, stock_levels.c.product_id == _P.id)
_HERE = (_P.tenant_id == TENANT) & (_P.id == p("id"))
_COVERED = or_(_P.cost.is_(None), _P.cost <= _P.price, _P.cost <= _P.accepted_cost)
_SOLD = (_P.active == 1) & (_P.offered == 1) & _P.price.is_not(None) & _COVERED
SELECT_PRODUCTS = select(*_COLUMNS).select_from(_FROM).where(_P.tenant_id == TENANT)
_ONE = rows_as(Product, SELECT_PRODUCTS.where(_P.id == p("id")))
_WITH_TERMS = rows_as(
    lambda *columns: StockedProduct(Product(*columns[:-2]), bool(columns[-2]), columns[-1]),
    SELECT_PRODUCTS.add_columns(stock_levels.c.consigned, stock_levels.c.next_expiry).where(_P.id == p("id")),
)
_LIST = rows_as(Product, SELECT_PRODUCTS.order_by(_P.id))
_PAGE = SELECT_PRODUCTS.where(_P.id > p("after"), _P.updated >= p("since")).order_by(_P.id).limit(p("most"))
SHOP_PRODUCTS = SELECT_PRODUCTS
"""Every product; `shop_list` narrows it to what buyers see."""


def visible(in_region: Any) -> Any:
    """Matches products sold in the region; with `since` also those once published and no longer sold there."""
    return (_SOLD & in_region) | ((p("since") > 0) & _P.published.is_not(None))


_ALL_PAGE = rows_as(Product, _PAGE)
_PROPOSALS = rows_as(Product, _PAGE.where(_P.proposed_name.is_not(None)))
_IS_LOW = (
    select(stock_alarms.c.product_id)
    .where(stock_alarms.c.tenant_id == TENANT, stock_alarms.c.product_id == _P.id, stock_alarms.c.threshold > AVAILABLE)
    .correlate(products, stock_levels)
    .exists()
)
_COUNT_LOW = statement(select(func.count()).select_from(_FROM).where(_P.tenant_id == TENANT, _IS_LOW))
_LOW = rows_as(Product, _PAGE.where(_IS_LOW))
_SUPPLIERS = rows_as(Product, _PAGE.where(_P.supplier_id == p("supplier")))
_BY_SKU = rows_as(Product, SELECT_PRODUCTS.where(_P.sku_key == p("key")))
_BY_SUPPLIER_SKU = rows_as(
    Product, SELECT_PRODUCTS.where(_P.supplier_id == p("supplier"), _P.supplier_sku_key == p("key"))
)
_CREATE = insert_of(products, or_ignore=True)
_LEVEL = insert_of(stock_levels)
_REVISED = {
    "sku": p("sku"),
    "sku_key": p("sku_key"),
    "name": p("name"),
    "description": p("description"),
    "region": p("region"),
    "price": p("price"),
    "cost": p("cost"),
    "accepted_cost": p("accepted_cost"),
    "fulfilment": p("fulfilment"),
    "require_data": p("require_data"),
    "code_pattern": p("code_pattern"),
    "pin_pattern": p("pin_pattern"),
    "serial_pattern": p("serial_pattern"),
    "active": p("active"),
    "proposed_name": p("proposed_name"),
    "refused_name": p("refused_name"),
    "published": func.coalesce(_P.published, p("first_published")),
    "updated": p("now"),
}
_REVISE = statement(update(products).where(_HERE).values(**_REVISED))
_REFERENCES = {name: p(name) for name in ("category_id", "supplier_id", "supplier_sku", "supplier_sku_key")}
_REPLACE = statement(update(products).where(_HERE).values(**_REFERENCES, **_REVISED))
_OFFERED = statement(update(products).where(_HERE).values(offered=p("offered"), updated=p("now")))
_TOUCH = statement(
    update(products)
    .where(
        _P.tenant_id == TENANT,
        or_(
            _P.supplier_id == p("supplier"),
            exists().where(
                product_suppliers.c.tenant_id == TENANT,
                product_suppliers.c.product_id == _P.id,
                product_suppliers.c.supplier_id == p("supplier"),
            ),
        ),
    )
    .values(updated=p("now"))
)
_CATEGORIES = statement(
    select(
        categories.c.id,
        categories.c.name,
        func.sum(case((_SOLD & ((_P.region.is_(None)) | (_P.region == p("region"))), 1), else_=0)),
    )
    .select_from(categories.outerjoin(products, _P.category_id == categories.c.id))
    .where(categories.c.tenant_id == TENANT)
    .group_by(categories.c.id, categories.c.name, categories.c.position)
    .order_by(categories.c.position, categories.c.name)
)
_CATEGORY = statement(select(categories.c.id).where(categories.c.tenant_id == TENANT, categories.c.name == p("name")))
_ADD_CATEGORY = insert_of(categories, or_ignore=True)
_COUNT_CATEGORIES = statement(select(func.count()).select_from(categories).where(categories.c.tenant_id == TENANT))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: `after` is the last id of the previous page, or empty; `since` is in epoch ms."""

    after: str = ""
    size: int = 50
    since: int = 0


def product(tx: Transaction, product_id: str) -> Product | None:
    """Returns the product with this id, sold or not."""
    return tx.one(_ONE, id=product_id, now=tx.now)


class StockedProduct(NamedTuple):
    """A product with the terms of its stock: whether a supplier may earn with its codes, and by when one may expire."""

    product: Product
    earns: bool
    next_expiry: int | None


def stocked_query(tx: Transaction, product_id: str) -> Query[StockedProduct]:
    """Returns the query of a product, sold or not, with the terms of its stock."""
    return Query(_WITH_TERMS, {"id": product_id, "now": tx.now})


def by_sku(tx: Transaction, sku: str) -> Product | None:
    """Returns the product with this sku; spellings with the same folded form match."""
    return tx.one(_BY_SKU, key=key(sku), now=tx.now)


def by_supplier_sku(tx: Transaction, supplier: str, sku: str) -> Product | None:
    """Returns the product that has this sku at the supplier."""
    return tx.one(_BY_SUPPLIER_SKU, supplier=supplier, key=key(sku), now=tx.now)


def all_products(tx: Transaction) -> list[Product]:
    """Returns every product of the tenant in the order of creation."""
    return tx.all(_LIST, now=tx.now)


def products_page(tx: Transaction, page: Page) -> list[Product]:
    """Returns products of the tenant, sold or not, by id: a page and one more."""
    return tx.all(_ALL_PAGE, after=page.after, since=page.since, most=page.size + 1, now=tx.now)


def proposals_page(tx: Transaction, page: Page) -> list[Product]:
    """Returns products for which a name is proposed, by id: a page and one more."""
    return tx.all(_PROPOSALS, after=page.after, since=page.since, most=page.size + 1, now=tx.now)


def low_page(tx: Transaction, page: Page) -> list[Product]:
    """Returns products with fewer free codes than their threshold, by id: a page and one more."""
    return tx.all(_LOW, after=page.after, since=page.since, most=page.size + 1, now=tx.now)


def count_low(tx: Transaction) -> int:
    """Returns how many products have fewer free codes than their threshold."""
    row = tx.one(_COUNT_LOW, now=tx.now)
    return int(row[0]) if row else 0


def touch(tx: Transaction, supplier: str) -> None:
    """Marks a supplier's products as updated, because their availability has changed.

    Buyers who list products by `since` then see them.
    """
    tx.run(_TOUCH, supplier=supplier, now=tx.now)


def shop_product(tx: Transaction, product_id: str, region: str) -> Product:
    """Returns a product as a buyer of the region may see it. Raises `Refusal` (-3)."""
    found = product(tx, product_id)
    if found is None or not found.sellable or found.region not in (None, region):
        raise Refusal(errors.NOT_FOUND, "no such product, not sold, or of another region", missing="product")
    return found


def supplier_products(tx: Transaction, page: Page, supplier: str) -> list[Product]:
    """Returns the products that a supplier offers, by id: a page and one more."""
    return tx.all(_SUPPLIERS, after=page.after, since=page.since, most=page.size + 1, supplier=supplier, now=tx.now)


def list_categories(tx: Transaction, region: str) -> list[tuple[str, str, int]]:
    """Returns id, name and number of products of each category that has a product on sale in the region."""
    return [(row[0], row[1], int(row[2])) for row in tx.all(_CATEGORIES, region=region) if row[2]]


def category(tx: Transaction, name: str) -> str:
    """Returns the id of the category with this name; creates it in the last position if there is none."""
    row = tx.one(_CATEGORY, name=name)
    if row is None:
        count = tx.one(_COUNT_CATEGORIES)
        tx.run(_ADD_CATEGORY, id=tx.new_id("cat"), name=name, position=count[0] if count else 0)
        row = tx.one(_CATEGORY, name=name)
    assert row is not None, "a category that was just made is there"
    found: str = row[0]
    return found


def insert_categories(tx: Transaction, names: Mapping[str, str]) -> bool:
    """Creates categories, id to name, in the last positions.

    Returns False if another transaction has created one of them; the caller then rolls back.
    """
    count = tx.one(_COUNT_CATEGORIES)
    first = count[0] if count else 0
    rows = [{"id": made, "name": name, "position": first + at} for at, (made, name) in enumerate(names.items())]
    return tx.run_each(_ADD_CATEGORY, rows) == len(rows)


def put_product(tx: Transaction, fields: ProductFields) -> str:
    """Creates or changes the product with this sku and returns its id.

    Raises `Refusal`: -8 when another product has the supplier's sku, -2 for a price below cost that the operator has
    not accepted.
    """
    before = by_sku(tx, fields.sku) if fields.sku else None
    if fields.supplier_id and fields.supplier_sku:
        theirs = by_supplier_sku(tx, fields.supplier_id, fields.supplier_sku)
        if theirs and (before is None or theirs.id != before.id):
            problem = "another product has this sku of the supplier"
            raise Refusal(errors.CONFLICT, problem, fields={"supplierSku": problem})
    if before is not None:
        fields = replace(
            fields,
            cost=before.cost if fields.cost is None else fields.cost,
            offered=bool(before.offered),
            proposed_name=before.proposed_name,
            refused_name=before.refused_name,
        )
    if loss := price_problem(before, fields):
        raise bad_field("price", loss)
    if before is None:
        return insert(tx, fields)
    revise(tx, before, fields)
    return before.id


def price_problem(before: Product | None, fields: ProductFields) -> str | None:
    """Explains why the operator may not sell at this price.

    Returns None if the price covers the cost, the operator has accepted the loss, or the change does not affect it.
    """
    if before is not None and (fields.price, fields.cost) == (before.price, before.cost):
        return None
    if fields.accepted_cost is not None and fields.accepted_cost >= (fields.cost or 0):
        return None
    return loss_problem(fields.price, fields.cost, fields.currency)


def insert(tx: Transaction, fields: ProductFields) -> str:
    """Creates a product and returns its id. The caller checks the price."""
    product_id = tx.new_id("prd")
    published = tx.now if is_published(fields) else None
    row = {**new_row(fields), "complaint_days": None, "published": published, "updated": tx.now}
    if not tx.run(_CREATE, id=product_id, **row):
        raise RetryTransaction("the sku was taken at the same moment: the next run finds its product")
    tx.run(_LEVEL, product_id=product_id, available=0, next_expiry=None, consigned=0)
    return product_id


def new_row(fields: ProductFields) -> dict[str, object]:
    """Returns the columns of a new product that its fields decide."""
    return {
        "currency": fields.currency,
        "offered": int(fields.offered),
        "code_comparison": fields.code_comparison,
        **changed_row(fields),
    }


def changed_row(fields: ProductFields) -> dict[str, object]:
    """Returns the columns that a change of everything but `offered` and the comparison of codes writes."""
    return {**_references(fields), **_columns(fields)}


def revise(tx: Transaction, before: Product, fields: ProductFields) -> None:
    """Changes a product to match `fields`. The caller checks the price.

    A separate statement changes the foreign keys: SQLite keeps a journal for each statement that touches one, and
    closing that journal takes time in proportion to everything the transaction has changed.
    """
    first_published = tx.now if is_published(fields) else None
    columns = {**_columns(fields), "first_published": first_published}
    if _references(fields) == _references(fields_of(before)):
        tx.run(_REVISE, id=before.id, now=tx.now, **columns)
    else:
        tx.run(_REPLACE, id=before.id, now=tx.now, **_references(fields), **columns)
    if fields.offered != bool(before.offered):
        tx.run(_OFFERED, id=before.id, offered=int(fields.offered), now=tx.now)


def is_published(fields: ProductFields) -> bool:
    """Whether the product is priced and switched on."""
    return fields.active and fields.price is not None


def _references(fields: ProductFields) -> dict[str, str | None]:
    """Returns the columns of a product that are foreign keys."""
    return {
        "category_id": fields.category_id,
        "supplier_id": fields.supplier_id,
        "supplier_sku": fields.supplier_sku,
        "supplier_sku_key": key(fields.supplier_sku) if fields.supplier_sku else None,
    }


def _columns(fields: ProductFields) -> dict[str, object]:
    """Returns the columns of a product that are not foreign keys."""
    return {
        "sku": fields.sku,
        "sku_key": key(fields.sku) if fields.sku else None,
        "name": fields.name,
        "description": fields.description,
        "region": fields.region,
        "price": fields.price,
        "cost": fields.cost,
        "accepted_cost": fields.accepted_cost,
        "fulfilment": fields.fulfilment,
        "require_data": requirements_text(fields.requirements),
        "code_pattern": fields.code_pattern,
        "pin_pattern": fields.pin_pattern,
        "serial_pattern": fields.serial_pattern,
        "active": int(fields.active),
        "proposed_name": fields.proposed_name,
        "refused_name": fields.refused_name,
    }
