"""What an operator does, through the Python API on the running installation: it holds on the server at once."""

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
        """The hash of `PASSWORD`, made once: it costs tens of milliseconds."""
        return self.installation.hasher().hash(PASSWORD)

    def across(self, work: Callable[[SystemTransaction], Result]) -> Result:
        """Runs an action over all tenants."""
        return self.installation.store.write_now(work)

    def within(self, tenant: str, work: Callable[[Transaction], Result]) -> Result:
        """Runs an action inside one tenant."""
        return self.across(lambda tx: work(tx.for_tenant(tenant)))

    # --- making ---

    def tenant(self, name: str, hosts: Sequence[str], currency: str = "USD") -> str:
        """A tenant's id. Its few customers check out as often as the tests want."""
        new = tenants.NewTenant(name, hosts, currency=currency)
        made = str(self.across(lambda tx: tenants.create(tx, self.installation.cipher, new))["id"])
        self.within(made, lambda tx: set_checkout_limits(tx, NO_LIMITS.shown()))
        return made

    def account(
        self, tenant: str, kind: str, email: str, scopes: Iterable[str] | None = None, *, api: bool = True
    ) -> str:
        """A partner or a customer whose password is `PASSWORD`."""
        hashed = self.password_hash

        def work(tx: Transaction) -> str | None:
            return accounts.create(
                tx, kind, email, email.split("@")[0].title(), password=hashed, api=api, scopes=scopes
            )

        made = self.within(tenant, work)
        assert made is not None, f"{email} is there already"
        return made

    def credit(self, tenant: str, partner: str, minor: int, currency: str = "USD") -> None:
        """How far the partner may go below zero."""
        self.within(tenant, lambda tx: ledger.set_credit(tx, ledger.account(tx, partner, "partner", currency), minor))

    def owner(self, tenant: str, surface: Surface, name: str) -> str:
        """A supplier or an integration."""
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
        """An API key of an owner."""
        new = api_keys.NewKey(surface, owner, False, grants=grants, networks=networks, expires=expires)
        key_id, key = self.within(tenant, lambda tx: api_keys.create(tx, self.installation.keyring, new, OPERATOR))
        return Key(key_id, key.reveal())

    def product(self, tenant: str, fields: ProductFields, codes: Sequence[str] = (), category: str = "") -> str:
        """A product, with its stock codes."""

        def work(tx: Transaction) -> str:
            filed = catalogue.category(tx, category) if category else None
            made = catalogue.put_product(tx, _with_category(fields, filed))
            add_codes(tx, self.installation.cipher, made, codes)
            return made

        return self.within(tenant, work)

    def endpoint(self, tenant: str, partner: str, url: str | None) -> tuple[str, str]:
        """A partner's webhook endpoint: its signing secret and its outbound key."""
        cipher = self.installation.cipher
        secret, key = self.within(tenant, lambda tx: webhooks.create_endpoint(tx, cipher, partner, url))
        return secret.reveal(), key.reveal()

    @contextmanager
    def webhooks_to(self, networks: str) -> Iterator[None]:
        """In this block webhooks may reach these private networks. Tests share servers, so it ends with the block."""
        before = self.across(lambda tx: " ".join(webhook_networks.allowed(tx)))
        self.across(lambda tx: tx.run(SET_NETWORKS, networks=networks))
        try:
            yield
        finally:
            self.across(lambda tx: tx.run(SET_NETWORKS, networks=before))

    def link(self, tenant: str, customer: str, purpose: Purpose) -> str:
        """The token of a fresh link of a customer, which no mail carries."""
        cipher = self.installation.cipher
        return self.within(tenant, lambda tx: links.create(tx, cipher, customer, purpose)).token.reveal()

    # --- giving and taking rights ---

    def revoke_key(self, tenant: str, key: Key) -> None:
        """Ends a key."""
        assert self.within(tenant, lambda tx: api_keys.revoke(tx, key.id, OPERATOR))

    def revoke_token(self, tenant: str, jti: str, expires: int) -> None:
        """Ends one bearer token."""
        self.within(tenant, lambda tx: accounts.revoke_token(tx, jti, expires, OPERATOR))

    def end_session(self, tenant: str, session: str) -> None:
        """Ends one session."""
        self.within(tenant, lambda tx: sessions.end(tx, session, OPERATOR))

    def end_tokens_of(self, tenant: str, account: str) -> None:
        """Ends every token that the account was given before now."""
        self.within(tenant, lambda tx: accounts.end_tokens(tx, account, OPERATOR))

    def end_tokens(self, tenant: str) -> None:
        """Ends every token that the tenant issued before now."""
        self.within(tenant, tenants.end_tokens)

    def disable(self, tenant: str, kind: str, account: str, disabled: bool = True) -> None:
        """Disables an account, or lets it in again."""
        self.within(tenant, lambda tx: accounts.set_disabled(tx, _known(tx, kind, account), disabled))

    def scopes(self, tenant: str, kind: str, account: str, scopes: Iterable[str] | None) -> None:
        """Replaces an account's scopes."""
        self.within(tenant, lambda tx: accounts.set_scopes(tx, _known(tx, kind, account), scopes))

    def suspend(self, tenant: str, suspended: bool = True) -> None:
        """Suspends a tenant, or lets it go on."""
        self.within(tenant, lambda tx: tenants.set_suspended(tx, suspended))

    def switch(self, tenant: str, target: str, allowed: bool) -> None:
        """Switches a surface or an endpoint for a tenant."""
        self.within(tenant, lambda tx: tenants.switch_access(tx, target, allowed))

    def remove_host(self, tenant: str, host: str) -> None:
        """Takes a host away from a tenant."""
        self.within(tenant, lambda tx: tenants.remove_host(tx, host))

    # --- tokens as no login gives them ---

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
        """What a token of the account would say if it were issued at that second."""
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
        """The token that says this, of a customer's session that can go on."""
        at, ends = claims.issued_at * 1000, claims.expires_at * 1000
        kept = Session(claims.session_id, at, at, ends, "192.0.2.7", "Mozilla/5.0")

        def work(tx: Transaction) -> None:
            if not sessions.renew(tx, claims.subject, claims.session_id, ends):
                sessions.begin(tx, claims.subject, claims.token_versions, kept)

        self.within(claims.tenant, work)
        return self.mint(claims)

    def mint(self, claims: Claims) -> str:
        """The token that says this, signed as a login signs it."""
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
