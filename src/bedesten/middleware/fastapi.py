"""FastAPI behind the gate: `protect(app, authorizer)` once, and `Depends(requires("orders:read"))` to demand more.

Starlette's applications can be protected as well, with `authorizer.asgi` and `caller(request)`.
"""

from collections.abc import Callable

from fastapi import FastAPI, Request, Response

from bedesten.errors import Refusal
from bedesten.middleware.asgi import AsgiGate
from bedesten.middleware.authorizer import LocalAuthorizer, refusal_response
from bedesten.middleware.caller import SCOPE_KEY, Caller, checked_rights


def protect(app: FastAPI, authorizer: LocalAuthorizer) -> None:
    """Puts the gate around the application, and gives refusals of `requires` the form of the gate's own."""
    app.add_middleware(AsgiGate, authorizer=authorizer)
    app.add_exception_handler(Refusal, _refuse)


def caller(request: Request) -> Caller:
    """The caller; a dependency. Raises RuntimeError where the application is not behind the gate."""
    found = request.scope.get(SCOPE_KEY)
    if not isinstance(found, Caller):
        raise RuntimeError("there is no gate around this application: call protect(app, authorizer)")
    return found


def requires(*rights: str) -> Callable[[Request], Caller]:
    """A dependency: the caller, who has all of these scopes or grants; a caller who lacks one gets 403."""
    needed = checked_rights(rights)

    def who(request: Request) -> Caller:
        found = caller(request)
        found.require(*needed)
        return found

    return who


async def _refuse(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    found = request.scope.get(SCOPE_KEY)
    made = refusal_response(refusal, request.headers.raw, found.request_id if isinstance(found, Caller) else "")
    response = Response(made.body, made.status)
    for name, value in made.headers:
        response.headers[name.decode("latin-1")] = value.decode("latin-1")
    return response
