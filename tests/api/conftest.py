"""What takes its time begins with the first test that speaks HTTP and is looked at in one of the last."""

from collections.abc import Iterator

import pytest

from tests.support.shop import Shop
from tests.support.stalled_requests import unfinished
from tests.support.wire import Connection


@pytest.fixture(scope="session", autouse=True)
def stalled(shop: Shop) -> Iterator[dict[str, Connection]]:
    """Connections over which the body of an order stopped coming."""
    open_ones = {}
    for what, raw in unfinished(shop, "stalled").items():
        open_ones[what] = Connection(shop.site.port)
        open_ones[what].send(raw)
    yield open_ones
    for connection in open_ones.values():
        connection.close()
