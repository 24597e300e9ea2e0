"""The gate around a WSGI application. The caller stands in `environ["bedesten"]`."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from bedesten.http.message import Headers, Response
from bedesten.middleware.authorizer import LocalAuthorizer
from bedesten.middleware.caller import SCOPE_KEY, Caller

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WsgiGate:
    """A WSGI application. What is refused never reaches the one behind it, and not a byte of its body is read."""

    def __init__(self, app: WsgiApp, authorizer: LocalAuthorizer) -> None:
        self._app = app
        self._authorizer = authorizer

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        decision = decided(self._authorizer, environ)
        if isinstance(decision, Caller):
            environ[SCOPE_KEY] = decision
            return self._app(environ, start_response)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in decision.headers]
        headers.append(("content-length", str(len(decision.body))))
        start_response(f"{decision.status} {_phrase(decision.status)}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [decision.body]


def decided(authorizer: LocalAuthorizer, environ: Environ) -> Caller | Response:
    """Who calls, or the refusal to answer."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    request = authorizer.request(
        environ["REQUEST_METHOD"],
        path.encode("latin-1"),
        query.encode("latin-1"),
        headers_of(environ),
        environ.get("REMOTE_ADDR") or "unix",
    )
    return request if isinstance(request, Response) else authorizer.decide_now(request)


def headers_of(environ: Environ) -> Headers:
    """The headers as far as WSGI tells of them: a repeated one is one with commas, which no credential may have."""
    return [
        (name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    ]


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
