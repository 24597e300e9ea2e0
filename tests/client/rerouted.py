"""httpx2 clients for which every shop's host is the test's own server, as a name server would have it."""

import httpx2


class _Sync(httpx2.HTTPTransport):
    def __init__(self, port: int) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=64))
        self._port = port

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return super().handle_request(request)


class _Async(httpx2.AsyncHTTPTransport):
    def __init__(self, port: int) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=64))
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


def rerouted(port: int) -> httpx2.Client:
    """For threads."""
    return httpx2.Client(transport=_Sync(port), trust_env=False)


def rerouted_async(port: int) -> httpx2.AsyncClient:
    """For asyncio."""
    return httpx2.AsyncClient(transport=_Async(port), trust_env=False)
