"""A held line keeps its goods and its money until it is released or cancelled; review rules hold lines from the start."""

from collections.abc import Callable, Sequence

import pytest

from bedesten.audit.actions import Actor
from bedesten.catalogue.code import read_code
from bedesten.errors import Refusal
from bedesten.orders import actions as orders
from bedesten.orders import cancel, hold, review
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT, Line, Order
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh
from tests.store.raw import RawConnection

EVENTS = "SELECT status FROM events WHERE line_id = :line ORDER BY sequence"
Move = Callable[[Transaction, Order, Sequence[str], Actor, str], list[Line]]


def moved(tenant: Tenant, move: Move, order: Order, *lines: str) -> list[Line]:
    """Moves some or all lines of an order; returns its lines afterwards."""
    return tenant.write(lambda tx: move(tx, cancel.lock(tx, order), lines, Actor("operator"), "a test"))


def refused(tenant: Tenant, move: Move, order: Order, *lines: str) -> int:
    """Returns the number of a refusal; asserts that the lines are unchanged."""
    before = tenant.read(orders.lines_of, order.id)
    with pytest.raises(Refusal) as outcome:
        moved(tenant, move, order, *lines)
    assert tenant.read(orders.lines_of, order.id) == before
    return outcome.value.code.number


def statuses(other: RawConnection, line: Line) -> list[int]:
    return [row[0] for row in other.rows(EVENTS, line=line.id)]


# --- the operator's hold ---


def test_a_held_line_is_not_delivered_and_goes_on_when_it_is_released(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    placed = tenant.order((tenant.topup(), 2))
    (line,) = moved(tenant, hold.hold, placed.order)
    assert (line.status, line.hold, line.supplier_id) == (TAKEN_OUT, "operator", tenant.supplier)
    with pytest.raises(Refusal):
        tenant.deliver(line.id, [fresh("TOP"), fresh("TOP")])
    assert tenant.balance().held == 2 * TOPUP
    (line,) = moved(tenant, hold.release, placed.order)
    assert (line.status, line.hold) == (PROCESSING, None)
    assert tenant.deliver(line.id, [fresh("TOP"), fresh("TOP")]).status == DELIVERED
    assert (tenant.balance().posted, tenant.balance().held) == (-2 * TOPUP, 0)
    assert statuses(other_connection, line) == [PROCESSING, TAKEN_OUT, PROCESSING, DELIVERED]


def test_holding_and_releasing_twice_changes_nothing(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 1), (tenant.topup(), 1))
    first = placed.lines[0].id
    held = moved(tenant, hold.hold, placed.order, first)
    assert [line.status for line in held] == [TAKEN_OUT, PROCESSING]
    assert moved(tenant, hold.hold, placed.order, first) == held
    released = moved(tenant, hold.release, placed.order, first)
    assert moved(tenant, hold.release, placed.order, first) == released
    assert moved(tenant, hold.release, placed.order) == released


def test_a_held_line_is_cancelled(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 1))
    moved(tenant, hold.hold, placed.order)
    (line,) = moved(tenant, cancel.cancel, placed.order)
    assert (line.status, line.hold, tenant.balance().held) == (CANCELLED, None, 0)


def test_finished_lines_and_unpaid_checkouts_are_neither_held_nor_released(tenant: Tenant) -> None:
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 1))
    sold, waiting = (line.id for line in placed.lines)
    assert refused(tenant, hold.hold, placed.order, sold) == -8
    assert refused(tenant, hold.hold, placed.order, sold, waiting) == -8
    assert refused(tenant, hold.hold, placed.order, "odl_none") == -3
    moved(tenant, cancel.cancel, placed.order)
    assert refused(tenant, hold.hold, placed.order) == -8
    assert refused(tenant, hold.release, placed.order, waiting) == -8
    unpaid = tenant.checkout((tenant.card(1), 1))
    assert refused(tenant, hold.hold, unpaid.order) == -8


# --- review rules ---


def test_an_order_above_an_amount_is_held_with_its_codes_and_money(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.write(review.add_rule, review.AMOUNT, "reseller", 2 * CARD, None)
    card = tenant.card(5)
    assert tenant.order((card, 1)).lines[0].status == DELIVERED
    placed = tenant.order((card, 1), (card, 2))
    assert [(line.status, line.hold) for line in placed.lines] == [(TAKEN_OUT, "review:amount")] * 2
    assert (tenant.balance().posted, tenant.balance().held, tenant.available(card)) == (-CARD, 3 * CARD, 1)
    assert tenant.codes(placed.lines[0].id) == []
    lines = moved(tenant, hold.release, placed.order, placed.lines[1].id)
    assert [line.status for line in lines] == [TAKEN_OUT, DELIVERED]
    assert (tenant.balance().posted, tenant.balance().held) == (-3 * CARD, CARD)
    assert len(tenant.codes(placed.lines[1].id)) == 2
    assert statuses(other_connection, placed.lines[1]) == [TAKEN_OUT, DELIVERED]


def test_a_rejected_review_puts_the_goods_back(tenant: Tenant) -> None:
    tenant.write(review.add_rule, review.FIRST_ORDER, None, None, None)
    card = tenant.card(3)
    placed = tenant.order((card, 2))
    assert (placed.lines[0].status, placed.lines[0].hold) == (TAKEN_OUT, "review:firstOrder")
    moved(tenant, cancel.cancel, placed.order)
    assert (tenant.available(card), tenant.balance().held, tenant.balance().posted) == (3, 0, 0)
    assert tenant.order((card, 1)).lines[0].status == DELIVERED


def test_a_rule_for_a_product_holds_its_lines_only(tenant: Tenant) -> None:
    card, topup = tenant.card(3), tenant.topup()
    tenant.write(review.add_rule, review.PRODUCT, None, None, topup)
    placed = tenant.order((card, 1), (topup, 1))
    assert [line.status for line in placed.lines] == [DELIVERED, TAKEN_OUT]
    assert placed.lines[1].queued is None
    lines = moved(tenant, hold.release, placed.order)
    assert lines[1].status == PROCESSING
    assert tenant.deliver(lines[1].id, [fresh("TOP")]).status == DELIVERED


def test_a_paid_checkout_is_held_and_then_delivered(tenant: Tenant) -> None:
    card, topup = tenant.card(3), tenant.topup()
    tenant.write(review.add_rule, review.AMOUNT, "storefront", 1, None)
    placed = tenant.checkout((card, 1), (topup, 1))
    assert [line.status for line in placed.lines] == [PROCESSING, PROCESSING]
    tenant.capture(tenant.payment(placed))
    lines = tenant.read(orders.lines_of, placed.order.id)
    assert [(line.status, line.version) for line in lines] == [(TAKEN_OUT, 1), (TAKEN_OUT, 1)]
    assert tenant.balance(tenant.customer, "customer").held == CARD + TOPUP
    lines = moved(tenant, hold.release, placed.order)
    assert [line.status for line in lines] == [DELIVERED, PROCESSING]
    assert len(tenant.codes(lines[0].id)) == 1
    assert tenant.balance(tenant.customer, "customer").held == TOPUP


def test_a_supplier_earns_with_its_stock_when_the_line_is_released(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    from bedesten.catalogue import batches
    from bedesten.catalogue.batches import Source

    product = tenant.card(0)
    source = Source("a test", tenant.supplier, tenant.supplier, 120)
    tenant.write(batches.add, tenant.installation.cipher, product, [read_code(fresh("OWN"))], source)
    tenant.write(review.add_rule, review.PRODUCT, None, None, product)
    placed = tenant.order((product, 1))
    assert tenant.balance(tenant.supplier, "supplier").id == ""
    moved(tenant, hold.release, placed.order)
    key = f"cost:{placed.lines[0].id}:{tenant.supplier}"
    assert other_connection.one("SELECT amount FROM transfers WHERE business_key = :key", key=key) == 120


def test_a_removed_rule_holds_no_further_lines(tenant: Tenant) -> None:
    rule = tenant.write(review.add_rule, review.AMOUNT, None, 1, None)
    tenant.write(review.remove_rule, rule.id)
    assert tenant.order((tenant.card(1), 1)).lines[0].status == DELIVERED
    with pytest.raises(Refusal):
        tenant.write(review.remove_rule, rule.id)


@pytest.mark.parametrize(
    ("kind", "surface", "amount", "product"),
    [
        ("colour", None, None, None),
        (review.AMOUNT, None, None, None),
        (review.AMOUNT, None, 0, None),
        (review.AMOUNT, None, -1, None),
        (review.AMOUNT, None, 10**15, None),
        (review.AMOUNT, "supplier", 1, None),
        (review.FIRST_ORDER, None, 1, None),
        (review.PRODUCT, None, None, None),
        (review.PRODUCT, None, None, "prd_none"),
    ],
)
def test_an_invalid_rule_is_refused(
    tenant: Tenant, kind: str, surface: str | None, amount: int | None, product: str | None
) -> None:
    with pytest.raises(Refusal) as outcome:
        tenant.write(review.add_rule, kind, surface, amount, product)
    assert outcome.value.code.number == (-3 if product else -2)
    assert tenant.read(review.rules) == []
