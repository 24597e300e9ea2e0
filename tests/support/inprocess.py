"""One web process of an installation, asked without a socket; and what must not be found in what it leaves behind."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bedesten.audit import search
from bedesten.audit.chain import Row
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.server import build
from bedesten.server.installation import Installation
from tests.support.operator_actions import Operator

ROUTES = RouteMap.of(build.ROUTES)
HOST, OTHER_HOST = "api.shop.example", "api.other.example"
Lines = Iterable[tuple[str, str]]
WINDOW = 20
"""A part of a secret of so many characters is too much of it."""


@dataclass
class _Body:
    raw: bytes

    async def read(self, limit: int) -> bytes:
        return self.raw[: limit + 1]


class InProcessServer:
    """Asks the house. Everything of it happens on one event loop, as in a server's process."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.operator = Operator(installation)
        self.services: Services = build.open_services(installation)
        self._pipeline = Pipeline(self.services, ROUTES)
        self._runner = asyncio.Runner()

    def ask(
        self,
        method: str,
        path: str,
        lines: Lines = (),
        body: object = None,
        host: str = HOST,
        address: str = "192.0.2.7",
    ) -> Response:
        """The answer. Header values go out as latin-1, a body as JSON unless it is bytes."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", host.encode())]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
        if body is not None:
            headers.append((b"content-type", b"application/json"))
        path, _, query = path.partition("?")
        request = Request(method, path.encode(), query.encode(), headers, address, _Body(raw))
        return self._runner.run(self._pipeline.handle(request))

    def code(self, *args: Any, **kwargs: Any) -> int:
        """The number of the refusal, 0 for a success."""
        number: int = json.loads(self.ask(*args, **kwargs).body).get("code", 0)
        return number

    def write(self) -> list[Row]:
        """Writes what was summed up; answers every row of the trail."""
        self._runner.run(self.services.request_log.write())
        return self.installation.store.read_now(lambda tx: search.newest(tx, 10_000))

    def write_or_not(self) -> None:
        """The same on a store that may be away."""
        self._runner.run(self.services.request_log.write())

    def login(self, email: str, password: str, path: str = "/Login/Customer/Api/Verify", **kwargs: Any) -> Any:
        """The answer to a login."""
        return json.loads(self.ask("POST", path, body={"email": email, "password": password}, **kwargs).body)

    def close(self) -> None:
        """Ends the loop."""
        self._runner.close()


def parts_of(secrets: Iterable[str]) -> set[str]:
    """Every part of a secret that is too much of it; a shorter one as a whole."""
    return {secret[at : at + WINDOW] for secret in secrets for at in range(max(1, len(secret) - WINDOW + 1)) if secret}


def found_in(text: str, secrets: Iterable[str]) -> set[str]:
    """The parts of secrets that stand in a text."""
    parts = parts_of(secrets)
    lengths = {len(part) for part in parts}
    return {text[at : at + length] for length in lengths for at in range(len(text) - length + 1)} & parts
