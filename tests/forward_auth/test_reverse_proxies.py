"""Real proxies, with the configurations of the how-to pages, in front of an upstream service."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.support import reverse_proxies
from tests.support.client import Client, Lines, api_key, request_bytes
from tests.support.forward_auth import HOST, ForwardAuthServer, Service, forward_auth_server, upstream_service
from tests.support.nginx import TlsConnection
from tests.support.wire import Answer, Connection

pytestmark = pytest.mark.external

Async = Callable[[Path, int, int], contextlib.AbstractContextManager[int]]
FRONTS: dict[str, Async] = {
    "nginx": reverse_proxies.nginx,
    "caddy": reverse_proxies.caddy,
    "envoy": reverse_proxies.envoy,
    "traefik": reverse_proxies.traefik,
}
FAR = "127.46.0.1"
WITHOUT_GATE = {"nginx": 503, "caddy": 502, "envoy": 403, "traefik": 500}


@dataclass
class Front:
    """A proxy, the gate that it asks, and the service behind it."""

    name: str
    port: int
    gate: ForwardAuthServer
    service: Service

    def ask(self, path: str, lines: Lines = (), method: str = "GET", source: str | None = None) -> Answer:
        """Sends a request on its own connection."""
        with Connection(self.port, source) as connection:
            return connection.exchange(request_bytes(method, path, HOST, lines))

    def asked(self, answer: Answer) -> dict[str, str]:
        """The headers with which the request reached the service; asserts that each occurs once."""
        assert answer.status == 200, answer.body
        assert answer.json["signed"] is True
        names = [name for name, _ in answer.json["headers"]]
        assert len(names) == len(set(names))
        return dict(answer.json["headers"])


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardAuthServer]:
    with forward_auth_server(tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture(scope="module", params=FRONTS)
def front(
    request: pytest.FixtureRequest, gate: ForwardAuthServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front") / "prefix"
    with upstream_service(gate.secret_file) as service, FRONTS[request.param](folder, gate.admin, service.port) as port:
        yield Front(request.param, port, gate, service)


@pytest.fixture
def token(gate: ForwardAuthServer) -> Lines:
    return gate.login()


@pytest.fixture(scope="module")
def key(gate: ForwardAuthServer) -> Lines:
    return api_key(gate.key()["key"])


# --- accepted callers -------------------------------------------------------------------------------------------------


def test_a_bearer_token_reaches_the_service_as_an_account_and_not_as_a_credential(front: Front, token: Lines) -> None:
    answer = front.ask("/reports/2026?month=3&x=%2F", token)
    headers = front.asked(answer)
    assert answer.json["path"] == "/reports/2026?month=3&x=%2F"
    assert headers["x-bedesten-tenant"] == front.gate.tenant
    assert headers["x-bedesten-account"] == front.gate.partner
    assert headers["x-bedesten-surface"] == "reseller"
    assert "orders:read" in headers["x-bedesten-scopes"].split()
    assert headers["x-bedesten-request-id"].startswith("req_")
    assert "authorization" not in headers
    assert headers["host"] == HOST


def test_an_api_key_reaches_the_service_with_its_body(front: Front, key: Lines) -> None:
    with Connection(front.port) as connection:
        for body in (b"code-1\ncode-2", b"x" * 200_000):
            answer = connection.exchange(request_bytes("POST", "/stock/upload", HOST, key, body))
            headers = front.asked(answer)
            assert answer.json["body"] == body.decode()
            assert (answer.json["method"], headers["x-bedesten-surface"]) == ("POST", "supplier")
            assert headers["x-bedesten-scopes"] == "*"
            assert "apikey" not in headers


def test_a_public_path_is_open_and_its_caller_is_anonymous(front: Front, token: Lines) -> None:
    for lines in ((), token):
        headers = front.asked(front.ask("/status", lines))
        assert headers["x-bedesten-tenant"] == front.gate.tenant
        for name in ("account", "surface", "scopes"):
            assert headers.get(f"x-bedesten-{name}") == (None if front.name == "nginx" else "")


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_refusal_is_the_gates_verbatim_and_does_not_reach_the_service(front: Front, token: Lines, key: Lines) -> None:
    before = len(front.service.asked)
    wrong = api_key("ak_live_" + "0" * 32)
    for path, method, lines, outcome, challenge in (
        ("/reports", "GET", (), (401, -20), 'Bearer realm="bedesten"'),
        ("/reports", "GET", key, (401, -20), 'Bearer realm="bedesten"'),
        ("/stock/upload", "POST", (), (401, -23), 'ApiKey realm="bedesten"'),
        ("/stock/upload", "POST", wrong, (401, -23), 'ApiKey realm="bedesten"'),
        ("/stock/upload", "POST", token, (401, -23), 'ApiKey realm="bedesten"'),
        ("/nothing", "GET", token, (403, -28), None),
        ("/stock/upload", "GET", key, (403, -28), None),
        ("/reports", "DELETE", token, (403, -28), None),
        ("/", "GET", token, (403, -28), None),
    ):
        answer = front.ask(path, lines, method)
        assert answer.verdict == outcome, path
        assert answer.header("www-authenticate") == challenge
        assert answer.header("cache-control") == "no-store"
        assert answer.header("content-type") == "application/json"
        assert answer.json["requestId"] == answer.header("x-request-id")
    assert front.service.asked[before:] == []


def test_a_missing_scope_or_grant_is_403(front: Front) -> None:
    gate = front.gate
    gate.program.run_json("partners", "scopes", "p@partner.example", "--tenant", "shop", "--scope", "orders:read")
    try:
        narrow = gate.login()
        answer = front.ask("/reports", narrow)
        assert answer.verdict == (403, -24)
        assert 'scope="account:read"' in (answer.header("www-authenticate") or "")
        assert front.ask("/me", narrow).status == 200
    finally:
        gate.program.run_json("partners", "scopes", "p@partner.example", "--tenant", "shop", "--all")
    reader = api_key(gate.key("--grant", "products:read")["key"])
    assert front.ask("/stock/upload", reader, "POST").verdict == (403, -25)
    headers = front.asked(front.ask("/supplier/any", reader))
    assert headers["x-bedesten-scopes"] == "products:read"


def test_a_revoked_credential_is_refused_from_the_next_request_on(front: Front) -> None:
    gate = front.gate
    made, mine = gate.key(), gate.login()
    clients = [Client(front.port, HOST, api_key(made["key"])) for _ in range(5)]
    assert all(client.post("/stock/upload").status == 200 for client in clients)
    holder = Client(front.port, HOST, mine)
    assert holder.get("/reports").status == 200
    before = len(front.service.asked)
    gate.program.run_json("keys", "revoke", made["id"])
    for client in clients * 4:
        assert client.post("/stock/upload").verdict == (401, -23)
    gate.program.run_json("tokens", "revoke", "--tenant", "shop", "--subject", gate.partner)
    for _ in range(20):
        assert holder.get("/reports").verdict == (401, -21)
    assert front.service.asked[before:] == []
    for client in (*clients, holder):
        client.close()


def test_an_allow_list_is_checked_against_the_clients_address(front: Front) -> None:
    near = "127.45.0.1"
    listed = api_key(front.gate.key("--allow", "127.45.0.0/16")["key"])
    assert front.ask("/stock/upload", listed, "POST", near).status == 200
    assert front.ask("/stock/upload", listed, "POST", FAR).verdict == (401, -23)
    lie = [*listed, ("X-Forwarded-For", near)]
    assert front.ask("/stock/upload", lie, "POST", FAR).verdict == (401, -23)
    of_the_proxy = api_key(front.gate.key("--allow", "127.0.0.1")["key"])
    assert front.ask("/stock/upload", of_the_proxy, "POST", FAR).verdict == (401, -23)


LIMITED = count(1)


def test_a_request_over_the_limit_is_429_with_retry_after(front: Front) -> None:
    gate = front.gate
    gate.program.run_json("tenants", "set", "shop", "--limit", "address=2")
    try:
        source = f"127.47.{next(LIMITED)}.1"  # the proxies share a gate, and it counts by address
        answers = [front.ask("/status", source=source) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert answers[3].code == -7
        assert answers[3].header("retry-after") == "30"
    finally:
        gate.program.run_json("tenants", "set", "shop", "--limit", "address=off")


IDENTITY = ("Tenant", "Account", "Surface", "Scopes", "Request-Id", "Signature")


@pytest.mark.parametrize("named", [*IDENTITY, ", X-Bedesten-".join(IDENTITY)])
def test_a_caller_cannot_remove_the_gates_headers_by_naming_them_in_connection(
    front: Front, token: Lines, named: str
) -> None:
    """They would be hop-by-hop headers then (RFC 9110 section 7.6.1), which a proxy drops."""
    for path, lines in (("/reports", token), ("/status", ())):
        headers = front.asked(front.ask(path, [*lines, ("Connection", f"close, X-Bedesten-{named}")]))
        assert headers["x-bedesten-tenant"] == front.gate.tenant
        assert headers["x-bedesten-account" if lines else "x-bedesten-request-id"]


# --- forged headers ---------------------------------------------------------------------------------------------------


def test_identity_headers_of_the_caller_are_replaced(front: Front, token: Lines) -> None:
    made_up = [
        ("X-Bedesten-Tenant", "evil"), ("X-Bedesten-Account", "evil"), ("x-bedesten-ACCOUNT", "evil"),
        ("X-Bedesten-Surface", "evil"), ("X-Bedesten-Scopes", "evil"), ("X-Bedesten-Request-Id", "evil"),
        ("X-Bedesten-Signature", "evil"),
    ]  # fmt: skip
    for path, lines in (("/reports", token), ("/status", ())):
        answer = front.ask(path, [*lines, *made_up])
        front.asked(answer)
        assert b"evil" not in answer.body
        assert answer.json["headers"]


def test_headers_that_resemble_an_identity_header_do_not_reach_the_service(front: Front, token: Lines) -> None:
    for name in ("X_Bedesten_Account", "X-Bedesten_Account", "x_bedesten_tenant"):
        answer = front.ask("/reports", [*token, (name, "evil")])
        assert answer.status == (
            200 if front.name in ("nginx", "caddy") else 400
        )  # these proxies drop such names by themselves
        assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "line",
    [
        ("X-Forwarded-Uri", "/status"), ("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "other.example"),
        ("X-Original-URI", "/status"), ("X-Original-Method", "GET"), ("X-Envoy-Original-Path", "/status"),
        ("Forwarded", "host=other.example"),
    ],
    ids=lambda line: line[0],
)  # fmt: skip
def test_headers_of_the_caller_about_its_own_request_are_ignored(
    front: Front, token: Lines, line: tuple[str, str]
) -> None:
    assert front.ask("/stock/upload", [line], "POST").verdict == (401, -23)
    assert front.ask("/nothing", [*token, line]).verdict == (403, -28)
    assert front.ask("/reports", [*token, line], "POST").status == 200


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Original-URL", "X-Rewrite-URL"])
def test_a_header_that_names_another_method_or_path_is_refused(front: Front, token: Lines, name: str) -> None:
    before = len(front.service.asked)
    assert front.ask("/reports", [*token, (name, "DELETE")]).verdict == (400, -2)
    assert front.service.asked[before:] == []


def test_two_credentials_are_refused(front: Front, token: Lines) -> None:
    before = len(front.service.asked)
    for lines in ([*token, *token], [*token, ("Authorization", "Bearer x")]):
        assert front.ask("/reports", lines).status in (400, 401)
    assert front.service.asked[before:] == []


ODD = (
    "/status/../reports", "/reports/..", "/./status", "/reports/%2e%2e/status", "/reports/%2E", "//status",
    "/reports//x", "/status%2f..%2freports", "/st%61tus", "/reports%2fsecret", "/reports/%73ecret", "/reports\\secret",
    "/reports/%5csecret", "/reports/x%00", "/reports/secret%20%09", "/reports/%252e", "/reports;x=y", "/reports/%ff",
    "/reports/secret/", "/REPORTS/secret", "/reports/SECRET", "/Status", "/status/", "/reports/\u00ef\u00bc\u008f".encode(
        "latin-1"
    ).decode("latin-1"), "/reports/%EF%BC%8E%EF%BC%8E", "/reports/%C5%BFecret", "/reports/%EF%BC%B3ecret",
    "/reports/" + "x" * 5000,
)  # fmt: skip


SPELT_OUT = {"/st%61tus": "/status", "/reports/%73ecret": "/reports/secret"}
"""Traefik decodes letters that need no percent-encoding, so that the path is unambiguous again."""


@pytest.mark.parametrize("path", ODD, ids=lambda path: path[:30].encode("ascii", "backslashreplace").decode())
def test_an_ambiguous_path_never_reaches_the_service(front: Front, token: Lines, path: str) -> None:
    before = len(front.service.asked)
    answer = front.ask(path, token)
    if front.name == "traefik" and path in SPELT_OUT:  # before the gate and the service read the path
        front.asked(answer)
        assert answer.json["path"] == SPELT_OUT[path]
        return
    assert answer.status in (400, 403, 414), answer.body
    assert front.service.asked[before:] == []


def test_spaces_and_letters_of_all_languages_arrive_as_they_were_sent(front: Front, token: Lines) -> None:
    for path in ("/reports/a%20b", "/reports/%C3%BC", "/reports/%e3%81%82?q=%00%2e%2f", "/reports/a+b,c=d&e'(f)~"):
        answer = front.ask(path, token)
        front.asked(answer)
        assert answer.json["path"] == (path.replace("%e3", "%E3") if front.name == "traefik" else path)


def test_nginx_presents_the_certificate_that_the_page_names(
    gate: ForwardAuthServer, token: Lines, tmp_path: Path
) -> None:
    folder = tmp_path / "front"
    with upstream_service(gate.secret_file) as service, reverse_proxies.nginx(folder, gate.admin, service.port):
        port = int((folder / reverse_proxies.TLS_PORT).read_text("ascii"))
        with TlsConnection(port, HOST, folder / reverse_proxies.CERTIFICATE) as connection:
            answer = connection.exchange(request_bytes("GET", "/reports", HOST, token))
    assert (answer.status, answer.json["path"]) == (200, "/reports")


# --- without the gate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRONTS)
def test_every_request_is_refused_while_the_gate_is_down(name: str, tmp_path: Path) -> None:
    with (
        forward_auth_server(tmp_path) as gate,
        upstream_service(gate.secret_file) as service,
        FRONTS[name](tmp_path / "front", gate.admin, service.port) as port,
    ):
        front = Front(name, port, gate, service)
        token = gate.login()
        assert front.ask("/reports", token).status == 200
        before = len(service.asked)
        gate.server.process.terminate()
        gate.server.process.wait(120)
        for path in ("/reports", "/status", "/nothing"):
            answer = front.ask(path, token)
            assert answer.status == WITHOUT_GATE[name]
            assert name != "nginx" or answer.code == -9
        assert service.asked[before:] == []
