"""Several processes write to one store: nothing is lost or duplicated, and every process gets its turn."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bedesten.server.installation import Installation
from tests.store import notes
from tests.store.raw import raw

pytestmark = pytest.mark.slow

WRITER = Path(__file__).with_name("writer_process.py")
CLIENTS, TOTAL = 8, 1_280


def write_in_processes(installation: Installation, tenant: str, names: str) -> dict[str, list[list[tuple[str, int]]]]:
    """The acknowledged writes of each client of each process; all start at the same moment."""
    settings = installation.settings.model_dump_json()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(WRITER.parents[2]), *sys.path])}
    processes = {
        name: subprocess.Popen(
            [sys.executable, str(WRITER), settings, tenant, name, str(CLIENTS), str(TOTAL)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name in names
    }
    for process in processes.values():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = {name: process.communicate(timeout=100)[0] for name, process in processes.items()}
    assert [process.returncode for process in processes.values()] == [0] * len(names)
    return {name: json.loads(text) for name, text in outcomes.items()}


@pytest.fixture
def written(installation: Installation, tenant: str) -> dict[str, list[list[tuple[str, int]]]]:
    """Two processes with eight clients each."""
    return write_in_processes(installation, tenant, "ab")


def test_two_processes_on_one_store_lose_nothing_and_both_make_progress(
    installation: Installation, tenant: str, written: dict[str, list[list[tuple[str, int]]]]
) -> None:
    acknowledged = [note for clients in written.values() for client in clients for note, _ in client]
    assert len(acknowledged) == len(set(acknowledged)) == TOTAL
    with raw(installation.settings) as other:
        assert [name for (name,) in other.rows(notes.NAMES, tenant=tenant)] == sorted(acknowledged)
        turns = other.one("SELECT token_version FROM tenants WHERE id = :tenant", tenant=tenant)
    assert turns == 1 + TOTAL + 2 * CLIENTS
    begun = max(client[0][1] for clients in written.values() for client in clients)
    shares = {
        name: [sum(number >= begun for _, number in client) for client in clients] for name, clients in written.items()
    }
    fair = (TOTAL - begun) // 2
    assert min(sum(clients) for clients in shares.values()) >= fair // 5, shares
    assert min(min(clients) for clients in shares.values()) >= fair // CLIENTS // 5, shares
