"""Builds the console at the first request for it: most processes of an admin listener never need it."""

import asyncio
from collections.abc import Awaitable, Callable

from bedesten.http.message import Request, Response
from bedesten.http.proxies import Proxies
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.settings import Settings
from bedesten.store.store import Store

Handler = Callable[[Request], Awaitable[Response]]


def staff_console(settings: Settings, store: Store, master_secrets: MasterSecrets) -> Handler:
    """The handler of the console and of the operator's API."""
    building = asyncio.Lock()
    built: list[Handler] = []

    def build() -> Handler:
        from bedesten.console.routes import Console

        proxies = Proxies(settings.trusted_proxies, settings.proxy_header)
        return Console(store, master_secrets.for_store, proxies, settings.password_minimum).handle

    async def handle(request: Request) -> Response:
        if not built:
            async with building:
                if not built:
                    built.append(await asyncio.to_thread(build))
        return await built[0](request)

    return handle
