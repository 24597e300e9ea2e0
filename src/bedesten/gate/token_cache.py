"""Caches verified bearer tokens, so that a token in use is verified once."""

from bedesten.gate.bearer import Claims


class TokenCache:
    """Verified tokens by their exact bytes, tenant and surface.

    A hit saves parsing and the MAC. The caller (`gate.decide`) still checks `kid`, token versions, `jti` and scopes at
    every request. Of the time claims only `exp` is checked again. The cache holds at most `limit` tokens: when the
    young half is full it becomes the old half, from which a token moves back when it is used. So every step takes
    constant time. For one thread (the event loop). The tokens are live credentials, so `repr` does not show them.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, limit: int = 65_536) -> None:
        self._half = limit // 2
        self._young: dict[tuple[bytes, str, str], Claims] = {}
        self._old: dict[tuple[bytes, str, str], Claims] = {}

    def get(self, token: bytes, tenant: str, surface: str, now: int) -> Claims | None:
        """Returns the claims of a token that is cached for this tenant and surface and valid at `now` (ms), or None."""
        entry = (token, tenant, surface)
        claims = self._young.get(entry)
        if claims is None:
            claims = self._old.pop(entry, None)
            if claims is None:
                return None
            self._keep(entry, claims)
        return claims if now < claims.expires_at * 1000 else None

    def put(self, token: bytes, tenant: str, surface: str, claims: Claims) -> None:
        """Stores the claims that `verify` returned for a token of this tenant and surface."""
        self._keep((token, tenant, surface), claims)

    def clear(self) -> None:
        """Drops every token. Call it after a change of the key sets or of a tenant's generation."""
        self._young.clear()
        self._old.clear()

    def _keep(self, entry: tuple[bytes, str, str], claims: Claims) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[entry] = claims

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __repr__(self) -> str:
        return f"TokenCache({len(self)} tokens)"
