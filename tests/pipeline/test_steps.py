"""The steps of the pipeline: the documents repeat the one list, and the pipeline runs its steps in order."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bedesten.core.clock import MINUTE
from bedesten.gate.decision_table import DecisionTable
from bedesten.gate.scopes import Surface
from bedesten.http import admission, cors, idempotency, pipeline, responses
from bedesten.http.route import Route
from bedesten.http.route_map import RouteMap
from bedesten.http.steps import ADMISSION, STEPS, as_list, as_table
from bedesten.server import build
from bedesten.server.installation import Installation
from bedesten.tenants import actions as tenants
from tests.support.client import Lines, api_key, bearer, encoded
from tests.support.documents import ROOT
from tests.support.inprocess import Body, InProcessServer
from tests.support.operator_actions import Operator
from tests.support.sites import opened
from tests.support.wire import Answer

HOST, ORIGIN = "api.steps.example", "https://shop.example"
NAMES = [step.name for step in STEPS]


class RecordedServer(InProcessServer):
    """A server that records the steps of a request."""

    def __init__(self, installation: Installation, tenant: str) -> None:
        self.steps: list[str] = []
        self.tenant = tenant
        super().__init__(installation, routes=RouteMap.of(recorded_route(route, self.steps) for route in build.ROUTES))

    def send(self, method: str, path: str, lines: Lines = (), body: object = None) -> Answer:
        """The response to one request; `steps` has the steps that ran, without repetitions."""
        self.steps.clear()
        typed = () if body is None else (("Content-Type", "application/json"),)
        sent = Body(b"" if body is None else encoded(body), lambda: self.steps.append("body"))
        answer = self.ask(method, path, (*lines, *typed), sent, HOST)
        self.steps[:] = dict.fromkeys(self.steps)
        return answer


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecordedServer]:
    with opened("sqlite", tmp_path_factory.mktemp("steps")) as installation, pytest.MonkeyPatch.context() as patch:
        operator = Operator(installation)
        tenant = operator.tenant("steps", [HOST])
        operator.within(tenant, lambda tx: tenants.set_origins(tx, [ORIGIN]))
        operator.within(
            tenant, lambda tx: tenants.set_limits(tx, {"address": 1000, "tenant": 1000, "credential": 1000})
        )
        operator.within(tenant, lambda tx: tenants.set_idle_timeout(tx, Surface.RESELLER, 30 * MINUTE))
        server = RecordedServer(installation, tenant)
        record_steps(server, patch)
        yield server
        server.close()


def recorded_route(route: Route, steps: list[str]) -> Route:
    """The route, whose handler appends its step when it begins."""

    handler: Any = route.handler

    def action(*args: Any) -> Any:
        steps.append("handler")
        return handler.action(*args)

    return replace(route, handler=replace(handler, action=action))


def record_steps(server: RecordedServer, patch: pytest.MonkeyPatch) -> None:
    """Makes every step append its name to `server.steps` when it begins."""

    def wrap(owner: Any, attribute: str, step: str | Callable[..., str]) -> None:
        inner = getattr(owner, attribute)

        def event_steps(*args: Any, **kwargs: Any) -> Any:
            server.steps.append(step if isinstance(step, str) else step(*args, **kwargs))
            return inner(*args, **kwargs)

        is_static = isinstance(vars(owner).get(attribute) if isinstance(owner, type) else None, staticmethod)
        patch.setattr(owner, attribute, staticmethod(event_steps) if is_static else event_steps)

    def limit_step(_state: object, _tenant: object, _now: int, **names: str) -> str:
        return "address limit" if "address" in names else "rate limits"

    services, handler = server.services, server.nodes[0].pipeline
    own, gate = handler._admission, type(services.gate)
    wrap(admission, "check_framing", "framing")
    wrap(services.revision_check, "confirmed", "revision check")
    wrap(DecisionTable, "tenant", "host")
    wrap(cors, "preflight", "CORS preflight")
    wrap(RouteMap, "match", "route")
    wrap(type(services.throttle), "admit", "refused address")
    wrap(own, "_take", limit_step)
    wrap(own, "_known", "credential")
    wrap(services.idle_timeout, "record_use", "idle time-out")
    wrap(gate, "authorise", "access")
    wrap(services.key_usage, "record_use", "key usage")
    wrap(pipeline, "region_of", "region")
    wrap(pipeline, "check_media_type", "media type")
    wrap(pipeline, "parse", "schema")
    wrap(pipeline, "idempotency_key", "idempotency")
    wrap(idempotency, "once", "idempotency")
    wrap(responses, "not_modified_or", "conditional GET")
    wrap(handler._failures, "record", "refusal records")
    wrap(responses, "success", "response")
    wrap(responses, "error_response", "response")
    wrap(cors, "apply_headers", "CORS headers")
    wrap(type(services.request_log.metrics), "observe_request", "metrics")


def in_order(steps: list[str]) -> list[str]:
    """The same steps in the order of the list."""
    return [name for name in NAMES if name in steps]


def test_the_pipeline_takes_every_step_in_the_order_of_the_list(recorded: RecordedServer) -> None:
    partner = recorded.operator.account(recorded.tenant, "partner", "p@example.com")
    token = bearer(recorded.operator.mint(recorded.operator.claims(recorded.tenant, Surface.RESELLER, partner)))
    supplier = recorded.operator.owner(recorded.tenant, Surface.SUPPLIER, "Acme")
    key = api_key(recorded.operator.key(recorded.tenant, Surface.SUPPLIER, supplier).text)
    line = {"deliverId": "1", "customerStoreProductId": "prd_0", "quantity": 1}
    order = {"orderReference": "r", "basketData": [line]}
    question = (("Origin", ORIGIN), ("Access-Control-Request-Method", "POST"))
    taken: set[str] = set()
    for method, path, lines, body, status in (
        ("POST", "/Products/List", token, {}, 200),
        ("POST", "/Orders/Create", [*token, ("Idempotency-Key", "k")], order, 409),
        ("POST", "/Supplier/Products/List", key, {}, 200),
        ("POST", "/Supplier/Nothing", key, {}, 404),
        ("GET", "/documentation/errors/-1.json", (), None, 200),
        ("OPTIONS", "/Storefront/Products/List", question, None, 204),
        ("POST", "/Storefront/Products/List", question[:1], {}, 200),
        ("POST", "/Products/List", (), {}, 401),
    ):
        assert recorded.send(method, path, lines, body).status == status, path
        assert recorded.steps == in_order(recorded.steps), path
        taken.update(recorded.steps)
    assert [name for name in NAMES if name not in taken] == []


def test_a_request_refused_in_admission_runs_no_later_step(recorded: RecordedServer) -> None:
    key = api_key("ak_live_" + "0" * 32)
    assert recorded.send("POST", "/Supplier/Products/List", key, {}).status == 401
    refused = [name for name in recorded.steps if name in ADMISSION]
    assert refused == ["framing", "revision check", "host", "route", "refused address", "address limit", "credential"]
    assert not {"body", "schema", "handler"} & set(recorded.steps), "nothing of the request was done"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (pipeline.__doc__ or "", as_list()),
        ((ROOT / "ARCHITECTURE.md").read_text("utf-8"), as_list()),
        ((ROOT / "docs" / "reference" / "http.md").read_text("utf-8"), as_table()),
    ],
    ids=["http/pipeline.py", "ARCHITECTURE.md", "docs/reference/http.md"],
)
def test_the_documents_repeat_the_list(text: str, expected: str) -> None:
    assert expected in text, f"it does not contain:\n{expected}"
