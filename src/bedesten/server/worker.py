"""The background worker: sends webhooks and mails, buys from suppliers that are called, expires checkouts, seals the audit
trail, deletes what has expired.

Any number of workers may run, on any number of machines: a transaction claims every piece of work.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

import httpx2
import structlog

from bedesten.admin import alarms
from bedesten.apikeys import expiry, imports
from bedesten.apikeys.expiry import Expiring
from bedesten.catalogue import batches, stock, stock_alarms
from bedesten.connectors import connections
from bedesten.core.clock import wire_time
from bedesten.core.secret import Secret
from bedesten.fulfilment import routing
from bedesten.ledger import balance_alarms
from bedesten.mail import outbox as mail
from bedesten.orders import checkout
from bedesten.orders.event_payload import LineChange, event_payload
from bedesten.server.audit_sealer import run_sealer
from bedesten.server.build import OPEN_TIMEOUT_S
from bedesten.server.clock_monitor import ClockMonitor
from bedesten.server.installation import Installation, open_installation
from bedesten.server.logs import configure
from bedesten.server.mailer import mail_server, send_due
from bedesten.server.purchaser import buy_for_ever
from bedesten.server.retention import delete_expired
from bedesten.server.rounds import IDLE_INTERVAL_S, POLL_INTERVAL_S, errors_logged, write_each
from bedesten.server.secrets_reloader import SecretsReloader
from bedesten.server.settings import Settings
from bedesten.store import wait_budget
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.telemetry.metrics import Metrics
from bedesten.telemetry.request_log import RequestLog
from bedesten.tenants.cipher import DecryptionError
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import outbox, sender
from bedesten.webhooks.actions import OUTBOUND_KEY, SECRET
from bedesten.webhooks.event_body import stored_body
from bedesten.webhooks.outbox import Attempt, Delivery
from bedesten.webhooks.sender import OutgoingWebhook, SendResult
from bedesten.webhooks.targets import Network, host_of, parse_networks

Result = TypeVar("Result")

log = structlog.get_logger("bedesten.server")
MAX_DELIVERIES = 32
RETENTION_INTERVAL_S = 60.0


def main(settings_json: str) -> None:
    """Run until SIGTERM. Deliveries in progress return to the queue."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    asyncio.run(_until_stopped(settings))


async def _until_stopped(settings: Settings) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    installation = await _opened(settings, stopped)
    if installation is not None:
        try:
            await _work(installation, stopped)
        finally:
            installation.store.close()


async def _opened(settings: Settings, stopped: asyncio.Event) -> Installation | None:
    """Open the installation as soon as its store answers; None if the worker has to stop before that."""
    wait_budget.limit(OPEN_TIMEOUT_S)
    while not stopped.is_set():
        try:
            return await asyncio.to_thread(open_installation, settings)
        except StoreUnavailable as problem:
            log.warning("store-unavailable", cause=str(problem))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), IDLE_INTERVAL_S)
    return None


async def _work(installation: Installation, stopped: asyncio.Event) -> None:
    request_log = RequestLog(installation.store, directory=installation.settings.metrics_directory)
    watch = SecretsReloader(installation)
    clock = ClockMonitor(installation.store)
    request_log.start("worker", lambda: chain(watch.process_metrics(), clock.process_metrics()))
    tasks = [
        asyncio.create_task(_deliver_for_ever(installation, request_log.metrics)),
        asyncio.create_task(_mail_for_ever(installation, request_log.metrics)),
        asyncio.create_task(run_sealer(installation.store)),
        asyncio.create_task(buy_for_ever(installation, request_log.metrics)),
        asyncio.create_task(_expire_for_ever(installation)),
        asyncio.create_task(_delete_expired_for_ever(installation)),
        asyncio.create_task(watch.run(request_log.metrics)),
        asyncio.create_task(clock.run()),
    ]
    waiter = asyncio.create_task(_wait(stopped))
    done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await request_log.stop()
    for task in done - {waiter}:
        task.result()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _deliver_for_ever(installation: Installation, metrics: Metrics) -> None:
    async with sender.client() as http:
        while True:
            sent, pause = 0, IDLE_INTERVAL_S
            with errors_logged():
                sent, pause = await deliver_due(installation, http, metrics), POLL_INTERVAL_S
            await asyncio.sleep(0 if sent else pause)


async def _mail_for_ever(installation: Installation, metrics: Metrics) -> None:
    server = mail_server(installation.settings)
    while True:
        sent = 0
        if server is not None:
            with errors_logged():
                sent = await send_due(installation, server, metrics)
        await asyncio.sleep(0 if sent else IDLE_INTERVAL_S)


async def deliver_due(installation: Installation, http: httpx2.AsyncClient, metrics: Metrics) -> int:
    """Send the deliveries that are due, and return how many there were."""
    store = installation.store
    due = await store.write_across(lambda tx: outbox.lease(tx, MAX_DELIVERIES))
    if due:
        installed = await store.read_across(lambda tx: tx.one(INSTALLATION))
        allowed = parse_networks(installed.webhook_networks if installed else "")
        messages = await _messages(installation, due)
        results = _Results(store)
        tasks = [_deliver(http, one, messages[one.id], allowed, results, metrics) for one in due if one.id in messages]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for problem in ended:
            if isinstance(problem, BaseException):
                raise problem
    return len(due)


Message = OutgoingWebhook | SendResult
"""What to send; or why it cannot be sent."""


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
    """Records results: those that come while others are being recorded share the next transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Delivery, Attempt, asyncio.Future[bool]]] = []
        self._recording = asyncio.Lock()

    async def record(self, due: Delivery, attempt: Attempt) -> bool:
        """Record one result, and return whether its endpoint was paused. An attempt without an error was accepted."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((due, attempt, done))
        async with self._recording:
            if not done.done():
                together, self._waiting = self._waiting, []
                await self._record(together)
        return await done

    async def _record(self, together: list[tuple[Delivery, Attempt, asyncio.Future[bool]]]) -> None:
        # in one sequence everywhere: two workers that record results of the same endpoints wait for each other
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
    http: httpx2.AsyncClient,
    due: Delivery,
    message: Message,
    allowed: tuple[Network, ...],
    results: _Results,
    metrics: Metrics,
) -> None:
    began = time.monotonic()
    order = message.body["orderId"] if isinstance(message, OutgoingWebhook) else None
    outcome = message if isinstance(message, SendResult) else await _send(http, message, due, allowed)
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
    http: httpx2.AsyncClient, webhook: OutgoingWebhook, due: Delivery, allowed: tuple[Network, ...]
) -> SendResult:
    """Make one attempt; one that the simulator wants to fail is not sent."""
    if due.script == "fail":
        return SendResult(None, "failed by the simulator")
    return await sender.send(http, webhook, allowed)


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


async def _expire_for_ever(installation: Installation) -> None:
    store = installation.store
    while True:
        with errors_logged():
            await write_each(store, await store.read_across(checkout.expired_checkouts), checkout.expire)
        with errors_logged():
            await write_each(store, await store.read_across(routing.overdue), routing.enforce_deadline)
        with errors_logged():
            await sound_alarms(store)
        await asyncio.sleep(IDLE_INTERVAL_S)


async def sound_alarms(store: Store) -> None:
    """Tell suppliers, partners and the log of stock and balances that fell below a threshold, once for each crossing."""
    told = await write_each(store, await store.read_across(stock_alarms.crossed), alarms.tell_of_stock)
    for tenant, low in told:
        if low is not None:
            log.warning(
                "stock-low", tenant=tenant, product=low.product_id, available=low.available, threshold=low.threshold
            )
    await write_each(store, await store.read_across(balance_alarms.crossed), alarms.tell_of_balance)


async def _delete_expired_for_ever(installation: Installation) -> None:
    while True:
        with errors_logged():
            await installation.store.write_across(delete_expired)
            await maintain_stock(installation.store)
            await maintain_api_keys(installation)
            await maintain_webhooks(installation.store)
            await installation.store.write_across(connections.forget_credentials)
            await installation.store.write_across(mail.maintain)
        await asyncio.sleep(RETENTION_INTERVAL_S)


async def maintain_webhooks(store: Store) -> None:
    """Release held deliveries of active endpoints, and delete old attempts and secrets whose overlap has ended."""
    while await store.write_across(outbox.release_held):
        await asyncio.sleep(POLL_INTERVAL_S)
    await store.write_across(outbox.delete_ended)


async def maintain_stock(store: Store) -> None:
    """Withdraw stock codes that are about to expire, and delete abandoned uploads."""
    await write_each(store, await store.read_across(stock.due_to_expire), stock.withdraw_expired)
    await write_each(store, await store.read_across(batches.abandoned), batches.drop)


def warn_of_keys(tx: SystemTransaction) -> list[tuple[Expiring, int]]:
    """Record the warnings about API keys, and tell the owners that have a webhook endpoint."""
    warned = expiry.warn(tx)
    for key, days in warned:
        bound = tx.for_tenant(key.tenant)
        if webhooks.endpoints_of(bound, key.owner):
            body = {"keyId": key.key_id, "hint": key.hint, "days": days, "expires": wire_time(key.expires)}
            webhooks.notify(bound, key.owner, "key.expiring", key.key_id, body)
    return warned


async def maintain_api_keys(installation: Installation) -> None:
    """Warn about API keys that expire soon, delete secrets that ended long ago, and delete rows of killed imports."""
    for key, days in await installation.store.write_across(warn_of_keys):
        log.warning(
            "key-expiring",
            tenant=key.tenant,
            key=key.key_id,
            owner=key.owner,
            days=days,
            expires=wire_time(key.expires),
        )
    while await installation.store.write_across(expiry.delete_ended):
        await asyncio.sleep(POLL_INTERVAL_S)
    while await installation.store.write_across(imports.remove_leftovers):
        await asyncio.sleep(POLL_INTERVAL_S)
