"""Buys from suppliers that are called: leases purchases, makes the calls outside any transaction, books the results.

`connectors` decides which call comes next and what an answer means. Any number of workers may run; if a worker ends
during a call, another one polls the purchase when its lease has ended.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import httpx2
import structlog

from bedesten.connectors import booking, purchases
from bedesten.connectors.adapter import Adapter, CancelAnswer, Declined, NotFound, Price, RetryLater, Status
from bedesten.connectors.booking import Answer
from bedesten.connectors.connections import ADAPTERS
from bedesten.connectors.http_call import DEADLINE_S, HttpCaller, http_client
from bedesten.connectors.purchases import CANCEL, PLACE, Job, Lease
from bedesten.server.installation import Installation
from bedesten.server.leases import Leases
from bedesten.server.rounds import IDLE_INTERVAL_S, errors_logged, write_each
from bedesten.store.tables import INSTALLATION
from bedesten.telemetry import tracing
from bedesten.telemetry.metrics import Metrics
from bedesten.webhooks.targets import host_of, parse_networks

log = structlog.get_logger("bedesten.server")
MAX_PURCHASES = 32
"""Purchases that one worker works on at a time."""
QUOTE = "quote"
_MAX_QUOTE_AGE_S = 2 * DEADLINE_S
"""Longest time from the lease to the call that buys: later the price may have changed."""


@dataclass(slots=True)
class Purchaser:
    """The purchases that this worker works on, and when it may buy next from each supplier."""

    installation: Installation
    client: httpx2.AsyncClient
    metrics: Metrics
    leases: "Leases[Lease]"
    running: set[asyncio.Task[None]] = field(default_factory=set)
    _slots: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    async def start_due(self) -> int:
        """Plans new purchases and starts to work on those that are due; returns how many were started."""
        store = self.installation.store
        await write_each(store, await store.read_across(purchases.unplanned), purchases.plan)
        free = MAX_PURCHASES - len(self.running)
        if free <= 0 or not await store.read_across(purchases.is_any_due):
            return 0
        leased = await store.write_across(lambda tx: purchases.lease(tx, free))
        if leased:
            self.leases.hold(leased)
            installed = await store.read_across(lambda tx: tx.one(INSTALLATION))
            http = HttpCaller(self.client, parse_networks(installed.webhook_networks if installed else ""))
            for one in leased:
                task = asyncio.create_task(self._work_on(http, one))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
        return len(leased)

    async def stop(self) -> None:
        """Cancels the calls in progress."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    async def _work_on(self, http: HttpCaller, leased: Lease) -> None:
        with errors_logged(), self.leases.held_while(leased):
            began = time.monotonic()
            store, cipher = self.installation.store, self.installation.cipher
            job = await store.write(leased.tenant_id, purchases.begin, cipher, leased)
            if job is None:
                return
            answer = await self._answer(http, leased, job, began)
            if answer is None:
                return
            self.leases.drop([leased])  # a renewal after the booking would move the next call
            outcome = await store.write(leased.tenant_id, booking.book, cipher, leased, job.call, answer)
            self._tell(leased, job, answer, outcome)

    async def _answer(self, http: HttpCaller, leased: Lease, job: Job, began: float) -> Answer | None:
        """Makes the call of a job; None if nothing was sent and nothing is to be booked."""
        adapter, wanted = ADAPTERS[job.adapter], job.purchase.request
        if job.call == PLACE:
            return await self._bought(http, leased, job, adapter, began)
        with _span(job.call, leased, job):
            if job.call == CANCEL:
                return await adapter.cancel(http, job.target, wanted)
            return await adapter.poll(http, job.target, wanted)

    async def _bought(self, http: HttpCaller, leased: Lease, job: Job, adapter: Adapter, began: float) -> Answer | None:
        """Asks for the price and buys. A separate transaction marks the purchase as sent before the call."""
        wanted = job.purchase.request
        with _span(QUOTE, leased, job):
            price = await adapter.quote(http, job.target, wanted)
        self.metrics.count("supplier_calls", QUOTE, _result(price))
        if not isinstance(price, Price):
            return price
        dear = booking.is_too_dear(price, job.purchase.unit_cost, wanted.currency)
        if dear:
            return Declined(dear)
        await self._wait_for_slot((leased.tenant_id, leased.supplier_id), adapter.place_interval_s)
        if time.monotonic() - began > _MAX_QUOTE_AGE_S:
            return None
        if not await self.installation.store.write(leased.tenant_id, purchases.sending, leased):
            return None
        with _span(PLACE, leased, job):
            return await adapter.place(http, job.target, wanted)

    async def _wait_for_slot(self, supplier: tuple[str, str], interval_s: float) -> None:
        """Spaces the calls of this worker that buy from a supplier."""
        now = time.monotonic()
        slot = max(now, self._slots[supplier])
        self._slots[supplier] = slot + interval_s
        await asyncio.sleep(slot - now)

    def _tell(self, leased: Lease, job: Job, answer: Answer, outcome: str) -> None:
        self.metrics.count("supplier_calls", job.call, _result(answer))
        tell = log.info if outcome in ("waiting", "fulfilled", "cancelled") else log.warning
        tell(
            "purchase",
            tenant=leased.tenant_id,
            supplier=leased.supplier_id,
            line=leased.line_id,
            purchase=leased.purchase_id,
            call=job.call,
            result=_result(answer),
            outcome=outcome,
            reason=getattr(answer, "reason", "") or None,
            host=host_of(job.target.url),
        )


def _span(call: str, leased: Lease, job: Job) -> AbstractContextManager[object]:
    """The span of a call to a supplier: names the purchase and the host, never the content of request or answer."""
    attributes: dict[str, str | int] = {
        "server.address": host_of(job.target.url),
        "bedesten.call": call,
        "bedesten.tenant.id": leased.tenant_id,
        "bedesten.supplier.id": leased.supplier_id,
        "bedesten.line.id": leased.line_id,
        "bedesten.purchase.id": leased.purchase_id,
    }
    return tracing.calling(f"supplier {call}", attributes)


def _result(answer: Answer | Price) -> str:
    """Returns the kind of an answer, for the metric and the log."""
    if isinstance(answer, Status | Price):
        return "answered"
    if isinstance(answer, CancelAnswer):
        return "cancelled" if answer.cancelled else "not_cancelled"
    if isinstance(answer, RetryLater) and answer.unauthorised:
        return "unauthorised"
    kinds = {NotFound: "absent", Declined: "declined", RetryLater: "postponed"}
    return kinds.get(type(answer), "unknown")


async def buy_for_ever(installation: Installation, metrics: Metrics) -> None:
    """Works on due purchases until it is cancelled."""
    async with http_client() as client:
        leases = Leases(installation.store, purchases.renew)
        purchaser = Purchaser(installation, client, metrics, leases)
        keeping = asyncio.create_task(leases.keep())
        try:
            while True:
                started = 0
                with errors_logged():
                    started = await purchaser.start_due()
                await asyncio.sleep(0 if started else IDLE_INTERVAL_S)
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await purchaser.stop()
