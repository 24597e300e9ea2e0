"""Principal: the owner that a credential proved."""

from dataclasses import dataclass

from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.bearer import Claims
from bedesten.gate.scopes import Surface


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request whose credential was accepted.

    `owner` is a partner, customer, supplier or payment integration. `credential` names the credential for the audit
    trail: a token's `jti` or an API key's id, never the secret. A token has `scopes` and no grants. An API key has no
    scopes; its `grants` are None if it has every grant of its surface. `Gate.authorise` compares these rights with the
    route's access. `token` holds the claims of a bearer token, `key` the entry of an API key's secret.
    """

    tenant: str
    surface: Surface
    owner: str
    credential: str
    scopes: frozenset[str]
    grants: frozenset[str] | None
    token: Claims | None = None
    key: KeyEntry | None = None
