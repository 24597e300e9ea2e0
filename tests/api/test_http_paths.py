"""Hosts, paths, methods and framing as hostile clients send them: never another surface or tenant, never a fault of ours."""

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.build import ROUTES
from tests.support.client import api_key, bearer, request_bytes
from tests.support.expected_routes import EXPECTED_ROUTES, credential_for
from tests.support.shop import Shop
from tests.support.wire import Answer, Connection, speak

REFUSED = {400, 401, 404, 405, 413, 414, 415, 421, 431, 501}


def refusal(port: int, raw: bytes) -> tuple[int, int | None]:
    """The verdict on bytes that should be refused; the HTTP server may refuse without a body, or just close."""
    with Connection(port) as connection:
        connection.send(raw)
        answer = connection.receive_or_end(raw[:5].decode("latin-1").split(" ")[0])
    return answer.verdict if answer else (0, None)


# --- hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(198)
def test_an_unknown_host_is_421_for_every_path(shop: Shop) -> None:
    for host in ("nobody.example", "acme.example", "api.acme.example.evil.example", "localhost", "127.0.0.1", "[::1]",
                 "xapi.acme.example", "api.acme.example..", "api-acme.example", "1", "api.acme"):  # fmt: skip
        outcome = {
            speak(shop.site.port, request_bytes(method, path, host, bearer(shop.partner_token))).verdict
            for method, path in (("GET", "/Account/Details"), ("POST", "/Supplier/x"), ("GET", "/"), ("GET", "/x"),
                                 ("GET", "/documentation/guides/errors"), ("POST", "/Login/Customer/Api/Verify"))
        }  # fmt: skip
        assert outcome == {(400, -2)} if host.endswith("..") else outcome == {(421, -10)}, host


@pytest.mark.requirement(199)
@pytest.mark.parametrize(
    "host", ["API.ACME.EXAMPLE", "api.acme.example.", "api.acme.example:8080", "Api.Acme.Example.:1"]
)
def test_a_host_has_any_case_one_trailing_dot_and_a_port(shop: Shop, host: str) -> None:
    raw = request_bytes("GET", "/Account/Details", host, bearer(shop.partner_token))

    assert speak(shop.site.port, raw).data["accountId"] == shop.partner


@pytest.mark.requirement(196, 197)
@pytest.mark.parametrize(
    "host",
    ["", " ", "a b", "api.acme.example/", "api.acme.example/health?", "api.acme.example?", "api.acme.example#",
     "x@api.acme.example", "api.acme.example,api.acme.example", "[::1", "::1", "api.acme.example:abc",
     "api.acme.example:99999999", "api.acme.example:-1", "api.acme.example:0", ".", "..", ".api.acme.example",
     "api..acme.example", "api.acm\xe9.example", "api%2eacme.example", "http://api.acme.example", "a" * 300,
     "api.acme.example:80:80", "api.acme.example\\", "*"],
)  # fmt: skip
def test_a_malformed_host_is_400(shop: Shop, host: str) -> None:
    raw = request_bytes("GET", "/Account/Details", "", [("Host", host), *bearer(shop.partner_token)])

    assert refusal(shop.site.port, raw) in ((400, -2), (400, None)), host


@pytest.mark.requirement(195)
def test_a_missing_or_repeated_host_is_400(shop: Shop, other_shop: Shop) -> None:
    good = bearer(shop.partner_token)
    for lines in (
        [],
        [("Host", shop.host), ("Host", shop.host)],
        [("Host", shop.host), ("Host", other_shop.host)],
        [("Host", other_shop.host), ("Host", shop.host)],
        [("Host", shop.host), ("host", "")],
    ):
        assert refusal(shop.site.port, request_bytes("GET", "/Account/Details", "", [*lines, *good])) == (400, -2)
    http10 = request_bytes("GET", "/Account/Details", "", good).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert refusal(shop.site.port, http10) == (400, -2)


# --- paths ------------------------------------------------------------------------------------------------------------

TRICKS = [
    "/Account/Details/", "//Account/Details", "/Account//Details", "/./Account/Details", "/x/../Account/Details",
    "/Storefront/../Account/Details", "/%41ccount/Details", "/Account%2fDetails", "/Account/Details%00",
    "/Account/Details%20", "/Account/Details;x", "/Account/Details.json", "/Account/Details%3f", "/Account\\Details",
    "/%2e%2e/Account/Details", "/Account/Det\u0130ils".encode().decode("latin-1"), "/Account/Detail\xff", "/Account/%ff",
    "*", "Account/Details", "/", "", "/Orders/Detail/", "/Orders/Detail", "/Orders/Detail/a/b",
    "/Products/Detail/", "/documentation/guides/", "/documentation/guides/../errors/-1",
    "/documentation/guides/..%2f..%2fREADME", "/documentation/guides/%2e%2e/errors", "/documentation/errors/-1%00",
    "/documentation/nothing", "/documentation//", "/docs", "/openapi.json", "/redoc", "/metrics", "/health",
    "/healthz", "/debug", "/admin",
    "/.git/config", "/.env", "/robots.txt",
]  # fmt: skip


@pytest.mark.requirement(92, 166, 181)
@pytest.mark.parametrize("path", TRICKS)
def test_a_path_that_is_not_a_route_never_reaches_another_route(shop: Shop, path: str) -> None:
    for lines in ((), bearer(shop.partner_token), api_key(shop.supplier_key.text)):
        outcome = refusal(shop.site.port, request_bytes("GET", path, shop.host, lines))
        assert outcome in ((404, -3), (405, -4), (400, None), (400, -2)), outcome


@pytest.mark.parametrize(
    "path",
    ["/Supplier%2fProducts/List", "/Supplier/../Products/List", "/%53upplier/Products/List", "//Supplier/Products/List",
     "/supplier/./Products/List", "/Supplier/Products/List/", "/Supplier;/Products/List", "/Supplier/Products%2fList",
     "/Orders/../Supplier/Products/List", "/Supplier\\Products\\List", "/Storefront/../Supplier/Products/List"],
)  # fmt: skip
def test_no_spelling_of_a_path_reaches_an_api_key_surface_without_a_key_or_with_a_token(shop: Shop, path: str) -> None:
    for lines in ((), bearer(shop.partner_token), bearer(shop.customer_token)):
        outcome = refusal(shop.site.port, request_bytes("POST", path, shop.host, lines, {}))
        assert outcome in ((404, -3), (401, -23), (400, None)), outcome


@pytest.mark.requirement(200)
def test_an_absolute_target_leads_to_the_path_in_it_and_never_to_another_tenant(shop: Shop, other_shop: Shop) -> None:
    port = shop.site.port
    own = request_bytes("GET", f"http://{shop.host}/Account/Details", shop.host, bearer(shop.partner_token))
    foreign = request_bytes("GET", f"http://{shop.host}/Account/Details", other_shop.host, bearer(shop.partner_token))

    assert speak(port, own).data["accountId"] == shop.partner
    assert refusal(port, foreign) in ((401, -21), (400, -2), (421, -10))
    beside = request_bytes("GET", f"//{other_shop.host}/Account/Details", shop.host, bearer(shop.partner_token))
    assert refusal(port, beside) in ((404, -3), (400, None))


def test_a_query_changes_nothing(shop: Shop) -> None:
    client = shop.reseller
    for query in ("?", "?x=1", "?tenant=other&sub=x", "?a=%00", "?%ff", "?" + "x" * 4000):
        assert client.get("/Account/Details" + query).data["accountId"] == shop.partner


# --- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(93, 167)
@pytest.mark.parametrize("name", EXPECTED_ROUTES, ids=lambda name: " ".join(name))
def test_another_method_is_405_with_allow(shop: Shop, name: tuple[str, str]) -> None:
    expected_route = EXPECTED_ROUTES[name]
    lines = shop.lines(expected_route.demand.surface) if expected_route.demand.surface else ()
    path = expected_route.path.replace("{", "").replace("}", "")
    known = ("GET", "HEAD") if expected_route.demand.kind == "public" else (expected_route.method,)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PROPFIND", "get", "post", "X"):
        if method in known:
            continue
        answer = speak(shop.site.port, request_bytes(method, path, shop.host, lines))
        assert answer.status == 405, method
        assert answer.header("allow") == ", ".join(known), method
        assert method == "HEAD" or answer.code == -4
        assert not any(value.encode() in answer.raw for _, value in lines), "nothing is echoed"


@pytest.mark.parametrize("method", ["TRACE", "FOO", "get", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/Supplier/Products/List", "/Supplier/None", "/payment/", "/Order/deliver"])
def test_below_an_api_key_surface_the_key_is_checked_before_the_method(shop: Shop, method: str, path: str) -> None:
    for lines in ((), api_key("ak_live_00000000000000000000000000000000"), shop.lines(Surface.RESELLER)):
        assert speak(shop.site.port, request_bytes(method, path, shop.host, lines)).verdict == (401, -23)


def test_no_header_turns_one_method_into_another(shop: Shop) -> None:
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        client = shop.client(Surface.RESELLER, [(header, "GET")])
        assert client.post("/Account/Details").verdict == (405, -4)


@pytest.mark.requirement(182)
def test_connect_and_upgrades_open_no_tunnel(shop: Shop) -> None:
    port = shop.site.port
    for target in (f"{shop.host}:443", "/Account/Details", "*"):
        assert refusal(port, request_bytes("CONNECT", target, shop.host)) in (
            (404, -3),
            (405, -4),
            (400, None),
            (400, -2),
        )
    for upgrade in ("h2c", "websocket", "TLS/1.0"):
        lines = [("Connection", "Upgrade"), ("Upgrade", upgrade), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")]
        assert refusal(port, request_bytes("GET", "/Account/Details", shop.host, lines)) == (401, -20)
    assert refusal(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")[0] in (0, 400)
    assert refusal(port, b"GET /Account/Details\r\n\r\n")[0] in (0, 400)


# --- framing ----------------------------------------------------------------------------------------------------------


def _post(shop: Shop, *lines: tuple[str, str]) -> bytes:
    good = [*bearer(shop.partner_token), ("Content-Type", "application/json")]
    return request_bytes("POST", "/Products/List", shop.host, [*good, *lines])


SMUGGLED = b"GET /Account/Details HTTP/1.1\r\nHost: api.acme.example\r\n\r\n"


def answers_to(port: int, raw: bytes) -> list[Answer]:
    """Every response on one connection."""
    found = []
    with Connection(port) as connection:
        connection.send(raw)
        connection.half_close()
        while (answer := connection.receive_or_end()) is not None:
            found.append(answer)
    return found


@pytest.mark.requirement(171)
def test_a_length_beside_chunks_never_hides_a_second_request(shop: Shop) -> None:
    for lines in (
        [("Content-Length", "4"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "4")],
    ):
        answers = answers_to(shop.site.port, _post(shop, *lines) + b"0\r\n\r\n" + SMUGGLED)
        assert len(answers) == 1
        assert answers[0].closes or answers[0].status == 400


@pytest.mark.requirement(172)
@pytest.mark.parametrize(
    "length", ["-1", "+5", "0_5", "0x5", "5 5", "5,5", "5;5", "99999999999999999999", "five", "5.0"]
)
def test_an_invalid_content_length_is_refused(shop: Shop, length: str) -> None:
    answers = answers_to(shop.site.port, _post(shop, ("Content-Length", length)) + b"{}   ")

    assert [answer.status for answer in answers] in ([], [400])


@pytest.mark.requirement(172)
def test_two_lengths_that_differ_are_refused(shop: Shop) -> None:
    raw = _post(shop, ("Content-Length", "2"), ("Content-Length", "50")) + b"{}" + SMUGGLED

    assert [answer.status for answer in answers_to(shop.site.port, raw)] in ([], [400])


@pytest.mark.requirement(173)
@pytest.mark.parametrize(
    "coding",
    ["xchunked", "chunked, chunked", "gzip, chunked", "chunked, gzip", "identity", "chunked;x=1", "\x0bchunked"],
)
def test_a_transfer_coding_that_is_not_plain_chunked_is_refused(shop: Shop, coding: str) -> None:
    raw = _post(shop, ("Transfer-Encoding", coding)) + b"2\r\n{}\r\n0\r\n\r\n" + SMUGGLED

    answers = answers_to(shop.site.port, raw)

    assert len(answers) <= 1
    assert all(answer.status in (400, 501) for answer in answers)


@pytest.mark.requirement(12, 175)
@pytest.mark.parametrize(
    "line",
    [b"no colon at all", b"Authorization : Bearer x", b" folded: x", b"\tfolded: x", b"X\x00: y", b"X: a\x00b", b"X: a\rb",
     b": empty", b"X Y: z", b"X: a\x07b"],
)  # fmt: skip
def test_an_invalid_header_line_is_refused(shop: Shop, line: bytes) -> None:
    raw = request_bytes("GET", "/Account/Details", shop.host, bearer(shop.partner_token))
    broken = raw.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")

    assert refusal(shop.site.port, broken)[0] in (0, 400, 401)


@pytest.mark.requirement(20, 39, 101)
def test_oversized_request_heads_are_refused(shop: Shop) -> None:
    port, good = shop.site.port, bearer(shop.partner_token)
    for raw in (
        request_bytes("GET", "/Account/Details", shop.host, [*good, ("X-Large", "x" * 61_440)]),
        request_bytes("GET", "/Account/Details", shop.host, [*good, *((f"X-{n}", "x") for n in range(1000))]),
        request_bytes("GET", "/" + "x" * 65_536, shop.host, good),
        request_bytes("GET", "/Account/Details?" + "x" * 65_536, shop.host, good),
        request_bytes("GET", "/Account/Details", shop.host, [("Authorization", "Bearer " + "x" * 60_000)]),
        request_bytes("POST", "/Supplier/Products/List", shop.host, [("ApiKey", "x" * 60_000)]),
    ):
        assert refusal(port, raw)[0] in (400, 401, 413, 414, 431)
    assert refusal(port, request_bytes("GET", "/Account/Details", shop.host, bearer("x" * 9000)))[1] == -21, "R39"
    assert shop.reseller.get("/Account/Details").status == 200


def test_pipelined_requests_are_answered_in_order_and_a_bad_one_does_not_affect_the_others(shop: Shop) -> None:
    good = request_bytes("GET", "/Account/Details", shop.host, bearer(shop.partner_token))
    bad = request_bytes("GET", "/Account/Details", shop.host, bearer("x.y.z"))

    with Connection(shop.site.port) as connection:
        connection.send(good + bad + good)
        outcome = [connection.receive().verdict for _ in range(3)]

    assert outcome == [(200, None), (401, -21), (200, None)]


def test_repeating_a_header_that_must_be_unique_is_400(shop: Shop) -> None:
    for name, value in (("Content-Type", "application/json"), ("h-region-code", "TR"), ("Idempotency-Key", "k"),
                        ("Content-Encoding", "identity")):  # fmt: skip
        client = shop.client(Surface.RESELLER, [(name, value), (name, value)])
        assert client.post("/Products/List", b"{}").verdict == (400, -2), name


@pytest.mark.requirement(186)
def test_nothing_of_a_request_is_echoed_in_a_response_header(shop: Shop) -> None:
    lines = [("X-Request-Id", "mine"), ("X-Correlation-Id", "mine"), ("Origin", "https://evil.example")]
    answer = shop.client(Surface.RESELLER, lines).get("/Orders/Detail/x%0d%0aSet-Cookie:%20a=b")

    assert answer.verdict == (404, -3)
    assert answer.header("x-request-id") != "mine"
    assert "evil.example" not in answer.raw.decode("latin-1")
    assert answer.header("set-cookie") is None


@pytest.mark.requirement(184)
def test_plain_http_is_never_redirected(shop: Shop) -> None:
    for route in ROUTES:
        expected_route = EXPECTED_ROUTES[route.method, route.path]
        client = shop.client(None, () if expected_route.spends else credential_for(shop, expected_route))
        status = client.call(route.method, route.path.replace("{", "").replace("}", "")).status
        client.close()
        assert status < 300 or status in REFUSED | {409}
