"""`bedesten worker` does what the worker beside a server does, and `serve --no-worker` leaves the work to it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bedesten.server import supervisor
from bedesten.server.supervisor import ServeSpec
from tests.server.processes import eventually
from tests.support.cli_program import ENVIRONMENT, Program
from tests.support.postgres_databases import postgres_database
from tests.support.sites import ENGINES


@pytest.fixture(params=ENGINES)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    """An installation on each of the engines."""
    if request.param == "sqlite":
        yield Program(tmp_path / "data")
    else:
        with postgres_database() as url:
            yield Program(tmp_path / "data", url)


@contextmanager
def working(program: Program) -> Iterator["subprocess.Popen[str]"]:
    """A worker that is ready."""
    command = [sys.executable, "-m", "bedesten", "worker", "--json", *program.where]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"event": "ready"}
            yield process
        finally:
            process.kill()


def sealed(program: Program) -> bool:
    return bool(program.run_json("audit", "verify")["unsealed"] == 0)


@pytest.mark.slow
def test_a_separate_worker_works_and_the_next_one_goes_on_where_a_killed_one_stopped(program: Program) -> None:
    program.run_json("init")
    program.run_json("tenants", "create", "shop", "--host", "api.shop.example")
    assert not sealed(program)
    with working(program) as first:
        assert eventually(lambda: sealed(program), 30)
        first.kill()
    program.run_json("suppliers", "create", "Acme", "--tenant", "shop")
    assert not sealed(program)
    with working(program) as one, working(program) as other:
        assert eventually(lambda: sealed(program), 30)
        for process in (one, other):
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(120) == 0
    assert program.run_json("audit", "verify")["ok"]


@pytest.mark.parametrize(("options", "names"), [((), ["worker", "admin"]), (("--no-worker",), ["admin"])])
def test_a_server_has_a_worker_unless_started_without_one(
    bedesten: Program, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], names: list[str]
) -> None:
    specs: list[ServeSpec] = []

    def run(spec: ServeSpec, *_: object) -> int:
        specs.append(spec)
        return 0

    monkeypatch.setattr(supervisor, "run", run)
    assert bedesten.run("serve", *options).code == 0
    assert [one.name for one in specs[0].side_processes] == names


def test_a_worker_without_an_installation_is_refused(tmp_path: Path) -> None:
    assert "is not an installation" in Program(tmp_path / "none").run_error("worker")["message"]
