"""Money that comes in from outside is booked once, and pays for what can still be had."""

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
from tests.domain.stall import CARD, TOPUP, Stall, fresh, open_stall
from tests.store.raw import Raw

TRANSFERS = "SELECT amount FROM transfers WHERE tenant_id = :tenant AND business_key LIKE 'deposit:%'"


def number_of(stall: Stall, action: object, *args: object) -> int:
    """The number of an action's refusal."""
    with pytest.raises(Refusal) as told:
        stall.write(action, *args)  # type: ignore[arg-type]
    return told.value.code.number


# --- deposits ---------------------------------------------------------------------------------------------------------


def test_a_deposit_is_in_the_balance_once_it_is_confirmed_and_only_once(stall: Stall, other_connection: Raw) -> None:
    made = stall.write(payments.create_deposit, stall.integration, stall.partner, "ref", "USD", 1_250)
    assert (made.state, stall.balance().posted) == (0, 0)
    for _ in range(3):
        confirmed = stall.write(payments.confirm_deposit, stall.integration, made.id)
        assert (confirmed.id, confirmed.state, confirmed.amount) == (made.id, 1, 1_250)
        assert stall.balance().posted == 1_250
    escaped = TRANSFERS.replace("%", "%%") if other_connection.dialect == "postgresql" else TRANSFERS
    assert other_connection.rows(escaped, tenant=stall.tenant) == [(1_250,)]


def test_the_same_reference_gives_the_same_deposit_and_another_content_is_a_conflict(stall: Stall) -> None:
    arguments = [stall.integration, stall.partner, "ref", "USD", 700]
    first = stall.write(payments.create_deposit, *arguments)  # type: ignore[arg-type]
    assert stall.write(payments.create_deposit, *arguments) == first  # type: ignore[arg-type]
    assert number_of(stall, payments.create_deposit, *arguments[:4], 701) == -8
    stall.write(payments.confirm_deposit, stall.integration, first.id)
    again = stall.write(payments.create_deposit, *arguments)  # type: ignore[arg-type]
    assert (again.id, again.state) == (first.id, 1)


def test_a_deposit_that_was_rejected_cannot_be_confirmed(stall: Stall, other_connection: Raw) -> None:
    made = stall.write(payments.create_deposit, stall.integration, stall.partner, "ref", "USD", 700)
    other_connection.run("UPDATE deposits SET state = 2 WHERE id = :id", id=made.id)
    assert number_of(stall, payments.confirm_deposit, stall.integration, made.id) == -400
    assert stall.balance().posted == 0


def test_another_service_s_and_another_tenant_s_deposit_do_not_exist(stall: Stall, installation: Installation) -> None:
    made = stall.write(payments.create_deposit, stall.integration, stall.partner, "ref", "USD", 700)
    rival = stall.write(accounts.find_or_create_owner, Surface.PAYMENT, "Rival")
    stranger = open_stall(installation)
    assert number_of(stall, payments.confirm_deposit, rival, made.id) == -3
    assert number_of(stranger, payments.confirm_deposit, stall.integration, made.id) == -3
    assert number_of(stall, payments.confirm_deposit, stall.integration, "dep_never") == -3
    assert stall.balance().posted == 0


# --- payments ---------------------------------------------------------------------------------------------------------


def test_a_captured_payment_delivers_what_was_claimed_and_queues_the_rest(stall: Stall) -> None:
    card, topup = stall.card(3), stall.topup()
    placed = stall.checkout((card, 2), (topup, 1))
    captured = stall.capture(stall.payment(placed))
    assert (captured.state, captured.amount) == (1, 2 * CARD + TOPUP)
    order = stall.read(orders.order_of, stall.customer, placed.order.id)
    first, second = stall.read(orders.lines_of, placed.order.id)
    assert (order.state, order.expires) == (PLACED, None)
    assert (first.status, first.version, len(stall.codes(first.id))) == (1, 1, 2)
    assert (second.status, second.version, second.supplier_id) == (2, 1, stall.supplier)
    assert second.queued is not None
    money = stall.balance(stall.customer, "customer")
    assert (money.posted, money.held, money.available) == (TOPUP, TOPUP, 0)
    stall.deliver(second.id, ["TOPPED-UP-1"])
    money = stall.balance(stall.customer, "customer")
    assert (money.posted, money.held) == (0, 0)


def test_capturing_again_changes_nothing(stall: Stall) -> None:
    placed = stall.checkout((stall.card(1), 1))
    payment = stall.payment(placed)
    first = stall.capture(payment)
    codes = stall.codes(placed.lines[0].id)
    assert stall.capture(payment) == first
    assert stall.codes(placed.lines[0].id) == codes
    assert stall.balance(stall.customer, "customer").posted == 0


def test_a_second_payment_of_a_paid_order_is_refused_and_books_nothing(stall: Stall, other_connection: Raw) -> None:
    placed = stall.checkout((stall.card(2), 1))
    first, second = stall.payment(placed), stall.payment(placed)
    stall.capture(first)
    assert number_of(stall, payments.capture_payment, stall.integration, second.id) == -401
    assert number_of(stall, payments.create_payment, stall.integration, placed.order.id, fresh("p"), CARD) == -401
    states = "SELECT state FROM payments WHERE tenant_id = :tenant ORDER BY state"
    assert other_connection.rows(states, tenant=stall.tenant) == [(1,), (3,)]
    assert stall.capture(first).state == 1


def test_a_payment_that_was_cancelled_cannot_be_captured(stall: Stall, other_connection: Raw) -> None:
    placed = stall.checkout((stall.card(1), 1))
    payment = stall.payment(placed)
    other_connection.run("UPDATE payments SET state = 2 WHERE id = :id", id=payment.id)
    assert number_of(stall, payments.capture_payment, stall.integration, payment.id) == -401
    assert stall.read(orders.order_of, stall.customer, placed.order.id).state == UNPAID
    assert stall.codes(placed.lines[0].id) == []


def test_a_payment_is_of_the_whole_order_and_of_a_customer_s(stall: Stall, installation: Installation) -> None:
    placed = stall.checkout((stall.card(2), 2))
    create = payments.create_payment
    for amount in (2 * CARD - 1, 2 * CARD + 1, 1):
        assert number_of(stall, create, stall.integration, placed.order.id, fresh("p"), amount) == -2
    resold = stall.order((stall.card(1), 1))
    assert number_of(stall, create, stall.integration, resold.order.id, fresh("p"), CARD) == -3
    stranger = open_stall(installation)
    assert number_of(stranger, create, stranger.integration, placed.order.id, fresh("p"), 2 * CARD) == -3


def test_the_same_reference_gives_the_same_payment_and_another_content_is_a_conflict(stall: Stall) -> None:
    card = stall.card(3)
    placed, other = stall.checkout((card, 1)), stall.checkout((card, 2))
    create = payments.create_payment
    first = stall.write(create, stall.integration, placed.order.id, "ref", CARD)
    assert stall.write(create, stall.integration, placed.order.id, "ref", CARD) == first
    assert number_of(stall, create, stall.integration, other.order.id, "ref", 2 * CARD) == -8
    captured = stall.capture(first)
    assert stall.write(create, stall.integration, placed.order.id, "ref", CARD) == captured


def test_another_service_cannot_capture_a_payment(stall: Stall, installation: Installation) -> None:
    placed = stall.checkout((stall.card(1), 1))
    payment = stall.payment(placed)
    rival = stall.write(accounts.find_or_create_owner, Surface.PAYMENT, "Rival")
    assert number_of(stall, payments.capture_payment, rival, payment.id) == -3
    assert number_of(open_stall(installation), payments.capture_payment, stall.integration, payment.id) == -3
    assert stall.codes(placed.lines[0].id) == []


def test_an_expired_checkout_is_served_while_its_goods_can_still_be_had(stall: Stall) -> None:
    card = stall.card(2)
    placed = stall.checkout((card, 2), minutes=-1)
    payment = stall.payment(placed)
    assert stall.write(checkout.expire, placed.order.id) is True
    assert stall.available(card) == 2
    assert stall.capture(payment).state == 1
    assert stall.available(card) == 0
    assert len(stall.codes(placed.lines[0].id)) == 2
    assert stall.read(orders.order_of, stall.customer, placed.order.id).state == PLACED


def test_an_expired_checkout_whose_goods_are_gone_books_nothing(stall: Stall, other_connection: Raw) -> None:
    card, other = stall.card(2), stall.card(5)
    placed = stall.checkout((other, 1), (card, 2), minutes=-1)
    payment = stall.payment(placed)
    stall.write(checkout.expire, placed.order.id)
    stall.order((card, 1))
    before = other_connection.rows("SELECT * FROM transfers WHERE tenant_id = :tenant ORDER BY id", tenant=stall.tenant)
    assert number_of(stall, payments.capture_payment, stall.integration, payment.id) == -402
    assert (stall.available(card), stall.available(other)) == (1, 5)
    assert stall.read(orders.order_of, stall.customer, placed.order.id).state == EXPIRED
    after = other_connection.rows("SELECT * FROM transfers WHERE tenant_id = :tenant ORDER BY id", tenant=stall.tenant)
    assert after == before
    states = "SELECT state FROM payments WHERE tenant_id = :tenant"
    assert other_connection.rows(states, tenant=stall.tenant) == [(3,)]


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_the_database_refuses_a_second_captured_payment_of_one_order(stall: Stall, other_connection: Raw) -> None:
    placed = stall.checkout((stall.card(1), 1))
    first, second = stall.payment(placed), stall.payment(placed)
    stall.capture(first)
    refuses(other_connection, DOUBLE, "UPDATE payments SET state = 1 WHERE id = :id", id=second.id)


def test_the_database_refuses_deposits_and_payments_that_make_no_sense(stall: Stall, other_connection: Raw) -> None:
    stall.payment(stall.checkout((stall.card(1), 1)))
    stall.deposit(5)
    stall.deposit(6)
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
        ("payments", "payments_state", "state = 4"),
        ("payments", "refused_with_a_number", "state = 3"),
        ("payments", "payments_refusal", "state = 3, refusal = -200"),
        ("payments", DANGLING, "order_id = 'ord_of_nobody'"),
        ("payments", DANGLING, "integration_id = 'int_of_nobody'"),
    ):
        refuses(other_connection, why, f"UPDATE {table} SET {setting} WHERE tenant_id = :tenant", tenant=stall.tenant)
