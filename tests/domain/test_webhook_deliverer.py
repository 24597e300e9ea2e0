"""How a worker sends: a slow receiver delays no other, leases are short and renewed, connections are reused."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from bedesten.audit.actions import Actor
from bedesten.core.secret import Secret
from bedesten.server import deliverer, wakes
from bedesten.server.deliverer import Deliverer
from bedesten.server.leases import Leases
from bedesten.store.transaction import StoreUnavailable
from bedesten.store.wakes import MIN_INTERVAL_S
from bedesten.telemetry.metrics import Metrics
from bedesten.webhooks import endpoints, history, outbox, sender
from bedesten.webhooks.endpoints import EndpointDetail
from bedesten.webhooks.moves import DONE
from bedesten.webhooks.outbox import LEASE, MAX_PER_ENDPOINT, MAX_PER_SLOW_ENDPOINT, Attempt, Capacity, Delivery
from bedesten.webhooks.sender import OutgoingWebhook, Receivers
from bedesten.webhooks.targets import parse_networks
from tests.domain.mail import Mail
from tests.store.raw import raw
from tests.support.blocking_receiver import BlockingReceiver, blocking_receiver

ACTOR = Actor("test")
SECRETS = (Secret("whsec_" + "A" * 43 + "="),)
MORE_THAN_A_BATCH = deliverer.MAX_BATCH + 8


@pytest.fixture
def receiver() -> Iterator[BlockingReceiver]:
    with blocking_receiver() as made:
        yield made


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets a deadline that no attempt reaches."""
    monkeypatch.setattr(sender, "DEADLINE_S", 3_600.0)


def at(mail: Mail, url: str) -> EndpointDetail:
    """Moves the partner's endpoint to this URL; its earlier deliveries keep theirs."""
    with raw(mail.tenant.installation.settings) as other:
        other.run("UPDATE installation SET webhook_networks = '127.0.0.0/8'")
    known = mail.tenant.read(endpoints.list_endpoints, mail.tenant.partner)[0]
    return mail.tenant.write(endpoints.change, known, url, None, ACTOR)


def second(mail: Mail, url: str) -> EndpointDetail:
    """A further endpoint of the partner."""
    made, _, _ = mail.tenant.write(
        endpoints.create, mail.tenant.installation.cipher, mail.tenant.partner, url, None, ACTOR
    )
    return made


def lease(mail: Mail, capacity: Capacity) -> list[Delivery]:
    return mail.store.write_now(partial(outbox.lease, capacity=capacity))


@asynccontextmanager
async def working(mail: Mail) -> AsyncIterator[Deliverer]:
    """A deliverer without its loop."""
    installation = mail.tenant.installation
    async with Receivers() as receivers:
        yield Deliverer(installation, receivers, Metrics(), Leases(installation.store, outbox.renew))


async def until(receiver: BlockingReceiver, path: str, count: int) -> None:
    await asyncio.to_thread(receiver.wait_for, path, count)


# --- one slow receiver ------------------------------------------------------------------------------------------------


def test_a_receiver_that_never_answers_delays_nobody_else(
    mail: Mail, receiver: BlockingReceiver, patient: None
) -> None:
    silent = at(mail, receiver.at("/held"))
    for _ in range(MORE_THAN_A_BATCH):
        mail.tenant.write(endpoints.send_test, silent)
    lively = second(mail, receiver.at("/lively"))

    async def scenario() -> None:
        loop = asyncio.create_task(deliverer.deliver_for_ever(mail.tenant.installation, Metrics()))
        await until(receiver, "/held", MAX_PER_ENDPOINT)
        for _ in range(3):
            await asyncio.to_thread(mail.tenant.write, endpoints.send_test, lively)
        await until(receiver, "/lively", 3)
        assert receiver.arrived["/held"] == MAX_PER_ENDPOINT
        receiver.release.set()
        await until(receiver, "/held", MORE_THAN_A_BATCH)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(scenario())


def test_an_endpoint_has_a_limit_of_concurrent_deliveries_and_a_lower_one_while_it_fails(mail: Mail) -> None:
    one = mail.tenant.read(endpoints.list_endpoints, mail.tenant.partner)[0]
    for _ in range(MORE_THAN_A_BATCH):
        mail.tenant.write(endpoints.send_test, one)
    leased = lease(mail, Capacity(100))
    assert len(leased) == MAX_PER_ENDPOINT
    assert lease(mail, Capacity(100, {one.id: MAX_PER_ENDPOINT})) == []
    assert len(lease(mail, Capacity(32, {one.id: MAX_PER_ENDPOINT - 1}))) == 1
    assert lease(mail, Capacity(32, {one.id: MAX_PER_SLOW_ENDPOINT}, frozenset({one.id}))) == []
    mail.fail(leased[0])
    assert len(lease(mail, Capacity(32))) == MAX_PER_SLOW_ENDPOINT


def test_deliveries_of_a_full_endpoint_do_not_block_those_of_others(mail: Mail) -> None:
    one = mail.tenant.read(endpoints.list_endpoints, mail.tenant.partner)[0]
    other = second(mail, "https://other.example/hook")
    for _ in range(MORE_THAN_A_BATCH):
        mail.tenant.write(endpoints.send_test, one)
    mail.clock.now += 1
    mail.tenant.write(endpoints.send_test, other)
    found = lease(mail, Capacity(4, {one.id: MAX_PER_ENDPOINT}))
    assert [due.endpoint_id for due in found] == [other.id]


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_renewed_lease_stays_with_its_worker_and_a_lost_one_is_not_renewed(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    first = mail.lease()
    for _ in range(5):
        mail.clock.now += LEASE - 1
        mail.store.write_now(partial(outbox.renew, leased=first))
        assert mail.lease() == []
    mail.clock.now += LEASE
    again = mail.lease()
    assert [one.id for one in again] == [first[0].id]
    mail.clock.now += LEASE - 1
    mail.store.write_now(partial(outbox.renew, leased=first))
    mail.store.write_now(partial(outbox.give_back, leased=first))
    assert mail.lease() == []
    mail.clock.now += 1
    assert len(mail.lease()) == 1


def test_a_failure_of_a_worker_that_lost_its_lease_does_not_move_the_next_attempt(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    (first,) = mail.lease()
    mail.clock.now += LEASE
    (again,) = mail.lease()
    mail.fail(first)
    mail.clock.now += LEASE - 1
    assert mail.lease() == []
    mail.store.write_now(lambda tx: outbox.delivered(tx, again, Attempt(204, "", 1)))
    mail.fail(first)
    mail.clock.now += 10 * LEASE
    assert mail.lease() == []


def test_a_late_renewal_does_not_hasten_the_next_attempt(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    for _ in range(3):  # the delay after the fourth failure is longer than a lease
        leased = mail.lease()
        mail.fail(leased[0])
        mail.clock.now += 60_000
    leased = mail.lease()
    mail.fail(leased[0])
    mail.store.write_now(partial(outbox.renew, leased=leased))
    mail.clock.now += LEASE
    assert mail.lease() == []


def test_a_worker_that_stops_releases_its_unfinished_deliveries(
    mail: Mail, receiver: BlockingReceiver, patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "STOP_S", 0.0)
    endpoint = at(mail, receiver.at("/held"))
    mail.tenant.write(endpoints.send_test, endpoint)

    async def scenario() -> None:
        async with working(mail) as made:
            assert await made.start_due() == 1
            await until(receiver, "/held", 1)
            await made.stop()

    asyncio.run(scenario())
    (again,) = mail.lease()
    assert again.attempts == 0


def test_a_worker_that_stops_records_answers_that_come_in_time(
    mail: Mail, receiver: BlockingReceiver, patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "STOP_S", 3_600.0)
    mail.tenant.write(endpoints.send_test, at(mail, receiver.at("/held")))

    async def scenario() -> None:
        async with working(mail) as made:
            await made.start_due()
            await until(receiver, "/held", 1)
            stopping = asyncio.create_task(made.stop())
            receiver.release.set()
            await stopping

    asyncio.run(scenario())
    mail.clock.now += 10 * LEASE
    assert mail.lease() == []


# --- connections ------------------------------------------------------------------------------------------------------


def sent(urls: list[str]) -> list[int | None]:
    """The statuses of attempts, one after the other."""

    async def scenario() -> list[int | None]:
        async with Receivers() as receivers:
            outcomes = []
            for url in urls:
                webhook = OutgoingWebhook("evt_1", url, {"deliverId": "d"}, SECRETS, Secret("outbound"))
                outcomes.append((await sender.send(receivers, webhook, parse_networks("127.0.0.0/8"))).status)
            return outcomes

    return asyncio.run(scenario())


def test_one_receiver_gets_its_messages_on_one_connection(receiver: BlockingReceiver) -> None:
    assert sent([receiver.at("/a"), receiver.at("/b"), receiver.at("/a")]) == [200] * 3
    assert receiver.connections == 1


def test_host_names_with_one_address_share_no_connection(
    receiver: BlockingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection was made for one name and its certificate: the next name must not use it."""

    def lookup(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("bedesten.webhooks.targets.socket.getaddrinfo", lookup)
    port = receiver.url.rpartition(":")[2]
    names = [f"http://{name}.example:{port}/hook" for name in ("a", "b", "a", "b")]
    assert sent(names) == [200] * 4
    assert receiver.connections == 2


def test_receivers_beyond_the_limit_are_forgotten(receiver: BlockingReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "MAX_RECEIVERS", 1)
    assert sent([receiver.at("/a"), receiver.at("/a")]) == [200] * 2
    assert receiver.connections == 1
    with blocking_receiver() as second_receiver:
        assert sent([receiver.at("/a"), second_receiver.at("/a"), receiver.at("/a")]) == [200] * 3
    assert receiver.connections == 3


# --- what wakes a worker ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mail", ["postgresql"], indirect=True)
def test_an_event_wakes_a_worker_long_before_its_next_poll(
    mail: Mail, receiver: BlockingReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = at(mail, receiver.at("/lively"))
    monkeypatch.setattr(wakes, "BUSY_S", -1.0)
    monkeypatch.setattr(wakes, "IDLE_INTERVAL_S", 3_600.0)

    async def scenario() -> None:
        loop = asyncio.create_task(deliverer.deliver_for_ever(mail.tenant.installation, Metrics()))
        for count in (1, 2, 3):
            await asyncio.to_thread(mail.tenant.write, endpoints.send_test, endpoint)
            await until(receiver, "/lively", count)
            await asyncio.sleep(2 * MIN_INTERVAL_S)  # so that the next message needs its own wake-up
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(scenario())


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", range(1, 5))
def test_a_delivery_survives_the_failure_of_any_call_of_the_store(
    mail: Mail, receiver: BlockingReceiver, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Leasing, reading what is allowed, building the message, recording the result: each may fail."""
    endpoint, store = at(mail, receiver.at("/lively")), mail.tenant.installation.store
    mail.tenant.write(endpoints.send_test, endpoint)
    calls = itertools.count(1)
    for name in ("read_across", "write_across"):
        monkeypatch.setattr(store, name, partial(_failing, getattr(store, name), calls, call))

    async def round_() -> None:
        async with Receivers() as receivers:
            with contextlib.suppress(StoreUnavailable):
                await deliverer.deliver_due(mail.tenant.installation, receivers, Metrics())

    asyncio.run(round_())
    assert next(calls) > call, "the call was made"
    mail.clock.now += 10 * LEASE
    asyncio.run(round_())
    (found,) = mail.tenant.read(history.list_deliveries, mail.tenant.partner, endpoint.id, history.ANY_STATE, "", 9)
    assert found.state == DONE
    assert receiver.arrived["/lively"] == (2 if call == 4 else 1)


async def _failing(run: Callable[[Any], Awaitable[Any]], calls: Iterator[int], failing: int, work: Any) -> Any:
    if next(calls) == failing:
        raise StoreUnavailable("as the test wants it")
    return await run(work)
