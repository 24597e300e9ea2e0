"""The server behind a real nginx with our shipped configuration and its variant for a chain of proxies."""

import json
import re
import socket
import ssl
from collections.abc import Iterator

import pytest

from bedesten.gate.scopes import Surface
from bedesten.http.route import LARGE_BODY_BYTES
from bedesten.server.child_process import HttpLimits
from bedesten.tenants import actions as tenants
from tests.support.client import Lines, api_key, bearer, request_bytes
from tests.support.nginx import SHIPPED, Nginx, nginx
from tests.support.shop import Shop
from tests.support.wire import TIMEOUT_S, Answer, Connection, speak

pytestmark = pytest.mark.external

DETAILS, LIST = "/Account/Details", "/Supplier/Products/List"
NEAR, FAR = "127.45.0.1", "127.46.0.1"
ALLOWED = "127.45.0.0/16"
VARIANTS: dict[str, list[tuple[str, str]]] = {
    "as shipped": [],
    "one of a chain": [("X-Forwarded-For $remote_addr;", "X-Forwarded-For $proxy_add_x_forwarded_for;")],
}


@pytest.fixture(scope="module", params=VARIANTS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, first_shop: Shop, second_shop: Shop
) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx") / "prefix"
    with nginx(folder, first_shop.site.port, [first_shop.host, second_shop.host], VARIANTS[request.param]) as running:
        yield running
    assert running.complaints() == []


def ask(
    front: Nginx, shop: Shop, path: str = DETAILS, lines: Lines = (), method: str = "GET", source: str | None = None
) -> Answer:
    with front.connect(shop.host, source) as connection:
        return connection.exchange(request_bytes(method, path, shop.host, lines))


# --- the client ---------------------------------------------------------------------------------------------------------

SPOOFED = [("X-Forwarded-For", NEAR), ("X-Forwarded-For", f"{NEAR}, 127.0.0.1"), ("Forwarded", f"for={NEAR}"),
           ("X-Real-IP", NEAR), ("True-Client-IP", NEAR), ("CF-Connecting-IP", NEAR), ("X-Client-IP", NEAR)]  # fmt: skip


@pytest.mark.requirement(202)
def test_an_allow_list_checks_the_address_of_the_client_and_not_of_nginx(front: Nginx, first_shop: Shop) -> None:
    key = first_shop.operator.key(first_shop.id, Surface.SUPPLIER, first_shop.supplier, networks=[ALLOWED])
    assert ask(front, first_shop, LIST, api_key(key.text), "POST", NEAR).status == 200
    assert ask(front, first_shop, LIST, api_key(key.text), "POST", FAR).verdict == (401, -23)
    near_nginx = first_shop.operator.key(first_shop.id, Surface.SUPPLIER, first_shop.supplier, networks=["127.0.0.1"])
    assert ask(front, first_shop, LIST, api_key(near_nginx.text), "POST", FAR).verdict == (401, -23)


@pytest.mark.requirement(157)
@pytest.mark.parametrize("line", SPOOFED, ids=[f"{name} {number}" for number, (name, _) in enumerate(SPOOFED)])
def test_what_the_client_says_about_its_address_is_ignored(
    front: Nginx, first_shop: Shop, line: tuple[str, str]
) -> None:
    key = first_shop.operator.key(first_shop.id, Surface.SUPPLIER, first_shop.supplier, networks=[ALLOWED])
    assert ask(front, first_shop, LIST, [*api_key(key.text), line], "POST", FAR).verdict == (401, -23)
    lie = (line[0], line[1].replace(NEAR, FAR))
    assert ask(front, first_shop, LIST, [*api_key(key.text), lie], "POST", NEAR).status == 200


def test_an_address_limit_applies_to_the_client(front: Nginx, first_shop: Shop) -> None:
    first_shop.operator.within(first_shop.id, lambda tx: tenants.set_limits(tx, {"address": 2}))
    try:
        for source in (f"127.47.{front.tls_port % 250}.1", f"127.47.{front.tls_port % 250}.2"):
            answers = [
                ask(
                    front,
                    first_shop,
                    lines=[*bearer(first_shop.partner_token), ("X-Forwarded-For", f"10.0.0.{number}")],
                    source=source,
                )
                for number in range(4)
            ]
            assert [answer.status for answer in answers] == [200, 200, 429, 429]
            assert answers[3].code == -7
            assert answers[3].header("retry-after") == "30"
            assert answers[3].header("ratelimit-remaining") == "0"
    finally:
        first_shop.operator.within(first_shop.id, lambda tx: tenants.set_limits(tx, {"address": None}))


# --- the shop -----------------------------------------------------------------------------------------------------------


def test_nginx_forwards_the_host(front: Nginx, first_shop: Shop, second_shop: Shop) -> None:
    for shop in (first_shop, second_shop):
        for host in (shop.host, shop.host.upper(), f"{shop.host}:443", f"{shop.host}."):
            with front.connect(shop.host) as connection:
                answer = connection.exchange(request_bytes("GET", DETAILS, host, bearer(shop.partner_token)))
            assert answer.data["email"] == shop.partner_email
    assert ask(front, second_shop, lines=bearer(first_shop.partner_token)).verdict == (401, -21)
    hosts = [
        ("X-Forwarded-Host", second_shop.host),
        ("X-Host", second_shop.host),
        ("Forwarded", f"host={second_shop.host}"),
    ]
    assert (
        ask(front, first_shop, lines=[*bearer(first_shop.partner_token), *hosts]).data["email"]
        == first_shop.partner_email
    )


def test_an_unknown_host_gets_no_shop(front: Nginx, first_shop: Shop) -> None:
    with front.connect(first_shop.host) as connection:
        answer = connection.exchange(request_bytes("GET", DETAILS, "nobody.example", bearer(first_shop.partner_token)))
    assert answer.verdict == (421, -10)
    with pytest.raises(ssl.SSLError):
        front.connect("nobody.example")


@pytest.mark.requirement(195)
def test_nginx_refuses_a_missing_or_repeated_host(front: Nginx, first_shop: Shop, second_shop: Shop) -> None:
    for hosts in ([], [("Host", first_shop.host)] * 2, [("Host", first_shop.host), ("Host", second_shop.host)]):
        with front.connect(first_shop.host) as connection:
            raw = request_bytes("GET", DETAILS, "", [*hosts, *bearer(first_shop.partner_token)])
            assert connection.exchange(raw).status == 400


@pytest.mark.requirement(200)
def test_nginx_normalises_an_absolute_target_and_its_authority_decides(
    front: Nginx, first_shop: Shop, second_shop: Shop
) -> None:
    target = f"https://{second_shop.host}{DETAILS}"
    with front.connect(first_shop.host) as connection:
        theirs = connection.exchange(request_bytes("GET", target, first_shop.host, bearer(second_shop.partner_token)))
        assert theirs.data["email"] == second_shop.partner_email
        mine = connection.exchange(request_bytes("GET", target, first_shop.host, bearer(first_shop.partner_token)))
        assert mine.verdict == (401, -21), "never one shop's data under the other's name"


def test_nginx_forwards_the_path_unchanged(front: Nginx, first_shop: Shop) -> None:
    good = bearer(first_shop.partner_token)
    assert (
        ask(front, first_shop, f"/Products/Detail/{first_shop.card}", good, "POST").data["customerStoreProductId"]
        == first_shop.card
    )
    for path in ("/Account%2fDetails", "//Account/Details", "/Account/./Details", "/%41ccount/Details"):
        assert ask(front, first_shop, path, good).verdict == (404, -3), path


# --- what nginx passes on -----------------------------------------------------------------------------------------------


def test_connections_are_kept_on_both_sides(front: Nginx, first_shop: Shop) -> None:
    raw = request_bytes("GET", DETAILS, first_shop.host, bearer(first_shop.partner_token))
    body = request_bytes("POST", "/Products/List", first_shop.host, bearer(first_shop.partner_token), {"pageSize": 1})
    with front.connect(first_shop.host) as connection:
        for _ in range(20):
            assert connection.exchange(raw).status == 200
            assert connection.exchange(body).status == 200
        connection.send(raw * 5)
        assert [connection.receive().status for _ in range(5)] == [200] * 5


def test_a_body_that_is_too_large_is_413_from_proxy_and_server(front: Nginx, first_shop: Shop) -> None:
    good = bearer(first_shop.partner_token)
    for size, ours in ((100_000, True), (1_048_577, False), (11_000_000, False)):
        with front.connect(first_shop.host) as connection:
            raw = request_bytes("POST", "/Orders/Create", first_shop.host, good, b" " * size)
            answer = connection.exchange(raw)
        assert answer.verdict == (413, -5), size
        assert (answer.header("x-request-id") is not None) is ours
        assert answer.header("cache-control") == "no-store"
    upload = {"productId": first_shop.card, "codes": ["x" * 500] * 1_500}
    with front.connect(first_shop.host) as connection:
        lines = [*api_key(first_shop.supplier_key.text)]
        assert (
            connection.exchange(request_bytes("POST", "/Supplier/Stock/Upload", first_shop.host, lines, upload)).status
            != 413
        )


def test_nginx_never_writes_a_body_to_disk(front: Nginx, first_shop: Shop) -> None:
    with front.connect(first_shop.host) as connection:
        for _ in range(3):
            lines = api_key(first_shop.supplier_key.text)
            raw = request_bytes(
                "POST", "/Supplier/Stock/Upload", first_shop.host, lines, b'{"x":"' + b"s" * 1_000_000 + b'"}'
            )
            assert connection.exchange(raw).verdict == (400, -2)
    assert "temporary file" not in (front.folder / "error.log").read_text("utf-8")


def test_a_refusal_comes_through_with_its_headers(front: Nginx, first_shop: Shop) -> None:
    answer = ask(front, first_shop, lines=bearer("x"))
    assert answer.verdict == (401, -21)
    assert (answer.header("www-authenticate") or "").startswith('Bearer realm="bedesten", error="invalid_token"')
    assert answer.header("cache-control") == "no-store"
    assert (answer.header("x-request-id") or "").startswith("req_")
    key = ask(front, first_shop, LIST, method="POST")
    assert (key.verdict, key.header("www-authenticate")) == ((401, -23), 'ApiKey realm="bedesten"')


def test_cors_and_the_security_headers_come_through_once(front: Nginx, first_shop: Shop) -> None:
    origin = "https://shop.example"
    first_shop.operator.within(first_shop.id, lambda tx: tenants.set_origins(tx, [origin]))
    lines = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
    preflight = ask(front, first_shop, "/Storefront/Orders/Get", lines, "OPTIONS")
    assert (preflight.status, preflight.header("access-control-allow-origin")) == (204, origin)
    answer = ask(front, first_shop, "/Storefront/Products/List", lines, "POST")
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, origin)
    assert answer.header("strict-transport-security") == "max-age=31536000"
    assert answer.header("vary") == "Origin"


@pytest.mark.requirement(165)
def test_no_response_names_the_software(front: Nginx, first_shop: Shop) -> None:
    assert ask(front, first_shop, lines=bearer("x")).header("server") == "bedesten"
    for raw in (b"GET / HTTP/1.1\r\n\r\n", request_bytes("GET", "/", "nobody.example"), b"GET /x HTTP/3\r\n\r\n"):
        with front.connect(first_shop.host) as connection:
            assert connection.exchange(raw).header("server") == "nginx"


@pytest.mark.parametrize(
    "lines",
    [[("Content-Length", "2"), ("Content-Length", "3")], [("Transfer-Encoding", "xchunked")], [("Content-Length", "-1")],
     [("Transfer-Encoding", "chunked"), ("Content-Length", "2")]],
)  # fmt: skip
def test_nginx_refuses_broken_framing(front: Nginx, first_shop: Shop, lines: Lines) -> None:
    known = [("Host", first_shop.host), *bearer(first_shop.partner_token), *lines]
    raw = "POST /Products/List HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in known) + "\r\n{}"
    with front.connect(first_shop.host) as connection:
        assert connection.exchange(raw.encode()).status in (400, 501)


@pytest.mark.requirement(184)
def test_plain_http_is_refused_and_not_redirected(front: Nginx, first_shop: Shop) -> None:
    answer = speak(front.plain_port, request_bytes("GET", DETAILS, first_shop.host, bearer(first_shop.partner_token)))
    assert (answer.status, answer.header("location")) == (403, None)
    with Connection(front.tls_port) as connection:
        assert connection.exchange(request_bytes("GET", DETAILS, first_shop.host)).status == 400


@pytest.mark.requirement(184)
def test_plain_http_answers_only_the_challenge_of_a_certificate_authority(front: Nginx) -> None:
    challenges = front.folder / ".well-known" / "acme-challenge"
    challenges.mkdir(parents=True, exist_ok=True)
    (challenges / "token-1").write_text("token-1.thumbprint", "ascii")
    answer = speak(front.plain_port, request_bytes("GET", "/.well-known/acme-challenge/token-1", "anyone.example"))
    assert (answer.status, answer.body) == (200, b"token-1.thumbprint")
    for path, status in (
        ("/.well-known/acme-challenge/token-2", 404),
        ("/.well-known/acme-challenge/../../private.pem", 403),
        ("/.well-known/acme-challenge/%2e%2e/%2e%2e/private.pem", 403),
        ("/.well-known/acme-challenge", 403),
        ("/", 403),
    ):
        assert speak(front.plain_port, request_bytes("GET", path, "anyone.example")).status == status, path


def test_nginx_listens_on_ipv6_like_ipv4(front: Nginx, first_shop: Shop) -> None:
    context = ssl.create_default_context(cafile=str(front.authority))
    lines = [*bearer(first_shop.partner_token), ("Connection", "close")]
    with (
        socket.create_connection((front.second, front.tls_port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=first_shop.host) as sock,
    ):
        sock.sendall(request_bytes("GET", DETAILS, first_shop.host, lines))
        assert b"".join(iter(lambda: sock.recv(65_536), b"")).startswith(b"HTTP/1.1 200")


def test_the_access_log_has_the_request_id_of_the_client_and_no_credential(
    tmp_path_factory: pytest.TempPathFactory, first_shop: Shop
) -> None:
    with nginx(tmp_path_factory.mktemp("logged") / "prefix", first_shop.site.port, [first_shop.host]) as front:
        answers = [
            ask(front, first_shop, f"{DETAILS}?token={first_shop.partner_token}", bearer(credential), source=NEAR)
            for credential in (first_shop.partner_token, "wrong")
        ]
    text = (front.folder / "bedesten.log").read_text("utf-8")
    logged = [json.loads(line) for line in text.splitlines()]
    assert [(line["request_id"], line["status"], line["path"], line["address"], line["host"]) for line in logged] == [
        (answer.header("x-request-id"), status, DETAILS, NEAR, first_shop.host)
        for answer, status in zip(answers, (200, 401), strict=True)
    ]
    assert first_shop.partner_token not in text


def test_without_a_server_nginx_answers_503_in_the_envelope(
    tmp_path_factory: pytest.TempPathFactory, first_shop: Shop
) -> None:
    with nginx(tmp_path_factory.mktemp("alone") / "prefix", 1, [first_shop.host]) as front:
        answer = ask(front, first_shop, lines=bearer(first_shop.partner_token))
    assert answer.verdict == (503, -9)
    assert answer.header("retry-after") == "1"
    assert answer.json["success"] is False


def test_the_shipped_configuration_fits_the_limits_of_the_server() -> None:
    text = SHIPPED.read_text("utf-8")
    kept = re.search(r"keepalive_timeout (\d+)s;", text)
    assert kept is not None
    assert int(kept[1]) * 1000 < HttpLimits().idle_ms, "nginx lets go of a silent connection before the server does"
    assert LARGE_BODY_BYTES == 1024 * 1024
    assert "client_max_body_size  1m;" in text
