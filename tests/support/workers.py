"""Servers with special settings, and connections to each worker of a server."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bedesten.store import sqlite_file
from tests.support.sites import Site, opened, serving
from tests.support.wire import Connection


@contextlib.contextmanager
def a_site(folder: Path, **settings: object) -> Iterator[Site]:
    """A server with two workers on SQLite. A fault in its log fails the tests that used it."""
    with opened("sqlite", folder, **settings) as installation, serving(installation, folder) as site:
        yield site
        site.stop()
    assert site.failures() == []


@contextlib.contextmanager
def to_every_worker(site: Site, host: str, source: str | None = None) -> Iterator[list[Connection]]:
    """Open connections: first one to each worker, then the rest."""
    with contextlib.ExitStack() as stack:
        workers = {pid: _sockets(pid) for pid in _workers(site)}
        assert len(workers) == 2
        made: list[Connection] = []
        firsts: dict[int, Connection] = {}
        while len(firsts) < len(workers):
            assert len(made) < 200, "a worker that accepts nothing"
            connection = stack.enter_context(Connection(site.port, source))
            source = connection.source
            # No rate limit counts this request: it is answered before they are checked.
            connection.exchange(f"GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            made.append(connection)
            for pid, count in workers.items():
                if _sockets(pid) > count:
                    firsts.setdefault(pid, connection)
        first = list(firsts.values())
        yield first + [one for one in made if one not in first]


def _workers(site: Site) -> list[int]:
    """The processes that listen on the site's port."""
    supervisor = site.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split()
    return [int(pid) for pid in children if _sockets(int(pid)) > 0 and _is_web(int(pid))]


def _is_web(pid: int) -> bool:
    """Whether the process holds a socket that listens."""
    listening = {
        line.split()[9]
        for line in Path(f"/proc/{pid}/net/tcp").read_text("ascii").splitlines()[1:]
        if line.split()[3] == "0A"
    }
    return any(f"socket:[{inode}]" in _links(pid) for inode in listening)


def _links(pid: int) -> list[str]:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(str(entry.readlink()))
    return links


def _sockets(pid: int) -> int:
    return sum(link.startswith("socket:") for link in _links(pid))


class StoreStats:
    """Detects writes to a site's SQLite store."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite_file.connect(path)

    def number(self) -> int:
        """A number that changes with every commit of another connection, and only then."""
        found: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    def close(self) -> None:
        """Closes the connection to the store."""
        self._connection.close()
