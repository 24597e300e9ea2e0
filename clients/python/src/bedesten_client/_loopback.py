"""Sends requests for names below `localhost` to the loopback address (RFC 6761, section 6.3), as browsers and curl do.

Not every system resolver does that: in a container, `sandbox.localhost` would otherwise be unreachable.
"""

import httpx2

_PATTERN = "all://*.localhost"
LOOPBACK = "127.0.0.1"


class _Loopback(httpx2.HTTPTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(_to_loopback(request))


class _AsyncLoopback(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(_to_loopback(request))


def client() -> httpx2.Client:
    """Return a client that sends names below `localhost` to the loopback address, without a proxy."""
    return httpx2.Client(follow_redirects=False, mounts={_PATTERN: _Loopback()})


def async_client() -> httpx2.AsyncClient:
    """The same for asyncio."""
    return httpx2.AsyncClient(follow_redirects=False, mounts={_PATTERN: _AsyncLoopback()})


def _to_loopback(request: httpx2.Request) -> httpx2.Request:
    """Direct the request to the loopback address. `Host` and the TLS server name stay unchanged."""
    request.extensions = {**request.extensions, "sni_hostname": request.url.host}
    request.url = request.url.copy_with(host=LOOPBACK)
    return request
