"""A throw-away installation and its cast, made as the operator's commands make them."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from bedesten.accounts import actions as accounts
from bedesten.admin import networks, owners, partners
from bedesten.admin.partners import NewPartner
from bedesten.apikeys import keys
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.core.secret import Secret
from bedesten.gate.passwords import Hashed
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import CrossTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant

DEMO, DEMO_HOSTS = "demo", ("localhost", "127.0.0.1", "[::1]")
SECOND, SECOND_HOST = "sandbox shop", "sandbox.localhost"
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
    initialise(settings)
    with operating(settings) as installation:
        password = secrets.token_urlsafe(18)
        hashed = installation.hasher().hash(password)

        def act(tx: CrossTransaction) -> Cast:
            networks.change(tx, add=["127.0.0.0/8"])
            return _cast(tx, installation, webhook_url, password, hashed)

        return installation.store.write_now(act)


@contextlib.contextmanager
def operating(settings: Settings) -> Iterator[Installation]:
    """The opened installation, as every command of the operator has it beside a running server."""
    installation = open_installation(settings)
    try:
        yield installation
    finally:
        installation.store.close()


def fresh_credentials(settings: Settings, cast: Cast) -> ApiKey:
    """Gives the partner all scopes again and the supplier a new API key, which is answered."""

    def act(tx: CrossTransaction) -> ApiKey:
        bound = tx.bound(cast.tenant)
        accounts.set_scopes(bound, partners.find(bound, cast.partner.email), None)
        return _key(bound, installation, Surface.SUPPLIER, cast.supplier_id)

    with operating(settings) as installation:
        return installation.store.write_now(act)


def _cast(tx: CrossTransaction, installation: Installation, webhook_url: str, password: str, hashed: Hashed) -> Cast:
    tenant = str(tenants.create(tx, installation.vault, NewTenant(DEMO, DEMO_HOSTS))["id"])
    sandbox = NewTenant(SECOND, [SECOND_HOST], currency="EUR", sandbox=True)
    second = str(tenants.create(tx, installation.vault, sandbox)["id"])
    bound, elsewhere = tx.bound(tenant), tx.bound(second)
    new = NewPartner("partner@demo.example", hashed, "Corner Shop", webhook=webhook_url)
    partner = partners.create(bound, installation.vault, "USD", new)
    partners.create(elsewhere, installation.vault, "EUR", replace(new, webhook=None, credit=Decimal(1000)))
    supplier = owners.create(bound, Surface.SUPPLIER, "Anatolia Codes").id
    till = owners.create(bound, Surface.PAYMENT, "Till").id
    _fill(bound, installation, supplier)
    return Cast(
        tenant=tenant,
        second=second,
        partner=Account(partner.id, partner.email, Secret(password)),
        webhook_secret=partner.webhook_secret,
        webhook_key=partner.webhook_key,
        payment=_key(bound, installation, Surface.PAYMENT, till),
        supplier_id=supplier,
        supplier=_key(bound, installation, Surface.SUPPLIER, supplier),
        second_supplier=_fill_second(elsewhere, installation),
    )


def _fill(tx: Transaction, installation: Installation, supplier: str) -> None:
    gift_card = ProductFields(
        name=GIFT_CARD,
        description="25 USD, from stock: the code is there at once.",
        currency="USD",
        sku="LANTERN-25",
        category_id=catalogue.category(tx, "Gift cards"),
        price=GIFT_CARD_PRICE,
        supplier_id=supplier,
        supplier_sku="L-25",
    )
    _put_in(tx, installation, catalogue.put_product(tx, gift_card), _codes("LNTN", CODES_IN_STOCK))
    esim = ProductFields(
        name=ESIM,
        description="For one device, made by the supplier on demand.",
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
    supplier = owners.create(tx, Surface.SUPPLIER, "Anatolia Codes").id
    ticket = ProductFields(
        name="Museum Ticket",
        currency="EUR",
        sku="MUSEUM-1",
        category_id=catalogue.category(tx, "Tickets"),
        price=900,
        supplier_id=supplier,
        supplier_sku="M-1",
    )
    _put_in(tx, installation, catalogue.put_product(tx, ticket), _codes("MUSE", 20))
    return _key(tx, installation, Surface.SUPPLIER, supplier, sandbox=True)


def _put_in(tx: Transaction, installation: Installation, product: str, codes: list[str]) -> None:
    source = Source("demo", OPERATOR.name)
    batches.add(tx, installation.vault, product, [read_code(code) for code in codes], source)


def _codes(prefix: str, count: int) -> list[str]:
    digits = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    groups = ("".join(secrets.choice(digits) for _ in range(4)) for _ in range(3 * count))
    return [f"{prefix}-{'-'.join(three)}" for three in zip(groups, groups, groups, strict=True)]


def _key(tx: Transaction, installation: Installation, surface: Surface, owner: str, *, sandbox: bool = False) -> ApiKey:
    return ApiKey(*keys.create(tx, installation.keyring, keys.NewKey(surface, owner, sandbox), OPERATOR))
