"""Manages suppliers that are called: their connections, product ids and purchases."""

from decimal import Decimal

from bedesten.admin.products import product_of
from bedesten.admin.suppliers import find
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.connectors import connections, purchases
from bedesten.connectors.adapter import Adapter, Target
from bedesten.connectors.connections import ADAPTERS, Connection, NewConnection
from bedesten.connectors.moves import PURCHASE
from bedesten.connectors.purchases import Purchase
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import NOT_FOUND, Refusal, bad_field
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_LISTED = 200
STATES = {state.name: number for number, state in PURCHASE.states.items()}


def connect(tx: Transaction, cipher: TenantCipher, name: str, new: NewConnection) -> dict[str, object]:
    """Creates or changes the connection to a supplier. Raises `Refusal` (-3, -2)."""
    account = find(tx, name)
    connections.connect(tx, cipher, account.id, new, OPERATOR)
    return show(tx, account.id)


def disconnect(tx: Transaction, name: str) -> dict[str, object]:
    """Ends a connection. Raises `Refusal` (-3) if there is none."""
    account = find(tx, name)
    _connection(tx, account.id)
    connections.disconnect(tx, account.id, OPERATOR)
    return show(tx, account.id)


def show(tx: Transaction, name: str) -> dict[str, object]:
    """A connection without its credential, and the supplier's ids of our products. Raises `Refusal` (-3)."""
    account = find(tx, name)
    found = _connection(tx, account.id)
    return {
        "supplierId": account.id,
        "name": account.name,
        "adapter": found.adapter,
        "url": found.url,
        "account": found.account,
        "connected": wire_time(found.connected),
        "ended": _time(found.ended),
        "credentialStored": found.credential is not None,
        "lastError": found.last_error,
        "failed": _time(found.failed),
        "products": [_product(tx, one) for one in connections.product_ids_of(tx, account.id)],
    }


def _product(tx: Transaction, one: connections.ProductId) -> dict[str, object]:
    product = catalogue.product(tx, one.product_id)
    assert product is not None, "products are never deleted"
    value = None if one.face_value is None else Decimal(one.face_value)
    return {"productId": one.product_id, "sku": product.sku, "id": one.external_id, "faceValue": value}


def prepare_test(tx: Transaction, cipher: TenantCipher, name: str) -> tuple[Adapter, Target]:
    """What `Adapter.probe` needs. Raises `Refusal`: -3, or -2 for a connection without a credential."""
    found = _connection(tx, find(tx, name).id)
    if found.credential is None:
        raise bad_field("supplier", "is disconnected, and its credential was deleted")
    return ADAPTERS[found.adapter], connections.target_of(tx, cipher, found)


def map_product(tx: Transaction, name: str, sku: str, external: str, face_value: Decimal | None) -> dict[str, object]:
    """Sets the supplier's id of a product. Raises `Refusal` (-3, -2)."""
    account, product = find(tx, name), product_of(tx, sku)
    connections.set_product_id(tx, account.id, product.id, external, face_value, OPERATOR)
    return show(tx, account.id)


def unmap_product(tx: Transaction, name: str, sku: str) -> dict[str, object]:
    """Removes the supplier's id of a product. Raises `Refusal` (-3)."""
    account, product = find(tx, name), product_of(tx, sku)
    connections.remove_product_id(tx, account.id, product.id, OPERATOR)
    return show(tx, account.id)


def list_purchases(tx: Transaction, name: str, state: str) -> list[dict[str, object]]:
    """The latest purchases, of one supplier or all, in one state or any. Raises `Refusal` (-3, -2)."""
    if state and state not in STATES:
        raise bad_field("state", f"must be one of {', '.join(STATES)}")
    supplier = find(tx, name).id if name else ""
    found = tx.all(purchases.OF_TENANT, supplier=supplier, only=STATES[state] if state else -1, most=MAX_LISTED)
    return [_purchase(one) for one in found]


def _purchase(one: Purchase) -> dict[str, object]:
    return {
        "id": one.id,
        "orderDetailId": one.line_id,
        "supplierId": one.supplier_id,
        "state": PURCHASE.states[one.state].name,
        "reference": one.reference,
        "externalOrder": one.external_order,
        "quantity": one.quantity,
        "unitCost": to_decimal(one.unit_cost, one.currency),
        "charged": None if one.charged is None else to_decimal(one.charged, one.currency),
        "currency": one.currency,
        "lastError": one.last_error,
        "created": wire_time(one.created),
        "updated": wire_time(one.updated),
    }


def _connection(tx: Transaction, supplier: str) -> Connection:
    found = connections.connection_of(tx, supplier)
    if found is None:
        raise Refusal(NOT_FOUND, "the supplier is not connected")
    return found


def _time(at: int | None) -> str | None:
    return None if at is None else wire_time(at)
