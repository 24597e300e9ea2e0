"""The price of a delivered line can be refunded once, and never more than was paid."""

import pytest

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.orders.model import Line, Order
from bedesten.orders.refunds import Refund
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, TOPUP_COST, Tenant, fresh
from tests.store.raw import RawConnection

SUPPLIER_BALANCE = (
    "SELECT coalesce(sum(CASE WHEN t.to_id = a.id THEN t.amount ELSE -t.amount END), 0) FROM transfers t"
    " JOIN ledger_accounts a ON a.tenant_id = t.tenant_id AND (a.id = t.to_id OR a.id = t.from_id)"
    " WHERE t.tenant_id = :tenant AND a.kind = 'supplier'"
)


def refund(tenant: Tenant, line: Line, amount: int, key: str = "", buyer: str = "") -> Refund:
    """A refund by the operator."""

    def give_back(tx: Transaction) -> Refund:
        order, now = orders.line_of(tx, buyer or tenant.partner, line.id)
        return refunds.refund_line(tx, order, now, amount, key or fresh("operator"), "a bad code", OPERATOR)

    return tenant.write(give_back)


def refused(tenant: Tenant, line: Line, amount: int, key: str = "") -> int:
    """Returns the number of a refund's refusal; asserts that line and balance are unchanged."""
    before = tenant.line(line.id), tenant.balance()
    with pytest.raises(Refusal) as outcome:
        refund(tenant, line, amount, key)
    assert (tenant.line(line.id), tenant.balance()) == before
    return outcome.value.code.number


def sold(tenant: Tenant, quantity: int = 2) -> Line:
    """A line that was delivered from stock."""
    return tenant.order((tenant.card(quantity), quantity)).lines[0]


def test_a_refund_goes_to_the_balance_and_is_counted_on_the_line(tenant: Tenant) -> None:
    line = sold(tenant)
    made = refund(tenant, line, 300)
    assert (made.line_id, made.amount, made.reason, made.actor) == (line.id, 300, "a bad code", "operator")
    now = tenant.line(line.id)
    assert (now.status, now.refunded, now.version) == (1, 300, line.version)
    assert tenant.balance().posted == -2 * CARD + 300
    assert tenant.read(refunds.refunds_of, line.id) == [made]
    assert tenant.read(refunds.refund_of, made.business_key) == made


def test_a_customer_gets_its_refund_too(tenant: Tenant) -> None:
    checkout = tenant.checkout((tenant.card(1), 1))
    tenant.capture(tenant.payment(checkout))
    refund(tenant, checkout.lines[0], CARD, buyer=tenant.customer)
    assert tenant.balance(tenant.customer, "customer").posted == CARD


def test_the_same_key_refunds_once(tenant: Tenant) -> None:
    line, key = sold(tenant), fresh("key")
    first = refund(tenant, line, 300, key)
    assert refund(tenant, line, 300, key) == first
    assert tenant.line(line.id).refunded == 300
    assert refused(tenant, line, 301, key) == -8
    assert refused(tenant, sold(tenant), 300, key) == -8


def test_refunds_never_exceed_what_was_paid(tenant: Tenant) -> None:
    line = sold(tenant)
    assert refused(tenant, line, 2 * CARD + 1) == -8
    refund(tenant, line, CARD + 1)
    assert refused(tenant, line, CARD) == -8
    assert refunds.refundable(tenant.line(line.id)) == CARD - 1
    refund(tenant, line, CARD - 1)
    assert refused(tenant, line, 1) == -8
    assert tenant.balance().posted == 0


@pytest.mark.parametrize("amount", [MAX_MINOR - 1, 10**14])
def test_a_huge_refund_is_refused(tenant: Tenant, amount: int) -> None:
    assert refused(tenant, sold(tenant), amount) == -8


@pytest.mark.parametrize("amount", [0, -1, MAX_MINOR])
def test_an_amount_that_callers_must_reject_is_an_assertion_error(tenant: Tenant, amount: int) -> None:
    with pytest.raises(AssertionError):
        refund(tenant, sold(tenant), amount)


def test_a_line_that_waits_has_nothing_to_refund(tenant: Tenant) -> None:
    line = tenant.order((tenant.topup(), 1)).lines[0]
    assert refunds.refundable(line) == 0
    assert refused(tenant, line, 1) == -8


def test_a_supplier_s_earning_is_clawed_back_once(tenant: Tenant, other_connection: RawConnection) -> None:
    line = tenant.order((tenant.topup(), 2)).lines[0]
    tenant.deliver(line.id, [fresh("TOP"), fresh("TOP")])
    key = fresh("unit")

    def take_back(tx: Transaction, amount: int, key: str) -> int:
        order, now = orders.line_of(tx, tenant.partner, line.id)
        return refunds.claw_back(tx, order, now, tenant.supplier, amount, key, "already used", Actor("operator"))

    assert [tenant.write(take_back, TOPUP_COST, key) for _ in range(2)] == [TOPUP_COST, TOPUP_COST]
    assert other_connection.one(SUPPLIER_BALANCE, tenant=tenant.id) == TOPUP_COST
    with pytest.raises(Refusal):
        tenant.write(take_back, TOPUP_COST - 1, key)
    assert tenant.write(take_back, 0, fresh("nothing")) == 0
    assert other_connection.one(SUPPLIER_BALANCE, tenant=tenant.id) == TOPUP_COST
    assert tenant.balance().posted == -2 * TOPUP


def test_another_buyer_s_line_is_not_found(tenant: Tenant) -> None:
    line = sold(tenant)

    def lookup(tx: Transaction) -> tuple[Order, Line]:
        return orders.line_of(tx, tenant.customer, line.id)

    with pytest.raises(Refusal):
        tenant.read(lookup)
