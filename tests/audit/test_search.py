"""Searching the trail by actor, action and subject, after a number or since a time, however long it is."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from bedesten.audit import search as reading
from bedesten.audit.actions import OPERATOR, Actor, record
from bedesten.audit.chain import Row, seal_rows
from bedesten.audit.search import RowFilter, find_newest, find_sealed_after, since
from bedesten.core.clock import system_clock
from bedesten.store.transaction import SystemTransaction
from tests.audit.rows import Trail
from tests.support.cli_program import Program

ANY = RowFilter()


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads few rows per batch, so that a short trail takes many batches."""
    monkeypatch.setattr(reading, "BATCH_ROWS", 3)


def subjects(rows: Iterable[Row]) -> list[str]:
    return [row.subject for row in rows]


@pytest.mark.parametrize("count", [0, 2, 3, 7, 9])
def test_all_rows_are_found_in_order_whatever_the_batch_size(trail: Trail, count: int) -> None:
    trail.append(count)
    trail.seal_rows()
    whole = [f"n{number}" for number in range(count)]
    assert subjects(find_newest(trail.store, 10_000, ANY)) == whole
    assert subjects(since(trail.store, 0, ANY)) == whole
    assert subjects(find_sealed_after(trail.store, 0, ANY)) == whole
    assert subjects(find_sealed_after(trail.store, 1, ANY)) == whole[1:]
    assert subjects(find_newest(trail.store, 4, ANY)) == whole[-4:]


def test_rows_are_found_by_tenant_actor_action_and_subject(trail: Trail) -> None:
    def write(tx: SystemTransaction) -> None:
        for number in range(5):
            record(tx.for_tenant("ten_a"), OPERATOR, "key.create", f"k{number}")
            record(tx.for_tenant("ten_b"), Actor("par_1"), "key.rotate", f"k{number}")
            record(tx.for_tenant("ten_a"), OPERATOR, "keys.leak_policy", "-")

    trail.store.write_now(write)
    trail.seal_rows()
    for wanted, expected in [
        (RowFilter(tenant="ten_b"), ["k0", "k1", "k2", "k3", "k4"]),
        (RowFilter(actor="par_1", subject="k3"), ["k3"]),
        (RowFilter(action="key.", subject="k1"), ["k1", "k1"]),
        (RowFilter(action="key"), []),
        (RowFilter(action="keys.leak_policy"), ["-"] * 5),
        (RowFilter(tenant="ten_a", action="key.rotate"), []),
    ]:
        assert subjects(find_newest(trail.store, 100, wanted)) == expected
        assert subjects(since(trail.store, 0, wanted)) == expected
        assert subjects(find_sealed_after(trail.store, 0, wanted)) == expected
    assert subjects(find_newest(trail.store, 2, RowFilter(tenant="ten_b"))) == ["k3", "k4"]


def test_a_number_finds_later_sealed_rows_and_a_time_all_rows_since_then(trail: Trail) -> None:
    trail.append(2)
    trail.seal_rows()
    trail.append(1)
    assert subjects(find_sealed_after(trail.store, 0, ANY)) == ["n0", "n1"]
    assert subjects(since(trail.store, 0, ANY)) == ["n0", "n1", "n0"]
    assert subjects(since(trail.store, system_clock() + 60_000, ANY)) == []


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program on an installation with a shop and ten API keys, of which one is revoked."""
    made = Program(tmp_path / "data")
    made.run_json("init")
    made.run_json("tenants", "create", "shop", "--host", "api.shop.example")
    key = ("keys", "create", "--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner")
    made.run_json("keys", "revoke", [made.run_json(*key)["id"] for _ in range(10)][4])
    return made


def outcomes(program: Program, *options: str) -> list[str]:
    outcome = program.run("audit", "tail", "--json", *options)
    assert (outcome.code, outcome.err) == (0, "")
    return [json.loads(line)["action"] for line in outcome.out.splitlines()]


def test_tail_searches_and_exports(program: Program) -> None:
    assert outcomes(program, "--after", "0") == []
    from bedesten.store.sqlite import SqliteStore

    store = SqliteStore(program.data / "bedesten.db", system_clock)
    head = store.write_now(seal_rows)
    store.close()
    assert head is not None
    assert len(outcomes(program, "--after", "0")) == head.seq == 14
    assert outcomes(program, "--after", "13") == ["key.revoke"]
    assert outcomes(program, "--after", "0", "--limit", "1") == ["tenant.host.add"]
    assert outcomes(program, "--action", "key.revoke") == ["key.revoke"]
    assert len(outcomes(program, "--action", "key.", "--since", "1h", "--tenant", "shop")) == 11
    assert outcomes(program, "--since", "2999-01-01T00:00:00Z") == []
    assert len(outcomes(program, "--since", "1970-01-01T00:00:00Z", "--actor", "operator")) == 14
    assert outcomes(program, "--since", "36500d", "--actor", "par_1") == []


@pytest.mark.parametrize(
    "options",
    [
        ["--since", "yesterday"],
        ["--after", "-1"],
        ["--after", "0", "--since", "1h"],
        ["--after", "0", "--follow"],
        ["--since", "1h", "--follow"],
        ["--limit", "10001"],
    ],
)
def test_invalid_or_contradictory_options_are_a_usage_error(program: Program, options: list[str]) -> None:
    assert program.run("audit", "tail", *options).code == 2
