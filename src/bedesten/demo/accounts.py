"""Creates the throw-away installation with the demo's accounts, by the use cases of the operator's commands."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bedesten.accounts.actions import set_scopes
from bedesten.admin import owners, partners, payment_methods, webhook_networks
from bedesten.admin.partners import NewPartner
from bedesten.apikeys import actions as api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.core.secret import Secret
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant

DEMO, DEMO_HOSTS = "demo", ("localhost", "127.0.0.1", "[::1]")
SANDBOX, SANDBOX_HOST = "sandbox shop", "sandbox.localhost"
GIFT_CARD, GIFT_CARD_PRICE = "Lantern Gift Card 25", 2400
ESIM, ESIM_PRICE = "Silk Road eSIM 5 GB", 1350
REQUIREMENT = "eid"
METHOD = "card"
CODES_IN_STOCK = 400


@dataclass(frozen=True, slots=True)
class Partner:
    """The partner's login, and the secrets of its webhooks."""

    email: str
    password: Secret[str]
    webhook_secret: Secret[str]
    webhook_key: Secret[str]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: its public id, by which the operator revokes it, and its secret."""

    id: str
    secret: Secret[str]


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """Everyone who takes part, with their credentials."""

    tenant: str
    partner: Partner
    payment: ApiKey
    supplier_id: str
    supplier: ApiKey
    sandbox_supplier: ApiKey


def create(settings: Settings, webhook_url: str) -> DemoAccounts:
    """Create the installation in the empty data directory of the settings."""
    initialise(settings)
    with _opened(settings) as installation:
        password = Secret(secrets.token_urlsafe(18))
        hashed = installation.hasher().hash(password.reveal())
        new = NewPartner("partner@demo.example", hashed, "Corner Shop", webhook=webhook_url)

        def act(tx: SystemTransaction) -> DemoAccounts:
            webhook_networks.change(tx, add=["127.0.0.0/8"])
            tenant = str(tenants.create(tx, installation.cipher, NewTenant(DEMO, DEMO_HOSTS))["id"])
            sandbox = NewTenant(SANDBOX, [SANDBOX_HOST], currency="EUR", sandbox=True)
            bound = tx.for_tenant(tenant)
            elsewhere = tx.for_tenant(str(tenants.create(tx, installation.cipher, sandbox)["id"]))
            made = partners.create(bound, installation.cipher, "USD", new)
            partners.create(elsewhere, installation.cipher, "EUR", replace(new, webhook=None, credit=Decimal(1000)))
            supplier = owners.create(bound, Surface.SUPPLIER, "Anatolia Codes").id
            _fill(bound, installation, supplier)
            integration = owners.create(bound, Surface.PAYMENT, "Back office").id
            payment_methods.add(bound, "USD", METHOD, "Credit card", "Back office")
            return DemoAccounts(
                tenant=tenant,
                partner=Partner(made.email, password, made.webhook_secret, made.webhook_key),
                payment=_key(bound, installation, Surface.PAYMENT, integration),
                supplier_id=supplier,
                supplier=_key(bound, installation, Surface.SUPPLIER, supplier),
                sandbox_supplier=_fill_sandbox(elsewhere, installation),
            )

        return installation.store.write_now(act)


def restore(settings: Settings, accounts: DemoAccounts) -> ApiKey:
    """Give the partner all scopes again, and the supplier a new API key, which is returned."""

    def act(tx: SystemTransaction) -> ApiKey:
        bound = tx.for_tenant(accounts.tenant)
        set_scopes(bound, partners.find(bound, accounts.partner.email), None)
        return _key(bound, installation, Surface.SUPPLIER, accounts.supplier_id)

    with _opened(settings) as installation:
        return installation.store.write_now(act)


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[Installation]:
    installation = open_installation(settings)
    try:
        yield installation
    finally:
        installation.store.close()


def _fill(tx: Transaction, installation: Installation, supplier: str) -> None:
    about = "25 USD, from stock: delivered at once."
    card = _product(tx, supplier, "Gift cards", "USD", GIFT_CARD, GIFT_CARD_PRICE, "LANTERN-25", description=about)
    _add_codes(tx, installation, card, _codes("LNTN", CODES_IN_STOCK))
    about = "For one device, delivered by the supplier on demand."
    asks = (Requirement(REQUIREMENT, "EID of the device"),)
    on_demand = {"description": about, "cost": 1100, "fulfilment": catalogue.SUPPLIER, "requirements": asks}
    _product(tx, supplier, "eSIMs", "USD", ESIM, ESIM_PRICE, "SILK-5GB", **on_demand)


def _fill_sandbox(tx: Transaction, installation: Installation) -> ApiKey:
    supplier = owners.create(tx, Surface.SUPPLIER, "Anatolia Codes").id
    ticket = _product(tx, supplier, "Tickets", "EUR", "Museum Ticket", 900, "MUSEUM-1")
    _add_codes(tx, installation, ticket, _codes("MUSE", 20))
    return _key(tx, installation, Surface.SUPPLIER, supplier, sandbox=True)


def _product(
    tx: Transaction, supplier: str, category: str, currency: str, name: str, price: int, sku: str, **more: Any
) -> str:
    fields = ProductFields(
        name=name,
        currency=currency,
        sku=sku,
        category_id=catalogue.category(tx, category),
        price=price,
        supplier_id=supplier,
        supplier_sku=f"A-{sku}",
        **more,
    )
    return catalogue.put_product(tx, fields)


def _add_codes(tx: Transaction, installation: Installation, product: str, codes: list[str]) -> None:
    source = Source("demo", OPERATOR.name)
    batches.add(tx, installation.cipher, product, [read_code(code) for code in codes], source)


def _codes(prefix: str, count: int) -> list[str]:
    digits = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    groups = ("".join(secrets.choice(digits) for _ in range(4)) for _ in range(3 * count))
    return [f"{prefix}-{'-'.join(three)}" for three in zip(groups, groups, groups, strict=True)]


def _key(tx: Transaction, installation: Installation, surface: Surface, owner: str, *, sandbox: bool = False) -> ApiKey:
    return ApiKey(*api_keys.create(tx, installation.keyring, api_keys.NewKey(surface, owner, sandbox), OPERATOR))
