"""The n-th call of the store fails, for every n: every action on payments does everything or nothing."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.payments import actions as payments
from bedesten.payments import events, settlements
from bedesten.payments.events import NewEvent
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant, fresh
from tests.domain.test_payment_life import announced, captured, give, requested
from tests.domain.test_settlements import statement
from tests.support.nth_failure import assert_all_or_nothing

SERVICE = Actor("test")
Action = Callable[[Transaction], object]


def _event(tenant: Tenant, kind: str, payment_id: str) -> Action:
    new = NewEvent(fresh("evt"), f"payment.{kind}", 0, payment_id)
    return lambda tx: events.notify(tx, tenant.integration, new)


def _capture(tenant: Tenant) -> Action:
    payment = announced(tenant)
    return lambda tx: payments.capture_payment(tx, tenant.integration, payment.id)


def _capture_part(tenant: Tenant) -> Action:
    payment = announced(tenant)
    return lambda tx: payments.capture_payment(tx, tenant.integration, payment.id, 100, "part")


def _refuse(tenant: Tenant) -> Action:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.write(payments.capture_payment, tenant.integration, second.id, 100, "part")
    tenant.capture(first)
    return lambda tx: payments.capture_payment(tx, tenant.integration, second.id)


def _refund(tenant: Tenant) -> Action:
    payment = captured(tenant)
    give(tenant, CARD)
    return lambda tx: payments.refund_payment(tx, tenant.integration, payment.id, 100, "r", "why", SERVICE)


def _fail_refund(tenant: Tenant) -> Action:
    payment = captured(tenant)
    give(tenant, CARD)
    made = requested(tenant, payment)
    return lambda tx: payments.fail_refund(tx, tenant.integration, made.id, "closed", SERVICE)


def _lose(tenant: Tenant) -> Action:
    payment = captured(tenant)
    tenant.notify("payment.disputed", payment)
    return _event(tenant, "disputeLost", payment.id)


def _announce(tenant: Tenant) -> Action:
    placed = tenant.checkout((tenant.card(1), 1))
    for kind in ("captured", "disputed", "disputeLost"):
        new = NewEvent(fresh("evt"), f"payment.{kind}", 0, payment_reference="early")
        tenant.write(events.notify, tenant.integration, new)
    return lambda tx: payments.create_payment(tx, tenant.integration, placed.order.id, "early", CARD)


def _reconcile(tenant: Tenant) -> Action:
    sent = statement(("", captured(tenant).reference, CARD), ("", "nobody", 5), digest=secrets.token_bytes(32))
    return lambda tx: settlements.reconcile(tx, tenant.integration, sent, OPERATOR)


@pytest.mark.parametrize(
    "prepare",
    [_capture, _capture_part, _refuse, _refund, _fail_refund, _lose, _announce, _reconcile],
    ids=lambda one: one.__name__.strip("_"),
)
def test_a_failure_of_any_call_of_the_store_leaves_nothing_behind(
    tenant: Tenant, prepare: Callable[[Tenant], Any]
) -> None:
    assert_all_or_nothing(tenant.installation, tenant.id, prepare(tenant), at_least=5)
