"""Purchases under failure: every call of the store fails once, workers run side by side, and workers die in between."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.catalogue.code import read_code
from bedesten.connectors import booking, connections, purchases
from bedesten.connectors.adapter import (
    COMPLETE,
    FAILED,
    PENDING,
    CancelAnswer,
    Card,
    Declined,
    NotFound,
    Price,
    RetryLater,
    Status,
    Unknown,
)
from bedesten.connectors.booking import MAX_AGE, MAX_POSTPONEMENT, OVERTAKEN, SETTLE, Answer
from bedesten.connectors.connections import NewConnection
from bedesten.connectors.moves import PLACING
from bedesten.connectors.purchases import LEASE, PLACE, POLL, Lease
from bedesten.core.secret import Secret
from bedesten.orders import model
from bedesten.orders.model import Line
from bedesten.server import purchaser
from tests.domain.connected import Shop, connected, sound
from tests.domain.mail import Mail
from tests.domain.tenant import fresh
from tests.store.raw import raw
from tests.support.nth_failure import assert_all_or_nothing
from tests.support.supplier_double import ACCOUNT, CREDENTIAL, PRODUCT, SupplierDouble, supplier_double


@pytest.fixture
def double() -> Iterator[SupplierDouble]:
    with supplier_double() as made:
        yield made


@pytest.fixture
def shop(mail: Mail, double: SupplierDouble) -> Iterator[Shop]:
    made = connected(mail, double)
    yield made
    sound(made)


def leased(shop: Shop) -> Lease:
    """The only due purchase, leased to this test."""
    (found,) = shop.mail.store.write_now(lambda tx: purchases.lease(tx, 10))
    return found


def planned(shop: Shop, quantity: int = 1) -> tuple[Line, Lease]:
    """A line whose purchase is planned and leased."""
    line = shop.order(quantity)
    ((tenant, assignment),) = shop.mail.store.read_now(purchases.unplanned)
    assert tenant == shop.tenant.id
    assert_all_or_nothing(shop.tenant.installation, shop.tenant.id, lambda tx: purchases.plan(tx, assignment))
    return line, leased(shop)


def cards(count: int) -> tuple[Card, ...]:
    return tuple(Card(fresh("card"), read_code(fresh("CONNECTOR"))) for _ in range(count))


ANSWERS: dict[str, tuple[Answer, int]] = {
    "pending": (Status(PENDING), 0),
    "half of the cards": (Status(PENDING, cards(1), "order 7", Price(Decimal(9), "USD")), 0),
    "all cards": (Status(COMPLETE, cards(2)), 0),
    "too many cards": (Status(COMPLETE, cards(3)), 0),
    "half, and no more": (Status(FAILED, cards(1)), 0),
    "failed": (Status(FAILED), 0),
    "unusable": (Status(FAILED, (Card("bad", None),)), 0),
    "absent": (NotFound(), SETTLE),
    "declined": (Declined("no"), 0),
    "postponed": (RetryLater("later", wait_s=5.0), 0),
    "unauthorised": (RetryLater("who are you", unauthorised=True), 0),
    "postponed for too long": (RetryLater("later"), MAX_POSTPONEMENT),
    "unknown": (Unknown("silence"), 0),
    "unknown for too long": (Unknown("silence"), MAX_AGE),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_booking_an_answer_is_all_or_nothing(shop: Shop, name: str) -> None:
    answer, age = ANSWERS[name]
    _, lease = planned(shop, 2)
    installation, cipher = shop.tenant.installation, shop.tenant.installation.cipher
    shop.tenant.write(purchases.begin, cipher, lease)
    assert assert_all_or_nothing(installation, shop.tenant.id, lambda tx: purchases.sending(tx, lease)) is True
    shop.mail.clock.now += age
    call = PLACE if isinstance(answer, RetryLater | Declined) else POLL
    outcome = assert_all_or_nothing(
        installation, shop.tenant.id, lambda tx: booking.book(tx, cipher, lease, call, answer)
    )
    assert outcome != OVERTAKEN


@pytest.mark.parametrize("cancelled", [False, True])
def test_booking_a_cancellation_is_all_or_nothing(shop: Shop, cancelled: bool) -> None:
    _, lease = planned(shop)
    shop.tenant.write(purchases.sending, lease)
    answer, cipher = CancelAnswer(cancelled), shop.tenant.installation.cipher
    assert_all_or_nothing(
        shop.tenant.installation, shop.tenant.id, lambda tx: booking.book(tx, cipher, lease, "cancel", answer)
    )
    shop.rival()
    shop.tenant.write(lambda tx: purchases.give_back(tx, lease, "the end of this test"))


def test_connecting_and_naming_a_product_is_all_or_nothing(shop: Shop) -> None:
    installation, tenant = shop.tenant.installation, shop.tenant
    new = NewConnection("bamboo", shop.double.url, ACCOUNT, Secret(CREDENTIAL))
    assert_all_or_nothing(
        installation,
        tenant.id,
        lambda tx: connections.connect(tx, installation.cipher, tenant.supplier, new, OPERATOR),
    )
    assert_all_or_nothing(
        installation,
        tenant.id,
        lambda tx: connections.set_product_id(tx, tenant.supplier, shop.product, PRODUCT, Decimal(10), OPERATOR),
    )
    assert_all_or_nothing(installation, tenant.id, lambda tx: connections.disconnect(tx, tenant.supplier, OPERATOR))


def test_a_worker_whose_lease_has_expired_books_nothing(shop: Shop) -> None:
    line, first = planned(shop)
    cipher = shop.tenant.installation.cipher
    assert shop.tenant.write(purchases.sending, first)
    shop.mail.clock.now += LEASE
    second = leased(shop)
    assert second.number == first.number + 1
    for late in (Declined("no"), RetryLater("later"), NotFound(), Status(COMPLETE, cards(1))):
        assert shop.tenant.write(booking.book, cipher, first, PLACE, late) == OVERTAKEN
    assert not shop.tenant.write(purchases.sending, first)
    assert shop.purchase(line).state == PLACING
    assert shop.tenant.write(booking.book, cipher, second, POLL, Status(COMPLETE, cards(1))) == "fulfilled"
    assert shop.line(line).status == model.DELIVERED


@pytest.mark.parametrize("sold", [True, False])
def test_a_crash_between_the_call_and_its_booking_buys_once(
    shop: Shop, sold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = shop.order(2)

    class Crash(BaseException):
        pass

    async def dies(*arguments: object) -> None:
        if sold:
            await original(*arguments)  # type: ignore[arg-type]
        raise asyncio.CancelledError

    original = connections.ADAPTERS["bamboo"].place
    with monkeypatch.context() as patch:
        patch.setattr(type(connections.ADAPTERS["bamboo"]), "place", lambda _, *arguments: dies(*arguments))
        shop.crashed_round()
    assert len(shop.double.orders) == int(sold)
    assert shop.purchase(line).state == PLACING
    assert shop.round() == 0, "the lease of the dead worker holds"
    shop.settle(6)
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert len(shop.purchases(line)) == 1


def test_a_store_that_has_lost_a_purchase_buys_under_the_same_reference(shop: Shop) -> None:
    """As after a restore from a backup: the supplier refuses the reference, and the worker collects its cards."""
    line = shop.order()
    shop.round()
    with raw(shop.tenant.installation.settings) as other:
        assert other.run("DELETE FROM purchases") == 1
    shop.settle(3)
    assert shop.tenant.codes(line.id) == shop.double.only.codes
    assert shop.double.count("place") == 2


def test_several_workers_share_the_lines_and_none_is_bought_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.ADAPTERS["bamboo"], "place_interval_s", 0.0)
    lines = [shop.order() for _ in range(12)]
    for _ in range(6):
        asyncio.run(shop.rounds_of(3))
        shop.mail.clock.now += LEASE
    assert [shop.line(line).status for line in lines] == [model.DELIVERED] * 12
    assert len(shop.double.orders) == 12
    assert shop.double.count("place") == 12
    assert len({one for line in lines for one in shop.tenant.codes(line.id)}) == 12


def test_a_worker_leases_no_more_purchases_than_it_can_work_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchaser, "MAX_PURCHASES", 2)
    for _ in range(3):
        shop.order()
    assert shop.round() == 2
    assert shop.round() == 1
