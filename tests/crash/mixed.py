"""Sixteen clients that do everything that can happen to an order, at random, beside kills of the server.

Unlike `traffic`, a refusal is an answer here: clients race each other for the same lines, so that many calls come too late.
What must hold is what `check` says afterwards. Each operation carries an `Idempotency-Key` or a reference of its own.
"""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.client import Client, Lines
from tests.support.shop import Shop, line
from tests.support.wire import Answer, NoAnswer

CLIENTS = 16
RECENT = 40
"""Lines, orders and payments that clients choose from: old ones are left alone, so that races are frequent."""


class MixedTraffic:
    """Runs the clients until `operations` were answered. `answers` counts them by operation and error code."""

    def __init__(
        self, shop: Shop, port: Callable[[], int], operations: int, seed: str, refund_order: Callable[[str], None]
    ) -> None:
        self.shop = shop
        self.refund_order = refund_order
        self.port = port
        self.operations = operations
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failures: list[str] = []
        self.sent_again = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._orders: list[str] = []
        self._payments: list[tuple[str, str]] = []
        self._delivered: list[tuple[str, str]] = []
        self._complaints: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),)) for number in range(CLIENTS)
        ]

    @property
    def answered(self) -> int:
        """Operations so far."""
        return sum(self.answers.values())

    @property
    def running(self) -> bool:
        """Whether a client still works."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Starts the clients."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Waits for every client; the server must be there for that."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))
        assert not self.running, "a client never got its answer"

    def _run(self, chance: random.Random) -> None:
        session = _Session(self, chance)
        try:
            while self.answered < self.operations:
                session.act()
        except BaseException as problem:
            self.failures.append(repr(problem))
        finally:
            session.close()

    def number(self) -> int:
        """A number that no other operation has."""
        with self._lock:
            return next(self._numbers)

    def note(self, kind: str, values: list[Any]) -> None:
        """Makes lines, orders, payments, delivered codes or complaints known to all clients."""
        with self._lock:
            known: list[Any] = getattr(self, f"_{kind}")
            known.extend(values)
            del known[:-RECENT]

    def pick(self, kind: str, chance: random.Random) -> Any:
        """One of the recent ones, or None."""
        with self._lock:
            known: list[Any] = getattr(self, f"_{kind}")
            return chance.choice(known) if known else None

    def count(self, operation: str, answer: Answer) -> None:
        """Counts an answer. An internal error is a failure."""
        code = 0 if answer.status == 200 else int(answer.json["code"])
        with self._lock:
            self.answers[operation, code] += 1
            if code == -1:
                self.failures.append(f"{operation}: -1")


class _Session:
    """One client with a connection for each surface."""

    def __init__(self, traffic: MixedTraffic, chance: random.Random) -> None:
        self._traffic = traffic
        self._chance = chance
        self._clients: dict[str, Client] = {}
        self._actions: list[tuple[int, Callable[[], None]]] = [
            (6, self._order), (3, self._cancel), (6, self._deliver), (2, self._accept), (2, self._reject),
            (3, self._check_out), (2, self._refund_payment), (3, self._complain), (2, self._withdraw_complaint),
            (2, self._deposit), (1, self._read),
        ]  # fmt: skip

    def act(self) -> None:
        """Does one thing."""
        weights = [weight for weight, _ in self._actions]
        self._chance.choices([action for _, action in self._actions], weights)[0]()

    def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            client.close()

    def _post(self, who: str, path: str, body: dict[str, Any]) -> Any:
        """The data of the answer, or None for a refusal. Without an answer the same request is sent again."""
        shop = self._traffic.shop
        known = {"partner": shop.reseller, "supplier": shop.supplies, "service": shop.payments}
        lines: Lines = known.get(who, shop.storefront).lines
        key = (("Idempotency-Key", f"mixed-{self._traffic.number()}"),)
        while True:
            try:
                if who not in self._clients:
                    self._clients[who] = Client(self._traffic.port(), self._traffic.shop.host, tuple(lines))
                answer = self._clients[who].post(path, body, key)
                if answer.status != 503:
                    break
            except (OSError, NoAnswer):
                if who in self._clients:
                    self._clients.pop(who).close()
            self._traffic.sent_again += 1
            time.sleep(0.05)
        self._traffic.count(path, answer)
        return answer.data if answer.status == 200 else None

    def _order(self) -> None:
        shop, number = self._traffic.shop, self._traffic.number()
        basket = [line(shop.topup, 1 + self._chance.randrange(3), "t", topup=shop.topup)]
        if self._chance.random() < 0.6:
            basket.append(line(shop.card, 1 + number % 2, "c"))
        made = self._post("partner", "/Orders/Create", {"orderReference": f"m-{number}", "basketData": basket})
        if made:
            self._traffic.note("orders", [made["orderId"]])
            self._traffic.note("lines", [one["orderDetailId"] for one in made["details"]])

    def _cancel(self) -> None:
        order = self._traffic.pick("orders", self._chance)
        if order:
            self._post("partner", "/Orders/Cancel", {"orderId": order})

    def _deliver(self) -> None:
        waiting = self._post("supplier", "/Supplier/Orders/Awaiting", {"pageSize": 20})
        for one in (waiting or {"items": []})["items"][-3:]:
            units = one["quantity"] if self._chance.random() < 0.6 else 1
            codes = [f"MIXED-{self._traffic.number()}" for _ in range(units)]
            detail = one["orderDetailId"]
            if self._post("supplier", "/Supplier/Orders/Deliver", {"orderDetailId": detail, "deliveryData": codes}):
                self._traffic.note("delivered", [(detail, code) for code in codes])

    def _accept(self) -> None:
        detail = self._traffic.pick("lines", self._chance)
        if detail:
            self._post("supplier", "/Supplier/Orders/Accept", {"orderDetailId": detail})

    def _reject(self) -> None:
        detail = self._traffic.pick("lines", self._chance)
        if detail:
            self._post("supplier", "/Supplier/Orders/Reject", {"orderDetailId": detail, "reason": "none left"})

    def _check_out(self) -> None:
        number = self._traffic.number()
        wanted = {"items": [{"productId": self._traffic.shop.card, "quantity": 1}], "reference": f"mc-{number}"}
        order = self._post("customer", "/Storefront/Checkout/Create", wanted)
        if not order:
            return
        body = {"orderId": order["orderId"], "amount": order["total"], "reference": f"mp-{number}"}
        payment = self._post("service", "/Payment/Payments/Create", body)
        if self._chance.random() < 0.2:
            self._post("customer", "/Storefront/Checkout/Cancel", {"orderId": order["orderId"]})
        if payment and self._post("service", "/Payment/Payments/Capture", {"paymentId": payment["paymentId"]}):
            self._traffic.note("payments", [(order["orderId"], payment["paymentId"])])

    def _refund_payment(self) -> None:
        paid = self._traffic.pick("payments", self._chance)
        if paid:
            self._traffic.refund_order(paid[0])
            body = {"paymentId": paid[1], "amount": 1, "reference": f"mr-{self._traffic.number()}", "reason": "test"}
            self._post("service", "/Payment/Payments/Refund", body)

    def _complain(self) -> None:
        found = self._traffic.pick("delivered", self._chance)
        if found:
            body = {"orderDetailId": found[0], "code": found[1], "reason": "INVALID_CODE"}
            made = self._post("partner", "/Complaints/Create", body)
            if made:
                self._traffic.note("complaints", [made["complaintId"]])

    def _withdraw_complaint(self) -> None:
        complaint = self._traffic.pick("complaints", self._chance)
        if complaint:
            self._post("partner", "/Complaints/Withdraw", {"complaintId": complaint})

    def _deposit(self) -> None:
        body = {"partner": self._traffic.shop.partner, "amount": 3, "reference": f"md-{self._traffic.number()}"}
        made = self._post("service", "/Payment/Deposits/Create", body)
        if made:
            self._post("service", "/Payment/Deposits/Confirm", {"depositId": made["depositId"]})

    def _read(self) -> None:
        self._post("partner", "/Orders/List", {"pageSize": 20})
        self._post("partner", "/Account/Statement", {"pageSize": 20})
        self._post("supplier", "/Supplier/Statement", {"pageSize": 20})
