"""Races across processes: two processes of eight buyers each, on one store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.domain.tenant import CARD, Tenant
from tests.store.raw import RawConnection

pytestmark = pytest.mark.slow

BUYER = Path(__file__).with_name("buyer_process.py")


def in_two_processes(tenant: Tenant, card: str, shared: str) -> list[dict[str, object]]:
    """Runs sixteen buyers in two processes; returns their results."""
    people = {name: value for name, value in vars(tenant).items() if isinstance(value, str)}
    command = [sys.executable, str(BUYER), tenant.installation.settings.model_dump_json(), json.dumps(people)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(BUYER.parents[2]), *sys.path])}
    processes = [
        subprocess.Popen(
            [*command, json.dumps([card, shared]), name, "8"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=90)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [one for text in outcomes for one in json.loads(text)]


def test_buyers_in_two_processes_get_exactly_twenty_units_and_one_shared_order(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card, shared = tenant.card(20), tenant.card(1)
    outcomes = in_two_processes(tenant, card, shared)
    assert len(outcomes) == 16
    got = [order for one in outcomes for order in one["got"]]  # type: ignore[attr-defined]
    assert len(got) == len(set(got)) == 20
    assert len({one["shared"] for one in outcomes}) == 1
    placed = other_connection.rows("SELECT id FROM orders WHERE tenant_id = :tenant", tenant=tenant.id)
    assert sorted(order for (order,) in placed) == sorted([*got, outcomes[0]["shared"]])
    codes = "SELECT count(*), count(DISTINCT line_id) FROM stock_codes WHERE tenant_id = :tenant AND state = 2"
    assert other_connection.rows(codes, tenant=tenant.id) == [(21, 21)]
    assert (tenant.available(card), tenant.available(shared)) == (0, 0)
    assert tenant.balance().posted == -21 * CARD
