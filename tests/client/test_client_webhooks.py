"""Webhooks are verified, handled once and acknowledged, from the real server and from others."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx2
import pytest
import uvicorn
from standardwebhooks.webhooks import Webhook

from bedesten_client import BasketLine, RequireData, ResellerClient, Secret, SupplierClient
from bedesten_client.secrets import BadReference
from bedesten_client.testing import sign
from bedesten_client.webhooks import (
    Claim,
    Event,
    MemoryDeduplicationStore,
    Verifier,
    WebhookRefused,
    asgi_receiver,
    wsgi_receiver,
)
from bedesten_client.webhooks._verification import signature
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh, open_shop

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = Event(id="evt_1", deliver_id="1", order_detail_id="odl_1", status=1, delivery_data=("CODE-1",))
HOOK = "/hook"


@dataclass
class Handled:
    """A handler that records its events. It raises while `failing`, and waits while `gate` is closed."""

    events: list[Event] = field(default_factory=list)
    failing: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self, event: Event) -> None:
        with self.came:
            self.events.append(event)
            self.came.notify_all()
        assert self.gate.wait(120)
        if self.failing:
            raise RuntimeError("the database of the partner is away")

    def wait_for(self, count: int) -> list[Event]:
        """Waits for this many events, and returns them."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.events) >= count, 30), self.events
            return list(self.events)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def _wsgi(app: Any) -> Iterator[int]:
    from socketserver import ThreadingMixIn

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    with make_server("127.0.0.1", 0, app, Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def _asgi(app: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(120)


KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any], contextlib.AbstractContextManager[int]]]] = {
    "WSGI": (wsgi_receiver, _wsgi),
    "ASGI": (asgi_receiver, _asgi),
}


@pytest.fixture(params=KINDS)
def receiving(request: pytest.FixtureRequest) -> Callable[..., contextlib.AbstractContextManager[str]]:
    """Serves a receiver of either kind and returns its address."""
    make, serve = KINDS[request.param]

    @contextlib.contextmanager
    def start(secret: Any, handle: Any, **options: Any) -> Iterator[str]:
        with serve(make(secret, handle, **options)) as port:
            yield f"http://127.0.0.1:{port}{HOOK}"

    return start


Receiving = Callable[..., contextlib.AbstractContextManager[str]]


def post(
    url: str,
    event: Event = EVENT,
    body: bytes | None = None,
    at: float | None = None,
    lines: dict[str, str] | None = None,
) -> int:
    signed = sign(event, SECRET, at=at)
    headers = {**signed.headers, **{name.replace("_", "-"): value for name, value in (lines or {}).items()}}
    content = signed.body if body is None else body
    return httpx2.post(url, content=content, headers=headers, trust_env=False).status_code


# --- the real server ----------------------------------------------------------------------------------------------------


def test_the_real_servers_webhooks_are_received_once_each(
    shop: Shop, http: httpx2.Client, receiving: Receiving
) -> None:
    own = open_shop(shop.site, shop.operator, fresh("hooked"))
    secret, _ = own.operator.endpoint(own.id, own.partner, None)
    handled = Handled()
    with shop.operator.webhooks_to("127.0.0.0/8"), receiving(secret, handled) as url:
        buyer = ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http)
        data = (RequireData(product_require_id="player", value="p-77", identifier="Player"),)
        basket = [BasketLine("a", own.card, 1), BasketLine("b", own.topup, 1, require_data=data)]
        placed = buyer.create_order(fresh("hooked"), basket, notify_url=url)
        line = placed.details[1].order_detail_id
        SupplierClient(own.host, key=own.supplier_key.text, http=http).deliver(line, notes=["charged"])
        events = handled.wait_for(3)
    outcome = {(one.deliver_id, one.status) for one in events}
    assert outcome == {("a", 1), ("b", 2), ("b", 1)}
    assert len({one.id for one in events}) == 3
    stocked = next(one for one in events if one.deliver_id == "a")
    assert stocked.delivery_data == buyer.order_detail(placed.details[0].order_detail_id).delivery_data
    assert next(one for one in events if one.delivery_note).delivery_note == ("charged",)


# --- other senders -------------------------------------------------------------------------------------------------------


def test_a_replayed_webhook_is_acknowledged_and_not_handled(receiving: Receiving) -> None:
    handled = Handled()
    with receiving(SECRET, handled) as url:
        assert [post(url) for _ in range(3)] == [204, 204, 204]
        assert post(url, Event(id="evt_2", deliver_id="2", order_detail_id="odl_2", status=2)) == 204
    assert [one.id for one in handled.events] == ["evt_1", "evt_2"]
    assert handled.events[0] == EVENT


def test_an_event_is_not_handled_twice_at_the_same_time(receiving: Receiving) -> None:
    handled = Handled()
    handled.gate.clear()
    with receiving(SECRET, handled) as url:
        first = threading.Thread(target=post, args=(url,), daemon=True)
        first.start()
        handled.wait_for(1)
        assert post(url) == 503
        handled.gate.set()
        first.join(120)
        assert post(url) == 204
    assert len(handled.events) == 1


def test_an_event_whose_handler_failed_is_handled_again(receiving: Receiving, caplog: pytest.LogCaptureFixture) -> None:
    handled = Handled(failing=True)
    with receiving(SECRET, handled) as url:
        assert post(url) == 500
        handled.failing = False
        assert post(url) == 204
        assert post(url) == 204
    assert len(handled.events) == 2
    assert "the database of the partner is away" in caplog.text
    assert "CODE-1" not in caplog.text


NOW = 1_800_000_000
"""The time of the receiver's stopped clock."""


@pytest.mark.parametrize("off", [-301, 301, 86_400])
def test_a_stale_webhook_is_refused(receiving: Receiving, off: float) -> None:
    handled = Handled()
    with receiving(Verifier(SECRET, clock=lambda: NOW), handled) as url:
        assert post(url, at=NOW + off) == 401
    assert handled.events == []


@pytest.mark.parametrize("off", [-300, 0, 300])
def test_a_webhook_within_the_tolerance_is_handled(receiving: Receiving, off: float) -> None:
    handled = Handled()
    with receiving(Verifier(SECRET, clock=lambda: NOW), handled) as url:
        assert post(url, at=NOW + off) == 204
    assert len(handled.events) == 1


def test_the_tolerance_can_be_switched_off(receiving: Receiving) -> None:
    handled = Handled()
    with receiving(Verifier(SECRET, tolerance=None), handled) as url:
        assert post(url, at=time.time() - 86_400) == 204


@pytest.mark.parametrize(
    ("body", "lines", "status"),
    [
        (sign(EVENT, SECRET).body[:-20], {}, 401),
        (sign(EVENT, SECRET).body.replace(b'"status":1', b'"status":0'), {}, 401),
        (b"", {}, 401),
        (None, {"webhook_signature": "v1,AAAA"}, 401),
        (None, {"webhook_signature": ""}, 401),
        (None, {"webhook_signature": "v1a,x v2,y"}, 401),
        (None, {"webhook_id": "evt_9"}, 401),
        (None, {"webhook_timestamp": "1"}, 401),
        (None, {"webhook_timestamp": "soon"}, 400),
        (None, {"webhook_timestamp": "9" * 40}, 400),
        (None, {"webhook_id": "x" * 300}, 400),
    ],
    ids=[
        "truncated", "changed", "empty", "another signature", "no signature", "other schemes", "another id",
        "another time", "no time", "a time too long", "an id too long",
    ],
)  # fmt: skip
def test_a_forged_webhook_is_refused(
    receiving: Receiving, body: bytes | None, lines: dict[str, str], status: int
) -> None:
    handled = Handled()
    with receiving(SECRET, handled) as url:
        assert post(url, body=body, lines=lines) == status
        assert post(url) == 204, "and does not stand in the way of the genuine one"
    assert len(handled.events) == 1


def test_a_signed_body_that_is_not_an_event_is_refused(receiving: Receiving) -> None:
    with receiving(SECRET, Handled()) as url:
        for body in (b"[]", b"{}", b'{"deliverId":1,"orderDetailId":"x","status":1}', b"\xff"):
            now = str(int(time.time()))
            lines = {"webhook_id": "e", "webhook_timestamp": now}
            lines["webhook_signature"] = signature(Secret(SECRET), "e", now, body)
            assert post(url, body=body, lines=lines) == 400


def test_an_interrupted_webhook_is_not_handled(receiving: Receiving) -> None:
    handled = Handled()
    signed = sign(EVENT, SECRET)
    with receiving(SECRET, handled) as url:
        port = httpx2.URL(url).port or 0
        with socket.create_connection(("127.0.0.1", port)) as half:
            head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
            half.sendall(
                f"POST {HOOK} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(signed.body)}\r\n\r\n".encode()
            )
            half.sendall(signed.body[:-10])
            half.shutdown(socket.SHUT_WR)
            answer = half.recv(1000)
        assert b" 204 " not in answer
        assert post(url) == 204
    assert len(handled.events) == 1


def test_an_oversized_webhook_is_refused_unread(receiving: Receiving) -> None:
    with receiving(SECRET, Handled(), max_body_bytes=1000) as url:
        big = Event(id="evt_1", deliver_id="1", order_detail_id="odl_1", status=1, delivery_data=("C" * 2000,))
        assert post(url, big) == 413
        assert post(url) == 204


def test_another_method_is_refused(receiving: Receiving) -> None:
    with receiving(SECRET, Handled()) as url:
        answer = httpx2.get(url, trust_env=False)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_without_length_is_accepted_by_asgi_only() -> None:
    signed = sign(EVENT, SECRET)
    for kind, status in (("ASGI", 204), ("WSGI", 411)):
        make, serve = KINDS[kind]
        with serve(make(SECRET, Handled())) as port:
            url = f"http://127.0.0.1:{port}{HOOK}"
            content = iter([signed.body[:10], signed.body[10:]])
            assert httpx2.post(url, content=content, headers=signed.headers, trust_env=False).status_code == status


def test_an_async_handler_is_awaited() -> None:
    events = []

    async def handle(event: Event) -> None:
        await asyncio.sleep(0)
        events.append(event)

    with _asgi(asgi_receiver(SECRET, handle)) as port:
        assert post(f"http://127.0.0.1:{port}{HOOK}") == 204
    assert events == [EVENT]


def test_an_event_is_handled_completely_even_after_a_disconnect() -> None:
    handled: list[str] = []

    async def scenario() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def handle(event: Event) -> None:
            begun.set()
            await go_on.wait()
            handled.append(event.id)

        app = asgi_receiver(SECRET, handle)
        first = asyncio.ensure_future(_asked(app))
        await begun.wait()
        first.cancel()
        assert await _asked(app) == 503, "it is being handled"
        go_on.set()
        while not handled:
            await asyncio.sleep(0.01)
        assert await _asked(app) == 204

    asyncio.run(asyncio.wait_for(scenario(), 30))
    assert handled == [EVENT.id]


async def _asked(app: Any) -> int:
    signed, outcome = sign(EVENT, SECRET), []
    headers = [(name.lower().encode(), value.encode()) for name, value in signed.headers.items()]

    async def receive() -> Any:
        return {"type": "http.request", "body": signed.body, "more_body": False}

    async def send(message: Any) -> None:
        outcome.append(message)

    await app({"type": "http", "method": "POST", "path": HOOK, "headers": headers}, receive, send)
    status: int = outcome[0]["status"]
    return status


class _Forgetful(MemoryDeduplicationStore):
    """An event store that cannot be reached when an event is done."""

    away = True

    def done(self, event_id: str) -> None:
        if self.away:
            raise ConnectionError("away")
        super().done(event_id)


def test_an_event_that_cannot_be_recorded_is_delivered_again(receiving: Receiving) -> None:
    handled, store = Handled(), _Forgetful()
    with receiving(SECRET, handled, store=store) as url:
        assert post(url) == 500
        store.away = False
        assert post(url) == 204
    assert handled.events == [EVENT, EVENT]


# --- the verifier and the deduplication store ---------------------------------------------------------------------------


def test_the_signature_is_that_of_standard_webhooks() -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    body = '{"deliverId":"1","orderDetailId":"odl_1","status":1}'
    lines = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("evt_1", now, body),
    }
    assert Verifier(SECRET).verify(lines, body.encode()).id == "evt_1"
    signed = sign(EVENT, SECRET)
    Webhook(SECRET).verify(signed.body, signed.headers)


def test_old_and_new_secret_are_valid_during_a_rotation() -> None:
    other = "whsec_" + "B" * 32
    verifier = Verifier([other, SECRET])
    for secret in (SECRET, other):
        signed = sign(EVENT, secret)
        assert verifier.verify(signed.headers, signed.body) == EVENT


def test_a_changed_secret_is_read_again_but_not_for_every_forgery() -> None:
    class Kept:
        value, reads = "whsec_" + "B" * 32, 0

        def get(self) -> str:
            return self.value

        def refresh(self, stale: str) -> str:
            self.reads += 1
            return SECRET

    kept = Kept()
    verifier = Verifier(kept)
    signed = sign(EVENT, SECRET)
    assert verifier.verify(signed.headers, signed.body) == EVENT
    for _ in range(20):
        with pytest.raises(WebhookRefused) as refused:
            verifier.verify({**signed.headers, "webhook-signature": "v1,AAAA"}, signed.body)
        assert refused.value.reason == "forged"
    assert kept.reads == 1


def test_headers_may_have_any_case_and_must_be_unique() -> None:
    signed = sign(EVENT, SECRET)
    upper = [(name.upper(), value) for name, value in signed.headers.items()]
    assert Verifier(SECRET).verify(upper, signed.body) == EVENT
    with pytest.raises(WebhookRefused, match="twice"):
        Verifier(SECRET).verify([*upper, ("Webhook-Id", "evt_2")], signed.body)


@pytest.mark.parametrize("wrong", ["whsec_!!", "whsec_AAAAA", "nonsense-that-is-long"])
def test_an_invalid_secret_is_not_shown(wrong: str) -> None:
    signed = sign(EVENT, SECRET)
    with pytest.raises(BadReference) as failed:
        Verifier(wrong).verify(signed.headers, signed.body)
    assert wrong not in str(failed.value)
    assert "whsec_M" not in repr(Verifier(SECRET))


def test_the_memory_store_keeps_the_newest_events() -> None:
    store = MemoryDeduplicationStore(max_events=2)
    for name in ("a", "b", "c"):
        assert store.claim(name) is Claim.NEW
        store.done(name)
    assert (store.claim("c"), store.claim("b")) == (Claim.DONE, Claim.DONE)
    assert store.claim("a") is Claim.NEW
