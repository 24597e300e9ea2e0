"""One asyncio client in several event loops."""

import asyncio

import httpx2

from bedesten_client import AsyncResellerClient, Secret
from tests.client.rerouted import rerouted_async
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop


def test_each_event_loop_gets_its_own_connections(shop: Shop) -> None:
    address = f"http://127.0.0.1:{shop.site.port}"
    client = AsyncResellerClient(address, email=shop.partner_email, password=Secret(PASSWORD))

    async def ask() -> int | None:
        """The error code: the server knows no such shop, and answers on a connection that stays open."""
        try:
            await client.account()
        except Exception as problem:
            return getattr(problem, "code", None)
        return 0

    assert [asyncio.run(ask()) for _ in range(5)] == [-10] * 5


def test_a_client_of_another_event_loop_is_reported(shop: Shop) -> None:
    http = rerouted_async(shop.site.port)
    client = AsyncResellerClient(
        shop.host, email=shop.partner_email, password=Secret(PASSWORD), http=http, allow_http=True
    )

    async def ask() -> str:
        return (await client.account()).account_id

    assert asyncio.run(ask()) == shop.partner
    outcomes = []
    for _ in range(3):
        try:
            outcomes.append(asyncio.run(ask()))
        except RuntimeError as problem:
            outcomes.append(str(problem))
    assert any("another event loop: pass one for each event loop" in one for one in outcomes)
    assert isinstance(http, httpx2.AsyncClient)
