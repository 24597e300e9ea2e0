"""Lists the products that buyers can see: filtered by category, words, sku, stock and regions, in one of a few orders.

Pages follow each other by the value of the order and the id. In the order of ids no product is skipped or repeated; in
another order a product whose name or price changes between two pages can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import and_, func, or_, select

from bedesten.catalogue.actions import SHOP_PRODUCTS, SUPPLIER_READY, Page, visible
from bedesten.catalogue.levels import AVAILABLE
from bedesten.catalogue.model import STOCK, SUPPLIER, Product
from bedesten.catalogue.tables import products
from bedesten.core.text import key
from bedesten.store.sql import TENANT, Statement, p, rows_as, statement
from bedesten.store.transaction import Transaction

MAX_REGIONS = 10
MAX_LISTED_REGIONS = 300
_P = products.c
_IN_STOCK = or_(and_(_P.fulfilment != SUPPLIER, AVAILABLE > 0), and_(_P.fulfilment != STOCK, SUPPLIER_READY == 1))


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Which products are listed, and how; empty values select everything. `regions` are those of the buyer."""

    regions: tuple[str, ...]
    category: str = ""
    search: str = ""
    sku: str = ""
    in_stock: bool = False
    order: str = "id"


def _after(column: Any, *, descending: bool = False) -> Any:
    """Matches products after the one with the id `after`, sorted by this column and then by id."""
    last = products.alias("last")
    value = select(last.c[column.name]).where(last.c.tenant_id == TENANT, last.c.id == p("after")).scalar_subquery()
    beyond = column < value if descending else column > value
    return or_(p("after") == "", beyond, and_(column == value, _P.id > p("after")))


def _listed(after: Any, *order: Any) -> Statement[Product]:
    return rows_as(
        Product,
        SHOP_PRODUCTS.where(
            after,
            _P.updated >= p("since"),
            visible(or_(_P.region.is_(None), *(_P.region == p(f"region{at}") for at in range(MAX_REGIONS)))),
            or_(p("category") == "", _P.category_id == p("category")),
            or_(p("pattern") == "", func.lower(_P.name).like(p("pattern"), escape="!")),
            or_(p("sku") == "", _P.sku_key == p("sku")),
            or_(p("in_stock") == 0, _IN_STOCK),
        )
        .order_by(*order, _P.id)
        .limit(p("most")),
    )


_LISTS: Mapping[str, Statement[Product]] = MappingProxyType(
    {
        "id": _listed(_P.id > p("after")),
        "name": _listed(_after(_P.name), _P.name),
        "price": _listed(_after(_P.price), _P.price),
        "-price": _listed(_after(_P.price, descending=True), _P.price.desc()),
    }
)


def shop_products(tx: Transaction, page: Page, wanted: ProductFilter) -> list[Product]:
    """Returns the products that buyers of the regions can see: a page and one more.

    With `page.since` the list includes products that were published once and are no longer sold there.
    """
    regions = (wanted.regions * MAX_REGIONS)[:MAX_REGIONS]
    return tx.all(
        _LISTS[wanted.order],
        after=page.after,
        since=page.since,
        category=wanted.category,
        pattern=_pattern(wanted.search),
        sku=key(wanted.sku) if wanted.sku else "",
        in_stock=int(wanted.in_stock),
        most=page.size + 1,
        now=tx.now,
        **{f"region{at}": region for at, region in enumerate(regions)},
    )


def _pattern(search: str) -> str:
    """Returns the LIKE pattern of names that contain the text; `!` escapes."""
    if not search:
        return ""
    return "%" + "".join(f"!{each}" if each in "%_!" else each for each in search.lower()) + "%"


_REGIONS = statement(
    select(_P.region)
    .where(_P.tenant_id == TENANT, _P.region.is_not(None), _P.published.is_not(None), _P.active == 1)
    .distinct()
    .order_by(_P.region)
    .limit(MAX_LISTED_REGIONS)
)


def regions_sold(tx: Transaction) -> list[str]:
    """Returns the regions that have products of their own, at most `MAX_LISTED_REGIONS`."""
    return [row[0] for row in tx.all(_REGIONS)]
