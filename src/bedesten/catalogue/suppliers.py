"""Which suppliers can deliver a product on demand, in which order they are asked, and how long they may take.

The product's own supplier is asked first, then its further suppliers: the lowest cost first, then the lowest priority.
A supplier can be asked while it is enabled, not paused, has a valid API key or a connection, and costs no more than the
price covers.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, null, or_, select, union_all, update

from bedesten.accounts.tables import accounts
from bedesten.apikeys.tables import api_keys
from bedesten.catalogue.model import STOCK
from bedesten.catalogue.tables import (
    product_sourcing,
    product_suppliers,
    products,
    supplier_connections,
    supplier_settings,
)
from bedesten.core.money import MAX_MINOR
from bedesten.store.sql import TENANT, cross_tenant, insert_of, p, rows_as, statement
from bedesten.store.transaction import SystemTransaction, Transaction

MAX_FAILURES = 40
"""The percentage of rejected and late lines at which a supplier without own settings is paused."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A supplier that can be asked for a product: what it earns for a unit, in minor units, and its times in ms."""

    supplier_id: str
    cost: int | None
    accept_within: int | None
    deliver_within: int | None

    def first_deadline(self, queued: int) -> int | None:
        """Returns the deadline to accept or to deliver a line queued at `queued`; None without one."""
        within = self.accept_within or self.deliver_within
        return None if within is None else queued + within


@dataclass(frozen=True, slots=True)
class SupplierSettings:
    """The settings of a supplier; `catalogue.tables` describes them."""

    accept_within: int | None = None
    deliver_within: int | None = None
    max_failures: int | None = MAX_FAILURES
    max_complaints: int | None = None
    paused: int | None = None
    pause_reason: str | None = None
    resumed: int | None = None


@dataclass(frozen=True, slots=True)
class Sourcing:
    """How suppliers are asked for a product; `catalogue.tables` describes it."""

    accept_within: int | None = None
    deliver_within: int | None = None
    hold_unsourced: int = 0


@dataclass(frozen=True, slots=True)
class ProductSupplier:
    """A further supplier of a product. `cost` is in minor units; the lowest `priority` is asked first at equal cost."""

    product_id: str
    supplier_id: str
    cost: int
    priority: int


_P, _F, _S, _D = products.c, product_suppliers.c, supplier_settings.c, product_sourcing.c
_A, _K, _N = accounts.c, api_keys.c, supplier_connections.c
_paused = supplier_settings.alias("pause_of_supplier")


def ready(supplier: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a supplier can be asked now: enabled, not paused, with a valid API key or a connection.

    Takes the parameter `now`.
    """
    return and_(
        exists().where(_A.tenant_id == TENANT, _A.id == supplier, _A.disabled == 0),
        or_(
            exists().where(
                _K.tenant_id == TENANT,
                _K.owner_id == supplier,
                _K.revoked.is_(None),
                _K.expires.is_(None) | (_K.expires > p("now")),
            ),
            exists().where(_N.tenant_id == TENANT, _N.supplier_id == supplier, _N.ended.is_(None)),
        ),
        ~exists().where(
            _paused.c.tenant_id == TENANT, _paused.c.supplier_id == supplier, _paused.c.paused.is_not(None)
        ),
    )


further_ready = exists().where(
    _F.tenant_id == TENANT,
    _F.product_id == _P.id,
    or_(_F.cost <= _P.price, _F.cost <= _P.accepted_cost),
    ready(_F.supplier_id),
)
"""Whether a further supplier of the row of `products` can be asked now."""

_asked = union_all(
    select(
        _P.supplier_id.label("supplier_id"),
        _P.cost.label("cost"),
        literal(0).label("further"),
        literal(0).label("rank"),
    ).where(_P.tenant_id == TENANT, _P.id == p("product"), _P.fulfilment != STOCK),
    select(_F.supplier_id, _F.cost, literal(1), _F.priority)
    .select_from(product_suppliers.join(products, and_(_P.tenant_id == _F.tenant_id, _P.id == _F.product_id)))
    .where(_F.tenant_id == TENANT, _F.product_id == p("product"), _P.fulfilment != STOCK),
).subquery("asked")
_CANDIDATES = rows_as(
    Candidate,
    select(
        _asked.c.supplier_id,
        _asked.c.cost,
        func.coalesce(_D.accept_within, _S.accept_within),
        func.coalesce(_D.deliver_within, _S.deliver_within),
    )
    .select_from(
        _asked.outerjoin(
            supplier_settings, and_(_S.tenant_id == TENANT, _S.supplier_id == _asked.c.supplier_id)
        ).outerjoin(product_sourcing, and_(_D.tenant_id == TENANT, _D.product_id == p("product")))
    )
    .where(or_(_asked.c.cost.is_(None), _asked.c.cost <= p("most")), ready(_asked.c.supplier_id))
    .order_by(_asked.c.further, _asked.c.cost, _asked.c.rank, _asked.c.supplier_id),
)
_ACCEPTED_COST = statement(select(_P.accepted_cost).where(_P.tenant_id == TENANT, _P.id == p("product")))
_SETTINGS = rows_as(
    SupplierSettings,
    select(
        _S.accept_within, _S.deliver_within, _S.max_failures, _S.max_complaints, _S.paused, _S.pause_reason, _S.resumed
    ).where(_S.tenant_id == TENANT, _S.supplier_id == p("supplier")),
)
_LOCK = statement(
    select(_S.supplier_id).where(_S.tenant_id == TENANT, _S.supplier_id == p("supplier")).with_for_update()
)
_PAUSED = cross_tenant(select(func.count()).select_from(supplier_settings).where(_S.paused.is_not(None)))
_OWN_SETTINGS = (_S.tenant_id == TENANT) & (_S.supplier_id == p("supplier"))
_ADD_SETTINGS = insert_of(supplier_settings, or_ignore=True)
_SET_SETTINGS = statement(
    update(supplier_settings)
    .where(_OWN_SETTINGS)
    .values(
        accept_within=p("accept"),
        deliver_within=p("deliver"),
        max_failures=p("failures"),
        max_complaints=p("complaints"),
    )
)
_START_PAUSE = statement(
    update(supplier_settings).where(_OWN_SETTINGS, _S.paused.is_(None)).values(paused=p("now"), pause_reason=p("why"))
)
_END_PAUSE = statement(
    update(supplier_settings)
    .where(_OWN_SETTINGS, _S.paused.is_not(None))
    .values(paused=null(), pause_reason=null(), resumed=p("now"))
)
_SOURCING = rows_as(
    Sourcing,
    select(_D.accept_within, _D.deliver_within, _D.hold_unsourced).where(
        _D.tenant_id == TENANT, _D.product_id == p("product")
    ),
)
_DROP_SOURCING = statement(delete(product_sourcing).where(_D.tenant_id == TENANT, _D.product_id == p("product")))
_ADD_SOURCING = insert_of(product_sourcing)
_FURTHER = (_F.tenant_id == TENANT) & (_F.product_id == p("product")) & (_F.supplier_id == p("supplier"))
_DROP_FURTHER = statement(delete(product_suppliers).where(_FURTHER))
_ADD_FURTHER = insert_of(product_suppliers)
_LIST_FURTHER = rows_as(
    ProductSupplier,
    select(_F.product_id, _F.supplier_id, _F.cost, _F.priority)
    .where(_F.tenant_id == TENANT, or_(p("product") == "", _F.product_id == p("product")))
    .order_by(_F.product_id, _F.cost, _F.priority, _F.supplier_id),
)


def candidates(tx: Transaction, product: str, price: int) -> list[Candidate]:
    """Returns the suppliers that can be asked for a product sold at this price, in the order in which they are asked."""
    row = tx.one(_ACCEPTED_COST, product=product)
    most = max(price, (row[0] if row else None) or 0)
    return tx.all(_CANDIDATES, product=product, most=most, now=tx.now)


def with_line(tx: Transaction, product: str, supplier: str, cost: int | None, *, accepted: bool) -> Candidate:
    """Returns a supplier that has a line of the product, with its current times, even if it can get no further lines.

    A supplier that has accepted the line need not accept it again.
    """
    of_product, own = sourcing_of(tx, product), settings_of(tx, supplier)
    accept_within = None if accepted else of_product.accept_within or own.accept_within
    return Candidate(supplier, cost, accept_within, of_product.deliver_within or own.deliver_within)


def settings_of(tx: Transaction, supplier: str) -> SupplierSettings:
    """Returns the settings of a supplier, or the defaults."""
    return tx.one(_SETTINGS, supplier=supplier) or SupplierSettings()


def locked_settings(tx: Transaction, supplier: str) -> SupplierSettings:
    """Locks the row of a supplier's settings (`FOR UPDATE`), if it has one, and returns them."""
    tx.one(_LOCK, supplier=supplier)
    return settings_of(tx, supplier)


def count_paused(tx: SystemTransaction) -> int:
    """Returns how many suppliers of all tenants are paused."""
    row = tx.one(_PAUSED)
    return int(row[0]) if row else 0


def set_settings(tx: Transaction, supplier: str, settings: SupplierSettings) -> None:
    """Changes the times of a supplier and when it is paused automatically. Lines that wait keep their deadlines."""
    _ensure_settings(tx, supplier)
    tx.run(
        _SET_SETTINGS,
        supplier=supplier,
        accept=settings.accept_within,
        deliver=settings.deliver_within,
        failures=settings.max_failures,
        complaints=settings.max_complaints,
    )


def pause(tx: Transaction, supplier: str, reason: str) -> bool:
    """Gives the supplier no new lines until it is resumed. Returns False if it was paused already."""
    _ensure_settings(tx, supplier)
    return bool(tx.run(_START_PAUSE, supplier=supplier, why=reason, now=tx.now))


def resume(tx: Transaction, supplier: str) -> bool:
    """Gives a paused supplier new lines again and forgets its failures. Returns False if it was not paused."""
    return bool(tx.run(_END_PAUSE, supplier=supplier, now=tx.now))


def _ensure_settings(tx: Transaction, supplier: str) -> None:
    settings = SupplierSettings()
    tx.run(_ADD_SETTINGS, supplier_id=supplier, **{name: getattr(settings, name) for name in settings.__slots__})


def sourcing_of(tx: Transaction, product: str) -> Sourcing:
    """Returns how suppliers are asked for a product."""
    return tx.one(_SOURCING, product=product) or Sourcing()


def set_sourcing(tx: Transaction, product: str, sourcing: Sourcing) -> None:
    """Changes how suppliers are asked for a product. Lines that wait keep their deadlines."""
    tx.run(_DROP_SOURCING, product=product)
    tx.run(_ADD_SOURCING, product_id=product, **{name: getattr(sourcing, name) for name in sourcing.__slots__})


def add_supplier(tx: Transaction, product: str, supplier: str, cost: int, priority: int) -> None:
    """Adds a further supplier to a product, or changes its cost and priority."""
    assert 0 <= cost < MAX_MINOR // 1000, "callers check the bounds of an amount"
    tx.run(_DROP_FURTHER, product=product, supplier=supplier)
    tx.run(_ADD_FURTHER, product_id=product, supplier_id=supplier, cost=cost, priority=priority, updated=tx.now)


def remove_supplier(tx: Transaction, product: str, supplier: str) -> bool:
    """Removes a further supplier from a product. Lines that it has stay with it. Returns False if there was none."""
    return bool(tx.run(_DROP_FURTHER, product=product, supplier=supplier))


def suppliers_of(tx: Transaction, product: str = "") -> list[ProductSupplier]:
    """Returns the further suppliers of one product, or of all."""
    return tx.all(_LIST_FURTHER, product=product)
