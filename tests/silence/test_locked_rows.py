"""One row that somebody else has locked: those who want it are answered, and everybody else goes on."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest

from bedesten.catalogue.actions import ProductFields
from tests.silence.conftest import Faulty
from tests.support.metrics import of, scrape, until
from tests.support.operator_actions import PASSWORD

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
BUYERS = 24


@pytest.fixture
def other_product(faulty: Faulty) -> str:
    """Another product with stock."""
    shop = faulty.shop
    fields = ProductFields(name="Other", currency="USD", sku="other", price=100)
    return shop.operator.product(shop.id, fields, [f"OTHER-{number}" for number in range(60)])


@contextlib.contextmanager
def stock_locked(faulty: Faulty) -> Iterator[None]:
    """The codes of the card, locked by a connection of its own."""
    with psycopg.connect(str(faulty.shop.site.database)) as other:
        other.execute("SELECT 1 FROM stock_codes WHERE product_id = %s FOR UPDATE", (faulty.shop.card,))
        yield
        other.rollback()


@contextlib.contextmanager
def buyers(faulty: Faulty) -> Iterator[list[tuple[int, int | None]]]:
    """Two dozen clients that order the card again and again; gives what they were answered."""
    answers: list[tuple[int, int | None]] = []
    enough = threading.Event()

    def buy() -> None:
        while not enough.is_set():
            answers.append(faulty.order().told)

    threads = [threading.Thread(target=buy) for _ in range(BUYERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def test_locked_codes_stop_neither_reads_nor_logins_nor_orders_of_other_products(
    faulty: Faulty, other_product: str
) -> None:
    login = {"email": faulty.shop.partner_email, "password": PASSWORD}
    assert faulty.order(other_product).status == 200  # a shop's first order opens its sales account
    with stock_locked(faulty), buyers(faulty) as answers:
        assert until(lambda: of(scrape(faulty.shop.site.admin_port), "store_lock_waits_total") >= BUYERS)
        assert [faulty.order(other_product).status for _ in range(20)] == [200] * 20
        assert [faulty.read().status for _ in range(20)] == [200] * 20
        assert [faulty.ask("/Login/Customer/Api/Verify", (), login).status for _ in range(3)] == [200] * 3
        assert until(lambda: len(answers) >= BUYERS)
        assert set(answers) == {UNAVAILABLE}
    assert faulty.order().status == 200
