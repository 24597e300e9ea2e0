"""Orders are listed newest first: no page skips or repeats one while others arrive."""

from collections.abc import Iterator

import pytest

from bedesten.audit.actions import Actor
from bedesten.orders import cancel, listing
from bedesten.orders.listing import OrderFilter, OrderWithLines
from bedesten.orders.model import CANCELLED, DELIVERED, EXPIRED, PROCESSING, UNPAID, Order
from bedesten.store.transaction import Transaction
from tests.domain.tenant import Tenant, fresh

EVERYTHING = OrderFilter()


def listed(tenant: Tenant, wanted: OrderFilter = EVERYTHING, buyer: str = "") -> list[str]:
    """The ids of a buyer's orders."""
    found = tenant.read(listing.orders_of, buyer or tenant.partner, wanted, "", 100)
    return [order.id for order, _ in found]


def pages(tenant: Tenant, size: int) -> Iterator[list[OrderWithLines]]:
    """Yields the pages of the partner's orders, each read on demand."""
    before = ""
    while True:
        found = tenant.read(listing.orders_of, tenant.partner, EVERYTHING, before, size)
        yield found[:size]
        if len(found) <= size:
            return
        before = found[size - 1][0].id


def cancelled(tenant: Tenant, order: Order) -> None:
    def work(tx: Transaction) -> None:
        cancel.cancel(tx, cancel.lock(tx, order), (), Actor("a test"), "")

    tenant.write(work)


def test_orders_come_newest_first_with_all_of_their_lines(tenant: Tenant) -> None:
    card, topup = tenant.card(9), tenant.topup()
    first, second = tenant.order((card, 1), (topup, 2)), tenant.order((card, 3))
    found = tenant.read(listing.orders_of, tenant.partner, EVERYTHING, "", 100)
    assert sorted(found, key=lambda one: one[0].id) == sorted(
        [(one.order, one.lines) for one in (first, second)], key=lambda one: one[0].id
    )
    assert [one[0].id for one in found] == sorted((one[0].id for one in found), reverse=True)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_pages_neither_skip_nor_repeat_while_orders_arrive_and_change(tenant: Tenant, size: int) -> None:
    topup = tenant.topup()
    there = [tenant.order((topup, 1), (topup, 1)).order for _ in range(5)]
    seen: list[str] = []
    for at, page in enumerate(pages(tenant, size)):
        seen += [order.id for order, _ in page]
        assert all(len(lines) == 2 for _, lines in page)
        tenant.order((topup, 1))
        cancelled(tenant, there[at])
    assert [one for one in seen if one in {order.id for order in there}] == sorted(
        (order.id for order in there), reverse=True
    )
    assert len(set(seen)) == len(seen)


def test_the_conditions_on_lines_apply_to_one_line(tenant: Tenant) -> None:
    card, topup = tenant.card(9), tenant.topup()
    mixed, sold = tenant.order((card, 1), (topup, 1)).order.id, tenant.order((card, 1)).order.id
    newest_first = sorted((mixed, sold), reverse=True)
    assert listed(tenant, OrderFilter(statuses=frozenset({PROCESSING}))) == [mixed]
    assert listed(tenant, OrderFilter(statuses=frozenset({DELIVERED}))) == newest_first
    assert listed(tenant, OrderFilter(statuses=frozenset({DELIVERED, PROCESSING}))) == newest_first
    assert listed(tenant, OrderFilter(statuses=frozenset({CANCELLED}))) == []
    assert listed(tenant, OrderFilter(product=topup)) == [mixed]
    assert listed(tenant, OrderFilter(product=topup, statuses=frozenset({DELIVERED}))) == []
    assert listed(tenant, OrderFilter(product="prd_none")) == []


def test_orders_are_found_by_reference_and_time(tenant: Tenant) -> None:
    card = tenant.card(9)
    order = tenant.order((card, 1), reference=fresh("mine")).order
    tenant.order((card, 1))
    assert listed(tenant, OrderFilter(reference=order.reference)) == [order.id]
    assert order.id in listed(tenant, OrderFilter(created_from=order.created))
    assert order.id not in listed(tenant, OrderFilter(created_from=order.created + 1))
    assert order.id not in listed(tenant, OrderFilter(created_to=order.created))
    assert order.id in listed(tenant, OrderFilter(created_to=order.created + 1))
    assert order.id not in listed(tenant, OrderFilter(since=order.created + 60_000))


def test_states_select_checkouts(tenant: Tenant) -> None:
    card = tenant.card(9)
    unpaid, paid = tenant.checkout((card, 1)), tenant.checkout((card, 1))
    tenant.capture(tenant.payment(paid))
    assert listed(tenant, OrderFilter(states=frozenset({UNPAID})), tenant.customer) == [unpaid.order.id]
    assert listed(tenant, OrderFilter(states=frozenset({EXPIRED})), tenant.customer) == []
    assert len(listed(tenant, buyer=tenant.customer)) == 2


def test_another_buyer_s_orders_are_not_listed(tenant: Tenant) -> None:
    tenant.order((tenant.card(1), 1))
    assert listed(tenant, buyer=tenant.customer) == []
