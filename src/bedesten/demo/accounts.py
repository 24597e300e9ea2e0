"""Creates two shops and everyone who takes part in the demo, with the commands of the operator."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

SHOP, SHOP_HOSTS = "demo", ("localhost", "127.0.0.1", "[::1]")
SANDBOX, SANDBOX_HOST = "sandbox shop", "sandbox.localhost"
PARTNER, SUPPLIER_NAME, BACK_OFFICE = "partner@demo.example", "Anatolia Codes", "Back office"
GIFT_CARD, ESIM, TICKET, DEVICE = "Lantern Gift Card 25", "Silk Road eSIM 5 GB", "Museum Ticket", "eid"
PRODUCTS = f"""\
sku,name,category,price,description,fulfilment,supplier,supplierSku,cost,requireData
LANTERN-25,{GIFT_CARD},Gift cards,24.00,"25 USD, from stock: delivered at once.",stock,{SUPPLIER_NAME},A-LANTERN-25,,
SILK-5GB,{ESIM},eSIMs,13.50,Delivered by the supplier on demand.,supplier,{SUPPLIER_NAME},A-SILK-5GB,11,{DEVICE}:EID
"""
SANDBOX_PRODUCTS = f"""\
sku,name,category,price,fulfilment,supplier,supplierSku
MUSEUM-1,{TICKET},Tickets,9.00,stock,{SUPPLIER_NAME},A-MUSEUM-1
"""
Operate = Callable[..., dict[str, str]]
"""Runs a command of the operator, with a text as `stdin`, and returns what it prints with `--json`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Accounts:
    """The credentials of everyone who takes part. The operator revokes an API key by its id."""

    partner_password: str
    webhook_secret: str
    webhook_key: str
    payment_key: str
    supplier_key: str
    supplier_key_id: str
    sandbox_supplier_key: str


def create(operate: Operate, webhook_url: str) -> Accounts:
    """Create the shops, their products, and an account or an API key for each surface."""
    password = secrets.token_urlsafe(18)
    shop, sandbox = ("--tenant", SHOP), ("--tenant", SANDBOX)
    partner = ("partners", "create", "--email", PARTNER, "--name", "Corner Shop", "--password-stdin")
    supplier_key = ("keys", "create", "--surface", "supplier", "--owner", SUPPLIER_NAME)

    operate("tenants", "create", SHOP, *(word for host in SHOP_HOSTS for word in ("--host", host)))
    operate("products", "import", "-", *shop, stdin=PRODUCTS)
    paying = operate("keys", "create", "--surface", "payment", "--owner", BACK_OFFICE, "--create-owner", *shop)
    operate("payments", "methods", "add", "card", "--title", "Credit card", "--integration", BACK_OFFICE, *shop)
    supplier = operate(*supplier_key, *shop)
    operate("webhooks", "allow", "127.0.0.0/8")
    buyer = operate(*partner, "--webhook", webhook_url, *shop, stdin=password)

    operate("tenants", "create", SANDBOX, "--host", SANDBOX_HOST, "--sandbox", "--currency", "EUR")
    operate("products", "import", "-", *sandbox, stdin=SANDBOX_PRODUCTS)
    sandbox_supplier = operate(*supplier_key, *sandbox)
    operate(*partner, "--credit", "1000", *sandbox, stdin=password)
    return Accounts(
        partner_password=password,
        webhook_secret=buyer["webhookSecret"],
        webhook_key=buyer["webhookKey"],
        payment_key=paying["key"],
        supplier_key=supplier["key"],
        supplier_key_id=supplier["id"],
        sandbox_supplier_key=sandbox_supplier["key"],
    )
