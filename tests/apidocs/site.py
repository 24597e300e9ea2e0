"""An installation whose public pages tests read without a socket, and the paths of its pages."""

import asyncio
from pathlib import Path
from typing import Any

from bedesten.apidocs.not_found import NotFoundPages
from bedesten.apidocs.site.guides import PAGES
from bedesten.gate.scopes import Surface
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.server import build
from bedesten.server.installation import initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants

HOME = "/documentation"
SURFACES = [f"{HOME}/surfaces/{surface}" for surface in Surface]
ALL_PAGES = [HOME, f"{HOME}/index", f"{HOME}/downloads", *SURFACES, *PAGES.values()]
NAME = "Söhne & <b>Co</b> \"x'"


class Nothing:
    """An empty body."""

    async def read(self, limit: int) -> bytes:
        assert limit > 0
        return b""


class Site:
    """An installation with a live and a sandbox tenant, called without a socket."""

    def __init__(self, data: Path) -> None:
        settings = Settings(data=data, database=None)
        initialise(settings)
        self.opened = open_installation(settings)
        self.tenant = self._tenant(tenants.NewTenant(NAME, ["localhost"]))
        self._tenant(tenants.NewTenant("Sand", ["sand.localhost"], sandbox=True))
        self._pages = NotFoundPages(Pipeline(build.open_services(self.opened), RouteMap.of(build.ROUTES)))

    def _tenant(self, new: tenants.NewTenant) -> str:
        return str(self.opened.store.write_now(lambda tx: tenants.create(tx, self.opened.cipher, new))["id"])

    def get(self, path: str, host: str = "localhost", *lines: tuple[bytes, bytes], method: str = "GET") -> Response:
        """Sends a GET, or another method; returns the response."""
        head = [(b"host", host.encode()), *lines]
        return asyncio.run(self._pages.handle(Request(method, path.encode(), b"", head, "127.0.0.1", Nothing())))

    def html(self, path: str, host: str = "localhost") -> str:
        """Returns a page that must exist."""
        shown = self.get(path, host)
        assert shown.status == 200, path
        return shown.body.decode()

    def switch(self, **targets: bool) -> None:
        """Switches surfaces and endpoints of the live tenant on and off."""

        def act(tx: SystemTransaction) -> None:
            for target, allowed in targets.items():
                tenants.switch_access(tx.for_tenant(self.tenant), target, allowed)

        self.opened.store.write_now(act)


def members(schemas: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """The paths of every member of a schema: `details.price`."""
    if "$ref" in schema:
        return members(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    found = {path for one in schema.get("anyOf", ()) for path in members(schemas, one)}
    found |= members(schemas, schema["items"]) if isinstance(schema.get("items"), dict) else set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name} | {f"{name}.{path}" for path in members(schemas, inner)}
    return found
