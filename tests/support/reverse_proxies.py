"""Runs reverse proxies in front of an upstream service, each with the configuration that its how-to page shows."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bedesten.server.child_process import free_port
from tests.support.client import request_bytes
from tests.support.documents import DOCS, blocks
from tests.support.forward_auth import HOST
from tests.support.installed_programs import installed, nginx_main
from tests.support.nginx import a_certificate
from tests.support.wire import TIMEOUT_S, fresh_address, speak

CERTIFICATE, TLS_PORT = "certificate.pem", "tls-port"
"""Files in nginx's folder: the certificate to trust, and its TLS port."""
CADDY_MAIN = "{\n\tadmin off\n\tauto_https off\n}\n\n"


def shown(page: str, language: str) -> str:
    """The only block of configuration on a how-to page."""
    (code,) = all_shown(page, language)
    return code


def all_shown(page: str, language: str) -> list[str]:
    """The blocks of configuration on a how-to page, in order."""
    return [one.code for one in blocks(DOCS / "how-to" / page) if one.language == language]


def beside_python(name: str) -> str:
    """A program of the dependency group `fronts`."""
    program = Path(sys.executable).with_name(name)
    assert program.exists(), f"{name} is missing: sh scripts/bootstrap.sh dev"
    return str(program)


def changed(text: str, changes: Sequence[tuple[str, str]]) -> str:
    """Replaces ports and names in the configuration; each must occur exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def nginx(folder: Path, gate: int, service: int) -> Iterator[int]:
    """Runs nginx and yields an HTTP port, so that one client fits all proxies. The page's server is at `TLS_PORT`."""
    program, port, tls_port = installed("nginx"), free_port(0), free_port(0)
    folder.mkdir()
    certificate, secret = a_certificate(folder, [HOST])
    (folder / TLS_PORT).write_text(str(tls_port), "ascii")
    text = changed(
        shown("gate-nginx.md", "nginx"),
        [
            ("server 127.0.0.1:8081;", f"server 127.0.0.1:{gate};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl;"),
            ("listen [::]:443 ssl;", ""),
            ("/etc/ssl/bedesten/fullchain.pem", str(certificate)),
            ("/etc/ssl/bedesten/privkey.pem", str(secret)),
            ("proxy_pass http://127.0.0.1:9000;", f"proxy_pass http://127.0.0.1:{service};"),
        ],
    )
    (folder / "gate.conf").write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(nginx_main("gate.conf"), "utf-8")
    with _running([program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"], folder, port, tls_port):
        yield port


@contextlib.contextmanager
def caddy(folder: Path, gate: int, service: int) -> Iterator[int]:
    """Runs Caddy and yields its port."""
    program, port = beside_python("caddy"), free_port(0)
    folder.mkdir()
    text = changed(
        shown("gate-caddy.md", "caddyfile"),
        [
            ("reports.shop.example {", f"http://:{port} {{\n\tbind 127.0.0.1"),
            ("forward_auth 127.0.0.1:8081 {", f"forward_auth 127.0.0.1:{gate} {{"),
            ("reverse_proxy 127.0.0.1:9000", f"reverse_proxy 127.0.0.1:{service}"),
        ],
    )
    (folder / "Caddyfile").write_text(CADDY_MAIN + text, "utf-8")
    with _running([program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"], folder, port):
        yield port


@contextlib.contextmanager
def envoy(folder: Path, gate: int, service: int) -> Iterator[int]:
    """Runs Envoy and yields its port."""
    program, port = beside_python("envoy"), free_port(0)
    folder.mkdir()
    text = changed(
        shown("gate-envoy.md", "yaml"),
        [
            ("{address: 0.0.0.0, port_value: 8000}", f"{{address: 127.0.0.1, port_value: {port}}}"),
            ("{address: 127.0.0.1, port_value: 8081}", f"{{address: 127.0.0.1, port_value: {gate}}}"),
            ('"http://127.0.0.1:8081"', f'"http://127.0.0.1:{gate}"'),
            ("port_value: 9000", f"port_value: {service}"),
        ],
    )
    (folder / "envoy.yaml").write_text(text, "utf-8")
    command = [program, "-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
    with _running(command, folder, port):
        yield port


@contextlib.contextmanager
def traefik(folder: Path, gate: int, service: int) -> Iterator[int]:
    """Runs Traefik and yields its port."""
    program, port = beside_python("traefik"), free_port(0)
    folder.mkdir()
    own, dynamic = all_shown("gate-traefik.md", "yaml")
    (folder / "traefik.yaml").write_text(changed(own, [('":8000"', f'"127.0.0.1:{port}"')]), "utf-8")
    places = [
        ("http://127.0.0.1:8081/", f"http://127.0.0.1:{gate}/"),
        ("http://127.0.0.1:9000", f"http://127.0.0.1:{service}"),
    ]
    (folder / "dynamic.yaml").write_text(changed(dynamic, places), "utf-8")
    with _running([program, "--configFile=traefik.yaml"], folder, port):
        _until_it_has_a_router(port)
        yield port


def _until_it_has_a_router(port: int) -> None:
    """Waits until Traefik has read its second file: it listens before that, and answers 404."""
    end = time.monotonic() + TIMEOUT_S
    while speak(port, request_bytes("GET", "/", HOST)).status == 404:
        assert time.monotonic() < end, "Traefik has no router"
        time.sleep(0.02)


@contextlib.contextmanager
def _running(command: list[str], folder: Path, *ports: int) -> Iterator[None]:
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        (folder / "said").open("wb") as said,
        subprocess.Popen(command, cwd=folder, env={**os.environ, **home}, stdout=said, stderr=said) as process,
    ):
        try:
            for port in ports:
                _until_it_listens(process, folder / "said", port)
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


def _until_it_listens(process: "subprocess.Popen[bytes]", said: Path, port: int) -> None:
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        assert process.poll() is None, said.read_text("utf-8")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1, (fresh_address(), 0)):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} does not listen")
