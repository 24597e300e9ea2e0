"""A complete shop: one tenant, the callers of its four surfaces, their credentials, and goods to order."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.gate.scopes import Surface
from tests.support.client import Client, Lines, api_key, bearer
from tests.support.operator_actions import Key, Operator
from tests.support.sites import Site

CREDIT = 100_000_00
CARD_PRICE, TOPUP_PRICE, TOPUP_COST = "5.00", "7.25", 300
STOCK = 400

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


@dataclass
class Shop:
    """One tenant. Tokens are minted as a login mints them, with every scope, and live for an hour.

    `card` is sold from stock at 5.00, `topup` is delivered by the supplier at 7.25 and asks for a player id.
    """

    site: Site
    operator: Operator
    id: str
    host: str
    partner: str = ""
    customer: str = ""
    supplier: str = ""
    integration: str = ""
    partner_token: str = ""
    customer_token: str = ""
    customer_session: str | None = None
    supplier_key: Key = field(default_factory=lambda: Key("", ""))
    payment_key: Key = field(default_factory=lambda: Key("", ""))
    category: str = "Cards"
    card: str = ""
    topup: str = ""

    @property
    def partner_email(self) -> str:
        """The partner's address."""
        return f"partner@{self.host}"

    @property
    def customer_email(self) -> str:
        """The customer's address."""
        return f"customer@{self.host}"

    def token(self, surface: Surface, account: str, scopes: Iterable[str] | None = None) -> str:
        """A fresh token of an account of this shop. The shop's own customer has one session, which can be refreshed."""
        session = self.customer_session if account == self.customer else None
        return self.operator.mint(self.operator.claims(self.id, surface, account, scopes=scopes, session=session))

    def signed_in(self, customer: str, session: str | None = None) -> str:
        """A fresh token of a customer of this shop, of a session that can be refreshed."""
        claims = self.operator.claims(self.id, Surface.STOREFRONT, customer, session=session)
        if customer == self.customer and session is None:
            self.customer_session = claims.session_id
        return self.operator.signed_in(claims)

    def lines(self, surface: Surface) -> Lines:
        """The header with the shop's good credential for the surface."""
        match surface:
            case Surface.RESELLER:
                return bearer(self.partner_token)
            case Surface.STOREFRONT:
                return bearer(self.customer_token)
            case Surface.PAYMENT:
                return api_key(self.payment_key.text)
            case Surface.SUPPLIER:
                return api_key(self.supplier_key.text)

    def client(self, surface: Surface | None = None, lines: Lines = (), source: str | None = None) -> Client:
        """A client of this shop, with the good credential of the surface if one is named."""
        return self.site.client(self.host, [*(self.lines(surface) if surface else ()), *lines], source)

    @property
    def reseller(self) -> Client:
        """The partner's client."""
        return self.client(Surface.RESELLER)

    @property
    def storefront(self) -> Client:
        """The customer's client."""
        return self.client(Surface.STOREFRONT)

    @property
    def payments(self) -> Client:
        """The payment service's client."""
        return self.client(Surface.PAYMENT)

    @property
    def supplies(self) -> Client:
        """The supplier's client."""
        return self.client(Surface.SUPPLIER)

    # --- goods ---

    def regional(self, region: str) -> str:
        """Creates a product that is sold in one region only, for 1.00, with some stock."""
        name = fresh("regional")
        fields = ProductFields(name=name, currency="USD", sku=name, price=100, region=region)
        return self.operator.product(self.id, fields, [f"{name}-{number}" for number in range(5)])

    def sister(self, name: str, currency: str) -> "Shop":
        """Opens a shop on the same site with another currency and without products."""
        return _staffed(self.site, self.operator, name, currency)

    def order(self, product: str | None = None, quantity: int = 1, reference: str | None = None) -> dict[str, object]:
        """The body of an order of one line."""
        chosen = product or self.card
        return {"orderReference": reference or fresh("order"), "basketData": [line(chosen, quantity, topup=self.topup)]}


def line(product: str, quantity: int = 1, deliver_id: str = "1", topup: str = "") -> dict[str, object]:
    """A line of an order."""
    made: dict[str, object] = {"deliverId": deliver_id, "customerStoreProductId": product, "quantity": quantity}
    if product == topup:
        made["requireData"] = [{"productRequireId": "player", "identifier": "Player", "value": "p-77"}]
    return made


def _staffed(site: Site, operator: Operator, name: str, currency: str) -> Shop:
    host = f"api.{name}.example"
    shop = Shop(site, operator, operator.tenant(name, [host], currency), host)
    shop.partner = operator.account(shop.id, "partner", shop.partner_email)
    operator.credit(shop.id, shop.partner, CREDIT, currency)
    shop.customer = operator.account(shop.id, "customer", shop.customer_email)
    shop.supplier = operator.owner(shop.id, Surface.SUPPLIER, "Acme Codes")
    shop.integration = operator.owner(shop.id, Surface.PAYMENT, "Paywell")
    shop.supplier_key = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    shop.payment_key = operator.key(shop.id, Surface.PAYMENT, shop.integration)
    shop.partner_token = shop.token(Surface.RESELLER, shop.partner)
    shop.customer_token = shop.signed_in(shop.customer)
    return shop


def open_shop(site: Site, operator: Operator, name: str, stock: int = STOCK) -> Shop:
    """Creates a tenant of this name at `api.NAME.example`, with one of everything and `stock` codes of the card."""
    shop = _staffed(site, operator, name, "USD")
    card = ProductFields(
        name="Card 5", currency="USD", sku="card", price=500, supplier_id=shop.supplier, supplier_sku="s-card"
    )
    codes = [f"{name.upper()}-CARD-{number:04}" for number in range(stock)]
    shop.card = operator.product(shop.id, card, codes, category=shop.category)
    shop.topup = operator.product(shop.id, topup_fields("topup", shop.supplier), category=shop.category)
    return shop


def topup_fields(sku: str, supplier: str) -> ProductFields:
    """A top-up that this supplier delivers."""
    return ProductFields(
        name="Top-up",
        currency="USD",
        sku=sku,
        price=725,
        cost=TOPUP_COST,
        fulfilment="supplier",
        supplier_id=supplier,
        supplier_sku=f"s-{sku}",
        requirements=(Requirement("player", "Player"),),
    )
