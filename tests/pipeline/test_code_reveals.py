"""Revealed stock codes are never stored: none is in the answers stored for idempotent repetition."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from bedesten.accounts import actions as accounts
from bedesten.catalogue import actions as catalogue
from bedesten.ledger import actions as ledger
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from tests.support.inprocess import InProcessServer
from tests.support.stock_codes import add_codes
from tests.support.wire import Answer

PASSWORD = "seven lanterns by the gate"
CODE = "CODE-IN-CLEAR-4711"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    settings = Settings(data=tmp_path / "data", database=None)
    initialise(settings)
    opened = open_installation(settings)
    yield opened
    opened.store.close()


def stock_a_shop(opened: Installation) -> str:
    """Creates a partner with credit and a product with one code; returns the product's id."""
    hashed = opened.hasher().hash(PASSWORD)

    def work(tx: SystemTransaction) -> str:
        made = tenants.create(tx, opened.cipher, tenants.NewTenant("shop", ["localhost"]))
        shop = tx.for_tenant(str(made["id"]))
        partner = accounts.create(shop, "partner", "p@example.com", "P", password=hashed)
        assert partner is not None
        ledger.set_credit(shop, ledger.account(shop, partner, "partner", "USD"), 10_000)
        fields = catalogue.ProductFields(name="Card", currency="USD", sku="card", price=500)
        product = catalogue.put_product(shop, fields)
        assert add_codes(shop, opened.cipher, product, [CODE]).added == 1
        return product

    return opened.store.write_now(work)


def test_a_read_that_shows_codes_stores_no_answer_whatever_its_idempotency_key(installation: Installation) -> None:
    product = stock_a_shop(installation)
    server = InProcessServer(installation)
    lines = [("Idempotency-Key", "the-same")]

    def call(method: str, path: str, body: object) -> Answer:
        return server.ask(method, path, lines, body, "localhost", "127.0.0.1")

    login = call("POST", "/Login/Customer/Api/Verify", {"email": "p@example.com", "password": PASSWORD})
    lines.append(("Authorization", f"Bearer {login.data['token']}"))
    line = {"deliverId": "1", "customerStoreProductId": product, "quantity": 1}
    placed = call("POST", "/Orders/Create", {"orderReference": "r", "basketData": [line]})
    detail = placed.data["details"][0]["orderDetailId"]
    reads = [call("POST", "/Orders/Get", {"orderReference": "r"}), call("GET", f"/Orders/Detail/{detail}", {})]
    server.close()

    assert placed.status == 200
    assert CODE.encode() not in placed.body
    assert [read.status for read in reads] == [200, 200]
    assert all(CODE.encode() in read.body for read in reads)
    with dbapi2.connect(str(installation.settings.sqlite_file)) as fresh:
        stored = [row[0] for row in fresh.execute("SELECT answer FROM idempotency")]
    assert len(stored) == 1, "the order's own answer"
    assert "orderId" in stored[0]
    assert CODE not in stored[0]
