"""Imports products from a file: plans every row first, then writes all of them or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

from sqlalchemy import select

from bedesten.accounts import actions as accounts
from bedesten.admin.product_file import Problems, Row
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import inventory, stock_alarms
from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.model import STOCK, Product, ProductFields, fields_of
from bedesten.catalogue.product_audit import record_change
from bedesten.catalogue.tables import categories
from bedesten.core.money import to_decimal, to_minor
from bedesten.core.text import key
from bedesten.gate.scopes import Surface
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.product_events import tell_of_change

_CATEGORIES = statement(select(categories.c.id, categories.c.name).where(categories.c.tenant_id == TENANT))


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import. `notes` name what was ignored or needs attention; `unchanged` rows changed nothing."""

    created: int
    updated: int
    notes: tuple[str, ...]
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _PlannedRow:
    """One row: the product before and after, without the ids of the category and supplier that are named here."""

    line: int
    before: Product | None
    after: ProductFields
    category: str | None
    supplier: str | None
    note: str | None = None
    low_stock: int | None = None
    sets_low_stock: bool = False


def import_rows(
    tx: Transaction, currency: str, source: str, rows: Sequence[Row], *, force: bool = False, region: str | None = None
) -> ImportResult:
    """Creates or changes the products, all or none, and the categories and suppliers that they name.

    Raises `Refusal` (-2) with every problem, before anything is written. Once a supplier has set the cost of its product,
    an import leaves it and adds a note. `force` accepts prices of zero and below cost. `region` is the tenant's: products
    for another one are noted.
    """
    problems = Problems(source)
    planner = _Planner(tx, currency, problems, force)
    planned = [planner.plan(row) for row in rows]
    problems.refuse_if_any()
    category = cache(lambda name: catalogue.category(tx, name))
    supplier = cache(lambda name: _supplier(tx, name) or accounts.find_or_create_owner(tx, Surface.SUPPLIER, name))
    changed = sum(_write(tx, one, source, category, supplier) for one in planned)
    created = sum(1 for one in planned if one.before is None)
    record(tx, OPERATOR, "products.import", source, created=created, updated=changed - created, forced=force)
    notes = tuple(one.note for one in planned if one.note) + tuple(_other_region_notes(planned, region))
    return ImportResult(created, changed - created, notes, len(planned) - changed)


def _other_region_notes(planned: Sequence[_PlannedRow], region: str | None) -> list[str]:
    """The note about products for another region, which buyers see only if they name it."""
    lines = [str(one.line) for one in planned if one.after.region not in (None, region)]
    if region is None or not lines:
        return []
    shown = ", ".join(lines[:10]) + (", …" if len(lines) > 10 else "")
    summary = f"{len(lines)} of {len(planned)} are for another region than the tenant's, {region}"
    return [f"{summary}: buyers see them only if they name it (line {shown})"]


def _write(
    tx: Transaction, one: _PlannedRow, source: str, category: Callable[[str], str], supplier: Callable[[str], str]
) -> bool:
    """Writes one row. Returns whether that changed anything."""
    after = replace(
        one.after,
        category_id=category(one.category) if one.category else None,
        supplier_id=supplier(one.supplier) if one.supplier else None,
    )
    if one.before is None:
        product_id = catalogue.insert(tx, after)
    elif after == fields_of(one.before):
        return _set_low_stock(tx, one, one.before.id, source)
    else:
        product_id = one.before.id
        catalogue.revise(tx, one.before, after)
        if after.code_comparison != one.before.code_comparison:
            inventory.set_comparison(tx, product_id, after.code_comparison)
    record_change(tx, OPERATOR, product_id, one.before, after, source=source)
    _set_low_stock(tx, one, product_id, source)
    if one.before is not None:
        tell_of_change(tx, one.before)
    return True


def _set_low_stock(tx: Transaction, one: _PlannedRow, product_id: str, source: str) -> bool:
    changed = one.sets_low_stock and stock_alarms.set_threshold(tx, product_id, one.low_stock)
    if changed:
        record(tx, OPERATOR, "product.low_stock", product_id, threshold=one.low_stock, source=source)
    return changed


class _Planner:
    """Checks rows against what the tenant has. Writes nothing."""

    def __init__(self, tx: Transaction, currency: str, problems: Problems, force: bool) -> None:
        self._tx = tx
        self._currency = currency
        self._problems = problems
        self._force = force
        self._supplier_id = cache(lambda name: _supplier(tx, name))
        self._categories: Mapping[str, str] = dict(tx.all(_CATEGORIES))
        self._seen: set[str] = set()
        self._offers: set[tuple[str, str]] = set()

    def plan(self, row: Row) -> _PlannedRow:
        """The planned row; meaningless if it added to `problems`."""
        before = self._before(row)
        then = fields_of(before) if before else ProductFields(name="", currency=self._currency)
        sku = cast(str | None, row.fields.get("sku")) or then.sku
        self._refuse_duplicate(row, before, sku)
        name = _field(row, "name", then.name)
        if not name:
            self._problems.add(row.line, "name", "is required")
        supplier = _field(row, "supplier", then.supplier_id)
        fulfilment = _field(row, "fulfilment", then.fulfilment) or STOCK
        if fulfilment != STOCK and supplier is None:
            self._problems.add(row.line, "supplier", f"is required, because fulfilment is {fulfilment}")
        cost, note = self._cost(row, before, supplier)
        after = replace(
            then,
            name=name or "",
            sku=sku,
            description=_field(row, "description", then.description) or "",
            region=_field(row, "region", then.region),
            price=self._amount(row, "price", then.price),
            cost=cost,
            fulfilment=fulfilment,
            supplier_sku=self._supplier_sku(row, before, supplier),
            requirements=tuple(_field(row, "requireData", then.requirements) or ()),
            code_comparison=_field(row, "codeComparison", then.code_comparison) or FOLDED,
            code_pattern=_field(row, "codePattern", then.code_pattern),
            pin_pattern=_field(row, "pinPattern", then.pin_pattern),
            serial_pattern=_field(row, "serialPattern", then.serial_pattern),
            active=_field(row, "active", then.active) is not False,
            proposed_name=None if name == then.proposed_name else then.proposed_name,
        )
        after = self._accepted(row, before, after)
        category = _field(row, "category", self._category(before))
        low_stock = _field(row, "lowStock", None)
        return _PlannedRow(row.line, before, after, category, supplier, note, low_stock, "lowStock" in row.fields)

    def _before(self, row: Row) -> Product | None:
        """The product with this id, else with this sku, else the supplier's offer that was never on sale.

        Such an offer gets the sku of the row."""
        product_id, sku = cast(str | None, row.fields.get("id")), cast(str | None, row.fields.get("sku"))
        known = catalogue.by_sku(self._tx, sku) if sku else None
        if product_id:
            named = catalogue.product(self._tx, product_id)
            if named is None:
                self._problems.add(row.line, "id", "no product has it; leave the id out to find products by their sku")
            elif known is not None and known.id != named.id:
                self._problems.add(row.line, "sku", f"product {known.id} has it, and the row names {named.id}")
            return named
        supplier, offer = row.fields.get("supplier"), row.fields.get("supplierSku")
        account = self._supplier_id(supplier) if known is None and isinstance(supplier, str) else None
        if account is None or not isinstance(offer, str):
            return known
        held = catalogue.by_supplier_sku(self._tx, account, offer)
        return held if held and held.published is None and not held.active else None

    def _refuse_duplicate(self, row: Row, before: Product | None, sku: str | None) -> None:
        places = {f"sku {key(sku)}" if sku else "", f"id {before.id}" if before else ""} - {""}
        if places & self._seen:
            self._problems.add(row.line, "sku" if sku else "id", "occurs twice in the file")
        self._seen |= places

    def _category(self, product: Product | None) -> str | None:
        return self._categories.get(product.category_id) if product and product.category_id else None

    def _supplier_sku(self, row: Row, before: Product | None, supplier: str | None) -> str | None:
        offer: str | None = _field(row, "supplierSku", before.supplier_sku if before else None)
        if offer is None:
            return None
        if supplier is None:
            self._problems.add(row.line, "supplierSku", "belongs to a supplier, and none is named")
            return offer
        account = self._supplier_id(supplier)
        place = (account or key(supplier), key(offer))
        if place in self._offers:
            self._problems.add(row.line, "supplierSku", "occurs twice in the file for this supplier")
        self._offers.add(place)
        held = catalogue.by_supplier_sku(self._tx, account, offer) if account else None
        if held and (before is None or held.id != before.id):
            self._problems.add(row.line, "supplierSku", f"product {held.sku or held.id} of this supplier has it")
        return offer

    def _cost(self, row: Row, before: Product | None, supplier: str | None) -> tuple[int | None, str | None]:
        """The cost, and a note if the file's is ignored."""
        cost = self._amount(row, "cost", None)
        kept = before.cost if before else None
        if cost is None or cost == kept:
            return kept, None
        if (
            before
            and kept is not None
            and before.supplier_id
            and self._supplier_id(supplier or "") == before.supplier_id
        ):
            shown = to_decimal(kept, before.currency)
            return kept, f"line {row.line}: the cost stays {shown}, as its supplier has it"
        return cost, None

    def _accepted(self, row: Row, before: Product | None, after: ProductFields) -> ProductFields:
        """The product with the accepted loss; a new loss is a problem unless `force` accepts it."""
        if before is not None and (after.price, after.cost) == (before.price, before.cost):
            return after
        plain = replace(after, accepted_cost=None)
        problem = catalogue.price_problem(before, plain)
        if problem is None:
            return plain
        if not self._force:
            self._problems.add(row.line, "price", f"{problem}; --force accepts it")
        return replace(plain, accepted_cost=after.cost or 0)

    def _amount(self, row: Row, field: str, default: int | None) -> int | None:
        amount = _field(row, field, None)
        if amount is None:
            return None if field in row.fields else default
        try:
            return to_minor(amount, self._currency)
        except ValueError as error:
            self._problems.add(row.line, field, str(error))
            return None


def _field(row: Row, field: str, default: Any) -> Any:
    """The value of a field in the file, or `default` if it is not mentioned."""
    return row.fields.get(field, default)


def _supplier(tx: Transaction, name: str) -> str | None:
    """The id of the supplier with this name or id, if there is one."""
    found = accounts.by_id(tx, "supplier", name) or accounts.by_handle(tx, "supplier", key(name))
    return found.id if found else None
