"""Connections of suppliers that are called, and those suppliers' ids of our products."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import delete, exists, or_, select, update

from bedesten.audit.actions import Actor, record, redacted_url
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.tables import supplier_connections, supplier_product_ids
from bedesten.connectors.adapter import Adapter, Target
from bedesten.connectors.bamboo import Bamboo
from bedesten.connectors.moves import ORDERED, PLACING, PLANNED
from bedesten.connectors.tables import purchases
from bedesten.core import text
from bedesten.core.secret import Secret
from bedesten.errors import bad_field, normalised_field
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, cross_tenant, insert_of, p, rows_as, statement
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.webhooks.actions import allowed_networks
from bedesten.webhooks.targets import check_target

CREDENTIAL = "connection-credential"
"""The purpose under which credentials are encrypted; the row is the supplier's id."""
MAX_URL = 500
ADAPTERS: dict[str, Adapter] = {one.name: one for one in (Bamboo(),)}


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as it is stored; `catalogue.tables` describes it. The credential is still encrypted."""

    supplier_id: str
    adapter: str
    url: str
    account: str | None
    credential: bytes | None
    connected: int
    ended: int | None
    resting_until: int | None
    last_error: str | None
    failed: int | None


@dataclass(frozen=True, slots=True)
class NewConnection:
    """How to call a supplier. `credential` is in clear."""

    adapter: str
    url: str
    account: str | None
    credential: Secret[str]


@dataclass(frozen=True, slots=True)
class ProductId:
    """A supplier's id of one of our products."""

    supplier_id: str
    product_id: str
    external_id: str
    face_value: str | None


_N, _I, _P = supplier_connections.c, supplier_product_ids.c, purchases.c
_OWN = (_N.tenant_id == TENANT) & (_N.supplier_id == p("supplier"))
_ONE = rows_as(
    Connection,
    select(
        _N.supplier_id, _N.adapter, _N.url, _N.account, _N.credential, _N.connected, _N.ended, _N.resting_until,
        _N.last_error, _N.failed,
    ).where(_OWN),
)  # fmt: skip
_DROP = statement(delete(supplier_connections).where(_OWN))
_ADD = insert_of(supplier_connections)
_END = statement(update(supplier_connections).where(_OWN, _N.ended.is_(None)).values(ended=p("now")))
_REST = statement(
    update(supplier_connections)
    .where(_OWN)
    .values(resting_until=DATABASE_NOW + p("wait"), last_error=p("why"), failed=p("now"))
)
_FORGET = cross_tenant(
    update(supplier_connections)
    .where(
        _N.ended.is_not(None),
        _N.credential.is_not(None),
        ~exists().where(
            _P.tenant_id == _N.tenant_id,
            _P.supplier_id == _N.supplier_id,
            or_(_P.state == PLANNED, _P.state == PLACING, _P.state == ORDERED),
        ),
    )
    .values(credential=None)
)
_THE_PRODUCT = (_I.tenant_id == TENANT) & (_I.supplier_id == p("supplier")) & (_I.product_id == p("product"))
_PRODUCT = rows_as(ProductId, select(_I.supplier_id, _I.product_id, _I.external_id, _I.face_value).where(_THE_PRODUCT))
_PRODUCTS = rows_as(
    ProductId,
    select(_I.supplier_id, _I.product_id, _I.external_id, _I.face_value)
    .where(_I.tenant_id == TENANT, _I.supplier_id == p("supplier"))
    .order_by(_I.product_id),
)
_DROP_PRODUCT = statement(delete(supplier_product_ids).where(_THE_PRODUCT))
_ADD_PRODUCT = insert_of(supplier_product_ids)


def connect(tx: Transaction, cipher: TenantCipher, supplier: str, new: NewConnection, actor: Actor) -> Connection:
    """Connects a supplier, or changes its connection. Open purchases go on with the new URL and credential.

    Raises `Refusal` (-2) for an unknown adapter, a URL that cannot be reached, an invalid account or credential.
    """
    adapter = ADAPTERS.get(new.adapter)
    if adapter is None:
        raise bad_field("adapter", f"must be one of {', '.join(sorted(ADAPTERS))}")
    if len(new.url) > MAX_URL or "?" in new.url or "#" in new.url:
        raise bad_field("url", f"must be the address of the API, without a query and at most {MAX_URL} characters long")
    check_target(new.url, allowed_networks(tx), "url")
    adapter.check(new.account, new.credential.reveal())
    tx.run(_DROP, supplier=supplier)
    tx.run(
        _ADD,
        supplier_id=supplier,
        adapter=new.adapter,
        url=new.url,
        account=new.account,
        credential=cipher.encrypt(tx, CREDENTIAL, supplier, new.credential.reveal()),
        connected=tx.now,
        **dict.fromkeys(("ended", "resting_until", "last_error", "failed")),
    )
    catalogue.touch(tx, supplier)
    record(tx, actor, "supplier.connect", supplier, adapter=new.adapter, url=redacted_url(new.url))
    made = connection_of(tx, supplier)
    assert made is not None, "it was made just now"
    return made


def disconnect(tx: Transaction, supplier: str, actor: Actor) -> bool:
    """Ends a connection: open purchases are still collected, none is added. Returns False if it had ended before."""
    if not tx.run(_END, supplier=supplier, now=tx.now):
        return False
    catalogue.touch(tx, supplier)
    record(tx, actor, "supplier.disconnect", supplier)
    return True


def connection_of(tx: Transaction, supplier: str) -> Connection | None:
    """Returns the connection of a supplier, also one that has ended."""
    return tx.one(_ONE, supplier=supplier)


def target_of(tx: Transaction, cipher: TenantCipher, connection: Connection) -> Target:
    """Returns what an adapter needs, with the credential in clear. Raises `DecryptionError`."""
    assert connection.credential is not None, "the caller has looked"
    secret = cipher.decrypt(tx, CREDENTIAL, connection.supplier_id, bytes(connection.credential))
    return Target(connection.url, connection.account, Secret(secret))


def rest(tx: Transaction, supplier: str, wait_ms: int, why: str) -> None:
    """Makes no calls to a supplier for `wait_ms`, and stores the reason."""
    tx.run(_REST, supplier=supplier, wait=wait_ms, why=why, now=tx.now, at=tx.at)


def forget_credentials(tx: SystemTransaction) -> int:
    """Deletes the credentials of connections that have ended and have no open purchase; returns how many."""
    return tx.run(_FORGET)


def set_product_id(
    tx: Transaction, supplier: str, product: str, external_id: str, face_value: Decimal | None, actor: Actor
) -> ProductId:
    """Sets a supplier's id of a product. Raises `Refusal` (-2) for an id or a face value that its adapter refuses."""
    connection = connection_of(tx, supplier)
    if connection is None:
        raise bad_field("supplier", "is not connected")
    external = normalised_field(text.identifier, external_id, "id")
    ADAPTERS[connection.adapter].check_product(external, face_value)
    value = None if face_value is None else format(face_value.normalize(), "f")
    tx.run(_DROP_PRODUCT, supplier=supplier, product=product)
    tx.run(
        _ADD_PRODUCT, supplier_id=supplier, product_id=product, external_id=external, face_value=value, updated=tx.now
    )
    record(tx, actor, "supplier.product_id", product, supplier=supplier, external=external, face_value=value)
    made = product_id_of(tx, supplier, product)
    assert made is not None, "it was made just now"
    return made


def remove_product_id(tx: Transaction, supplier: str, product: str, actor: Actor) -> bool:
    """Removes a supplier's id of a product: its lines go to the next supplier. Returns False if there was none."""
    if not tx.run(_DROP_PRODUCT, supplier=supplier, product=product):
        return False
    record(tx, actor, "supplier.product_id", product, supplier=supplier, external=None)
    return True


def product_id_of(tx: Transaction, supplier: str, product: str) -> ProductId | None:
    """Returns a supplier's id of a product."""
    return tx.one(_PRODUCT, supplier=supplier, product=product)


def product_ids_of(tx: Transaction, supplier: str) -> list[ProductId]:
    """Returns a supplier's ids of our products."""
    return tx.all(_PRODUCTS, supplier=supplier)
