"""An import of many API keys beside a running server: short transactions, nobody waits, and still all of them or none."""

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
from tests.apikeys.hall import Hall, Made
from tests.store.raw import raw
from tests.support.cli_program import ENVIRONMENT, Program

pytestmark = pytest.mark.slow

REFUSED = errors.KEY_REFUSED.number
TABLES = ("api_keys", "key_secrets", "key_imports", "key_import_runs")


def text(number: int) -> str:
    return f"ak_live_{number:032x}"


def lines(count: int) -> list[ImportLine]:
    return [ImportLine(at, hashlib.sha256(text(at).encode()).hexdigest()) for at in range(1, count + 1)]


def description(hall: Hall) -> api_keys.NewKey:
    return api_keys.NewKey(Surface.SUPPLIER, hall.owner, False)


def stored(hall: Hall) -> dict[str, int]:
    """What is in the store, past all of our code."""
    with raw(hall.installation.settings) as store:
        return {table: store.one(f"SELECT count(*) FROM {table}") for table in TABLES}


def import_some(hall: Hall, count: int, advance: Callable[[int], object] = lambda _: None) -> list[str]:
    new, store = description(hall), hall.installation.store
    return key_imports.import_keys(
        store, hall.keyring, hall.tenant, lines(count), lambda _: (new, None), OPERATOR, advance
    )[0]


def killed_in_the_middle(hall: Hall) -> None:
    """What a program leaves that was killed after it had stored two parts of three."""
    store, tenant, new = hall.installation.store, hall.tenant, description(hall)
    prepared = imports.prepare(hall.keyring, tenant, lines(30))
    run = store.write_now(lambda tx: imports.begin(tx.for_tenant(tenant), hall.keyring, new, 30))
    store.write_now(lambda tx: imports.store_some(tx.for_tenant(tenant), run, prepared[:10]))
    store.write_now(lambda tx: imports.store_some(tx.for_tenant(tenant), run, prepared[10:20]))


def test_no_transaction_of_an_import_writes_more_than_a_thousand_keys(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, store = [0], hall.installation.store
    write = store.write_now

    def watched(work: Any) -> Any:
        done = write(work)
        written.append(stored(hall)["key_secrets"])
        return done

    monkeypatch.setattr(store, "write_now", watched)
    made = import_some(hall, 2_500)
    steps = [after - before for before, after in itertools.pairwise(written)]
    assert [step for step in steps if step] == [1_000, 1_000, 500]
    assert steps[-1] == 0, "what makes them valid is a transaction of its own"
    assert len(set(made)) == 2_500
    assert MAX_KEYS_PER_TRANSACTION == 1_000


def test_a_revocation_is_served_in_the_middle_of_an_import_and_no_key_is_valid_before_its_end(hall: Hall) -> None:
    victim = hall.make()
    assert hall.answers(victim.text) == [200, 200]
    beside = hall.process()
    seen: list[list[int]] = []

    def in_the_middle(_: int) -> None:
        if not seen:
            work = lambda tx: api_keys.revoke(tx.for_tenant(hall.tenant), victim.id, OPERATOR)  # noqa: E731
            assert beside.installation.store.write_now(work)
        seen.append(hall.answers(victim.text, text(1), text(2_500)))
        assert [one["id"] for one in hall.listed()] == [victim.id]

    before = hall.changes()
    made = import_some(hall, 2_500, in_the_middle)
    assert seen == [[REFUSED] * 6] * 3
    assert hall.answers(victim.text, text(1), text(2_500)) == [REFUSED, 200, 200] * 2
    assert [row.subject for row in hall.trail() if row.action == "key.import"] == [made[0]]
    uses = 2
    assert hall.changes() == before + 1 + 1 + uses, "the revocation, the import, and two first uses"


def test_nobody_can_use_see_or_change_a_key_of_an_unfinished_import(hall: Hall) -> None:
    killed_in_the_middle(hall)
    assert hall.answers(text(1), text(20)) == [REFUSED] * 4
    assert hall.listed() == []
    with raw(hall.installation.settings) as store:
        pending = store.rows("SELECT id FROM api_keys")
    for act in (lambda key: hall.revoke(key), lambda key: hall.rotate(key)):
        with pytest.raises(Refusal) as refused:
            act(Made(pending[0][0], text(1)))
        assert refused.value.code is errors.NOT_FOUND


def test_what_a_killed_import_has_stored_is_removed_by_the_worker_after_a_minute(hall: Hall) -> None:
    killed_in_the_middle(hall)
    whole = {"api_keys": 20, "key_secrets": 20, "key_imports": 20, "key_import_runs": 1}
    hall.clock.now += ABANDONED_AFTER
    hall.run(worker.maintain_api_keys(hall.installation))
    assert stored(hall) == whole, "it may still be under way"
    hall.clock.now += 1
    hall.run(worker.maintain_api_keys(hall.installation))
    assert stored(hall) == dict.fromkeys(TABLES, 0)


def test_a_run_of_a_clock_that_was_ahead_does_not_stay_pending(hall: Hall) -> None:
    killed_in_the_middle(hall)
    hall.clock.now -= ABANDONED_AFTER + 1
    hall.run(worker.maintain_api_keys(hall.installation))
    assert stored(hall) == dict.fromkeys(TABLES, 0)


def test_an_import_waits_for_another_one_at_most_a_minute_and_then_takes_the_same_keys(hall: Hall) -> None:
    killed_in_the_middle(hall)
    with pytest.raises(Refusal) as refused:
        import_some(hall, 40, lambda _: pytest.fail("nothing is stored"))
    assert refused.value.code is errors.CONFLICT
    hall.clock.now += ABANDONED_AFTER + 1
    assert len(import_some(hall, 40)) == 40
    assert hall.answers(text(1), text(40)) == [200] * 4
    assert stored(hall) == {"api_keys": 40, "key_secrets": 40, "key_imports": 40, "key_import_runs": 1}


def test_an_import_that_was_given_up_meanwhile_cannot_go_on(hall: Hall) -> None:
    def asleep(_: int) -> None:
        hall.clock.now += ABANDONED_AFTER + 1
        hall.run(worker.maintain_api_keys(hall.installation))

    with pytest.raises(Refusal, match="given up") as refused:
        import_some(hall, 1_500, asleep)
    assert refused.value.code is errors.CONFLICT
    assert stored(hall) == dict.fromkeys(TABLES, 0)
    assert hall.answers(text(1)) == [REFUSED] * 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_an_import_that_ends_early_leaves_nothing(hall: Hall, end: type[BaseException]) -> None:
    def stop(_: int) -> None:
        raise end

    with pytest.raises(end):
        import_some(hall, 1_500, stop)
    assert stored(hall) == dict.fromkeys(TABLES, 0)
    assert len(import_some(hall, 1_500)) == 1_500


@pytest.fixture
def program(hall: Hall) -> Program:
    """`bedesten` on the same installation; it has the machine's clock."""
    hall.clock.now = system_clock()
    return Program(hall.installation.settings.data, hall.installation.settings.database)


@pytest.fixture
def importing(hall: Hall, program: Program, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The real program, in the middle of an import."""
    file = tmp_path / "digests.csv"
    file.write_text("".join(f"{one.sha256}\n" for one in lines(40_000)))
    options = ["--tenant", hall.tenant, "--surface", "supplier", "--owner", hall.owner, str(file)]
    with subprocess.Popen(
        [sys.executable, "-m", "bedesten", "keys", "import", *options, *program.where],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        while not stored(hall)["key_secrets"]:
            assert process.poll() is None, process.stdout and process.stdout.read()
        yield process
        process.kill()


def test_kill_9_in_the_middle_of_an_import_leaves_nothing_valid(
    hall: Hall, program: Program, importing: "subprocess.Popen[bytes]"
) -> None:
    importing.kill()
    importing.wait()
    assert stored(hall)["key_secrets"] < 40_000
    assert program.run_json("keys", "list", "--tenant", hall.tenant) == {"keys": [], "nextCursor": None}
    assert hall.answers(text(1)) == [REFUSED] * 2
    hall.clock.now = system_clock() + ABANDONED_AFTER + 1
    hall.run(worker.maintain_api_keys(hall.installation))
    assert stored(hall) == dict.fromkeys(TABLES, 0)


def test_ctrl_c_in_the_middle_of_an_import_leaves_nothing(hall: Hall, importing: "subprocess.Popen[bytes]") -> None:
    importing.send_signal(signal.SIGINT)
    assert importing.wait() == 130
    assert stored(hall) == dict.fromkeys(TABLES, 0)


def test_a_list_of_api_keys_comes_in_pages(hall: Hall, program: Program) -> None:
    made = [hall.make().id for _ in range(5)]
    rotated = Made(made[3], "")
    hall.rotate(rotated)
    listing = ("keys", "list", "--tenant", hall.tenant, "--limit", "2")
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
    assert "There are more" not in program.run("keys", "list", "--tenant", hall.tenant).out
    assert program.run(*listing[:-1], "0").code == 2
    assert program.run(*listing[:-1], "10001").code == 2


def test_check_takes_the_longest_hint_that_an_import_takes(hall: Hall, program: Program) -> None:
    hall.import_key(text(1), "x" * imports.MAX_HINT)
    assert program.run("check").code == 0
