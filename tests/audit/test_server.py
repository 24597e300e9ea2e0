"""The trail of a running server: flushed when it stops, sealed while it runs, its head logged."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_program import Program
from tests.support.cli_server import served
from tests.support.client import Client, api_key
from tests.support.postgres_databases import postgres_database
from tests.support.sites import ENGINES

pytestmark = pytest.mark.slow

HOST = "api.shop.example"


@pytest.fixture(params=ENGINES)
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """An installation with a shop."""
    for name in [name for name in os.environ if name.startswith("BEDESTEN_") and name != "BEDESTEN_TEST_POSTGRES"]:
        monkeypatch.delenv(name)
    if request.param == "sqlite":
        yield _with_shop(Program(tmp_path / "data"))
        return
    with postgres_database() as database:
        yield _with_shop(Program(tmp_path / "data", database))


def _with_shop(program: Program) -> Program:
    program.run_json("init")
    program.run_json("tenants", "create", "shop", "--host", HOST)
    return program


def refusals(program: Program) -> list[dict[str, Any]]:
    """The refusals, as the program shows them."""
    rows = [json.loads(line) for line in program.run("audit", "tail", "--json", "--limit", "1000").out.splitlines()]
    return [row for row in rows if row["action"] == "credential.refused"]


def test_every_worker_flushes_its_counts_when_the_server_stops(program: Program) -> None:
    answered = []
    with served(program, "--workers", "2", "--admin-port", "0") as server:
        for _ in range(40):
            client = Client(server.port, HOST, api_key("ak_live_" + "0" * 32), source="127.0.0.9")
            answered.append(client.post("/Supplier/Products/List", {}).json["requestId"])
            client.close()
        server.process.terminate()
        server.process.communicate(timeout=120)
        lines = server.logged()
    rows = refusals(program)
    assert 1 <= len(rows) <= 2 * 3, "a row a worker and flush"
    assert sum(row["detail"]["count"] for row in rows) == 40
    for row in rows:
        assert set(row["detail"]["requests"]) <= set(answered)
        assert row["requestId"] in answered
    logged = [line["request_id"] for line in lines if line["event"] == "refused"]
    assert sorted(logged) == sorted(answered)
    assert [line["event"] for line in lines if line["level"] in ("error", "critical")] == []


def test_the_worker_seals_rows_of_commands_and_logs_a_head_that_verify_finds(program: Program) -> None:
    with served(program, "--workers", "1", "--admin-port", "0") as server:
        outcome = server.until_logged("audit-head")
        program.run_json("tenants", "suspend", "shop")
    assert outcome["seq"] == 2
    head = f"{outcome['seq']}:{outcome['hash']}"
    assert program.run_json("audit", "verify", "--since-hash", head)["ok"] is True
