"""The fake shop's server: credentials, envelopes, scripted responses and recorded requests."""

import base64
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import ThreadingHTTPServer
from typing import Self

import httpx2

from bedesten_client._secret import Secret
from bedesten_client._surfaces import reseller, storefront
from bedesten_client.testing._basket import BasketModel
from bedesten_client.testing._complaints import ComplaintModel
from bedesten_client.testing._customer import CustomerAccount, CustomerModel, SentMail
from bedesten_client.testing._endpoints import PAYMENT_TYPES, RESELLER_TYPES, SUPPLIER_TYPES, Delivery, EndpointModel
from bedesten_client.testing._handler import ScriptedResponse, handler_of
from bedesten_client.testing._model import CURRENCY, EVENT_TYPES, Data, Refusal, moment
from bedesten_client.testing._payments import Checkout, PaymentModel
from bedesten_client.testing._shop import ShopModel
from bedesten_client.testing._supplier import SupplierModel
from bedesten_client.testing._webhooks import sign, sign_body
from bedesten_client.webhooks import Event

_LOGINS = (reseller.LOGIN_PATH, storefront.LOGIN_PATH)
_PASSWORDS = "/Storefront/Customers/Password"
_ANONYMOUS = ("/Login/Customer/Api/Password/Reset", f"{_PASSWORDS}/Forgot", f"{_PASSWORDS}/Reset")
_TAILS = ("/Products/Detail/", "/Orders/Detail/", "/Storefront/Products/Detail/")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that the fake shop received: its operation, path argument, body, and headers without credentials."""

    operation: str
    argument: str
    body: Data
    headers: dict[str, str]


class FakeShop:
    """A shop on a free port of this machine, for the duration of a `with` block. Thread-safe.

    `email` and `password` log its partner in, `key` is the API key of both the Payment and the Supplier surface, and
    `webhook_secret` signs its webhooks. Each shop has new ones.
    """

    def __init__(self, *, balance: Decimal | int = 1000, token_seconds: int = 3600) -> None:
        self.email = "partner@fake.example"
        self.key = f"ak_test_{secrets.token_hex(16)}"
        self.webhook_secret = Secret("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode())
        self.requests: list[RecordedRequest] = []
        self._shop = ShopModel(Decimal(balance).quantize(Decimal("0.01")))
        self._token_seconds = token_seconds
        self._tokens: set[str] = set()
        self._scripted: dict[str, list[ScriptedResponse]] = {}
        self._request_numbers = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self._handle, self._request_id))
        self._server.daemon_threads = True
        shop = self._shop
        self._supplier = SupplierModel(shop)
        self._complaints = ComplaintModel(shop, self._supplier)
        self._payments = PaymentModel(shop)
        self._endpoints = EndpointModel(shop, RESELLER_TYPES)
        self._supplier_endpoints = EndpointModel(shop, SUPPLIER_TYPES)
        self._payment_endpoints = EndpointModel(shop, PAYMENT_TYPES)
        self._account = CustomerAccount(self.email, secrets.token_hex(12), end_sessions=self._tokens.clear)
        self._customer = CustomerModel(shop, BasketModel(shop), self._payments, self._payment_endpoints)
        self._operations: dict[str, Callable[[Data, str], Data]] = {
            **shop.operations(),
            **self._supplier.operations(),
            **self._complaints.operations(),
            **self._endpoints.operations("/Webhooks"),
            **self._supplier_endpoints.operations("/Supplier/Webhooks"),
            **self._payment_endpoints.operations("/Payment/Webhooks"),
            **self._payments.operations(),
            **self._account.operations(),
            **self._customer.basket.operations(),
            **self._customer.operations(),
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
    def password(self) -> str:
        """The password of `email`, which a link in a mail can change."""
        return self._account.password

    @property
    def mails(self) -> list[SentMail]:
        """The mails that were sent so far; the links of `reset`, `partner-reset` and `verify` mails have a `token`."""
        return list(self._account.mails)

    def start_partner_reset(self) -> None:
        """Mail the partner a link to a new password, as the operator does."""
        self._account.start_partner_reset()

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # --- set up by the test -------------------------------------------------------------------------------------------

    def add_product(
        self,
        name: str,
        price: Decimal | str | int,
        *,
        codes: Iterable[str] | None = None,
        category: str | None = None,
        require_data: Iterable[str] = (),
        cost: Decimal | str | int | None = None,
    ) -> str:
        """Add a product and return its id. With `codes` it is sold from stock; without, its orders wait for `deliver`.

        `require_data`: ids of the values that the buyer must supply. `cost`: what the supplier earns with a unit.
        """
        required = list(require_data)
        if isinstance(require_data, str) or not all(isinstance(one, str) for one in required):
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
                "requireData": [{"productRequireId": one, "name": one, "required": True} for one in required],
                "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            if cost is not None:
                self._shop.costs[product_id] = Decimal(cost).quantize(Decimal("0.01"))
            if codes is None:
                self._shop.on_demand.add(product_id)
            else:
                self._shop.stock[product_id] = list(codes)
            return product_id

    def deliver(self, order_detail_id: str, codes: Iterable[str] = (), *, notes: Iterable[str] = ()) -> None:
        """Deliver a waiting line, as its supplier would."""
        with self._shop.lock:
            order, line = self._shop.order_and_line(order_detail_id)
            units, line.codes, line.notes = line.remaining, [*line.codes, *codes], [*line.notes, *notes]
            self._shop.sold.update(line.codes)
            line.deliver(units)
            self._shop.book_purchase(order, line, units)
            self._supplier.earn(line, units)

    def decide_complaint(
        self, complaint_id: str, answer: str, *, amount: Decimal | None = None, text: str | None = None
    ) -> None:
        """Decide an open complaint, as the shop's operator would: `replace`, `refund` or `reject`."""
        with self._shop.lock:
            self._complaints.decide(complaint_id, answer, amount, text)

    def add_checkout(self, total: Decimal | str | int) -> str:
        """Add a customer's order that waits for its payment, and return its id."""
        with self._shop.lock:
            order = Checkout(self._shop.new_id("ord"), Decimal(total).quantize(Decimal("0.01")))
            self._payments.checkouts[order.id] = order
            return order.id

    def add_payment_method(
        self,
        code: str,
        *,
        title: str | None = None,
        minimum: Decimal | str | int | None = None,
        maximum: Decimal | str | int | None = None,
        url: str | None = None,
    ) -> None:
        """Offer customers a way of paying. `{payment}` and `{order}` in the URL stand for ids."""
        least, most = (None if one is None else Decimal(one).quantize(Decimal("0.01")) for one in (minimum, maximum))
        with self._shop.lock:
            self._customer.methods[code] = {
                "code": code,
                "title": title or code,
                "currency": CURRENCY,
                "minAmount": least,
                "maxAmount": most,
                "url": url,
            }

    def cancel_checkout(self, order_id: str) -> None:
        """Cancel an unpaid checkout, as its customer would: a payment of it is refused from now on."""
        with self._shop.lock:
            self._payments.checkouts[order_id].state = "cancelled"

    def refund_checkout(self, amount: Decimal | str | int) -> None:
        """Return money of a paid checkout to the customer's wallet, from which a payment can then be refunded."""
        with self._shop.lock:
            self._payments.wallet += Decimal(amount).quantize(Decimal("0.01"))

    def send_due(self) -> list[int]:
        """Send every webhook that is due to its endpoint, signed; return the statuses of the responses."""
        with self._shop.lock:
            models = (self._endpoints, self._supplier_endpoints, self._payment_endpoints)
            due = [one for model in models for one in model.deliveries if one.state == "due"]
        return [self._send(one) for one in due]

    def _send(self, one: Delivery) -> int:
        signed = sign_body(one.event_id, one.body, one.endpoint.secrets)
        status = httpx2.post(one.endpoint.url, content=signed.body, headers=signed.headers, trust_env=False).status_code
        accepted = 200 <= status < 300
        error = None if accepted else "not a 2xx answer"
        with self._shop.lock:
            one.attempts.append({"at": moment(), "status": status, "error": error, "durationMs": 0})
            one.state = "delivered" if accepted else "due"
        return status

    def respond(self, operation: str, data: object) -> None:
        """Let the operation's next call succeed: `shop.respond("POST /Supplier/Stock/Upload", {...})`."""
        self._script(operation, ScriptedResponse(200, {"success": True, "message": "OK", "data": data}))

    def refuse(
        self, operation: str, status: int, code: int, *, retry_after: int | None = None, data: object = None
    ) -> None:
        """Refuse the next call of the operation with this error number."""
        lines = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._script(operation, ScriptedResponse(status, self._refusal(code, data), lines))

    def drop_connection(self, operation: str, *, processed: bool = True) -> None:
        """Close the connection instead of responding to the next call, after or before it was processed."""
        self._script(operation, ScriptedResponse(0, None, processed=processed))

    def revoke_tokens(self) -> None:
        """Refuse every token that was issued so far."""
        self._tokens.clear()

    def rotate_key(self) -> str:
        """Replace the API key and return the new one."""
        self.key = f"ak_test_{secrets.token_hex(16)}"
        return self.key

    def send_webhook(self, url: str, order_detail_id: str, *, event_id: str = "") -> int:
        """Send the line's current state to a receiver, signed. Return the status of the response."""
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

    # --- responses ----------------------------------------------------------------------------------------------------

    def _script(self, operation: str, scripted: ScriptedResponse) -> None:
        method, _, path = operation.partition(" ")
        if method not in ("GET", "POST") or not path.startswith("/"):
            raise ValueError("an operation has the form of the reference: POST /Orders/Create")
        self._scripted.setdefault(_pattern(method, path)[0].lower(), []).append(scripted)

    def _request_id(self) -> str:
        return f"req_{next(self._request_numbers):08}"

    def _refusal(self, code: int, data: object = None, fields: dict[str, str] | None = None) -> Data:
        document: Data = {
            "success": False,
            "message": "refused by the fake shop",
            "code": code,
            "errorCode": code,
            "data": data,
            "requestId": self._request_id(),
        }
        if fields:
            document["errors"] = [{"field": name, "message": text} for name, text in fields.items()]
        return document

    def _handle(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> ScriptedResponse:
        """Return the response; status 0 means none."""
        operation, argument = _pattern(method, path)
        try:
            body = json.loads(raw, parse_float=Decimal) if raw else {}
        except ValueError:
            return ScriptedResponse(400, self._refusal(-2))
        shown = {name: value for name, value in headers.items() if name not in ("authorization", "apikey")}
        with self._shop.lock:
            self.requests.append(
                RecordedRequest(operation.replace("{}", "{id}"), argument, _without_passwords(body), shown)
            )
            try:
                return self._respond(operation, argument, path, headers, body)
            except Refusal as refused:
                return ScriptedResponse(refused.status, self._refusal(refused.code, refused.data, refused.fields))

    def _respond(
        self, operation: str, argument: str, path: str, headers: dict[str, str], body: Data
    ) -> ScriptedResponse:
        queued = self._scripted.get(operation.lower())
        scripted = queued.pop(0) if queued else None
        if scripted is not None and not scripted.processed:
            return scripted
        if path in _LOGINS:
            data = self._token(body)
        else:
            self._check_credential(path, headers)
            work = self._operations.get(operation)
            if work is None:
                return ScriptedResponse(
                    500, {**self._refusal(-1), "message": f"script it: shop.respond({operation!r}, …)"}
                )
            data = work(body, argument)
        return scripted or ScriptedResponse(200, {"success": True, "message": "OK", "data": data})

    def _token(self, body: Data) -> Data:
        if (body.get("email"), body.get("password")) != (self.email, self.password):
            raise Refusal(400, -26)
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
                raise Refusal(401, -23)
            return
        is_anonymous = path in _ANONYMOUS or path.startswith("/Storefront/Products/")
        if is_anonymous and "authorization" not in headers:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal(401, -20)
        if token not in self._tokens:
            raise Refusal(401, -21)


def _pattern(method: str, path: str) -> tuple[str, str]:
    """Return the operation of a path, and the id at its end, if any."""
    for head in _TAILS:
        if path.startswith(head):
            return f"{method} {head}{{}}", path.removeprefix(head)
    return f"{method} {path}", ""


def _without_passwords(body: Data) -> Data:
    return {name: "…" if "password" in name.lower() else value for name, value in body.items()}
