"""Terminated, killed or unavailable back ends of PostgreSQL, deadlocks and serialization failures, under load."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest

from bedesten.gate.scopes import Surface
from bedesten.store.postgres import PostgresStore
from bedesten.store.transaction import SystemTransaction
from tests.silence.conftest import Faulty
from tests.silence.load import more_answers, under_load
from tests.store import notes
from tests.support.client import Lines, api_key
from tests.support.metrics import of, scrape, until
from tests.support.postgres_cluster import Cluster, running_cluster

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
OURS = "FROM pg_stat_activity WHERE application_name LIKE 'bedesten %'"
LOCK = "SELECT 1 FROM idempotency WHERE key = '{}' FOR UPDATE"
TERMINATIONS, KEYS = 25, 5


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that allows few connections."""
    with running_cluster(max_connections="40") as made:
        made.rows("CREATE DATABASE shop")
        yield made


def test_back_ends_that_are_terminated_in_a_loop_cost_nothing_that_was_acknowledged(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    with under_load(on_cluster.shop.site) as traffic:
        ended = 0
        for _ in range(TERMINATIONS):
            ended += len(cluster.rows(f"SELECT pg_terminate_backend(pid) {OURS}"))
            more_answers(traffic, 3)
        assert ended > TERMINATIONS
    assert on_cluster.ready() == (200, "")


def test_a_back_end_that_is_killed_takes_all_connections_along_and_nothing_that_was_acknowledged(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    """PostgreSQL ends every back end when one dies, and recovers from its log."""
    with under_load(on_cluster.shop.site) as traffic:
        for _ in range(3):
            while not (busy := cluster.rows(f"SELECT pid {OURS} AND pid IN (SELECT pid FROM pg_locks) LIMIT 1")):
                more_answers(traffic, 1)
            os.kill(int(str(busy[0][0])), signal.SIGKILL)
            assert until(cluster.answers)
            more_answers(traffic, 10)
        assert traffic.sent_again > 0
    assert until(lambda: on_cluster.ready() == (200, ""))


@contextlib.contextmanager
def every_connection_taken(cluster: Cluster) -> Iterator[None]:
    """Other clients hold every connection that the server allows, and ours are terminated."""
    with contextlib.ExitStack() as held, psycopg.connect(cluster.url("shop"), autocommit=True) as first:

        def taken() -> bool:
            first.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    held.enter_context(psycopg.connect(cluster.url("shop"), autocommit=True))
            return first.execute(f"SELECT count(*) {OURS}").fetchone() == (0,)

        assert until(taken)
        yield


def test_without_a_connection_every_request_is_answered_503_and_is_good_again_with_one(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    with under_load(on_cluster.shop.site) as traffic, every_connection_taken(cluster):
        answers = on_cluster.each()
        assert {kind: answer.verdict for kind, answer in answers.items()} == dict.fromkeys(answers, UNAVAILABLE)
        assert on_cluster.ready() == (503, "the store is out of reach")
        assert traffic.failures == []
    assert until(lambda: on_cluster.ready() == (200, ""))


def test_a_revocation_while_back_ends_are_terminated_holds_from_its_answer_on(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    shop = on_cluster.shop
    keys = [shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(KEYS)]
    with terminated_at_random(cluster):
        for key in keys:
            lines = api_key(key.text)
            revocation = ("/Supplier/Keys/Revoke", lines)
            assert until(partial(answered_otherwise, on_cluster, UNAVAILABLE, "/Supplier/Products/List", lines))
            assert until(partial(answered_otherwise, on_cluster, UNAVAILABLE, *revocation))
            verdicts = {on_cluster.ask("/Supplier/Products/List", lines).verdict for _ in range(10)}
            assert verdicts <= {(401, -23), UNAVAILABLE}


def answered_otherwise(faulty: Faulty, unwanted: tuple[int, int], path: str, lines: Lines) -> bool:
    return faulty.ask(path, lines).verdict != unwanted


@contextlib.contextmanager
def terminated_at_random(cluster: Cluster) -> Iterator[None]:
    """Keeps terminating random back ends of the server during the block."""
    over = threading.Event()

    def terminate() -> None:
        while not over.wait(0.05):
            cluster.rows(f"SELECT pg_terminate_backend(pid) {OURS} AND random() < 0.3")

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_lost_races_of_a_serializable_database_are_run_again_and_cost_nothing_that_was_acknowledged(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    """The program sets no isolation level; with the database's stricter one PostgreSQL refuses transactions (40001)."""
    cluster.rows("ALTER DATABASE shop SET default_transaction_isolation = 'serializable'")
    cluster.rows(f"SELECT pg_terminate_backend(pid) {OURS}")
    try:
        with under_load(on_cluster.shop.site) as traffic:
            before = retries(on_cluster)
            assert until(lambda: retries(on_cluster) > before + 2)
            more_answers(traffic, 20)
    finally:
        cluster.rows("ALTER DATABASE shop RESET default_transaction_isolation")
        cluster.rows(f"SELECT pg_terminate_backend(pid) {OURS}")
    assert until(lambda: on_cluster.order().status == 200)


def retries(faulty: Faulty) -> float:
    return of(scrape(faulty.shop.site.admin_port), "store_retries_total")


def test_of_two_actions_that_lock_each_other_out_one_runs_again_and_both_are_committed(on_cluster: Faulty) -> None:
    """The one that is rolled back may lock its row again before the other gets it: then they deadlock once more."""
    store = PostgresStore(on_cluster.shop.site.database or "")
    tenant = on_cluster.shop.id
    for name in ("first", "second"):
        store.write_now(lambda tx, name=name: notes.put(tx.for_tenant(tenant), name))  # type: ignore[misc]
    both = threading.Barrier(2)

    def cross(tx: SystemTransaction, mine: str, other: str) -> int:
        tx.text(LOCK.format(mine))
        if tx.attempt == 1:
            both.wait(60)
        tx.text(LOCK.format(other))
        notes.put(tx.for_tenant(tenant), f"after {mine}")
        return tx.attempt

    with contextlib.closing(store), ThreadPoolExecutor(2) as threads:
        pairs = [("first", "second"), ("second", "first")]
        attempts = list(threads.map(lambda pair: store.write_now(lambda tx: cross(tx, *pair)), pairs))
        assert max(attempts) > 1
        for name in ("first", "second"):
            found = store.read_now(lambda tx, name=name: notes.get(tx.for_tenant(tenant), f"after {name}"))  # type: ignore[misc]
            assert found == "text"
