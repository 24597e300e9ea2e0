"""Every error that an operation can answer with: those of the pipeline's steps, and those of its handler."""

from functools import cache

from bedesten import errors
from bedesten.errors import ErrorCode
from bedesten.gate.access import Access, Anonymous, AnyKey, Keyed, Open, Scoped, SignedIn
from bedesten.http.route import Route, Static

ALWAYS = (
    errors.INTERNAL,
    errors.BAD_REQUEST,
    errors.TOO_MANY_REQUESTS,
    errors.UNAVAILABLE,
    errors.UNKNOWN_HOST,
)
"""Possible on every route: framing, revision check, host, limits, and internal errors."""
_TOKEN = (errors.TOKEN_MISSING, errors.TOKEN_INVALID, errors.TOKEN_EXPIRED)
_BODY = (errors.TOO_LARGE, errors.NOT_JSON)


@cache
def refusals(route: Route) -> tuple[ErrorCode, ...]:
    """The error codes with which a request to the route can end, by status, then by number."""
    found = {*ALWAYS, *_credential(route.access), *route.errors}
    if route.method != "GET" and not isinstance(route.handler, Static):
        found.update(_BODY)
    if route.repeatable:
        found.add(errors.CONFLICT)  # the Idempotency-Key was used with other content
    return tuple(sorted(found, key=lambda code: (code.status, -code.number)))


def _credential(access: Access) -> tuple[ErrorCode, ...]:
    match access:
        case Scoped() | SignedIn():
            return (*_TOKEN, errors.SCOPE_MISSING)
        case Anonymous():
            return (*_TOKEN, errors.NOT_FOUND)  # -3: switched off for the tenant
        case Keyed() | AnyKey():
            return (errors.KEY_REFUSED, errors.NOT_GRANTED)
        case Open():
            return ()
