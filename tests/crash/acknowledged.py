"""Compares what callers received with the store, row by row."""

from bedesten.core.money import to_minor
from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.crash.traffic import Traffic
from tests.store.raw import RawConnection, raw


def all_is_as_acknowledged(traffic: Traffic, installation: Installation) -> None:
    """No caller got a wrong answer, acknowledged orders and payments are stored exactly once, all invariants hold."""
    assert not traffic.failures, traffic.failures
    with raw(installation.settings) as other:
        orders_are_as_acknowledged(traffic, other)
        money_is_as_acknowledged(traffic, other)
    assert violations(installation) == []


def orders_are_as_acknowledged(traffic: Traffic, other: RawConnection) -> None:
    """Every acknowledged order is stored with exactly its lines, and there is no other order."""
    found = other.rows(
        "SELECT o.reference, o.id, l.deliver_id, l.id, l.quantity, l.price FROM orders o JOIN order_lines l"
        " ON l.tenant_id = o.tenant_id AND l.order_id = o.id WHERE o.tenant_id = :tenant AND o.surface = 'reseller'",
        tenant=traffic.shop.id,
    )
    outcome = [
        (
            reference,
            order["orderId"],
            line["deliverId"],
            line["orderDetailId"],
            line["quantity"],
            to_minor(line["price"], "USD"),
        )
        for reference, order in traffic.orders.items()
        for line in order["details"]
    ]
    assert sorted(found) == sorted(outcome)
    assert len(traffic.orders) > 0
    states = other.rows(
        "SELECT id, state FROM orders WHERE tenant_id = :t AND surface = 'storefront'", t=traffic.shop.id
    )
    assert sorted(states) == sorted((order, 1) for order in traffic.captures)
    assert len(traffic.captures) > 0


def money_is_as_acknowledged(traffic: Traffic, other: RawConnection) -> None:
    """Each deposit is booked once; delivered lines are paid once; the rest is held."""
    booked = other.rows("SELECT id, amount, state FROM deposits WHERE tenant_id = :tenant", tenant=traffic.shop.id)
    assert sorted(booked) == sorted((one, amount, 1) for one, amount in traffic.deposits.items())
    assert len(booked) > 0
    spent, waiting = (
        other.one(
            "SELECT coalesce(sum(l.price), 0) FROM order_lines l JOIN orders o ON o.tenant_id = l.tenant_id AND o.id ="
            " l.order_id WHERE o.tenant_id = :tenant AND o.buyer_id = :partner AND l.status = :status",
            tenant=traffic.shop.id,
            partner=traffic.shop.partner,
            status=status,
        )
        for status in (1, 2)
    )
    money = other.rows(
        "SELECT posted, held FROM ledger_accounts WHERE owner_id = :partner", partner=traffic.shop.partner
    )
    assert money == [(sum(traffic.deposits.values()) - spent, waiting)]
    claimed = other.one("SELECT count(*) FROM stock_codes WHERE tenant_id = :t AND state = 2", t=traffic.shop.id)
    units = other.one("SELECT sum(quantity) FROM order_lines WHERE tenant_id = :t AND status = 1", t=traffic.shop.id)
    assert claimed == units
