"""Every route of the console and of the operator's API, behind the one handler that the admin listener calls."""

from collections.abc import Callable

from bedesten.admin_api.route import AdminRoute, found_route
from bedesten.console.api import Api
from bedesten.console.pages import Pages
from bedesten.console.runner import OperationRunner
from bedesten.gate.keyring import Keyring
from bedesten.http.message import Request, Response
from bedesten.http.path_table import PathTable
from bedesten.http.proxies import Proxies
from bedesten.store.store import Store
from bedesten.store.tables import InstallationSettings


class Console:
    """Finds the route of a request and runs its handler."""

    def __init__(
        self,
        store: Store,
        load_keyring: Callable[[InstallationSettings], Keyring],
        proxies: Proxies,
        min_password_length: int,
    ) -> None:
        """`load_keyring` returns the master secrets that the store requires; it blocks."""
        runner = OperationRunner(store, load_keyring, min_password_length)
        self.routes = (*Api(runner, proxies).routes(), *Pages(runner, proxies).routes())
        self._table: PathTable[AdminRoute] = PathTable()
        for route in self.routes:
            self._table.add(route.method, route.path, route)

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises `Refusal`."""
        return await found_route(self._table, request).handler(request)
