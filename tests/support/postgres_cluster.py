"""PostgreSQL clusters for single tests: created, copied to a standby, cut off, promoted, paused, killed, and removed.

Other tests create their databases on another server (`postgres_server`). A cluster listens on loopback only, at a free
port, and trusts every user. initdb and postgres refuse root, so as root they run as the user `postgres`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from bedesten.server.child_process import free_port
from tests.support.pausing import pause

PATIENCE_S = 180.0
"""Timeout of operations that take a moment on a quiet machine."""
SYSTEM_USER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",
    "wal_sender_timeout": "0",
    "autovacuum": "off",
}


def find_program(name: str) -> str | None:
    """The path of a PostgreSQL server program. Debian keeps them out of PATH, in a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))


def _program(name: str) -> str:
    found = find_program(name)
    if found is None and not os.environ.get("CI"):
        pytest.skip(f"NOT TESTED: {name} is missing; apt-get install postgresql")
    assert found is not None, f"{name} is missing: apt-get install postgresql"
    return found


def _command(name: str, *arguments: str) -> list[str]:
    """The command line that runs a program as a user it accepts, and ends it together with the test process."""
    identity = [f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *identity, "--pdeathsig", "QUIT", _program(name), *arguments]


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(_command(name, *arguments), cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S, pause_s: float = 0.02) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
        time.sleep(pause_s)


class Cluster:
    """One cluster: a data directory, a port, and its server while it runs."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._settings = _SETTINGS | (settings or {})
        self.port = free_port(0)
        self.log = folder.with_suffix(".log")
        """The server's log."""
        self.standbys: list[Cluster] = []
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://{SYSTEM_USER}@127.0.0.1:{self.port}/{database}"

    def rows(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Runs a statement on a new connection in autocommit, and returns its rows."""
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Changes settings that need no restart, and waits until the server has read them."""
        for name, value in settings.items():
            self.rows(f"ALTER SYSTEM SET {name} = '{value}'")
        self.rows("SELECT pg_reload_conf()")
        shown = [(value,) for value in settings.values()]
        until(lambda: [self.rows(f"SHOW {name}")[0] for name in settings] == shown, f"the settings are {settings}")

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = [option for name, value in self._settings.items() for option in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _command("postgres", "-D", str(self.folder), "-p", str(self.port), *options),
                cwd="/",
                stdout=log,
                stderr=log,
            )
        until(self.answers, f"{self.log.read_text('utf-8')[-2000:]}")

    def answers(self) -> bool:
        """Whether the server accepts a connection now."""
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text("utf-8")[-2000:]
        try:
            return self.rows("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def pids(self) -> list[int]:
        """The server's processes, the postmaster first."""
        if self._process is None or self._process.poll() is not None:
            return []
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split()
        return [first, *map(int, children)]

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to every process of the server."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pause(self) -> None:
        """Pauses every process: earlier and later requests to the server wait."""
        pause(self.pids())

    def resume(self) -> None:
        """Resumes the processes."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kills the server at once, like a power failure."""
        self.signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> None:
        """Ends the server and every connection, without a checkpoint: `start` then recovers."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
        self._ended()

    def _ended(self) -> None:
        if self._process is not None:
            self._process.wait(PATIENCE_S)
            self._process = None

    # --- standbys ---

    def standby(self, name: str) -> "Cluster":
        """A running hot standby of this cluster, which follows it asynchronously."""
        made = Cluster(self.folder.with_name(name))
        _run("pg_basebackup", "-d", self.url(), "-D", str(made.folder), "-R", "-X", "stream", "-c", "fast", "--no-sync")
        self.standbys.append(made)
        made.start()
        return made

    def catch_up(self, primary: "Cluster") -> None:
        """Waits until this standby has applied all that the primary has committed by now."""
        ((end,),) = primary.rows("SELECT pg_current_wal_lsn()::text")
        until(
            lambda: self.rows(f"SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn") == [(True,)],
            "the standby has applied what the primary committed",
        )

    def cut_off(self) -> None:
        """Disconnects this standby from its primary: later commits do not reach it."""
        self.configure(primary_conninfo="")
        until(lambda: self.rows("SELECT pid FROM pg_stat_wal_receiver") == [], "the standby follows nobody")

    def promote(self) -> None:
        """Promotes this standby, and waits until it accepts writes."""
        assert self.rows(f"SELECT pg_promote(true, {int(PATIENCE_S)})") == [(True,)]


@contextlib.contextmanager
def running_cluster(log_folder: Path | None = None, /, **settings: str) -> Iterator[Cluster]:
    """Runs a cluster. At the end of the block, it and its standbys are stopped and removed.

    `log_folder`: a folder to create for its write-ahead log, in segments of 1 MiB.
    """
    with tempfile.TemporaryDirectory(prefix="bedesten-cluster-", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
        first = Cluster(Path(folder, "primary"), settings)
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        options += [f"--waldir={log_folder}", "--wal-segsize=1"] if log_folder else []
        _run("initdb", "-D", str(first.folder), "-U", SYSTEM_USER, *options)
        try:
            first.start()
            yield first
        finally:
            for one in (*first.standbys, first):
                one.stop()
