"""Stages the products of an import, so that the transaction that writes them all is short.

A *run* is one import. Its rows are stored in parts, each in a short transaction; no other code reads them. `write` then
writes the products, their stock levels, their alarms and their rows of the audit trail with a few statements over the
staged rows, so that it is all or nothing, and other writers wait for a fraction of the time that a statement for each
row takes. Afterwards `remove_part` deletes the staged rows.

A program that is killed leaves its run behind. The worker removes a run that was not touched for `ABANDONED_AFTER`; if
the run had not written its products, nothing of it remains. `admin.product_import` combines these steps.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, literal, null, or_, select, update

from bedesten.audit.actions import Actor
from bedesten.audit.tables import audit
from bedesten.catalogue.tables import product_import_rows, product_import_runs, products, stock_alarms, stock_levels
from bedesten.core.clock import MINUTE
from bedesten.errors import CONFLICT, Refusal
from bedesten.store.sql import TENANT, cross_tenant, insert, insert_of, p, rows_as, statement
from bedesten.store.transaction import SystemTransaction, Transaction

PART = 500
"""Number of rows that one transaction stages or removes."""
ABANDONED_AFTER = MINUTE
CREATE, CHANGE, ALARM = "create", "change", "alarm"
"""What a row does to its product: `alarm` changes only the low-stock alarm."""

_P, _L, _A, _W = products.c, stock_levels.c, stock_alarms.c, audit.c
_R, _S = product_import_runs.c, product_import_rows.c
_OF_RUN = (_S.run_id == p("run")) & (_S.tenant_id == TENANT)

_BEGIN = insert_of(product_import_runs)
_HERE = (_R.tenant_id == TENANT) & (_R.id == p("run"))
_STORED = statement(
    update(product_import_runs)
    .where(_HERE, _R.state == "pending")
    .values(stored=_R.stored + p("more"), touched=p("now"))
)
_STAGE = insert_of(product_import_rows)
STAGED = tuple(column.name for column in product_import_rows.c if column.name not in ("tenant_id", "run_id"))
"""The columns of a row that `stage` expects."""
_WRITTEN = statement(
    update(product_import_runs)
    .where(_HERE, _R.state == "pending", _R.stored == _R.announced)
    .values(state="written", touched=p("now"))
)
_ABANDON = statement(update(product_import_runs).where(_HERE, _R.state == "pending").values(state="abandoned"))

_COPIED = (
    "sku", "sku_key", "name", "description", "region", "price", "cost", "accepted_cost", "fulfilment", "require_data",
    "code_pattern", "pin_pattern", "serial_pattern", "active", "proposed_name", "refused_name", "category_id",
    "supplier_id", "supplier_sku", "supplier_sku_key",
)  # fmt: skip
"""The columns of a product that an import creates and changes."""
_PUBLISHED = _S.publishes * p("now")
_CREATED = {
    "id": _S.product_id,
    "tenant_id": _S.tenant_id,
    **{name: _S[name] for name in (*_COPIED, "currency", "offered", "code_comparison")},
    "complaint_days": null(),
    "published": _PUBLISHED,
    "updated": p("now"),
}


def _insert_from(table: Any, values: dict[str, Any], *where: Any) -> Any:
    rows = select(*values.values()).where(_OF_RUN, *where).order_by(_S.product_id)
    return insert(table).from_select(list(values), rows, include_defaults=False)


_INSERT = statement(_insert_from(products, _CREATED, _S.action == CREATE).on_conflict_do_nothing())
_LEVELS = statement(
    _insert_from(
        stock_levels,
        {
            "product_id": _S.product_id,
            "tenant_id": _S.tenant_id,
            "available": literal(0),
            "next_expiry": null(),
            "consigned": literal(0),
        },
        _S.action == CREATE,
    )
)
_AS_PLANNED = (
    (_P.updated == _S.was_updated)
    & _P.price.is_not_distinct_from(_S.was_price)
    & _P.cost.is_not_distinct_from(_S.was_cost)
    & (_P.offered == _S.was_offered)
)
"""Whether the product is unchanged since the import was planned. Two changes can have the same `updated`."""
_REVISE = statement(
    update(products)
    .where(_OF_RUN, _S.action == CHANGE, _P.id == _S.product_id, _P.tenant_id == TENANT, _AS_PLANNED)
    .values(
        {
            **{name: _S[name] for name in _COPIED},
            "published": func.coalesce(_P.published, _PUBLISHED),
            "updated": p("now"),
        }
    )
)
_OTHER = products.alias()
_BY_SKU = select(_OTHER.c.id).where(_OTHER.c.sku_key == _S.sku_key, _OTHER.c.tenant_id == TENANT).scalar_subquery()
_BY_OFFER = (
    select(_OTHER.c.id)
    .where(
        _OTHER.c.supplier_id == _S.supplier_id,
        _OTHER.c.supplier_sku_key == _S.supplier_sku_key,
        _OTHER.c.tenant_id == TENANT,
    )
    .scalar_subquery()
)
_TAKEN = statement(
    select(_S.product_id)
    .where(_OF_RUN, _S.takes_sku == 1, or_(_S.product_id != _BY_SKU, _S.product_id != _BY_OFFER))
    .limit(1)
)
_TRAIL: dict[str, Any] = {"actor": p("actor"), "tenant_id": _S.tenant_id, "subject": _S.product_id, "at": p("now")}
_TRAIL |= {"request_id": p("request_id"), "seq": null(), "hash": null()}
_AUDIT = statement(
    _insert_from(
        audit,
        {"id": p("head").concat(_S.audit_tail), "action": _S.audit_action, "detail": _S.audit_detail, **_TRAIL},
        _S.audit_tail.is_not(None),
    )
)
_AUDIT_ALARMS = statement(
    _insert_from(
        audit,
        {
            "id": p("head").concat(_S.alarm_tail),
            "action": literal("product.low_stock"),
            "detail": _S.alarm_detail,
            **_TRAIL,
        },
        _S.alarm_tail.is_not(None),
    )
)
_SETS_ALARM = exists().where(_OF_RUN, _S.product_id == _A.product_id, _S.alarm_tail.is_not(None))
_DROP_ALARMS = statement(delete(stock_alarms).where(_A.tenant_id == TENANT, _SETS_ALARM))
_ADD_ALARMS = statement(
    _insert_from(
        stock_alarms,
        {
            "tenant_id": _S.tenant_id,
            "product_id": _S.product_id,
            "threshold": _S.low_stock,
            "low_since": null(),
        },
        _S.alarm_tail.is_not(None),
        _S.low_stock.is_not(None),
    )
)


class RemovedRow(NamedTuple):
    """A staged row that was removed: what it did, and whether the product was sold before and at which price."""

    product_id: str
    action: str
    was_price: int | None
    was_sellable: int | None


_PART = rows_as(
    RemovedRow,
    select(_S.product_id, _S.action, _S.was_price, _S.was_sellable)
    .where(_OF_RUN)
    .order_by(_S.product_id)
    .limit(p("most")),
)
_DROP_PART = statement(delete(product_import_rows).where(_OF_RUN, _S.product_id <= p("last")))
_DROP_RUN = statement(delete(product_import_runs).where(_HERE, _R.state != "pending"))
_LOCK = statement(update(product_import_runs).where(_HERE, _R.state != "pending").values(touched=_R.touched))
_IS_WRITTEN = statement(select(_R.id).where(_HERE, _R.state == "written"))
_UNTOUCHED = or_(_R.touched < p("before"), _R.touched > p("ahead"))
_GIVE_UP = cross_tenant(update(product_import_runs).where(_R.state == "pending", _UNTOUCHED).values(state="abandoned"))
_LEFT = cross_tenant(
    select(_R.tenant_id, _R.id)
    .where(or_(_R.state == "abandoned", (_R.state == "written") & _UNTOUCHED))
    .order_by(_R.id)
    .limit(1)
)


def begin(tx: Transaction, announced: int) -> str:
    """Begins a run that will stage `announced` rows, and returns its id."""
    run = tx.new_id("imp")
    tx.run(_BEGIN, id=run, state="pending", announced=announced, stored=0, touched=tx.now)
    return run


def stage(tx: Transaction, run: str, rows: Sequence[dict[str, Any]]) -> None:
    """Stages rows, at most `PART`. Raises `Refusal` (-8) if the run was abandoned."""
    if not tx.run(_STORED, run=run, more=len(rows), now=tx.now):
        raise _given_up()
    tx.run_each(_STAGE, ({**row, "run_id": run} for row in rows))


def write(tx: Transaction, run: str, actor: Actor, creates: int, changes: int) -> bool:
    """Writes everything that is staged, once. Raises `Refusal` (-8) if the run was abandoned.

    Returns False if another transaction has taken a sku or changed a product meanwhile; the caller then rolls back.
    """
    if not tx.run(_WRITTEN, run=run, now=tx.now):
        raise _given_up()
    if changes and tx.one(_TAKEN, run=run) is not None:
        return False
    if creates and tx.run(_INSERT, run=run, now=tx.now) != creates:
        return False
    if creates:
        tx.run(_LEVELS, run=run)
    if changes and tx.run(_REVISE, run=run, now=tx.now) != changes:
        return False
    trail = {"run": run, "now": tx.now, "actor": actor.name, "request_id": actor.request_id}
    tx.run(_AUDIT, **trail, head=id_head(tx.new_id("aud")))
    tx.run(_DROP_ALARMS, run=run)
    tx.run(_ADD_ALARMS, run=run)
    tx.run(_AUDIT_ALARMS, **trail, head=id_head(tx.new_id("aud")))
    return True


ID_TAIL = 13
"""Number of random digits of an id (five bits each); the first bit is not random."""


def id_head(made: str) -> str:
    """Returns what ids of one transaction share: the prefix and the time."""
    return made[:-ID_TAIL]


def id_tails(made: Sequence[str]) -> list[str]:
    """Returns the ends of ids, ascending, so that rows of the trail keep their order."""
    return sorted(one[-ID_TAIL:] for one in made)


def abandon(tx: Transaction, run: str) -> None:
    """Abandons a run unless it has written its products."""
    tx.run(_ABANDON, run=run)


def is_written(tx: Transaction, run: str) -> bool:
    """Reports whether the products of the run are written."""
    return tx.one(_IS_WRITTEN, run=run) is not None


def remove_part(tx: Transaction, run: str, most: int = PART) -> list[RemovedRow]:
    """Removes some rows of a run that is written or abandoned, and the run after the last. Returns what was removed."""
    if not tx.run(_LOCK, run=run):
        return []
    found = tx.all(_PART, run=run, most=most)
    if found:
        tx.run(_DROP_PART, run=run, last=found[-1].product_id)
    else:
        tx.run(_DROP_RUN, run=run)
    return found


def leftover(tx: SystemTransaction) -> tuple[str, str] | None:
    """Returns tenant and id of a run whose program is gone, if there is one."""
    bounds = {"before": tx.now - ABANDONED_AFTER, "ahead": tx.now + ABANDONED_AFTER}
    tx.run(_GIVE_UP, **bounds)
    row = tx.one(_LEFT, **bounds)
    return (row[0], row[1]) if row else None


def _given_up() -> Refusal:
    return Refusal(CONFLICT, "the import took too long between two steps and was given up; nothing was imported")
