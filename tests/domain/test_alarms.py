"""Alarms of low stock and low balance: sent once for each crossing, and not by the order that crosses."""

import asyncio
import json
from decimal import Decimal

import pytest
from sqlalchemy import select

from bedesten.accounts import actions as accounts
from bedesten.admin import alarms, partners, product_settings, products
from bedesten.catalogue import stock_alarms
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.ledger import balance_alarms
from bedesten.server.worker import sound_alarms
from bedesten.store.sql import TENANT, p, statement
from bedesten.webhooks.tables import events
from tests.domain.tenant import CARD, Tenant, fresh

EVENTS = statement(
    select(events.c.owner_id, events.c.object_id, events.c.body)
    .where(events.c.tenant_id == TENANT, events.c.type == p("type"))
    .order_by(events.c.sequence)
)


def outcome(tenant: Tenant, event_type: str) -> list[tuple[str, str, object]]:
    """Runs a round of the worker; returns owner, object and body of every event of the type so far."""
    asyncio.run(sound_alarms(tenant.store))
    return [
        (owner, of, json.loads(body)) for owner, of, body in tenant.read(lambda tx: tx.all(EVENTS, type=event_type))
    ]


def watched(tenant: Tenant, codes: int, threshold: int) -> str:
    """A product of the supplier's, in stock, with an alarm."""
    card = tenant.topup(fulfilment="stock_first")
    tenant.upload(card, [fresh("LOW") for _ in range(codes)])
    tenant.write(product_settings.set_low_stock, [card], threshold)
    return card


def test_low_stock_is_reported_once_when_it_falls_and_again_after_it_recovered(tenant: Tenant) -> None:
    card = watched(tenant, 4, 3)
    assert outcome(tenant, "product.stock_low") == []
    tenant.order((card, 2))
    first = (tenant.supplier, card, {"productId": card, "available": 2, "threshold": 3})
    assert outcome(tenant, "product.stock_low") == [first]
    tenant.order((card, 1))
    assert outcome(tenant, "product.stock_low") == [first]
    assert [one["id"] for one in tenant.read(products.low_page, "GLOBAL", "", 10)[0]] == [card]
    tenant.upload(card, [fresh("LOW"), fresh("LOW")])
    assert outcome(tenant, "product.stock_low") == [first]
    assert tenant.read(products.low_page, "GLOBAL", "", 10) == ([], None)
    tenant.order((card, 1))
    second = (tenant.supplier, card, {"productId": card, "available": 2, "threshold": 3})
    assert outcome(tenant, "product.stock_low") == [first, second]


def test_an_order_writes_no_alarm_itself(tenant: Tenant) -> None:
    card = watched(tenant, 1, 3)
    tenant.order((card, 1))
    assert tenant.read(lambda tx: tx.all(EVENTS, type="product.stock_low")) == []


def test_two_workers_report_one_crossing_once(tenant: Tenant) -> None:
    card = watched(tenant, 1, 3)
    assert tenant.write(alarms.tell_of_stock, card) == alarms.LowStock(card, 1, 3)
    assert tenant.write(alarms.tell_of_stock, card) is None
    assert len(outcome(tenant, "product.stock_low")) == 1
    tenant.write(partners.set_low_balance, "USD", the_partner(tenant), Decimal(1_000_000))
    assert tenant.write(alarms.tell_of_balance, tenant.partner)
    assert not tenant.write(alarms.tell_of_balance, tenant.partner)


def test_the_operators_own_product_has_an_alarm_and_no_event(tenant: Tenant) -> None:
    card = tenant.card(1)
    tenant.write(product_settings.set_low_stock, [card], 2)
    assert outcome(tenant, "product.stock_low") == []
    assert tenant.read(stock_alarms.thresholds)[card][1] is not None
    tenant.write(product_settings.set_low_stock, [card], None)
    assert tenant.read(stock_alarms.thresholds) == {}


def test_a_new_threshold_raises_a_new_alarm_and_the_same_one_does_not(tenant: Tenant) -> None:
    card = watched(tenant, 1, 3)
    assert len(outcome(tenant, "product.stock_low")) == 1
    tenant.write(product_settings.set_low_stock, [card], 3)
    assert len(outcome(tenant, "product.stock_low")) == 1
    tenant.write(product_settings.set_low_stock, [card], 2)
    assert len(outcome(tenant, "product.stock_low")) == 2


@pytest.mark.parametrize("threshold", [0, -1, 1_000_001])
def test_a_threshold_has_bounds(tenant: Tenant, threshold: int) -> None:
    with pytest.raises(Refusal, match="-2"):
        tenant.write(product_settings.set_low_stock, [tenant.card(0)], threshold)


def the_partner(tenant: Tenant) -> accounts.Account:
    return tenant.read(partners.find, tenant.partner)


def test_a_low_balance_is_reported_once_when_it_falls_and_again_after_it_recovered(tenant: Tenant) -> None:
    card = tenant.card(9)
    tenant.write(partners.set_low_balance, "USD", the_partner(tenant), Decimal(995))
    assert outcome(tenant, "balance.low") == []
    tenant.order((card, 2))
    body = {"spendable": 990.0, "threshold": 995.0, "currency": "USD"}
    assert outcome(tenant, "balance.low") == [(tenant.partner, tenant.partner, body)]
    tenant.order((card, 1))
    assert len(outcome(tenant, "balance.low")) == 1
    money = tenant.balance()
    tenant.write(ledger.receive, money, 3 * CARD, fresh("money"))
    assert len(outcome(tenant, "balance.low")) == 1
    tenant.order((card, 3))
    assert [one[2] for one in outcome(tenant, "balance.low")] == [body, {**body, "spendable": 985.0}]


def test_a_held_order_counts_as_spent(tenant: Tenant) -> None:
    tenant.write(partners.set_low_balance, "USD", the_partner(tenant), Decimal(995))
    tenant.order((tenant.topup(), 1))
    assert [one[2] for one in outcome(tenant, "balance.low")] == [
        {"spendable": 993.0, "threshold": 995.0, "currency": "USD"}
    ]


def test_a_balance_alarm_can_be_removed(tenant: Tenant) -> None:
    tenant.write(partners.set_low_balance, "USD", the_partner(tenant), Decimal(2_000))
    tenant.write(partners.set_low_balance, "USD", the_partner(tenant), Decimal(0))
    assert outcome(tenant, "balance.low") == []
    assert tenant.read(balance_alarms.threshold_of, tenant.partner) is None
