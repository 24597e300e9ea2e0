"""A server opens no more connections to PostgreSQL than it counts, and warns at start if the database allows fewer."""

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from bedesten.server.child_process import free_port
from bedesten.server.database_connections import missing_connections, most_connections
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.connection_counts import allowed_connections
from bedesten.store.postgres import PostgresStore
from tests.support.cli_program import Program
from tests.support.cli_server import served
from tests.support.client import bearer
from tests.support.metrics import until
from tests.support.operator_actions import Operator
from tests.support.pgbouncer import running_pgbouncer
from tests.support.postgres_cluster import Cluster, running_cluster
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened

pytestmark = pytest.mark.slow

OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'bedesten %'"
ALLOWED, READERS, WRITERS = 30, 2, 5
OF_A_PROCESS = READERS + WRITERS + 2 + 1
OTHER_NUMBERS = {"BEDESTEN_DATABASE_READERS": str(READERS), "BEDESTEN_DATABASE_WRITERS": str(WRITERS)}
ALONE = ("--no-worker", "--admin-port", "0")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A database server that allows few connections."""
    with running_cluster(max_connections=str(ALLOWED)) as made:
        made.rows("CREATE DATABASE shop")
        yield made


@pytest.fixture(scope="module")
def program(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program on an installation in that cluster."""
    made = Program(tmp_path_factory.mktemp("program") / "data", cluster.url("shop"))
    assert initialise(Settings(data=made.data, database=made.database))
    return made


def test_a_server_with_configured_pool_sizes_opens_exactly_as_many_connections_and_works(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    """Reads and orders wait for a locked table, so that all threads are busy and the server opens all connections."""
    environment = {**OTHER_NUMBERS, "BEDESTEN_LIMITS": "local"}
    with served(program, "--workers", "1", *ALONE, environment=environment) as server:
        installation = open_installation(Settings(data=program.data, database=program.database))
        shop = open_shop(Site(installation, server.port, server.process, tmp_path / "log"), Operator(installation), "a")
        installation.store.close()
        with busy(shop), psycopg.connect(cluster.url("shop")) as lock:
            counts: list[int] = []

            def all_open() -> bool:
                counts.append(connections_of(server.workers[0], cluster.port))
                return counts[-1] == OF_A_PROCESS

            lock.execute("LOCK TABLE products, stock_codes IN ACCESS EXCLUSIVE MODE")
            assert until(all_open), counts
            assert max(counts) == OF_A_PROCESS
        client = shop.site.client(shop.host, bearer(shop.partner_token))
        assert client.post("/Products/List").status == 200
        assert client.post("/Orders/Create", shop.order()).status == 200
        assert until(lambda: cluster.rows(OURS) == [(OF_A_PROCESS,)])


def connections_of(pid: int, port: int) -> int:
    """How many TCP connections to this port a process holds. The database also counts closed ones for a moment."""
    held = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            held.add(os.readlink(entry.path))
    lines = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:])
    return sum(line[2].endswith(f":{port:04X}") and f"socket:[{line[9]}]" in held for line in lines)


@contextlib.contextmanager
def busy(shop: Shop) -> Iterator[None]:
    """Twenty callers list products and order, without a pause."""
    stop = threading.Event()

    def call(number: int) -> None:
        client = shop.site.client(shop.host, bearer(shop.partner_token))
        while not stop.is_set():
            body = shop.order() if number % 2 else {}
            assert client.post("/Orders/Create" if number % 2 else "/Products/List", body).status in (200, 503)
        client.close()

    with ThreadPoolExecutor(20) as callers:
        calls = [callers.submit(call, number) for number in range(20)]
        try:
            yield
        finally:
            stop.set()
        for one in calls:
            one.result()


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--workers", "3", *ALONE], 3 * (OF_A_PROCESS + 1)),
        (["--workers", "1"], (OF_A_PROCESS + 1) + (OF_A_PROCESS + 1) + (OF_A_PROCESS + 4)),
        (["--workers", "2", *ALONE], None),
    ],
    ids=["workers", "side processes", "few enough"],
)
def test_a_server_that_may_need_more_connections_than_the_database_allows_warns_and_starts(
    program: Program, arguments: list[str], needed: int | None
) -> None:
    if "--admin-port" not in arguments:
        arguments = [*arguments, "--admin-port", str(free_port(0))]
    with served(program, *arguments, environment=OTHER_NUMBERS) as server:
        server.process.terminate()
        server.process.communicate(timeout=60)
        lines = [line for line in server.logged() if line["event"] == "connections-few"]
    found = [(line["level"], line["needed"], line["allowed"]) for line in lines]
    assert found == ([] if needed is None else [("warning", needed, ALLOWED)])


def test_connections_are_counted_for_each_process_and_for_shared_ones() -> None:
    settings = Settings(database="postgresql://db/x")
    assert most_connections(settings, 4, side_worker=True, admin=True) == 4 * 11 + 11 + 14
    assert most_connections(settings, 1, side_worker=False, admin=False) == 11
    local = settings.model_copy(update={"limits": "local"})
    assert most_connections(local, 1, side_worker=False, admin=False) == 10
    gate = settings.model_copy(update={"gate_routes": Path("routes.toml")})
    assert most_connections(gate, 0, side_worker=False, admin=True) == 14 + 11
    other = settings.model_copy(update={"database_readers": 10, "database_writers": 20})
    assert most_connections(other, 1, side_worker=False, admin=False) == 34


def test_the_allowed_connections_are_the_smallest_limit_of_the_database(cluster: Cluster) -> None:
    for statement in (
        "CREATE ROLE plain LOGIN",
        "CREATE ROLE narrow LOGIN CONNECTION LIMIT 7",
        "CREATE DATABASE small",
    ):
        cluster.rows(statement)
    cluster.rows("ALTER DATABASE small CONNECTION LIMIT 9")

    def allowed(user: str, database: str) -> int | None:
        store = PostgresStore(cluster.url(database).replace("//postgres@", f"//{user}@"))
        try:
            return store.read_now(allowed_connections)
        finally:
            store.close()

    assert allowed("postgres", "small") == ALLOWED
    assert allowed("plain", "shop") == ALLOWED - 3
    assert allowed("plain", "small") == 9
    assert allowed("narrow", "small") == 7


@pytest.mark.external
def test_behind_a_pooler_there_is_no_warning_because_it_has_its_own_limits(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as direct:
        assert direct.settings.database
        assert missing_connections(direct.settings, direct.store, 1_000_000) is not None
        with running_pgbouncer(direct.settings.database) as pooler:
            settings = direct.settings.model_copy(update={"database": pooler.url(direct.settings.database)})
            pooled = open_installation(settings)
            assert missing_connections(settings, pooled.store, 1_000_000) is None
            pooled.store.close()


def test_an_sqlite_store_has_no_connections_to_count(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as installation:
        assert missing_connections(installation.settings, installation.store, 1_000_000) is None
