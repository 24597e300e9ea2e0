"""PostgreSQL servers under a real Patroni with `deploy/patroni.yml`, and the etcd that stores the leader.

Everything is on loopback, at free ports, in a folder that is removed. Patroni and postgres refuse root, so as root they run
as the user `postgres`. **There is no watchdog**: it is a kernel device, which tests lack.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from bedesten.server.child_process import free_port
from tests.support.pausing import pause
from tests.support.postgres_cluster import SYSTEM_USER, find_program, until

SHIPPED = Path(__file__).parents[2] / "deploy" / "patroni.yml"
PACKAGES = {"patroni": "patroni", "patronictl": "patroni", "etcd": "etcd-server", "initdb": "postgresql"}
PATIENCE_S = 240.0
"""Patroni promotes after its `ttl` of 20 s, and checks the state every five seconds."""
PASSWORD = "of-the-tests"
_LOCAL = {
    "shared_buffers": "16MB",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "autovacuum": "off",
}
LEADER, SYNCHRONOUS, REPLICA = "leader", "sync_standby", "replica"


def _program(name: str) -> str:
    found = find_program(name)  # PostgreSQL's programs are not in PATH
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"NOT TESTED: {name} is missing; apt-get install {PACKAGES[name]}")
    assert found is not None, f"{name} is missing: apt-get install {PACKAGES[name]}"
    return found


def _started(log: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Starts a program as a user that it accepts. It ends together with the test process."""
    identity = [f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups"] if os.geteuid() == 0 else []
    command = ("setpriv", *identity, "--pdeathsig", "TERM", *command)
    theirs = ("PYTHON", "PATRONI", "ETCD", "PG")  # variables that would affect the system's Python or a configuration
    environment = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    with log.open("ab") as said:
        return subprocess.Popen(command, cwd="/", env=environment, stdout=said, stderr=said)


def _signal(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _ended(pid: int) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until the condition holds; checks it a few times a second."""
    until(condition, what, PATIENCE_S, 0.2)


class Member:
    """One PostgreSQL server and the Patroni that runs it."""

    def __init__(self, folder: Path, name: str, etcd_port: int) -> None:
        self.name = name
        self.port, self.api_port = free_port(0), free_port(0)
        self.data = folder / name
        self.log = folder / f"{name}.log"
        """The log of Patroni and PostgreSQL."""
        self.file = folder / f"{name}.yml"
        self._patroni: subprocess.Popen[bytes] | None = None
        self.file.write_text(yaml.safe_dump(self._configuration(folder, etcd_port)), "utf-8")

    def _configuration(self, folder: Path, etcd_port: int) -> dict[str, Any]:
        """The shipped configuration with other places, passwords and costs, and without the watchdog."""
        initdb = _program("initdb")
        made: dict[str, Any] = yaml.safe_load(SHIPPED.read_text("utf-8").replace("10.0.0.0/24", "127.0.0.1/32"))
        entry = "host bedesten bedesten 127.0.0.1/32 scram-sha-256"
        assert made["postgresql"]["pg_hba"].count(entry) == 1
        made["postgresql"]["pg_hba"].append(entry.replace("host bedesten", "host all"))  # each test has a database
        here = f"127.0.0.1:{self.port}"
        api = f"127.0.0.1:{self.api_port}"
        made["name"] = self.name
        made["etcd3"]["hosts"] = f"127.0.0.1:{etcd_port}"
        made["restapi"] |= {"listen": api, "connect_address": api}
        made["postgresql"] |= {"listen": here, "connect_address": here, "parameters": _LOCAL}
        made["postgresql"] |= {"data_dir": str(self.data), "bin_dir": str(Path(initdb).parent)}
        made["postgresql"]["pgpass"] = str(folder / f"{self.name}.pgpass")
        assert made["watchdog"] == {"mode": "required"}
        made["watchdog"]["mode"] = "off"
        return made

    @property
    def lines(self) -> str:
        """The content of its log."""
        return self.log.read_text("utf-8", "replace")

    def start(self) -> None:
        """Starts Patroni, which starts PostgreSQL some time later."""
        self._patroni = _started(self.log, _program("patroni"), str(self.file))

    def pids(self) -> list[int]:
        """The processes: Patroni, PostgreSQL's postmaster and its children."""
        found = [self._patroni.pid] if self._patroni is not None else []
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):
            first = int((self.data / "postmaster.pid").read_text("ascii").splitlines()[0])
            children = Path(f"/proc/{first}/task/{first}/children").read_text("ascii").split()
            found += [first, *map(int, children)]
        return found

    def stop_sending(self) -> None:
        """Pauses the WAL senders: later writes reach no standby, and no COMMIT returns."""
        senders = [int(str(pid)) for (pid,) in self.rows("SELECT pid FROM pg_stat_replication")]
        assert senders, "no standby is connected"
        pause(senders)

    def kill(self) -> None:
        """Kills PostgreSQL and Patroni at once, like a power failure."""
        pids = self.pids()
        pause(pids)
        _signal(signal.SIGKILL, pids)
        if self._patroni is not None:
            self._patroni.wait(60)
            self._patroni = None
        until(lambda: all(map(_ended, pids)), f"{self.name} has ended")

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Runs a statement as the superuser and returns its rows."""
        address = f"postgresql://postgres:SUPERUSER-PASSWORD@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def ask(self, path: str) -> dict[str, object] | None:
        """The answer of Patroni's API; None without one."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}{path}", timeout=10) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None


class Members:
    """All servers of one cluster."""

    def __init__(self, members: list[Member]) -> None:
        self.members = {one.name: one for one in members}

    def create_database(self, name: str) -> None:
        """Creates an empty database, owned by the program's role, on the leader and its standbys."""
        self.member(LEADER).rows(f"CREATE DATABASE {name} OWNER bedesten")

    def url(self, database: str) -> str:
        """The URL that names all members."""
        places = ",".join(f"127.0.0.1:{one.port}" for one in self.members.values())
        return f"postgresql://bedesten:{PASSWORD}@{places}/{database}"

    def roles(self) -> dict[str, str]:
        """The role of each running server on the leader's timeline, as Patroni sees it."""
        for one in self.members.values():
            if found := one.ask("/cluster"):
                shown: list[dict[str, str]] = found["members"]  # type: ignore[assignment]
                timelines = {member.get("timeline") for member in shown if member["role"] == LEADER}
                return {
                    member["name"]: member["role"]
                    for member in shown
                    if member["state"] in ("running", "streaming") and member.get("timeline") in timelines
                }
        return {}

    def complete(self) -> bool:
        """Whether all members run: one leader, one synchronous standby, the rest replicas."""
        roles = sorted(self.roles().values())
        return roles == sorted([LEADER, SYNCHRONOUS, *[REPLICA] * (len(self.members) - 2)])

    def member(self, role: str) -> Member:
        """The only member that has this role now."""
        (name,) = [name for name, held in self.roles().items() if held == role]
        return self.members[name]

    def switch_over(self, leader: Member, candidate: Member) -> str:
        """Makes the candidate the leader, as an operator does; returns the output of `patronictl`."""
        command = [_program("patronictl"), "-c", str(candidate.file), "switchover", "bedesten", "--force"]
        command += ["--leader", leader.name, "--candidate", candidate.name]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def logs(self) -> str:
        """The last part of each member's log."""
        return "\n".join(f"--- {one.name}\n{one.lines[-3000:]}" for one in self.members.values())


@contextlib.contextmanager
def _running_etcd(folder: Path) -> Iterator[int]:
    """Runs etcd and yields its port."""
    port, peer = free_port(0), free_port(0)
    here, log = f"http://127.0.0.1:{port}", folder / "etcd.log"
    command = [_program("etcd"), "--data-dir", str(folder / "etcd")]
    command += ["--listen-client-urls", here, "--advertise-client-urls", here]
    command += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    process = _started(log, *command)
    try:
        until(lambda: _healthy(here, process, log), "etcd answers")
        yield port
    finally:
        process.kill()
        process.wait(60)


def _healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8")[-2000:]
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return b'"true"' in answer.read()
    except OSError:
        return False


@contextlib.contextmanager
def running_members(names: tuple[str, ...] = ("db-1", "db-2", "db-3")) -> Iterator[Members]:
    """Runs servers under Patroni for the block: a leader, a synchronous standby, and replicas."""
    for name in PACKAGES:
        _program(name)
    with (
        tempfile.TemporaryDirectory(prefix="bedesten-patroni-", ignore_cleanup_errors=True) as made,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(made)
        if os.geteuid() == 0:
            shutil.chown(folder, SYSTEM_USER, SYSTEM_USER)
        etcd_port = stack.enter_context(_running_etcd(folder))
        all_of_them = Members([Member(folder, name, etcd_port) for name in names])
        for one in all_of_them.members.values():
            stack.callback(one.kill)
            one.start()
        try:
            eventually(all_of_them.complete, "every server runs, and one is synchronous")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{all_of_them.logs()}") from problem
        all_of_them.member(LEADER).rows(f"CREATE ROLE bedesten LOGIN PASSWORD '{PASSWORD}'")
        yield all_of_them
