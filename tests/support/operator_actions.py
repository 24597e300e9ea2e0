"""The operator's actions, through the Python API on the running installation. The server obeys at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from bedesten.accounts import actions as accounts
from bedesten.accounts import links, sessions
from bedesten.accounts.actions import Account
from bedesten.accounts.links import Purpose
from bedesten.accounts.sessions import Session
from bedesten.admin import webhook_networks
from bedesten.apikeys import actions as api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields
from bedesten.core.clock import system_clock
from bedesten.core.ids import IdGenerator, session_id, token_id
from bedesten.gate import bearer
from bedesten.gate.bearer import Claims
from bedesten.gate.keyring import make_kid
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.ledger import actions as ledger
from bedesten.server.installation import Installation
from bedesten.store.tables import INSTALLATION, SET_NETWORKS
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.checkout_limits import NO_LIMITS, set_checkout_limits
from bedesten.tenants.lookup import tenant_entry
from bedesten.webhooks import actions as webhooks
from tests.support.stock_codes import add_codes

Result = TypeVar("Result")
PASSWORD = "seven lanterns by the gate"
KINDS = {Surface.RESELLER: "partner", Surface.STOREFRONT: "customer"}


@dataclass(frozen=True)
class Key:
    """An API key as its holder knows it."""

    id: str
    text: str


@dataclass
class Operator:
    """Acts on one installation."""

    installation: Installation

    @cached_property
    def password_hash(self) -> PasswordHash:
        """The hash of `PASSWORD`, computed once: it takes tens of milliseconds."""
        return self.installation.hasher().hash(PASSWORD)

    def across(self, work: Callable[[SystemTransaction], Result]) -> Result:
        """Runs an action over all tenants."""
        return self.installation.store.write_now(work)

    def within(self, tenant: str, work: Callable[[Transaction], Result]) -> Result:
        """Runs an action inside one tenant."""
        return self.across(lambda tx: work(tx.for_tenant(tenant)))

    # --- making ---

    def tenant(self, name: str, hosts: Sequence[str], currency: str = "USD") -> str:
        """Creates a tenant and returns its id. Its few customers may have as many checkouts as the tests want."""
        new = tenants.NewTenant(name, hosts, currency=currency)
        made = str(self.across(lambda tx: tenants.create(tx, self.installation.cipher, new))["id"])
        self.within(made, lambda tx: set_checkout_limits(tx, NO_LIMITS.shown()))
        return made

    def account(
        self, tenant: str, kind: str, email: str, scopes: Iterable[str] | None = None, *, api: bool = True
    ) -> str:
        """Creates a partner or a customer whose password is `PASSWORD`."""
        hashed = self.password_hash

        def work(tx: Transaction) -> str | None:
            return accounts.create(
                tx, kind, email, email.split("@")[0].title(), password=hashed, api=api, scopes=scopes
            )

        made = self.within(tenant, work)
        assert made is not None, f"{email} is there already"
        return made

    def credit(self, tenant: str, partner: str, minor: int, currency: str = "USD") -> None:
        """Sets how far the partner's balance may go below zero."""
        self.within(tenant, lambda tx: ledger.set_credit(tx, ledger.account(tx, partner, "partner", currency), minor))

    def owner(self, tenant: str, surface: Surface, name: str) -> str:
        """Creates a supplier or an integration."""
        return self.within(tenant, lambda tx: accounts.find_or_create_owner(tx, surface, name))

    def key(
        self,
        tenant: str,
        surface: Surface,
        owner: str,
        *,
        grants: Iterable[str] | None = None,
        networks: Iterable[str] = (),
        expires: int | None = None,
    ) -> Key:
        """Creates an API key for an owner."""
        new = api_keys.NewKey(surface, owner, False, grants=grants, networks=networks, expires=expires)
        key_id, key = self.within(tenant, lambda tx: api_keys.create(tx, self.installation.keyring, new, OPERATOR))
        return Key(key_id, key.reveal())

    def product(self, tenant: str, fields: ProductFields, codes: Sequence[str] = (), category: str = "") -> str:
        """Creates a product, with its stock codes."""

        def work(tx: Transaction) -> str:
            filed = catalogue.category(tx, category) if category else None
            made = catalogue.put_product(tx, _with_category(fields, filed))
            add_codes(tx, self.installation.cipher, made, codes)
            return made

        return self.within(tenant, work)

    def endpoint(self, tenant: str, partner: str, url: str | None) -> tuple[str, str]:
        """Creates a webhook endpoint for a partner; returns its signing secret and its outbound key."""
        cipher = self.installation.cipher
        secret, key = self.within(tenant, lambda tx: webhooks.create_endpoint(tx, cipher, partner, url))
        return secret.reveal(), key.reveal()

    @contextmanager
    def webhooks_to(self, networks: str) -> Iterator[None]:
        """Allows webhooks to these private networks, only for the block because tests share servers."""
        before = self.across(lambda tx: " ".join(webhook_networks.allowed(tx)))
        self.across(lambda tx: tx.run(SET_NETWORKS, networks=networks))
        try:
            yield
        finally:
            self.across(lambda tx: tx.run(SET_NETWORKS, networks=before))

    def link(self, tenant: str, customer: str, purpose: Purpose) -> str:
        """Creates a link of a customer, without a mail; returns its token."""
        cipher = self.installation.cipher
        return self.within(tenant, lambda tx: links.create(tx, cipher, customer, purpose)).token.reveal()

    # --- granting and revoking rights ---

    def revoke_key(self, tenant: str, key: Key) -> None:
        """Revokes an API key."""
        assert self.within(tenant, lambda tx: api_keys.revoke(tx, key.id, OPERATOR))

    def revoke_token(self, tenant: str, jti: str, expires: int) -> None:
        """Ends one bearer token."""
        self.within(tenant, lambda tx: accounts.revoke_token(tx, jti, expires, OPERATOR))

    def end_session(self, tenant: str, session: str) -> None:
        """Ends one session."""
        self.within(tenant, lambda tx: sessions.end(tx, session, OPERATOR))

    def end_tokens_of(self, tenant: str, account: str) -> None:
        """Ends every token that was issued to the account before now."""
        self.within(tenant, lambda tx: accounts.end_tokens(tx, account, OPERATOR))

    def end_tokens(self, tenant: str) -> None:
        """Ends every token that the tenant issued before now."""
        self.within(tenant, tenants.end_tokens)

    def disable(self, tenant: str, kind: str, account: str, disabled: bool = True) -> None:
        """Disables an account, or enables it again."""
        self.within(tenant, lambda tx: accounts.set_disabled(tx, _known(tx, kind, account), disabled))

    def scopes(self, tenant: str, kind: str, account: str, scopes: Iterable[str] | None) -> None:
        """Replaces an account's scopes."""
        self.within(tenant, lambda tx: accounts.set_scopes(tx, _known(tx, kind, account), scopes))

    def suspend(self, tenant: str, suspended: bool = True) -> None:
        """Suspends a tenant, or resumes it."""
        self.within(tenant, lambda tx: tenants.set_suspended(tx, suspended))

    def switch(self, tenant: str, target: str, allowed: bool) -> None:
        """Allows or denies a surface or an endpoint for a tenant."""
        self.within(tenant, lambda tx: tenants.switch_access(tx, target, allowed))

    def remove_host(self, tenant: str, host: str) -> None:
        """Removes a host from a tenant."""
        self.within(tenant, lambda tx: tenants.remove_host(tx, host))

    # --- tokens that no login issues ---

    def claims(
        self,
        tenant: str,
        surface: Surface,
        subject: str,
        *,
        scopes: Iterable[str] | None = None,
        issued: int | None = None,
        lifetime: int = 3600,
        session: str | None = None,
    ) -> Claims:
        """The claims of a token of the account, issued at that second (default: now)."""
        keyring = self.installation.keyring
        found = self.within(tenant, lambda tx: accounts.by_id(tx, KINDS[surface], subject))
        entry = self.installation.store.read_now(lambda tx: tenant_entry(tx, tenant))
        installed = self.installation.store.read_now(lambda tx: tx.one(INSTALLATION))
        assert found is not None
        assert entry is not None
        assert installed is not None
        at = system_clock() // 1000 if issued is None else issued
        session = session or session_id(IdGenerator())
        return Claims(
            issuer=self.installation.issuer,
            audience=surface.value,
            subject=subject,
            tenant=tenant,
            scopes=SCOPES[surface] if scopes is None else frozenset(scopes),
            issued_at=at,
            expires_at=at + lifetime,
            token_id=token_id(session),
            session_id=session,
            token_versions=(
                installed.token_version,
                entry.token_version,
                entry.surface_token_versions[surface],
                found.token_version,
            ),
            kid=make_kid(keyring.sign.current, entry.generation),
        )

    def signed_in(self, claims: Claims) -> str:
        """A token with these claims, of a stored customer session that can be refreshed."""
        at, ends = claims.issued_at * 1000, claims.expires_at * 1000
        kept = Session(claims.session_id, at, at, ends, "192.0.2.7", "Mozilla/5.0")

        def work(tx: Transaction) -> None:
            if not sessions.renew(tx, claims.subject, claims.session_id, ends):
                sessions.begin(tx, claims.subject, claims.token_versions, kept)

        self.within(claims.tenant, work)
        return self.mint(claims)

    def mint(self, claims: Claims) -> str:
        """A token with these claims, signed as a login signs it."""
        master, _, generation = claims.kid.partition(".")
        key = self.installation.keyring.signing_key(master, claims.tenant, Surface(claims.audience), int(generation))
        assert key is not None
        return bearer.mint(claims, key)


def _known(tx: Transaction, kind: str, account: str) -> Account:
    found = accounts.by_id(tx, kind, account)
    assert found is not None
    return found


def _with_category(fields: ProductFields, category: str | None) -> ProductFields:
    return ProductFields(**{**{name: getattr(fields, name) for name in fields.__slots__}, "category_id": category})
