"""Names below `localhost` lead to this machine (RFC 6761, section 6.3), also where the system's resolver does not know it.

Browsers and curl do the same. Without it, a sandbox at `sandbox.localhost` cannot be reached from a container.
"""

import httpx2

_PATTERN = "all://*.localhost"
LOOPBACK = "127.0.0.1"


class _Loopback(httpx2.HTTPTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return super().handle_request(_here(request))


class _AsyncLoopback(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await super().handle_async_request(_here(request))


def client() -> httpx2.Client:
    """A client that finds names below `localhost` by itself and asks no proxy for them."""
    return httpx2.Client(follow_redirects=False, mounts={_PATTERN: _Loopback()})


def async_client() -> httpx2.AsyncClient:
    """The same for asyncio."""
    return httpx2.AsyncClient(follow_redirects=False, mounts={_PATTERN: _AsyncLoopback()})


def _here(request: httpx2.Request) -> httpx2.Request:
    """The request, sent to the loopback address; `Host` and the name in the certificate stay as they were."""
    request.extensions = {**request.extensions, "sni_hostname": request.url.host}
    request.url = request.url.copy_with(host=LOOPBACK)
    return request
