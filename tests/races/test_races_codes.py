"""Orders skip codes that others have locked, and get "sold out" only once none of those can come back."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.orders.actions import PlacedOrder
from tests.domain.tenant import Tenant
from tests.races.conftest import Race
from tests.races.test_races_goods import delivered_codes
from tests.store.raw import RawConnection, raw

CODES_OF = "FROM stock_codes WHERE tenant_id = :tenant AND product_id = :card AND state = 0"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@contextmanager
def waiting_buyer(tenant: Tenant, card: str, other: RawConnection) -> Iterator[Future[PlacedOrder]]:
    """Starts an order that waits for the card's codes, which another transaction has locked."""
    if other.dialect == "sqlite":
        pytest.skip("SQLite has one writer: an order never meets another one's lock")
    other.run("BEGIN")
    other.rows(f"SELECT id {CODES_OF} FOR UPDATE", tenant=tenant.id, card=card)
    with ThreadPoolExecutor(1) as pool, raw(tenant.installation.settings) as watcher:
        order = pool.submit(tenant.order, (card, 1))
        while not watcher.one(WAITING) and not order.done():
            time.sleep(0.01)
        assert not order.done()
        yield order


def test_a_buyer_gets_the_last_code_when_the_order_that_had_it_is_rolled_back(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(1)
    with waiting_buyer(tenant, card, other_connection) as order:
        other_connection.run("ROLLBACK")
        assert order.result().lines[0].delivered == 1
    assert tenant.available(card) == 0


def test_a_buyer_gets_sold_out_when_the_last_code_is_gone(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(1)
    with waiting_buyer(tenant, card, other_connection) as order:
        gone = f"UPDATE stock_codes SET state = 3, reason = 'gone' WHERE id = (SELECT id {CODES_OF})"
        other_connection.run(gone, tenant=tenant.id, card=card)
        level = "UPDATE stock_levels SET available = 0 WHERE tenant_id = :tenant AND product_id = :card"
        other_connection.run(level, tenant=tenant.id, card=card)
        other_connection.run("COMMIT")
        with pytest.raises(Refusal) as refusal:
            order.result()
    assert refusal.value.code is errors.NOT_ORDERABLE
    assert tenant.available(card) == 0


def test_orders_with_two_lines_of_one_product_sell_every_code_exactly_once(tenant: Tenant, race: Race) -> None:
    card = tenant.card(24)

    def buy(_: int) -> object:
        try:
            return tenant.order((card, 1), (card, 2))
        except Refusal as refusal:
            return refusal.code

    outcomes = race(buy)
    orders = [one for one in outcomes if isinstance(one, PlacedOrder)]
    assert len(orders) == 8
    assert [one for one in outcomes if not isinstance(one, PlacedOrder)] == [errors.NOT_ORDERABLE] * (len(outcomes) - 8)
    assert len(set(delivered_codes(tenant, orders))) == 24
    assert tenant.available(card) == 0
