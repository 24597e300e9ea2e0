"""Faults of a supplier that is called, each with its stated outcome. Whatever the fault, the supplier sells once."""

from collections.abc import Iterator

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.connectors import connections, http_call
from bedesten.connectors.booking import MAX_POSTPONEMENT, SETTLE
from bedesten.connectors.connections import NewConnection
from bedesten.connectors.moves import FULFILLED, ORDERED, PLACING, PLANNED, REFUSED
from bedesten.connectors.purchases import LEASE
from bedesten.core.clock import MINUTE, SECOND
from bedesten.core.secret import Secret
from bedesten.orders import model
from bedesten.telemetry.metrics import Metrics
from tests.domain.connected import Shop, connected, is_paused, sound
from tests.domain.mail import Mail
from tests.store.raw import raw
from tests.support.supplier_double import ACCOUNT, CREDENTIAL, PLACE, POLL, QUOTE, SupplierDouble, supplier_double


@pytest.fixture
def double() -> Iterator[SupplierDouble]:
    with supplier_double() as made:
        yield made


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, mail: Mail, double: SupplierDouble, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A connected shop. Calls have a short deadline if the fault is an answer that does not come in time."""
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    monkeypatch.setattr(http_call, "DEADLINE_S", 1.0 if parameters.get("fault") in ("slow", "silent") else 20.0)
    made = connected(mail, double)
    yield made
    sound(made)


# --- the call that buys -----------------------------------------------------------------------------------------------

AFTER_BUYING = ("lost", "slow", "lost in an error", "garbage", "huge")
"""The supplier has sold, and we do not know it."""


@pytest.mark.parametrize("fault", AFTER_BUYING)
def test_a_purchase_whose_answer_is_lost_is_polled_and_delivered(shop: Shop, fault: str) -> None:
    shop.double.faults[PLACE] = [fault]
    line = shop.order()
    shop.round()
    assert shop.purchase(line).state == PLACING
    assert shop.line(line).status == model.PROCESSING
    shop.later()
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert shop.double.count(PLACE) == 1


@pytest.mark.parametrize("fault", ["error", "maintenance", "silent", "redirect", "reason:SomethingNew"])
def test_a_purchase_that_never_arrived_is_sent_again_under_the_same_reference(shop: Shop, fault: str) -> None:
    shop.double.faults[PLACE] = [fault]
    line = shop.order()
    shop.round()
    first = shop.purchase(line)
    assert first.state == PLACING
    shop.later(5 * SECOND)
    assert shop.purchase(line).state == PLACING, "it may not have arrived yet"
    assert shop.double.count(PLACE) == 1
    shop.later(SETTLE)
    assert shop.purchase(line).state == PLANNED
    shop.settle(2)
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert list(shop.double.orders) == [first.reference]
    assert shop.double.count(PLACE) == 2


def test_a_purchase_that_arrives_after_all_is_not_made_twice(shop: Shop) -> None:
    """The supplier handles the first call minutes later: it refuses the second one and delivers the first."""
    shop.double.faults[PLACE] = ["error"]
    line = shop.order()
    shop.round()
    shop.later(SETTLE)
    purchase = shop.purchase(line)
    assert purchase.state == PLANNED
    product = {"ProductId": 439685, "Quantity": 1, "Value": 5}
    shop.double.buy({"RequestId": purchase.reference, "AccountId": 555, "Products": [product]})
    shop.round()
    assert shop.purchase(line).state == PLACING, "the reference is taken"
    shop.later()
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert shop.double.count(PLACE) == 2


@pytest.mark.parametrize("reason", ["ProductIsOutOfStock", "InsufficientBalance", "InvalidDenomination"])
def test_a_purchase_that_is_declined_goes_to_the_next_supplier_at_once(shop: Shop, reason: str) -> None:
    other = shop.rival()
    shop.double.faults[PLACE] = [f"reason:{reason}"]
    line = shop.order()
    shop.round()
    assert shop.line(line).supplier_id == other
    assert shop.purchase(line).state == REFUSED


def test_after_too_many_calls_the_supplier_is_not_called_for_as_long_as_it_says(shop: Shop) -> None:
    shop.double.faults[PLACE] = ["rate"]
    first, second = shop.order(), shop.order()
    shop.round()
    assert sorted(shop.purchase(line).state for line in (first, second)) == [PLANNED, ORDERED]
    assert shop.later(6 * SECOND) == 0
    assert shop.later(SECOND) == 2
    shop.settle(2)
    assert [shop.line(line).status for line in (first, second)] == [model.DELIVERED] * 2


def test_a_refused_credential_pauses_the_supplier_and_after_half_an_hour_the_line_moves_on(shop: Shop) -> None:
    other = shop.rival()
    shop.double.credential = "client-7:rotated"
    line = shop.order()
    shop.round()
    assert is_paused(shop)
    assert (shop.purchase(line).state, shop.line(line).supplier_id) == (PLANNED, shop.tenant.supplier)
    shop.settle(5)
    assert shop.line(line).supplier_id == shop.tenant.supplier
    shop.later(MAX_POSTPONEMENT)
    assert shop.line(line).supplier_id == other
    assert shop.double.orders == {}


def test_waiting_lines_go_on_once_the_credential_is_valid_again(shop: Shop) -> None:
    shop.double.credential = "client-7:rotated"
    line = shop.order()
    shop.round()
    shop.double.credential = CREDENTIAL
    shop.settle(3)
    assert shop.line(line).status == model.DELIVERED


def test_a_supplier_that_cannot_be_reached_loses_the_line_after_half_an_hour(shop: Shop) -> None:
    other = shop.rival()
    new = NewConnection("bamboo", "http://127.0.0.1:1", ACCOUNT, Secret(CREDENTIAL))
    shop.tenant.write(connections.connect, shop.tenant.installation.cipher, shop.tenant.supplier, new, OPERATOR)
    line = shop.order()
    shop.settle(5)
    assert (shop.purchase(line).state, shop.purchase(line).last_error) == (PLANNED, "ConnectError")
    shop.later(MAX_POSTPONEMENT)
    assert shop.line(line).supplier_id == other


def test_a_private_address_that_is_no_longer_allowed_is_not_called(shop: Shop) -> None:
    with raw(shop.tenant.installation.settings) as other:
        other.run("UPDATE installation SET webhook_networks = ''")
    line = shop.order()
    shop.settle(2)
    assert shop.double.calls == []
    assert "private" in (shop.purchase(line).last_error or "")


# --- the price --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["error", "garbage", "silent", "huge", "rate", "reason:ClientCatalogNotExist"])
def test_nothing_is_bought_while_the_price_is_unknown(shop: Shop, fault: str) -> None:
    shop.double.faults[QUOTE] = [fault]
    line = shop.order()
    shop.round()
    assert (shop.purchase(line).state, shop.double.count(PLACE)) == (PLANNED, 0)
    shop.settle(2)
    assert shop.line(line).status == model.DELIVERED


# --- the poll ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["error", "garbage", "another", "silent", "lost", "huge", "rate", "refuse", "redirect"]
)
def test_a_failed_poll_is_repeated(shop: Shop, fault: str) -> None:
    shop.double.faults[POLL] = [fault]
    line = shop.order()
    shop.settle(2)
    assert shop.line(line).status == model.PROCESSING
    shop.settle(2)
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert shop.double.count(PLACE) == 1


def test_a_supplier_that_forgets_a_purchase_is_not_asked_to_sell_it_again(shop: Shop) -> None:
    shop.double.ready = 0
    line = shop.order()
    shop.round()
    sold = shop.double.orders.copy()
    shop.double.orders.clear()
    shop.settle(5)
    assert (shop.purchase(line).state, shop.double.count(PLACE)) == (ORDERED, 1)
    shop.double.orders.update(sold)
    shop.double.only.ready = 1
    shop.settle(12, 10 * MINUTE)
    assert shop.line(line).status == model.DELIVERED


def test_the_same_answer_twice_delivers_once(shop: Shop) -> None:
    shop.double.ready = 1
    line = shop.order(2)
    shop.settle(6)
    assert shop.double.count(POLL) >= 4
    assert (shop.line(line).delivered, len(shop.tenant.codes(line.id))) == (1, 1)
    shop.double.only.ready = 2
    shop.settle(6, 10 * MINUTE)
    assert shop.purchase(line).state == FULFILLED
    assert shop.tenant.codes(line.id) == shop.double.only.codes


def test_more_cards_than_were_bought_go_to_stock(shop: Shop) -> None:
    line = shop.order()
    shop.round()
    shop.double.only.codes.append("ONE-MORE")
    shop.double.only.ready = 2
    shop.later()
    assert (shop.line(line).status, len(shop.tenant.codes(line.id))) == (model.DELIVERED, 1)
    assert shop.tenant.available(shop.product) == 1


# --- what is kept and shown ------------------------------------------------------------------------------------------


def test_neither_the_credential_nor_a_code_is_in_clear_in_the_store_or_in_the_log(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.double.faults[PLACE], shop.double.faults[POLL] = ["lost"], ["error"]
    line = shop.order(2)
    shop.settle(4)
    (first, second) = shop.tenant.codes(line.id)
    printed = "".join(capsys.readouterr())
    settings = shop.tenant.installation.settings
    if not settings.database:
        printed += "".join(file.read_bytes().decode("latin-1") for file in settings.data.glob("*.sqlite*"))
    with raw(settings) as other:
        for table in ("supplier_connections", "purchases", "purchase_cards", "audit", "changes"):
            printed += repr(other.rows(f"SELECT * FROM {table}"))
    assert printed
    for secret in (CREDENTIAL, CREDENTIAL.partition(":")[2], first, second):
        assert secret not in printed


def test_calls_are_counted_by_kind_and_result(shop: Shop) -> None:
    metrics = Metrics()
    shop.double.faults[PLACE], shop.double.faults[QUOTE] = ["lost"], ["rate"]
    shop.order()
    for _ in range(4):
        shop.round(metrics)
        shop.mail.clock.now += LEASE
    counted = {series[1:]: count for series, count in metrics.counters.items() if series[0] == "supplier_calls"}
    assert counted == {
        ("quote", "postponed"): 1,
        ("quote", "answered"): 1,
        ("place", "postponed"): 1,
        ("place", "unknown"): 1,
        ("poll", "answered"): 1,
    }
