"""Who calls a service, as its own code sees it."""

from dataclasses import dataclass

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.forward_auth.authorizer import identity
from bedesten.gate.access import GRANTS
from bedesten.gate.decide import scope_missing
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.context import RequestContext

SCOPE_KEY = "bedesten"
"""Where the caller stands: in an ASGI scope, in a WSGI environ, and as an attribute of Django's request."""
_KNOWN = frozenset().union(*SCOPES.values(), *GRANTS.values())


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's caller. Never made from what the caller merely says.

    `account` and `surface` are empty on a public path. `rights` are the scopes of a bearer token that count now, or the
    grants of an API key; `*` alone is a key that was never narrowed. The credential itself is not in here.
    """

    tenant: str
    account: str
    surface: str
    rights: frozenset[str]
    request_id: str
    address: str

    @classmethod
    def of(cls, context: RequestContext) -> "Caller":
        """Whoever the gate let through."""
        who = identity(context)
        return cls(who.tenant, who.account, who.surface, who.scopes, who.request_id, context.address)

    def has(self, *rights: str) -> bool:
        """Whether the caller has all of these scopes or grants. An API key has those of its own surface at the most."""
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
    """The rights as a requirement. Raises ValueError for one that no surface has: it would refuse everybody for ever."""
    unknown = ", ".join(sorted(set(rights) - _KNOWN))
    if unknown:
        raise ValueError(f"no surface has the scope or grant {unknown}; there are {', '.join(sorted(_KNOWN))}")
    if not rights:
        raise ValueError("name the scopes or grants that are needed")
    return rights
