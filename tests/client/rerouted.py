"""httpx2 clients that resolve every shop's host to the test's own server, as DNS would.

Each client sends from its own few addresses: the server counts refusals by address, and tests must stay independent.
"""

import itertools
from collections import Counter

import httpx2

from tests.support.wire import fresh_address

LIMITS = httpx2.Limits(max_connections=16)
ADDRESSES = 4


class _Sync(httpx2.BaseTransport):
    def __init__(self, port: int, paths: "Counter[str]") -> None:
        self._paths, self._port = paths, port
        self._inner = [httpx2.HTTPTransport(limits=LIMITS, local_address=fresh_address()) for _ in range(ADDRESSES)]
        self._next = itertools.cycle(self._inner)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._paths[request.url.path] += 1
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return next(self._next).handle_request(request)

    def close(self) -> None:
        for one in self._inner:
            one.close()


class _Async(httpx2.AsyncBaseTransport):
    def __init__(self, port: int, paths: "Counter[str]") -> None:
        self._paths, self._port = paths, port
        self._inner = [
            httpx2.AsyncHTTPTransport(limits=LIMITS, local_address=fresh_address()) for _ in range(ADDRESSES)
        ]
        self._next = itertools.cycle(self._inner)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._paths[request.url.path] += 1
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await next(self._next).handle_async_request(request)

    async def aclose(self) -> None:
        for one in self._inner:
            await one.aclose()


def rerouted(port: int, paths: "Counter[str] | None" = None) -> httpx2.Client:
    """A client for threads. `paths` counts the requests."""
    return httpx2.Client(transport=_Sync(port, Counter() if paths is None else paths), trust_env=False)


def rerouted_async(port: int, paths: "Counter[str] | None" = None) -> httpx2.AsyncClient:
    """A client for asyncio. `paths` counts the requests."""
    return httpx2.AsyncClient(transport=_Async(port, Counter() if paths is None else paths), trust_env=False)
