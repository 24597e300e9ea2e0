"""Counts of a process, its metrics file, and the metrics of all processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.admin_api import exposition
from bedesten.server.installation import Installation
from bedesten.store.store import Store
from bedesten.telemetry import metrics, metrics_file
from bedesten.telemetry.metrics import LoginMinutes, Metrics, login_alarm
from bedesten.telemetry.metrics_file import MetricsFile, NoMetricsFile
from bedesten.telemetry.request_log import LineRateLimit
from tests.support.documents import DOCS, tables
from tests.support.metrics import Samples, of, samples
from tests.support.sites import ENGINES, opened

NOW = 1_700_000_000_000
MINUTE = 60_000


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A fresh installation without a server."""
    with opened(request.param, tmp_path_factory.mktemp("metrics")) as made:
        yield made


@pytest.fixture
def store(installation: Installation) -> Store:
    """The installation's store."""
    return installation.store


def read(directory: Path, store: Store, now: int = NOW) -> Samples:
    """The metrics as the admin listener would return them."""
    body, kind = exposition.render(directory, exposition.read_store_metrics(store), now)("")
    assert kind.startswith("text/plain")
    return samples(body.decode())


def test_counts_of_all_processes_are_added_up(tmp_path: Path, store: Store) -> None:
    counted = [Metrics(), Metrics()]
    for each, times in zip(counted, (3, 4), strict=True):
        for _ in range(times):
            each.observe_request("reseller", 200, 0, 0.0007)
        each.observe_request("payment", 401, -23, 0.2)
        each.count("logins", "storefront", "refused", by=times)
    held = [MetricsFile(tmp_path), MetricsFile(tmp_path)]
    for file, each in zip(held, counted, strict=True):
        file.publish(
            each.snapshot("web", 1, NOW, [(("password_hashes_pending",), 2.0), (("auth_cache_entries", "keys"), 5.0)])
        )
    found = read(tmp_path, store)
    assert of(found, "requests_total", surface="reseller", status="2xx", code="0") == 7
    assert of(found, "requests_total", surface="payment", status="4xx", code="-23") == 2
    assert of(found, "logins_total", surface="storefront", result="refused") == 7
    assert of(found, "request_seconds_count", surface="reseller") == 7
    assert of(found, "request_seconds_bucket", surface="reseller", le="0.0005") == 0
    assert of(found, "request_seconds_bucket", surface="reseller", le="0.001") == 7
    assert of(found, "request_seconds_bucket", surface="reseller", le="+Inf") == 7
    assert of(found, "request_seconds_sum", surface="reseller") == pytest.approx(0.0049)
    assert (
        of(found, "password_hashes_pending", process="web-0")
        == of(found, "password_hashes_pending", process="web-1")
        == 2
    )
    assert of(found, "auth_cache_entries", process="web-1", kind="keys") == 5
    assert of(found, "processes", kind="web") == 2
    assert of(found, "processes", kind="worker") == 0
    for file in held:
        file.close()


def test_a_replacement_continues_the_counts_of_a_dead_process(tmp_path: Path, store: Store) -> None:
    first = MetricsFile(tmp_path)
    before = Metrics()
    before.count("deliveries", "delivered", by=10)
    before.observe_request("reseller", 200, 0, 0.002)
    before.logins.count(NOW, refused=True)
    first.publish(before.snapshot("worker", 1, NOW, [(("resident_bytes",), 1.0)]))
    first.close()
    gone = read(tmp_path, store)
    assert of(gone, "deliveries_total", result="delivered") == 10, "what a dead process counted still counts"
    assert of(gone, "processes", kind="worker") == 0
    assert of(gone, "resident_bytes", process="worker-0") == 0
    second = MetricsFile(tmp_path)
    assert second.number == 0
    after = Metrics()
    after.count("deliveries", "delivered")
    found = second.previous()
    assert found is not None
    after.restore(found)
    second.publish(after.snapshot("worker", 2, NOW, []))
    now = read(tmp_path, store)
    assert of(now, "deliveries_total", result="delivered") == 11
    assert of(now, "request_seconds_count", surface="reseller") == 1
    assert of(now, "processes", kind="worker") == 1
    assert after.logins.recent(NOW) == (0, 1)
    second.close()


def test_the_file_of_a_killed_process_can_be_reused_at_once(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from bedesten.telemetry.metrics_file import MetricsFile\n"
        "print(MetricsFile(Path(sys.argv[1])).number, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "0\n"
        beside = MetricsFile(tmp_path)
        assert beside.number == 1
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    after = MetricsFile(tmp_path)
    assert after.number == 0
    after.close()
    beside.close()


@pytest.mark.parametrize(
    "rubbish", [b"", b"{", b"[]", b'{"kind": "web"}', b"\x00" * 1000, b'{"kind":1,"pid":"x","at":[]}']
)
def test_an_unreadable_file_counts_as_no_counts(tmp_path: Path, store: Store, rubbish: bytes) -> None:
    metrics_file = MetricsFile(tmp_path)
    (tmp_path / "0.json").write_bytes(rubbish)
    assert metrics_file.previous() is None
    assert of(read(tmp_path, store), "store_up") == 1
    metrics_file.close()


def test_without_a_directory_there_are_only_the_metrics_of_the_store(tmp_path: Path, store: Store) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NoMetricsFile):
        MetricsFile(tmp_path / "file")
    with pytest.raises(NoMetricsFile):
        MetricsFile(tmp_path / "absent" / "metrics")
    found = read(tmp_path / "absent", store)
    assert of(found, "store_up") == 1
    assert of(found, "audit_sealed") == 0
    assert of(found, "outbox_due") == 0


def test_labels_of_a_metric_that_this_version_lacks_are_left_out(tmp_path: Path, store: Store) -> None:
    metrics_file = MetricsFile(tmp_path)
    counted = Metrics()
    counted.count("requests", "reseller")
    counted.count("of_another_version", "x")
    metrics_file.publish(counted.snapshot("web", 1, NOW, []))
    body, _ = exposition.render(tmp_path, exposition.read_store_metrics(store), NOW)("")
    assert b"another_version" not in body
    assert b"bedesten_requests_total{" not in body
    metrics_file.close()


def test_the_number_of_series_is_bounded() -> None:
    counted = Metrics()
    for number in range(3 * metrics.MAX_SERIES):
        counted.count("requests", str(number))
    assert len(counted.counters) == metrics.MAX_SERIES


@pytest.mark.requirement(118)
def test_many_refused_logins_raise_the_alarm_which_names_the_ratio(tmp_path: Path, store: Store) -> None:
    files = [MetricsFile(tmp_path), MetricsFile(tmp_path)]
    for file in files:
        counted = Metrics()
        for number in range(40):
            counted.logins.count(NOW - number % 4 * MINUTE, refused=True)
        for _ in range(20):
            counted.logins.count(NOW, refused=False)
        file.publish(counted.snapshot("web", 1, NOW, []))
    found = read(tmp_path, store)
    assert of(found, "login_failure_ratio") == pytest.approx(80 / 120)
    assert of(found, "login_failure_alarm") == 1
    later = read(tmp_path, store, NOW + 5 * MINUTE)
    assert (of(later, "login_failure_ratio"), of(later, "login_failure_alarm")) == (0, 0)
    for file in files:
        file.close()


@pytest.mark.parametrize(
    ("ok", "refused", "alarm"), [(0, 49, False), (0, 50, True), (50, 50, True), (51, 50, False), (1_000, 60, False)]
)
def test_the_alarm_requires_many_refusals_and_a_ratio_of_at_least_half(ok: int, refused: int, alarm: bool) -> None:
    assert login_alarm(ok, refused) is alarm


def test_old_minutes_of_logins_are_dropped_even_when_the_clock_goes_back() -> None:
    minutes = LoginMinutes()
    for number in range(1_000):
        minutes.count(NOW + number * MINUTE, refused=number % 2 == 0)
    assert len(minutes.minutes) <= minutes.retention_min
    minutes.count(NOW, refused=True)
    assert minutes.recent(NOW) == (0, 1)


def test_log_lines_are_limited_and_suppressed_ones_are_counted() -> None:
    lines = LineRateLimit(per_s=0, burst=200)
    assert sum(lines.take() for _ in range(10_000)) == 200
    assert lines.withheld == 9_800


def test_every_metric_has_a_help_text_and_every_published_name_is_known(tmp_path: Path, store: Store) -> None:
    known = {**exposition.COUNTERS, **exposition.HISTOGRAMS, **exposition.PROCESS_GAUGES, **exposition.GAUGES}
    assert all(one.text for one in known.values())
    own = dict.fromkeys(("ready", "ready_write_seconds", "ready_clock_ahead_seconds", "disk_free_bytes"), 1.0)
    body, _ = exposition.render(tmp_path, {**exposition.read_store_metrics(store), **own}, NOW)("")
    for name in known:
        assert f"# HELP bedesten_{name}".encode() in body


def test_the_reference_lists_exactly_the_existing_metrics_with_their_labels() -> None:
    _, *listed = tables((DOCS / "reference" / "metrics.md").read_text("utf-8"))[2]
    documented = {(row[0], row[1], row[2]) for row in listed}
    known = {
        (f"`bedesten_{name}{'_total' if kind == 'counter' else ''}`", kind, " ".join(f"`{label}`" for label in one.labels))
        for kind, table in (
            ("counter", exposition.COUNTERS), ("histogram", exposition.HISTOGRAMS), ("gauge", exposition.PROCESS_GAUGES),
            ("gauge", exposition.GAUGES),
        )
        for name, one in table.items()
    }  # fmt: skip
    assert documented == known


def test_a_scraper_that_accepts_open_metrics_gets_that_format(tmp_path: Path, store: Store) -> None:
    body, kind = exposition.render(tmp_path, exposition.read_store_metrics(store), NOW)(
        "application/openmetrics-text; version=1.0.0"
    )
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_files_of_dead_processes_are_reused(tmp_path: Path) -> None:
    for _ in range(50):
        one = MetricsFile(tmp_path)
        one.publish(Metrics().snapshot("web", 1, NOW, []))
        one.close()
    assert len(list(metrics_file.read_all(tmp_path))) == 1
    assert len(list(tmp_path.iterdir())) == 2
