"""Routes of the admin listener as data: a method of a path, the access that it demands, and its handler.

A route cannot be made without its access. None of them knows a tenant, so none of the tenants' kinds of access
(`gate.access`) is used here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bedesten.http.message import Request, Response

ANY_METHOD = "*"
"""The method of a route that answers every method."""


@dataclass(frozen=True, slots=True)
class OwnHost:
    """No credential. The request's `Host` must be one of the listener's own, so that no web page can read it."""


@dataclass(frozen=True, slots=True)
class ScannerSecret:
    """A bearer secret that the operator shares with secret scanners, under one of the listener's own hosts."""


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The peer must be a trusted proxy. With `client_host` the `Host` is the one that the proxy's client sent."""

    client_host: bool = False


AdminAccess = OwnHost | ScannerSecret | TrustedProxy


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """One operation. `path` may end in `{name*}`, which stands for any rest, or the method be `ANY_METHOD`.

    The handler may raise `Refusal`.
    """

    method: str
    path: str
    access: AdminAccess
    handler: Callable[[Request], Awaitable[Response]]
