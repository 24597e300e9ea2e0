"""Whether this machine can answer requests now, and if not, which check fails, and why.

| check | what fails it |
|---|---|
| `stopping` | the server drains (`admin_api.health`) |
| `store` | the store cannot be reached, does not answer in time, or is no installation |
| `schema` | the store has another version than this program |
| `replica` | no synchronous standby is connected though one is expected, so that no write is committed |
| `writes` | a test write is not committed in time: read-only, a full disk, a standby far behind; or no table can grow |
| `clock` | this machine's clock is far from the database's |
| `secrets` | the master secrets are not those that the store demands |
| `workers` | no worker accepts connections, or none answers |
| `threads` | in every worker so many actions wait for the store that further ones are refused |
"""

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bedesten.admin_api.health import NotReady
from bedesten.core.clock import SECOND, Clock, system_clock
from bedesten.server.installation import InstallationError, check_version, version_of
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.settings import Settings
from bedesten.store import replication, wait_budget
from bedesten.store.database_clock import NOW
from bedesten.store.postgres import MAX_WAITING
from bedesten.store.revision_log import COUNTER
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION, InstallationSettings
from bedesten.store.transaction import NotWritable, StoreUnavailable
from bedesten.telemetry.metrics_file import ProcessSnapshot

STORE_TIMEOUT_S = 2.5
"""Timeout of the test that the store can be read and written."""
REPLICATION_TIMEOUT_S = 0.5
"""Timeout of the query that finds out why it cannot be written."""
CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 0.5, 1.0
"""Time that a worker has to accept a connection, and to answer on it."""
MAX_CLOCK_DIFFERENCE = 30 * SECOND
"""Milliseconds by which bearer tokens and API keys may expire early or late; the clock monitor warns long before."""
_PROBE = b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n"
"""A request that a worker's adapter answers (400) without the pipeline: it is neither logged nor counted."""


@dataclass(slots=True)
class Readiness:
    """The checks of one machine, and what they measured when they last ran. `web` is the address of the workers."""

    store: Store
    settings: Settings
    master_secrets: MasterSecrets
    web: tuple[str, int] | None
    snapshots: Callable[[], Iterable[ProcessSnapshot]]
    clock: Clock = system_clock
    measured: dict[str, float] = field(default_factory=dict)
    _no_room: int = 0
    """The count of writes without room when the last check found that tables can grow."""

    def check(self) -> None:
        """Raises `NotReady`, or the error of an unreachable store. Blocks."""
        snapshots = list(self.snapshots()) if self.store.dialect == "postgresql" else []
        try:
            with wait_budget.limited(STORE_TIMEOUT_S):
                installed = self._check_store(snapshots)
        except StoreUnavailable as problem:
            if "read-only" in str(problem):
                raise NotReady("the database is read-only", "writes") from problem
            raise
        self._check_secrets(installed)
        if self.web is not None:
            check_workers(*self.web)
            if are_all_busy(snapshots):
                raise NotReady("every thread of the store is busy", "threads")

    def _check_store(self, snapshots: list[ProcessSnapshot]) -> InstallationSettings:
        try:
            check_version(self.store, version_of(self.store, self.settings))
        except InstallationError as problem:
            raise NotReady(str(problem), "schema") from None
        before = self.clock()
        counter, installed, now = self.store.read_now(
            lambda tx: (tx.one(COUNTER), tx.one(INSTALLATION), tx.one(NOW, at=tx.at))
        )
        after = self.clock()
        if counter is None or installed is None or now is None:
            raise NotReady("the store is not an installation")
        began = time.monotonic()
        no_room = count_no_room(snapshots)
        try:
            self.store.check_writable()
            if no_room != self._no_room:
                self.store.check_room()
        except NotWritable as problem:
            cause = problem.__cause__
            if cause is not None and "read-only" in str(cause):
                raise NotReady("the database is read-only", "writes") from problem
            if self._lacks_standby():
                raise NotReady("no synchronous standby is connected, so no write is committed", "replica") from problem
            raise NotReady(str(problem), "writes") from problem
        self._no_room = no_room
        self.measured["ready_write_seconds"] = time.monotonic() - began
        if self.store.dialect == "postgresql":
            self._check_clock(before, int(now[0]), after)
        return installed

    def _lacks_standby(self) -> bool:
        """Whether a missing standby explains the failed write. It does not matter while writes succeed."""
        if self.store.dialect != "postgresql":
            return False
        try:
            with wait_budget.limited(REPLICATION_TIMEOUT_S):
                return self.store.read_now(replication.read).missing is True
        except Exception:
            return False  # the known reason is good enough

    def _check_clock(self, before: int, there: int, after: int) -> None:
        """Raises `NotReady` for a large clock difference, not counting the duration of the query."""
        ahead = max(before - there, 0) or min(after - there, 0)
        self.measured["ready_clock_ahead_seconds"] = ahead / SECOND
        if abs(ahead) > MAX_CLOCK_DIFFERENCE:
            raise NotReady("this machine's clock is far from the database's", "clock")

    def _check_secrets(self, installed: InstallationSettings) -> None:
        try:
            self.master_secrets.for_store(installed)
        except StoreUnavailable as problem:
            what, _, why = str(problem).partition(": ")
            # the cause of a failed read may name files of this machine
            reason = f"{what}: {why}" if what.endswith("cannot be used") else what
            raise NotReady(reason, "secrets") from problem


def check_workers(host: str, port: int) -> None:
    """Raises `NotReady` if no worker listens on the address, or if the one that accepts does not answer."""
    try:
        with socket.create_connection((host, port), CONNECT_TIMEOUT_S) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            connection.sendall(_PROBE)
            answered = bool(connection.recv(1))
    except ConnectionRefusedError:
        raise NotReady("no worker takes connections", "workers") from None
    except OSError:
        answered = False
    if not answered:
        raise NotReady("a worker does not answer", "workers")


def count_no_room(snapshots: Iterable[ProcessSnapshot]) -> int:
    """Writes that failed on PostgreSQL's full disk, over all processes, as they published them in the last second."""
    return sum(value for one in snapshots for series, value in one.snapshot.counters if series[0] == "store_no_room")


def are_all_busy(snapshots: Iterable[ProcessSnapshot]) -> bool:
    """Whether the store's queue is full in every web process, as they published it in the last second."""
    busy = [
        any(series[0] == "store_waiting" and value >= MAX_WAITING for series, value in one.snapshot.gauges)
        for one in snapshots
        if one.alive and one.snapshot.kind == "web"
    ]
    return bool(busy) and all(busy)
