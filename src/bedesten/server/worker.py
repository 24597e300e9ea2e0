"""The background worker: sends webhooks and mails, buys from suppliers that are called, expires checkouts, seals the audit
trail, deletes what has expired.

Any number of workers may run, on any number of machines: a transaction claims every piece of work.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

import structlog

from bedesten.admin import alarms, product_import
from bedesten.apikeys import expiry, imports
from bedesten.apikeys.expiry import Expiring
from bedesten.catalogue import batches, stock, stock_alarms
from bedesten.connectors import connections
from bedesten.core.clock import wire_time
from bedesten.fulfilment import routing
from bedesten.ledger import balance_alarms
from bedesten.mail import outbox as mail
from bedesten.orders import checkout
from bedesten.server.audit_sealer import run_sealer
from bedesten.server.build import OPEN_TIMEOUT_S
from bedesten.server.clock_monitor import ClockMonitor
from bedesten.server.deliverer import DeliveryGauges, deliver_for_ever
from bedesten.server.installation import Installation, open_for_server
from bedesten.server.logs import configure
from bedesten.server.mailer import mail_for_ever
from bedesten.server.purchaser import buy_for_ever
from bedesten.server.retention import delete_expired
from bedesten.server.rounds import IDLE_INTERVAL_S, POLL_INTERVAL_S, errors_logged, write_each
from bedesten.server.secrets_reloader import SecretsReloader
from bedesten.server.settings import Settings
from bedesten.store import wait_budget
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.telemetry import tracing
from bedesten.telemetry.metrics import Series
from bedesten.telemetry.process_metrics import memory_metrics, store_metrics
from bedesten.telemetry.request_log import RequestLog
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import outbox

Result = TypeVar("Result")

log = structlog.get_logger("bedesten.server")
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
    tracing.start("worker")
    installation = await _opened(settings, stopped)
    if installation is not None:
        try:
            await _work(installation, stopped)
        finally:
            installation.store.close()
            tracing.stop()


async def _opened(settings: Settings, stopped: asyncio.Event) -> Installation | None:
    """Open the installation as soon as its store answers; None if the worker has to stop first."""
    while not stopped.is_set():
        try:
            with wait_budget.limited(OPEN_TIMEOUT_S):  # ends here: the worker's tasks inherit what is set in this one
                return await asyncio.to_thread(open_for_server, settings)
        except StoreUnavailable as problem:
            log.warning("store-unavailable", cause=str(problem))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), IDLE_INTERVAL_S)
    return None


async def _work(installation: Installation, stopped: asyncio.Event) -> None:
    request_log = RequestLog(installation.store, directory=installation.settings.metrics_directory)
    watch = SecretsReloader(installation)
    clock = ClockMonitor(installation.store)
    gauges = DeliveryGauges()

    def process_metrics() -> Iterator[tuple[Series, float]]:
        yield from chain(watch.process_metrics(), clock.process_metrics(), gauges.process_metrics())
        yield from chain(store_metrics(installation.store.load), memory_metrics())

    request_log.start("worker", process_metrics)
    tasks = [
        asyncio.create_task(deliver_for_ever(installation, request_log.metrics, gauges)),
        asyncio.create_task(mail_for_ever(installation, request_log.metrics)),
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
    """Notify suppliers, partners and the log of stock and balances below their threshold, once per crossing."""
    alarmed = await write_each(store, await store.read_across(stock_alarms.crossed), alarms.tell_of_stock)
    for tenant, low in alarmed:
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
    """Withdraw stock codes that are about to expire, delete abandoned uploads, and complete killed imports of products."""
    await write_each(store, await store.read_across(stock.due_to_expire), stock.withdraw_expired)
    while any(
        more for _, more in await write_each(store, await store.read_across(batches.abandoned), batches.drop_part)
    ):
        await asyncio.sleep(POLL_INTERVAL_S)
    while await store.write_across(product_import.complete_leftover):
        await asyncio.sleep(POLL_INTERVAL_S)


def warn_of_keys(tx: SystemTransaction) -> list[tuple[Expiring, int]]:
    """Record the warnings about API keys, and notify owners that have a webhook endpoint."""
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
