"""What a request reveals is never kept: no stock code in the answers that are stored to be given again."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pysqlite3 import dbapi2

from bedesten.accounts import actions as accounts
from bedesten.catalogue import actions as catalogue
from bedesten.http.message import Request
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.ledger import actions as ledger
from bedesten.server import build
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from tests.support.stock_codes import add_codes

PASSWORD = "seven lanterns by the gate"
CODE = "CODE-IN-CLEAR-4711"


class Sent:
    """A body that has come already."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def read(self, limit: int) -> bytes:
        assert len(self._raw) <= limit
        return self._raw


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    settings = Settings(data=tmp_path / "data", database=None)
    initialise(settings)
    opened = open_installation(settings)
    yield opened
    opened.store.close()


def stock_a_shop(opened: Installation) -> str:
    """One partner with credit and one product with one code; answers the product's id."""
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
    pipeline = Pipeline(build.open_services(installation), RouteMap.of(build.ROUTES))
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"idempotency-key", b"the-same")]

    async def call(method: str, path: str, body: object) -> tuple[int, str]:
        raw = json.dumps(body).encode()
        answer = await pipeline.handle(Request(method, path.encode(), b"", headers, "127.0.0.1", Sent(raw)))
        return answer.status, answer.body.decode()

    async def story() -> list[tuple[int, str]]:
        login = await call("POST", "/Login/Customer/Api/Verify", {"email": "p@example.com", "password": PASSWORD})
        headers.append((b"authorization", b"Bearer " + json.loads(login[1])["data"]["token"].encode()))
        line = {"deliverId": "1", "customerStoreProductId": product, "quantity": 1}
        placed = await call("POST", "/Orders/Create", {"orderReference": "r", "basketData": [line]})
        detail = json.loads(placed[1])["data"]["details"][0]["orderDetailId"]
        read = await call("POST", "/Orders/Get", {"orderReference": "r"})
        return [placed, read, await call("GET", f"/Orders/Detail/{detail}", {})]

    placed, *read = asyncio.run(story())

    assert placed[0] == 200
    assert CODE not in placed[1]
    assert [status for status, _ in read] == [200, 200]
    assert all(CODE in body for _, body in read)
    with dbapi2.connect(str(installation.settings.sqlite_file)) as fresh:
        stored = [row[0] for row in fresh.execute("SELECT answer FROM idempotency")]
    assert len(stored) == 1, "the order's own answer"
    assert "orderId" in stored[0]
    assert CODE not in stored[0]
