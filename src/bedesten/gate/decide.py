"""The gate's three questions, in their order: which tenant, who is calling, and may they do this.

The pipeline calls `Gate.tenant`, `Gate.authenticate` and `Gate.authorise` one after the other. They are pure: they look
at the auth cache, never at the store, and raise `CacheMiss` when the cache lacks an entry. The caller then loads it and
calls again. After a refusal the operation has not run.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate import api_keys, bearer
from bedesten.gate.access import Access, Anonymous, AnyKey, Keyed, Open, Scoped, SignedIn
from bedesten.gate.auth_cache import EMPTY, AccountEntry, AuthCache, Fetched, KeyEntry, TenantEntry
from bedesten.gate.bearer import BearerRefusal, Claims, RefusalReason
from bedesten.gate.decision_table import NEVER, DecisionTable, LastingRefusal
from bedesten.gate.hosts import canonical_host
from bedesten.gate.keyring import Keyring, parse_kid
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface, effective
from bedesten.gate.token_cache import TokenCache

REALM = "bedesten"
_BEARER = f'Bearer realm="{REALM}"'
_CHALLENGES = {
    errors.TOKEN_MISSING: _BEARER,
    errors.TOKEN_INVALID: f'{_BEARER}, error="invalid_token", error_description="The token is not valid"',
    errors.TOKEN_EXPIRED: f'{_BEARER}, error="invalid_token", error_description="The token has expired"',
    errors.SCOPE_MISSING: f'{_BEARER}, error="insufficient_scope"',
    errors.KEY_REFUSED: f'ApiKey realm="{REALM}"',
}
_CHALLENGE_HEADERS = {code: ((b"www-authenticate", text.encode()),) for code, text in _CHALLENGES.items()}
_CODES = {
    RefusalReason.MISSING: errors.TOKEN_MISSING,
    RefusalReason.INVALID: errors.TOKEN_INVALID,
    RefusalReason.EXPIRED: errors.TOKEN_EXPIRED,
}
_NO_KEY = "ak_live_00000000000000000000000000000000"
_ADDRESS = "not from an allowed address"
_NO_SUBJECT = "the subject does not exist"
_SUBJECTS = {Surface.RESELLER: "partner", Surface.STOREFRONT: "customer"}
"""The kind of account whose tokens a surface accepts."""


@dataclass(slots=True)
class Credentials:
    """What a request presents: every line of the two credential headers, and the address it came from."""

    authorization: list[bytes]
    api_key: list[bytes]
    address: str


@dataclass(slots=True)
class Gate:
    """Decides with the auth cache, the keyring, the issuer that tokens must name, and the tokens verified so far."""

    auth_cache: AuthCache
    keyring: Keyring
    issuer: str
    token_cache: TokenCache = field(default_factory=TokenCache)
    _decisions: DecisionTable = field(init=False)

    def __post_init__(self) -> None:
        self._decisions = DecisionTable(self.auth_cache.revision, self.keyring)

    def use_keyring(self, keyring: Keyring) -> None:
        """Switches to another version of the keyring; tokens verified under the old one are verified again."""
        self.keyring = keyring
        self.token_cache.clear()

    def decisions(self) -> DecisionTable:
        """Returns the decision table of the present revision and the present keyring."""
        table = self._decisions
        if table.revision is not self.auth_cache.revision or table.keyring is not self.keyring:
            table = self._decisions = DecisionTable(self.auth_cache.revision, self.keyring)
        return table

    def tenant(self, host_lines: list[bytes], fetched: Fetched = EMPTY) -> TenantEntry:
        """Finds the tenant by exact match of the canonical host; there is no default. Raises `Refusal`, `CacheMiss`."""
        host = canonical_host(host_lines[0]) if len(host_lines) == 1 else None
        if host is None:
            raise Refusal(errors.BAD_REQUEST, "the Host header is missing, repeated or malformed")
        entry = self.auth_cache.tenant_of_host(host, fetched)
        if entry is None:
            raise no_tenant()
        return entry

    def authenticate(
        self, tenant: TenantEntry, access: Access, credentials: Credentials, now: int, fetched: Fetched = EMPTY
    ) -> Principal | None:
        """Returns who is calling; None where no credential is needed. Raises `Refusal` (401, or 421), `CacheMiss`."""
        match access:
            case Scoped(surface) | SignedIn(surface):
                return self._by_token(tenant, surface, credentials, now, fetched)
            case Keyed() | AnyKey():
                return self._by_key(tenant, credentials, now, fetched)
            case Anonymous(surface):
                if tenant.suspended:
                    raise Refusal(errors.UNKNOWN_HOST, "the tenant is suspended")
                if credentials.authorization:
                    return self._by_token(tenant, surface, credentials, now, fetched)
            case Open(surface):
                if surface is None and tenant.suspended:
                    raise Refusal(errors.UNKNOWN_HOST, "the tenant is suspended")
        return None

    @staticmethod
    def authorise(tenant: TenantEntry, access: Access, endpoint: str, principal: Principal | None) -> None:
        """Checks the scope or grant, and the tenant's access to the endpoint. Raises `Refusal` (403, or 404)."""
        match access:
            case Scoped(surface, scope):
                if principal is None or scope not in principal.scopes or not tenant.allows(surface, endpoint):
                    raise scope_missing(scope)
            case SignedIn(surface):
                if not tenant.allows(surface, endpoint):
                    raise Refusal(errors.SCOPE_MISSING, "switched off", headers=challenge(errors.SCOPE_MISSING))
            case Keyed(surface, grant):
                if principal is None or principal.surface is not surface:
                    raise Refusal(errors.NOT_GRANTED, "a key of another surface")
                if not tenant.allows(surface, endpoint):
                    raise Refusal(errors.NOT_GRANTED, "switched off for the tenant")
                if principal.grants is not None and grant not in principal.grants:
                    raise Refusal(errors.NOT_GRANTED, f"the key lacks {grant}")
            case AnyKey(surface):
                if principal is None or principal.surface is not surface:
                    raise Refusal(errors.NOT_GRANTED, "a key of another surface")
                if not tenant.allows(surface, endpoint):
                    raise Refusal(errors.NOT_GRANTED, "switched off for the tenant")
            case Anonymous(surface):
                if not tenant.allows(surface, endpoint):
                    raise Refusal(errors.NOT_FOUND, "switched off for the tenant", missing="operation")

    def _by_token(
        self, tenant: TenantEntry, surface: Surface, credentials: Credentials, now: int, fetched: Fetched
    ) -> Principal:
        try:
            claims = self._verified(tenant, surface, bearer.extract(credentials.authorization), now)
        except BearerRefusal as refused:
            code = _CODES[refused.reason]
            kind = LastingRefusal if refused.lasting else Refusal
            raise kind(code, refused.cause, headers=challenge(code)) from refused
        account = self.auth_cache.account(claims.subject, fetched)
        if account is None:  # not lasting: a customer's registration does not move the revision
            raise Refusal(errors.TOKEN_INVALID, _NO_SUBJECT, headers=challenge(errors.TOKEN_INVALID))
        if account.tenant != tenant.id or account.kind != _SUBJECTS[surface]:
            raise _token_invalid(_NO_SUBJECT, claims)
        self._not_revoked(tenant, surface, account, claims)
        return Principal(
            tenant=tenant.id,
            surface=surface,
            owner=claims.subject,
            credential=claims.token_id,
            scopes=effective(claims.scopes, account.scopes, surface),
            grants=None,
            token=claims,
        )

    def _verified(self, tenant: TenantEntry, surface: Surface, token: bytes, now: int) -> Claims:
        known = self.token_cache.get(token, tenant.id, surface.value, now)
        if known is not None and self._signer(tenant, known.kid) is not None:
            return known
        claims = bearer.verify(
            token,
            key_for=self._key_for(tenant, surface),
            issuer=self.issuer,
            audience=surface.value,
            tenant=tenant.id,
            now=now,
            max_lifetime=MAX_LIFETIME_MS,
        )
        self.token_cache.put(token, tenant.id, surface.value, claims)
        return claims

    def _key_for(self, tenant: TenantEntry, surface: Surface) -> Callable[[str], bytes | None]:
        def find(kid: str) -> bytes | None:
            master = self._signer(tenant, kid)
            return None if master is None else self.keyring.signing_key(master, tenant.id, surface, tenant.generation)

        return find

    def _signer(self, tenant: TenantEntry, kid: str) -> str | None:
        """Returns the id of the master secret that a kid names, if it exists and the kid has the tenant's generation."""
        named = parse_kid(kid)
        if named is None or named[1] != tenant.generation or not self.keyring.has_signing_secret(named[0]):
            return None
        return named[0]

    def _not_revoked(self, tenant: TenantEntry, surface: Surface, account: AccountEntry, claims: Claims) -> None:
        if tenant.suspended:
            raise _token_invalid("the tenant is suspended", claims, account.id)
        if account.disabled:
            raise _token_invalid("the account is disabled", claims, account.id)
        if claims.token_versions != (
            self.auth_cache.token_version,
            tenant.token_version,
            tenant.surface_token_versions[surface],
            account.token_version,
        ):
            raise _token_invalid("issued before a revocation", claims, account.id)
        if self.auth_cache.revoked(claims.session_id):
            raise _token_invalid("its session was ended", claims, account.id)
        if self.auth_cache.revoked(claims.token_id):
            raise _token_invalid("this token was revoked", claims, account.id)

    def _by_key(self, tenant: TenantEntry, credentials: Credentials, now: int, fetched: Fetched) -> Principal:
        try:
            key, cause = api_keys.extract(credentials.api_key), "no live key has this digest"
        except api_keys.MalformedKey as malformed:
            key, cause = _NO_KEY, str(malformed)  # looked up nevertheless, so that every refusal takes the same time
        entry = self._stored(tenant, key, fetched)
        if entry is None:
            raise key_refused(cause)
        fault = self._fault(tenant, entry, key, credentials.address, now, fetched)
        if fault is not None:
            self._stored(tenant, _NO_KEY, fetched)  # the same lookups as for an unknown key
            ends = (entry.expires or NEVER) if fault is _ADDRESS else NEVER
            raise key_refused(f"{fault} ({entry.key_id})", entry.owner if entry.tenant == tenant.id else "", ends)
        return Principal(
            tenant=tenant.id,
            surface=entry.surface,
            owner=entry.owner,
            credential=entry.key_id,
            scopes=frozenset(),
            grants=entry.grants,
            key=entry,
        )

    def _fault(
        self, tenant: TenantEntry, entry: KeyEntry, key: str, address: str, now: int, fetched: Fetched
    ) -> str | None:
        """Returns why a known key is refused, or None."""
        account = self.auth_cache.account(entry.owner, fetched)
        if account is None or account.disabled:
            return "a disabled owner's key"
        if entry.tenant != tenant.id or tenant.suspended:
            return "another tenant's or a suspended tenant's key"
        if api_keys.is_live(key) is tenant.sandbox:
            return "a key from the other side of the wall between sandboxes and live tenants"
        if entry.expires is not None and now >= entry.expires:
            return "expired"
        if not api_keys.address_allowed(entry.networks, address):
            return _ADDRESS
        return None

    def _stored(self, tenant: TenantEntry, key: str, fetched: Fetched) -> KeyEntry | None:
        """Finds a key under any pepper; one query asks the store about all of them."""
        digests = []
        for digest in self._digests(tenant, key):
            entry = self.auth_cache.cached_key(digest)
            if entry is not None:
                return entry
            digests.append(digest)
        return self.auth_cache.key(tuple(digests), fetched)

    def _digests(self, tenant: TenantEntry, key: str) -> Iterator[bytes]:
        """Yields every digest under which the key may be stored, the most likely first."""
        for pepper in self.keyring.digest_ids():
            yield self.keyring.key_digest(tenant.id, key, pepper)
        if tenant.imports:
            imported = api_keys.imported_form(key)
            for pepper in self.keyring.digest_ids():
                yield self.keyring.key_digest(tenant.id, imported, pepper)


MAX_LIFETIME_MS = 24 * 3_600_000
"""The longest lifetime of a token, whatever a tenant's settings say."""


def challenge(code: errors.ErrorCode) -> tuple[tuple[bytes, bytes], ...]:
    """Returns the `WWW-Authenticate` header of a 401 (RFC 9110 section 11.6.1, RFC 6750 section 3)."""
    return _CHALLENGE_HEADERS[code]


def _token_invalid(cause: str, claims: Claims, account: str = "") -> LastingRefusal:
    """Returns the refusal of a genuine token. It lasts until the token's `exp`; from then on expiry is the cause."""
    refusal = LastingRefusal(errors.TOKEN_INVALID, cause, headers=challenge(errors.TOKEN_INVALID), account=account)
    refusal.ends = claims.expires_at * 1000
    return refusal


def no_tenant() -> LastingRefusal:
    """Returns the refusal of a host that no tenant has."""
    return LastingRefusal(errors.UNKNOWN_HOST, "no tenant has this host")


def key_refused(cause: str, account: str = "", ends: int = NEVER) -> LastingRefusal:
    """Returns the one refusal of an API key. Only the log and the audit trail see `cause` and `account`."""
    refusal = LastingRefusal(errors.KEY_REFUSED, cause, headers=challenge(errors.KEY_REFUSED), account=account)
    refusal.ends = ends
    return refusal


def scope_missing(scope: str) -> Refusal:
    """Returns the refusal of a bearer token that lacks a scope, which the challenge names (RFC 6750 section 3.1)."""
    challenge = f'{_BEARER}, error="insufficient_scope", scope="{scope}"'
    return Refusal(errors.SCOPE_MISSING, f"lacks {scope}", headers=((b"www-authenticate", challenge.encode()),))
