"""Every change of a line is one event; every event is delivered to its target until the receiver accepts it."""

from bedesten.accounts import actions as accounts
from bedesten.audit.actions import Actor
from bedesten.core.clock import SECOND
from bedesten.gate.scopes import Surface
from bedesten.orders import checkout
from bedesten.orders.event_payload import LineChange, event_payload
from bedesten.server.installation import Installation, open_store
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import endpoints, outbox
from bedesten.webhooks.event_types import ORDER_LINE_TYPES
from bedesten.webhooks.outbox import DELAYS, LEASE, Attempt, Capacity
from tests.domain.database_errors import DANGLING, DOUBLE, refuses
from tests.domain.mail import Mail
from tests.domain.tenant import PASSWORD, URL, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection

EVENTS = (
    "SELECT e.sequence, e.status, d.url FROM events e LEFT JOIN deliveries d"
    " ON d.tenant_id = e.tenant_id AND d.event_id = e.id"
    " WHERE e.tenant_id = :tenant AND e.line_id = :line ORDER BY e.sequence"
)


def outcome(other: RawConnection, tenant: Tenant, line: str) -> list[tuple[object, ...]]:
    """Version, status and target of every event of a line."""
    return other.rows(EVENTS, tenant=tenant.id, line=line)


def test_a_line_from_stock_has_one_event(tenant: Tenant, other_connection: RawConnection) -> None:
    line = tenant.order((tenant.card(1), 1)).lines[0]
    assert outcome(other_connection, tenant, line.id) == [(1, 1, URL)]


def test_a_supplier_s_line_has_one_event_when_queued_and_one_when_delivered(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = tenant.order((tenant.topup(), 1)).lines[0]
    assert outcome(other_connection, tenant, line.id) == [(1, 2, URL)]
    tenant.deliver(line.id, [fresh("TOP")])
    assert outcome(other_connection, tenant, line.id) == [(1, 2, URL), (2, 1, URL)]


def test_a_repeated_order_has_no_further_event(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(2)
    line = tenant.order((card, 1), reference="again").lines[0]
    tenant.order((card, 1), reference="again")
    assert outcome(other_connection, tenant, line.id) == [(1, 1, URL)]


def test_a_checkout_has_no_event_before_it_is_paid(tenant: Tenant, other_connection: RawConnection) -> None:
    card, topup = tenant.card(1), tenant.topup()
    placed = tenant.checkout((card, 1), (topup, 1))
    first, second = (line.id for line in placed.lines)
    assert outcome(other_connection, tenant, first) == outcome(other_connection, tenant, second) == []
    tenant.capture(tenant.payment(placed))
    assert outcome(other_connection, tenant, first) == [(1, 1, None)]
    assert outcome(other_connection, tenant, second) == [(1, 2, None)]


def test_an_expired_checkout_has_no_event(tenant: Tenant, other_connection: RawConnection) -> None:
    placed = tenant.checkout((tenant.card(1), 1), minutes=-1)
    tenant.write(checkout.expire, placed.order.id)
    assert outcome(other_connection, tenant, placed.lines[0].id) == []


def test_the_url_of_an_order_overrides_that_of_the_endpoint(tenant: Tenant, other_connection: RawConnection) -> None:
    named = "https://orders.example.com/one"
    placed = tenant.order((tenant.topup(), 1), notify_url=named)
    tenant.deliver(placed.lines[0].id, [fresh("TOP")])
    assert outcome(other_connection, tenant, placed.lines[0].id) == [(1, 2, named), (2, 1, named)]


def test_an_endpoint_without_a_url_gets_only_orders_that_name_one(
    installation: Installation, other_connection: RawConnection
) -> None:
    tenant = open_tenant(installation, credit=10_000)
    tenant.write(
        lambda tx: endpoints.change(
            tx, endpoints.list_endpoints(tx, tenant.partner)[0], None, ORDER_LINE_TYPES, Actor("test")
        )
    )
    named = "https://orders.example.com/two"
    silent = tenant.order((tenant.card(1), 1)).lines[0]
    loud = tenant.order((tenant.card(1), 1), notify_url=named).lines[0]
    assert outcome(other_connection, tenant, silent.id) == [(1, 1, None)]
    assert outcome(other_connection, tenant, loud.id) == [(1, 1, named)]


def test_a_buyer_without_an_endpoint_gets_nothing_because_nothing_could_be_signed(
    installation: Installation, other_connection: RawConnection
) -> None:
    tenant = open_tenant(installation)
    second = tenant.write(accounts.create, "partner", "second@example.com", "Second", password=PASSWORD)
    assert second is not None
    bare = Tenant(installation, tenant.id, second, tenant.customer, tenant.supplier, tenant.integration)
    bare.credit(10_000)
    line = bare.order((bare.card(1), 1), notify_url="https://orders.example.com/three").lines[0]
    assert outcome(other_connection, bare, line.id) == [(1, 1, None)]


def test_an_endpoint_s_secrets_are_shown_once_and_encrypted(tenant: Tenant, other_connection: RawConnection) -> None:
    supplier = tenant.write(accounts.find_or_create_owner, Surface.SUPPLIER, "Another")
    secret, key = tenant.write(webhooks.create_endpoint, tenant.installation.cipher, supplier, URL)
    assert secret.reveal().startswith("whsec_")
    assert key.reveal().startswith("ok_")
    rows = other_connection.rows("SELECT secret, outbound_key FROM webhook_endpoints WHERE owner_id = :id", id=supplier)
    for ciphertext in rows[0]:
        assert secret.reveal().encode() not in bytes(ciphertext)
        assert key.reveal().encode() not in bytes(ciphertext)
    (endpoint,) = tenant.read(webhooks.endpoints_of, supplier)
    cipher = tenant.installation.cipher
    opened_secret = tenant.read(lambda tx: cipher.decrypt(tx, webhooks.SECRET, endpoint.id, bytes(rows[0][0])))
    assert opened_secret == secret.reveal()


def test_only_the_body_of_a_delivered_event_has_the_codes(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 2))
    line, order = placed.lines[0], placed.order
    tenant.deliver(line.id, ["BODY-1", "BODY-2"], ["a note"])
    cipher = tenant.installation.cipher
    assert tenant.write(event_payload, cipher, LineChange(line.id, 1, 2, 1_772_357_400_000)) == {
        "type": "order_line.processing",
        "orderId": order.id,
        "orderReference": order.reference,
        "deliverId": "1",
        "orderDetailId": line.id,
        "status": 2,
        "sequence": 1,
        "occurredAt": "2026-03-01T09:30:00Z",
        "deliveryData": None,
        "deliveryNote": None,
    }
    assert tenant.write(event_payload, cipher, LineChange(line.id, 2, 1, 1_772_357_401_999)) == {
        "type": "order_line.delivered",
        "orderId": order.id,
        "orderReference": order.reference,
        "deliverId": "1",
        "orderDetailId": line.id,
        "status": 1,
        "sequence": 2,
        "occurredAt": "2026-03-01T09:30:01Z",
        "deliveryData": ["BODY-1", "BODY-2"],
        "deliveryNote": ["a note"],
    }


def test_every_reveal_by_webhook_leaves_a_row_in_the_trail(tenant: Tenant, other_connection: RawConnection) -> None:
    line = tenant.order((tenant.card(1), 1)).lines[0]
    for _ in range(2):
        tenant.write(event_payload, tenant.installation.cipher, LineChange(line.id, 1, 1, 0))
    rows = other_connection.rows(
        "SELECT actor, detail FROM audit WHERE tenant_id = :tenant AND action = 'line.reveal' AND subject = :line",
        tenant=tenant.id,
        line=line.id,
    )
    assert rows == [("webhook", '{"codes":1}')] * 2


def test_the_database_refuses_a_second_event_of_a_change_or_delivery_of_an_event(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.order((tenant.card(2), 2))
    event = (
        "INSERT INTO events (id, tenant_id, owner_id, type, object_id, line_id, sequence, status, test, created)"
        " SELECT 'evt_x', tenant_id, owner_id, type, object_id, {}, {}, 1, 0, 1"
    )
    event += " FROM events WHERE tenant_id = :tenant"
    refuses(other_connection, DOUBLE, event.format("line_id", "sequence"), tenant=tenant.id)
    refuses(other_connection, DANGLING, event.format("'odl_of_nobody'", "9"), tenant=tenant.id)
    delivery = (
        "INSERT INTO deliveries (id, tenant_id, event_id, endpoint_id, url, order_url, state, attempts, next_at, updated)"
        " SELECT 'dlv_x', tenant_id, {}, {}, url, 0, state, 0, 1, 1 FROM deliveries WHERE tenant_id = :tenant"
    )
    refuses(other_connection, DOUBLE, delivery.format("event_id", "endpoint_id"), tenant=tenant.id)
    refuses(other_connection, DANGLING, delivery.format("'evt_of_nobody'", "endpoint_id"), tenant=tenant.id)
    refuses(other_connection, DANGLING, delivery.format("event_id", "'whk_of_nobody'"), tenant=tenant.id)


# --- the worker's side, with its own clock ----------------------------------------------------------------------------


def test_a_delivery_is_leased_to_one_worker_and_released_when_that_worker_dies(mail: Mail) -> None:
    line = mail.tenant.order((mail.tenant.card(1), 1)).lines[0]
    (leased,) = mail.lease()
    assert (leased.line_id, leased.status, leased.url, leased.attempts) == (line.id, 1, URL, 0)
    mail.clock.now += LEASE - 1
    assert mail.lease() == []
    mail.clock.now += 1
    (again,) = mail.lease()
    assert (again.id, again.event_id, again.attempts) == (leased.id, leased.event_id, 1)


def test_an_accepted_delivery_is_never_sent_again(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    (leased,) = mail.lease()
    mail.store.write_now(lambda tx: outbox.delivered(tx, leased, Attempt(204, "", 1)))
    mail.fail(leased)
    mail.clock.now += 10 * LEASE
    assert mail.lease() == []


def test_a_delivery_is_tried_with_growing_delays_over_days_and_then_given_up(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    waits: list[int] = []
    began = mail.clock.now
    for expected in (*DELAYS, None):
        (leased,) = mail.lease()
        mail.fail(leased, 503, "x" * 1_000)
        if expected is not None:
            mail.clock.now += expected - 1
            assert mail.lease() == []
            mail.clock.now += 1
            waits.append(expected)
    assert waits == sorted(waits)
    assert waits[0] == 2 * SECOND
    assert len(waits) == 13
    assert mail.clock.now - began >= 3 * 24 * 3600 * SECOND
    mail.clock.now += 365 * 24 * 3600 * SECOND
    assert mail.lease() == []


def test_the_longest_waiting_deliveries_are_leased_first_and_no_more_than_asked_for(mail: Mail) -> None:
    lines = []
    for _ in range(5):
        lines.append(mail.tenant.order((mail.tenant.card(1), 1)).lines[0].id)
        mail.clock.now += 10
    assert [one.line_id for one in mail.lease(2)] == lines[:2]
    assert [one.line_id for one in mail.lease(2)] == lines[2:4]
    assert [one.line_id for one in mail.lease(2)] == lines[4:]


def test_two_concurrent_workers_lease_different_deliveries(mail: Mail) -> None:
    """On PostgreSQL the second worker skips locked rows instead of waiting for the first."""
    for _ in range(4):
        mail.tenant.order((mail.tenant.card(1), 1))
    other = open_store(mail.tenant.installation.settings, mail.clock)
    if other.dialect == "postgresql":
        first, second = mail.store.write_now(
            lambda tx: (outbox.lease(tx, Capacity(2)), other.write_now(lambda t: outbox.lease(t, Capacity(9))))
        )
    else:
        first, second = mail.lease(2), other.write_now(lambda tx: outbox.lease(tx, Capacity(9)))
    other.close()
    assert len(first) == len(second) == 2
    assert len({one.id for one in (*first, *second)}) == 4
