"""A synchronous standby that is away, a database that was made read-only, and a server that is itself a standby."""

import pytest

from bedesten.audit.search import RowFilter, find_newest
from bedesten.server.installation import open_installation
from bedesten.store import replication
from bedesten.store.postgres import PostgresStore
from bedesten.store.transaction import StoreUnavailable
from tests.silence.conftest import Faulty
from tests.store.test_store_faults import refuses_everything
from tests.support.metrics import scrape, until
from tests.support.postgres_cluster import Cluster

pytestmark = pytest.mark.slow

UNAVAILABLE = (503, -9)
NO_STANDBY = (503, "no synchronous standby is connected, so no write is committed")


def test_a_commit_that_is_not_answered_is_an_open_outcome(cluster: Cluster, on_cluster: Faulty) -> None:
    """The log and the audit trail distinguish it from a change that was certainly not made."""
    site = on_cluster.shop.site
    body = on_cluster.shop.order()
    cluster.configure(synchronous_standby_names="nowhere")
    try:
        asked = on_cluster.order(body=body)
        assert asked.verdict == UNAVAILABLE
        assert until(lambda: "outcome open" in site.log.read_text("utf-8"))
    finally:
        cluster.configure(synchronous_standby_names="")
    assert until(lambda: on_cluster.order(body=body).status == 200)
    wanted = RowFilter(on_cluster.shop.id, action="outcome.open")
    assert until(lambda: find_newest(site.installation.store, 9, wanted) != [])
    (row,) = find_newest(site.installation.store, 9, wanted)
    assert (row.actor, row.subject) == (on_cluster.shop.partner, "POST /Orders/Create")
    assert row.request_id == asked.json["requestId"]


def test_while_a_synchronous_standby_is_away_orders_are_answered_and_reads_go_on(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    assert on_cluster.order().status == 200
    assert on_cluster.ready() == (200, "")
    cluster.configure(synchronous_standby_names="nowhere")
    try:
        assert [on_cluster.order().verdict for _ in range(5)] == [UNAVAILABLE] * 5
        assert on_cluster.read().status == 200
        assert on_cluster.ready() == NO_STANDBY
        assert on_cluster.ready() == NO_STANDBY
        ((waiting,),) = cluster.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        assert isinstance(waiting, int)
        assert waiting <= 6, "each refused order leaves a process behind at the server"
    finally:
        cluster.configure(synchronous_standby_names="")
    assert until(lambda: on_cluster.order().status == 200)
    assert until(lambda: on_cluster.ready() == (200, ""))


def test_a_synchronous_standby_that_is_behind_makes_writes_wait_and_the_node_unready(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    """It is connected, so the check `replica` does not report it."""
    standby = cluster.standbys[0] if cluster.standbys else cluster.standby("standby")
    cluster.configure(synchronous_standby_names="*")
    try:
        assert until(lambda: on_cluster.order().status == 200)
        assert until(lambda: on_cluster.ready() == (200, ""))
        standby.pause()
        assert on_cluster.order().verdict == UNAVAILABLE
        assert on_cluster.read().status == 200
        assert on_cluster.ready() == (503, "the store takes no writes")
    finally:
        standby.resume()
        cluster.configure(synchronous_standby_names="")
    assert until(lambda: on_cluster.order().status == 200)
    assert until(lambda: on_cluster.ready() == (200, ""))


def test_a_database_that_was_made_read_only_is_unavailable_and_the_worker_outlives_it(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    cluster.rows("ALTER DATABASE shop SET default_transaction_read_only = on")
    _cut_off(cluster)
    try:
        assert [on_cluster.order().verdict for _ in range(5)] == [UNAVAILABLE] * 5
        assert on_cluster.ready()[0] == 503
    finally:
        cluster.rows("ALTER DATABASE shop RESET default_transaction_read_only")
        _cut_off(cluster)
    assert until(lambda: on_cluster.order().status == 200)
    assert until(lambda: on_cluster.ready() == (200, ""))


def test_connections_from_before_it_was_made_read_only_are_dropped_by_the_first_write(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    cluster.configure(default_transaction_read_only="on")
    try:
        assert [on_cluster.order().verdict for _ in range(5)] == [UNAVAILABLE] * 5
        assert on_cluster.ready()[0] == 503
    finally:
        cluster.rows("ALTER SYSTEM RESET default_transaction_read_only")
        cluster.rows("SELECT pg_reload_conf()")
    assert until(lambda: on_cluster.order().status == 200)


def test_standbys_and_their_lag_are_measured_as_far_as_the_user_may_see_them(
    cluster: Cluster, on_cluster: Faulty
) -> None:
    """A missing standby is a metric, and does not make the node unready while writes are committed."""
    names = ("standbys_connected", "standbys_synchronous", "standby_missing", "replication_lag_seconds")
    cluster.standbys or cluster.standby("standby")
    on_cluster.installation.store.write_now(lambda tx: tx.text("SELECT pg_logical_emit_message(true, 'test', '')"))

    def found(name: str) -> float | None:
        return scrape(on_cluster.shop.site.admin_port).get((f"bedesten_{name}", ()))

    assert until(lambda: [found(name) for name in names] == [1.0, 0.0, 0.0, 0.0])
    cluster.rows("CREATE ROLE plain LOGIN")
    plain = PostgresStore(cluster.url("shop").replace("//postgres@", "//plain@"))
    hidden = plain.read_now(replication.read)
    plain.close()
    assert (hidden.expected, hidden.connected, hidden.synchronous, hidden.lag_s) == (False, 1, None, None)
    cluster.configure(synchronous_commit="local", synchronous_standby_names="nowhere")
    try:
        assert until(lambda: found("standby_missing") == 1.0)
        assert on_cluster.ready() == (200, "")
    finally:
        cluster.configure(synchronous_commit="on", synchronous_standby_names="")


@pytest.mark.parametrize("attributes", ["", "?target_session_attrs=any"])
def test_a_standby_is_not_used_whatever_the_address_says(cluster: Cluster, on_cluster: Faulty, attributes: str) -> None:
    standby = cluster.standbys[0] if cluster.standbys else cluster.standby("standby")
    store = PostgresStore(standby.url("shop") + attributes)
    refuses_everything(store)
    store.close()
    settings = on_cluster.installation.settings.model_copy(update={"database": standby.url("shop") + attributes})
    with pytest.raises(StoreUnavailable):
        open_installation(settings)


def _cut_off(cluster: Cluster) -> None:
    cluster.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bedesten %'")
