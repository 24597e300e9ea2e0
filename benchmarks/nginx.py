"""nginx with the forward-auth configuration that the how-to page shows (`docs/how-to/gate-nginx.md`).

It changes addresses, and omits work that both contenders would share: no TLS, no access log, and keep-alive connections
to the service behind nginx. Without `nginx` in PATH (on Debian: the package of that name) it is left out.
"""

import contextlib
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.checkout import HERE, SetupError
from benchmarks.harness import await_port
from benchmarks.machine import free_port, pinned

PAGE: Final = HERE.root / "docs" / "how-to" / "gate-nginx.md"
_BLOCK: Final = re.compile(r"^ *```nginx\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_KEEPALIVE_REQUESTS: Final = 1_000_000_000
"""Most requests on one connection. The load generator counts a closed connection as an error."""
_MAIN: Final = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests {kept};
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream service {{ server 127.0.0.1:{service}; keepalive 32; }}
{shown}
}}
"""


def program() -> str | None:
    """Return the path of nginx, if it is installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def in_front_of(gate: int, service: int, host: str, folder: Path, core: int | None) -> Iterator[int]:
    """Run nginx on a core and yield its port. It asks the gate at one port and forwards to the service at another."""
    command = program()
    assert command is not None
    folder.mkdir()
    port, log = free_port(), folder / "error.log"
    user = "user root;" if os.geteuid() == 0 else ""
    text = _MAIN.format(user=user, kept=_KEEPALIVE_REQUESTS, service=service, shown=shown(gate, port, host))
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    line = [command, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with pinned(core), log.open("ab") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output)
    try:
        await_port("nginx", process, log, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def shown(gate: int, port: int, host: str) -> str:
    """Return the configuration of the page with these ports and this host. Raises `SetupError` if the page has changed."""
    (text,) = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for old, new in (
        ("server 127.0.0.1:8081;", f"server 127.0.0.1:{gate};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("listen [::]:443 ssl;", ""),
        ("server_name reports.shop.example;", f"server_name {host};"),
        ("ssl_certificate     /etc/ssl/bedesten/fullchain.pem;", ""),
        ("ssl_certificate_key /etc/ssl/bedesten/privkey.pem;", ""),
        ("ssl_protocols       TLSv1.2 TLSv1.3;", ""),
        (
            "proxy_pass http://127.0.0.1:9000;",
            'proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";',
        ),
    ):
        if text.count(old) != 1:
            raise SetupError(f"{old!r} stands {text.count(old)} times in {PAGE.name}")
        text = text.replace(old, new)
    return textwrap.dedent(text)
