"""A throw-away installation and its cast, made as the operator's commands make them."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from bedesten.accounts import actions as accounts
from bedesten.accounts import keys
from bedesten.audit.actions import OPERATOR
from bedesten.base.secret import Secret
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.ledger import actions as ledger
from bedesten.server import build
from bedesten.server.build import Installation
from bedesten.server.settings import Settings
from bedesten.store.tables import SET_NETWORKS
from bedesten.store.transaction import CrossTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant
from bedesten.webhooks import actions as webhooks

DEMO, DEMO_HOSTS = "demo", ("localhost", "127.0.0.1", "[::1]")
SECOND, SECOND_HOST = "second shop", "second.example"
GIFT_CARD, GIFT_CARD_PRICE = "Lantern Gift Card 25", 2400
ESIM, ESIM_PRICE = "Silk Road eSIM 5 GB", 1350
REQUIRED = "eid"
CODES_IN_STOCK = 400


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who logs in."""

    id: str
    email: str
    password: Secret[str]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: its public id, by which it is revoked, and the key itself."""

    id: str
    key: Secret[str]


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody who takes part, and what each of them was given."""

    tenant: str
    second: str
    partner: Account
    webhook_secret: Secret[str]
    webhook_key: Secret[str]
    payment: ApiKey
    supplier_id: str
    supplier: ApiKey
    second_supplier: ApiKey


def make(settings: Settings, webhook_url: str) -> Cast:
    """Makes the installation in the (empty) data directory of the settings."""
    build.initialise(settings)
    with operating(settings) as installation:
        password = secrets.token_urlsafe(18)
        hashed = installation.hasher().hash(password)

        def act(tx: CrossTransaction) -> Cast:
            tx.run(SET_NETWORKS, networks="127.0.0.0/8")
            return _cast(tx, installation, webhook_url, password, hashed)

        return installation.store.write_now(act)


@contextlib.contextmanager
def operating(settings: Settings) -> Iterator[Installation]:
    """The opened installation, as every command of the operator has it beside a running server."""
    installation = build.open_installation(settings)
    try:
        yield installation
    finally:
        installation.store.close()


def revoke_key(settings: Settings, tenant: str, key_id: str) -> None:
    """What `bedesten keys revoke` does."""
    with operating(settings) as installation:
        installation.store.write_now(lambda tx: keys.revoke(tx.bound(tenant), key_id, OPERATOR))


def take_scope(settings: Settings, tenant: str, email: str, scope: str) -> None:
    """What `bedesten partners scopes --scope …` does, with every scope but one."""
    _set_scopes(settings, tenant, email, SCOPES[Surface.RESELLER] - {scope})


def fresh_credentials(settings: Settings, cast: Cast) -> ApiKey:
    """Gives the partner all scopes again and the supplier a new API key, which is answered."""
    _set_scopes(settings, cast.tenant, cast.partner.email, None)
    with operating(settings) as installation:
        return installation.store.write_now(
            lambda tx: _key(tx.bound(cast.tenant), installation, Surface.SUPPLIER, cast.supplier_id)
        )


def _set_scopes(settings: Settings, tenant: str, email: str, scopes: frozenset[str] | None) -> None:
    def act(tx: CrossTransaction) -> None:
        bound = tx.bound(tenant)
        accounts.set_scopes(bound, accounts.find(bound, "partner", email), scopes)

    with operating(settings) as installation:
        installation.store.write_now(act)


def _cast(tx: CrossTransaction, installation: Installation, webhook_url: str, password: str, hashed: str) -> Cast:
    tenant = str(tenants.create(tx, installation.vault, NewTenant(DEMO, DEMO_HOSTS))["id"])
    second = str(tenants.create(tx, installation.vault, NewTenant(SECOND, [SECOND_HOST], currency="EUR"))["id"])
    bound, elsewhere = tx.bound(tenant), tx.bound(second)
    email = "partner@demo.example"
    partner = accounts.create(bound, "partner", email, "Corner Shop Ltd", password=hashed)
    assert partner is not None, "the installation is fresh"
    ledger.account(bound, partner, "partner", "USD")
    webhook_secret, webhook_key = webhooks.create_endpoint(bound, installation.vault, partner, webhook_url)
    supplier = accounts.owner(bound, Surface.SUPPLIER, "Anatolia Codes")
    _fill(bound, installation, supplier)
    return Cast(
        tenant=tenant,
        second=second,
        partner=Account(partner, email, Secret(password)),
        webhook_secret=webhook_secret,
        webhook_key=webhook_key,
        payment=_key(bound, installation, Surface.PAYMENT, accounts.owner(bound, Surface.PAYMENT, "Till")),
        supplier_id=supplier,
        supplier=_key(bound, installation, Surface.SUPPLIER, supplier),
        second_supplier=_fill_second(elsewhere, installation),
    )


def _fill(tx: Transaction, installation: Installation, supplier: str) -> None:
    gift_card = ProductFields(
        name=GIFT_CARD,
        description="A gift card over 25 USD, from stock: the code is there at once.",
        currency="USD",
        sku="LANTERN-25",
        category_id=catalogue.category(tx, "Gift cards"),
        price=GIFT_CARD_PRICE,
        supplier_id=supplier,
        supplier_sku="L-25",
    )
    stock.upload(tx, installation.vault, catalogue.put_product(tx, gift_card), _codes("LNTN", CODES_IN_STOCK))
    esim = ProductFields(
        name=ESIM,
        description="An eSIM for one device, made by the supplier when it is ordered.",
        currency="USD",
        sku="SILK-5GB",
        category_id=catalogue.category(tx, "eSIMs"),
        price=ESIM_PRICE,
        cost=1100,
        fulfilment=catalogue.SUPPLIER,
        supplier_id=supplier,
        supplier_sku="S-5",
        requirements=(Requirement(REQUIRED, "EID of the device"),),
    )
    catalogue.put_product(tx, esim)


def _fill_second(tx: Transaction, installation: Installation) -> ApiKey:
    supplier = accounts.owner(tx, Surface.SUPPLIER, "Anatolia Codes")
    ticket = ProductFields(
        name="Museum Ticket",
        currency="EUR",
        sku="MUSEUM-1",
        category_id=catalogue.category(tx, "Tickets"),
        price=900,
        supplier_id=supplier,
        supplier_sku="M-1",
    )
    stock.upload(tx, installation.vault, catalogue.put_product(tx, ticket), _codes("MUSE", 20))
    return _key(tx, installation, Surface.SUPPLIER, supplier)


def _codes(prefix: str, count: int) -> list[str]:
    digits = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    groups = ("".join(secrets.choice(digits) for _ in range(4)) for _ in range(3 * count))
    return [f"{prefix}-{'-'.join(three)}" for three in zip(groups, groups, groups, strict=True)]


def _key(tx: Transaction, installation: Installation, surface: Surface, owner: str) -> ApiKey:
    return ApiKey(*keys.create(tx, installation.keyring, keys.NewKey(surface, owner, sandbox=False), OPERATOR))
