"""The product's application with two trivial routes: one with a bearer token and a scope, one with an API key."""

from bedesten.accounts import login_throttle
from bedesten.core.clock import HOUR, MINUTE
from bedesten.gate.access import Keyed, Scoped
from bedesten.gate.scopes import Surface
from bedesten.http.asgi import Adapter
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.revision_check import RevisionCheck
from bedesten.http.route import Async, Route
from bedesten.http.schemas import EmptyBody
from bedesten.ratelimit.limits import Counters
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.server import build
from benchmarks.material import KEY_PATH, TOKEN_PATH

_NEVER = 1 << 20
"""More refusals than any benchmark sends."""


async def _trivial(context: RequestContext, _services: LoginServices, _: EmptyBody) -> object:
    return {"owner": context.who.owner}


ROUTES = (
    Route(method="GET", path=TOKEN_PATH, access=Scoped(Surface.RESELLER, "account:read"), handler=Async(_trivial)),
    Route(method="GET", path=KEY_PATH, access=Keyed(Surface.SUPPLIER, "products:read"), handler=Async(_trivial)),
)


def whole(settings_json: str) -> Adapter:
    """The application as in the product."""
    build.ROUTES = (*build.ROUTES, *ROUTES)
    return build.web_application(settings_json)


def unchecked(settings_json: str) -> Adapter:
    """Without the revision check: it never notices a change. Only a baseline."""
    build.RevisionCheck = _NoRevisionCheck  # type: ignore[attr-defined]
    return whole(settings_json)


def patient(settings_json: str) -> Adapter:
    """Without throttling: refusals are counted as usual, but never throttled."""
    _throttle(_NEVER, MINUTE)
    login_throttle.FREE_FAILURES = login_throttle.FREE_ADDRESS_FAILURES = _NEVER
    return whole(settings_json)


def strict(settings_json: str) -> Adapter:
    """With the strictest throttle: an address waits for an hour after one refusal."""
    _throttle(1, HOUR)
    return whole(settings_json)


def _throttle(refusals: int, window: int) -> None:
    """Sets a throttle of this many refusals in this many milliseconds."""

    class Throttle(AddressThrottle):
        def __init__(self, tables: Counters, **_: int) -> None:
            super().__init__(tables, refusals, window)

    build.AddressThrottle = Throttle  # type: ignore[attr-defined,assignment]


class _NoRevisionCheck(RevisionCheck):
    """Does nothing after the first load."""

    _passed = False

    async def confirm(self) -> None:
        if not self._passed:
            await super().confirm()
            self._passed = True
