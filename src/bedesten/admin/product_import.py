"""Imports products from a file: plans every row, stages the changes, then writes all of them or none.

Planning reads only. The rows are staged in short transactions (`catalogue.product_staging`); the transaction that
writes them all is short as well, so that orders and revocations continue during an import. Each of its statements
checks the values that the plan is based on (optimistic locking): after a conflict the import is planned again. Events
about changed products follow in short transactions; if the program is killed, the worker writes them and removes the
staged rows.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from bedesten.accounts import actions as accounts
from bedesten.admin import product_plan
from bedesten.admin.product_plan import PlannedNames, PlannedRow
from bedesten.admin.record_file import Row
from bedesten.audit.actions import OPERATOR, prepared, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import inventory, product_staging
from bedesten.catalogue.model import Product, ProductFields
from bedesten.catalogue.product_audit import name_of, prepared_change
from bedesten.catalogue.product_staging import ALARM, CHANGE, CREATE, PART
from bedesten.core.text import key
from bedesten.errors import CONFLICT, Refusal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, Transaction
from bedesten.webhooks import product_events

MAX_ATTEMPTS = 5
PAUSE_BETWEEN_TRANSACTIONS_S = 0.005
"""Pause between two transactions, so that other actions that wait for SQLite's writer go first."""
MAX_EVENTS = 250
"""Most events for partners that one transaction writes; but at least one for each partner."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import. `notes` name what was ignored or needs attention; `unchanged` rows changed nothing."""

    created: int
    updated: int
    notes: tuple[str, ...]
    unchanged: int = 0


class Plan:
    """The changes of an import, prepared before its transactions. Creating a plan only reads."""

    def __init__(
        self, tx: Transaction, source: str, planned: Sequence[PlannedRow], names: PlannedNames, force: bool
    ) -> None:
        self.source = source
        self.planned = planned
        self.names = names
        self.force = force
        fresh = {**names.categories, **names.suppliers}
        named = cache(lambda column, reference: fresh.get(reference) or name_of(tx, column, reference))
        self.rows = list(_staged_rows(tx, named, source, planned))

    def count(self, action: str) -> int:
        """The number of rows with this action."""
        return sum(row["action"] == action for row in self.rows)

    def parts(self) -> Iterator[Sequence[dict[str, object]]]:
        """Splits the rows into one part for each transaction."""
        for start in range(0, len(self.rows), PART):
            yield self.rows[start : start + PART]

    def result(self, region: str | None) -> ImportResult:
        """The result of the import. `region`: the tenant's; products for another region are noted."""
        created, changed = self.count(CREATE), len(self.rows)
        notes = tuple(one.note for one in self.planned if one.note) + tuple(_other_region_notes(self.planned, region))
        return ImportResult(created, changed - created, notes, len(self.planned) - changed)


class ConcurrentChange(Exception):
    """The catalogue changed after the import was planned. Nothing was written."""


def import_products(
    store: Store,
    tenant: TenantEntry,
    source: str,
    rows: Sequence[Row],
    *,
    force: bool = False,
    between: Callable[[], object] = lambda: None,
) -> ImportResult:
    """Creates or changes the products, all or none, and the categories and suppliers that they name.

    If one of the products changes between planning and writing, the import is planned again. Raises `Refusal`: -2 with
    every problem, -8 after `MAX_ATTEMPTS` conflicts. Calls `between` before each attempt to write. `force` accepts
    prices of zero and below cost. Blocks.
    """
    prepare = partial(plan_rows, currency=tenant.currency, source=source, rows=rows, force=force)
    for _ in range(MAX_ATTEMPTS):
        plan = store.read_now(lambda tx: prepare(tx.for_tenant(tenant.id)))
        with _staged(store, tenant.id, plan) as run, contextlib.suppress(ConcurrentChange):
            between()
            store.write_now(partial(_write_in, tenant=tenant.id, plan=plan, run=run))
            return plan.result(tenant.region)
    raise Refusal(CONFLICT, "others change these products all the time; nothing was imported")


@contextlib.contextmanager
def _staged(store: Store, tenant: str, plan: Plan) -> Iterator[str | None]:
    """Stages a plan for the block and yields the run's id, or None if the plan writes no product. Removes the staged
    rows at the end; if the store is unavailable, the worker does."""
    if not plan.rows:
        yield None
        return
    run = store.write_now(lambda tx: product_staging.begin(tx.for_tenant(tenant), len(plan.rows)))
    try:
        for part in plan.parts():
            store.write_now(partial(_stage_in, tenant=tenant, run=run, part=part))
            time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)
        yield run
    finally:
        with contextlib.suppress(StoreUnavailable):
            store.write_now(lambda tx: product_staging.abandon(tx.for_tenant(tenant), run))
            while store.write_now(lambda tx: complete_part(tx.for_tenant(tenant), run)):
                time.sleep(PAUSE_BETWEEN_TRANSACTIONS_S)


def _stage_in(tx: SystemTransaction, tenant: str, run: str, part: Sequence[dict[str, object]]) -> None:
    product_staging.stage(tx.for_tenant(tenant), run, part)


def _write_in(tx: SystemTransaction, tenant: str, plan: Plan, run: str | None) -> None:
    write(tx.for_tenant(tenant), plan, run)


def import_rows(
    tx: Transaction, currency: str, source: str, rows: Sequence[Row], *, force: bool = False, region: str | None = None
) -> ImportResult:
    """Like `import_products`, in the caller's transaction."""
    plan = plan_rows(tx, currency, source, rows, force=force)
    run = product_staging.begin(tx, len(plan.rows)) if plan.rows else None
    for part in plan.parts():
        assert run is not None, "there are rows"
        product_staging.stage(tx, run, part)
    write(tx, plan, run)
    while run is not None and complete_part(tx, run):
        pass
    return plan.result(region)


def plan_rows(tx: Transaction, currency: str, source: str, rows: Sequence[Row], *, force: bool = False) -> Plan:
    """Prepares an import. Raises `Refusal` (-2) with every problem."""
    planned, names = product_plan.plan(tx, currency, source, rows, force=force)
    return Plan(tx, source, planned, names, force)


def write(tx: Transaction, plan: Plan, run: str | None) -> None:
    """Writes the whole plan, whose rows the run has staged. Raises `ConcurrentChange`, or -8 if the run is abandoned."""
    created, changed = plan.count(CREATE), plan.count(CHANGE)
    if not catalogue.insert_categories(tx, plan.names.categories):
        raise ConcurrentChange
    for account, name in plan.names.suppliers.items():
        if not accounts.create(tx, "supplier", key(name), name, advance=False, account=account):
            raise ConcurrentChange
        record(tx, OPERATOR, "supplier.create", account, name=name)
    if run is not None and not product_staging.write(tx, run, OPERATOR, created, changed):
        raise ConcurrentChange
    for one in plan.planned:
        if one.before is not None and one.after.code_comparison != one.before.code_comparison:
            inventory.set_comparison(tx, one.product_id, one.after.code_comparison)
    updated = len(plan.rows) - created
    record(tx, OPERATOR, "products.import", plan.source, created=created, updated=updated, forced=plan.force)
    for account in list(plan.names.suppliers)[-1:]:
        tx.advance_revision("account", account)


def complete_part(tx: Transaction, run: str) -> bool:
    """Removes some staged rows of a run that is written or abandoned, and returns whether there may be more.

    Writes the events about the products that these rows have changed.
    """
    written = product_staging.is_written(tx, run)
    partners = product_events.listeners(tx) if written else []
    most = max(1, min(PART, MAX_EVENTS // len(partners))) if partners else PART
    removed = product_staging.remove_part(tx, run, most)
    for one in removed:
        if one.action == CHANGE:
            product_events.tell_partners(tx, partners, one.product_id, one.was_price, bool(one.was_sellable))
    return bool(removed)


def complete_leftover(tx: SystemTransaction) -> bool:
    """Completes a part of a run whose program was killed, for the worker. Returns whether there may be more."""
    left = product_staging.leftover(tx)
    if left is None:
        return False
    tenant, run = left
    complete_part(tx.for_tenant(tenant), run)
    return True


def _staged_rows(
    tx: Transaction, named: Callable[[str, str], str], source: str, planned: Sequence[PlannedRow]
) -> Iterator[dict[str, object]]:
    """The rows to stage for the products that change, in the order of the file."""
    acting = [one for one in planned if one.changes or one.sets_alarm]
    tails = iter(product_staging.id_tails([tx.new_id("aud") for _ in range(2 * len(acting))]))
    for one in acting:
        row: dict[str, object] = {**_EMPTY_ROW, "product_id": one.product_id, "action": ALARM}
        if one.changes:
            row |= _product_columns(one.before, one.after)
            trail = prepared_change(named, OPERATOR, one.product_id, one.before, one.after, source=source)
            if trail is not None:
                row |= {"audit_tail": next(tails), "audit_action": trail.action, "audit_detail": trail.detail}
        if one.sets_alarm:
            trail = prepared(OPERATOR, "product.low_stock", one.product_id, threshold=one.low_stock, source=source)
            row |= {"low_stock": one.low_stock, "alarm_tail": next(tails), "alarm_detail": trail.detail}
        yield row


_EMPTY_ROW: Mapping[str, None] = dict.fromkeys(product_staging.STAGED)


def _product_columns(before: Product | None, after: ProductFields) -> dict[str, object]:
    publishes = 1 if catalogue.is_published(after) else None
    if before is None:
        return {**catalogue.new_row(after), "action": CREATE, "publishes": publishes, "takes_sku": 0}
    skus = (after.sku, after.supplier_id, after.supplier_sku)
    return {
        **catalogue.changed_row(after),
        "action": CHANGE,
        "publishes": publishes,
        "takes_sku": int(skus != (before.sku, before.supplier_id, before.supplier_sku)),
        "was_updated": before.updated,
        "was_price": before.price,
        "was_cost": before.cost,
        "was_offered": before.offered,
        "was_sellable": int(before.sellable),
    }


def _other_region_notes(planned: Sequence[PlannedRow], region: str | None) -> list[str]:
    """The note about products for another region, which buyers see only if they ask for that region."""
    lines = [str(one.line) for one in planned if one.after.region not in (None, region)]
    if region is None or not lines:
        return []
    shown = ", ".join(lines[:10]) + (", …" if len(lines) > 10 else "")
    summary = f"{len(lines)} of {len(planned)} are for another region than the tenant's, {region}"
    return [f"{summary}: buyers see them only if they name it (line {shown})"]
