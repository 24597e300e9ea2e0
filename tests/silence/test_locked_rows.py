"""One row that another transaction has locked: requests that need it are answered, and all others continue."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from bedesten.catalogue.actions import ProductFields
from bedesten.store import postgres
from tests.silence.conftest import Faulty
from tests.support.metrics import of, scrape, until
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import open_shop

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
BUYERS = 24
CROWD = 2 * postgres.MAX_LOCK_WAITING


@pytest.fixture
def other_product(faulty: Faulty) -> str:
    """Another product with stock."""
    shop = faulty.shop
    fields = ProductFields(name="Other", currency="USD", sku="other", price=100)
    return shop.operator.product(shop.id, fields, [f"OTHER-{number}" for number in range(60)])


@contextlib.contextmanager
def stock_locked(faulty: Faulty) -> Iterator[None]:
    """Locks the codes of the card with a separate connection."""
    with psycopg.connect(str(faulty.shop.site.database)) as other:
        other.execute("SELECT 1 FROM stock_codes WHERE product_id = %s FOR UPDATE", (faulty.shop.card,))
        yield
        other.rollback()


@contextlib.contextmanager
def buyers(faulty: Faulty, count: int = BUYERS) -> Iterator[list[tuple[int, int | None]]]:
    """Clients that order the card repeatedly; yields their statuses."""
    answers: list[tuple[int, int | None]] = []
    enough = threading.Event()

    def buy() -> None:
        while not enough.is_set():
            answers.append(faulty.order().verdict)

    threads = [threading.Thread(target=buy) for _ in range(count)]
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
        assert until(lambda: lock_waits(faulty) >= BUYERS)
        assert [faulty.order(other_product).status for _ in range(20)] == [200] * 20
        assert [faulty.read().status for _ in range(20)] == [200] * 20
        assert [faulty.ask("/Login/Customer/Api/Verify", (), login).status for _ in range(3)] == [200] * 3
        assert until(lambda: len(answers) >= BUYERS)
        assert set(answers) == {UNAVAILABLE}
    assert faulty.order().status == 200


def test_more_waiting_orders_than_threads_and_queue_places_do_not_block_another_tenant(
    faulty: Faulty,
) -> None:
    """The other tenant's card is as contended as usual: nobody locks its rows for long."""
    other = replace(faulty, shop=open_shop(faulty.shop.site, Operator(faulty.installation), "neighbour"))
    assert other.order().status == 200
    before = lock_waits(faulty)
    with stock_locked(faulty), buyers(faulty, CROWD) as answers:
        assert until(lambda: lock_waits(faulty) >= before + CROWD)
        assert [other.order().status for _ in range(20)] == [200] * 20
        assert until(lambda: len(answers) >= CROWD)
        assert set(answers) == {UNAVAILABLE}
    assert faulty.order().status == 200


def lock_waits(faulty: Faulty) -> float:
    """How many actions have waited for a locked row."""
    return of(scrape(faulty.shop.site.admin_port), "store_lock_waits_total")
