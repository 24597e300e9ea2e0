"""Runs an installation's web processes without sockets, and searches their output for parts of secrets."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bedesten.apidocs.not_found import NotFoundPages
from bedesten.audit import search
from bedesten.audit.chain import Row
from bedesten.core.clock import Clock, system_clock
from bedesten.http.message import Request
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.server import build
from bedesten.server.installation import Installation
from bedesten.server.shared_limits import LOCAL
from tests.support.client import encoded
from tests.support.operator_actions import Operator
from tests.support.wire import Answer

Result = TypeVar("Result")
ROUTES = RouteMap.of(build.ROUTES)
HOST, OTHER_HOST = "api.shop.example", "api.other.example"
Lines = Iterable[tuple[str, str | bytes]]
WINDOW = 20
"""Length of a part of a secret (characters) that must not appear anywhere."""


class FakeClock:
    """A clock that a test moves. It stands still at `start`; without `start` it follows the machine's clock."""

    def __init__(self, start: int | None = None) -> None:
        self._start = start
        self.ahead = 0

    def __call__(self) -> int:
        return (system_clock() if self._start is None else self._start) + self.ahead

    @property
    def now(self) -> int:
        """The time that the clock shows."""
        return self()

    @now.setter
    def now(self, time: int) -> None:
        self.ahead += time - self()


@dataclass
class Body:
    """A request body that has arrived. `on_read` is called when it is read."""

    raw: bytes = b""
    on_read: Callable[[], None] = lambda: None
    was_read: bool = False

    async def read(self, limit: int) -> bytes:
        """The body; of a longer one, only `limit` + 1 bytes."""
        self.was_read = True
        self.on_read()
        return self.raw[: limit + 1]


class Node:
    """One web process: its own services, on an installation that other nodes may share.

    Rate limits are shared on this machine only: sharing them on PostgreSQL would take another connection.
    """

    def __init__(self, installation: Installation, clock: Clock = system_clock, routes: RouteMap = ROUTES) -> None:
        self.installation = installation
        self.clock = clock
        alone = installation.settings.model_copy(update={"limits": LOCAL})
        self.services: Services = build.open_services(replace(installation, settings=alone), clock)
        self.pipeline = Pipeline(self.services, routes)
        self._pages = NotFoundPages(self.pipeline)

    async def ask(
        self,
        method: str,
        path: str,
        lines: Lines = (),
        body: object = None,
        host: str = HOST,
        address: str = "192.0.2.7",
    ) -> Answer:
        """Sends a request, returns the answer. Encodes header values as latin-1, and a body as JSON unless it is bytes.

        A `Body` is sent without a content type.
        """
        headers = [(b"host", host.encode())]
        for name, value in lines:
            headers.append((name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1")))
        if not isinstance(body, Body):
            if body is not None:
                headers.append((b"content-type", b"application/json"))
            body = Body(body if isinstance(body, bytes) else b"" if body is None else encoded(body))
        path, _, query = path.partition("?")
        request = Request(method, path.encode(), query.encode(), headers, address, body)
        response = await self._pages.handle(request)
        shown = tuple((name.decode(), value.decode("latin-1")) for name, value in response.headers)
        return Answer(response.status, shown, response.body)


class InProcessServer:
    """Some web processes of an installation. They share one event loop and one clock."""

    def __init__(
        self, installation: Installation, clock: Clock = system_clock, *, nodes: int = 1, routes: RouteMap = ROUTES
    ) -> None:
        self.installation = installation
        self.clock = clock
        self.operator = Operator(installation)
        self.nodes = [Node(installation, clock, routes) for _ in range(nodes)]
        self.services = self.nodes[0].services
        self._runner = asyncio.Runner()

    def node(self) -> Node:
        """Adds a web process."""
        self.nodes.append(Node(self.installation, self.clock))
        return self.nodes[-1]

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine on the server's event loop."""
        return self._runner.run(coroutine)

    def ask(self, method: str, path: str, *args: Any, **kwargs: Any) -> Answer:
        """Sends a request to the first node; see `Node.ask`."""
        return self.run(self.nodes[0].ask(method, path, *args, **kwargs))

    def code(self, *args: Any, **kwargs: Any) -> int:
        """The number of the refusal, 0 for a success."""
        return self.ask(*args, **kwargs).code or 0

    def write(self) -> list[Row]:
        """Writes the aggregated refusals; returns every row of the audit trail."""
        self.run(self.services.request_log.write())
        return self.installation.store.read_now(lambda tx: search.newest(tx, 10_000))

    def write_or_not(self) -> None:
        """Writes the aggregated refusals, if the store is available."""
        self.run(self.services.request_log.write())

    def login(self, email: str, password: str, path: str = "/Login/Customer/Api/Verify", **kwargs: Any) -> Any:
        """Logs in and returns the answer's document."""
        return json.loads(self.ask("POST", path, body={"email": email, "password": password}, **kwargs).body)

    def close(self) -> None:
        """Closes the event loop."""
        self._runner.close()


def parts_of(secrets: Iterable[str]) -> set[str]:
    """Every part of `WINDOW` characters of the secrets; a shorter secret as a whole."""
    return {secret[at : at + WINDOW] for secret in secrets for at in range(max(1, len(secret) - WINDOW + 1)) if secret}


def found_in(text: str, secrets: Iterable[str]) -> set[str]:
    """The parts of secrets that a text contains."""
    parts = parts_of(secrets)
    lengths = {len(part) for part in parts}
    return {text[at : at + length] for length in lengths for at in range(len(text) - length + 1)} & parts
