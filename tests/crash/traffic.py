"""Callers of all surfaces that continue whatever happens to the server, and record what was acknowledged.

Each behaves like a careful client: it repeats the very same request until it gets an answer.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.client import Client, Connect, Lines
from tests.support.shop import Shop, line
from tests.support.wire import Answer, NoAnswer

PAUSE_S = 0.02
CODES_EACH = 20
"""Codes in an upload: more than the other callers buy in two turns, so the stock lasts however long a test takes."""


class Caller:
    """A client that reconnects to the server's current address when it has to."""

    def __init__(self, shop: Shop, port: Callable[[], int], lines: Lines, connect: Connect | None = None) -> None:
        self._shop = shop
        self._port = port
        self._connect = connect
        self._lines = tuple(lines)
        self._client: Client | None = None
        self.again = 0

    def post(self, path: str, body: object) -> Any:
        """Returns the data of a success, after any number of attempts; asserts that all other answers are 503."""
        return self.ask(path, body).data

    def ask(self, path: str, body: object, lines: Lines = ()) -> Answer:
        """Returns the first answer other than 503, after any number of attempts."""
        while True:
            answer = self._attempt(path, body, lines)
            if answer is not None and answer.status != 503:
                return answer
            self.again += 1
            time.sleep(0.05)

    def _attempt(self, path: str, body: object, lines: Lines) -> Answer | None:
        try:
            if self._client is None:
                self._client = Client(self._port(), self._shop.host, self._lines, connect=self._connect)
            return self._client.post(path, body, lines)
        except (OSError, NoAnswer):
            self.close()
            return None

    def close(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None


class Traffic:
    """Runs the callers in threads. `orders` by reference, `deliveries` by line, `deposits` and `captures` by id.

    `connect` leads them through a proxy. Each one pauses this long between two turns.
    """

    def __init__(
        self, shop: Shop, port: Callable[[], int], connect: Connect | None = None, pause_s: float = PAUSE_S
    ) -> None:
        self.shop = shop
        self.orders: dict[str, dict[str, Any]] = {}
        self.deliveries: dict[str, list[str]] = {}
        self.deposits: dict[str, int] = {}
        self.captures: dict[str, str] = {}
        self.keyed: dict[str, tuple[str, object, Answer]] = {}
        self.failures: list[str] = []
        self._port = port
        self._connect = connect
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._callers: list[Caller] = []
        self._threads: list[threading.Thread] = []
        parts = [*[self._order] * 4, *[self._deliver] * 2, self._deposit, self._check_out, self._keyed]
        for number, part in enumerate(parts):
            self._threads.append(threading.Thread(target=self._run, args=(part, f"{number}", port)))

    @property
    def acknowledged(self) -> int:
        """How many successes so far."""
        return len(self.orders) + len(self.deliveries) + len(self.deposits) + len(self.captures)

    @property
    def sent_again(self) -> int:
        """How many requests got no answer and were repeated."""
        return sum(caller.again for caller in self._callers)

    def start(self) -> None:
        """Starts the callers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets every caller finish its turn; the server must be running."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a caller never got its answer"

    def _run(self, part: Callable[[str, Callable[..., Caller]], None], name: str, port: Callable[[], int]) -> None:
        def caller(lines: Lines) -> Caller:
            made = Caller(self.shop, port, lines, self._connect)
            self._callers.append(made)
            return made

        try:
            part(name, caller)
        except BaseException as problem:
            self.failures.append(f"{part.__name__}: {problem!r}")

    def _turns(self) -> Any:
        turn = 0
        while not self._stopped.is_set():
            yield turn
            turn += 1
            time.sleep(self._pause_s)

    def _order(self, name: str, caller: Callable[..., Caller]) -> None:
        shop = self.shop
        partner = caller(shop.reseller.lines)
        for turn in self._turns():
            reference = f"o-{name}-{turn}"
            basket = [line(shop.card, 1 + turn % 2, "a")]
            if turn % 3 == 0:
                basket.append(line(shop.topup, 1 + turn % 2, "b", topup=shop.topup))
            body = {"orderReference": reference, "basketData": basket}
            self.orders[reference] = partner.post("/Orders/Create", body)

    def _deliver(self, name: str, caller: Callable[..., Caller]) -> None:
        supplier = caller(self.shop.supplies.lines)
        for _ in self._turns():
            for waiting in supplier.post("/Supplier/Orders/Awaiting", {"pageSize": 10})["items"]:
                one = waiting["orderDetailId"]
                codes = [f"TOPPED-UP-{one}-{unit}" for unit in range(waiting["quantity"])]
                supplier.post("/Supplier/Orders/Deliver", {"orderDetailId": one, "deliveryData": codes})
                self.deliveries[one] = codes

    def _deposit(self, name: str, caller: Callable[..., Caller]) -> None:
        service = caller(self.shop.payments.lines)
        for turn in self._turns():
            body = {"partner": self.shop.partner, "amount": turn + 1, "reference": f"d-{name}-{turn}"}
            made = service.post("/Payment/Deposits/Create", body)
            service.post("/Payment/Deposits/Confirm", {"depositId": made["depositId"]})
            self.deposits[made["depositId"]] = 100 * (turn + 1)

    def _keyed(self, name: str, caller: Callable[..., Caller]) -> None:
        """Requests that only an `Idempotency-Key` makes safe to repeat: uploads, and orders that the state refuses."""
        supplier, partner = caller(self.shop.supplies.lines), caller(self.shop.reseller.lines)
        for turn in self._turns():
            key, body = f"k-{name}-{turn}", dict[str, object]()
            if turn % 2:
                codes = [f"KEYED-CODE-{turn:06}-{number:02}" for number in range(CODES_EACH)]
                path, body = "/Supplier/Stock/Upload", {"productId": self.shop.card, "codes": codes}
                answer = supplier.ask(path, body, [("Idempotency-Key", key)])
                assert answer.data["added"] == CODES_EACH, "the first answer, not that of a second upload"
            else:
                path, body = "/Orders/Create", {"orderReference": key, "basketData": [line("prd_0")]}
                answer = partner.ask(path, body, [("Idempotency-Key", key)])
                assert answer.verdict == (409, -200)
            self.keyed[key] = path, body, answer

    def ask_again(self) -> None:
        """Repeats every request that has a key: each gets its first answer."""
        for key, (path, body, before) in self.keyed.items():
            client = self.shop.supplies if path.startswith("/Supplier") else self.shop.reseller
            caller = Caller(self.shop, self._port, client.lines, self._connect)
            again = caller.ask(path, body, [("Idempotency-Key", key)])
            caller.close()
            assert (again.status, again.json["data"]) == (before.status, before.json["data"]), key

    def _check_out(self, name: str, caller: Callable[..., Caller]) -> None:
        customer, service = caller(self.shop.storefront.lines), caller(self.shop.payments.lines)
        for turn in self._turns():
            wanted = {"items": [{"productId": self.shop.card, "quantity": 1}], "reference": f"c-{name}-{turn}"}
            order = customer.post("/Storefront/Checkout/Create", wanted)
            body = {"orderId": order["orderId"], "amount": 5, "reference": f"p-{name}-{turn}"}
            payment = service.post("/Payment/Payments/Create", body)
            service.post("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})
            self.captures[order["orderId"]] = payment["paymentId"]
