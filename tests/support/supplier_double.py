"""A supplier that is called: an HTTP server with the calls of the Bamboo Card Portal, and with scripted faults.

It sells like the real one: an order has the caller's `RequestId`, a repeated one is refused, and cards are collected
with Get Order. `faults[call]` lists what goes wrong in the next calls, in order.
"""

import base64
import contextlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PLACE, POLL, QUOTE, ACCOUNTS, CANCEL = "place", "poll", "quote", "accounts", "cancel"
CREDENTIAL, ACCOUNT, PRODUCT = "client-7:a-very-secret-secret", "555", "439685"
SLOW_S = 30.0
"""Duration of a slow answer, unless the caller disconnects first."""


@dataclass
class DoubleOrder:
    """An order that was really bought. `codes`: of its cards, in turn; `ready`: how many cards are ready."""

    body: dict[str, Any]
    number: int
    codes: list[str | None]
    ready: int
    final: str = "Succeeded"
    cancelled: bool = False
    total: float = 0.0

    @property
    def quantity(self) -> int:
        return int(self.body["Products"][0]["Quantity"])


@dataclass
class SupplierDouble:
    """The supplier's state: its offer, its orders, and its scripted faults."""

    url: str = ""
    price: str = "2.90"
    currency: str = "USD"
    credential: str = CREDENTIAL
    cancels: bool = False
    ready: int | None = None
    final: str = "Succeeded"
    next_codes: list[str | None] = field(default_factory=list)
    orders: dict[str, DoubleOrder] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def only(self) -> DoubleOrder:
        """The one order that was bought."""
        (order,) = self.orders.values()
        return order

    def count(self, call: str) -> int:
        """The number of calls of a kind."""
        return self.calls.count(call)

    # --- the business ---

    def buy(self, body: dict[str, Any]) -> tuple[int, object]:
        """Buys once for each `RequestId`."""
        with self.lock:
            reference = body["RequestId"]
            if reference in self.orders:
                return 400, {"reason": "OrderAlreadyExists", "message": "This order already exists."}
            quantity, number = int(body["Products"][0]["Quantity"]), len(self.orders) + 1
            codes = [
                self.next_codes.pop(0) if self.next_codes else f"CARD-{reference[:8]}-{at}" for at in range(quantity)
            ]
            ready = quantity if self.ready is None else self.ready
            self.orders[reference] = DoubleOrder(body, number, codes, ready, self.final)
            return 200, reference

    def show(self, reference: str) -> tuple[int, object]:
        """The order with the cards that are ready."""
        order = self.orders.get(reference)
        if order is None:
            return 400, {"reason": "OrderNotFound", "message": "The order you are trying to get is not found."}
        over = order.ready >= order.quantity or order.final != "Succeeded"
        unready = "Failed" if over else "Processing"
        cards = [
            {
                "id": order.number * 1000 + at,
                "serialNumber": f"serial-{at}",
                "cardCode": code if at < order.ready else None,
                "pin": "392",
                "expirationDate": "2090-05-16T04:36:35.3922677",
                "status": "Sold" if at < order.ready else unready,
            }
            for at, code in enumerate(order.codes)
        ]
        product = order.body["Products"][0]["ProductId"]
        return 200, {
            "orderId": order.number,
            "requestId": reference,
            "items": [{"productId": product, "quantity": order.quantity, "cards": cards}],
            "status": order.final if over else "Processing",
            "total": order.total or 2.9 * order.quantity,
            "errorMessage": None,
            "currency": self.currency,
        }

    def catalogue(self, product: str) -> tuple[int, object]:
        """The only product, with face values from 5 to 100 and a proportional price."""
        if product != PRODUCT:
            return 200, {"items": [], "count": 0}
        price = {"min": float(self.price), "max": float(self.price) * 20, "currencyCode": self.currency}
        sold = {"id": int(PRODUCT), "minFaceValue": 5, "maxFaceValue": 100, "count": None, "price": price}
        return 200, {"items": [{"name": "Steam", "products": [sold]}], "count": 1}

    def cancel(self, reference: str) -> tuple[int, object]:
        """Cancels an order of which no card is ready (the real API has no such call; tests add it)."""
        order = self.orders.get(reference)
        if order is None or order.ready or not self.cancels:
            return 409, {"cancelled": False}
        order.cancelled = True
        return 200, {"cancelled": True}


def _handler(double: SupplierDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path)
            if path.path.endswith("/catalog"):
                product = parse_qs(path.query)["ProductId"][0]
                self._serve(QUOTE, lambda: double.catalogue(product))
            elif path.path.endswith("/accounts"):
                account = {"id": int(ACCOUNT), "currency": "USD", "isActive": True}
                self._serve(ACCOUNTS, lambda: (200, {"accounts": [account]}))
            else:
                self._serve(POLL, lambda: double.show(path.path.rpartition("/")[2]))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._serve(PLACE, lambda: double.buy(body))

        def do_DELETE(self) -> None:
            self._serve(CANCEL, lambda: double.cancel(self.path.rpartition("/")[2]))

        def _serve(self, call: str, act: Any) -> None:
            with double.lock:
                double.calls.append(call)
                fault = double.faults[call].pop(0) if double.faults[call] else ""
            given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            if given != double.credential:
                return self._answer(401, {"message": "unauthorised"})
            return self._misbehave(fault, act)

        def _misbehave(self, fault: str, act: Any) -> None:
            if fault in ("error", "rate", "refuse", "redirect", "maintenance"):
                status = {"error": 500, "rate": 429, "refuse": 403, "redirect": 302, "maintenance": 503}[fault]
                return self._answer(status, {"message": fault}, {"Retry-After": "7", "Location": "/elsewhere"})
            if fault.startswith("reason:"):
                return self._answer(400, {"reason": fault.partition(":")[2], "message": "no"})
            if fault == "silent":
                double.stopped.wait(SLOW_S)
                return self._hang_up()
            status, body = act()
            if fault == "lost":
                return self._hang_up()
            if fault == "slow":
                double.stopped.wait(SLOW_S)
            if fault == "lost in an error":
                status, body = 502, {"message": "bad gateway"}
            if fault == "garbage":
                return self._send(200, b"<html>\xff", {})
            if fault == "huge":
                return self._send(200, b'"' + b"x" * (2 << 20) + b'"', {})
            if fault == "another":
                body = json.loads(re.sub(r'"productId": ?[0-9]+', '"productId": 1', json.dumps(body)))
            return self._answer(status, body)

        def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), headers or {})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def _hang_up(self) -> None:
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def supplier_double() -> Iterator[SupplierDouble]:
    """Runs a supplier on a free port for the block."""
    double = SupplierDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    server.daemon_threads, server.block_on_close = True, False
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until(condition: Any, patience_s: float = 30.0) -> None:
    """Waits until a condition holds that another thread or process causes."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
