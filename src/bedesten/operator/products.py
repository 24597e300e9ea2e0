"""A tenant's catalogue as its operator keeps it: imported, priced, listed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cache
from typing import Any, cast

from sqlalchemy import select, update

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.audit.actions import OPERATOR, record
from bedesten.base.clock import wire_time
from bedesten.base.money import to_decimal, to_minor
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches
from bedesten.catalogue.actions import STOCK, Product, ProductFields
from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.tables import categories, products, stock_levels
from bedesten.errors import Refusal, bad_field
from bedesten.gate.scopes import Surface
from bedesten.operator.amounts import minor_amount
from bedesten.operator.productfile import Problems, Row
from bedesten.store.sql import TENANT, into, p, statement
from bedesten.store.transaction import Transaction

_P = products.c
_PRODUCTS = (
    select(*(_P[field.name] if field.name in _P else stock_levels.c[field.name] for field in fields(Product)))
    .select_from(products.join(stock_levels, stock_levels.c.product_id == _P.id))
    .where(_P.tenant_id == TENANT)
)
_BY_SKU = into(Product, _PRODUCTS.where(_P.sku == p("sku")))
_BY_SUPPLIER_SKU = into(Product, _PRODUCTS.where(_P.supplier_id == p("supplier"), _P.supplier_sku == p("sku")))
_LIST = into(Product, _PRODUCTS.order_by(_P.id))
_HERE = (_P.tenant_id == TENANT) & (_P.id == p("id"))
_ADOPT = statement(update(products).where(_HERE, _P.sku.is_(None)).values(sku=p("sku")))
_REVISE = statement(
    update(products)
    .where(_HERE)
    .values(
        name=p("name"),
        description=p("description"),
        region=p("region"),
        price=p("price"),
        fulfilment=p("fulfilment"),
        require_data=p("require_data"),
        active=p("active"),
        updated=p("now"),
    )
)
_SET_COST = statement(update(products).where(_HERE).values(cost=p("cost")))
_CATEGORIES = statement(select(categories.c.id, categories.c.name).where(categories.c.tenant_id == TENANT))


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. `notes` say what of it was left aside, and why; `unchanged` rows say what was so already."""

    created: int
    updated: int
    notes: tuple[str, ...]
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Planned:
    """One row: the product as it is, if there is one, and as it will be but for the ids of what is named here."""

    line: int
    before: Product | None
    after: ProductFields
    category: str | None
    supplier: str | None


def import_rows(tx: Transaction, currency: str, source: str, rows: Sequence[Row]) -> Imported:
    """Makes or changes the products, all or none, and the categories and suppliers that they name.

    Raises `Refusal` (-2) with everything that is wrong, before anything is written. The cost of a product is its
    supplier's business once the supplier has said one: then it is left as it is, and a note says so.
    """
    problems = Problems(source)
    planner = _Planner(tx, currency, problems)
    planned = [planner.plan(row) for row in rows]
    problems.refuse_if_any()
    category = cache(lambda name: catalogue.category(tx, name))
    supplier = cache(lambda name: _supplier(tx, name) or accounts.owner(tx, Surface.SUPPLIER, name))
    written = [_write(tx, one, category, supplier) for one in planned]
    created = sum(1 for one in planned if one.before is None)
    updated = sum(changed for changed, _ in written) - created
    record(tx, OPERATOR, "products.import", source, created=created, updated=updated)
    return Imported(created, updated, tuple(note for _, note in written if note), len(planned) - created - updated)


def _write(
    tx: Transaction, one: _Planned, category: Callable[[str], str], supplier: Callable[[str], str]
) -> tuple[bool, str | None]:
    """Writes one row; answers whether that changed anything, and what was left aside of it."""
    before, cost, changed = one.before, one.after.cost, False
    after = replace(
        one.after,
        category_id=category(one.category) if one.category else None,
        supplier_id=supplier(one.supplier) if one.supplier else None,
    )
    if before is not None and before.sku is None:
        tx.run(_ADOPT, id=before.id, sku=after.sku)
        changed = True
    if before is None or _references(before) != _references(after):
        product_id = catalogue.put_product(tx, after)
        changed = True
    else:
        product_id = before.id
        if _texts(before) != _texts(after):
            tx.run(_REVISE, id=before.id, now=tx.now, **_texts(after))
            changed = True
    if before is not None and before.code_comparison != after.code_comparison:
        batches.compare(tx, before.id, after.code_comparison)
        changed = True
    if before is None or cost is None or cost == before.cost:
        return changed, None
    if before.cost is not None and before.supplier_id is not None and before.supplier_id == after.supplier_id:
        kept = to_decimal(before.cost, before.currency)
        return changed, f"line {one.line}: the cost stays {kept}, as its supplier has it"
    tx.run(_SET_COST, id=product_id, cost=cost)
    return True, None


def _references(of: Product | ProductFields) -> tuple[str | None, ...]:
    """What of a product leads to other rows."""
    return of.category_id, of.supplier_id, of.supplier_sku


def _texts(of: Product | ProductFields) -> dict[str, object]:
    """What of a product can change while its references stay.

    Such a change is a statement of its own: one that touches a foreign key makes SQLite keep a journal for each
    statement, whose end takes time in proportion to all that the transaction has changed.
    """
    return {
        "name": of.name,
        "description": of.description,
        "region": of.region,
        "price": of.price,
        "fulfilment": of.fulfilment,
        "require_data": catalogue.requirements_text(of.requirements),
        "active": int(of.active),
    }


class _Planner:
    """Judges rows against what the tenant has. Writes nothing."""

    def __init__(self, tx: Transaction, currency: str, problems: Problems) -> None:
        self._tx = tx
        self._currency = currency
        self._problems = problems
        self._supplier_id = cache(lambda name: _supplier(tx, name))
        self._categories: Mapping[str, str] = dict(tx.all(_CATEGORIES))
        self._skus: set[str] = set()
        self._offers: set[tuple[str, str]] = set()

    def plan(self, row: Row) -> _Planned:
        """The row as it is to be written, unless `problems` knows why it cannot be."""
        sku = cast(str, row.given["sku"])
        if sku in self._skus:
            self._problems.add(row.line, "sku", "stands in the file twice")
        self._skus.add(sku)
        before = self._before(row, sku)
        then = before or _NOTHING
        name = _given(row, "name", then.name)
        if not name:
            self._problems.add(row.line, "name", "is required")
        supplier = _given(row, "supplier", then.supplier_id)
        fulfilment = _given(row, "fulfilment", then.fulfilment) or STOCK
        if fulfilment != STOCK and supplier is None:
            self._problems.add(row.line, "supplier", f"is required, because fulfilment is {fulfilment}")
        after = ProductFields(
            name=name or "",
            currency=self._currency,
            sku=sku,
            description=_given(row, "description", then.description) or "",
            region=_given(row, "region", then.region),
            price=self._amount(row, "price", then.price),
            cost=self._amount(row, "cost", None),
            fulfilment=fulfilment,
            supplier_sku=self._supplier_sku(row, before, supplier),
            requirements=tuple(_given(row, "requireData", then.requirements) or ()),
            code_comparison=_given(row, "codeComparison", then.code_comparison) or FOLDED,
            active=_given(row, "active", bool(then.active)) is not False,
        )
        return _Planned(row.line, before, after, _given(row, "category", self._category(then)), supplier)

    def _before(self, row: Row, sku: str) -> Product | None:
        """The product with this sku, or the supplier's own offer that has none yet and is now given it."""
        known = self._tx.one(_BY_SKU, sku=sku)
        named, offer = row.given.get("supplier"), row.given.get("supplierSku")
        supplier = self._supplier_id(named) if known is None and isinstance(named, str) else None
        if supplier is None or not isinstance(offer, str):
            return known
        held = self._tx.one(_BY_SUPPLIER_SKU, supplier=supplier, sku=offer)
        return held if held and held.sku is None else None

    def _category(self, product: Product) -> str | None:
        return self._categories.get(product.category_id) if product.category_id else None

    def _supplier_sku(self, row: Row, before: Product | None, supplier: str | None) -> str | None:
        offer: str | None = _given(row, "supplierSku", before.supplier_sku if before else None)
        if offer is None:
            return None
        if supplier is None:
            self._problems.add(row.line, "supplierSku", "belongs to a supplier, and none is named")
            return offer
        account = self._supplier_id(supplier)
        place = (account or supplier.casefold(), offer)
        if place in self._offers:
            self._problems.add(row.line, "supplierSku", "stands in the file twice for this supplier")
        self._offers.add(place)
        held = self._tx.one(_BY_SUPPLIER_SKU, supplier=account, sku=offer) if account else None
        if held and (before is None or held.id != before.id):
            self._problems.add(row.line, "supplierSku", f"product {held.sku or held.id} of this supplier has it")
        return offer

    def _amount(self, row: Row, field: str, otherwise: int | None) -> int | None:
        amount = _given(row, field, None)
        if amount is None:
            return None if field in row.given else otherwise
        try:
            return to_minor(amount, self._currency)
        except ValueError as error:
            self._problems.add(row.line, field, str(error))
            return None


_NOTHING = Product(
    id="",
    sku=None,
    category_id=None,
    name="",
    description="",
    region=None,
    currency="",
    price=None,
    cost=None,
    fulfilment=STOCK,
    supplier_id=None,
    supplier_sku=None,
    require_data="[]",
    code_comparison=FOLDED,
    active=1,
    offered=1,
    updated=0,
    available=0,
)
"""What a product is of which nothing was said yet."""


def _given(row: Row, field: str, otherwise: Any) -> Any:
    """What the file says of a field; what it does not mention stays."""
    return row.given.get(field, otherwise)


def _supplier(tx: Transaction, name: str) -> str | None:
    """The id of the supplier with this name or id, if there is one."""
    found = accounts.by_id(tx, "supplier", name) or accounts.by_handle(
        tx, "supplier", " ".join(name.casefold().split())
    )
    return found.id if found else None


# --- prices and the list -----------------------------------------------------------------------------------------------


def set_prices(tx: Transaction, currency: str, prices: Mapping[str, Decimal]) -> list[dict[str, object]]:
    """Prices products, named by sku or id, and switches them on; all or none. Raises `Refusal`: -2 or -3."""
    found: dict[str, Product | None] = {
        name: tx.one(_BY_SKU, sku=name) or catalogue.product(tx, name) for name in prices
    }
    unknown = {name: "there is no such product" for name, product in found.items() if product is None}
    if unknown:
        raise Refusal(errors.NOT_FOUND, f"no product {', '.join(sorted(unknown))}", fields=unknown)
    before: dict[str, int | None] = {}
    after: dict[str, int] = {}
    for name, product in found.items():
        assert product is not None, "the unknown ones were refused"
        if product.id in after:
            raise bad_field(name, "the same product is priced twice")
        before[product.id], after[product.id] = product.price, minor_amount(prices[name], currency, name)
        catalogue.set_price(tx, product.id, after[product.id])
    record(tx, OPERATOR, "products.prices", tx.tenant, before=before, after=after, currency=currency)
    return [shown for shown in listed(tx) if shown["id"] in after]


def product_of(tx: Transaction, name: str) -> Product:
    """The product with this sku or id. Raises `Refusal` (-3)."""
    product = tx.one(_BY_SKU, sku=name) or catalogue.product(tx, name)
    if product is None:
        raise Refusal(errors.NOT_FOUND, f"no product {name}", fields={name: "there is no such product"})
    return product


def listed(tx: Transaction) -> list[dict[str, object]]:
    """Every product of the tenant, sold or not, in the words of a file that `import_rows` takes."""
    category_names: Mapping[str, str] = dict(tx.all(_CATEGORIES))
    supplier_names = {one["id"]: one["name"] for one in accounts.list_all(tx, "supplier")}
    return [
        {
            "id": one.id,
            "sku": one.sku,
            "name": one.name,
            "category": category_names.get(one.category_id or ""),
            "price": None if one.price is None else to_decimal(one.price, one.currency),
            "cost": None if one.cost is None else to_decimal(one.cost, one.currency),
            "currency": one.currency,
            "description": one.description,
            "region": one.region,
            "fulfilment": one.fulfilment,
            "supplier": supplier_names.get(one.supplier_id or ""),
            "supplierSku": one.supplier_sku,
            "requireData": [{"id": each.id, "name": each.name, "required": each.required} for each in one.requirements],
            "codeComparison": one.code_comparison,
            "active": bool(one.active),
            "offered": bool(one.offered),
            "available": one.available,
            "updated": wire_time(one.updated),
        }
        for one in tx.all(_LIST)
    ]
