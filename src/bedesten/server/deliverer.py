"""Sends webhooks: leases due deliveries as far as there is capacity, and sends each in its own task.

A receiver that does not answer occupies only a few tasks: an endpoint has at most `MAX_PER_ENDPOINT`, a slow one fewer,
and slow deliveries do not count as busy. Any number of workers may run. A worker that is killed loses its leases within
`outbox.LEASE`; one that stops releases the leases of unfinished deliveries.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from bedesten.core.secret import Secret
from bedesten.orders.event_payload import LineChange, event_payload
from bedesten.server.installation import Installation
from bedesten.server.leases import Leases
from bedesten.server.rounds import IDLE_INTERVAL_S, errors_logged
from bedesten.server.wakes import Wakes
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.telemetry import tracing
from bedesten.telemetry.metrics import Metrics, Series
from bedesten.tenants.cipher import DecryptionError
from bedesten.webhooks import outbox, sender
from bedesten.webhooks.actions import OUTBOUND_KEY, SECRET
from bedesten.webhooks.event_body import stored_body
from bedesten.webhooks.outbox import Attempt, Capacity, Delivery
from bedesten.webhooks.sender import OutgoingWebhook, Receivers, SendResult
from bedesten.webhooks.targets import Network, host_of, parse_networks

log = structlog.get_logger("bedesten.server")
MAX_BATCH = 32
"""Most deliveries leased in one transaction."""
MAX_BUSY, MAX_OPEN = 128, 512
"""Most deliveries that one worker sends at once: those that are not slow yet, and all."""
SLOW_S = 1.0
"""Time without an answer after which a delivery counts as slow."""
STOP_S = 2.0
"""Time that receivers have to answer when the worker stops."""


@dataclass(slots=True)
class Sending:
    """A delivery in progress."""

    due: Delivery
    began: float


@dataclass(slots=True)
class Deliverer:
    """The deliveries that this worker sends. Belongs to one event loop."""

    installation: Installation
    receivers: Receivers
    metrics: Metrics
    leases: "Leases[Delivery]"
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _sending: dict[asyncio.Task[None], Sending] = field(default_factory=dict)
    _blocked: frozenset[str] | None = None

    async def start_due(self) -> int:
        """Start to send deliveries that are due, as far as there is capacity. Returns how many."""
        store, capacity = self.installation.store, self._capacity()
        self._blocked = capacity.full if capacity.most > 0 else None
        if capacity.most <= 0:
            return 0
        due = await store.write_across(partial(outbox.lease, capacity=capacity))
        if due:
            self.leases.hold(due)
            try:
                await self._start(due)
            except BaseException:
                self.leases.drop(due)
                raise
        return len(due)

    async def finish(self) -> None:
        """Wait for all started deliveries to end. Raises the first error."""
        for ended in await asyncio.gather(*self._sending, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def stop(self) -> None:
        """Give receivers `STOP_S` to answer, then cancel the other deliveries and release their leases."""
        if self._sending:
            await asyncio.wait(list(self._sending), timeout=STOP_S)
        for task in list(self._sending):
            task.cancel()
        await asyncio.gather(*list(self._sending), return_exceptions=True)
        left = self.leases.held()
        if left:
            with errors_logged():
                await self.installation.store.write_across(partial(outbox.give_back, leased=left))

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """How many deliveries are being sent, and how many of them wait for a slow receiver."""
        yield ("deliveries_running",), len(self._sending)
        yield ("deliveries_slow",), len(self._slow())

    def _capacity(self) -> Capacity:
        running = Counter(one.due.endpoint_id for one in self._sending.values())
        slow = self._slow()
        failing = {one.due.endpoint_id for one in self._sending.values() if one.due.failing_since is not None}
        most = min(MAX_BATCH, MAX_BUSY - (len(self._sending) - len(slow)), MAX_OPEN - len(self._sending))
        return Capacity(most, running, frozenset(failing | {one.due.endpoint_id for one in slow}))

    def _slow(self) -> list[Sending]:
        now = time.monotonic()
        return [one for one in self._sending.values() if now - one.began > SLOW_S]

    async def _start(self, due: Sequence[Delivery]) -> None:
        store = self.installation.store
        installed = await store.read_across(lambda tx: tx.one(INSTALLATION))
        allowed = parse_networks(installed.webhook_networks if installed else "")
        messages = await _messages(self.installation, due)
        results = _Results(store, self.leases)
        for one in due:
            if one.id not in messages:
                self.leases.drop([one])
                continue
            task = asyncio.create_task(_deliver(self.receivers, one, messages[one.id], allowed, results, self.metrics))
            self._sending[task] = Sending(one, time.monotonic())
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        one = self._sending.pop(task)
        if self._blocked is None or one.due.endpoint_id in self._blocked:
            self.wake.set()
        if task.cancelled():
            return
        self.leases.drop([one.due])
        if (problem := task.exception()) is not None:
            log.warning("delivery-not-recorded", tenant=one.due.tenant_id, item=one.due.id, cause=str(problem))


@dataclass(slots=True)
class DeliveryGauges:
    """The gauges of a delivery loop that may not have started yet."""

    sources: list[Callable[[], Iterable[tuple[Series, float]]]] = field(default_factory=list)

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """The current values of all sources."""
        for source in self.sources:
            yield from source()


async def deliver_for_ever(installation: Installation, metrics: Metrics, gauges: DeliveryGauges | None = None) -> None:
    """Send deliveries until cancelled. Looks for due ones when the store sends a message, and from time to time."""
    async with contextlib.AsyncExitStack() as stack:
        receivers = await stack.enter_async_context(Receivers())
        leases = Leases(installation.store, outbox.renew)
        wakes = Wakes(installation.store)
        deliverer = Deliverer(installation, receivers, metrics, leases, wakes.event)
        if gauges is not None:
            gauges.sources += [deliverer.process_metrics, wakes.process_metrics]
        for task in (leases.keep(), wakes.listen()):
            stack.callback(asyncio.create_task(task).cancel)
        stack.push_async_callback(deliverer.stop)
        while True:
            started, pause = 0, IDLE_INTERVAL_S
            wakes.event.clear()
            with errors_logged():
                started, pause = await deliverer.start_due(), wakes.pause()
            if started:
                wakes.worked()
            else:
                await wakes.wait(pause)


async def deliver_due(installation: Installation, receivers: Receivers, metrics: Metrics) -> int:
    """Send the deliveries due now, up to one batch, and wait for them. Returns how many there were."""
    deliverer = Deliverer(installation, receivers, metrics, Leases(installation.store, outbox.renew))
    started = await deliverer.start_due()
    await deliverer.finish()
    return started


Message = OutgoingWebhook | SendResult
"""The webhook to send, or why it cannot be sent."""


async def _messages(installation: Installation, due: Sequence[Delivery]) -> dict[str, Message]:
    """Build the messages in one transaction, or each in its own if that fails.

    A message that cannot be built is logged and left out: it is tried again when its lease ends.
    """
    store = installation.store
    try:
        return await store.write_across(lambda tx: {one.id: _message(tx, installation, one) for one in due})
    except StoreUnavailable:
        raise
    except Exception:
        messages: dict[str, Message] = {}
        for one in due:
            try:
                messages[one.id] = await store.write_across(partial(_message, installation=installation, due=one))
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("item-failed", tenant=one.tenant_id, item=one.id)
        return messages


class _Results:
    """Records results. Results that arrive during a transaction share the next one."""

    def __init__(self, store: Store, leases: "Leases[Delivery]") -> None:
        self._store = store
        self._leases = leases
        self._waiting: list[tuple[Delivery, Attempt, asyncio.Future[bool]]] = []
        self._record_lock = asyncio.Lock()

    async def record(self, due: Delivery, attempt: Attempt) -> bool:
        """Record one result, and return whether its endpoint was paused. An attempt without an error was accepted."""
        self._leases.drop([due])  # a renewal after the record would move its next attempt
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((due, attempt, done))
        async with self._record_lock:
            if not done.done():
                together, self._waiting = self._waiting, []
                await self._record(together)
        return await done

    async def _record(self, together: list[tuple[Delivery, Attempt, asyncio.Future[bool]]]) -> None:
        # the same lock order everywhere, so that two workers that record results of the same endpoints never deadlock
        together.sort(key=lambda one: (one[0].tenant_id, one[0].endpoint_id, one[0].id))
        try:
            paused = await self._store.write_across(
                lambda tx: [_settle(tx, due, attempt) for due, attempt, _ in together]
            )
        except Exception as problem:
            if len(together) > 1 and not isinstance(problem, StoreUnavailable):
                for one in together:
                    await self._record([one])
                return
            for _, _, done in together:
                done.set_exception(problem)
            return
        for (_, _, done), was_paused in zip(together, paused, strict=True):
            done.set_result(was_paused)


def _settle(tx: SystemTransaction, due: Delivery, attempt: Attempt) -> bool:
    if attempt.error:
        return outbox.failed(tx, due, attempt)
    outbox.delivered(tx, due, attempt)
    return False


async def _deliver(
    receivers: Receivers,
    due: Delivery,
    message: Message,
    allowed: tuple[Network, ...],
    results: _Results,
    metrics: Metrics,
) -> None:
    began = time.monotonic()
    order = message.body["orderId"] if isinstance(message, OutgoingWebhook) else None
    outcome = message if isinstance(message, SendResult) else await _send(receivers, message, due, allowed)
    paused = await results.record(due, Attempt(outcome.status, outcome.error, int((time.monotonic() - began) * 1000)))
    metrics.count("deliveries", "delivered" if outcome.accepted else "failed")
    tell = log.info if outcome.accepted else log.warning
    tell(
        "webhook",
        tenant=due.tenant_id,
        partner=due.owner_id,
        order=order,
        line=due.line_id,
        type=due.type,
        object=due.object_id,
        host=host_of(due.url),
        delivery=due.id,
        request_id=due.request_id,
        attempt=due.attempts + 1,
        status=outcome.status,
        error=outcome.error,
    )
    if paused:
        log.warning(
            "endpoint-paused",
            tenant=due.tenant_id,
            owner=due.owner_id,
            endpoint=due.endpoint_id,
            host=host_of(due.url),
        )


async def _send(
    receivers: Receivers, webhook: OutgoingWebhook, due: Delivery, allowed: tuple[Network, ...]
) -> SendResult:
    """Make one attempt. Does not send a delivery that the simulator wants to fail."""
    if due.script == "fail":
        return SendResult(None, "failed by the simulator")
    with tracing.calling("POST", _attributes(due, webhook)) as span:
        result = await sender.send(receivers, webhook, allowed)
        tracing.note_result(span, result.error, result.status)
    return result


def _attributes(due: Delivery, webhook: OutgoingWebhook) -> dict[str, str | int]:
    """The attributes of a delivery's span. The request id links it to the span of the request that caused the event;
    the ids of event and order link it to the span of the transaction."""
    order = webhook.body.get("orderId")
    found: dict[str, str | int] = {
        "http.request.method": "POST",
        "server.address": host_of(due.url),
        "bedesten.call": "webhook",
        "bedesten.tenant.id": due.tenant_id,
        "bedesten.event.id": due.event_id,
        "bedesten.event.type": due.type,
        "bedesten.delivery.id": due.id,
        "bedesten.attempt": due.attempts + 1,
    }
    if due.request_id is not None:
        found["bedesten.request.id"] = due.request_id
    return found if order is None else {**found, "bedesten.order.id": str(order)}


def _message(tx: SystemTransaction, installation: Installation, due: Delivery) -> Message:
    bound, cipher = tx.for_tenant(due.tenant_id), installation.cipher
    overlaps = due.previous_until is not None and due.previous_until > tx.now
    secrets = [due.secret, due.previous_secret] if overlaps and due.previous_secret else [due.secret]
    try:
        signing = tuple(Secret(cipher.decrypt(bound, SECRET, due.endpoint_id, bytes(one))) for one in secrets)
        outbound_key = Secret(cipher.decrypt(bound, OUTBOUND_KEY, due.endpoint_id, due.outbound_key))
        if due.line_id is not None and due.status is not None:
            body = event_payload(bound, cipher, LineChange(due.line_id, due.sequence, due.status, due.created))
        else:
            body = stored_body(due)
    except DecryptionError as problem:
        return SendResult(None, str(problem))
    return OutgoingWebhook(id=due.event_id, url=due.url, body=body, secrets=signing, outbound_key=outbound_key)
