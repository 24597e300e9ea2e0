"""Audit rows show amounts as decimals with their currency, never in minor units."""

import json

import pytest
from sqlalchemy import select

from bedesten.audit.actions import OPERATOR
from bedesten.audit.tables import audit
from bedesten.cli.orders import _statuses
from bedesten.fulfilment import actions as fulfilment
from bedesten.orders import limits, refunds, review
from bedesten.orders.limits import OrderLimits
from bedesten.store.sql import TENANT, p, statement
from bedesten.tenants import money_approval
from tests.domain.tenant import Tenant

ROWS = statement(select(audit.c.detail).where(audit.c.tenant_id == TENANT, audit.c.action == p("action")))


def shown(tenant: Tenant, action: str, member: str) -> list[object]:
    return [json.loads(row[0])[member] for row in tenant.read(lambda tx: tx.all(ROWS, action=action))]


def test_limits_rules_and_approvals_show_the_currency(tenant: Tenant) -> None:
    tenant.write(limits.set_limits, OrderLimits("partner", 123_45, None))
    tenant.write(limits.set_limits, OrderLimits("partner", None, 3))
    tenant.write(review.add_rule, review.AMOUNT, None, 50_00, None)
    tenant.write(money_approval.set_approve_above, 7)
    assert shown(tenant, "order_limits.set", "daily_amount") == ["123.45 USD", None]
    assert shown(tenant, "review_rule.add", "amount") == ["50.00 USD"]
    assert shown(tenant, "tenant.approve_above", "after") == ["0.07 USD"]


def test_refunds_and_claw_backs_show_the_currency(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1))
    order, line = placed.order, placed.lines[0]
    tenant.write(refunds.refund_line, order, line, 1_50, "test:1", "a reason", OPERATOR)
    assert shown(tenant, "line.refund", "amount") == ["1.50 USD"]
    placed = tenant.order((tenant.topup(), 1))
    order, line = placed.order, placed.lines[0]
    tenant.write(fulfilment.deliver, tenant.installation.cipher, tenant.supplier, line.id, [], ["done"])
    tenant.write(refunds.claw_back, order, line, tenant.supplier, 99, "test:1", "a reason", OPERATOR)
    assert shown(tenant, "line.clawback", "amount") == ["0.99 USD"]


@pytest.mark.parametrize(
    ("status", "delivered", "cancelled", "expected"),
    [
        ("delivered", 1, 2, "1 delivered, 2 cancelled"),
        ("processing", 1, 0, "1 delivered, 2 processing"),
        ("cancelled", 0, 3, "3 cancelled"),
        ("delivered", 3, 0, "3 delivered"),
    ],
)
def test_a_list_counts_units_by_status(status: str, delivered: int, cancelled: int, expected: str) -> None:
    line = {"status": status, "quantity": 3, "delivered": delivered, "cancelled": cancelled}
    assert _statuses([line]) == expected
