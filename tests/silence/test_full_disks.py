"""A disk that is full under load: what is acknowledged is stored, and service resumes as soon as there is room."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from tests.crash.traffic import Traffic
from tests.silence.conftest import Faulty, faulty_server
from tests.silence.load import more_answers, under_load
from tests.support.client import api_key
from tests.support.metrics import ask, until
from tests.support.postgres_cluster import SYSTEM_USER, Cluster, running_cluster
from tests.support.shop import Shop
from tests.support.sites import Site, opened, serving
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
MIB_OF_DATABASE, MIB_OF_FILE, MIB_OF_LOG = 48, 100, 64
"""A data directory with less than 64 MiB of room is never ready."""


REFUSED = 5
KEYS = 4


def ready(site: Site) -> tuple[int, str]:
    status, _, body = ask(site.admin_port, "/health/ready")
    return status, "" if status == 200 else str(json.loads(body)["data"]["check"])


def reads(shop: Shop) -> int:
    return shop.client(Surface.RESELLER).post("/Products/List", {}).status


def refused_meanwhile(traffic: Traffic, disk: SmallDisk) -> None:
    """While there is no room, changes are refused and reads are answered; the response to a revocation is true."""
    shop = traffic.shop
    keys = [shop.operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(KEYS)]
    clients = [shop.client(lines=api_key(key.text)) for key in keys]
    assert [client.post("/Supplier/Products/List", {}).status for client in clients] == [200] * KEYS
    before = traffic.sent_again
    disk.fill()
    assert until(lambda: traffic.sent_again >= before + REFUSED or bool(traffic.failures))
    assert traffic.failures == []
    assert reads(shop) == 200
    revocations = [client.post("/Supplier/Keys/Revoke", {}) for client in clients]
    assert until(lambda: ready(shop.site) == (503, "writes"))
    disk.clear()
    more_answers(traffic, 20)
    verdicts = {
        (revocation.verdict, client.post("/Supplier/Products/List", {}).verdict)
        for revocation, client in zip(revocations, clients, strict=True)
    }
    assert verdicts <= {((200, None), (401, -23)), (UNAVAILABLE, (200, None))}


def test_a_full_disk_under_sqlite_refuses_changes_answers_reads_and_costs_nothing_acknowledged(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", MIB_OF_FILE) as disk,
        opened("sqlite", disk.folder / "installation") as installation,
        serving(installation, tmp_path, 1, admin_port=True) as site,
    ):
        with under_load(site) as traffic:
            assert ready(site) == (200, "")
            refused_meanwhile(traffic, disk)
        assert until(lambda: ready(site) == (200, ""))
        site.stop()
        assert [line for line in site.failures() if "No space left on device" not in line] == []


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    """A disk that PostgreSQL may write to."""
    with tempfile.TemporaryDirectory(prefix="bedesten-disk-") as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder, "disk"), MIB_OF_DATABASE) as made:
            shutil.chown(made.folder, SYSTEM_USER, SYSTEM_USER)
            yield made


@pytest.fixture(scope="module")
def cluster(disk: SmallDisk) -> Iterator[Cluster]:
    """A cluster whose database is on that disk, and its write-ahead log on another one."""
    with running_cluster() as made:
        made.rows(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        made.rows("CREATE DATABASE shop TABLESPACE small")
        yield made


def test_a_full_disk_under_postgresql_refuses_changes_answers_reads_and_costs_nothing_acknowledged(
    disk: SmallDisk, on_cluster: Faulty
) -> None:
    site = on_cluster.shop.site
    with under_load(site) as traffic:
        assert ready(site) == (200, "")
        refused_meanwhile(traffic, disk)
    assert until(lambda: ready(site) == (200, ""))


def write_log(cluster: Cluster) -> None:
    """Writes more write-ahead log than there is room for."""
    for _ in range(MIB_OF_LOG * 8):
        cluster.rows("SELECT pg_logical_emit_message(true, 'test', repeat('x', 200000))")


def test_a_full_disk_under_the_write_ahead_log_stops_postgresql_and_costs_nothing_acknowledged(tmp_path: Path) -> None:
    """PostgreSQL panics, cannot recover without room, and exits. Once there is room, it has to be started again.

    No checkpoint runs in between: it would free old segments and so delay the panic.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bedesten-disk-")))
        folder.chmod(0o755)
        disk = stack.enter_context(small_disk(folder / "disk", MIB_OF_LOG))
        shutil.chown(disk.folder, SYSTEM_USER, SYSTEM_USER)
        cluster = stack.enter_context(running_cluster(disk.folder / "log", min_wal_size="2MB", max_wal_size="1GB"))
        cluster.rows("CREATE DATABASE shop")
        settings = Settings.model_validate({"data": tmp_path / "data", "database": cluster.url("shop")})
        initialise(settings)
        installation = open_installation(settings)
        stack.callback(installation.store.close)
        shop = stack.enter_context(faulty_server(installation, tmp_path)).shop
        with under_load(shop.site) as traffic:
            disk.fill()
            with pytest.raises(psycopg.OperationalError):
                write_log(cluster)
            assert until(lambda: cluster.pids() == [])
            assert "PANIC" in cluster.log.read_text("utf-8")
            assert reads(shop) == 503
            assert ready(shop.site) == (503, "store")
            assert traffic.failures == []
            disk.clear()
            cluster.stop()
            cluster.start()
        assert until(lambda: ready(shop.site) == (200, ""))
