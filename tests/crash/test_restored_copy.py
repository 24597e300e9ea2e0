"""An older copy of the SQLite store replaces it under a running server, which the documents forbid: it lets nobody in.

A server whose file was replaced answers 503 until it is restarted. One whose file has older content drops its caches.
"""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.store import sqlite_file
from tests.support.cli_program import Program
from tests.support.client import Client, api_key
from tests.support.operator_actions import Key, Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving

pytestmark = pytest.mark.slow

REQUESTS = 40
ACCEPTED, REFUSED, UNAVAILABLE = (200, None), (401, -23), (503, -9)


def moved(copy: Path, store: Path) -> None:
    """Another file replaces the store; the old log stays."""
    shutil.copy(copy, store.with_name("fresh.db"))
    store.with_name("fresh.db").rename(store)


def moved_alone(copy: Path, store: Path) -> None:
    """The same as the documents describe it: the log is removed first."""
    for suffix in ("-wal", "-shm"):
        os.unlink(f"{store}{suffix}")
    moved(copy, store)


def written_over(copy: Path, store: Path) -> None:
    """Overwrites the file's content without SQLite, which applies the log to it again."""
    shutil.copyfile(copy, store)


def brought_in(copy: Path, store: Path) -> None:
    """SQLite's own restore: one transaction that changes everything."""
    sqlite_file.backup(copy, store)


def asked(site: Site, shop: Shop, *keys: Key) -> Counter[tuple[int, int | None]]:
    """Counts the verdicts on requests with these API keys, each on its own connection: any worker may take it."""
    outcome: Counter[tuple[int, int | None]] = Counter()
    for number in range(REQUESTS):
        with contextlib.closing(Client(site.port, shop.host, api_key(keys[number % len(keys)].text))) as client:
            outcome[client.post("/Supplier/Keys/Get").verdict] += 1
    return outcome


@pytest.mark.requirement(213)
@pytest.mark.parametrize(
    ("restore", "answers"),
    [(moved, UNAVAILABLE), (moved_alone, UNAVAILABLE), (written_over, REFUSED), (brought_in, REFUSED)],
    ids=["moved-over-it", "moved-without-its-log", "written-over-it", "brought-in-by-sqlite"],
)
def test_what_is_revoked_after_an_older_copy_came_back_is_refused_by_every_worker(
    tmp_path: Path, restore: Callable[[Path, Path], None], answers: tuple[int, int | None]
) -> None:
    with opened("sqlite", tmp_path) as installation:
        store, program = installation.settings.sqlite_file, Program(installation.settings.data)
        with serving(installation, tmp_path) as site:
            operator = Operator(installation)
            shop = open_shop(site, operator, "acme", stock=1)
            first, second, lost = (operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(3))
            sqlite_file.backup(store, tmp_path / "copy.db")
            operator.revoke_key(shop.id, lost)
            assert asked(site, shop, first, second) == {ACCEPTED: REQUESTS}
            assert asked(site, shop, lost) == {REFUSED: REQUESTS}

            restore(tmp_path / "copy.db", store)
            done = program.run_process("keys", "revoke", first.id, "--json")
            assert (done.code, done.document["changed"]) == (0, True)
            assert asked(site, shop, first) == {answers: REQUESTS}
            assert asked(site, shop, second) == {UNAVAILABLE if answers == UNAVAILABLE else ACCEPTED: REQUESTS}
            site.stop()
        with serving(installation, tmp_path, workers=1) as again:
            assert asked(again, shop, first) == {REFUSED: REQUESTS}
            assert asked(again, shop, second) == {ACCEPTED: REQUESTS}
            again.stop()
    assert program.run_process("check").code == 0
