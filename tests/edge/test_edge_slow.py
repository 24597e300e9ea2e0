"""Slow clients: they block no other client, and the server disconnects all of them in the end."""

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import request_bytes
from tests.support.shop import Shop
from tests.support.slow_clients import EACH, PLANS, Slow
from tests.support.wire import speak

pytestmark = pytest.mark.slow

ANSWERS = {
    "no body": b"HTTP/1.1 400",
    "a body byte by byte": b"HTTP/1.1 400",
    "an idle connection": b"HTTP/1.1 200",
}
"""The others never complete a request, and get no response."""


def ask(shop: Shop) -> tuple[int, int | None]:
    return speak(
        shop.site.port, request_bytes("GET", "/Account/Details", shop.host, shop.lines(Surface.RESELLER))
    ).verdict


@pytest.mark.requirement(176)
@pytest.mark.usefixtures("slow")
def test_slow_clients_block_nobody(shop: Shop) -> None:
    assert [ask(shop) for _ in range(300)] == [(200, None)] * 300


@pytest.mark.requirement(176)
def test_every_slow_client_is_disconnected(shop: Shop, slow: Slow) -> None:
    slow.wait()
    for name in PLANS:
        received = slow.ends[name]
        assert len(received) == EACH, f"{name}: {EACH - len(received)} connections are still open"
        assert {one[:12] for one in received} == {ANSWERS.get(name, b"")}, name
    assert ask(shop) == (200, None)
