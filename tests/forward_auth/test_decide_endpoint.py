"""The requests of proxies, byte for byte: Envoy's form as its documentation describes it, and invalid requests."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.core.secret import Secret
from bedesten.forward_auth.identity_headers import InvalidSignature, verified
from tests.support.cli_program import Program
from tests.support.client import Lines, api_key, request_bytes
from tests.support.forward_auth import HOST, ForwardAuthServer, forward_auth_server
from tests.support.wire import TIMEOUT_S, Answer, Connection

pytestmark = pytest.mark.slow

FROM = ("X-Forwarded-For", "203.0.113.9")
PEER = "127.0.0.1"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForwardAuthServer]:
    with forward_auth_server(tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture(scope="module")
def key(gate: ForwardAuthServer) -> Lines:
    return api_key(gate.key()["key"])


def send(gate: ForwardAuthServer, method: str, target: str, host: str, lines: Lines, source: str = PEER) -> Answer:
    with Connection(gate.admin, source) as connection:
        return connection.exchange(request_bytes(method, target, host, lines))


def envoy(gate: ForwardAuthServer, target: str, lines: Lines = (), method: str = "GET", host: str = HOST) -> Answer:
    """Asks as `ext_authz` with `path_prefix` does: method, authority and path of the request, and no body."""
    return send(gate, method, f"/gate/envoy{target}", host, [FROM, ("Content-Length", "0"), *lines])


def forwarded(gate: ForwardAuthServer, lines: Lines, source: str = PEER) -> Answer:
    return send(gate, "GET", "/gate/decide", "localhost", lines, source)


def asked(method: str = "POST", uri: str = "/stock/upload", host: str = HOST) -> list[tuple[str, str]]:
    return [FROM, ("X-Forwarded-Method", method), ("X-Forwarded-Uri", uri), ("X-Forwarded-Host", host)]


# --- Envoy --------------------------------------------------------------------------------------------------------------


def test_envoy_gets_the_caller_and_a_signature_of_the_path_without_the_prefix(
    gate: ForwardAuthServer, key: Lines
) -> None:
    answer = envoy(gate, "/stock/upload?batch=7", [*key, ("X-Bedesten-Account", "evil")], "POST")
    assert (answer.status, answer.body) == (200, b"")
    headers = dict(answer.headers)
    secrets = [Secret(line) for line in gate.secret_file.read_text("ascii").split()]
    now = time.time_ns() // 1_000_000
    who = verified(headers, secrets, "POST", "/stock/upload?batch=7", now)
    assert (who.tenant, who.surface, who.scopes) == (gate.tenant, "supplier", frozenset({"*"}))
    assert who.account.startswith("sup_")
    for method, target, moment, given in (
        ("GET", "/stock/upload?batch=7", now, headers),
        ("POST", "/stock/upload", now, headers),
        ("POST", "/stock/upload?batch=7", now + 120_000, headers),
        ("POST", "/stock/upload?batch=7", now, {**headers, "x-bedesten-account": "sup_another"}),
    ):
        with pytest.raises(InvalidSignature):
            verified(given, secrets, method, target, moment)
    with pytest.raises(InvalidSignature):
        verified(headers, [Secret("x" * 20 + "0123456789abcdefghijABCDEFGHIJ")], "POST", "/stock/upload?batch=7", now)


def test_envoy_gets_the_refusal_that_the_client_is_to_get(gate: ForwardAuthServer, key: Lines) -> None:
    refusal = envoy(gate, "/stock/upload", method="POST")
    assert refusal.verdict == (401, -23)
    assert refusal.header("www-authenticate") == 'ApiKey realm="bedesten"'
    assert envoy(gate, "/nothing", key).verdict == (403, -28)
    assert envoy(gate, "/stock/upload", key, "GET").verdict == (403, -28)
    assert envoy(gate, "/stock/upload", key, "POST", "nobody.example").verdict == (421, -10)
    assert envoy(gate, "/stock/../stock/upload", key, "POST").verdict == (400, -2)
    assert envoy(gate, "/stock/%75pload", key, "POST").verdict == (400, -2)
    assert envoy(gate, "/stock/upload", [*key, *asked(uri="/status")[1:]], "POST").status == 200
    assert envoy(gate, "/nothing", [*key, *asked(uri="/status")[1:]]).verdict == (403, -28)


def test_envoys_client_is_refused_as_soon_as_it_is_revoked(gate: ForwardAuthServer) -> None:
    made = gate.key()
    assert envoy(gate, "/stock/upload", api_key(made["key"]), "POST").status == 200
    gate.program.run_json("keys", "revoke", made["id"])
    for _ in range(20):
        assert envoy(gate, "/stock/upload", api_key(made["key"]), "POST").verdict == (401, -23)


# --- wrong questions --------------------------------------------------------------------------------------------------


def test_each_of_the_proxys_headers_is_required_exactly_once(gate: ForwardAuthServer, key: Lines) -> None:
    lines = asked()
    assert forwarded(gate, [*lines, *key]).status == 200
    for number, line in enumerate(lines):
        assert forwarded(gate, [*lines[:number], *lines[number + 1 :], *key]).verdict == (400, -2), line
        if line != FROM:  # a chain of proxies may send several of these
            assert forwarded(gate, [*lines, line, *key]).verdict == (400, -2), line
            assert forwarded(gate, [*lines, (line[0], ""), *key]).verdict == (400, -2), line


@pytest.mark.parametrize("uri", ["", "*", "stock/upload", "http://reports.shop.example/stock/upload", "/a#b", "/a?b#c"])
def test_an_invalid_target_is_refused(gate: ForwardAuthServer, key: Lines, uri: str) -> None:
    assert forwarded(gate, [*asked(uri=uri), *key]).verdict == (400, -2)


@pytest.mark.parametrize("method", ["post", "TRACE", "CONNECT", "GET POST", "\u00e9"])
def test_a_method_that_no_rule_can_name_is_refused(gate: ForwardAuthServer, key: Lines, method: str) -> None:
    assert forwarded(gate, [*asked(method=method), *key]).verdict == (403, -28)


def test_a_caller_that_is_not_a_trusted_proxy_learns_nothing(gate: ForwardAuthServer, key: Lines) -> None:
    assert forwarded(gate, [*asked(), *key], "127.77.0.1").verdict == (403, -28)
    answer = send(gate, "POST", "/gate/envoy/status", HOST, [FROM], "127.77.0.1")
    assert answer.verdict == (403, -28)
    assert not any(name.startswith("x-bedesten") for name, _ in answer.headers)


def test_the_admin_listener_answers_only_under_its_own_name(gate: ForwardAuthServer, key: Lines) -> None:
    assert send(gate, "GET", "/gate/decide", HOST, [*asked(), *key]).status == 421
    for path in ("/gate", "/gate/", "/gate/decide/x", "/gate/envoy", "/gate/envoyx"):
        assert send(gate, "GET", path, "localhost", [*asked(), *key]).status == 404


def test_a_preflight_below_storefront_does_not_bypass_the_rules(gate: ForwardAuthServer) -> None:
    question = [("Origin", "https://shop.example"), ("Access-Control-Request-Method", "POST")]
    for path in ("/storefront/orders", "/storefront/", "/Storefront/orders"):
        assert envoy(gate, path, question, "OPTIONS").verdict == (403, -28)
    refused = envoy(gate, "/storefront/orders", question[:1])
    assert refused.verdict == (401, -20)
    assert refused.header("access-control-allow-origin") is None


# --- the route file -----------------------------------------------------------------------------------------------------


def eventually(gate: ForwardAuthServer, path: str, outcomes: tuple[int, int | None]) -> bool:
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if envoy(gate, path).verdict == outcomes:
            return True
        time.sleep(0.1)
    return False


def test_a_changed_file_takes_effect_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    with forward_auth_server(tmp_path) as gate:
        assert envoy(gate, "/status").status == 200
        assert envoy(gate, "/news").verdict == (403, -28)
        gate.routes.write_text('[[routes]]\npath = "/news"\npublic = true\n')
        assert eventually(gate, "/news", (200, None))
        assert envoy(gate, "/status").verdict == (403, -28)
        gate.routes.write_text('[[routes]]\npath = "/status"\npublic = "yes"\n')
        gate.server.until_logged("gate-routes-refused")
        assert envoy(gate, "/news").status == 200
        assert envoy(gate, "/status").verdict == (403, -28)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("gate.toml", '[[routes]]\npath = "/a"\npublik = true\n', "routes[0].publik: unknown; the keys are path, "),
        (
            "gate.yaml",
            "routes:\n  - path: /a\n    public: true\n",
            "the route file is TOML, not YAML: write it as gate.toml",
        ),
    ],
)
def test_the_server_does_not_start_with_a_broken_route_file(
    started: Program, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    outcome = started.run_process(
        "serve", "--port", "0", "--gate-routes", str(file), BEDESTEN_TRUSTED_PROXIES="127.0.0.1"
    )
    assert outcome.code == 1
    assert f"{file}: {reason}" in outcome.err


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("started") / "data")
    program.run_json("init")
    return program


def test_the_server_does_not_start_without_proxies_or_admin_listener_or_with_a_readable_secret(
    started: Program, tmp_path: Path
) -> None:
    file = tmp_path / "gate.toml"
    file.write_text('[[routes]]\npath = "/a"\npublic = true\n')
    serve = ("serve", "--port", "0", "--gate-routes", str(file))
    assert "BEDESTEN_TRUSTED_PROXIES" in started.run_process(*serve).err
    assert (
        "--admin-port 0" in started.run_process(*serve, "--admin-port", "0", BEDESTEN_TRUSTED_PROXIES="127.0.0.1").err
    )
    secret = started.data / "gate-secret"
    with contextlib.suppress(FileNotFoundError):
        secret.unlink()
    secret.write_text("secret-that-nobody-may-see-0123456789-abcdef\n")
    secret.chmod(0o644)
    outcome = started.run_process(*serve, BEDESTEN_TRUSTED_PROXIES="127.0.0.1")
    assert (outcome.code, "0600" in outcome.err, "nobody" in outcome.err) == (1, True, False)
    secret.unlink()
