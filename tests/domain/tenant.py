"""One tenant and its accounts, at the level of values: tests call actions and send no requests."""

import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock
from bedesten.catalogue.actions import ProductFields
from bedesten.catalogue.code import read_code
from bedesten.core.clock import HOUR, Clock, system_clock
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.ledger.actions import Balance
from bedesten.orders import actions as orders
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import Buyer, Line, NewLine, NewOrder
from bedesten.payments import actions as payments
from bedesten.payments import events
from bedesten.payments.events import NewEvent
from bedesten.payments.model import Deposit, Payment, ProviderEvent
from bedesten.server.installation import Installation, open_store
from bedesten.store.store import Store
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.checkout_limits import NO_LIMITS, CheckoutLimits
from bedesten.webhooks import actions as webhooks
from tests.support.stock_codes import add_codes

Args = ParamSpec("Args")
Result = TypeVar("Result")

CARD, TOPUP, TOPUP_COST = 500, 700, 300
"""Prices and cost in minor units."""
PASSWORD = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZQ", "d1")
"""The form of a hash; nobody logs in here."""
URL = "https://hooks.example.com/bedesten"
LONG_AGO = HOUR
"""How long ago a tenant was set up, in ms; `invariants.events` says why that matters."""

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """A text that no other test uses."""
    return f"{prefix}-{next(_numbers)}-{secrets.token_hex(4)}"


@dataclass
class Tenant:
    """A tenant with a partner (which has an endpoint), a customer, a supplier and a payment integration."""

    installation: Installation
    id: str
    partner: str
    customer: str
    supplier: str
    integration: str

    @property
    def store(self) -> Store:
        """The installation's store."""
        return self.installation.store

    def write(
        self, action: Callable[Concatenate[Transaction, Args], Result], *args: Args.args, **kwargs: Args.kwargs
    ) -> Result:
        """Runs a writing action in the tenant. Raises a returned refusal after COMMIT, as the pipeline does."""
        answered = self.store.write_now(lambda tx: action(tx.for_tenant(self.id), *args, **kwargs))
        if isinstance(answered, Refusal):
            raise answered
        return answered

    def read(
        self, action: Callable[Concatenate[Transaction, Args], Result], *args: Args.args, **kwargs: Args.kwargs
    ) -> Result:
        """Runs a reading action in the tenant."""
        return self.store.read_now(lambda tx: action(tx.for_tenant(self.id), *args, **kwargs))

    # --- goods ---

    def card(self, codes: int, price: int = CARD) -> str:
        """Creates a product that is sold from stock, with this many codes."""
        made = ProductFields(name="Card", currency="USD", sku=fresh("card"), price=price, accepted_cost=0)
        product = self.write(catalogue.put_product, made)
        if codes:
            self.upload(product, [fresh("CODE") for _ in range(codes)])
        return product

    def topup(self, price: int = TOPUP, cost: int | None = TOPUP_COST, fulfilment: str = "supplier") -> str:
        """Creates a product that the supplier delivers."""
        made = ProductFields(
            name="Top-up",
            currency="USD",
            sku=fresh("topup"),
            price=price,
            cost=cost,
            fulfilment=fulfilment,
            supplier_id=self.supplier,
            supplier_sku=fresh("their"),
        )
        return self.write(catalogue.put_product, made)

    def upload(self, product: str, codes: Sequence[str]) -> int:
        """Puts codes into stock; returns how many were new."""
        return self.write(add_codes, self.installation.cipher, product, codes).added

    def available(self, product: str) -> int:
        """Returns the product's stock level."""
        found = self.read(catalogue.product, product)
        assert found is not None
        return found.available

    def codes(self, line: str) -> list[str]:
        """Returns the codes that a line received."""
        return [one.code for one in self.read(stock.delivered_codes, self.installation.cipher, line)]

    # --- buyers ---

    @property
    def buyer(self) -> Buyer:
        """The partner."""
        return Buyer(self.partner, "partner", "reseller", "USD", "GLOBAL")

    @property
    def shopper(self) -> Buyer:
        """The customer."""
        return Buyer(self.customer, "customer", "storefront", "USD", "GLOBAL")

    def order(self, *wanted: tuple[str, int], reference: str = "", notify_url: str | None = None) -> PlacedOrder:
        """Places the partner's order of products in quantities."""
        return self.write(orders.place, self.buyer, request(*wanted, reference=reference, notify_url=notify_url))

    def checkout(
        self,
        *wanted: tuple[str, int],
        reference: str = "",
        minutes: int = 15,
        limits: CheckoutLimits = NO_LIMITS,
        buyer: Buyer | None = None,
    ) -> PlacedOrder:
        """Places a checkout of the customer or of another buyer."""
        return self.store.write_now(
            lambda tx: orders.reserve(
                tx.for_tenant(self.id),
                buyer or self.shopper,
                request(*wanted, reference=reference),
                tx.now + minutes * 60_000,
                limits,
            )
        )

    def line(self, line: str, buyer: str = "") -> Line:
        """Returns a line of the partner or another buyer as it is now."""
        return self.read(orders.line_of, buyer or self.partner, line)[1]

    # --- money ---

    def balance(self, owner: str = "", kind: str = "partner") -> Balance:
        """Returns the balance of the partner or another owner."""
        found = self.read(ledger.balance, owner or self.partner, kind, "USD")
        return found or Balance("", "USD", 0, 0, 0)

    def credit(self, limit: int) -> None:
        """Lets the partner's balance go this far below zero."""
        self.write(lambda tx: ledger.set_credit(tx, ledger.account(tx, self.partner, "partner", "USD"), limit))

    def deposit(self, amount: int) -> Deposit:
        """Books a confirmed deposit for the partner."""
        made = self.write(payments.create_deposit, self.integration, self.partner, fresh("dep"), "USD", amount)
        return self.write(payments.confirm_deposit, self.integration, made.id)

    def payment(self, placed: PlacedOrder) -> Payment:
        """Announces a payment of a checkout."""
        return self.write(payments.create_payment, self.integration, placed.order.id, fresh("pay"), placed.order.total)

    def capture(self, payment: Payment) -> Payment:
        """Captures the payment."""
        captured = self.write(payments.capture_payment, self.integration, payment.id)
        assert isinstance(captured, Payment)
        return captured

    def notify(self, kind: str, payment: Payment, name: str = "", **values: Any) -> ProviderEvent:
        """Applies the provider's event about a payment."""
        new = NewEvent(name or fresh("evt"), kind, 0, payment_id=payment.id, **values)
        return self.write(events.notify, self.integration, new)

    def deliver(self, line: str, codes: Sequence[str] = (), notes: Sequence[str] = ()) -> Line:
        """Delivers a line as the supplier."""
        cipher = self.installation.cipher
        sent = [read_code(code) for code in codes]
        return self.write(fulfilment.deliver, cipher, self.supplier, line, sent, notes).line


def request(*wanted: tuple[str, int], reference: str = "", notify_url: str | None = None) -> NewOrder:
    """A request for products in quantities; its lines are called 1, 2, …"""
    lines = tuple(NewLine(str(at), product, count) for at, (product, count) in enumerate(wanted, 1))
    return NewOrder(reference or fresh("order"), lines, notify_url)


def open_tenant(installation: Installation, credit: int = 0, clock: Clock = system_clock) -> Tenant:
    """Opens a fresh tenant whose accounts are an hour old."""
    name = f"tenant-{secrets.token_hex(8)}"
    past = open_store(installation.settings, lambda: clock() - LONG_AGO)
    try:
        new = tenants.NewTenant(name, [f"{name}.example.com"])
        tenant_id = str(past.write_now(lambda tx: tenants.create(tx, installation.cipher, new))["id"])

        def people(tx: Transaction) -> Tenant:
            made = [
                accounts.create(tx, kind, f"{kind}@example.com", kind.title(), password=PASSWORD)
                for kind in ("partner", "customer")
            ]
            partner, customer = (str(one) for one in made)
            webhooks.create_endpoint(tx, installation.cipher, partner, URL)
            supplier = accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme")
            api_keys.insert(tx, NewKey(Surface.SUPPLIER, supplier, sandbox=False), "ak_live_…")
            integration = accounts.find_or_create_owner(tx, Surface.PAYMENT, "Pay")
            return Tenant(installation, tenant_id, partner, customer, supplier, integration)

        tenant = past.write_now(lambda tx: people(tx.for_tenant(tenant_id)))
    finally:
        past.close()
    if credit:
        tenant.credit(credit)
    return tenant
