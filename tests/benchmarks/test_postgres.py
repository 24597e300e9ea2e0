"""The suites on PostgreSQL use a named server, a local one, or their own, which keeps what it acknowledges."""

import os
from pathlib import Path

import psycopg
import pytest

from benchmarks import postgres
from benchmarks.machine import cpu_seconds, family
from tests.support.postgres_cluster import find_program
from tests.support.postgres_server import server_url

pytestmark = pytest.mark.slow

NOWHERE = "postgresql://127.0.0.1:1/postgres"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is named, and no local one responds."""
    if find_program("initdb") is None and not os.environ.get("CI"):
        pytest.skip("NOT TESTED: initdb is missing; apt-get install postgresql")
    monkeypatch.setattr(postgres, "NAMED", None)
    monkeypatch.setattr(postgres, "SERVER", NOWHERE)


def test_an_own_server_is_durable_and_ends_with_the_run(own: None) -> None:
    with postgres.server(None, None) as server:
        assert server is not None
        with postgres.database(server) as url, psycopg.connect(url) as connection:
            settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
            backend = connection.info.backend_pid
            first = postgres.first_process(url)
            assert first is not None
            assert backend in family(first)
            begin = cpu_seconds(first, ended=True)
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000)")
        assert cpu_seconds(first, ended=True) > begin
        assert settings == [("on",), ("on",)]
        with psycopg.connect(server) as connection:
            assert connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'bedesten%'").fetchall() == []
    assert postgres.reachable(server) is not None
    assert not Path(f"/proc/{first}").exists()


def test_a_named_server_that_does_not_respond_is_not_replaced(own: None, capsys: pytest.CaptureFixture[str]) -> None:
    with postgres.server(NOWHERE, None) as server:
        assert server is None
    assert "PostgreSQL is left out" in capsys.readouterr().out


def test_a_local_server_with_few_connections_is_replaced_unless_it_is_named(
    own: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = server_url()
    monkeypatch.setattr(postgres, "SERVER", local)
    monkeypatch.setattr(postgres, "MIN_CONNECTIONS", postgres.max_connections(local))
    with postgres.server(None, None) as server:
        assert server == local
    monkeypatch.setattr(postgres, "MIN_CONNECTIONS", postgres.max_connections(local) + 1)
    with postgres.server(local, None) as server:
        assert server == local
    with postgres.server(None, None) as server:
        assert server != local


def test_processes_of_a_remote_server_are_not_looked_for() -> None:
    assert postgres.first_process("postgresql://db.example/shop") is None
