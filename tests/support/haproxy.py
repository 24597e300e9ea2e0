"""Runs HAProxy with `deploy/haproxy.cfg`, and opens TLS connections to it."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bedesten.server.child_process import free_port
from tests.support.installed_programs import installed
from tests.support.nginx import TlsConnection, a_certificate, until_it_listens

SHIPPED = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"


@dataclass
class Haproxy:
    """A running HAProxy and where it listens."""

    port: int
    authority: Path
    log: Path

    def connect(self, host: str, source: str | None = None) -> TlsConnection:
        """Opens a TLS connection from this address, by default a fresh one."""
        return TlsConnection(self.port, host, self.authority, source)


@contextlib.contextmanager
def haproxy(folder: Path, nodes: Sequence[tuple[int, int]], hosts: Sequence[str]) -> Iterator[Haproxy]:
    """Runs HAProxy with the shipped configuration, in which only places are changed, in front of two nodes. A node is
    its port and the port of its admin listener."""
    program, port = installed("haproxy"), free_port(0)
    folder.mkdir()
    certificate, secret = a_certificate(folder, hosts)
    both = folder / "both.pem"
    both.write_bytes(certificate.read_bytes() + secret.read_bytes())
    text = SHIPPED.read_text("utf-8")
    changes = [
        ("bind :443 ssl crt /etc/ssl/bedesten/bedesten.pem", f"bind 127.0.0.1:{port} ssl crt {both}"),
        ("    http-check connect port 8081\n", "    http-check connect\n"),
    ]
    for number, (web, admin) in enumerate(nodes, 1):
        changes.append((f"10.0.0.1{number}:8080", f"127.0.0.1:{web} port {admin}"))
    for old, new in changes:
        assert text.count(old) == 1, f"{old} stands {text.count(old)} times"
        text = text.replace(old, new)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    log = folder / "haproxy.log"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [program, "-db", "-f", str(folder / "haproxy.cfg")], stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            until_it_listens(process, port, log)
            yield Haproxy(port, certificate, log)
        finally:
            process.terminate()
