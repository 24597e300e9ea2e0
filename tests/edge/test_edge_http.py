"""The real server on a socket with hostile and clumsy clients: framing, methods, targets, bodies.

`tests/pipeline/test_asgi.py` tests the HTTP server and the adapter; this module tests the whole server. Nothing may
cause a 5xx, a hang, or a connection that ends without an expected response.
"""

import socket

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import Lines, bearer, request_bytes
from tests.support.shop import Shop, fresh
from tests.support.wire import Answer, Connection, NoAnswer, speak

pytestmark = pytest.mark.usefixtures("slow")  # started early: `test_edge_slow` waits for them
DETAILS = "/Account/Details"
JSON = ("Content-Type", "application/json")


def head(shop: Shop, first: str, *lines: tuple[str, str], good: bool = True) -> bytes:
    """A head with this first line, the shop's host and, if `good`, the partner's token."""
    listed = [("Host", shop.host), *(bearer(shop.partner_token) if good else ()), *lines]
    return (first + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in listed) + "\r\n").encode("latin-1")


def outcome(shop: Shop, raw: bytes) -> tuple[int, int | None]:
    return speak(shop.site.port, raw).verdict


def ask(shop: Shop, path: str, lines: Lines = (), body: object = None, method: str = "POST") -> bytes:
    """A request with the partner's token."""
    return request_bytes(method, path, shop.host, [*bearer(shop.partner_token), *lines], body or {})


# --- methods and targets ------------------------------------------------------------------------------------------------

ALLOWED = {
    DETAILS: "GET",
    "/Storefront/Products/List": "POST",
    "/documentation/guides/x": "GET, HEAD",
    "/Nothing": "GET, POST",
}
"""The `Allow` header by path. Below the surfaces of API keys the key is checked before the method."""
ODD_METHODS = ("TRACE", "TRACK", "CONNECT", "get", "Post", "PURGE", "QUERY", "PROPFIND", "PRI", "X" * 200)


@pytest.mark.requirement(167, 182)
@pytest.mark.parametrize("path", ALLOWED)
@pytest.mark.parametrize("method", ODD_METHODS)
def test_an_unsupported_method_is_405_for_every_path(shop: Shop, method: str, path: str) -> None:
    secret = "Bearer not-to-be-echoed"
    answer = speak(shop.site.port, head(shop, f"{method} {path} HTTP/1.1", ("Authorization", secret), good=False))
    assert (answer.verdict, answer.header("allow")) == ((405, -4), ALLOWED[path])
    assert b"not-to-be-echoed" not in answer.raw
    assert method.encode() not in answer.body or len(method) < 5


@pytest.mark.requirement(182)
@pytest.mark.parametrize("method", ["GET\t", "G@T", "G ET", '"GET"', "GET\x00", "", "GE\xe9"])
def test_a_malformed_method_is_400_and_ends_the_connection(shop: Shop, method: str) -> None:
    answer = speak(shop.site.port, head(shop, f"{method} {DETAILS} HTTP/1.1"))
    assert (answer.status, answer.closes) == (400, True)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_a_method_that_the_path_lacks_is_405_with_those_it_has(shop: Shop, method: str) -> None:
    answer = speak(shop.site.port, head(shop, f"{method} {DETAILS} HTTP/1.1"))
    assert (answer.status, answer.header("allow")) == (405, "GET")


@pytest.mark.requirement(17)
def test_a_response_to_head_has_no_body_and_the_connection_stays_open(shop: Shop) -> None:
    with Connection(shop.site.port) as connection:
        connection.send(head(shop, f"HEAD {DETAILS} HTTP/1.1") + head(shop, f"GET {DETAILS} HTTP/1.1"))
        assert connection.receive("HEAD").status == 405
        assert connection.receive().data["email"] == shop.partner_email


@pytest.mark.parametrize("path", ["/documentation", "/documentation/guides/errors", "/openapi/reseller.json"])
def test_a_page_answers_head_without_its_body(shop: Shop, path: str) -> None:
    with Connection(shop.site.port) as connection:
        connection.send(head(shop, f"HEAD {path} HTTP/1.1") + head(shop, f"GET {path} HTTP/1.1"))
        asked, got = connection.receive("HEAD"), connection.receive()
    assert (asked.status, asked.body) == (200, b"")
    assert asked.header("content-length") == got.header("content-length") == str(len(got.body))
    assert asked.header("etag") == got.header("etag")


@pytest.mark.requirement(181, 182)
@pytest.mark.parametrize("target", ["*", "{host}:443", "{host}", "nobody.example:80"])
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST", "CONNECT", "TRACE"])
def test_a_target_that_is_not_a_path_is_refused_and_nothing_is_tunnelled(shop: Shop, method: str, target: str) -> None:
    answer = speak(shop.site.port, head(shop, f"{method} {target.format(host=shop.host)} HTTP/1.1"))
    assert answer.status == 400
    if answer.body:
        assert answer.code == -2


@pytest.mark.parametrize("target", ["?x=1", "#x", "", " ", "\\", "http://", "http:///", "://x"])
def test_a_malformed_target_is_400_or_404(shop: Shop, target: str) -> None:
    assert speak(shop.site.port, head(shop, f"GET {target} HTTP/1.1")).status in (400, 404)


TRICKS = (
    "/..", "/../Account/Details", "/%2e%2e/x", "/./Account/Details", "/Account%2fDetails", "//Account/Details",
    "/Account//Details", "/Account/Details/", "/Account/Details;x", "/Account/Details%20", "/Account/Details%00",
    "/%41ccount/Details", "/Account\\Details", "/%00", "/%ff", "/%", "/%zz", "//b.example/x", "//b.example/Account/Details",
    "/Storefront/../Account/Details", "/documentation/../Account/Details", "/documentation/guides/..%2f..%2fREADME",
    "/documentation/guides/../errors/-1", "/documentation/errors/..", "/documentation/guides/%2e%2e", "/*",
)  # fmt: skip


@pytest.mark.requirement(181)
@pytest.mark.parametrize("path", TRICKS)
def test_nothing_in_a_path_is_decoded_or_normalised(shop: Shop, path: str) -> None:
    assert outcome(shop, head(shop, f"GET {path} HTTP/1.1")) == (404, -3)


@pytest.mark.requirement(181)
@pytest.mark.parametrize(
    "path", ["/Supplier/../Account/Details", "/supplier/%2e%2e/Account/Details", "/Payment/..", "/PAYMENT//"]
)
def test_below_the_api_key_surfaces_every_path_requires_a_key(shop: Shop, path: str) -> None:
    assert outcome(shop, head(shop, f"GET {path} HTTP/1.1")) == (401, -23)


@pytest.mark.requirement(200)
def test_the_authority_of_an_absolute_target_is_ignored_and_the_host_header_decides(
    shop: Shop, other_shop: Shop
) -> None:
    """The documented exception (a proxy in front normalises it, `test_edge_nginx`): the response is always a refusal or
    the data of the shop whose token it is."""
    raw = head(shop, f"GET http://{other_shop.host}{DETAILS} HTTP/1.1")
    assert speak(shop.site.port, raw).data["email"] == shop.partner_email
    foreign = request_bytes("GET", f"http://{shop.host}{DETAILS}", other_shop.host, bearer(shop.partner_token))
    assert outcome(shop, foreign) == (401, -21)
    hostless = f"GET http://{other_shop.host}{DETAILS} HTTP/1.1\r\nAuthorization: Bearer {shop.partner_token}\r\n\r\n"
    assert outcome(shop, hostless.encode()) == (401, -21)


# --- versions and upgrades ----------------------------------------------------------------------------------------------


def test_http_1_0_is_answered_if_it_names_a_host(shop: Shop) -> None:
    with Connection(shop.site.port) as connection:
        answer = connection.exchange(head(shop, f"GET {DETAILS} HTTP/1.0"))
        assert answer.data["email"] == shop.partner_email
        assert connection.rest() == b"", "without keep-alive it is the last one"
    hostless = f"GET {DETAILS} HTTP/1.0\r\nAuthorization: Bearer {shop.partner_token}\r\n\r\n".encode()
    assert outcome(shop, hostless) == (400, -2)
    chunked = head(shop, "POST /Products/List HTTP/1.0", JSON, ("Transfer-Encoding", "chunked"))
    assert speak(shop.site.port, chunked + b"2\r\n{}\r\n0\r\n\r\n").status == 400


@pytest.mark.requirement(182)
@pytest.mark.parametrize("first", [f"GET {DETAILS}", f"GET {DETAILS} HTTP/1.2", f"GET {DETAILS} HTTP/2.0",
                                   f"GET {DETAILS} HTTP/11", f"GET {DETAILS} HTTPS/1.1", f"GET  {DETAILS} HTTP/1.1",
                                   f"GET {DETAILS} HTTP/1.1 x", f" GET {DETAILS} HTTP/1.1"])  # fmt: skip
def test_another_http_version_is_400_and_ends_the_connection(shop: Shop, first: str) -> None:
    answer = speak(shop.site.port, head(shop, first))
    assert (answer.status, answer.closes) == (400, True)


def test_the_preface_of_http_2_ends_the_connection(shop: Shop) -> None:
    with pytest.raises(NoAnswer):
        speak(shop.site.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@pytest.mark.requirement(182)
@pytest.mark.parametrize(
    "lines",
    [
        [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")],
        [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
         ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
        [("Connection", "Upgrade"), ("Upgrade", "TLS/1.0")],
    ],
    ids=["h2c", "websocket", "tls"],
)  # fmt: skip
def test_upgrades_are_ignored_and_the_credential_is_still_required(shop: Shop, lines: Lines) -> None:
    with Connection(shop.site.port) as connection:
        refused = connection.exchange(head(shop, f"GET {DETAILS} HTTP/1.1", *lines, good=False))
        assert (refused.verdict, refused.header("upgrade")) == ((401, -20), None)
        assert connection.exchange(head(shop, f"GET {DETAILS} HTTP/1.1", *lines)).data["email"] == shop.partner_email


# --- Expect and bodies --------------------------------------------------------------------------------------------------


@pytest.mark.requirement(183)
@pytest.mark.parametrize("path", ["/Orders/Create", "/Supplier/Products/Upsert", "/Storefront/Orders/Get"])
def test_a_bad_credential_is_refused_without_100_continue(shop: Shop, path: str) -> None:
    lines = [JSON, ("Expect", "100-continue"), ("Content-Length", "1000"), ("ApiKey", "ak_live_x")]
    with Connection(shop.site.port) as connection:
        connection.send(head(shop, f"POST {path} HTTP/1.1", *lines, good=False))
        assert connection.interim() == 401


def test_a_good_credential_gets_100_continue_and_then_its_answer(shop: Shop) -> None:
    with Connection(shop.site.port) as connection:
        connection.send(
            head(shop, "POST /Products/List HTTP/1.1", JSON, ("Expect", "100-continue"), ("Content-Length", "2"))
        )
        assert connection.interim() == 100
        connection.send(b"{}")
        assert connection.receive().status == 200


ELEVEN_MB = 11 * 1024 * 1024


@pytest.mark.requirement(176)
def test_eleven_megabytes_are_413_early_and_401_without_a_credential(shop: Shop) -> None:
    lines = [JSON, ("Content-Length", str(ELEVEN_MB))]
    for good, expected in ((True, (413, -5)), (False, (401, -20))):
        raw = head(shop, "POST /Orders/Create HTTP/1.1", *lines, good=good)
        with Connection(shop.site.port) as connection:
            connection.send(raw)
            early = connection.receive()
            assert (early.verdict, early.closes) == (expected, True), "nothing of the body was sent yet"
        assert outcome(shop, raw + b" " * ELEVEN_MB) == expected


@pytest.mark.requirement(176)
def test_an_endless_chunked_body_ends_at_the_limit(shop: Shop) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    with Connection(shop.site.port) as connection:
        connection.send(head(shop, "POST /Orders/Create HTTP/1.1", JSON, ("Transfer-Encoding", "chunked")))
        connection.send(chunk * 1024)
        assert connection.receive().verdict == (413, -5)


@pytest.mark.requirement(177, 178)
def test_another_media_type_or_coding_is_415_and_a_compressed_body_is_never_inflated(shop: Shop) -> None:
    for lines in (
        [("Content-Type", "text/plain")],
        [JSON, ("Content-Encoding", "gzip")],
        [JSON, ("Content-Encoding", "br")],
    ):
        assert outcome(shop, ask(shop, "/Products/List", lines)) == (415, -6)


# --- several requests on one connection ---------------------------------------------------------------------------------


def test_good_and_bad_requests_in_a_row_each_get_their_own_answer(shop: Shop, other_shop: Shop) -> None:
    mine, theirs = shop.partner_email, other_shop.partner_email
    good = request_bytes("GET", DETAILS, shop.host, bearer(shop.partner_token))
    other = request_bytes("GET", DETAILS, other_shop.host, bearer(other_shop.partner_token))
    crossed = request_bytes("GET", DETAILS, other_shop.host, bearer(shop.partner_token))
    missing = request_bytes("GET", DETAILS, shop.host)
    lost = request_bytes("GET", DETAILS, "nobody.example", bearer(shop.partner_token))
    broken = ask(shop, "/Products/List", [JSON], b"{")
    unread = request_bytes("POST", "/Orders/Create", shop.host, (), {"orderReference": "x" * 1000})
    rows: list[tuple[bytes, object]] = [
        (good, mine), (crossed, (401, -21)), (other, theirs), (missing, (401, -20)), (good, mine), (lost, (421, -10)),
        (broken, (400, -2)), (good, mine), (unread, (401, -20)), (other, theirs), (good, mine),
    ]  # fmt: skip
    with Connection(shop.site.port) as connection:
        for _ in range(5):
            connection.send(b"".join(raw for raw, _ in rows))
            for _, expected in rows:
                answer = connection.receive()
                assert (answer.data["email"] if answer.status == 200 else answer.verdict) == expected


def test_a_request_hidden_in_a_refused_body_is_never_executed(shop: Shop) -> None:
    inner = request_bytes("GET", DETAILS, shop.host, bearer(shop.partner_token))
    last = request_bytes("GET", "/Nothing", shop.host, [("Connection", "close")])
    for lines in (
        [("Content-Length", str(len(inner)))],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "0")],
        [("Transfer-Encoding", "xchunked")],
        [("Content-Length", "0"), ("Content-Length", str(len(inner)))],
    ):
        with Connection(shop.site.port) as connection:
            connection.send(head(shop, "POST /Orders/Create HTTP/1.1", JSON, *lines, good=False) + inner + last)
            received = connection.rest()
            assert b"HTTP/1.1 40" in received, lines
            assert b"200 OK" not in received, lines
            assert shop.partner_email.encode() not in received


# --- no response header contains parts of the request ---------------------------------------------------------------------

SPLIT = "%0d%0aX-Injected:%20yes"
RAW_SPLITS = ("\r\nX-Injected: yes", "\rX-Injected: yes", "\nX-Injected: yes", "\u0085X-Injected: yes")


@pytest.mark.requirement(186)
@pytest.mark.parametrize(
    "raw_path",
    [f"/Nothing{SPLIT}", f"/Orders/Detail/{SPLIT}", f"/Storefront/{SPLIT}", f"/documentation/errors/{SPLIT}"],
)
def test_an_encoded_line_break_stays_encoded(shop: Shop, raw_path: str) -> None:
    answer = speak(shop.site.port, head(shop, f"GET {raw_path}?a={SPLIT} HTTP/1.1"))
    assert answer.header("x-injected") is None
    assert b"Injected" not in answer.raw.split(b"\r\n\r\n")[0]


@pytest.mark.requirement(186)
@pytest.mark.parametrize(
    "name", ["X-Request-Id", "h-region-code", "Idempotency-Key", "Origin", "Accept", "Content-Type"]
)
@pytest.mark.parametrize("value", [f"a{SPLIT}", "a\u0085b", "a\tb", "\xff\xfe"])
def test_no_value_of_the_caller_reaches_a_header(shop: Shop, name: str, value: str) -> None:
    answer = speak(shop.site.port, ask(shop, "/Storefront/Products/List", [(name, value)]))
    assert answer.status in (200, 400, 401, 415)
    assert "Injected" not in answer.raw.split(b"\r\n\r\n")[0].decode("latin-1")
    assert (answer.header("x-request-id") or "").startswith("req_")
    assert value not in [known for _, known in answer.headers]


@pytest.mark.requirement(186)
def test_line_breaks_inside_a_json_string_split_no_answer(shop: Shop) -> None:
    text = "".join(RAW_SPLITS)
    answer = speak(shop.site.port, ask(shop, "/Orders/Get", [JSON], {"orderReference": text}))
    assert (answer.verdict, answer.header("x-injected")) == ((400, -2), None)
    login = {"email": "x", "password": "y", "callbackData": text}
    assert b"\r\nX-Injected" not in speak(shop.site.port, ask(shop, "/Login/Customer/Api/Verify", [JSON], login)).raw


# --- headers of every answer --------------------------------------------------------------------------------------------


def kinds(shop: Shop) -> list[Answer]:
    """A response of every kind that a client can cause."""
    port, host = shop.site.port, shop.host
    raws = [
        ask(shop, DETAILS, method="GET"), ask(shop, "/Nothing"), ask(shop, "/Products/List", [JSON], b"{"),
        request_bytes("GET", DETAILS, host), request_bytes("GET", DETAILS, "nobody.example"),
        request_bytes("GET", DETAILS, ""), request_bytes("POST", "/Supplier/x", host),
        request_bytes("POST", "/Storefront/Products/List", host), head(shop, f"TRACE {DETAILS} HTTP/1.1"),
        head(shop, f"GET {DETAILS} HTTP/3"), ask(shop, "/Products/List", [("Transfer-Encoding", "gzip, chunked")]),
        head(shop, f"GET /{'a' * 40_000} HTTP/1.1"), request_bytes("GET", "/documentation/guides/errors", host),
    ]  # fmt: skip
    return [speak(port, raw) for raw in raws]


@pytest.mark.requirement(165)
def test_no_answer_names_a_product_a_version_or_a_library(shop: Shop) -> None:
    for answer in kinds(shop):
        assert answer.every("server") in (["bedesten"], []), answer.raw
        assert answer.header("x-powered-by") is None
        outcome = answer.raw.lower()
        for name in (b"granian", b"hyper", b"python", b"uvloop", b"sqlite", b"traceback", b"msgspec"):
            assert name not in outcome or answer.header("content-type") == "text/html; charset=utf-8", answer.raw


@pytest.mark.requirement(184)
def test_no_answer_is_a_redirect(shop: Shop) -> None:
    lines = [("Upgrade-Insecure-Requests", "1"), ("X-Forwarded-Proto", "http")]
    for path in (DETAILS, "/", "/documentation", "/documentation/guides/errors/", "/Storefront/Products/List/"):
        answer = speak(shop.site.port, ask(shop, path, lines, method="GET"))
        assert answer.status in (200, 404), path
        assert answer.header("location") is None


@pytest.mark.requirement(185)
@pytest.mark.parametrize("good", [True, False])
def test_the_storefront_sends_security_headers_to_browsers(shop: Shop, good: bool) -> None:
    lines = shop.lines(Surface.STOREFRONT) if good else ()
    answer = speak(shop.site.port, request_bytes("POST", "/storefront/Customers/Profile", shop.host, lines))
    assert answer.status == (200 if good else 401)
    assert answer.header("strict-transport-security") == "max-age=31536000"
    assert answer.header("content-security-policy") == "default-src 'none'; frame-ancestors 'none'"
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("cache-control") == "no-store"


# --- clumsy clients -------------------------------------------------------------------------------------------------


def test_connections_dropped_at_any_byte_affect_no_other(shop: Shop) -> None:
    raw = ask(shop, "/Orders/Create", [JSON], {"orderReference": fresh("dropped"), "basketData": []})
    for end in range(0, len(raw), 7):
        with socket.create_connection(("127.0.0.1", shop.site.port)) as sock:
            sock.sendall(raw[:end])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    assert outcome(shop, raw) == (400, -2)
