"""An order is refunded out to its payer in one step: once for each reference, and never more than was paid."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bedesten.admin import order_refunds
from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.payments import actions as payments
from bedesten.payments.model import Payment
from bedesten.payments.moves import BOOKED, PAID_OUT, REFUNDED, REQUESTED
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, Tenant
from tests.domain.test_payment_life import announced, captured, money, number_of

SERVICE = Actor("service")


def give_back(tenant: Tenant, named: str, amount: int | None = None, key: str = "") -> dict[str, object]:
    """The operator's refund to the payer."""
    return tenant.write(order_refunds.refund_to_payer, named, amount, key, "goodwill")


def refused(tenant: Tenant, named: str, amount: int | None = None, key: str = "") -> int:
    """Returns the number of the refusal of such a refund; asserts that nothing has moved."""
    before = money(tenant)
    number = number_of(tenant, order_refunds.refund_to_payer, named, amount, key, "goodwill")
    assert money(tenant) == before
    return number


def now(tenant: Tenant, payment: Payment) -> Payment:
    """The payment as it is now."""
    return tenant.read(payments.get_payment, "", payment.id)


def test_an_order_goes_back_to_its_payer_once(tenant: Tenant) -> None:
    payment = captured(tenant)
    made = give_back(tenant, payment.order_id, key="case 1")
    assert (made["state"], made["amount"], made["refundable"]) == ("requested", CARD / 100, 0)
    assert give_back(tenant, payment.order_id, key="case 1")["refundId"] == made["refundId"]
    assert (now(tenant, payment).state, money(tenant)) == (REFUNDED, (0, 0))
    (line,) = tenant.read(orders.lines_of, payment.order_id)
    assert line.refunded == CARD
    assert refused(tenant, payment.order_id, key="case 2") == -8
    assert refused(tenant, payment.order_id, 1, key="case 1") == -8
    (refund,) = tenant.read(payments.refunds_of, payment.id)
    assert refund.state == REQUESTED


def test_parts_are_taken_from_the_lines_in_their_order(tenant: Tenant) -> None:
    first, second, waiting = tenant.card(1), tenant.card(1), tenant.topup()
    payment = tenant.capture(tenant.payment(tenant.checkout((first, 1), (second, 1), (waiting, 1))))
    give_back(tenant, payment.order_id, CARD + 100)
    lines = tenant.read(orders.lines_of, payment.order_id)
    assert [one.refunded for one in lines] == [CARD, 100, 0]
    assert now(tenant, payment).refunded == CARD + 100
    assert refused(tenant, payment.order_id, CARD - 99) == -8
    assert give_back(tenant, lines[1].id)["amount"] == (CARD - 100) / 100
    assert refused(tenant, lines[2].id) == -8, "it is not delivered"
    assert (now(tenant, payment).state, money(tenant)) == (BOOKED, (TOPUP, TOPUP))


def test_a_payment_service_refunds_the_order_in_the_same_step(tenant: Tenant) -> None:
    payment = captured(tenant)

    def refund(amount: int | None, reference: str) -> Any:
        def act(tx: Transaction) -> Any:
            named = (tenant.integration, payment.id, amount, reference, None, SERVICE)
            return payments.refund_payment(tx, *named, with_order=True)

        return act

    for _ in range(2):
        made = tenant.write(refund(200, "r-1"))
        assert (made.state, made.amount) == (PAID_OUT, 200)
    assert number_of(tenant, refund(CARD, "r-2")) == -8
    unpaid = announced(tenant).id
    named = (tenant.integration, unpaid, None, "r-3", None, SERVICE)
    assert number_of(tenant, lambda tx: payments.refund_payment(tx, *named, with_order=True)) == -401
    assert number_of(tenant, refund(100, "r-1")) == -8
    assert tenant.write(refund(None, "r-2")).amount == CARD - 200
    assert (now(tenant, payment).state, money(tenant)) == (REFUNDED, (0, 0))


def test_money_refunded_to_the_balance_is_not_paid_out_again(tenant: Tenant) -> None:
    payment = captured(tenant)
    (line,) = tenant.read(orders.lines_of, payment.order_id)
    tenant.write(order_refunds.refund_line, line.id, 300, "", "a bad code")
    assert refused(tenant, payment.order_id, CARD) == -8
    give_back(tenant, payment.order_id)
    assert (now(tenant, payment).refunded, money(tenant)) == (CARD - 300, (300, 0))


def test_an_order_without_a_payment_has_no_payer(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1))
    assert refused(tenant, placed.order.id) == -3
    assert refused(tenant, placed.lines[0].id) == -3
    assert refused(tenant, "ord_none") == -3
    unpaid = tenant.payment(tenant.checkout((tenant.card(1), 1)))
    assert refused(tenant, unpaid.order_id) == -3


@pytest.mark.parametrize("key", ["one key", ""])
def test_sixteen_concurrent_refunds_pay_the_money_back_once(tenant: Tenant, key: str) -> None:
    payment = captured(tenant)

    def ask(_: int) -> int:
        try:
            give_back(tenant, payment.order_id, key=key)
        except Refusal as refusal:
            return refusal.code.number
        return 0

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))
    assert sorted(answers) == ([0] * 16 if key else [-8] * 15 + [0])
    assert len(tenant.read(payments.refunds_of, payment.id)) == 1
    assert money(tenant) == (0, 0)
