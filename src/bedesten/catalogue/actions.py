"""Reading and changing the catalogue."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import case, func, select, update

from bedesten import errors
from bedesten.base.ids import new_id
from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.tables import categories, products, stock_levels
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, inserting, into, p, statement
from bedesten.store.transaction import Transaction, TryAgain

STOCK, SUPPLIER, STOCK_FIRST = "stock", "supplier", "stock_first"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something a buyer must say with an order of the product: a player id, a phone number. `id` is what requests name."""

    id: str
    name: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Product:
    """One product. Amounts in minor units of `currency`; `price` None: not priced yet. See the chapter for the rest."""

    id: str
    sku: str | None
    category_id: str | None
    name: str
    description: str
    region: str | None
    currency: str
    price: int | None
    cost: int | None
    fulfilment: str
    supplier_id: str | None
    supplier_sku: str | None
    require_data: str
    code_comparison: str
    active: int
    offered: int
    updated: int
    available: int

    @property
    def sellable(self) -> bool:
        """Whether it is sold at all, whatever the stock."""
        return bool(self.active and self.offered and self.price is not None)

    @property
    def in_stock(self) -> bool:
        """Whether an order of one unit can be fulfilled or at least queued now."""
        return self.available > 0 or self.fulfilment != STOCK

    @property
    def requirements(self) -> list[Requirement]:
        """What a buyer must say with an order of it."""
        return [Requirement(**one) for one in json.loads(self.require_data)] if self.require_data != "[]" else []


_P = products.c
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
    stock_levels.c.available,
)
_FROM = products.join(stock_levels, stock_levels.c.product_id == _P.id)
_HERE = (_P.tenant_id == TENANT) & (_P.id == p("id"))
_SOLD = (_P.active == 1) & (_P.offered == 1) & _P.price.is_not(None)
_ONE = into(Product, select(*_COLUMNS).select_from(_FROM).where(_HERE))
_PAGE = (
    select(*_COLUMNS)
    .select_from(_FROM)
    .where(_P.tenant_id == TENANT, _P.id > p("after"), _P.updated >= p("since"))
    .order_by(_P.id)
    .limit(p("most"))
)
_SHOP = into(
    Product,
    _PAGE.where(
        _SOLD,
        (_P.region.is_(None)) | (_P.region == p("region")),
        (p("category") == "") | (_P.category_id == p("category")),
    ),
)
_SUPPLIERS = into(Product, _PAGE.where(_P.supplier_id == p("supplier")))
_BY_SKU = statement(select(_P.id).where(_P.tenant_id == TENANT, _P.sku == p("sku")))
_BY_SUPPLIER_SKU = into(
    Product,
    select(*_COLUMNS)
    .select_from(_FROM)
    .where(_P.tenant_id == TENANT, _P.supplier_id == p("supplier"), _P.supplier_sku == p("sku")),
)
_CREATE = inserting(products, or_ignore=True)
_LEVEL = inserting(stock_levels)
_OFFER = statement(
    update(products).where(_HERE).values(name=p("name"), cost=p("cost"), offered=p("offered"), updated=p("now"))
)
_REPLACE = statement(
    update(products)
    .where(_HERE)
    .values(
        category_id=p("category_id"),
        name=p("name"),
        description=p("description"),
        region=p("region"),
        price=p("price"),
        fulfilment=p("fulfilment"),
        supplier_id=p("supplier_id"),
        supplier_sku=p("supplier_sku"),
        require_data=p("require_data"),
        active=p("active"),
        updated=p("now"),
    )
)
_PRICE = statement(update(products).where(_HERE).values(price=p("price"), active=p("active"), updated=p("now")))
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
_ADD_CATEGORY = inserting(categories, or_ignore=True)
_COUNT_CATEGORIES = statement(select(func.count()).select_from(categories).where(categories.c.tenant_id == TENANT))


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for. `after` is the last id of the page before, or empty; `since` in epoch ms."""

    after: str = ""
    size: int = 50
    since: int = 0


def product(tx: Transaction, product_id: str) -> Product | None:
    """The product with this id, sold or not."""
    return tx.one(_ONE, id=product_id)


def shop_product(tx: Transaction, product_id: str, region: str) -> Product:
    """A product as a buyer of the region may see it. Raises `Refusal` (-3)."""
    found = product(tx, product_id)
    if found is None or not found.sellable or found.region not in (None, region):
        raise Refusal(errors.NOT_FOUND, "no such product, not sold, or of another region")
    return found


def shop_products(tx: Transaction, page: Page, region: str, category: str = "") -> list[Product]:
    """One more than a page of what buyers of the region can see, by id."""
    return tx.all(_SHOP, after=page.after, since=page.since, most=page.size + 1, region=region, category=category)


def supplier_products(tx: Transaction, page: Page, supplier: str) -> list[Product]:
    """One more than a page of what a supplier offers, by id."""
    return tx.all(_SUPPLIERS, after=page.after, since=page.since, most=page.size + 1, supplier=supplier)


def list_categories(tx: Transaction, region: str) -> list[tuple[str, str, int]]:
    """Id, name and the number of products sold in the region, for each category that has any."""
    return [(row[0], row[1], int(row[2])) for row in tx.all(_CATEGORIES, region=region) if row[2]]


def category(tx: Transaction, name: str) -> str:
    """The id of the category of this name; made, at the end, if there is none."""
    row = tx.one(_CATEGORY, name=name)
    if row is None:
        count = tx.one(_COUNT_CATEGORIES)
        tx.run(_ADD_CATEGORY, id=new_id("cat"), name=name, position=count[0] if count else 0)
        row = tx.one(_CATEGORY, name=name)
    assert row is not None, "a category that was just made is there"
    found: str = row[0]
    return found


@dataclass(frozen=True, slots=True)
class Offer:
    """What a supplier says of a product of its own. `cost` in minor units of the tenant's currency."""

    sku: str
    name: str
    cost: int
    offered: bool = True


def upsert_offer(tx: Transaction, supplier: str, currency: str, offer: Offer) -> Product:
    """Changes the supplier's part of a product, or makes one that the operator has yet to price and switch on."""
    found = tx.one(_BY_SUPPLIER_SKU, supplier=supplier, sku=offer.sku)
    if found:
        tx.run(_OFFER, id=found.id, name=offer.name, cost=offer.cost, offered=int(offer.offered), now=tx.now)
        product_id = found.id
    else:
        made = _insert(
            tx,
            ProductFields(
                name=offer.name,
                currency=currency,
                cost=offer.cost,
                fulfilment=STOCK_FIRST,
                supplier_id=supplier,
                supplier_sku=offer.sku,
                active=False,
                offered=offer.offered,
            ),
        )
        if made is None:
            raise TryAgain("the supplier's sku was offered at the same moment: the next run finds its product")
        product_id = made
    changed = product(tx, product_id)
    assert changed is not None, "a product that was just written is there"
    return changed


@dataclass(frozen=True, slots=True)
class ProductFields:
    """A product as the operator writes it."""

    name: str
    currency: str
    sku: str | None = None
    category_id: str | None = None
    description: str = ""
    region: str | None = None
    price: int | None = None
    cost: int | None = None
    fulfilment: str = STOCK
    supplier_id: str | None = None
    supplier_sku: str | None = None
    requirements: tuple[Requirement, ...] = ()
    code_comparison: str = FOLDED
    active: bool = True
    offered: bool = True


def put_product(tx: Transaction, fields: ProductFields) -> str:
    """Makes the product with this sku, or replaces the operator's part of it. Answers its id.

    Raises `Refusal` (-8) when another product has the supplier's sku.
    """
    row = tx.one(_BY_SKU, sku=fields.sku) if fields.sku else None
    if fields.supplier_id and fields.supplier_sku:
        theirs = tx.one(_BY_SUPPLIER_SKU, supplier=fields.supplier_id, sku=fields.supplier_sku)
        if theirs and (row is None or theirs.id != row[0]):
            problem = "another product has this sku of the supplier"
            raise Refusal(errors.CONFLICT, problem, fields={"supplierSku": problem})
    if row is None:
        made = _insert(tx, fields)
        if made is None:
            raise TryAgain("the sku was taken at the same moment: the next run finds its product")
        return made
    tx.run(
        _REPLACE,
        id=row[0],
        category_id=fields.category_id,
        name=fields.name,
        description=fields.description,
        region=fields.region,
        price=fields.price,
        fulfilment=fields.fulfilment,
        supplier_id=fields.supplier_id,
        supplier_sku=fields.supplier_sku,
        require_data=requirements_text(fields.requirements),
        active=int(fields.active),
        now=tx.now,
    )
    found: str = row[0]
    return found


def set_price(tx: Transaction, product_id: str, price: int) -> None:
    """Prices a product and switches it on. Raises `Refusal` (-3)."""
    if not tx.run(_PRICE, id=product_id, price=price, active=1, now=tx.now):
        raise Refusal(errors.NOT_FOUND, "no such product", fields={"product": "there is no such product"})


def _insert(tx: Transaction, fields: ProductFields) -> str | None:
    """The id of the fresh product, None when its sku or its supplier's is another's."""
    product_id = new_id("prd")
    made = tx.run(
        _CREATE,
        id=product_id,
        sku=fields.sku,
        category_id=fields.category_id,
        name=fields.name,
        description=fields.description,
        region=fields.region,
        currency=fields.currency,
        price=fields.price,
        cost=fields.cost,
        fulfilment=fields.fulfilment,
        supplier_id=fields.supplier_id,
        supplier_sku=fields.supplier_sku,
        require_data=requirements_text(fields.requirements),
        code_comparison=fields.code_comparison,
        active=int(fields.active),
        offered=int(fields.offered),
        updated=tx.now,
    )
    if not made:
        return None
    tx.run(_LEVEL, product_id=product_id, available=0, next_expiry=None, consigned=0)
    return product_id


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Requirements as they are stored."""
    return json.dumps(
        [{"id": one.id, "name": one.name, "required": one.required} for one in requirements],
        ensure_ascii=False,
        separators=(",", ":"),
    )
