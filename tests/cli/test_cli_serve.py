"""`bedesten serve`: changes by other commands are in effect on every worker's next request."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bedesten.server.child_process import free_port
from tests.support.cli_program import ENVIRONMENT, Program
from tests.support.cli_server import CliServer, served
from tests.support.client import Client, api_key, bearer
from tests.support.postgres_databases import postgres_database
from tests.support.postgres_server import server_url
from tests.support.sites import ENGINES
from tests.support.wire import NoAnswer

pytestmark = pytest.mark.slow

HOST = "api.shop.example"
PASSWORD = b"seven lanterns by the gate\n"


@pytest.fixture(scope="module", params=ENGINES)
def program(request: pytest.FixtureRequest, fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """An installation with a shop, on each engine."""
    data = tmp_path_factory.mktemp("served") / "data"
    if request.param == "postgresql":
        with postgres_database() as database:
            made = Program(data, database)
            assert made.run_json("init")["created"] is True
            yield made
    else:
        shutil.copytree(fresh, data)
        yield Program(data)


@pytest.fixture(scope="module")
def server(program: Program) -> Iterator[CliServer]:
    """Its server with two workers and the admin listener."""
    with served(program, "--workers", "2", "--admin-port", str(free_port(0))) as started:
        yield started
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(120) == 0
        assert started.until("stopping") == {"event": "stopping"}


@pytest.fixture
def shop(program: Program, server: CliServer) -> Iterator[str]:
    """A shop for this test, created beside the running server; returns its host."""
    host = f"s{len(program.run_json('tenants', 'list')['tenants'])}.shop.example"
    program.run_json("tenants", "create", host.split(".")[0], "--host", host)
    yield host
    assert program.run_json("check") == {"ok": True, "violations": []}


def key_of(program: Program, shop: str) -> Any:
    tenant = shop.split(".")[0]
    return program.run_json(
        "keys", "create", "--tenant", tenant, "--surface", "supplier", "--owner", "Acme", "--create-owner"
    )


def codes(clients: list[Client], method: str, path: str) -> set[tuple[int, int | None]]:
    """Return status and code of each response on an open connection."""
    answers = [client.call(method, path) for client in clients]
    return {(answer.status, answer.code) for answer in answers}


def test_the_events_state_the_addresses_and_processes(server: CliServer) -> None:
    assert server.ready["url"].startswith("http://127.0.0.1:")
    assert set(server.ready["pids"]) == {"web-1", "web-2", "worker", "admin"}
    assert [event["name"] for event in server.events if event["event"] == "listening"] == ["web", "admin"]


def test_a_new_tenant_is_served_at_once(program: Program, server: CliServer) -> None:
    clients = server.clients("late.shop.example", ())
    assert codes(clients, "GET", "/Categories") == {(421, -10)}
    program.run_json("tenants", "create", "late", "--host", "late.shop.example")
    assert codes(clients, "GET", "/Categories") == {(401, -20)}
    program.run_json("tenants", "hosts", "late", "--remove", "late.shop.example")
    assert codes(clients, "GET", "/Categories") == {(421, -10)}


@pytest.mark.requirement(224)
def test_a_revoked_key_is_dead_on_the_next_request_through_every_worker(
    program: Program, server: CliServer, shop: str
) -> None:
    key = key_of(program, shop)
    clients = server.clients(shop, api_key(key["key"]))
    assert codes(clients, "POST", "/Supplier/Products/List") == {(200, None)}
    program.run_json("keys", "revoke", key["id"])
    assert codes(clients, "POST", "/Supplier/Products/List") == {(401, -23)}


@pytest.mark.requirement(224)
def test_denying_and_restoring_access_takes_effect_on_the_next_request(
    program: Program, server: CliServer, shop: str
) -> None:
    tenant = shop.split(".")[0]
    clients = server.clients(shop, api_key(key_of(program, shop)["key"]))
    assert codes(clients, "POST", "/Supplier/Products/List") == {(200, None)}
    program.run_json("tenants", "access", tenant, "--deny", "post /supplier/products/list")
    assert codes(clients, "POST", "/Supplier/Products/List") == {(403, -25)}
    assert codes(clients, "POST", "/Supplier/Orders/Awaiting") == {(200, None)}
    program.run_json("tenants", "access", tenant, "--deny", "supplier", "--allow", "POST /Supplier/Products/List")
    assert codes(clients, "POST", "/Supplier/Products/List") == {(200, None)}
    assert codes(clients, "POST", "/Supplier/Orders/Awaiting") == {(403, -25)}


def token_of(server: CliServer, shop: str) -> str:
    login = {"email": "p@partner.example", "password": PASSWORD.decode().strip()}
    return str(Client(server.port, shop).data("/Login/Customer/Api/Verify", login)["token"])


@pytest.fixture
def partner(program: Program, shop: str) -> list[str]:
    """The options that select a partner of the shop."""
    tenant = shop.split(".")[0]
    create = ("partners", "create", "--tenant", tenant, "--email", "p@partner.example", "--password-stdin")
    program.run_json(*create, stdin=PASSWORD)
    return ["p@partner.example", "--tenant", tenant]


@pytest.mark.requirement(224)
@pytest.mark.parametrize(
    ("taken", "code"),
    [
        (["partners", "scopes", "{partner}", "--scope", "orders:read"], (403, -24)),
        (["partners", "disable", "{partner}"], (401, -21)),
        (["tokens", "revoke", "--subject", "p@partner.example", "{tenant}"], (401, -21)),
        (["tokens", "revoke", "--all", "{tenant}"], (401, -21)),
        (["tenants", "suspend", "{name}"], (401, -21)),
    ],
)
def test_rights_taken_from_a_partner_are_gone_on_the_next_request_through_every_worker(
    program: Program, server: CliServer, shop: str, partner: list[str], taken: list[str], code: tuple[int, int]
) -> None:
    clients = server.clients(shop, bearer(token_of(server, shop)))
    assert codes(clients, "GET", "/Account/Details") == {(200, None)}
    words = {"{partner}": partner, "{tenant}": partner[1:], "{name}": partner[2:]}
    program.run_json(*(each for one in taken for each in words.get(one, [one])))
    assert codes(clients, "GET", "/Account/Details") == {code}


@pytest.mark.requirement(224)
def test_an_imported_catalogue_is_sold_at_once(
    program: Program, server: CliServer, shop: str, partner: list[str]
) -> None:
    file = b"sku,name,category,price,requireData\nc-1,Card,Games,12.50,player:Player id\n"
    assert program.run_json("products", "import", "-", *partner[1:], stdin=file) == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "notes": [],
    }
    client = Client(server.port, shop, bearer(token_of(server, shop)))
    (card,) = client.data("/Products/List", {})["items"]
    assert (card["name"], str(card["price"]), card["currency"]) == ("Card", "12.50", "USD")
    assert card["requireData"] == [{"productRequireId": "player", "name": "Player id", "required": True}]
    program.run_json("products", "prices", "c-1=13", *partner[1:])
    assert str(client.data("/Products/List", {})["items"][0]["price"]) == "13.00"


def refusal(answer: tuple[int, Any]) -> tuple[int, int]:
    """The status and the error number of a refusal of the admin listener."""
    status, document = answer
    return status, document["code"]


def test_the_admin_listener_serves_only_its_own_paths(server: CliServer, shop: str) -> None:
    assert server.operator("/health/live") == (200, {"status": "ok"})
    assert server.operator("/health/ready") == (200, {"status": "ok"})
    assert server.operator("/health/ready", "HEAD") == (200, None)
    assert refusal(server.operator("/health/ready", "POST")) == (405, -4)
    for path in ("/", "/Categories", "/Supplier/Products/List", "/health", "/health/live/", "/documentation/errors/-1"):
        assert refusal(server.operator(path)) == (404, -3)
    tenant = Client(server.port, shop)
    assert codes([tenant], "GET", "/health/live") == {(404, -3)}
    assert codes([tenant], "GET", "/health/ready") == {(404, -3)}


def test_a_killed_worker_is_replaced_and_reported(server: CliServer, shop: str) -> None:
    os.kill(server.workers[0], signal.SIGKILL)
    died = server.until("died")
    assert (died["name"], died["code"]) == ("web-1", -9)
    respawned = server.until("respawned")
    assert respawned["name"] == "web-1"
    server.until_logged("process-respawned")
    outcomes = [line for line in server.logged() if line["event"].startswith("process-")]
    assert [(one["level"], one["event"], one["process"]) for one in outcomes] == [
        ("warning", "process-died", "web-1"),
        ("info", "process-respawned", "web-1"),
    ]
    assert outcomes[1]["pid"] == respawned["pid"]
    assert all(one["timestamp"] for one in outcomes)


def test_a_second_server_on_the_same_installation_is_refused(program: Program, server: CliServer) -> None:
    outcome = program.run("serve", "--port", "0", "--admin-port", "0")
    assert outcome.code == 1
    reason = f"another server (process {server.process.pid}) serves the data directory {program.data}"
    assert outcome.err == f"bedesten: {reason}\n"


# --- without a server of their own -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--port", "--admin-port"])
def test_a_busy_port_is_refused_before_anything_starts(bedesten: Program, option: str) -> None:
    other = "--admin-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        command = ("serve", option, str(port), other, str(free_port(0)))
        assert (
            bedesten.run(*command).err == f"bedesten: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
        )
        error = bedesten.run_error(*command)
        assert error["message"] == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


def test_a_reachable_server_is_refused_with_a_loopback_tenant(bedesten: Program) -> None:
    bedesten.run_json("tenants", "create", "shop", "--host", "localhost", "--host", HOST)
    error = bedesten.run_error("serve", "--host", "0.0.0.0", "--port", "0", "--admin-port", "0")
    assert error["code"] == -8
    assert error["message"] == ("cannot listen on 0.0.0.0: these hosts are for loopback only: localhost (tenant shop)")


def test_a_loopback_host_is_refused_with_a_reachable_server(bedesten: Program) -> None:
    bedesten.run_json("tenants", "create", "shop", "--host", HOST)
    with served(bedesten, "--host", "0.0.0.0", "--workers", "1", "--admin-port", "0") as server:
        assert server.ready["adminUrl"] is None
        assert bedesten.run_error("tenants", "hosts", "shop", "--add", "127.0.0.1")["code"] == -8
        assert bedesten.run_error("tenants", "create", "other", "--host", "localhost")["code"] == -8
        assert bedesten.run_json("tenants", "hosts", "shop", "--add", "b.example.org")["hosts"] == [
            HOST,
            "b.example.org",
        ]
    assert bedesten.run_json("tenants", "hosts", "shop", "--add", "localhost")["hosts"][-1] == "localhost"


def test_the_text_has_the_address_and_the_terminal_may_close(bedesten: Program) -> None:
    command = [sys.executable, "-m", "bedesten", "serve", "--port", "0", "--workers", "1", "--admin-port", "0"]
    with subprocess.Popen(
        [*command, *bedesten.where], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Bedesten serves on http://127.0.0.1:")
        assert line.endswith(" with 1 worker. Ctrl-C stops it.\n")
        client = Client(int(line.split()[3].rpartition(":")[2]), HOST)
        process.stdout.close()
        for child in children(process.pid):
            os.kill(child, signal.SIGKILL)  # its standard output is closed: nobody reads about it
        assert eventually(lambda: codes([client], "GET", "/Categories") == {(421, -10)})
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(truth: Callable[[], bool]) -> bool:
    """Whether the condition holds within two minutes. A broken connection counts as no."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError, EOFError, NoAnswer):
            if truth():
                return True
        time.sleep(0.05)
    return False


def test_a_server_without_its_store_is_alive_but_not_ready(tmp_path: Path) -> None:
    with postgres_database() as database, contextlib.ExitStack() as stack:
        program = Program(tmp_path / "data", database)
        program.run_json("init")
        program.run_json("tenants", "create", "shop", "--host", HOST)
        admin = str(free_port(0))
        with served(program, "--workers", "1", "--admin-port", admin) as server:
            assert server.operator("/health/ready") == (200, {"status": "ok"})
            drop(database)
            stack.callback(restore, database)
            status, answer = server.operator("/health/ready")
            assert (status, answer["code"], answer["data"]) == (
                503,
                -9,
                {"reason": "the store is out of reach", "check": "store"},
            )
            assert server.operator("/health/live") == (200, {"status": "ok"})
            assert codes([Client(server.port, HOST)], "GET", "/Categories") == {(503, -9)}
            outcome = program.run("tenants", "list")
            assert (outcome.code, outcome.err.count("\n")) == (1, 1)
            assert outcome.err.startswith("bedesten: the store cannot be reached: ")
            assert database.rpartition("/")[2] in outcome.err


def test_a_draining_server_answers_and_is_not_ready(bedesten: Program) -> None:
    bedesten.run_json("tenants", "create", "shop", "--host", HOST)
    with served(bedesten, "--workers", "1", "--drain", "1h", "--admin-port", str(free_port(0))) as server:
        assert server.operator("/health/ready") == (200, {"status": "ok"})
        server.process.send_signal(signal.SIGTERM)
        assert server.until("draining")["seconds"] == 3_600
        assert eventually(lambda: server.operator("/health/ready")[0] == 503)
        answer = server.operator("/health/ready")[1]
        assert (answer["code"], answer["data"]) == (-9, {"reason": "the server is stopping", "check": "stopping"})
        assert server.operator("/health/live") == (200, {"status": "ok"})
        assert codes([Client(server.port, HOST)], "GET", "/Categories") == {(401, -20)}
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(120) == 130


@pytest.mark.parametrize("time", ["5", "-1s", "soon", "61m"])
def test_an_invalid_drain_time_is_refused(bedesten: Program, time: str) -> None:
    outcome = bedesten.run("serve", "--port", "0", "--admin-port", "0", "--drain", time)
    assert outcome.code == 2
    assert "--drain" in outcome.err


def drop(database: str) -> None:
    """Drop the database and its connections."""
    run_on_server(f'DROP DATABASE "{database.rpartition("/")[2]}" WITH (FORCE)')


def restore(database: str) -> None:
    """Create an empty database of the same name, which the fixture drops at the end."""
    run_on_server(f'CREATE DATABASE "{database.rpartition("/")[2]}"')


def run_on_server(statement: str) -> None:
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(statement)
