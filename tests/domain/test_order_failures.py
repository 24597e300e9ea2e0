"""Each action on orders does everything or nothing, whichever call of the store fails."""

from bedesten.audit.actions import Actor
from bedesten.orders import annotations, cancel, hold, limits, review
from bedesten.orders.limits import OrderLimits
from bedesten.orders.model import CANCELLED, DELIVERED, TAKEN_OUT, Line, Order
from bedesten.store.transaction import Transaction
from tests.domain.tenant import Tenant, fresh, request
from tests.support.nth_failure import assert_all_or_nothing

ACTOR = Actor("operator")


def statuses(lines: object) -> list[int]:
    assert isinstance(lines, list)
    return [line.status for line in lines if isinstance(line, Line)]


def locked(tx: Transaction, order: Order) -> Order:
    return cancel.lock(tx, order)


def test_a_cancellation_is_all_or_nothing(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 2), (tenant.topup(), 1))

    def action(tx: Transaction) -> list[Line]:
        return cancel.cancel(tx, locked(tx, placed.order), (), ACTOR, "a test")

    lines = assert_all_or_nothing(tenant.installation, tenant.id, action, at_least=10)
    assert statuses(lines) == [DELIVERED, CANCELLED, CANCELLED]


def test_a_hold_and_its_release_are_all_or_nothing(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 2), (tenant.topup(), 1))

    def take_out(tx: Transaction) -> list[Line]:
        return hold.hold(tx, locked(tx, placed.order), (), ACTOR, "a test")

    def put_back(tx: Transaction) -> list[Line]:
        return hold.release(tx, locked(tx, placed.order), (), ACTOR, "a test")

    assert statuses(assert_all_or_nothing(tenant.installation, tenant.id, take_out)) == [TAKEN_OUT] * 2
    assert_all_or_nothing(tenant.installation, tenant.id, put_back)
    assert tenant.deliver(placed.lines[1].id, [fresh("TOP")]).status == DELIVERED


def test_releasing_and_rejecting_lines_that_a_rule_holds_are_all_or_nothing(tenant: Tenant) -> None:
    card = tenant.card(6)
    tenant.write(review.add_rule, review.PRODUCT, None, None, card)
    released, rejected = tenant.order((card, 2)), tenant.order((card, 3))

    def release(tx: Transaction) -> list[Line]:
        return hold.release(tx, locked(tx, released.order), (), ACTOR, "a test")

    def reject(tx: Transaction) -> list[Line]:
        return cancel.cancel(tx, locked(tx, rejected.order), (), ACTOR, "a test")

    assert statuses(assert_all_or_nothing(tenant.installation, tenant.id, release)) == [DELIVERED]
    assert statuses(assert_all_or_nothing(tenant.installation, tenant.id, reject)) == [CANCELLED]
    assert tenant.available(card) == 4


def test_an_order_under_limits_and_rules_is_all_or_nothing(tenant: Tenant) -> None:
    from bedesten.orders import actions as orders

    tenant.write(limits.set_limits, OrderLimits(tenant.partner, 10_000, 10))
    tenant.write(review.add_rule, review.AMOUNT, None, 1, None)
    wanted = request((tenant.card(2), 2), (tenant.topup(), 1))
    placed = assert_all_or_nothing(
        tenant.installation, tenant.id, lambda tx: orders.place(tx, tenant.buyer, wanted), at_least=10
    )
    assert isinstance(placed, orders.PlacedOrder)
    assert statuses(placed.lines) == [TAKEN_OUT, TAKEN_OUT]


def test_notes_tags_rules_and_limits_are_all_or_nothing(tenant: Tenant) -> None:
    order = tenant.order((tenant.topup(), 1)).order.id
    for action in (
        lambda tx: annotations.add_note(tx, order, "called back", ACTOR),
        lambda tx: annotations.set_tags(tx, order, ["vip", "late"], [], ACTOR),
        lambda tx: review.add_rule(tx, review.FIRST_ORDER, None, None, None),
        lambda tx: limits.set_limits(tx, OrderLimits("partner", 1, 1)),
    ):
        assert_all_or_nothing(tenant.installation, tenant.id, action, at_least=1)
