"""Money from outside is booked once, and pays for goods that are still available."""

import pytest

from bedesten.accounts import actions as accounts
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.model import EXPIRED, PLACED, UNPAID
from bedesten.payments import actions as payments
from bedesten.server.installation import Installation
from tests.domain.database_errors import DANGLING, DOUBLE, refuses
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection

TRANSFERS = "SELECT amount FROM transfers WHERE tenant_id = :tenant AND business_key LIKE 'deposit:%'"


def number_of(tenant: Tenant, action: object, *args: object) -> int:
    """The number of an action's refusal."""
    with pytest.raises(Refusal) as outcome:
        tenant.write(action, *args)  # type: ignore[arg-type]
    return outcome.value.code.number


# --- deposits ---------------------------------------------------------------------------------------------------------


def test_a_deposit_is_in_the_balance_once_it_is_confirmed_and_only_once(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, "ref", "USD", 1_250)
    assert (made.state, tenant.balance().posted) == (0, 0)
    for _ in range(3):
        confirmed = tenant.write(payments.confirm_deposit, tenant.integration, made.id)
        assert (confirmed.id, confirmed.state, confirmed.amount) == (made.id, 1, 1_250)
        assert tenant.balance().posted == 1_250
    escaped = TRANSFERS.replace("%", "%%") if other_connection.dialect == "postgresql" else TRANSFERS
    assert other_connection.rows(escaped, tenant=tenant.id) == [(1_250,)]


def test_the_same_reference_returns_the_same_deposit_and_other_content_is_a_conflict(tenant: Tenant) -> None:
    arguments = [tenant.integration, tenant.partner, "ref", "USD", 700]
    first = tenant.write(payments.create_deposit, *arguments)  # type: ignore[arg-type]
    assert tenant.write(payments.create_deposit, *arguments) == first  # type: ignore[arg-type]
    assert number_of(tenant, payments.create_deposit, *arguments[:4], 701) == -8
    tenant.write(payments.confirm_deposit, tenant.integration, first.id)
    again = tenant.write(payments.create_deposit, *arguments)  # type: ignore[arg-type]
    assert (again.id, again.state) == (first.id, 1)


def test_a_rejected_deposit_cannot_be_confirmed(tenant: Tenant, other_connection: RawConnection) -> None:
    made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, "ref", "USD", 700)
    other_connection.run("UPDATE deposits SET state = 2 WHERE id = :id", id=made.id)
    assert number_of(tenant, payments.confirm_deposit, tenant.integration, made.id) == -400
    assert tenant.balance().posted == 0


def test_another_service_s_and_another_tenant_s_deposit_do_not_exist(
    tenant: Tenant, installation: Installation
) -> None:
    made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, "ref", "USD", 700)
    rival = tenant.write(accounts.find_or_create_owner, Surface.PAYMENT, "Rival")
    stranger = open_tenant(installation)
    assert number_of(tenant, payments.confirm_deposit, rival, made.id) == -3
    assert number_of(stranger, payments.confirm_deposit, tenant.integration, made.id) == -3
    assert number_of(tenant, payments.confirm_deposit, tenant.integration, "dep_never") == -3
    assert tenant.balance().posted == 0


# --- payments ---------------------------------------------------------------------------------------------------------


def test_a_captured_payment_delivers_what_was_claimed_and_queues_the_rest(tenant: Tenant) -> None:
    card, topup = tenant.card(3), tenant.topup()
    placed = tenant.checkout((card, 2), (topup, 1))
    captured = tenant.capture(tenant.payment(placed))
    assert (captured.state, captured.amount) == (1, 2 * CARD + TOPUP)
    order = tenant.read(orders.order_of, tenant.customer, placed.order.id)
    first, second = tenant.read(orders.lines_of, placed.order.id)
    assert (order.state, order.expires) == (PLACED, None)
    assert (first.status, first.version, len(tenant.codes(first.id))) == (1, 1, 2)
    assert (second.status, second.version, second.supplier_id) == (2, 1, tenant.supplier)
    assert second.queued is not None
    money = tenant.balance(tenant.customer, "customer")
    assert (money.posted, money.held, money.available) == (TOPUP, TOPUP, 0)
    tenant.deliver(second.id, ["TOPPED-UP-1"])
    money = tenant.balance(tenant.customer, "customer")
    assert (money.posted, money.held) == (0, 0)


def test_capturing_again_changes_nothing(tenant: Tenant) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    payment = tenant.payment(placed)
    first = tenant.capture(payment)
    codes = tenant.codes(placed.lines[0].id)
    assert tenant.capture(payment) == first
    assert tenant.codes(placed.lines[0].id) == codes
    assert tenant.balance(tenant.customer, "customer").posted == 0


def test_a_second_payment_of_a_paid_order_is_refused_and_books_nothing(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    placed = tenant.checkout((tenant.card(2), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.capture(first)
    assert number_of(tenant, payments.capture_payment, tenant.integration, second.id) == -401
    assert number_of(tenant, payments.create_payment, tenant.integration, placed.order.id, fresh("p"), CARD) == -401
    states = "SELECT state FROM payments WHERE tenant_id = :tenant ORDER BY state"
    assert other_connection.rows(states, tenant=tenant.id) == [(1,), (3,)]
    assert tenant.capture(first).state == 1


def test_a_cancelled_payment_cannot_be_captured(tenant: Tenant, other_connection: RawConnection) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    payment = tenant.payment(placed)
    other_connection.run("UPDATE payments SET state = 2 WHERE id = :id", id=payment.id)
    assert number_of(tenant, payments.capture_payment, tenant.integration, payment.id) == -401
    assert tenant.read(orders.order_of, tenant.customer, placed.order.id).state == UNPAID
    assert tenant.codes(placed.lines[0].id) == []


def test_a_payment_is_for_the_whole_of_a_customer_s_order(tenant: Tenant, installation: Installation) -> None:
    placed = tenant.checkout((tenant.card(2), 2))
    create = payments.create_payment
    for amount in (2 * CARD - 1, 2 * CARD + 1, 1):
        assert number_of(tenant, create, tenant.integration, placed.order.id, fresh("p"), amount) == -2
    resold = tenant.order((tenant.card(1), 1))
    assert number_of(tenant, create, tenant.integration, resold.order.id, fresh("p"), CARD) == -3
    stranger = open_tenant(installation)
    assert number_of(stranger, create, stranger.integration, placed.order.id, fresh("p"), 2 * CARD) == -3


def test_the_same_reference_returns_the_same_payment_and_other_content_is_a_conflict(tenant: Tenant) -> None:
    card = tenant.card(3)
    placed, other = tenant.checkout((card, 1)), tenant.checkout((card, 2))
    create = payments.create_payment
    first = tenant.write(create, tenant.integration, placed.order.id, "ref", CARD)
    assert tenant.write(create, tenant.integration, placed.order.id, "ref", CARD) == first
    assert number_of(tenant, create, tenant.integration, other.order.id, "ref", 2 * CARD) == -8
    captured = tenant.capture(first)
    assert tenant.write(create, tenant.integration, placed.order.id, "ref", CARD) == captured


def test_another_service_cannot_capture_a_payment(tenant: Tenant, installation: Installation) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    payment = tenant.payment(placed)
    rival = tenant.write(accounts.find_or_create_owner, Surface.PAYMENT, "Rival")
    assert number_of(tenant, payments.capture_payment, rival, payment.id) == -3
    assert number_of(open_tenant(installation), payments.capture_payment, tenant.integration, payment.id) == -3
    assert tenant.codes(placed.lines[0].id) == []


def test_an_expired_checkout_is_served_while_its_goods_are_available(tenant: Tenant) -> None:
    card = tenant.card(2)
    placed = tenant.checkout((card, 2), minutes=-1)
    payment = tenant.payment(placed)
    assert tenant.write(checkout.expire, placed.order.id) is True
    assert tenant.available(card) == 2
    assert tenant.capture(payment).state == 1
    assert tenant.available(card) == 0
    assert len(tenant.codes(placed.lines[0].id)) == 2
    assert tenant.read(orders.order_of, tenant.customer, placed.order.id).state == PLACED


def test_an_expired_checkout_whose_goods_are_gone_books_nothing(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card, other = tenant.card(2), tenant.card(5)
    placed = tenant.checkout((other, 1), (card, 2), minutes=-1)
    payment = tenant.payment(placed)
    tenant.write(checkout.expire, placed.order.id)
    tenant.order((card, 1))
    before = other_connection.rows("SELECT * FROM transfers WHERE tenant_id = :tenant ORDER BY id", tenant=tenant.id)
    assert number_of(tenant, payments.capture_payment, tenant.integration, payment.id) == -402
    assert (tenant.available(card), tenant.available(other)) == (1, 5)
    assert tenant.read(orders.order_of, tenant.customer, placed.order.id).state == EXPIRED
    after = other_connection.rows("SELECT * FROM transfers WHERE tenant_id = :tenant ORDER BY id", tenant=tenant.id)
    assert after == before
    states = "SELECT state FROM payments WHERE tenant_id = :tenant"
    assert other_connection.rows(states, tenant=tenant.id) == [(3,)]


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_the_database_refuses_a_second_captured_payment_of_one_order(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    first, second = tenant.payment(placed), tenant.payment(placed)
    tenant.capture(first)
    refuses(other_connection, DOUBLE, "UPDATE payments SET state = 1, captured = amount WHERE id = :id", id=second.id)


def test_the_database_refuses_invalid_deposits_and_payments(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.payment(tenant.checkout((tenant.card(1), 1)))
    tenant.deposit(5)
    tenant.deposit(6)
    for table, why, setting in (
        ("deposits", "deposits_amount", "amount = 0"),
        ("deposits", "deposits_state", "state = 4"),
        ("deposits", "awaits_an_approval", "state = 3"),
        ("deposits", "never_booked_unapproved", "state = 1, approval = 1"),
        ("deposits", "deposits_approval", "approval = 3"),
        ("deposits", DOUBLE, "reference = 'one'"),
        ("deposits", DANGLING, "partner_id = 'par_of_nobody'"),
        ("deposits", DANGLING, "integration_id = 'int_of_nobody'"),
        ("payments", "payments_amount", "amount = -1"),
        ("payments", "captured_by_state", "state = 1"),
        ("payments", "captured_by_state", "state = 6"),
        ("payments", "never_more_than_captured", "refunded = 1"),
        ("payments", "lost_with_an_amount", "state = 8, captured = amount"),
        ("payments", "refused_with_a_number", "state = 3"),
        ("payments", "payments_refusal", "state = 3, refusal = -200"),
        ("payments", DANGLING, "order_id = 'ord_of_nobody'"),
        ("payments", DANGLING, "integration_id = 'int_of_nobody'"),
    ):
        refuses(other_connection, why, f"UPDATE {table} SET {setting} WHERE tenant_id = :tenant", tenant=tenant.id)
