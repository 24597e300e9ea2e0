"""Manages the catalogue: prices, suppliers' proposals, the list. For files see `product_import`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import select

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin.inputs import minor_amount, page_of
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import offers, stock_alarms
from bedesten.catalogue.actions import Page
from bedesten.catalogue.model import STOCK, Product, fields_of, loss_problem
from bedesten.catalogue.product_audit import record_change
from bedesten.catalogue.tables import categories
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import Refusal, bad_field
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.product_events import tell_of_change

_CATEGORIES = statement(select(categories.c.id, categories.c.name).where(categories.c.tenant_id == TENANT))


def product_of(tx: Transaction, name: str) -> Product:
    """The product with this sku or id. Raises `Refusal`: -3, or -8 if it is the sku of one product and the id of another."""
    by_sku, by_id = catalogue.by_sku(tx, name), catalogue.product(tx, name)
    if by_sku and by_id and by_sku.id != by_id.id:
        problem = f"it is the sku of product {by_sku.id} and the id of the product with the sku {by_id.sku}"
        raise Refusal(errors.CONFLICT, f"{name} could mean two products", fields={name: problem})
    found = by_sku or by_id
    if found is None:
        raise Refusal(errors.NOT_FOUND, f"no product {name}", fields={name: "there is no such product"})
    return found


def set_prices(
    tx: Transaction, currency: str, prices: Mapping[str, Decimal], *, force: bool = False
) -> list[dict[str, object]]:
    """Sets prices of products, named by sku or id, and activates them; all or none.

    Raises `Refusal`: -2 for a product named twice, and for a price of zero or below cost unless `force` accepts it; -3
    with every unknown name; -8 for a name of two products.
    """
    found = _products_of(tx, prices)
    problems: dict[str, str] = {}
    seen: set[str] = set()
    for name, product in found.items():
        if product.id in seen:
            raise bad_field(name, "the same product is priced twice")
        seen.add(product.id)
        fields = replace(
            fields_of(product), price=minor_amount(prices[name], currency, name), accepted_cost=None, active=True
        )
        loss = loss_problem(fields.price, fields.cost, currency)
        if loss and not force:
            problems[name] = f"{loss}; --force accepts it"
        if loss:
            fields = replace(fields, accepted_cost=fields.cost or 0)
        if not problems and fields != fields_of(product):
            catalogue.revise(tx, product, fields)
            record_change(tx, OPERATOR, product.id, product, fields)
            tell_of_change(tx, product)
    if problems:
        raise Refusal(errors.BAD_REQUEST, "nothing was priced", fields=problems)
    return _views(tx, [_known(tx, one) for one in sorted(seen)])


def _known(tx: Transaction, product_id: str) -> Product:
    found = catalogue.product(tx, product_id)
    assert found is not None, "products are never deleted"
    return found


def _products_of(tx: Transaction, names: Mapping[str, object]) -> dict[str, Product]:
    found: dict[str, Product] = {}
    unknown: dict[str, str] = {}
    for name in names:
        try:
            found[name] = product_of(tx, name)
        except Refusal as refusal:
            if refusal.code is not errors.NOT_FOUND:
                raise
            unknown |= refusal.fields or {}
    if unknown:
        raise Refusal(errors.NOT_FOUND, f"no product {', '.join(sorted(unknown))}", fields=unknown)
    return found


# --- what suppliers propose ----------------------------------------------------------------------------------------------


def proposals(tx: Transaction, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of the products whose supplier proposes another name, and the cursor of the next."""
    found, following = page_of(catalogue.proposals_page(tx, Page(after, limit)), limit, lambda one: one.id)
    return _views(tx, found), following


def answer_proposals(tx: Transaction, names: Sequence[str], *, accept: bool) -> list[Product]:
    """Accepts or rejects the proposed names of these products, all or none. Raises `Refusal`: -3, -8."""
    answer = offers.accept if accept else offers.reject
    return [answer(tx, product_of(tx, name), OPERATOR) for name in names]


# --- the list ----------------------------------------------------------------------------------------------------------


def sale_status(product: Product, region: str | None = None) -> str:
    """Says in a few words whether buyers can order the product now, and why not. `region`: the tenant's."""
    if product.price is None:
        return "no price"
    if not product.active:
        return "switched off"
    if not product.offered:
        return "not offered"
    if product.at_a_loss:
        return "below cost"
    if not product.in_stock:
        asked = product.fulfilment != STOCK and not product.supplier_ready
        return "supplier cannot be asked" if asked else "out of stock"
    if region is not None and product.region not in (None, region):
        return "other region"
    return "on sale"


def list_products(tx: Transaction, region: str | None = None) -> list[dict[str, object]]:
    """Every product of the tenant, in the format of a file for `import_rows`. `region`: the tenant's."""
    return _views(tx, catalogue.all_products(tx), region)


def list_page(tx: Transaction, region: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of `list_products`, and the id after which the next one begins."""
    found, following = page_of(catalogue.products_page(tx, Page(after, limit)), limit, lambda one: one.id)
    return _views(tx, found, region), following


def low_page(tx: Transaction, region: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """Like `list_page`, but only products with fewer free codes than their threshold."""
    found, following = page_of(catalogue.low_page(tx, Page(after, limit)), limit, lambda one: one.id)
    return _views(tx, found, region), following


def _views(tx: Transaction, found: Sequence[Product], region: str | None = None) -> list[dict[str, object]]:
    category_names: Mapping[str, str] = dict(tx.all(_CATEGORIES))
    supplier_names = {one["id"]: one["name"] for one in accounts.list_all(tx, "supplier")}
    low = stock_alarms.thresholds(tx)
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
            "codePattern": one.code_pattern,
            "pinPattern": one.pin_pattern,
            "serialPattern": one.serial_pattern,
            "lowStock": low.get(one.id, (None, None))[0],
            "lowSince": _time(low.get(one.id, (None, None))[1]),
            "active": bool(one.active),
            "status": sale_status(one, region),
            "proposedName": one.proposed_name,
            "offered": bool(one.offered),
            "available": one.available,
            "updated": wire_time(one.updated),
        }
        for one in found
    ]


def _time(at: int | None) -> str | None:
    return None if at is None else wire_time(at)
