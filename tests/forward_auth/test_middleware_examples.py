"""The examples behind the gate, each in its own real server: FastAPI on uvicorn, Django on granian."""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from bedesten.http.message import Response
from bedesten.middleware.authorizer import LocalAuthorizer, all_paths
from bedesten.server.child_process import free_port
from tests.support.cli_program import ENVIRONMENT
from tests.support.client import Client, Lines, api_key
from tests.support.documents import ROOT
from tests.support.forward_auth import HOST, ForwardAuthServer, forward_auth_server
from tests.support.postgres_databases import postgres_database
from tests.support.sites import ENGINES
from tests.support.wire import TIMEOUT_S, Answer

pytestmark = pytest.mark.external

EXAMPLES = ROOT / "examples"
LISTED = "127.45.0.0/16"


@dataclass
class Service:
    """A running example."""

    port: int
    process: "subprocess.Popen[bytes]"
    installation: ForwardAuthServer

    def ask(self, path: str, lines: Lines = (), method: str = "GET", host: str = HOST, body: bytes = b"") -> Answer:
        """Sends a request on its own connection; third-party servers may send the response in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in (("Host", host), ("Content-Length", str(len(body))), *lines):
                connection.putheader(name, value)
            connection.endheaders(body)
            got = connection.getresponse()
            headers = tuple((name.lower(), value) for name, value in got.getheaders())
            return Answer(got.status, headers, got.read(), b"")


@contextlib.contextmanager
def running(installation: ForwardAuthServer, *command: str, port: int) -> Iterator[Service]:
    """Runs the server of an example; asserts that it exits cleanly."""
    program = installation.program
    environment = {
        "BEDESTEN_DATA": str(program.data),
        **({"BEDESTEN_DATABASE": program.database} if program.database else {}),
    }
    said = program.data.parent / f"said-{port}"
    with (
        said.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", *command], cwd=EXAMPLES, env={**ENVIRONMENT, **environment}, stdout=out, stderr=out
        ) as process,
    ):
        try:
            end = time.monotonic() + TIMEOUT_S
            while True:
                assert process.poll() is None, said.read_text("utf-8")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert time.monotonic() < end, said.read_text("utf-8")
                time.sleep(0.05)
            yield Service(port, process, installation)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)
    assert "Traceback" not in said.read_text("utf-8")


@pytest.fixture(scope="module", params=ENGINES)
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForwardAuthServer]:
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_database()) if request.param == "postgresql" else None
        yield stack.enter_context(forward_auth_server(tmp_path_factory.mktemp("server"), database=database))


@pytest.fixture(scope="module")
def fastapi(installation: ForwardAuthServer) -> Iterator[Service]:
    port = free_port(0)
    command = ("uvicorn", "fastapi_app:app", "--port", str(port), "--log-level", "warning")
    with running(installation, *command, port=port) as service:
        yield service


@pytest.fixture(scope="module")
def django(installation: ForwardAuthServer) -> Iterator[Service]:
    port = free_port(0)
    command = ("granian", "--interface", "wsgi", "--port", str(port), "--workers", "2", "django_app:application")
    with running(installation, *command, port=port) as service:
        yield service


# --- FastAPI ------------------------------------------------------------------------------------------------------------


def test_fastapi_knows_the_caller(fastapi: Service) -> None:
    installation = fastapi.installation
    answer = fastapi.ask("/me", installation.login())
    assert answer.status == 200, answer.body
    assert (answer.json["tenant"], answer.json["account"]) == (installation.tenant, installation.partner)
    assert "orders:read" in answer.json["rights"]
    assert fastapi.ask("/reports/2026-11", installation.login()).json == {
        "month": "2026-11",
        "of": installation.partner,
    }
    assert fastapi.ask("/status").json == {"status": "ok"}


def test_fastapi_answers_refusals_as_the_surfaces_do(fastapi: Service) -> None:
    key = api_key(fastapi.installation.key()["key"])
    for lines, outcome in (((), (401, -20)), (key, (401, -20)), ((("Authorization", "Bearer a.b.c"),), (401, -21))):
        answer = fastapi.ask("/me", lines)
        assert answer.verdict == outcome
        assert (answer.header("www-authenticate") or "").startswith("Bearer")
        assert answer.header("cache-control") == "no-store"
    assert fastapi.ask("/me", fastapi.installation.login(), host="nobody.example").verdict == (421, -10)
    assert fastapi.ask("/nothing").verdict == (401, -20), (
        "without a credential nobody learns that a path does not exist"
    )
    assert fastapi.ask("/docs").verdict == (401, -20)
    assert fastapi.ask("/nothing", fastapi.installation.login()).status == 404


def test_fastapis_requirement_is_checked_against_the_current_scopes(fastapi: Service) -> None:
    program, token = fastapi.installation.program, fastapi.installation.login()
    assert fastapi.ask("/reports/1", token).status == 200
    program.run_json("partners", "scopes", "p@partner.example", "--tenant", "shop", "--scope", "orders:read")
    try:
        answer = fastapi.ask("/reports/1", token)
        assert answer.verdict == (403, -24)
        assert 'scope="account:read"' in (answer.header("www-authenticate") or "")
        assert answer.json["requestId"] == answer.header("x-request-id")
        assert fastapi.ask("/me", token).json["rights"] == ["orders:read"]
    finally:
        program.run_json("partners", "scopes", "p@partner.example", "--tenant", "shop", "--all")
    assert fastapi.ask("/reports/1", token).status == 200


def test_fastapi_refuses_a_revoked_credential_from_the_next_request_on(fastapi: Service) -> None:
    installation = fastapi.installation
    client = Client(fastapi.port, HOST, installation.login())
    assert all(client.get("/me").status == 200 for _ in range(5))
    installation.program.run_json("tokens", "revoke", "--tenant", "shop", "--subject", installation.partner)
    assert [client.get("/me").verdict for _ in range(20)] == [(401, -21)] * 20
    assert client.get("/status").status == 200
    client.close()


ODD = (
    "/status/../me",
    "/./status",
    "//status",
    "/st%2561tus",
    "/me;x",
    "/Status",
    "/me%00",
    "/me%5c",
)


@pytest.mark.parametrize("path", ODD)
def test_fastapi_never_receives_an_ambiguous_path(fastapi: Service, path: str) -> None:
    assert fastapi.ask(path, fastapi.installation.login()).verdict in ((400, -2), (403, -28))


# --- Django -------------------------------------------------------------------------------------------------------------


def test_django_knows_the_caller(django: Service) -> None:
    installation = django.installation
    made = installation.key()
    for _ in range(6):  # from both workers
        answer = django.ask("/me", api_key(made["key"]))
        assert answer.status == 200, answer.body
        assert answer.json == {"tenant": installation.tenant, "account": made["ownerId"], "rights": ["*"]}
    stored = django.ask("/stock/p-1", api_key(made["key"]), "POST", body=b"x" * 100_000)
    assert stored.json == {"product": "p-1", "of": made["ownerId"], "received": 100_000}
    assert django.ask("/status").json == {"status": "ok"}


def test_django_answers_refusals_as_the_surfaces_do(django: Service) -> None:
    wrong = api_key("ak_live_" + "0" * 32)
    for lines in ((), wrong, django.installation.login(), [*wrong, *wrong]):
        answer = django.ask("/me", lines)
        assert answer.verdict == (401, -23)
        assert answer.header("www-authenticate") == 'ApiKey realm="bedesten"'
    good = api_key(django.installation.key()["key"])
    assert django.ask("/me", good, host="nobody.example").verdict == (421, -10)
    assert django.ask("/nothing", good).verdict == (403, -28)
    assert django.ask("/me", good, "POST").verdict == (403, -28)
    assert django.ask("/me", [*good, ("X-HTTP-Method-Override", "POST")]).verdict == (400, -2)


def test_djangos_requirement_is_checked_against_the_grants(django: Service) -> None:
    narrow = api_key(django.installation.key("--grant", "stock:write")["key"])
    assert django.ask("/stock/p-1", narrow).status == 200
    answer = django.ask("/stock/p-1/prices", narrow)
    assert answer.verdict == (403, -25)
    assert answer.json["requestId"] == answer.header("x-request-id")
    assert django.ask("/stock/p-1", api_key(django.installation.key("--grant", "orders:read")["key"])).verdict == (
        403,
        -25,
    )
    assert django.ask("/stock/p-1/prices", api_key(django.installation.key()["key"])).status == 200


def test_django_refuses_a_revoked_credential_from_the_next_request_on(django: Service) -> None:
    made = django.installation.key()
    lines = api_key(made["key"])
    assert all(django.ask("/me", lines).status == 200 for _ in range(6))
    django.installation.program.run_json("keys", "revoke", made["id"])
    assert [django.ask("/me", lines).verdict for _ in range(20)] == [(401, -23)] * 20


@pytest.mark.parametrize("path", [*ODD, "/%ff"])
def test_django_never_receives_an_ambiguous_path(django: Service, path: str) -> None:
    assert django.ask(path, api_key(django.installation.key()["key"])).verdict in ((400, -2), (403, -28))


def test_the_installation_records_the_uses_of_api_keys_at_a_service(django: Service) -> None:
    """The uses are written when the process ends, at the latest."""
    made = django.installation.key()
    port = free_port(0)
    command = ("granian", "--interface", "wsgi", "--port", str(port), "django_app:application")
    with running(django.installation, *command, port=port) as own:
        assert own.ask("/me", api_key(made["key"])).status == 200
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        (secret,) = django.installation.program.run_json("keys", "usage", made["id"])["secrets"]
        if secret["lastUsed"]:
            return
        time.sleep(0.2)
    raise AssertionError("the use was not written")


def test_without_its_store_a_service_answers_503(tmp_path: Path) -> None:
    with forward_auth_server(tmp_path) as installation:
        port = free_port(0)
        command = ("uvicorn", "fastapi_app:app", "--port", str(port), "--log-level", "warning")
        with running(installation, *command, port=port) as service:
            token = installation.login()
            assert service.ask("/me", token).status == 200
            os.rename(installation.program.data / "bedesten.db", tmp_path / "elsewhere.db")
            for path in ("/me", "/status"):
                answer = service.ask(path, token)
                assert answer.verdict == (503, -9)
                assert answer.header("retry-after") == "1"
            os.rename(tmp_path / "elsewhere.db", installation.program.data / "bedesten.db")


def test_a_refusal_of_the_middleware_itself_is_logged_and_has_the_requested_format(tmp_path: Path) -> None:
    authorizer = LocalAuthorizer(all_paths("reseller"), data=tmp_path)
    with structlog.testing.capture_logs() as logged:
        refused = authorizer.request(
            "GET", b"/a", b"q#", [(b"host", b"h"), (b"accept", b"application/problem+json")], "192.0.2.1"
        )
    assert isinstance(refused, Response)
    assert (refused.status, dict(refused.headers)[b"content-type"]) == (400, b"application/problem+json")
    (line,) = logged
    assert (line["event"], line["code"]) == ("not-admitted", -2)
    assert line["request_id"].encode() in refused.body
    assert not list(tmp_path.iterdir()), "nothing was opened for it"


def test_a_service_whose_installation_hangs_answers_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authorizer = LocalAuthorizer(all_paths("reseller"), data=tmp_path)
    made = authorizer.request("GET", b"/a", b"", [(b"host", b"h")], "192.0.2.1")
    assert not isinstance(made, Response)
    monkeypatch.setattr("bedesten.middleware.authorizer.DECISION_TIMEOUT_S", 0.05)
    monkeypatch.setattr("bedesten.middleware.authorizer._RunningAuthorizer.decide", lambda *_: asyncio.sleep(60))
    for answer in (authorizer.decide_now(made), asyncio.run(authorizer.decide(made))):
        assert isinstance(answer, Response)
        assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"1")
    authorizer.close()
