"""A site to test against: an installation on one of the two engines, and a real server."""

import atexit
import contextlib
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.schema import Table

from bedesten.admin.keyring_file import write_keyring
from bedesten.core.clock import Clock
from bedesten.gate.keyring import Keyring
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store import migrate, sqlite_file
from bedesten.store.sql import metadata
from tests.support.client import Client, Lines
from tests.support.postgres_databases import migrated_database

SERVE = Path(__file__).with_name("serve_process.py")
ENGINES = ("sqlite", "postgresql")
Row = tuple[object, ...]
SEALS = frozenset({"audit.seq", "audit.hash"})
LOG_LINES = 60
_logs: list[Path] = []


@contextlib.contextmanager
def shown_beside_failures(log: Path) -> Iterator[None]:
    """Shows the last lines of a server's log beside the failures of tests that fail in the block."""
    _logs.append(log)
    try:
        yield
    finally:
        _logs.remove(log)


def last_lines() -> str:
    """The last log lines of the running servers, to explain a failure."""
    shown = ((log, log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]) for log in _logs if log.exists())
    return "\n".join(f"{log}:\n" + "\n".join(lines) for log, lines in shown if lines)


@dataclass
class Site:
    """An installation, opened in this process as the operator's commands open it, and its server."""

    installation: Installation
    port: int
    process: "subprocess.Popen[str]"
    log: Path
    admin_port: int = 0
    """The port of the admin listener, if it was requested."""

    @property
    def database(self) -> str | None:
        """The PostgreSQL database, None on SQLite."""
        return self.installation.settings.database

    def client(self, host: str, lines: Lines = (), source: str | None = None) -> Client:
        """A client of the tenant with this host, from a fresh address unless `source` is given."""
        return Client(self.port, host, lines, source)

    def rows(self, *tenants: str, without: frozenset[str] = frozenset()) -> dict[str, Counter[Row]]:
        """Every row of these tenants, by table, unordered, read through a fresh connection.

        Omits what the server writes asynchronously: the last uses of API keys, the seals of the audit trail, and its
        rows of aggregated refusals and logins.
        """
        left_out = without | {"key_uses"}
        tables = [table for table in metadata.sorted_tables if "tenant_id" in table.c and table.name not in left_out]
        with _connection(self.installation.settings) as connection:
            return {
                table.name: Counter(row for one in tenants for row in _rows(connection, table, one)) for table in tables
            }

    def failures(self) -> list[str]:
        """Faults in the server's log. Each is a defect, whatever the answer was. So is a refusal that the route does
        not declare: the documents would lack it."""
        faults = ("internal-error", "Traceback", "refusal-not-declared")
        lines = self.log.read_text("utf-8").splitlines()
        return [line for line in lines if any(fault in line for fault in faults)]

    def stop(self) -> None:
        """Stops the server and waits for its end."""
        self.process.terminate()
        assert self.process.wait(120) == 0, self.log.read_text("utf-8")[-2000:]


def _rows(connection: contextlib.AbstractContextManager[object], table: Table, tenant: str) -> list[Row]:
    columns = ", ".join(f'"{column.name}"' for column in table.columns if f"{table.name}.{column.name}" not in SEALS)
    mark = "%s" if isinstance(connection, psycopg.Connection) else "?"
    text = f"SELECT {columns} FROM {table.name} WHERE tenant_id = {mark}"
    if table.name == "audit":
        text += " AND action NOT IN ('credential.refused', 'login.ok')"
    found: list[Row] = connection.execute(text, (tenant,)).fetchall()  # type: ignore[attr-defined]
    return found


@contextlib.contextmanager
def _connection(settings: Settings) -> Iterator["contextlib.AbstractContextManager[object]"]:
    if settings.database:
        with psycopg.connect(settings.database, autocommit=True) as connection:
            yield connection
    else:
        with contextlib.closing(sqlite_file.connect(settings.sqlite_file)) as connection:
            yield connection


@functools.cache
def _migrated_file() -> Path:
    """A database file with the schema and no rows, created once a process: copying it is faster than migrating."""
    folder = tempfile.TemporaryDirectory(prefix="bedesten-template-")
    atexit.register(folder.cleanup)
    made = Settings(data=Path(folder.name), database=None)
    migrate.upgrade(made.sqlite_file)
    with contextlib.closing(sqlite_file.connect(made.sqlite_file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made.sqlite_file


@contextlib.contextmanager
def opened(engine: str, folder: Path, clock: Clock | None = None, /, **settings: object) -> Iterator[Installation]:
    """Opens a fresh installation on the engine. With a clock, its store uses only this clock."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(migrated_database()) if engine == "postgresql" else None
        made = Settings.model_validate({"data": folder / "data", "database": database, **settings})
        made.data.mkdir(mode=0o700, parents=True)
        write_keyring(Keyring.generate(), made.secrets_file)
        if not database:
            made.sqlite_file.touch(mode=0o600)
            shutil.copyfile(_migrated_file(), made.sqlite_file)
        assert not initialise(made), "the schema is there already"
        installation = open_installation(made, clock)
        stack.callback(installation.store.close)
        yield installation


@contextlib.contextmanager
def serving(
    installation: Installation,
    folder: Path,
    workers: int = 2,
    *,
    admin_port: bool | int = False,
    port: int = 0,
    real_costs: bool = False,
    drain_s: float = 0.0,
) -> Iterator[Site]:
    """Serves the installation for the block. `admin_port`: also start the admin listener (on this port, if a number).

    Password hashes and connection pools are cheap (`tests.support.cheap`) unless `real_costs`.
    """
    log = folder / "server.log"
    command = [sys.executable, "-P", str(SERVE), installation.settings.model_dump_json(), str(workers), str(port)]
    if admin_port:
        command.append("admin" if admin_port is True else f"admin={admin_port}")
    command += [f"drain={drain_s}"] + ["real-costs"] * real_costs
    with (
        log.open("ab") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        shown_beside_failures(log),
    ):
        try:
            ports = _ports(process, log)
            yield Site(installation, ports["web"], process, log, ports.get("admin", 0))
        finally:
            if process.poll() is None:
                process.terminate()


def _ports(process: "subprocess.Popen[str]", log: Path) -> dict[str, int]:
    """Waits until every worker accepts, and returns the ports by name."""
    ports: dict[str, int] = {}
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "listening":
            ports[event["name"]] = int(event["port"])
        if event["event"] == "serving":
            return ports
    raise AssertionError(f"the server did not start: {log.read_text('utf-8')[-2000:]}")
