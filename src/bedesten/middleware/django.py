"""Django behind the gate.

Settings: `"bedesten.middleware.django.GateMiddleware"` as the first of `MIDDLEWARE`, and `BEDESTEN_AUTHORIZER`, a
`LocalAuthorizer` or a function that makes one. The caller is `request.bedesten`;
`@requires("orders:read")` on a view demands more.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from bedesten.errors import Refusal
from bedesten.http.message import Response
from bedesten.middleware.authorizer import LocalAuthorizer, refusal_response
from bedesten.middleware.caller import SCOPE_KEY, Caller, checked_rights
from bedesten.middleware.wsgi import headers_of

View = Callable[..., Any]


class GateMiddleware:
    """Django's middleware. A refused request reaches no view and no later middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        made = settings.BEDESTEN_AUTHORIZER
        self._authorizer: LocalAuthorizer = made if isinstance(made, LocalAuthorizer) else made()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        decision = self._decision(request)
        if isinstance(decision, Caller):
            setattr(request, SCOPE_KEY, decision)
            return self._get_response(request)
        return _response(decision)

    def _decision(self, request: HttpRequest) -> Caller | Response:
        asked = self._authorizer.request(
            request.method,
            request.path.encode("utf-8", "surrogateescape"),
            request.META.get("QUERY_STRING", "").encode("latin-1"),
            headers_of(request.META),
            request.META.get("REMOTE_ADDR") or "unix",
        )
        return asked if isinstance(asked, Response) else self._authorizer.decide_now(asked)


def requires(*rights: str) -> Callable[[View], View]:
    """Admits only callers with all of these scopes or grants to a view; a caller who lacks one gets 403."""
    needed = checked_rights(rights)

    def demand(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def waiting(request: HttpRequest, *args: Any, **values: Any) -> Any:
                refusal = _lacking(request, needed)
                return await view(request, *args, **values) if refusal is None else refusal

            return waiting

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **values: Any) -> Any:
            refusal = _lacking(request, needed)
            return view(request, *args, **values) if refusal is None else refusal

        return checked

    return demand


def _lacking(request: HttpRequest, needed: tuple[str, ...]) -> HttpResponse | None:
    found = getattr(request, SCOPE_KEY, None)
    if not isinstance(found, Caller):
        raise RuntimeError("there is no gate around this view: GateMiddleware is not among MIDDLEWARE")
    try:
        found.require(*needed)
    except Refusal as refusal:
        return _response(refusal_response(refusal, headers_of(request.META), found.request_id))
    return None


def _response(refusal: Response) -> HttpResponse:
    response = HttpResponse(refusal.body, status=refusal.status)
    for name, value in refusal.headers:
        response[name.decode("latin-1")] = value.decode("latin-1")
    return response
