"""The fake shop's server: credentials, envelopes, prescribed answers, and what it was asked."""

import base64
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx2
import msgspec

from bedesten_client._secret import Secret
from bedesten_client._surfaces import reseller, storefront
from bedesten_client.testing._shop import CURRENCY, DELIVERED, EVENT_TYPES, Data, Refused, Shop
from bedesten_client.testing._webhooks import sign
from bedesten_client.webhooks import Event

_LOGINS = (reseller.LOGIN_PATH, storefront.LOGIN_PATH)
_TAILS = ("/Products/Detail/", "/Orders/Detail/", "/Storefront/Products/Detail/")
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that came: `operation` as the reference names it, what it was about, its body and its harmless headers."""

    operation: str
    argument: str
    body: Data
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Prescribed:
    status: int
    document: Data | None
    lines: dict[str, str] = field(default_factory=dict)
    done: bool = False


class FakeShop:
    """A shop on a free port of this machine, while the `with` block lasts. May be shared by threads.

    `email` and `password` log its partner in, `key` is its API key for both surfaces that take one, and `webhook_secret`
    signs what it sends. Each is fresh.
    """

    def __init__(self, *, balance: Decimal | int = 1000, token_seconds: int = 3600) -> None:
        self.email = "partner@fake.example"
        self.password = secrets.token_hex(12)
        self.key = f"ak_test_{secrets.token_hex(16)}"
        self.webhook_secret = Secret("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
        self.asked: list[RecordedRequest] = []
        self._shop = Shop(Decimal(balance).quantize(Decimal("0.01")))
        self._token_seconds = token_seconds
        self._tokens: set[str] = set()
        self._waiting: dict[str, list[_Prescribed]] = {}
        self._requests = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        shop = self._shop
        self._operations: dict[str, Callable[[Data, str], Data]] = {
            "GET /Categories": shop.categories,
            "POST /Products/List": shop.list_products,
            "POST /Storefront/Products/List": shop.list_products,
            "POST /Products/Detail/{}": shop.product,
            "POST /Storefront/Products/Detail/{}": shop.product,
            "POST /Orders/Create": shop.create_order,
            "POST /Orders/Get": shop.get_order,
            "GET /Orders/Detail/{}": shop.order_detail,
            "GET /Account/Details": shop.account,
        }

    def __repr__(self) -> str:
        return f"FakeShop({self.url!r})"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address, for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # --- what a test arranges -------------------------------------------------------------------------------------------

    def add_product(
        self,
        name: str,
        price: Decimal | str | int,
        *,
        codes: Iterable[str] | None = None,
        category: str | None = None,
        require_data: Iterable[str] = (),
    ) -> str:
        """A product's id. With `codes` it is sold from stock, without it waits for `deliver`.

        `require_data` are the ids of what the buyer has to say.
        """
        asked = list(require_data)
        if isinstance(require_data, str) or not all(isinstance(one, str) for one in asked):
            raise TypeError("require_data is a list of ids, such as ['player']")
        with self._shop.lock:
            product_id = self._shop.new_id("prd")
            self._shop.products[product_id] = {
                "customerStoreProductId": product_id,
                "name": name,
                "description": "",
                "categoryId": category,
                "region": None,
                "price": Decimal(price).quantize(Decimal("0.01")),
                "currency": CURRENCY,
                "requireData": [{"productRequireId": one, "name": one, "required": True} for one in asked],
                "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            if codes is None:
                self._shop.on_demand.add(product_id)
            else:
                self._shop.stock[product_id] = list(codes)
            return product_id

    def deliver(self, order_detail_id: str, codes: Iterable[str] = (), *, notes: Iterable[str] = ()) -> None:
        """Delivers a line that waits, as its supplier would."""
        with self._shop.lock:
            line = self._shop.line(order_detail_id)
            line.codes, line.notes, line.status = list(codes), list(notes), DELIVERED
            line.changes += 1

    def answer(self, operation: str, data: object) -> None:
        """The next such call succeeds with this data: `shop.answer("POST /Supplier/Stock/Upload", {...})`."""
        self._prescribe(operation, _Prescribed(200, {"success": True, "message": "OK", "data": data}))

    def refuse(
        self, operation: str, status: int, code: int, *, retry_after: int | None = None, data: object = None
    ) -> None:
        """The next such call is refused with this number."""
        lines = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._prescribe(operation, _Prescribed(status, self._refusal(code, data), lines))

    def drop_connection(self, operation: str, *, done: bool = True) -> None:
        """The next such call gets no answer: the connection ends, after the work was done or before."""
        self._prescribe(operation, _Prescribed(0, None, done=done))

    def revoke_tokens(self) -> None:
        """Every token that was given is refused from now on."""
        self._tokens.clear()

    def rotate_key(self) -> str:
        """Another API key; the old one is refused from now on."""
        self.key = f"ak_test_{secrets.token_hex(16)}"
        return self.key

    def send_webhook(self, url: str, order_detail_id: str, *, event_id: str = "") -> int:
        """Tells a receiver how the line stands, signed; gives the status of its answer."""
        with self._shop.lock:
            order, line = self._shop.order_and_line(order_detail_id)
            event = Event(
                id=event_id,
                type=EVENT_TYPES[line.status],
                order_id=order.id,
                order_reference=order.reference,
                sequence=line.changes,
                occurred_at=datetime.now(UTC).replace(microsecond=0),
                deliver_id=line.deliver_id,
                order_detail_id=line.id,
                status=line.status,
                delivery_data=tuple(line.codes) or None,
                delivery_note=tuple(line.notes) or None,
            )
        signed = sign(event, self.webhook_secret)
        return httpx2.post(url, content=signed.body, headers=signed.headers, trust_env=False).status_code

    # --- what it answers ------------------------------------------------------------------------------------------------

    def _prescribe(self, operation: str, prescribed: _Prescribed) -> None:
        method, _, path = operation.partition(" ")
        if method not in ("GET", "POST") or not path.startswith("/"):
            raise ValueError("an operation is named as in the reference: POST /Orders/Create")
        self._waiting.setdefault(_pattern(method, path)[0].lower(), []).append(prescribed)

    def _refusal(self, code: int, data: object = None, fields: dict[str, str] | None = None) -> Data:
        document: Data = {
            "success": False,
            "message": "refused by the fake shop",
            "code": code,
            "errorCode": code,
            "data": data,
            "requestId": f"req_{next(self._requests):08}",
        }
        if fields:
            document["errors"] = [{"field": name, "message": text} for name, text in fields.items()]
        return document

    def _handle(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> _Prescribed:
        """The answer; a status of zero is none."""
        operation, argument = _pattern(method, path)
        try:
            body = json.loads(raw, parse_float=Decimal) if raw else {}
        except ValueError:
            return _Prescribed(400, self._refusal(-2))
        shown = {name: value for name, value in headers.items() if name not in ("authorization", "apikey")}
        with self._shop.lock:
            self.asked.append(
                RecordedRequest(operation.replace("{}", "{id}"), argument, _without_passwords(body), shown)
            )
            try:
                return self._answered(operation, argument, path, headers, body)
            except Refused as refused:
                return _Prescribed(refused.status, self._refusal(refused.code, refused.data, refused.fields))

    def _answered(self, operation: str, argument: str, path: str, headers: dict[str, str], body: Data) -> _Prescribed:
        waiting = self._waiting.get(operation.lower())
        prescribed = waiting.pop(0) if waiting else None
        if prescribed is not None and not prescribed.done:
            return prescribed
        if path in _LOGINS:
            data = self._token(body)
        else:
            self._check_credential(path, headers)
            work = self._operations.get(operation)
            if work is None:
                return _Prescribed(
                    500, {**self._refusal(-1), "message": f"prescribe it: shop.answer({operation!r}, …)"}
                )
            data = work(body, argument)
        return prescribed or _Prescribed(200, {"success": True, "message": "OK", "data": data})

    def _token(self, body: Data) -> Data:
        if (body.get("email"), body.get("password")) != (self.email, self.password):
            raise Refused(400, -26)
        made = f"fake-{secrets.token_hex(12)}"
        self._tokens.add(made)
        ends = datetime.now(UTC) + timedelta(seconds=self._token_seconds)
        return {
            "token": made,
            "expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "idleTimeoutSeconds": None,
            "callbackData": body.get("callbackData"),
        }

    def _check_credential(self, path: str, headers: dict[str, str]) -> None:
        if path.startswith(("/Supplier/", "/Payment/")):
            if headers.get("apikey") != self.key:
                raise Refused(401, -23)
            return
        if path.startswith("/Storefront/Products/") and "authorization" not in headers:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(401, -20)
        if token not in self._tokens:
            raise Refused(401, -21)


def _pattern(method: str, path: str) -> tuple[str, str]:
    """The operation of a path, and what ends it where that is an id."""
    for head in _TAILS:
        if path.startswith(head):
            return f"{method} {head}{{}}", path.removeprefix(head)
    return f"{method} {path}", ""


def _without_passwords(body: Data) -> Data:
    return {name: "…" if "password" in name.lower() else value for name, value in body.items()}


def _handler(shop: FakeShop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = shop._handle(self.command, self.path, headers, raw)
            if not answer.status:
                self.close_connection = True
                return
            body = _encode(answer.document)
            self.send_response(answer.status)
            request_id = (answer.document or {}).get("requestId") or f"req_{next(shop._requests):08}"
            for name, value in {**answer.lines, "Content-Type": "application/json", "X-Request-Id": request_id}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
