"""Events with a stored body: numbered for each object and owner, delivered to the endpoints that chose their type."""

import json
from dataclasses import replace
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from bedesten.admin import products
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.model import fields_of
from bedesten.core.clock import DAY, system_clock
from bedesten.gate.scopes import Surface
from bedesten.orders.model import EVENT_TYPES as LINE_EVENTS
from bedesten.server.worker import warn_of_keys
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import outbox, product_events
from bedesten.webhooks.event_body import stored_body
from bedesten.webhooks.event_types import ORDER_LINE_TYPES
from bedesten.webhooks.outbox import Capacity
from tests.domain.tenant import URL, Tenant
from tests.store.raw import RawConnection

ROWS = (
    "SELECT e.owner_id, e.type, e.sequence, e.body, d.url FROM events e LEFT JOIN deliveries d ON"
    " d.tenant_id = e.tenant_id AND d.event_id = e.id WHERE e.tenant_id = :tenant AND e.object_id = :object"
    " ORDER BY e.sequence, e.owner_id"
)


def test_an_event_is_numbered_for_its_object_and_owner(tenant: Tenant, other_connection: RawConnection) -> None:
    for amount in (1, 2):
        tenant.write(webhooks.notify, tenant.partner, "balance.low", "obj_1", {"available": amount})
    tenant.write(webhooks.notify, tenant.supplier, "order.awaiting", "obj_1", {})
    assert other_connection.rows(ROWS, tenant=tenant.id, object="obj_1") == sorted(
        [
            (tenant.partner, "balance.low", 1, '{"available":1}', None),
            (tenant.supplier, "order.awaiting", 1, "{}", None),
            (tenant.partner, "balance.low", 2, '{"available":2}', None),
        ],
        key=lambda row: (row[2], row[0]),
    )


def test_an_endpoint_gets_events_of_the_types_that_it_chose(tenant: Tenant, other_connection: RawConnection) -> None:
    cipher, chosen = tenant.installation.cipher, frozenset({"order.awaiting"})
    tenant.write(webhooks.create_endpoint, cipher, tenant.supplier, URL, chosen)
    for name in ("order.awaiting", "key.expiring"):
        tenant.write(webhooks.notify, tenant.supplier, name, "obj_2", {})
    found = other_connection.rows(ROWS, tenant=tenant.id, object="obj_2")
    assert [row[1:3] + row[4:] for row in found] == [("order.awaiting", 1, URL), ("key.expiring", 2, None)]


def test_a_stored_body_gets_the_envelope_when_it_is_sent(tenant: Tenant) -> None:
    tenant.write(webhooks.create_endpoint, tenant.installation.cipher, tenant.supplier, URL, None)
    tenant.write(webhooks.notify, tenant.supplier, "order.awaiting", "odl_1", {"orderId": "ord_1", "quantity": 2})
    tenant.write(webhooks.notify, tenant.supplier, "key.expiring", "key_1", {"days": 7})
    due = tenant.store.write_now(lambda tx: outbox.lease(tx, Capacity(10_000)))
    first, second = (stored_body(one) for one in due if one.tenant_id == tenant.id)
    assert first.pop("occurredAt")
    assert second.pop("occurredAt")
    assert first == {
        "type": "order.awaiting", "objectId": "odl_1", "orderId": "ord_1", "orderReference": None, "sequence": 1,
        "quantity": 2,
    }  # fmt: skip
    assert second == {
        "type": "key.expiring", "objectId": "key_1", "orderId": None, "orderReference": None, "sequence": 1, "days": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event_type", "body"),
    [
        ("order.unknown", {}),
        ("order_line.delivered", {}),
        ("balance.low", {"sequence": 3}),
        ("balance.low", {"type": 1}),
    ],
)
def test_an_unknown_type_a_type_of_lines_and_an_envelope_member_are_assertion_errors(
    tenant: Tenant, event_type: str, body: dict[str, object]
) -> None:
    with pytest.raises(AssertionError):
        tenant.write(webhooks.notify, tenant.partner, event_type, "obj_3", body)


def test_concurrent_events_of_one_object_get_different_numbers(tenant: Tenant, other_connection: RawConnection) -> None:
    start = Barrier(4)

    def tell() -> None:
        start.wait()
        for _ in range(5):
            tenant.write(webhooks.notify, tenant.partner, "balance.low", "obj_4", {})

    threads = [Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = other_connection.rows(ROWS, tenant=tenant.id, object="obj_4")
    assert [row[2] for row in found] == list(range(1, 21))


def test_every_status_of_a_line_has_its_type() -> None:
    assert set(LINE_EVENTS.values()) == ORDER_LINE_TYPES


def test_partners_that_chose_it_receive_a_product_s_change_of_price_or_sale(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    cipher = tenant.installation.cipher
    tenant.write(webhooks.create_endpoint, cipher, tenant.partner, URL, frozenset({"product.changed"}))
    tenant.write(webhooks.create_endpoint, cipher, tenant.supplier, URL, None)
    card = tenant.card(1)
    for price in (5, 6, 6):
        tenant.write(products.set_prices, "USD", {card: Decimal(price)})
    product = tenant.read(catalogue.product, card)
    assert product is not None
    tenant.write(lambda tx: catalogue.revise(tx, product, replace(fields_of(product), name="Other name")))
    tenant.write(product_events.tell_of_change, product)
    tenant.write(lambda tx: catalogue.revise(tx, product, replace(fields_of(product), active=False)))
    tenant.write(product_events.tell_of_change, product)
    found = other_connection.rows(ROWS, tenant=tenant.id, object=card)
    assert [row[:4] for row in found] == [
        (tenant.partner, "product.changed", at, f'{{"customerStoreProductId":"{card}","onSale":{sale}}}')
        for at, sale in ((1, "true"), (2, "false"))
    ]


def test_a_supplier_with_an_endpoint_is_warned_of_an_expiring_key(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.write(webhooks.create_endpoint, tenant.installation.cipher, tenant.supplier, URL, None)
    new = NewKey(Surface.SUPPLIER, tenant.supplier, sandbox=False, expires=system_clock() + 3 * DAY)
    key = tenant.write(api_keys.insert, new, "ak_live_…")
    other_connection.run("UPDATE api_keys SET warned = 30 WHERE id = :id", id=key)  # as if time had passed
    for _ in range(2):
        tenant.store.write_now(warn_of_keys)
    (row,) = other_connection.rows(ROWS, tenant=tenant.id, object=key)
    assert row[:3] == (tenant.supplier, "key.expiring", 1)
    assert json.loads(str(row[3])) | {"expires": ""} == {"keyId": key, "hint": "ak_live_…", "days": 7, "expires": ""}
