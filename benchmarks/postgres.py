"""The PostgreSQL server for temporary databases: a named one, else the local one, else one that the benchmark starts."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.checkout import SetupError
from benchmarks.machine import free_port

NAMED: Final = os.environ.get("BEDESTEN_TEST_POSTGRES")
LOCAL: Final = "postgresql://127.0.0.1:5432/postgres"
SERVER: Final = NAMED or LOCAL
USER: Final = "postgres"
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
}
"""Settings of a server that the benchmark starts. The others are PostgreSQL's defaults: a commit waits for the disk."""
MIN_CONNECTIONS: Final = 150
"""`flat` needs about 120: four servers with two processes each. A local server with fewer is used only if named."""
_READY_SECONDS = 120.0
_LOOPBACK: Final = ("", "127.0.0.1", "localhost", "::1")
_DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")


def reachable(server: str) -> str | None:
    """Return None if the server can be used, else the reason."""
    try:
        with psycopg.connect(server, connect_timeout=5):
            return None
    except psycopg.Error as problem:
        return str(problem).partition("\n")[0]


def max_connections(server: str) -> int:
    """Return the number of connections that the server permits."""
    with psycopg.connect(server) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def server(named: str | None, directory: Path | None) -> Iterator[str | None]:
    """Yield the URL of a server: the named one, the local one if it is large enough, or one of our own for the block; None
    if there is none.

    Prints why there is none, and what the server would lose in a power failure.
    """
    problem = reachable(named or SERVER)
    replaceable = not (named or NAMED) and find_program("initdb") is not None
    if problem is None and not (replaceable and max_connections(SERVER) < MIN_CONNECTIONS):
        _warn_of_losses(named or SERVER)
        yield named or SERVER
    elif not replaceable:
        print(f"! PostgreSQL is left out: {problem} (--postgres URL names another)")
        yield None
    else:
        with own_server(directory) as url:
            print(
                f"PostgreSQL: own server, {', '.join(f'{name} {value}' for name, value in SETTINGS.items() if value)}"
            )
            yield url


def _warn_of_losses(server: str) -> None:
    with psycopg.connect(server) as connection:
        for name in _DURABLE:
            row = connection.execute(f"SHOW {name}").fetchone()
            if row and row[0] == "off":
                print(f"! PostgreSQL runs with {name} = off: its orders are not durable")


@contextmanager
def database(server: str) -> Iterator[str]:
    """Create a database and yield its URL. It is dropped afterwards."""
    name = f"bedesten_bench_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def first_process(url: str | None) -> int | None:
    """Return the server's postmaster; None without a server on this machine."""
    if url is None or psycopg.conninfo.conninfo_to_dict(url).get("host", "") not in _LOOPBACK:
        return None
    with psycopg.connect(url) as connection:
        own = Path("/proc", str(connection.info.backend_pid))
        try:
            if not (own / "comm").read_text(encoding="utf-8").startswith("postgres"):
                return None  # in a container, whose process ids differ
            fields = (own / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
    return int(fields[1])


# -- a server of our own -----------------------------------------------------------------------------------------------


def find_program(name: str) -> str | None:
    """Return the path of a PostgreSQL server program. Debian has them outside PATH, in a directory for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))


@contextmanager
def own_server(directory: Path | None = None) -> Iterator[str]:
    """Start a server with its data in a temporary directory below this one, and yield its URL. It ends with the block."""
    with tempfile.TemporaryDirectory(prefix="bedesten-bench-pg-", dir=directory, ignore_cleanup_errors=True) as name:
        folder, port = Path(name).resolve(), free_port()
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        data, log_file = folder / "data", folder / "log"
        made = subprocess.run(
            _command("initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise SetupError(f"no PostgreSQL server could be made: {made.stderr[-2000:]}")
        options = [option for key, value in SETTINGS.items() for option in ("-c", f"{key}={value}")]
        with log_file.open("wb") as log:
            line = _command("postgres", "-D", str(data), "-p", str(port), *options)
            process = subprocess.Popen(line, cwd="/", stdout=log, stderr=log)
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        try:
            _await(process, url, log_file)
            yield url
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()


def _command(name: str, *words: str) -> list[str]:
    """Build the command line of a program as a user that it accepts (not root). It ends with this process."""
    program = find_program(name)
    if program is None:
        raise SetupError(f"{name} is missing")
    identity = []
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    return ["setpriv", *identity, "--pdeathsig", "QUIT", program, *words]


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if reachable(url) is None:
            return
        time.sleep(0.05)
    raise SetupError(f"the PostgreSQL server does not respond: {log.read_text(encoding='utf-8')[-2000:]}")
