"""Runs PgBouncer in transaction mode, in front of the tests' PostgreSQL server."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bedesten.server.child_process import free_port
from tests.support.postgres_cluster import SYSTEM_USER, until

CONFIGURATION = """
[databases]
* = host={host} port={server_port} {login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@dataclass
class PgBouncer:
    """A running pooler."""

    port: int
    size: int

    def url(self, database: str) -> str:
        """The URL of the same database through the pooler."""
        return f"postgresql://bedesten@127.0.0.1:{self.port}/{conninfo_to_dict(database)['dbname']}"


def _program() -> str:
    found = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None and not os.environ.get("CI"):
        pytest.skip("NOT TESTED: pgbouncer is missing; apt-get install pgbouncer")
    assert found is not None, "pgbouncer is missing: apt-get install pgbouncer"
    return found


@contextlib.contextmanager
def running_pgbouncer(database: str, size: int = 4) -> Iterator[PgBouncer]:
    """Runs a pooler with at most `size` connections to the server of this database URL, for the block."""
    known = conninfo_to_dict(database)
    with tempfile.TemporaryDirectory(prefix="bedesten-pgbouncer-") as folder:
        made = PgBouncer(free_port(0), size)
        login = f"user={known.get('user') or 'root'}"
        if "password" in known:
            login += f" password={known['password']}"
        file = Path(folder, "pgbouncer.ini")
        file.write_text(
            CONFIGURATION.format(
                host=known.get("host", "127.0.0.1"),
                server_port=known.get("port", 5432),
                login=login,
                port=made.port,
                size=size,
                folder=folder,
            ),
            "utf-8",
        )
        command = [_program(), "-q", str(file)]
        if os.geteuid() == 0:  # PgBouncer refuses to run as root
            shutil.chown(folder, SYSTEM_USER)
            command = ["setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups", *command]
        with subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: _answers(made.url(database), process), "PgBouncer answers")
                yield made
            finally:
                process.kill()


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "PgBouncer has ended"
    try:
        with psycopg.connect(url, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False
