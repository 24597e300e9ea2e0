"""Plans an import of products: checks every row of a file against the tenant's catalogue. Reads only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from sqlalchemy import select

from bedesten.accounts import actions as accounts
from bedesten.admin.product_file import DONE
from bedesten.admin.record_file import Problems, Row
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import product_lookups, stock_alarms
from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.model import STOCK, Product, ProductFields, fields_of
from bedesten.catalogue.tables import categories
from bedesten.core.money import to_decimal, to_minor
from bedesten.core.text import key
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction

_CATEGORIES = statement(select(categories.c.id, categories.c.name).where(categories.c.tenant_id == TENANT))

ROWS_READ = 1_000
"""Rows whose products are read with one set of queries."""
MAX_NEW = 1_000
"""Most categories, and most suppliers, that one import may create: other writers wait meanwhile."""


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row: its product before and after. `sets_alarm`: whether `low_stock` changes the threshold."""

    line: int
    product_id: str
    before: Product | None
    after: ProductFields
    note: str | None = None
    low_stock: int | None = None
    sets_alarm: bool = False

    @property
    def changes(self) -> bool:
        """Whether the row creates or changes a product, apart from its alarm."""
        return self.before is None or self.after != fields_of(self.before)


@dataclass(frozen=True, slots=True)
class PlannedNames:
    """Categories and suppliers that do not exist yet, by their future ids."""

    categories: dict[str, str] = field(default_factory=dict)
    suppliers: dict[str, str] = field(default_factory=dict)


def plan(
    tx: Transaction, currency: str, source: str, rows: Sequence[Row], *, force: bool
) -> tuple[list[PlannedRow], PlannedNames]:
    """Plans the rows. Raises `Refusal` (-2) with every problem.

    Once a supplier has set the cost of its product, an import leaves it and adds a note.
    """
    problems = Problems(source, DONE)
    planner = _Planner(tx, currency, problems, force)
    planned = []
    for start in range(0, len(rows), ROWS_READ):
        block = rows[start : start + ROWS_READ]
        planner.read(block)
        planned += [planner.plan(row) for row in block]
    problems.refuse_if_any()
    return planned, planner.names


class _Planner:
    """Checks rows against the tenant's catalogue. Writes nothing."""

    def __init__(self, tx: Transaction, currency: str, problems: Problems, force: bool) -> None:
        self._tx = tx
        self._currency = currency
        self._problems = problems
        self._force = force
        self.names = PlannedNames()
        self._supplier_id = cache(lambda name: _supplier(tx, name))
        self._new_suppliers: dict[str, str] = {}
        self._new_categories: dict[str, str] = {}
        self._thresholds = stock_alarms.thresholds(tx)
        self._category_ids: Mapping[str, str] = {name: category for category, name in tx.all(_CATEGORIES)}
        self._seen: set[str] = set()
        self._offers: set[tuple[str, str]] = set()
        self._by_id: Mapping[str, Product] = {}
        self._by_sku: Mapping[str, Product] = {}
        self._by_offer: Mapping[tuple[str, str], Product] = {}
        self._offers_read: set[tuple[str, str]] = set()

    def read(self, rows: Sequence[Row]) -> None:
        """Reads what `plan` needs for these rows, with a few queries for all rows instead of a few for each."""
        self._by_id = product_lookups.by_ids(self._tx, _texts(row.fields.get("id") for row in rows))
        self._by_sku = product_lookups.by_skus(self._tx, _texts(row.fields.get("sku") for row in rows))
        self._offers_read = {offer for row in rows for offer in self._offers_of(row)}
        self._by_offer = product_lookups.by_offers(self._tx, self._offers_read)

    def _offers_of(self, row: Row) -> Iterator[tuple[str, str]]:
        """The supplier and supplier's sku that the row may refer to: its own values, else those of its product."""
        product_id, sku = row.fields.get("id"), row.fields.get("sku")
        known = self._by_id.get(str(product_id)) if product_id else self._by_sku.get(key(str(sku))) if sku else None
        supplier = _field(row, "supplier", known.supplier_id if known else None)
        offer = _field(row, "supplierSku", known.supplier_sku if known else None)
        account = self._supplier_id(supplier) if supplier and offer else None
        if account and offer:
            yield account, key(offer)

    def _offer(self, supplier: str, offer: str) -> Product | None:
        """The product with this sku at the supplier. Queries the store for an offer that `read` did not expect."""
        place = supplier, key(offer)
        if place not in self._offers_read:
            return catalogue.by_supplier_sku(self._tx, supplier, offer)
        return self._by_offer.get(place)

    def plan(self, row: Row) -> PlannedRow:
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
        after = replace(after, category_id=self._category_id(row, before), supplier_id=self._account(row, supplier))
        low_stock = _field(row, "lowStock", None)
        threshold = self._thresholds.get(before.id, (None, None))[0] if before else None
        sets_alarm = "lowStock" in row.fields and low_stock != threshold
        product_id = before.id if before else self._tx.new_id("prd")
        return PlannedRow(row.line, product_id, before, after, note, low_stock, sets_alarm)

    def _account(self, row: Row, supplier: str | None) -> str | None:
        """The id of the supplier with this name; a new id if there is none."""
        if not supplier:
            return None
        made = self._supplier_id(supplier) or self._new_suppliers.get(key(supplier))
        if made is None:
            made = self._new_suppliers[key(supplier)] = self._tx.new_id(accounts.PREFIXES["supplier"])
            self._name(row, "supplier", self.names.suppliers, made, supplier)
        return made

    def _name(self, row: Row, column: str, names: dict[str, str], made: str, name: str) -> None:
        names[made] = name
        if len(names) == MAX_NEW + 1:
            self._problems.add(row.line, column, f"more than {MAX_NEW:,} new ones in one file; use several files")

    def _category_id(self, row: Row, before: Product | None) -> str | None:
        if "category" not in row.fields:
            return before.category_id if before else None
        name = cast(str | None, row.fields["category"])
        if not name:
            return None
        made = self._category_ids.get(name) or self._new_categories.get(name)
        if made is None:
            made = self._new_categories[name] = self._tx.new_id("cat")
            self._name(row, "category", self.names.categories, made, name)
        return made

    def _before(self, row: Row) -> Product | None:
        """The product with this id, else with this sku, else the supplier's offer that was never on sale.

        Such an offer gets the sku of the row."""
        product_id, sku = cast(str | None, row.fields.get("id")), cast(str | None, row.fields.get("sku"))
        known = self._by_sku.get(key(sku)) if sku else None
        if product_id:
            named = self._by_id.get(product_id)
            if named is None:
                self._problems.add(row.line, "id", "no product has it; leave the id out to find products by their sku")
            elif known is not None and known.id != named.id:
                self._problems.add(row.line, "sku", f"product {known.id} has it, and the row names {named.id}")
            return named
        supplier, offer = row.fields.get("supplier"), row.fields.get("supplierSku")
        account = self._supplier_id(supplier) if known is None and isinstance(supplier, str) else None
        if account is None or not isinstance(offer, str):
            return known
        held = self._offer(account, offer)
        return held if held and held.published is None and not held.active else None

    def _refuse_duplicate(self, row: Row, before: Product | None, sku: str | None) -> None:
        places = {f"sku {key(sku)}" if sku else "", f"id {before.id}" if before else ""} - {""}
        if places & self._seen:
            self._problems.add(row.line, "sku" if sku else "id", "occurs twice in the file")
        self._seen |= places

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
        held = self._offer(account, offer) if account else None
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
        """The product with its accepted loss; adds a problem for a new loss, unless `force` accepts it."""
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


def _texts(values: Iterable[object]) -> Iterator[str]:
    """The values that are non-empty strings."""
    return (one for one in values if isinstance(one, str) and one)


def _field(row: Row, field: str, default: Any) -> Any:
    """The value of a field in the file, or `default` if the row lacks it."""
    return row.fields.get(field, default)


def _supplier(tx: Transaction, name: str) -> str | None:
    """The id of the supplier with this name or id, if there is one."""
    found = accounts.by_id(tx, "supplier", name) or accounts.by_handle(tx, "supplier", key(name))
    return found.id if found else None
