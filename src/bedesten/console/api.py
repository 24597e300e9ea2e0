"""The operator's API: JSON for programs of the operator, with the token of a staff session."""

from functools import partial

from bedesten.admin_api.route import AdminRoute, OwnHost, StaffSession
from bedesten.console.operations import OPERATIONS, Operation
from bedesten.console.requests import Handler, bearer_caller, guarded, json_body
from bedesten.console.runner import Caller, OperationRunner
from bedesten.console.schemas import Credentials
from bedesten.core.clock import wire_time
from bedesten.core.ids import request_id
from bedesten.http.message import Request, Response
from bedesten.http.proxies import Proxies
from bedesten.http.responses import success
from bedesten.http.schemas import decode_body, encode, parse
from bedesten.staff import actions as staff

ROOT = "/operator"


class Api:
    """The handlers."""

    def __init__(self, runner: OperationRunner, proxies: Proxies) -> None:
        self._runner = runner
        self._proxies = proxies

    def routes(self) -> tuple[AdminRoute, ...]:
        """Every route of the API."""
        return (
            AdminRoute("POST", f"{ROOT}/login", OwnHost(), guarded(self.log_in)),
            AdminRoute("POST", f"{ROOT}/logout", StaffSession(), guarded(self.log_out)),
            AdminRoute("GET", f"{ROOT}/session", StaffSession(), guarded(self.session)),
            *(AdminRoute("POST", path_of(one), StaffSession(), self._handler(one)) for one in OPERATIONS.values()),
        )

    def _handler(self, operation: Operation) -> Handler:
        return guarded(partial(self.perform, operation))

    async def log_in(self, request: Request) -> Response:
        """A session for an e-mail and a password."""
        raw = await json_body(request)
        given = decode_body(parse(raw), Credentials, strict=True, raw=raw)
        caller = Caller("", self._proxies.client(request), request_id())
        token, expires = await self._runner.log_in(given.email, given.password, caller)
        shown = {"token": token.reveal(), "expiration": wire_time(expires)}
        return success(encode(shown), caller.request_id)

    async def log_out(self, request: Request) -> Response:
        """Ends the session."""
        caller = bearer_caller(request, self._proxies)
        await self._runner.log_out(caller)
        return success(encode({"ended": True}), caller.request_id)

    async def session(self, request: Request) -> Response:
        """Who is logged in, what it may do, and for which tenants."""
        caller = bearer_caller(request, self._proxies)
        session, tenants = await self._runner.who(caller)
        shown = {
            **staff.view(session.member),
            "duties": sorted(duty.value for duty in session.duties),
            "tenants": tenants,
            "expiration": wire_time(session.expires),
        }
        return success(encode(shown), caller.request_id)

    async def perform(self, operation: Operation, request: Request) -> Response:
        """Runs an operation."""
        caller = bearer_caller(request, self._proxies)
        raw = await json_body(request)
        _, _, document = await self._runner.perform(caller, operation, lambda: parse(raw), raw)
        return success(encode(document), caller.request_id)


def path_of(operation: Operation) -> str:
    """The path of an operation: `orders.list` is `/operator/orders/list`."""
    return f"{ROOT}/{operation.name.replace('.', '/')}"
