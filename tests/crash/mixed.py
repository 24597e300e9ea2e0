"""Sixteen clients that run every operation on orders, goods and money at random, while the server is killed.

Unlike `traffic`, a refusal is an answer here: clients race for the same lines, so many calls come too late.
`check` says afterwards whether all invariants hold. Each operation has its own `Idempotency-Key` or reference.
"""

import itertools
import random
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Set
from typing import Any

from tests.crash.mixed_operator import METHOD, MixedOperator
from tests.support.client import Client, Lines
from tests.support.shop import Shop, line
from tests.support.wire import Answer, NoAnswer

CLIENTS = 16
RECENT = 40
"""How many recent lines, orders and payments clients choose from: few, so that races are frequent."""


class MixedTraffic:
    """Runs the clients until `operations` were answered and each of `expected` has succeeded, or ten times as many were
    answered. `answers` counts them by operation and error code."""

    def __init__(
        self,
        shop: Shop,
        port: Callable[[], int],
        operations: int,
        seed: str,
        operator: MixedOperator,
        called: str,
        hook: str,
        expected: Set[str],
    ) -> None:
        self.shop = shop
        self.operator = operator
        self.called = called
        self.hook = hook
        self.port = port
        self._operations = operations
        self._missing = set(expected)
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
        self._checkouts: list[str] = []
        self._batches: list[str] = []
        self._endpoints: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),)) for number in range(CLIENTS)
        ]

    @property
    def answered(self) -> int:
        """Operations so far."""
        return sum(self.answers.values())

    @property
    def running(self) -> bool:
        """Whether a client is still running."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Starts the clients."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Waits for every client; the server must be running."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))
        assert not self.running, "a client never got its answer"

    def _run(self, chance: random.Random) -> None:
        session = _Session(self, chance)
        try:
            while self.answered < self._operations or (self._missing and self.answered < 10 * self._operations):
                session.act()
        except BaseException as problem:
            self.failures.append("".join(traceback.format_exception(problem)))
        finally:
            session.close()

    def number(self) -> int:
        """A number that is unique to an operation."""
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
            if code == 0:
                self._missing.discard(operation)
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
            (2, self._deposit), (1, self._read), (2, self._order_called), (3, self._fill_basket),
            (2, self._check_basket_out), (4, self._start_payment),
            (2, self._refund_to_payer), (1, self._end_refund), (3, self._answer_complaint),
            (2, self._upload), (1, self._recall), (2, self._change_endpoints), (1, self._hold),
        ]  # fmt: skip

    def act(self) -> None:
        """Runs one random operation."""
        weights = [weight for weight, _ in self._actions]
        self._chance.choices([action for _, action in self._actions], weights)[0]()

    def close(self) -> None:
        """Closes the connections."""
        for client in self._clients.values():
            client.close()

    def _post(self, who: str, path: str, body: dict[str, Any]) -> Any:
        """Returns the data of the answer, or None for a refusal. Repeats the same request until it is answered."""
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

    def _order_called(self) -> None:
        """Places an order that the shop buys from a connected supplier."""
        number = self._traffic.number()
        basket = [line(self._traffic.called, 1 + number % 2, "b")]
        made = self._post("partner", "/Orders/Create", {"orderReference": f"b-{number}", "basketData": basket})
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
        if self._chance.random() < 0.3:  # its customer starts the payment
            self._traffic.note("checkouts", [order["orderId"]])
            return
        body = {"orderId": order["orderId"], "amount": order["total"], "reference": f"mp-{number}"}
        payment = self._post("service", "/Payment/Payments/Create", body)
        if self._chance.random() < 0.2:
            self._post("customer", "/Storefront/Checkout/Cancel", {"orderId": order["orderId"]})
        if payment and self._post("service", "/Payment/Payments/Capture", {"paymentId": payment["paymentId"]}):
            self._traffic.note("payments", [(order["orderId"], payment["paymentId"])])

    def _fill_basket(self) -> None:
        shop = self._traffic.shop
        wanted: dict[str, Any] = {"productId": shop.card, "quantity": 1}
        if self._chance.random() < 0.4:
            data = [{"productRequireId": "player", "identifier": "Player", "value": f"p-{self._chance.randrange(3)}"}]
            wanted = {"productId": shop.topup, "quantity": 1, "requireData": data}
        basket = self._post("customer", "/Storefront/Basket/Add", wanted)
        if basket and len(basket["items"]) > 3:
            ids = [one["lineId"] for one in basket["items"][:2]]
            self._post("customer", "/Storefront/Basket/Remove", {"lineIds": ids, "version": basket["version"]})

    def _check_basket_out(self) -> None:
        """All clients share the basket: most of the time another one has changed it, and the version is outdated."""
        basket = self._post("customer", "/Storefront/Basket/Get", {})
        if basket and basket["orderable"]:
            wanted = {"fromBasket": True, "reference": f"bo-{self._traffic.number()}", "expectedTotal": basket["total"]}
            order = self._post("customer", "/Storefront/Checkout/Create", wanted | {"basketVersion": basket["version"]})
            if order:
                self._traffic.note("checkouts", [order["orderId"]])

    def _start_payment(self) -> None:
        order = self._traffic.pick("checkouts", self._chance)
        if not order:
            return
        started = self._post("customer", "/Storefront/Payments/Start", {"orderId": order, "method": METHOD})
        if not started:
            return
        payment, roll = started["paymentId"], self._chance.random()
        if roll < 0.4:
            captured = self._post("service", "/Payment/Payments/Capture", {"paymentId": payment})
        elif roll < 0.85:
            event = {"eventId": f"ev-{self._traffic.number()}", "type": "payment.captured", "amount": started["amount"]}
            event |= {"paymentId": payment, "occurredAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            captured = self._post("service", "/Payment/Notify", event)
        else:
            captured = self._post("service", "/Payment/Payments/Cancel", {"paymentId": payment}) and None
        self._post("customer", "/Storefront/Payments/Status", {"paymentId": payment})
        if captured:
            self._traffic.note("payments", [(order, payment)])

    def _refund_to_payer(self) -> None:
        paid = self._traffic.pick("payments", self._chance)
        if not paid:
            return
        if self._chance.random() < 0.5:
            self._traffic.operator.refund_to_payer(paid[0], self._chance)
        else:
            body = {"paymentId": paid[1], "reference": f"rp-{self._traffic.number()}", "amount": 1, "refundOrder": True}
            self._post("service", "/Payment/Payments/Refund", body)

    def _end_refund(self) -> None:
        """Confirms a requested refund, or reports that it failed."""
        requested = self._post("service", "/Payment/Refunds/List", {"state": "requested", "pageSize": 20})
        for one in (requested or {"items": []})["items"][:2]:
            path = "Confirm" if self._chance.random() < 0.7 else "Fail"
            self._post("service", f"/Payment/Refunds/{path}", {"refundId": one["refundId"]})

    def _refund_payment(self) -> None:
        paid = self._traffic.pick("payments", self._chance)
        if paid:
            self._traffic.operator.refund_to_balance(paid[0], self._chance)
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

    def _answer_complaint(self) -> None:
        complaint = self._traffic.pick("complaints", self._chance)
        if not complaint:
            return
        if self._chance.random() < 0.4:
            answer = {"complaintId": complaint, "answer": self._chance.choice(("replace", "refund"))}
            self._post("supplier", "/Supplier/Complaints/Answer", answer)
        else:
            self._traffic.operator.decide(complaint, self._chance)

    def _upload(self) -> None:
        codes = [f"BATCH-{self._traffic.number()}" for _ in range(3)]
        body = {"productId": self._traffic.shop.card, "codes": codes}
        made = self._post("supplier", "/Supplier/Stock/Upload", body)
        if made and made["batchId"]:
            self._traffic.note("batches", [made["batchId"]])

    def _recall(self) -> None:
        """Recalls a batch, which opens complaints about its sold codes."""
        batch = self._traffic.pick("batches", self._chance)
        if batch:
            self._post("supplier", "/Supplier/Stock/Recall", {"batchId": batch, "reason": "void"})

    def _hold(self) -> None:
        order = self._traffic.pick("orders", self._chance)
        if order:
            self._traffic.operator.hold(order, self._chance)
            self._traffic.operator.release(order, self._chance)

    def _change_endpoints(self) -> None:
        """Creates, pauses, resumes and deletes webhook endpoints, and replays their deliveries."""
        endpoint, roll = self._traffic.pick("endpoints", self._chance), self._chance.random()
        if endpoint is None or roll < 0.3:
            made = self._post("partner", "/Webhooks/Endpoints/Create", {"url": self._traffic.hook})
            self._traffic.note("endpoints", [made["endpoint"]["endpointId"]] if made else [])
        elif roll < 0.6:
            body = {"endpointId": endpoint, "paused": roll < 0.45}
            self._post("partner", "/Webhooks/Endpoints/Update", body)
        elif roll < 0.8:
            listed = self._post("partner", "/Webhooks/Deliveries/List", {"endpointId": endpoint, "pageSize": 5})
            for one in (listed or {"items": []})["items"][:1]:
                self._post("partner", "/Webhooks/Deliveries/Replay", {"deliveryId": one["deliveryId"]})
        else:
            self._post("partner", "/Webhooks/Endpoints/Delete", {"endpointId": endpoint})

    def _deposit(self) -> None:
        body = {"partner": self._traffic.shop.partner, "amount": 3, "reference": f"md-{self._traffic.number()}"}
        made = self._post("service", "/Payment/Deposits/Create", body)
        if made:
            self._post("service", "/Payment/Deposits/Confirm", {"depositId": made["depositId"]})

    def _read(self) -> None:
        self._post("partner", "/Orders/List", {"pageSize": 20})
        self._post("partner", "/Account/Statement", {"pageSize": 20})
        self._post("supplier", "/Supplier/Statement", {"pageSize": 20})
