"""Cancelling, holding or releasing a line at the same moment as another move: one of the two happens."""

from collections import Counter

from bedesten.audit.actions import Actor
from bedesten.orders import actions as orders
from bedesten.orders import cancel, checkout, hold, review
from bedesten.orders.model import CANCELLED, DELIVERED, PLACED, TAKEN_OUT, WITHDRAWN, Line, Order
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh
from tests.races.conftest import RUNNERS, Race
from tests.races.test_races_goods import refusals

ROUNDS = 4
ACTOR = Actor("a test")


def cancelled(tenant: Tenant, order: Order) -> list[Line]:
    """Cancels the rest of an order."""

    def work(tx: Transaction) -> list[Line]:
        return cancel.cancel(tx, cancel.lock(tx, order), (), ACTOR, "a race")

    return tenant.write(work)


def released(tenant: Tenant, order: Order) -> list[Line]:
    """Releases the held lines of an order."""
    return tenant.write(lambda tx: hold.release(tx, cancel.lock(tx, order), (), ACTOR, "a race"))


def taken_out(tenant: Tenant, order: Order) -> list[Line]:
    """Holds the lines of an order that are being processed."""
    return tenant.write(lambda tx: hold.hold(tx, cancel.lock(tx, order), (), ACTOR, "a race"))


def test_a_line_is_either_cancelled_or_delivered(tenant: Tenant, race: Race) -> None:
    for _ in range(ROUNDS):
        before = tenant.balance().posted
        placed = tenant.order((tenant.topup(), 1))  # a late delivery goes to the product's stock
        line, code = placed.lines[0].id, fresh("RACE")
        outcomes = race(lambda n: cancelled(tenant, placed.order) if n % 2 else tenant.deliver(line, [code]))  # noqa: B023
        after = tenant.line(line)
        assert after.status in (CANCELLED, DELIVERED)
        was_delivered = after.status == DELIVERED
        assert set(refusals(outcomes)) <= ({-202} if was_delivered else {-3, -500})
        assert tenant.codes(line) == ([code] if was_delivered else [])
        assert (tenant.balance().posted - before, tenant.balance().held) == (-TOPUP if was_delivered else 0, 0)


def test_sixteen_cancellations_of_one_order_release_its_money_once(tenant: Tenant, race: Race) -> None:
    placed = tenant.order((tenant.topup(), 2), (tenant.topup(), 1))
    outcomes = race(lambda _: cancelled(tenant, placed.order))
    assert refusals(outcomes) == []
    assert [line.version for line in tenant.read(orders.lines_of, placed.order.id)] == [2, 2]
    assert (tenant.balance().posted, tenant.balance().held) == (0, 0)


def test_a_checkout_is_either_paid_or_cancelled(tenant: Tenant, race: Race) -> None:
    card = tenant.card(ROUNDS)
    sold = 0
    for _ in range(ROUNDS):
        placed = tenant.checkout((card, 1))
        payment = tenant.payment(placed)
        outcomes = race(
            lambda n: (
                tenant.write(checkout.cancel, tenant.customer, placed.order.id)  # noqa: B023
                if n % 2
                else tenant.capture(payment)  # noqa: B023
            )
        )
        order = tenant.read(orders.order_of, tenant.customer, placed.order.id)
        assert order.state in (PLACED, WITHDRAWN)
        assert set(refusals(outcomes)) <= ({-8} if order.state == PLACED else {-402})
        sold += order.state == PLACED
    assert tenant.available(card) == ROUNDS - sold
    assert tenant.balance(tenant.customer, "customer").posted == 0


def test_a_held_line_from_stock_is_either_released_or_cancelled(tenant: Tenant, race: Race) -> None:
    tenant.write(review.add_rule, review.AMOUNT, None, 1, None)
    card = tenant.card(ROUNDS)
    sold = 0
    for _ in range(ROUNDS):
        placed = tenant.order((card, 1))
        outcomes = race(
            lambda n: cancelled(tenant, placed.order) if n % 2 else released(tenant, placed.order)  # noqa: B023
        )
        line = tenant.line(placed.lines[0].id)
        assert line.status in (CANCELLED, DELIVERED)
        assert set(refusals(outcomes)) <= {-8, -202}
        sold += line.status == DELIVERED
    assert tenant.available(card) == ROUNDS - sold
    assert (tenant.balance().posted, tenant.balance().held) == (-CARD * sold, 0)


def test_a_line_is_either_held_or_delivered(tenant: Tenant, race: Race) -> None:
    topup = tenant.topup()
    placed = tenant.order((topup, 1))
    line = placed.lines[0].id
    outcomes = race(lambda n: taken_out(tenant, placed.order) if n % 2 else tenant.deliver(line, ["HELD-OR-NOT"]))
    after = tenant.line(line)
    assert after.status in (TAKEN_OUT, DELIVERED)
    assert set(refusals(outcomes)) <= ({-8} if after.status == DELIVERED else {-3, -500})
    assert tenant.balance().held == (0 if after.status == DELIVERED else TOPUP)


def test_lines_of_one_order_can_be_cancelled_and_delivered_concurrently(tenant: Tenant, race: Race) -> None:
    topup = tenant.topup()
    placed = tenant.order(*[(topup, 1)] * RUNNERS)

    def cancel_or_deliver(number: int) -> object:
        line = placed.lines[number].id
        if number % 2:
            return tenant.write(lambda tx: cancel.cancel(tx, cancel.lock(tx, placed.order), [line], ACTOR, ""))
        return tenant.deliver(line, [f"SIDE-{number}"])

    assert refusals(race(cancel_or_deliver)) == []
    found = Counter(line.status for line in tenant.read(orders.lines_of, placed.order.id))
    assert found == {CANCELLED: RUNNERS // 2, DELIVERED: RUNNERS // 2}
    assert (tenant.balance().posted, tenant.balance().held) == (-TOPUP * RUNNERS // 2, 0)
