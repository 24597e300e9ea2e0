"""Bodies that stall and clients that disconnect change nothing, and hold no resource for long."""

from collections.abc import Iterator

import pytest

from tests.support.shop import Shop, fresh
from tests.support.stalled_requests import unfinished
from tests.support.wire import Connection


@pytest.fixture
def stalled(shop: Shop) -> Iterator[dict[str, Connection]]:
    """Connections on which the body of an order has stalled."""
    connections = {}
    for what, raw in unfinished(shop, "stalled").items():
        connections[what] = Connection(shop.site.port, timeout=60)
        connections[what].send(raw)
    yield connections
    for connection in connections.values():
        connection.close()


@pytest.mark.parametrize("what", ["nothing", "half", "whole", "chunk"])
@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_disconnects_before_the_end_of_its_body_changes_nothing(
    shop: Shop, what: str, politely: bool
) -> None:
    reference = fresh("left")
    connection = Connection(shop.site.port)
    connection.send(unfinished(shop, reference)[what])
    if politely:
        connection.half_close()
        assert b"200 OK" not in connection.rest()
    connection.close()

    assert shop.reseller.post("/Orders/Get", {"orderReference": f"{reference}-{what}"}).verdict == (404, -3)
    whole = shop.order(reference=f"{reference}-{what}")
    assert shop.reseller.post("/Orders/Create", whole).status == 200, "and the server is well"


@pytest.mark.requirement(176)
@pytest.mark.slow
def test_a_stalled_body_hits_a_deadline_and_changes_nothing(shop: Shop, stalled: dict[str, Connection]) -> None:
    for what, connection in stalled.items():
        answer = connection.receive()
        assert answer.verdict == (400, -2), what
        assert answer.closes
        assert shop.reseller.post("/Orders/Get", {"orderReference": f"stalled-{what}"}).verdict == (404, -3)
