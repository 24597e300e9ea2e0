"""What the worker does with deliveries: attempts, two signatures, scenarios, dead endpoints. The receiver is real."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook

from bedesten.audit.actions import Actor
from bedesten.core.clock import DAY, HOUR, SECOND
from bedesten.gate.scopes import Surface
from bedesten.server import deliverer
from bedesten.store.transaction import SystemTransaction
from bedesten.telemetry.metrics import Metrics
from bedesten.webhooks import endpoints, history, outbox, simulator
from bedesten.webhooks.endpoints import EndpointDetail
from bedesten.webhooks.history import ANY_STATE
from bedesten.webhooks.moves import ACTIVE, DONE, DUE, FAILING, HELD
from bedesten.webhooks.outbox import DEAD_AFTER, Attempt
from bedesten.webhooks.sender import Receivers
from tests.domain.mail import Mail
from tests.domain.tenant import URL
from tests.store.raw import raw
from tests.support.receiver import Receiver, receiving

ACTOR = Actor("test")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def work(mail: Mail) -> int:
    """Runs one round of the worker; returns how many deliveries it tried."""

    async def round_() -> int:
        async with Receivers() as receivers:
            return await deliverer.deliver_due(mail.tenant.installation, receivers, Metrics())

    return asyncio.run(round_())


def listening(mail: Mail, receiver: Receiver) -> EndpointDetail:
    """The partner's endpoint, at the receiver."""
    with raw(mail.tenant.installation.settings) as other:
        other.run("UPDATE installation SET webhook_networks = '127.0.0.0/8'")
    known = mail.tenant.read(endpoints.list_endpoints, mail.tenant.partner)[0]
    return mail.tenant.write(endpoints.change, known, receiver.url, None, ACTOR)


def results(mail: Mail) -> list[list[tuple[int | None, str | None]]]:
    """Status and error of every attempt of each delivery, the oldest delivery first."""
    found = mail.tenant.read(history.list_deliveries, mail.tenant.partner, "", ANY_STATE, "", 100)
    attempts = mail.tenant.read(history.attempts_of, mail.tenant.partner, "", found)
    return [[(one.http_status, one.error) for one in attempts[delivery.id]] for delivery in reversed(found)]


def states(mail: Mail, owner: str = "") -> list[int]:
    found = mail.tenant.read(history.list_deliveries, owner or mail.tenant.partner, "", ANY_STATE, "", 100)
    return [one.state for one in reversed(found)]


def test_a_message_has_a_signature_for_each_secret_while_a_rotation_overlaps(mail: Mail, receiver: Receiver) -> None:
    known, cipher = listening(mail, receiver), mail.tenant.installation.cipher
    with raw(mail.tenant.installation.settings) as other:
        stored = bytes(other.one("SELECT secret FROM webhook_endpoints WHERE id = :id", id=known.id))
    first = mail.tenant.read(cipher.decrypt, "webhook-secret", known.id, stored)
    _, second = mail.tenant.write(endpoints.rotate, cipher, known, HOUR, ACTOR)
    for expected in (2, 1):
        mail.tenant.write(endpoints.send_test, known)
        work(mail)
        notice = receiver.got[-1]
        assert len(notice.headers["webhook-signature"].split()) == expected
        Webhook(second.reveal()).verify(notice.body, notice.headers)
        if expected == 2:
            Webhook(first).verify(notice.body, notice.headers)
        mail.clock.now += HOUR
    mail.store.write_now(outbox.delete_ended)
    with raw(mail.tenant.installation.settings) as other:
        assert other.rows("SELECT previous_secret, previous_until FROM webhook_endpoints") == [(None, None)]


@pytest.mark.parametrize(
    ("scenario", "sequences", "attempts"),
    [
        ("delivered", [1, 2], [[(204, None)], [(204, None)]]),
        ("late", [1, 2], [[(204, None)], [(204, None)]]),
        ("outOfOrder", [2, 1], [[(204, None)], [(204, None)]]),
        ("twice", [1, 2, 2], [[(204, None)], [(204, None), (204, None)]]),
        ("afterFailure", [1, 2], [[(204, None)], [(None, "failed by the simulator"), (204, None)]]),
    ],
)
def test_a_scenario_arrives_as_described(
    mail: Mail, receiver: Receiver, scenario: str, sequences: list[int], attempts: list[object]
) -> None:
    known = listening(mail, receiver)
    mail.tenant.write(simulator.simulate, Surface.RESELLER, known, scenario)
    for _ in range(40):
        work(mail)
        mail.clock.now += SECOND
    bodies = [json.loads(notice.body) for notice in receiver.got]
    assert [body["sequence"] for body in bodies] == sequences
    assert {body["test"] for body in bodies} == {True}
    assert len({notice.headers["webhook-id"] for notice in receiver.got}) == 2
    assert results(mail) == attempts
    assert states(mail) == [DONE, DONE]


def test_an_endpoint_that_fails_for_three_days_is_paused_and_the_others_receive_an_event(mail: Mail) -> None:
    cipher, tenant = mail.tenant.installation.cipher, mail.tenant
    dead = tenant.read(endpoints.list_endpoints, tenant.partner)[0]
    tenant.write(endpoints.create, cipher, tenant.partner, URL, frozenset({"endpoint.paused"}), ACTOR)
    for _ in range(2):
        tenant.order((tenant.card(1), 1))
    failure = Attempt(503, "not a 2xx answer", 7)
    first, second = mail.lease()
    assert not mail.store.write_now(lambda tx: outbox.failed(tx, first, failure))
    mail.clock.now += DEAD_AFTER - 1
    (again,) = [one for one in mail.lease() if one.id == first.id]
    assert not mail.store.write_now(lambda tx: outbox.failed(tx, again, failure))
    mail.clock.now += DAY
    found = {one.id: one for one in mail.lease()}
    assert mail.store.write_now(lambda tx: outbox.failed(tx, found[second.id], failure))
    assert not mail.store.write_now(lambda tx: outbox.failed(tx, found[first.id], failure)), "once"
    assert {one.id: one.state for one in tenant.read(endpoints.list_endpoints, tenant.partner)}[dead.id] == FAILING
    mail.clock.now += 30 * DAY
    (event,) = mail.lease()
    assert (event.type, event.object_id) == ("endpoint.paused", dead.id)
    assert json.loads(event.body or "") == {"endpointId": dead.id, "host": "hooks.example.com"}
    assert states(mail) == [HELD, HELD, DUE]
    known = tenant.write(endpoints.endpoint_of, tenant.partner, dead.id)
    assert tenant.write(endpoints.set_paused, known, False, ACTOR).failing_since is None
    assert len(mail.lease()) == 2


def test_a_success_ends_the_failing_period_and_failures_of_an_order_s_own_url_do_not_count(mail: Mail) -> None:
    tenant, failure = mail.tenant, Attempt(None, "ConnectError", 1)
    tenant.order((tenant.card(1), 1))
    (one,) = mail.lease()
    mail.store.write_now(lambda tx: outbox.failed(tx, one, failure))
    mail.clock.now += DEAD_AFTER
    (one,) = mail.lease()
    mail.store.write_now(lambda tx: outbox.delivered(tx, one, Attempt(200, "", 1)))
    assert tenant.read(endpoints.list_endpoints, tenant.partner)[0].failing_since is None
    tenant.order((tenant.card(1), 1), notify_url="https://orders.example.com/x")
    for _ in range(3):
        (one,) = mail.lease()
        assert not mail.store.write_now(lambda tx, one=one: outbox.failed(tx, one, failure))  # type: ignore[misc]
        mail.clock.now += DEAD_AFTER
    known = tenant.read(endpoints.list_endpoints, tenant.partner)[0]
    assert (known.failing_since, known.state) == (None, ACTIVE)


def test_a_delivery_written_while_its_endpoint_is_paused_or_resumed_is_not_lost(mail: Mail) -> None:
    """The writer saw the endpoint's old state."""
    tenant = mail.tenant
    tenant.order((tenant.card(1), 1))
    known = tenant.read(endpoints.list_endpoints, tenant.partner)[0]
    tenant.write(endpoints.set_paused, known, True, ACTOR)
    with raw(tenant.installation.settings) as other:
        other.run("UPDATE deliveries SET state = 0")
        assert mail.lease() == []
        assert states(mail) == [HELD]
        tenant.write(endpoints.set_paused, known, False, ACTOR)
        other.run("UPDATE deliveries SET state = 3")
    assert mail.store.write_now(outbox.release_held) == 1
    assert mail.store.write_now(outbox.release_held) == 0
    assert len(mail.lease()) == 1


def test_attempts_are_kept_for_thirty_days(mail: Mail) -> None:
    mail.tenant.order((mail.tenant.card(1), 1))
    (one,) = mail.lease()
    mail.store.write_now(lambda tx: outbox.failed(tx, one, Attempt(500, "not a 2xx answer", 3)))
    mail.clock.now += outbox.ATTEMPT_RETENTION
    mail.store.write_now(outbox.delete_ended)
    assert results(mail) == [[(500, "not a 2xx answer")]]
    mail.clock.now += 1
    mail.store.write_now(outbox.delete_ended)
    assert results(mail) == [[]]


def test_a_message_that_cannot_be_built_does_not_hold_up_the_others(mail: Mail, receiver: Receiver) -> None:
    known = listening(mail, receiver)
    for _ in range(3):
        mail.tenant.write(endpoints.send_test, known)
    with raw(mail.tenant.installation.settings) as other:
        other.run("UPDATE events SET body = 'not JSON' WHERE id = (SELECT min(id) FROM events)")
    assert work(mail) == 3
    assert len(receiver.got) == 2
    assert states(mail) == [DUE, DONE, DONE]
    assert results(mail) == [[], [(204, None)], [(204, None)]]


def test_a_result_that_cannot_be_recorded_does_not_undo_the_others(
    mail: Mail, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = listening(mail, receiver)
    for _ in range(4):
        mail.tenant.write(endpoints.send_test, known)
    delivered, poison = (
        outbox.delivered,
        mail.tenant.read(history.list_deliveries, mail.tenant.partner, "", ANY_STATE, "", 9),
    )

    def fail_for_one(tx: SystemTransaction, delivery: outbox.Delivery, attempt: Attempt) -> None:
        if delivery.id == poison[0].id:
            raise ZeroDivisionError
        delivered(tx, delivery, attempt)

    monkeypatch.setattr(outbox, "delivered", fail_for_one)
    with pytest.raises(ZeroDivisionError):
        work(mail)
    assert len(receiver.got) == 4
    assert states(mail) == [DONE, DONE, DONE, DUE], "it is sent again when its lease ends"
