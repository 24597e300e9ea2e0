"""An upstream service, and an installation whose gate decides about its requests."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bedesten.server.child_process import free_port
from tests.support.cli_program import Program
from tests.support.cli_server import CliServer, served
from tests.support.client import Client, Lines, bearer
from tests.support.documents import DOCS, blocks

HOST, PASSWORD = "reports.shop.example", "seven lanterns by the gate"
ROUTES = """
[[routes]]
prefix = "/reports"
methods = ["GET", "POST"]
surface = "reseller"
scopes = ["orders:read", "account:read"]

[[routes]]
path = "/reports/secret"
surface = "reseller"
scopes = ["orders:create"]

[[routes]]
path = "/me"
surface = "reseller"
scopes = []

[[routes]]
path = "/stock/upload"
methods = ["POST"]
surface = "supplier"
grants = ["stock:write"]

[[routes]]
path = "/supplier/any"
surface = "supplier"
grants = []

[[routes]]
prefix = "/storefront"
methods = ["GET"]
surface = "storefront"
scopes = []

[[routes]]
path = "/status"
public = true
"""
SignatureCheck = Callable[[list[str], str, str, Mapping[str, str]], bool]


def checker() -> SignatureCheck:
    """The function for checking the signature that the reference page shows to services."""
    (code,) = [one.code for one in blocks(DOCS / "reference" / "gate-routes.md") if one.language == "python"]
    found: dict[str, Any] = {}
    exec(code, found)
    function: SignatureCheck = found["is_from_the_gate"]
    return function


@dataclass
class Service:
    """An upstream that echoes each request and whether the gate's signature is valid. `asked` lists all requests."""

    secrets: list[str]
    asked: list[str] = field(default_factory=list)
    port: int = 0


@contextlib.contextmanager
def upstream_service(secret_file: Path) -> Iterator[Service]:
    """Runs the service on a free port for the block. It has a copy of the gate's secret."""
    service = Service(secret_file.read_text("ascii").split())
    is_signed = checker()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.asked.append(f"{self.command} {self.path}")
            outcome = {
                "method": self.command,
                "path": self.path,
                "headers": [[name.lower(), value] for name, value in self.headers.items()],
                "body": body.decode(),
                "signed": is_signed(service.secrets, self.command, self.path, self.headers),  # type: ignore[arg-type]
            }
            answer = json.dumps(outcome).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()


@dataclass
class ForwardAuthServer:
    """An installation with one shop, whose admin listener decides by a route file."""

    program: Program
    server: CliServer
    routes: Path
    partner: str
    tenant: str

    @property
    def admin(self) -> int:
        """The admin listener's port."""
        return urlsplit(self.server.ready["adminUrl"]).port or 0

    @property
    def secret_file(self) -> Path:
        """The file with the gate's secret."""
        return self.program.data / "gate-secret"

    def login(self) -> Lines:
        """The header with a fresh token of the partner."""
        body = {"email": "p@partner.example", "password": PASSWORD}
        answer = Client(self.server.port, HOST).post("/Login/Customer/Api/Verify", body)
        return bearer(answer.data["token"])

    def key(self, *options: str) -> Any:
        """Creates a supplier's API key; returns the document of `keys create`."""
        return self.program.run_json(
            "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme", "--create-owner", *options
        )

    def admin_port(self) -> int:
        """The process id of the admin listener."""
        found: int = self.server.ready["pids"]["admin"]
        return found


@contextlib.contextmanager
def forward_auth_server(
    folder: Path, routes: str = ROUTES, database: str | None = None, proxies: str = "127.0.0.1"
) -> Iterator[ForwardAuthServer]:
    """Creates the installation and serves it for the block."""
    program = Program(folder / "data", database)
    program.run_json("init")
    tenant = program.run_json("tenants", "create", "shop", "--host", HOST)["id"]
    partner = program.run_json(
        "partners", "create", "--tenant", "shop", "--email", "p@partner.example", "--password-stdin",
        stdin=PASSWORD.encode(),
    )["id"]  # fmt: skip
    file = folder / "gate.toml"
    file.write_text(routes, "utf-8")
    arguments = ("--workers", "1", "--admin-port", str(free_port(0)), "--gate-routes", os.fspath(file))
    environment = {"BEDESTEN_TRUSTED_PROXIES": proxies, "BEDESTEN_LOG_LEVEL": "error"}  # nobody reads what it logs
    with served(program, *arguments, environment=environment) as server:
        yield ForwardAuthServer(program, server, file, partner, tenant)
