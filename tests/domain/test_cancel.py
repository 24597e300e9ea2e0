"""Undelivered lines can be cancelled: the money is released, the event written, and the supplier loses the line."""

import json
from collections.abc import Sequence

import pytest

from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import cancel
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, Line, Order
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh
from tests.store.raw import RawConnection

EVENTS = "SELECT status FROM events WHERE line_id = :line ORDER BY sequence"


def cancelled(tenant: Tenant, order: Order, *lines: str, actor: str = "") -> list[Line]:
    """Cancels lines of an order, or all that is left of it; returns its lines afterwards."""

    def work(tx: Transaction) -> list[Line]:
        locked = cancel.lock(tx, order)
        return cancel.cancel(tx, locked, lines, Actor(actor or order.buyer_id), "changed my mind")

    return tenant.write(work)


def refused(tenant: Tenant, order: Order, *lines: str) -> Refusal:
    """Returns the refusal of a cancellation; asserts that the lines are unchanged."""
    before = tenant.read(orders.lines_of, order.id)
    with pytest.raises(Refusal) as outcome:
        cancelled(tenant, order, *lines)
    assert tenant.read(orders.lines_of, order.id) == before
    return outcome.value


def test_cancelling_a_waiting_line_releases_its_money_and_writes_its_event(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    placed = tenant.order((tenant.topup(), 3))
    (line,) = cancelled(tenant, placed.order)
    assert (line.status, line.cancelled, line.delivered, line.version) == (CANCELLED, 3, 0, 2)
    assert (line.queued, line.supplier_id, line.deadline) == (None, tenant.supplier, None)
    assert (tenant.balance().posted, tenant.balance().held) == (0, 0)
    assert [row[0] for row in other_connection.rows(EVENTS, line=line.id)] == [PROCESSING, CANCELLED]


def test_the_trail_says_who_cancelled_what_and_why(tenant: Tenant, other_connection: RawConnection) -> None:
    placed = tenant.order((tenant.topup(), 3))
    cancelled(tenant, placed.order, actor="operator")
    line = placed.lines[0].id
    (row,) = other_connection.rows(
        "SELECT actor, detail FROM audit WHERE action = 'line.cancel' AND subject = :line", line=line
    )
    assert (row[0], json.loads(row[1])) == ("operator", {"units": 3, "reason": "changed my mind"})


def test_one_line_is_cancelled_and_the_others_go_on(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 1), (tenant.topup(), 2))
    lines = cancelled(tenant, placed.order, placed.lines[1].id)
    assert [(line.status, line.cancelled) for line in lines] == [(PROCESSING, 0), (CANCELLED, 2)]
    assert tenant.balance().held == TOPUP
    assert tenant.deliver(placed.lines[0].id, [fresh("TOP")]).status == DELIVERED
    assert (tenant.balance().posted, tenant.balance().held) == (-TOPUP, 0)


def test_cancelling_an_order_cancels_what_is_left_and_keeps_delivered_lines(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(2), 2), (tenant.topup(), 1), (tenant.topup(), 2))
    lines = cancelled(tenant, placed.order)
    assert [line.status for line in lines] == [DELIVERED, CANCELLED, CANCELLED]
    assert (tenant.balance().posted, tenant.balance().held) == (-2 * CARD, 0)
    assert len(tenant.codes(placed.lines[0].id)) == 2


@pytest.mark.parametrize("named", [True, False])
def test_a_second_cancellation_changes_nothing(tenant: Tenant, other_connection: RawConnection, named: bool) -> None:
    placed = tenant.order((tenant.topup(), 1))
    lines: Sequence[str] = [placed.lines[0].id] if named else []
    first = cancelled(tenant, placed.order, *lines)
    assert cancelled(tenant, placed.order, *lines) == first
    assert tenant.balance().held == 0
    assert len(other_connection.rows(EVENTS, line=first[0].id)) == 2


def test_a_request_that_names_a_delivered_line_cancels_no_line(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 1))
    outcome = refused(tenant, placed.order, *(line.id for line in placed.lines))
    assert outcome.code.number == -202
    assert outcome.data == {"items": [{"orderDetailId": placed.lines[0].id, "deliverId": "1", "status": DELIVERED}]}
    assert tenant.balance().held == TOPUP


def test_repeating_a_cancellation_with_a_delivered_line_changes_nothing(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 1))
    assert cancelled(tenant, placed.order) == cancelled(tenant, placed.order)


def test_a_delivered_order_has_nothing_to_cancel(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1))
    assert refused(tenant, placed.order).code.number == -202


def test_an_unpaid_checkout_has_no_line_to_cancel(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    assert refused(tenant, placed.order, placed.lines[0].id).code.number == -202
    assert refused(tenant, placed.order).code.number == -202


def test_a_line_of_another_order_is_unknown(tenant: Tenant) -> None:
    placed, other = tenant.order((tenant.topup(), 1)), tenant.order((tenant.topup(), 1))
    for line in (other.lines[0].id, "odl_none"):
        assert refused(tenant, placed.order, placed.lines[0].id, line).code.number == -3
    assert tenant.balance().held == 2 * TOPUP


def test_cancelling_a_paid_storefront_line_credits_the_customer_s_balance(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1), (tenant.topup(), 1))
    tenant.capture(tenant.payment(placed))
    cancelled(tenant, placed.order)
    money = tenant.balance(tenant.customer, "customer")
    assert (money.posted, money.held, money.available) == (TOPUP, 0, TOPUP)


def test_a_supplier_s_codes_for_a_cancelled_line_go_to_stock_and_not_to_the_buyer(tenant: Tenant) -> None:
    product = tenant.topup()
    placed = tenant.order((product, 1))
    cancelled(tenant, placed.order)
    tenant.deliver(placed.lines[0].id, [fresh("LATE")])
    assert tenant.available(product) == 1
    assert tenant.codes(placed.lines[0].id) == []
    assert tenant.line(placed.lines[0].id).status == CANCELLED
    assert (tenant.balance().posted, tenant.balance().held) == (0, 0)


def test_released_money_can_be_spent_at_once(tenant: Tenant) -> None:
    product = tenant.topup(price=100_000, cost=1)
    placed = tenant.order((product, 1))
    with pytest.raises(Refusal):
        tenant.order((product, 1))
    cancelled(tenant, placed.order)
    assert tenant.order((product, 1)).lines[0].status == PROCESSING
