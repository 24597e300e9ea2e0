"""Names below `localhost` lead to this machine, whatever the system's resolver returns."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bedesten_client import AsyncSupplierClient, SupplierClient

KEY = "ak_test_0123456789abcdef0123456789abcdef"


class _Shop(BaseHTTPRequestHandler):
    hosts: list[str] = []  # noqa: RUF012 - what every request named, in order

    def do_POST(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"success":true,"message":"OK","data":{"items":[],"nextCursor":null}}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Suppresses the access log."""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A shop on loopback with an unresolvable name, and a configured proxy that must not be used."""

    def unknown(host: object, *_: object, **__: object) -> object:
        assert host == "127.0.0.1", f"{host!r} was looked up"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_port))]

    server = HTTPServer(("127.0.0.1", 0), _Shop)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    _Shop.hosts.clear()
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    yield f"sandbox.localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_client_reaches_a_shop_below_localhost_and_sends_its_name_as_host(shop: str) -> None:
    with SupplierClient(f"http://{shop}", key=KEY) as client:
        assert client.list_products().items == ()
    assert _Shop.hosts == [shop]


async def _listed(shop: str) -> object:
    async with AsyncSupplierClient(f"http://{shop}", key=KEY) as client:
        return (await client.list_products()).items


def test_an_asyncio_client_reaches_a_shop_below_localhost(shop: str) -> None:
    import asyncio

    assert asyncio.run(_listed(shop)) == ()
    assert _Shop.hosts == [shop]
