"""Principal: who a credential proved to be."""

from dataclasses import dataclass

from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.bearer import Claims
from bedesten.gate.scopes import Surface


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request, once its credential has been accepted. Never made from what the caller merely says.

    `owner` is the partner, customer, supplier or payment integration; `credential` names what was presented (a token's
    `jti`, an API key's id: never the secret itself) for the audit trail. A token has `scopes` and no grants. An API
    key has no scopes; its `grants` are None if it may do all that its surface offers its tenant. The right to
    an endpoint is not in here: the route's access compares it with these. `token` is what a bearer token said, `key`
    what is known of the secret of an API key that was presented.
    """

    tenant: str
    surface: Surface
    owner: str
    credential: str
    scopes: frozenset[str]
    grants: frozenset[str] | None
    token: Claims | None = None
    key: KeyEntry | None = None
