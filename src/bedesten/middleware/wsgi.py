"""The gate around a WSGI application. The caller is in `environ["bedesten"]`."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from bedesten.http.message import Headers, Response
from bedesten.middleware.caller import SCOPE_KEY, Authorizer, Caller

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WsgiGate:
    """A WSGI application. A refused request never reaches the application inside, and its body is not read."""

    def __init__(self, app: WsgiApp, authorizer: Authorizer) -> None:
        self._app = app
        self._authorizer = authorizer

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        decision = decide(self._authorizer, environ)
        if isinstance(decision, Caller):
            environ[SCOPE_KEY] = decision
            return self._app(environ, start_response)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in decision.headers]
        headers.append(("content-length", str(len(decision.body))))
        start_response(f"{decision.status} {_phrase(decision.status)}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [decision.body]


def decide(authorizer: Authorizer, environ: Environ) -> Caller | Response:
    """The caller, or the refusal to answer with."""
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
    """The headers as WSGI passes them: it joins repeated ones by commas, which no credential may contain."""
    return [
        (name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    ]


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
