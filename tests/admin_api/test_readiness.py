"""Each readiness check fails under its own name."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest

from bedesten.admin_api.health import NotReady
from bedesten.core.clock import system_clock
from bedesten.server import readiness
from bedesten.server.installation import Installation, open_store
from bedesten.server.readiness import MAX_CLOCK_DIFFERENCE, Readiness, are_all_busy, check_workers
from bedesten.store.postgres import MAX_WAITING
from bedesten.telemetry.metrics import Snapshot
from bedesten.telemetry.metrics_file import ProcessSnapshot
from tests.support.postgres_server import server_url
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for each engine; every test leaves it unchanged."""
    with opened(request.param, tmp_path_factory.mktemp("readiness")) as made:
        yield made


def checks(installation: Installation, ahead: int = 0, web: tuple[str, int] | None = None) -> Readiness:
    """The checks of a machine whose clock is ahead by this much."""
    return Readiness(
        installation.store,
        installation.settings,
        installation.master_secrets,
        web,
        list,
        lambda: system_clock() + ahead,
    )


def failed(made: Readiness) -> tuple[str, str]:
    with pytest.raises(NotReady) as found:
        made.check()
    return found.value.check, str(found.value)


def test_a_machine_that_can_answer_is_ready_and_measures_its_write(installation: Installation) -> None:
    made = checks(installation)
    made.check()
    assert 0 < made.measured["ready_write_seconds"] < readiness.STORE_TIMEOUT_S


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_far_from_the_databases_is_reported(installation: Installation, sign: int) -> None:
    near, far = (checks(installation, sign * (MAX_CLOCK_DIFFERENCE + more)) for more in (-10_000, 10_000))
    near.check()
    if installation.store.dialect == "sqlite":
        far.check()  # there is one clock
        return
    assert failed(far) == ("clock", "this machine's clock is far from the database's")
    assert abs(far.measured["ready_clock_ahead_seconds"] - sign * 40) < 10


@pytest.mark.parametrize("installation", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kept", [True, False])
def test_a_read_only_database_is_reported(installation: Installation, kept: bool) -> None:
    """Over an existing connection and over a new one."""
    store = open_store(installation.settings)
    made = Readiness(store, installation.settings, installation.master_secrets, None, list)
    name = str(installation.settings.database).rpartition("/")[2]
    with contextlib.closing(store), psycopg.connect(server_url(), autocommit=True) as server:
        if kept:
            made.check()
        server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            if kept:
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                server.execute(ended, (name,))
            assert failed(made) == ("writes", "the database is read-only")
        finally:
            server.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        made.check()


@pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
def test_a_full_disk_is_reported(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedesten.store.sqlite.MIN_FREE_BYTES", 1 << 62)
    check, reason = failed(checks(installation))
    assert check == "writes"
    assert reason.startswith("the store's disk has less than ")


def test_a_machine_without_workers_and_one_whose_worker_is_silent_are_not_ready(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "ANSWER_TIMEOUT_S", 0.05)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", bound.getsockname()[1])
        assert failed(checks(installation, web=address)) == ("workers", "no worker takes connections")
        bound.listen()
        assert failed(checks(installation, web=address)) == ("workers", "a worker does not answer")


def test_a_worker_that_ends_the_connection_without_an_answer_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ending = threading.Thread(target=lambda: server.accept()[0].close())
        ending.start()
        with pytest.raises(NotReady):
            check_workers("127.0.0.1", server.getsockname()[1])
        ending.join()


def snapshot(kind: str, waiting: int, *, alive: bool = True) -> ProcessSnapshot:
    return ProcessSnapshot(
        0, alive, Snapshot(kind, 1, 1, gauges=[(("store_waiting", "read"), 0), (("store_waiting", "write"), waiting)])
    )


@pytest.mark.parametrize(
    ("snapshots", "busy"),
    [
        ([], False),
        ([snapshot("web", MAX_WAITING)], True),
        ([snapshot("web", MAX_WAITING - 1)], False),
        ([snapshot("web", MAX_WAITING), snapshot("web", 0)], False),
        ([snapshot("web", MAX_WAITING), snapshot("web", 0, alive=False)], True),
        ([snapshot("web", 0), snapshot("worker", MAX_WAITING)], False),
    ],
)
def test_a_machine_is_busy_only_if_every_living_worker_is(snapshots: list[ProcessSnapshot], busy: bool) -> None:
    assert are_all_busy(snapshots) is busy
