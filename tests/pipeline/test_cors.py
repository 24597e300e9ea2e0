"""CORS: on the Storefront only, for the tenant's own origins only, and never with cookies."""

from collections.abc import Iterator

import pytest

from bedesten.core.clock import system_clock
from bedesten.gate.access import Anonymous
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.route import Reads, Route
from bedesten.http.route_map import RouteMap
from bedesten.server import build
from bedesten.server.installation import Installation
from bedesten.store import sqlite_file
from bedesten.store.transaction import StoreUnavailable, Transaction
from bedesten.tenants import actions as tenants
from tests.support.client import encoded
from tests.support.inprocess import HOST, OTHER_HOST, Body, InProcessServer
from tests.support.shop import fresh
from tests.support.sites import opened
from tests.support.wire import Answer

ORIGIN, SECOND, OTHERS = "https://shop.example", "http://localhost:5173", "https://other.example"
LIST = "/Storefront/Products/List"
EXPOSED = {
    "x-request-id",
    "www-authenticate",
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
}


class Storefront(InProcessServer):
    """Two tenants, each with its own origins, and one without."""

    watcher: sqlite_file.Connection = None

    def __init__(self, installation: Installation) -> None:
        super().__init__(installation, routes=RouteMap.of((*build.ROUTES, *_BROKEN)))
        self.tenant = self.operator.tenant("shop", [HOST])
        self.token = self.operator.mint(self.operator.claims(self.tenant, Surface.STOREFRONT, self.customer("c")))

    def customer(self, name: str, scopes: list[str] | None = None) -> str:
        """A new customer of the first tenant."""
        return self.operator.account(self.tenant, "customer", f"{name}@example.com", scopes)

    def call(
        self,
        method: str,
        path: str,
        *lines: tuple[str, str],
        host: str = HOST,
        body: bytes = b"",
        peer: str = "203.0.113.1",
    ) -> Answer:
        """Sends one request; the content type, if any, is in `lines`."""
        encoded_lines = [(name, value.encode()) for name, value in lines]
        return self.ask(method, path, encoded_lines, Body(body), host, peer)

    def preflight(self, path: str, *origins: str, host: str = HOST, peer: str = "203.0.113.1") -> Answer:
        """Sends the preflight of a browser for a request with a token and a JSON body."""
        asked = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")]
        return self.call("OPTIONS", path, *(("Origin", one) for one in origins), *asked, host=host, peer=peer)


def members(answer: Answer, name: str) -> set[str]:
    """The elements of a list header."""
    return {part.strip().lower() for value in answer.every(name) for part in value.split(",")}


def cors_headers(answer: Answer) -> list[str]:
    """The names of the answer's CORS headers."""
    return [name for name, _ in answer.headers if name.startswith("access-control")]


def _breaks(tx: Transaction, call: RequestContext, body: object) -> object:
    raise RuntimeError("a defect")


def _out_of_reach(tx: Transaction, call: RequestContext, body: object) -> object:
    raise StoreUnavailable("no store")


_BROKEN = tuple(
    Route(method="POST", path=f"/Storefront/Test/{name}", access=Anonymous(Surface.STOREFRONT), handler=Reads(action))
    for name, action in (("Breaks", _breaks), ("OutOfReach", _out_of_reach))
)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storefront]:
    with opened("sqlite", tmp_path_factory.mktemp("cors")) as installation:
        server = Storefront(installation)
        other = server.operator.tenant("other", [OTHER_HOST])
        server.operator.within(server.tenant, lambda tx: tenants.set_origins(tx, [ORIGIN, SECOND]))
        server.operator.within(other, lambda tx: tenants.set_origins(tx, [OTHERS]))
        server.operator.tenant("shy", ["api.shy.example"])
        yield server
        server.close()


# --- preflights ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(187)
@pytest.mark.parametrize("origin", [ORIGIN, SECOND])
def test_a_preflight_from_a_listed_origin_names_all_that_is_allowed(front: Storefront, origin: str) -> None:
    answer = front.preflight(LIST, origin)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == origin
    assert answer.header("access-control-allow-methods") == "POST"
    assert members(answer, "access-control-allow-headers") == {
        "authorization",
        "content-type",
        "h-region-code",
        "idempotency-key",
    }
    assert answer.header("access-control-max-age") == "600"
    assert {"origin", "access-control-request-method", "access-control-request-headers"} <= members(answer, "vary")
    assert (answer.header("x-request-id") or "").startswith("req_")
    assert answer.header("access-control-allow-credentials") is None


@pytest.mark.parametrize(
    "path", ["/Storefront/Nothing", "/storefront/", "/STOREFRONT/orders/get", "/Storefront/Products/Detail/x"]
)
def test_a_preflight_is_answered_for_any_path_so_that_the_real_response_can_be_read(
    front: Storefront, path: str
) -> None:
    answer = front.preflight(path, ORIGIN)
    assert (answer.status, answer.header("access-control-allow-origin")) == (204, ORIGIN)
    assert "post" in members(answer, "access-control-allow-methods")
    run_process = front.call("POST", "/Storefront/Nothing", ("Origin", ORIGIN))
    assert (run_process.status, run_process.header("access-control-allow-origin")) == (404, ORIGIN)


NOT_LISTED = [
    "https://evil.example",
    "null",
    "",
    "*",
    "https://shop.example.evil.com",
    "https://evilshop.example",
    "https://shop.example.",
    "http://shop.example",
    "https://shop.example:443",
    "https://shop.example:8443",
    "https://SHOP.example",
    "HTTPS://shop.example",
    "https://shop.example/",
    " https://shop.example",
    "https://shop.example https://evil.example",
    "https://shop.example, https://evil.example",
    "https://shop.examplé",
    OTHERS,
]


@pytest.mark.requirement(188, 189)
@pytest.mark.parametrize("origin", NOT_LISTED)
def test_no_other_origin_is_let_in(front: Storefront, origin: str) -> None:
    answer = front.preflight(LIST, origin)
    assert (answer.status, cors_headers(answer)) == (204, [])
    assert "origin" in members(answer, "vary")
    run_process = front.call("POST", LIST, ("Origin", origin))
    assert (run_process.status, cors_headers(run_process)) == (200, [])
    assert "origin" in members(run_process, "vary")


@pytest.mark.requirement(188)
def test_two_origin_lines_count_as_none(front: Storefront) -> None:
    for origins in ((ORIGIN, ORIGIN), (ORIGIN, "https://evil.example"), ("https://evil.example", ORIGIN)):
        assert cors_headers(front.preflight(LIST, *origins)) == []
        assert cors_headers(front.call("POST", LIST, *(("Origin", one) for one in origins))) == []


@pytest.mark.requirement(189)
def test_every_tenant_has_its_own_origins_and_at_first_none(front: Storefront) -> None:
    assert front.preflight(LIST, OTHERS, host=OTHER_HOST).header("access-control-allow-origin") == OTHERS
    assert cors_headers(front.preflight(LIST, ORIGIN, host=OTHER_HOST)) == []
    assert cors_headers(front.preflight(LIST, ORIGIN, host="api.shy.example")) == []


def stats(front: Storefront) -> int:
    """A number that changes with every commit of another connection to the store."""
    if front.watcher is None:
        front.watcher = sqlite_file.connect(front.operator.installation.settings.sqlite_file)
    found: int = front.watcher.execute("PRAGMA data_version").fetchone()[0]
    return found


@pytest.mark.requirement(192)
def test_a_preflight_needs_no_credential_counts_towards_no_limit_and_changes_nothing(front: Storefront) -> None:
    before = stats(front)
    for _ in range(700):
        assert front.preflight("/Storefront/Orders/Get", ORIGIN, peer="203.0.113.50").status == 204
    assert front.services.throttle.admit("203.0.113.50", system_clock()) is None
    assert stats(front) == before
    assert front.call("POST", "/Storefront/Orders/Get", peer="203.0.113.50").status == 401


def test_a_preflight_is_answered_even_if_the_address_must_wait(front: Storefront) -> None:
    for _ in range(600):
        front.services.throttle.refused("203.0.113.51", system_clock())
    assert front.preflight(LIST, ORIGIN, peer="203.0.113.51").status == 204
    run_process = front.call("POST", LIST, ("Origin", ORIGIN), peer="203.0.113.51")
    assert (run_process.status, run_process.header("access-control-allow-origin")) == (429, ORIGIN)
    assert 1 <= int(run_process.header("retry-after") or "") <= 60


@pytest.mark.requirement(192)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("OPTIONS", "/Orders/Create", 405),
        ("OPTIONS", "/Nothing", 404),
        ("OPTIONS", "/Payment/Deposits/Create", 401),
        ("OPTIONS", "/Supplier/Products/List", 401),
        ("OPTIONS", "/Storefront", 404),
        ("OPTIONS", "/Storefronts/x", 404),
        ("OPTIONS", "//Storefront/Products/List", 404),
        ("OPTIONS", "/documentation/errors/-1", 405),
        ("POST", "/Orders/Create", 401),
        ("POST", "/Supplier/Products/List", 401),
        ("GET", "/documentation/errors/-1.json", 200),
    ],
)
def test_no_other_surface_sends_a_cors_header(front: Storefront, method: str, path: str, status: int) -> None:
    lines = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")]
    answer = front.call(method, path, *lines)
    assert (answer.status, cors_headers(answer)) == (status, [])


def test_options_without_a_requested_method_is_not_a_preflight(front: Storefront) -> None:
    answer = front.call("OPTIONS", LIST, ("Origin", ORIGIN))
    assert (answer.status, answer.header("allow")) == (405, "POST")
    assert answer.header("access-control-allow-methods") is None


# --- answers ------------------------------------------------------------------------------------------------------------


def _statuses(front: Storefront) -> list[tuple[int, Answer]]:
    """A response of every kind to a listed origin, with its expected status."""
    origin, json = ("Origin", ORIGIN), ("Content-Type", "application/json")
    good = ("Authorization", f"Bearer {front.token}")
    narrow = front.customer(fresh("n"), scopes=[])
    unscoped = front.operator.mint(front.operator.claims(front.tenant, Surface.STOREFRONT, narrow))
    return [
        (200, front.call("POST", LIST, origin)),
        (200, front.call("POST", "/Storefront/Customers/Profile", origin, good)),
        (400, front.call("POST", LIST, origin, json, body=b"{")),
        (400, front.call("POST", LIST, origin, json, body=encoded({"pageSize": 0}))),
        (401, front.call("POST", "/Storefront/Orders/Get", origin)),
        (401, front.call("POST", "/Storefront/Orders/Get", origin, ("Authorization", "Bearer x"))),
        (403, front.call("POST", "/Storefront/Orders/Get", origin, ("Authorization", f"Bearer {unscoped}"))),
        (404, front.call("POST", "/Storefront/Orders/Get", origin, good, json, body=b'{"orderId":"ord_x"}')),
        (405, front.call("GET", LIST, origin)),
        (415, front.call("POST", LIST, origin, ("Content-Type", "text/plain"), body=b"{}")),
        (500, front.call("POST", "/Storefront/Test/Breaks", origin)),
        (503, front.call("POST", "/Storefront/Test/OutOfReach", origin)),
    ]


@pytest.mark.requirement(190, 191)
def test_a_listed_origin_may_read_every_answer_and_never_with_cookies(front: Storefront) -> None:
    for status, answer in _statuses(front):
        assert answer.status == status
        assert answer.header("access-control-allow-origin") == ORIGIN, status
        assert members(answer, "access-control-expose-headers") == EXPOSED, status
        assert "origin" in members(answer, "vary"), status
        assert answer.header("access-control-allow-credentials") is None, status
        assert answer.header("x-request-id") is not None, status


@pytest.mark.requirement(191)
def test_exposed_headers_are_present(front: Storefront) -> None:
    refused = front.call("POST", "/Storefront/Orders/Get", ("Origin", ORIGIN), ("Authorization", "Bearer x"))
    assert 'error="invalid_token"' in (refused.header("www-authenticate") or "")
    unreachable = front.call("POST", "/Storefront/Test/OutOfReach", ("Origin", ORIGIN))
    assert unreachable.header("retry-after") == "1"


@pytest.mark.requirement(191)
def test_a_limited_request_can_be_read_with_its_limits(front: Storefront) -> None:
    front.operator.within(front.tenant, lambda tx: tenants.set_limits(tx, {"address": 1}))
    try:
        lines, peer = ("Origin", ORIGIN), "203.0.113.60"
        answers = [front.call("POST", LIST, lines, peer=peer) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429]
        assert [answer.header("access-control-allow-origin") for answer in answers] == [ORIGIN, ORIGIN]
        assert [answer.header("ratelimit-remaining") for answer in answers] == ["0", "0"]
        assert 1 <= int(answers[1].header("retry-after") or "") <= 60
        assert front.preflight(LIST, ORIGIN, peer=peer).status == 204
    finally:
        front.operator.within(front.tenant, lambda tx: tenants.set_limits(tx, {"address": None}))


@pytest.mark.requirement(185)
def test_every_answer_of_the_storefront_has_its_security_headers_once(front: Storefront) -> None:
    listed = [*_statuses_without_origin(front), front.preflight(LIST, ORIGIN), front.preflight(LIST, "null")]
    for answer in listed:
        assert answer.header("strict-transport-security") == "max-age=31536000"
        assert "frame-ancestors 'none'" in (answer.header("content-security-policy") or "")
        assert answer.header("cache-control") == "no-store"
        if answer.status != 204:
            assert answer.header("x-content-type-options") == "nosniff"


def _statuses_without_origin(front: Storefront) -> list[Answer]:
    return [
        front.call("POST", LIST),
        front.call("POST", "/Storefront/Orders/Get"),
        front.call("POST", "/Storefront/Nothing"),
        front.call("POST", "/Storefront/Test/Breaks"),
        front.call("POST", LIST, host="api.nobody.example"),
        front.call("POST", LIST, host=""),
    ]


@pytest.mark.requirement(193)
def test_cacheable_responses_vary_by_host_and_the_rest_is_not_cacheable(front: Storefront) -> None:
    for _, answer in _statuses(front):
        assert answer.header("cache-control") == "no-store"
    page = front.call("GET", "/documentation/errors/-1", ("Origin", ORIGIN))
    assert page.header("cache-control") == "public, max-age=300"
    assert "host" in members(page, "vary")


@pytest.mark.requirement(194)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_requests_that_a_browser_sends_without_a_preflight_change_nothing(front: Storefront, kind: str) -> None:
    body = encoded({"email": f"{len(kind)}@example.com", "password": "correct horse battery staple"})
    lines = [("Origin", "https://evil.example"), ("Content-Type", kind)]
    for path in ("/Storefront/Customers/Register", "/Storefront/Customers/Login", "/Login/Customer/Api/Verify"):
        assert front.call("POST", path, *lines, body=body).status == 415
        assert front.call("POST", path, lines[0], body=body).status == 415
    assert front.call("GET", "/Storefront/Customers/Register", lines[0]).status == 405


def test_a_change_of_origins_applies_at_once(front: Storefront) -> None:
    new = "https://new.example"
    assert cors_headers(front.preflight(LIST, new)) == []
    front.operator.within(front.tenant, lambda tx: tenants.set_origins(tx, [ORIGIN, SECOND, new]))
    assert front.preflight(LIST, new).header("access-control-allow-origin") == new
    front.operator.within(front.tenant, lambda tx: tenants.set_origins(tx, [ORIGIN, SECOND]))
    assert cors_headers(front.preflight(LIST, new)) == []
