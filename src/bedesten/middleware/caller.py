"""The caller of a service, as the service's own code sees it."""

from dataclasses import dataclass
from typing import Protocol

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.forward_auth.authorizer import identity_of
from bedesten.forward_auth.rules import ProtectedRoute
from bedesten.gate.access import GRANTS
from bedesten.gate.decide import scope_missing
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.admission import Allowed
from bedesten.http.message import Headers, Request, Response

SCOPE_KEY = "bedesten"
"""The key of the caller in an ASGI scope and a WSGI environ, and its attribute on Django's request."""
_KNOWN = frozenset().union(*SCOPES.values(), *GRANTS.values())


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request, from its verified credential.

    `account` and `surface` are empty on a public path. `rights` are the effective scopes of a bearer token, or the
    grants of an API key; `*` alone is a key without narrowed grants. It does not contain the credential.
    """

    tenant: str
    account: str
    surface: str
    rights: frozenset[str]
    request_id: str
    address: str

    @classmethod
    def of(cls, allowed: Allowed[ProtectedRoute]) -> "Caller":
        """The caller of an allowed request."""
        who = identity_of(allowed)
        return cls(who.tenant, who.account, who.surface, who.scopes, who.request_id, allowed.state.address)

    def has(self, *rights: str) -> bool:
        """Whether the caller has all of these scopes or grants. An API key never has more than its surface offers."""
        if "*" in self.rights:
            return GRANTS[Surface(self.surface)].issuperset(rights)
        return self.rights.issuperset(rights)

    def require(self, *rights: str) -> None:
        """Raises the surface's own `Refusal` (403) if one of them is missing."""
        for right in rights:
            if not self.has(right):
                keyed = self.surface and not Surface(self.surface).uses_tokens
                raise Refusal(errors.NOT_GRANTED, f"lacks {right}") if keyed else scope_missing(right)


def checked_rights(rights: tuple[str, ...]) -> tuple[str, ...]:
    """The rights, if every one exists. Raises ValueError for an unknown right, which would refuse every caller."""
    unknown = ", ".join(sorted(set(rights) - _KNOWN))
    if unknown:
        raise ValueError(f"no surface has the scope or grant {unknown}; there are {', '.join(sorted(_KNOWN))}")
    if not rights:
        raise ValueError("name the scopes or grants that are needed")
    return rights


class Authorizer(Protocol):
    """Decides about a service's requests: what the ASGI and WSGI adapters need of `LocalAuthorizer`."""

    def request(self, method: str, path: bytes, query: bytes, headers: Headers, peer: str) -> Request | Response:
        """The request to decide about, or the refusal of an ambiguous one."""

    async def decide(self, request: Request) -> Caller | Response:
        """The caller, or the refusal to answer with; for code on an event loop."""

    def decide_now(self, request: Request) -> Caller | Response:
        """Like `decide`, for code without an event loop; blocks."""

    def close(self) -> None:
        """Closes the installation."""
