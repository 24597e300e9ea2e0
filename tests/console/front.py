"""Calls the admin listener as a browser or a program does, without sockets."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from bedesten.admin_api.listener import AdminListener, admin_routes
from bedesten.console.routes import Console
from bedesten.gate.passwords import PasswordHash
from bedesten.http.message import EmptyRequestBody, Request, Response
from bedesten.http.proxies import Proxies
from bedesten.server.installation import Installation
from tests.domain.tenant import Tenant, open_tenant
from tests.staff.members import Members

PASSWORD = "seven lanterns by the gate"
ORIGIN = "http://127.0.0.1:8081"
NO_HEADERS: Mapping[str, str] = {}


@dataclass
class Sent:
    """A request body."""

    content: bytes

    async def read(self, limit: int) -> bytes:
        return self.content


@dataclass
class Front:
    """The admin listener on its own event loop."""

    installation: Installation
    loop: asyncio.AbstractEventLoop
    listener: AdminListener
    members: Members
    password_hash: PasswordHash
    tenant: Tenant = field(init=False)

    def __post_init__(self) -> None:
        self.tenant = open_tenant(self.installation, credit=100_000)

    def begin(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> "Future[Response]":
        """Sends a request."""
        path, _, query = path.partition("?")
        lines = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1:8081", **headers}.items()]
        sent = Sent(body) if body else EmptyRequestBody()
        request = Request(method, path.encode(), query.encode(), lines, "127.0.0.1", sent)
        return asyncio.run_coroutine_threadsafe(self.listener.handle(request), self.loop)

    def send(self, method: str, path: str, headers: Mapping[str, str] = NO_HEADERS, body: bytes = b"") -> Response:
        """Sends a request and waits for the response."""
        return self.begin(method, path, headers, body).result(60)

    def call(self, token: str, name: str, **members: object) -> tuple[int, Any]:
        """Runs an operation by the API; returns the status, and the data or the error's number."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        answer = self.send("POST", f"/operator/{name.replace('.', '/')}", headers, json.dumps(members).encode())
        document = json.loads(answer.body)
        return answer.status, document["data"] if answer.status == 200 else document["code"]

    def staff(self, *roles: str, tenant: str | None = None) -> "Browser":
        """Logs in a new member with these roles, by default of the tenant."""
        member = self.members.create(*roles, tenant=tenant or self.tenant.id, password=self.password_hash)
        return Browser(self, self.members.log_in(member), member.id, member.email)

    @cached_property
    def stranger(self) -> Tenant:
        """Creates another tenant of the installation."""
        return open_tenant(self.installation)


@dataclass
class Browser:
    """A member who uses the console in a browser."""

    front: Front
    token: str
    id: str
    email: str

    def get(self, path: str) -> Response:
        """Opens a page."""
        return self.front.send("GET", path, {"cookie": f"bedesten_staff={self.token}"})

    def post(self, path: str, headers: Mapping[str, str] | None = None, /, **fields: str) -> Response:
        """Sends a form from a page of the console."""
        lines = {
            "cookie": f"bedesten_staff={self.token}",
            "content-type": "application/x-www-form-urlencoded",
            "origin": ORIGIN,
            **(headers or {}),
        }
        return self.front.send("POST", path, lines, urlencode(fields).encode())

    def csrf(self, path: str) -> str:
        """The CSRF token of a page's forms."""
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).body.decode())
        assert found is not None
        return found[1]

    def call(self, name: str, **members: object) -> tuple[int, Any]:
        """Runs an operation by the API, with the same session."""
        return self.front.call(self.token, name, **members)


@contextlib.contextmanager
def front_of(installation: Installation) -> Iterator[Front]:
    """Runs the admin listener until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    console = Console(installation.store, installation.master_secrets.for_store, Proxies(), 15)
    routes = admin_routes(NOWHERE, NOWHERE, None, console.handle)
    listener = AdminListener(routes, NOWHERE, None, ["ops.example"])
    hashed = installation.hasher().hash(PASSWORD)
    try:
        yield Front(installation, loop, listener, Members(installation), hashed)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Nowhere:
    """Stands in for the parts of the listener that staff do not use."""

    def __getattr__(self, name: str) -> Any:
        return name


NOWHERE: Any = _Nowhere()


def header(answer: Response, name: str) -> str:
    """A header of a response, or an empty string."""
    return next((value.decode() for key, value in answer.headers if key == name.encode()), "")
