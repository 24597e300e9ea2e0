"""Suppliers that are called: a line is bought once, delivered as its cards come, and goes on where the supplier fails."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from bedesten.admin import order_timeline
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import suppliers
from bedesten.connectors import connections
from bedesten.connectors.moves import CANCELLED, FULFILLED, ORDERED, PLANNED, REFUSED
from bedesten.core.clock import DAY, MINUTE
from bedesten.fulfilment import routing
from bedesten.orders import actions as orders
from bedesten.orders import assignments, cancel, hold, model
from bedesten.store.transaction import Transaction
from tests.domain.connected import CancellingBamboo, Shop, connected, sound
from tests.domain.mail import Mail
from tests.domain.tenant import TOPUP, TOPUP_COST, fresh
from tests.domain.test_supplier_lines import earned
from tests.support.supplier_double import CANCEL, PLACE, POLL, PRODUCT, QUOTE, SupplierDouble, supplier_double


@pytest.fixture
def double() -> Iterator[SupplierDouble]:
    with supplier_double() as made:
        yield made


@pytest.fixture
def shop(mail: Mail, double: SupplierDouble) -> Iterator[Shop]:
    made = connected(mail, double)
    yield made
    sound(made)


def order_of(shop: Shop, line: model.Line) -> model.Order:
    return shop.tenant.read(orders.order_of, shop.tenant.partner, line.order_id)


def cancel_line(shop: Shop, line: model.Line) -> None:
    """The buyer's cancellation."""
    order = order_of(shop, line)

    def act(tx: Transaction) -> None:
        cancel.cancel(tx, cancel.lock(tx, order), [line.id], Actor(shop.tenant.partner), "no longer wanted")

    shop.tenant.write(act)


def test_a_line_is_bought_and_delivered(shop: Shop) -> None:
    line = shop.order(2)
    assert shop.round() == 1
    assert shop.line(line).status == model.PROCESSING
    assert shop.line(line).accepted is not None
    assert shop.purchase(line).state == ORDERED
    assert shop.later() == 1
    assert shop.line(line).status == model.DELIVERED
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert (shop.purchase(line).state, shop.purchase(line).charged) == (FULFILLED, 580)
    assert earned(shop.tenant, shop.tenant.supplier) == 2 * TOPUP_COST
    assert shop.tenant.balance().posted == -2 * TOPUP
    assert shop.later() == 0
    assert (shop.double.count(PLACE), shop.double.count(POLL)) == (1, 1)


def test_the_time_line_of_an_order_shows_its_purchases(shop: Shop) -> None:
    line = shop.order()
    shop.settle(2)
    shown = shop.tenant.read(order_timeline.timeline, order_of(shop, line), [shop.line(line)])
    (entry,) = [one for one in shown if str(one["what"]).startswith("purchase.")]
    assert (entry["what"], entry["line"]) == ("purchase.fulfilled", line.deliver_id)
    assert entry["reference"] == shop.purchase(line).reference


def test_cards_are_delivered_as_they_come(shop: Shop) -> None:
    shop.double.ready = 1
    line = shop.order(3)
    shop.settle(2)
    assert (shop.line(line).status, shop.line(line).delivered) == (model.PROCESSING, 1)
    shop.settle(3)
    assert shop.line(line).delivered == 1, "the same card again changes nothing"
    shop.double.only.ready = 3
    shop.settle(3, 10 * MINUTE)
    assert shop.line(line).status == model.DELIVERED
    assert shop.tenant.codes(line.id) == shop.double.only.codes


def test_half_of_the_cards_are_delivered_and_the_next_supplier_has_the_rest(shop: Shop) -> None:
    other = shop.rival()
    shop.double.ready, shop.double.final = 1, "PartialFailed"
    line = shop.order(2)
    shop.settle(2)
    now = shop.line(line)
    assert (now.status, now.delivered, now.supplier_id) == (model.PROCESSING, 1, other)
    assert shop.purchase(line).state == FULFILLED
    assert earned(shop.tenant, shop.tenant.supplier) == TOPUP_COST


def test_a_purchase_that_fails_goes_to_the_next_supplier(shop: Shop) -> None:
    other = shop.rival()
    shop.double.ready, shop.double.final = 0, "Failed"
    line = shop.order()
    shop.settle(2)
    assert shop.line(line).supplier_id == other
    assert shop.purchase(line).state == REFUSED


def test_without_another_supplier_the_money_is_released(shop: Shop) -> None:
    shop.double.ready, shop.double.final = 0, "Failed"
    line = shop.order()
    shop.settle(2)
    assert shop.line(line).status == model.CANCELLED
    assert (shop.tenant.balance().held, shop.tenant.balance().posted) == (0, 0)


@pytest.mark.parametrize(
    ("price", "currency", "buys"),
    [("3.00", "USD", True), ("3.001", "USD", False), ("3.01", "USD", False), ("0", "USD", False), ("2", "EUR", False)],
)
def test_a_purchase_above_the_agreed_cost_is_not_made(shop: Shop, price: str, currency: str, buys: bool) -> None:
    other = shop.rival()
    shop.double.price, shop.double.currency = price, currency
    line = shop.order()
    shop.settle(2)
    assert bool(shop.double.orders) is buys
    assert (shop.line(line).status == model.DELIVERED) is buys
    assert (shop.line(line).supplier_id == other) is not buys
    assert (shop.double.count(QUOTE), shop.double.count(PLACE)) == (1, int(buys))


def test_a_charge_above_the_agreed_cost_is_recorded(shop: Shop) -> None:
    line = shop.order()
    shop.round()
    shop.double.only.total = 9.99
    shop.later()
    assert shop.purchase(line).charged == 999
    assert shop.audited("purchase.dearer") == [shop.purchase(line).id]


@pytest.mark.parametrize("missing", ["product id", "cost", "details"])
def test_a_line_that_cannot_be_bought_goes_to_the_next_supplier_without_a_call(shop: Shop, missing: str) -> None:
    other = shop.rival()
    if missing == "product id":
        shop.tenant.write(connections.remove_product_id, shop.tenant.supplier, shop.product, OPERATOR)
    line = shop.order()
    if missing == "cost":
        shop.change(line, "line_assignments", "unit_cost = NULL")
    if missing == "details":
        shop.change(line, "order_lines", "require_data = '[{}]'")
    shop.settle(2)
    assert shop.line(line).supplier_id == other
    assert shop.double.calls == []
    assert shop.purchases(line) == []


# --- lines that suppliers lose ----------------------------------------------------------------------------------------


def test_a_line_that_is_cancelled_before_the_call_is_not_bought(shop: Shop) -> None:
    line = shop.order()
    shop.double.faults[QUOTE] = ["error"]
    shop.round()
    cancel_line(shop, line)
    shop.settle(3)
    assert shop.purchase(line).state == CANCELLED
    assert shop.double.orders == {}
    assert shop.double.count(PLACE) == 0


def test_cards_of_a_cancelled_line_go_to_stock(shop: Shop) -> None:
    shop.double.ready = 0
    line = shop.order(2)
    shop.round()
    cancel_line(shop, line)
    shop.settle(2)
    shop.double.only.ready = 2
    shop.settle(3)
    assert shop.line(line).status == model.CANCELLED
    assert shop.tenant.available(shop.product) == 2
    assert shop.purchase(line).state == FULFILLED
    assert earned(shop.tenant, shop.tenant.supplier) == 0, "until they are sold"


def test_the_supplier_is_asked_to_take_back_a_cancelled_purchase(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.ADAPTERS, "bamboo", CancellingBamboo())
    shop.double.ready, shop.double.cancels = 0, True
    line = shop.order(2)
    shop.round()
    cancel_line(shop, line)
    shop.settle(2)
    assert shop.purchase(line).state == CANCELLED
    assert (shop.double.only.cancelled, shop.double.count(CANCEL)) == (True, 1)
    assert shop.audited("purchase.cancel") == [shop.purchase(line).id]


def test_a_supplier_that_takes_nothing_back_is_asked_once_and_its_cards_go_to_stock(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.ADAPTERS, "bamboo", CancellingBamboo())
    shop.double.ready = 0
    line = shop.order(2)
    shop.round()
    cancel_line(shop, line)
    shop.double.only.ready = 2
    shop.settle(3)
    assert shop.double.count(CANCEL) == 1
    assert shop.purchase(line).state == FULFILLED
    assert shop.tenant.available(shop.product) == 2


def test_a_line_that_returns_to_its_supplier_is_a_new_purchase(shop: Shop) -> None:
    other = shop.rival()
    shop.double.ready = 0
    line = shop.order()
    shop.round()
    first = shop.double.only
    shop.tenant.write(routing.reroute, line.id, other, OPERATOR)
    shop.tenant.write(routing.reroute, line.id, shop.tenant.supplier, OPERATOR)
    shop.double.ready = 1
    shop.settle(2)
    assert shop.tenant.codes(line.id) == list(shop.double.orders.values())[1].codes
    first.ready = 1
    shop.settle(6, 10 * MINUTE)
    assert shop.tenant.available(shop.product) == 1
    assert [one.state for one in shop.purchases(line)] == [FULFILLED, FULFILLED]
    assert len({one.reference for one in shop.purchases(line)}) == 2


def test_a_missed_deadline_takes_the_line_and_late_cards_go_to_stock(shop: Shop) -> None:
    other = shop.rival()
    settings = suppliers.SupplierSettings(deliver_within=MINUTE)
    shop.tenant.write(suppliers.set_settings, shop.tenant.supplier, settings)
    shop.double.ready = 0
    line = shop.order()
    shop.round()
    shop.mail.clock.now += 2 * MINUTE
    assert shop.tenant.write(routing.enforce_deadline, line.id) is True
    shop.double.only.ready = 1
    shop.settle(3)
    assert shop.line(line).supplier_id == other
    assert shop.tenant.available(shop.product) == 1


def test_a_held_line_is_neither_bought_nor_delivered_until_it_is_released(shop: Shop) -> None:
    shop.double.ready = 0
    bought = shop.order()
    shop.round()
    shop.double.faults[QUOTE] = ["error"]
    planned = shop.order()
    shop.round()
    for line in (bought, planned):
        shop.tenant.write(hold.hold, order_of(shop, line), (), OPERATOR, "a look")
    shop.double.ready = shop.double.only.ready = 1
    shop.settle(5)
    assert [shop.line(line).delivered for line in (bought, planned)] == [0, 0]
    assert shop.double.count(PLACE) == 1
    for line in (bought, planned):
        shop.tenant.write(hold.release, order_of(shop, line), (), OPERATOR, "fine")
    shop.settle(8)
    assert [shop.line(line).status for line in (bought, planned)] == [model.DELIVERED] * 2
    assert shop.double.count(PLACE) == 2


# --- connections ------------------------------------------------------------------------------------------------------


def test_after_a_disconnection_nothing_is_bought_and_earlier_purchases_are_collected(shop: Shop) -> None:
    shop.double.ready = 0
    bought = shop.order()
    shop.round()
    shop.double.faults[QUOTE] = ["error"]
    planned = shop.order()
    shop.round()
    shop.tenant.write(connections.disconnect, shop.tenant.supplier, OPERATOR)
    shop.double.only.ready = 1
    assert shop.mail.store.write_now(connections.forget_credentials) == 0
    shop.settle(3)
    assert shop.line(bought).status == model.DELIVERED
    assert shop.line(planned).status == model.CANCELLED
    assert shop.purchase(planned).state == REFUSED
    assert len(shop.double.orders) == 1
    assert shop.mail.store.write_now(connections.forget_credentials) == 1
    found = shop.tenant.read(connections.connection_of, shop.tenant.supplier)
    assert found is not None
    assert found.credential is None


def test_a_supplier_with_neither_an_api_key_nor_a_connection_gets_no_lines(shop: Shop) -> None:
    def asked() -> list[str]:
        return [one.supplier_id for one in shop.tenant.read(suppliers.candidates, shop.product, TOPUP)]

    assert asked() == [shop.tenant.supplier]
    shop.tenant.write(connections.disconnect, shop.tenant.supplier, OPERATOR)
    assert asked() == []


def test_an_agreed_cost_of_zero_is_still_compared_with_the_price(shop: Shop) -> None:
    free = shop.tenant.topup(cost=0)
    shop.tenant.write(connections.set_product_id, shop.tenant.supplier, free, PRODUCT, Decimal(5), OPERATOR)
    line = shop.tenant.order((free, 1)).lines[0]
    shop.settle(2)
    assert shop.line(line).status == model.CANCELLED
    assert shop.double.orders == {}


def test_a_disabled_supplier_is_not_called(shop: Shop) -> None:
    line = shop.order()
    shop.change_rows("accounts", "disabled = 1", "id", shop.tenant.supplier)
    shop.settle(3)
    assert (shop.double.calls, shop.purchase(line).state) == ([], PLANNED)
    shop.change_rows("accounts", "disabled = 0", "id", shop.tenant.supplier)
    shop.settle(3)
    assert shop.line(line).status == model.DELIVERED


def test_a_code_that_the_shop_already_has_is_not_delivered_again(shop: Shop) -> None:
    known = fresh("KNOWN")
    shop.tenant.upload(shop.tenant.card(0), [known])
    shop.double.next_codes = [known, "not a code, a row", "GOOD-1", "GOOD-1"]
    other = shop.rival()
    line = shop.order(4)
    shop.settle(2)
    assert shop.tenant.codes(line.id) == ["GOOD-1"]
    now = shop.line(line)
    assert (now.delivered, now.supplier_id) == (1, other)
    assert shop.audited("purchase.unusable_cards") == [shop.purchase(line).id]
    outcomes = [one.outcome for one in assignments_of(shop, line)]
    assert outcomes == ["rejected", None]


def test_a_code_without_the_form_that_the_product_states_is_not_delivered(shop: Shop) -> None:
    shop.change_rows("products", "code_pattern = 'OK-##'", "id", shop.product)
    shop.double.next_codes = ["OK-17", "NO-17"]
    line = shop.order(2)
    shop.settle(2)
    assert shop.tenant.codes(line.id) == ["OK-17"]
    assert (shop.line(line).delivered, shop.line(line).cancelled) == (1, 1)


def assignments_of(shop: Shop, line: model.Line) -> list[assignments.Assignment]:
    return shop.tenant.read(assignments.assignments_of, line.id)


def test_a_supplier_that_never_gives_a_final_answer_loses_the_line(shop: Shop) -> None:
    other = shop.rival()
    shop.double.ready = 0
    line = shop.order()
    shop.settle(3)
    shop.later(7 * DAY)
    assert shop.line(line).supplier_id == other
    assert shop.audited("purchase.lose") == [shop.purchase(line).id]
