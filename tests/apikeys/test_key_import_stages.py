"""An import of many API keys beside a running server: short transactions, no waiting, and still all or none."""

import hashlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedesten import errors
from bedesten.admin import key_imports
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import imports
from bedesten.apikeys.imports import ABANDONED_AFTER, MAX_KEYS_PER_TRANSACTION, ImportLine
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import system_clock
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.server import worker
from tests.apikeys.cluster import Cluster, IssuedKey
from tests.store.raw import raw
from tests.support.cli_program import ENVIRONMENT, Program

pytestmark = pytest.mark.slow

REFUSED = errors.KEY_REFUSED.number
TABLES = ("api_keys", "key_secrets", "key_imports", "key_import_runs")


def text(number: int) -> str:
    return f"ak_live_{number:032x}"


def lines(count: int) -> list[ImportLine]:
    return [ImportLine(at, hashlib.sha256(text(at).encode()).hexdigest()) for at in range(1, count + 1)]


def description(cluster: Cluster) -> api_keys.NewKey:
    return api_keys.NewKey(Surface.SUPPLIER, cluster.owner, False)


def stored(cluster: Cluster) -> dict[str, int]:
    """Reads the rows in the store without the application code."""
    with raw(cluster.installation.settings) as store:
        return {table: store.one(f"SELECT count(*) FROM {table}") for table in TABLES}


def import_some(cluster: Cluster, count: int, advance: Callable[[int], object] = lambda _: None) -> list[str]:
    new, store = description(cluster), cluster.installation.store
    return key_imports.import_keys(
        store, cluster.keyring, cluster.tenant, lines(count), lambda _: (new, None), OPERATOR, advance
    )[0]


def killed_in_the_middle(cluster: Cluster) -> None:
    """Leaves the rows of a program that was killed after storing two of three parts."""
    store, tenant, new = cluster.installation.store, cluster.tenant, description(cluster)
    prepared = imports.prepare(cluster.keyring, store.ids, tenant, lines(30))
    run = store.write_now(lambda tx: imports.begin(tx.for_tenant(tenant), cluster.keyring, new, 30))
    store.write_now(lambda tx: imports.store_some(tx.for_tenant(tenant), run, prepared[:10]))
    store.write_now(lambda tx: imports.store_some(tx.for_tenant(tenant), run, prepared[10:20]))


def test_no_transaction_of_an_import_writes_more_than_250_keys(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, store = [0], cluster.installation.store
    write = store.write_now

    def watched(work: Any) -> Any:
        done = write(work)
        written.append(stored(cluster)["key_secrets"])
        return done

    monkeypatch.setattr(store, "write_now", watched)
    made = import_some(cluster, 600)
    steps = [after - before for before, after in itertools.pairwise(written)]
    assert [step for step in steps if step] == [250, 250, 100]
    assert steps[-1] == 0, "what makes them valid is a transaction of its own"
    assert len(set(made)) == 600
    assert MAX_KEYS_PER_TRANSACTION == 250


def test_an_import_does_not_block_a_revocation_and_no_key_is_valid_before_its_end(cluster: Cluster) -> None:
    victim = cluster.make()
    assert cluster.answers(victim.text) == [200, 200]
    beside = cluster.process()
    seen: list[list[int]] = []

    def in_the_middle(_: int) -> None:
        if not seen:
            work = lambda tx: api_keys.revoke(tx.for_tenant(cluster.tenant), victim.id, OPERATOR)  # noqa: E731
            assert beside.installation.store.write_now(work)
        seen.append(cluster.answers(victim.text, text(1), text(600)))
        assert [one["id"] for one in cluster.listed()] == [victim.id]

    before = cluster.changes()
    made = import_some(cluster, 600, in_the_middle)
    assert seen == [[REFUSED] * 6] * 3
    assert cluster.answers(victim.text, text(1), text(600)) == [REFUSED, 200, 200] * 2
    assert [row.subject for row in cluster.trail() if row.action == "key.import"] == [made[0]]
    uses = 2
    assert cluster.changes() == before + 1 + 1 + uses, "the revocation, the import, and two first uses"


def test_nobody_can_use_see_or_change_a_key_of_an_unfinished_import(cluster: Cluster) -> None:
    killed_in_the_middle(cluster)
    assert cluster.answers(text(1), text(20)) == [REFUSED] * 4
    assert cluster.listed() == []
    with raw(cluster.installation.settings) as store:
        pending = store.rows("SELECT id FROM api_keys")
    for act in (lambda key: cluster.revoke(key), lambda key: cluster.rotate(key)):
        with pytest.raises(Refusal) as refused:
            act(IssuedKey(pending[0][0], text(1)))
        assert refused.value.code is errors.NOT_FOUND


def test_the_worker_removes_the_rows_of_a_killed_import_after_a_minute(cluster: Cluster) -> None:
    killed_in_the_middle(cluster)
    whole = {"api_keys": 20, "key_secrets": 20, "key_imports": 20, "key_import_runs": 1}
    cluster.clock.now += ABANDONED_AFTER
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert stored(cluster) == whole, "it may still be under way"
    cluster.clock.now += 1
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert stored(cluster) == dict.fromkeys(TABLES, 0)


def test_an_import_of_a_clock_that_was_ahead_does_not_stay_pending(cluster: Cluster) -> None:
    killed_in_the_middle(cluster)
    cluster.clock.now -= ABANDONED_AFTER + 1
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert stored(cluster) == dict.fromkeys(TABLES, 0)


def test_an_import_waits_at_most_a_minute_for_another_and_then_takes_its_keys(cluster: Cluster) -> None:
    killed_in_the_middle(cluster)
    with pytest.raises(Refusal) as refused:
        import_some(cluster, 40, lambda _: pytest.fail("nothing is stored"))
    assert refused.value.code is errors.CONFLICT
    cluster.clock.now += ABANDONED_AFTER + 1
    assert len(import_some(cluster, 40)) == 40
    assert cluster.answers(text(1), text(40)) == [200] * 4
    assert stored(cluster) == {"api_keys": 40, "key_secrets": 40, "key_imports": 40, "key_import_runs": 1}


def test_an_import_that_the_worker_has_given_up_cannot_continue(cluster: Cluster) -> None:
    def asleep(_: int) -> None:
        cluster.clock.now += ABANDONED_AFTER + 1
        cluster.run(worker.maintain_api_keys(cluster.installation))

    with pytest.raises(Refusal, match="given up") as refused:
        import_some(cluster, 1_500, asleep)
    assert refused.value.code is errors.CONFLICT
    assert stored(cluster) == dict.fromkeys(TABLES, 0)
    assert cluster.answers(text(1)) == [REFUSED] * 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_an_import_that_fails_midway_leaves_nothing(cluster: Cluster, end: type[BaseException]) -> None:
    def stop(_: int) -> None:
        raise end

    with pytest.raises(end):
        import_some(cluster, 1_500, stop)
    assert stored(cluster) == dict.fromkeys(TABLES, 0)
    assert len(import_some(cluster, 1_500)) == 1_500


@pytest.fixture
def program(cluster: Cluster) -> Program:
    """`bedesten` on the same installation; it has the machine's clock."""
    cluster.clock.now = system_clock()
    return Program(cluster.installation.settings.data, cluster.installation.settings.database)


@pytest.fixture
def importing(cluster: Cluster, program: Program, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs the real program up to the middle of an import."""
    file = tmp_path / "digests.csv"
    file.write_text("".join(f"{one.sha256}\n" for one in lines(40_000)))
    options = ["--tenant", cluster.tenant, "--surface", "supplier", "--owner", cluster.owner, str(file)]
    with subprocess.Popen(
        [sys.executable, "-m", "bedesten", "keys", "import", *options, *program.where],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        while not stored(cluster)["key_secrets"]:
            assert process.poll() is None, process.stdout and process.stdout.read()
        yield process
        process.kill()


def test_kill_9_in_the_middle_of_an_import_leaves_nothing_valid(
    cluster: Cluster, program: Program, importing: "subprocess.Popen[bytes]"
) -> None:
    importing.kill()
    importing.wait()
    assert stored(cluster)["key_secrets"] < 40_000
    assert program.run_json("keys", "list", "--tenant", cluster.tenant) == {"keys": [], "nextCursor": None}
    assert cluster.answers(text(1)) == [REFUSED] * 2
    cluster.clock.now = system_clock() + ABANDONED_AFTER + 1
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert stored(cluster) == dict.fromkeys(TABLES, 0)


def test_ctrl_c_in_the_middle_of_an_import_leaves_nothing(
    cluster: Cluster, importing: "subprocess.Popen[bytes]"
) -> None:
    importing.send_signal(signal.SIGINT)
    assert importing.wait() == 130
    assert stored(cluster) == dict.fromkeys(TABLES, 0)


def test_the_list_of_api_keys_is_paginated(cluster: Cluster, program: Program) -> None:
    made = [cluster.make().id for _ in range(5)]
    rotated = IssuedKey(made[3], "")
    cluster.rotate(rotated)
    listing = ("keys", "list", "--tenant", cluster.tenant, "--limit", "2")
    shown, cursors = [], []
    cursor: str | None = ""
    while cursor is not None:
        page = program.run_json(*listing, "--cursor", cursor)
        shown += page["keys"]
        cursor = page["nextCursor"]
        cursors.append(cursor)
    assert sorted(one["id"] for one in shown) == sorted(made)
    assert [one["id"] for one in shown if one["previous"]] == [rotated.id]
    assert len(cursors) == 3
    assert f"There are more: add --cursor {cursors[0]}" in program.run(*listing).out
    assert "There are more" not in program.run("keys", "list", "--tenant", cluster.tenant).out
    assert program.run(*listing[:-1], "0").code == 2
    assert program.run(*listing[:-1], "10001").code == 2


def test_check_accepts_the_longest_hint_that_an_import_accepts(cluster: Cluster, program: Program) -> None:
    cluster.import_key(text(1), "x" * imports.MAX_HINT)
    assert program.run("check").code == 0
