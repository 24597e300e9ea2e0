"""Clients of the library, for the real server and for a scripted one."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.client.rerouted import rerouted, rerouted_async
from tests.support.shop import Shop


@pytest.fixture(scope="session")
def http(shop: Shop) -> Iterator[httpx2.Client]:
    """An httpx2 client that resolves every host to the test's server."""
    with rerouted(shop.site.port) as made:
        yield made


@pytest.fixture(scope="session")
def http_async(shop: Shop) -> Callable[[], httpx2.AsyncClient]:
    """The same client for asyncio: one for each event loop."""
    return lambda: rerouted_async(shop.site.port)
