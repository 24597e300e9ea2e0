"""Runs nginx with `deploy/nginx.conf`, and opens TLS connections to it."""

import contextlib
import select
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.installed_programs import installed, nginx_main
from tests.support.wire import TIMEOUT_S, Connection, fresh_address

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx.conf"


class TlsConnection(Connection):
    """A TLS connection that verifies the certificate of the named host."""

    def __init__(self, port: int, host: str, authority: Path, source: str | None = None) -> None:
        super().__init__(port, source)
        context = ssl.create_default_context(cafile=str(authority))
        self._tls = self._sock = context.wrap_socket(self._sock, server_hostname=host)

    @property
    def alive(self) -> bool:
        """Whether the connection can be used again. TLS sockets cannot be peeked, so any received byte ends it."""
        return not self._buffer and not self._tls.pending() and not select.select([self._tls], [], [], 0)[0]


@dataclass
class Nginx:
    """A running nginx and where it listens."""

    tls_port: int
    plain_port: int
    authority: Path
    folder: Path
    second: str
    """Its second address: the IPv6 loopback if the machine has one, else 127.0.0.2."""

    def connect(self, host: str, source: str | None = None) -> TlsConnection:
        """Opens a TLS connection from this address, by default a fresh one."""
        return TlsConnection(self.tls_port, host, self.authority, source)

    def complaints(self) -> list[str]:
        """Log lines of levels other than those of mistakes by a client or an upstream."""
        lines = (self.folder / "error.log").read_text("utf-8").splitlines()
        return [line for line in lines if any(f"[{level}]" in line for level in ("warn", "crit", "alert", "emerg"))]


@contextlib.contextmanager
def nginx(
    folder: Path,
    upstream: int,
    hosts: Sequence[str],
    changes: Sequence[tuple[str, str]] = (),
    more_nodes: Sequence[int] = (),
) -> Iterator[Nginx]:
    """Runs nginx with the shipped configuration in front of the server at this port; only places and names are changed.

    `more_nodes` enables the lines for another node, for the servers at those ports.
    """
    program = installed("nginx")
    folder.mkdir()
    tls_port, plain_port = _free_port(), _free_port()
    second = _second_address()
    bracketed = f"[{second}]" if ":" in second else second
    certificate, secret = a_certificate(folder, hosts)
    text = "".join(_with_nodes(line, more_nodes) for line in SHIPPED.read_text("utf-8").splitlines(keepends=True))
    for old, new, times in (
        ("server 127.0.0.1:8080 ", f"server 127.0.0.1:{upstream} ", 2),
        ("listen 443 ssl", f"listen 127.0.0.1:{tls_port} ssl", 2),
        ("listen 80 ", f"listen 127.0.0.1:{plain_port} ", 1),
        ("listen [::]:443 ssl", f"listen {bracketed}:{tls_port} ssl", 2),
        ("listen [::]:80 ", f"listen {bracketed}:{plain_port} ", 1),
        ("root /var/www/acme;", f"root {folder};", 1),
        ("/var/log/nginx/bedesten.log", str(folder / "bedesten.log"), 1),
        ("api.shop.example api.other.example", " ".join(hosts), 1),
        ("/etc/ssl/bedesten/fullchain.pem", str(certificate), 1),
        ("/etc/ssl/bedesten/privkey.pem", str(secret), 1),
        *((old, new, 1) for old, new in changes),
    ):
        assert text.count(old) == times, f"{old} stands {text.count(old)} times"
        text = text.replace(old, new)
    (folder / "bedesten.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(nginx_main("bedesten.conf"), "utf-8")
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until_it_listens(process, tls_port, folder / "error.log")
            yield Nginx(tls_port, plain_port, certificate, folder, second)
        finally:
            process.terminate()
    assert process.returncode == 0


def _with_nodes(line: str, ports: Sequence[int]) -> str:
    """Returns a line of the shipped file; repeats the line for another node for each of these ports."""
    if not ports:
        return line
    used = line.replace(" #server ", " server ")
    one, times = "server 10.0.0.2:8080 ", len(ports) if "server 10.0.0.2:8080 " in used else 1
    return "".join(used.replace(one, f"server 127.0.0.1:{port} ") for port in ports[:times])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _second_address() -> str:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return "::1"
    return "127.0.0.2"


def until_it_listens(process: "subprocess.Popen[Any]", port: int, log: Path) -> None:
    """Waits until a program listens; fails with its log if it ends before that."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        said = process.stderr.read() if process.poll() is not None and process.stderr else ""
        assert process.poll() is None, said + log.read_text("utf-8")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1, (fresh_address(), 0)):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} does not listen")


def a_certificate(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """A self-signed certificate for these hosts, and its private key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "private.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return certificate, secret
