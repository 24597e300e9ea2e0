"""Traces: a request, its statements and its webhook, over real OTLP; a collector that does not respond does no harm."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Lines, bearer, request_bytes
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.otlp_receiver import Collector, Span, collecting, silent_collector
from tests.support.receiver import Receiver, receiving
from tests.support.shop import Shop, open_shop
from tests.support.sites import ENGINES, opened, serving
from tests.support.wire import Answer, Connection

pytestmark = pytest.mark.slow
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CREDENTIAL = "ak_live_" + "5" * 32


@dataclass
class Traced:
    """A shop whose server sends traces."""

    shop: Shop
    collector: Collector
    webhooks: Receiver

    def ask(self, path: str, lines: Lines, body: object, method: str = "POST") -> Answer:
        """Sends one request."""
        with Connection(self.shop.site.port) as connection:
            return connection.exchange(request_bytes(method, path, self.shop.host, lines, body))

    def span_of(self, answer: Answer, process: str = "web") -> Span:
        """The span of a request, found by the request id in the response."""
        wanted = answer.header("x-request-id")
        return self.collector.wait_for(
            lambda one: one.process == process and one.attributes.get("bedesten.request.id") == wanted
        )

    def webhook_of(self, answer: Answer) -> Span:
        """The span of a webhook that a request caused, found by the request id."""
        return self.span_of(answer, "worker")


@pytest.fixture(scope="module", params=ENGINES)
def traced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder: Path = tmp_path_factory.mktemp("traced")
    with pytest.MonkeyPatch.context() as patch, collecting() as collector, receiving() as webhooks:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with opened(request.param, folder) as installation, serving(installation, folder, 1) as site:
            operator = Operator(installation)
            with operator.webhooks_to("127.0.0.0/8"):
                shop = open_shop(site, operator, "acme")
                operator.endpoint(shop.id, shop.partner, webhooks.url)
                yield Traced(shop, collector, webhooks)
            site.stop()
            assert site.failures() == []
            assert "opentelemetry" not in site.log.read_text("utf-8")


def order(traced: Traced, *lines: tuple[str, str]) -> Answer:
    """Places an order from stock; its partner has a webhook endpoint."""
    return traced.ask("/Orders/Create", [*bearer(traced.shop.partner_token), *lines], traced.shop.order())


def test_an_order_is_one_trace_from_request_to_sql_and_its_webhook_is_found_by_the_event(traced: Traced) -> None:
    answer = order(traced, ("traceparent", PARENT))
    assert answer.status == 200
    span = traced.span_of(answer)
    assert (span.name, span.trace, span.parent) == ("POST /Orders/Create", PARENT[3:35], PARENT[36:52])
    assert span.attributes["http.route"] == "/Orders/Create"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["bedesten.tenant.id"] == traced.shop.id
    assert (span.failed, span.process) == (False, "web")
    write = traced.collector.wait_for(lambda one: one.parent == span.id and one.name.startswith("write "))
    statements = [one.name for one in traced.collector.below(write)]
    assert "COMMIT" in statements
    assert any("orders" in name for name in [*statements, *write.events])
    ids = write.attributes["bedesten.ids"]
    assert isinstance(ids, list)
    webhook = traced.collector.wait_for(lambda one: one.attributes.get("bedesten.event.id") in ids)
    assert (webhook.attributes["http.response.status_code"], webhook.process) == (204, "worker")
    assert webhook.attributes["bedesten.order.id"] in ids
    assert webhook.attributes["bedesten.request.id"] == answer.header("x-request-id")
    assert webhook.trace != span.trace


def test_the_span_of_a_refusal_has_its_number_and_no_span_has_a_secret(traced: Traced) -> None:
    email = traced.shop.partner_email
    missing = traced.ask("/Orders/Detail/odl_none", bearer(traced.shop.partner_token), {}, "GET")
    unknown = traced.ask("/Supplier/Products/List", [("ApiKey", CREDENTIAL)], {})
    login = traced.ask("/Login/Customer/Api/Verify", [], {"email": email, "password": PASSWORD})
    found = order(traced)
    codes = traced.webhooks.wait_for(1)[-1].body
    assert traced.span_of(missing).attributes["bedesten.error.number"] == -3
    assert traced.span_of(unknown).attributes["bedesten.error.number"] == -23
    assert not traced.span_of(unknown).failed
    traced.span_of(login)
    traced.span_of(found)
    sent = b"".join(traced.collector.raw)
    secrets = [CREDENTIAL, PASSWORD, email, traced.shop.partner_token, *json.loads(codes)["deliveryData"]]
    assert [one for one in secrets if one.encode() in sent] == []


def test_the_webhook_of_a_change_has_the_id_of_the_changing_request_and_not_of_the_order_s_request(
    traced: Traced,
) -> None:
    shop = traced.shop
    placed = traced.ask("/Orders/Create", bearer(shop.partner_token), shop.order(shop.topup))
    cancelled = traced.ask("/Orders/Cancel", bearer(shop.partner_token), {"orderId": placed.data["orderId"]})
    assert cancelled.status == 200
    for answer, kind in ((placed, "order_line.processing"), (cancelled, "order_line.cancelled")):
        webhook = traced.webhook_of(answer)
        assert (webhook.name, webhook.attributes["bedesten.event.type"]) == ("POST", kind)
        assert webhook.attributes["bedesten.order.id"] == placed.data["orderId"]


@pytest.mark.parametrize(
    "lines",
    [
        [("traceparent", "00-" + "0" * 32 + "-00f067aa0ba902b7-01")],
        [("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        [("traceparent", "x" * 4000)],
        [("traceparent", PARENT), ("traceparent", PARENT)],
        [("traceparent", PARENT[:-3] + "-\xff\xfe")],
    ],
)
def test_a_hostile_traceparent_is_ignored(traced: Traced, lines: list[tuple[str, str]]) -> None:
    answer = traced.ask("/Products/List", [*bearer(traced.shop.partner_token), *lines], {})
    assert answer.status == 200
    span = traced.span_of(answer)
    assert span.parent == ""
    assert span.trace != PARENT[3:35]


def test_an_invalid_tracestate_keeps_the_parent_and_logs_nothing(traced: Traced) -> None:
    lines = [*bearer(traced.shop.partner_token), ("traceparent", PARENT), ("tracestate", "=,,x" * 200)]
    answer = traced.ask("/Products/List", lines, {})
    assert answer.status == 200
    assert traced.span_of(answer).parent == PARENT[36:52]


def test_a_collector_that_never_answers_affects_neither_requests_nor_the_shutdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More spans than the queue holds; the server still stops by itself."""
    with silent_collector() as (url, connected), opened("sqlite", tmp_path) as installation:
        for name, value in {"ENDPOINT": url, "TIMEOUT": "600"}.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        for name, value in {"SCHEDULE_DELAY": "20", "MAX_QUEUE_SIZE": "8", "MAX_EXPORT_BATCH_SIZE": "4"}.items():
            monkeypatch.setenv(f"OTEL_BSP_{name}", value)
        with serving(installation, tmp_path, 1) as site:
            shop = open_shop(site, Operator(installation), "acme")
            client = site.client(shop.host, bearer(shop.partner_token))
            assert [client.post("/Products/List").status for _ in range(40)] == [200] * 40
            assert connected.wait(120)
            assert [client.post("/Products/List").status for _ in range(40)] == [200] * 40
            site.stop()
            assert site.failures() == []


def test_without_a_collector_no_process_imports_opentelemetry_or_the_tracing_wrappers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process logs its imports until it stops: none of them could trace a request or its store."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with opened("sqlite", tmp_path) as installation, serving(installation, tmp_path, 1) as site:
        shop = open_shop(site, Operator(installation), "acme")
        client = site.client(shop.host, bearer(shop.partner_token))
        assert client.post("/Orders/Create", shop.order()).status == 200
        site.stop()
        lines = [line for line in site.log.read_text("utf-8").splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert imported >= {"bedesten.http.pipeline", "bedesten.server.deliverer", "bedesten.telemetry.tracing"}
    assert [name for name in imported if name.startswith("opentelemetry") or "traced" in name] == []
