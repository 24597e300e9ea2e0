"""The admin listener over real sockets: health and metrics, strictly separate from the tenants' hosts."""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bedesten.admin.keyring_file import read_keyring
from bedesten.admin_api.listener import is_own
from bedesten.server.child_process import free_port
from bedesten.server.settings import Settings
from tests.store.raw import raw
from tests.support.cli_program import Program
from tests.support.cli_server import CliServer, served
from tests.support.client import Client, api_key, bearer
from tests.support.metrics import ask, of, scrape, settled, until
from tests.support.pausing import paused
from tests.support.postgres_databases import postgres_database
from tests.support.sites import ENGINES

pytestmark = pytest.mark.slow

HOST, PASSWORD = "api.shop.example", "seven lanterns by the gate"
LOGIN = "/Login/Customer/Api/Verify"


@dataclass
class RunningServer:
    """A shop with one partner, and its server."""

    program: Program
    server: CliServer
    settings: Settings

    @property
    def admin(self) -> int:
        """The admin listener's port."""
        return urlsplit(self.server.ready["adminUrl"]).port or 0

    def client(self, *lines: tuple[str, str]) -> Client:
        """A client of the shop."""
        return Client(self.server.port, HOST, lines)


@contextlib.contextmanager
def running_server(engine: str, folder: Path, workers: int = 2) -> Iterator[RunningServer]:
    """A running server with its admin listener."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_database()) if engine == "postgresql" else None
        program = Program(folder / "data", database)
        program.run_json("init")
        program.run_json("tenants", "create", "shop", "--host", HOST)
        program.run_json(
            "partners", "create", "--tenant", "shop", "--email", "p@partner.example", "--password-stdin",
            stdin=PASSWORD.encode(),
        )  # fmt: skip
        settings = Settings(data=program.data, database=database)
        admin = str(free_port(0))
        server = stack.enter_context(served(program, "--workers", str(workers), "--admin-port", admin))
        yield RunningServer(program, server, settings)


@pytest.fixture(scope="module", params=ENGINES)
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that all tests of an engine share, and leave intact."""
    with running_server(request.param, tmp_path_factory.mktemp("admin")) as made:
        yield made


@pytest.mark.requirement(216)
def test_the_admin_listener_uses_loopback_unless_configured_otherwise(here: RunningServer) -> None:
    (listening,) = [event for event in here.server.events if event.get("name") == "admin"]
    assert listening["host"] == "127.0.0.1"


def reason_of(body: bytes) -> str:
    """The listener's reason for not being ready."""
    return str(json.loads(body)["data"]["reason"])


def test_health_needs_no_credential_and_is_not_cached(here: RunningServer) -> None:
    for path in ("/health/live", "/health/ready"):
        status, headers, body = ask(here.admin, path)
        assert (status, json.loads(body)) == (200, {"status": "ok"})
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_no_tenant_route_answers_on_the_admin_listener(here: RunningServer) -> None:
    for path in (
        "/",
        "/Categories",
        LOGIN,
        "/Supplier/Products/List",
        "/openapi/reseller.json",
        "/documentation/",
        "/metrics/",
    ):
        status, headers, body = ask(here.admin, path)
        document = json.loads(body)
        assert (status, document["code"], document["requestId"]) == (404, -3, headers["x-request-id"])
    status, headers, body = ask(here.admin, "/metrics", method="POST")
    assert (status, json.loads(body)["code"], headers["allow"]) == (405, -4, "GET, HEAD")


def test_head_is_answered_like_get_without_a_body(here: RunningServer) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        status, _, body = ask(here.admin, path, method="HEAD")
        assert (status, body) == (200, b"")


@pytest.mark.requirement(215)
def test_nothing_of_the_admin_listener_answers_on_a_tenant_s_host_nor_on_a_host_of_nobody(here: RunningServer) -> None:
    for path in ("/metrics", "/health/live", "/health/ready"):
        assert here.client().get(path).status == 404
        assert here.client(*bearer("x.y.z")).get(path).status == 404
        assert Client(here.server.port, "nobody.example").get(path).status == 421


@pytest.mark.parametrize(
    "host", [HOST, "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:1", "[::1", "a b"]
)
def test_a_host_name_other_than_the_admin_listeners_own_is_misdirected(here: RunningServer, host: str) -> None:
    for path in ("/metrics", "/health/live", "/health/ready", "/nothing"):
        status, _, body = ask(here.admin, path, host)
        assert (status, json.loads(body)["code"]) == (421, -10)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9", "localhost", "LOCALHOST:8081", "[::1]:8081", "10.1.2.3:80"]
)
def test_an_ip_address_and_localhost_are_the_admin_listeners_own_names(here: RunningServer, host: str) -> None:
    assert ask(here.admin, "/health/live", host)[0] == 200


def test_an_http_1_0_probe_without_a_host_is_answered(here: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", here.admin), timeout=120) as probe:
        probe.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert b" 200 " in probe.recv(4096).split(b"\r\n")[0]


def test_names_of_the_admin_listener_must_match_completely() -> None:
    names = frozenset({"ops.example", "localhost"})
    assert is_own(b"OPS.example.:8081", names)
    assert not is_own(b"ops.example.evil.example", names)
    assert not is_own(b"ops.example:8081x", names)
    assert not is_own(b"", names)


def test_every_response_is_counted_once_whichever_worker_sent_it(here: RunningServer) -> None:
    before = settled(here.admin, here.settings.metrics_directory)
    for _ in range(30):
        assert here.client().get("/documentation/errors/-1.json").status == 200
        assert here.client(*api_key("ak_live_" + "0" * 32)).post("/Supplier/Products/List", {}).status == 401
        assert here.client(*bearer("x.y.z")).get("/Account/Details").status == 401
    assert here.client().post(LOGIN, {"email": "p@partner.example", "password": "wrong"}).status == 400
    login = here.client().post(LOGIN, {"email": "p@partner.example", "password": PASSWORD})
    token = login.json["data"]["token"]
    assert here.client(*bearer(token)).get("/Account/Details").status == 200

    now = settled(here.admin, here.settings.metrics_directory)

    def more(name: str, **labels: str) -> float:
        return of(now, name, **labels) - of(before, name, **labels)

    assert more("requests_total", surface="public", status="2xx", code="0") == 30
    assert more("requests_total", surface="supplier", status="4xx", code="-23") == 30
    assert more("requests_total", surface="reseller", status="4xx", code="-21") == 30
    assert more("requests_total", surface="reseller", status="2xx", code="0") == 2
    assert more("requests_total", surface="reseller", status="4xx", code="-26") == 1
    assert more("logins_total", surface="reseller", result="ok") == 1
    assert more("logins_total", surface="reseller", result="refused") == 1
    assert more("request_seconds_count", surface="supplier") == 30
    assert more("revision_check_seconds_count") == 93
    assert of(now, "processes", kind="web") == 2
    assert of(now, "processes", kind="worker") == 1


def test_metrics_name_no_tenant_no_account_and_no_address(here: RunningServer) -> None:
    here.client().post(LOGIN, {"email": "p@partner.example", "password": "wrong"})
    assert until(lambda: b'surface="reseller"' in ask(here.admin, "/metrics")[2])  # published once a second
    text = ask(here.admin, "/metrics")[2].decode()
    (tenant,) = here.program.run_json("tenants", "list")["tenants"]
    (partner,) = here.program.run_json("partners", "list", "--tenant", "shop")["partners"]
    for private in (tenant["id"], "shop", partner["id"], "partner.example", HOST, "127.0.0.1"):
        assert private not in text


def test_the_trail_is_sealed_by_the_running_server(here: RunningServer) -> None:
    here.program.run_json("tenants", "suspend", "shop")
    here.program.run_json("tenants", "resume", "shop")

    def sealed() -> bool:
        now = scrape(here.admin)
        return of(now, "audit_unsealed") == 0 and of(now, "audit_sealed") > 0

    assert until(sealed)
    verified = here.program.run_json("audit", "verify")
    assert verified["ok"] is True
    assert verified["seq"] >= of(scrape(here.admin), "audit_sealed") > 0


def processes_of(parent: int) -> list[int]:
    """A process and all its descendants."""
    return [parent] + [
        child for task in Path(f"/proc/{parent}/task").iterdir() for number in (task / "children").read_text().split()
        for child in processes_of(int(number))
    ]  # fmt: skip


@pytest.mark.requirement(168)
def test_no_secret_is_on_the_command_line_or_in_the_environment_of_a_process_nor_in_a_help(
    here: RunningServer,
) -> None:
    written = json.loads(here.settings.secrets_file.read_text("ascii"))
    secrets = [text for key_set in ("sign", "digest", "wrap") for text in written[key_set]["secrets"].values()]
    seen = processes_of(here.server.process.pid)
    assert len(seen) >= 5, "serve, two workers, the outbox's, the admin listener's"
    for process in seen:
        outcome = Path(f"/proc/{process}/cmdline").read_bytes() + Path(f"/proc/{process}/environ").read_bytes()
        assert [secret for secret in secrets if secret.encode() in outcome] == []
    address = "postgresql://bedesten:hunter2-and-more@db.example/shop"
    for command in (("serve", "--help"), ("init", "--help"), ("audit", "verify", "--help")):
        shown = here.program.run_process(*command, BEDESTEN_DATABASE=address)
        assert shown.code == 0
        assert "hunter2" not in shown.out + shown.err


def test_counters_continue_when_a_worker_is_killed_and_replaced(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, workers=1) as here:
        for _ in range(20):
            here.client().get("/documentation/errors/-1.json")

        def counted(least: int) -> bool:
            return of(scrape(here.admin), "requests_total", surface="public", status="2xx", code="0") >= least

        assert until(lambda: counted(20))
        os.kill(here.server.workers[0], signal.SIGKILL)
        assert here.server.until("respawned")["name"] == "web-1"

        def answers() -> bool:
            try:
                return here.client().get("/documentation/errors/-1.json").status == 200
            except (OSError, http.client.HTTPException):
                return False

        assert until(answers)
        assert until(lambda: counted(21))
        assert len(list((here.program.data / "metrics").glob("*.json"))) == 2


def test_the_server_is_ready_only_while_a_worker_accepts_connections(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, workers=1) as here:

        def readiness() -> tuple[int, str]:
            status, _, body = ask(here.admin, "/health/ready")
            return status, reason_of(body) if status != 200 else ""

        assert readiness() == (200, "")
        supervisor = here.server.process.pid
        with paused(supervisor):  # it replaces no dead worker
            os.kill(here.server.workers[0], signal.SIGKILL)
            assert until(lambda: readiness() == (503, "no worker takes connections"))
            assert ask(here.admin, "/health/live")[0] == 200
        assert until(lambda: readiness() == (200, ""))
        stopped = here.server.until("respawned")["pid"]
        with paused(stopped):
            assert readiness() == (503, "a worker does not answer")
        assert until(lambda: readiness() == (200, ""))
        assert here.client().get("/documentation/errors/-1.json").status == 200


def test_a_machine_without_the_current_secrets_is_not_ready(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, workers=1) as here:
        with raw(here.settings) as database:
            database.run("UPDATE installation SET keyring_version = keyring_version + 1")
        status, _, body = ask(here.admin, "/health/ready")
        version = read_keyring(here.settings.secrets_file).version
        older = f"version {version} is older than version {version + 1}, which is in use"
        reason = f"the secrets file cannot be used: {older}"
        assert (status, json.loads(body)["code"], reason_of(body)) == (503, -9, reason)
        here.settings.secrets_file.rename(tmp_path / "elsewhere")
        assert reason_of(ask(here.admin, "/health/ready")[2]) == "the secrets file cannot be read"
        assert ask(here.admin, "/health/live")[0] == 200


def test_an_unknown_schema_makes_it_not_ready_and_a_lost_store_leaves_the_counts(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, workers=1) as here:
        with raw(here.settings) as database:
            database.run("UPDATE alembic_version SET version_num = '9999'")
            assert ask(here.admin, "/health/ready")[0] == 200, "the newer schema lets this program use it"
            database.run("UPDATE installation SET oldest_program = '9999'")
        reason = reason_of(ask(here.admin, "/health/ready")[2])
        assert reason.startswith("the store has version 9999, which this program does not know")
        assert of(scrape(here.admin), "store_up") == 1
    with running_server("postgresql", tmp_path / "pg", workers=1) as here:
        here.client().get("/documentation/errors/-1.json")
        assert until(lambda: of(scrape(here.admin), "revision_check_seconds_count") >= 1)
        with postgres_gone(str(here.settings.database)):
            found = scrape(here.admin)
            assert of(found, "store_up") == 0
            assert of(found, "revision_check_seconds_count") >= 1
            assert ("bedesten_outbox_due", ()) not in found
            assert here.client().get("/Categories").status == 503
            assert until(lambda: of(scrape(here.admin), "store_unavailable_total") >= 1)


@contextlib.contextmanager
def postgres_gone(database: str) -> Iterator[None]:
    """Renames the database and ends every connection to it for the duration of the block."""
    import psycopg

    from tests.support.postgres_server import server_url

    name = database.rsplit("/", 1)[1]
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
