"""The shop of the documents' examples: everything that they name exists, with the ids that they show."""

import contextlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from decimal import Decimal
from unittest import mock

from bedesten.accounts import actions as accounts
from bedesten.accounts import links
from bedesten.accounts.links import Purpose
from bedesten.admin import payment_methods
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.catalogue.code import read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import NewComplaint
from bedesten.core.clock import DAY, system_clock
from bedesten.fulfilment import actions as fulfilment
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders import basket
from bedesten.orders.model import Buyer, NewLine, NewOrder, RequiredDatum
from bedesten.payments import actions as payments
from bedesten.payments import settlements, started
from bedesten.payments.settlements import Statement, StatementLine
from bedesten.store.store import Store
from bedesten.store.transaction import Transaction
from bedesten.surfaces import example_values
from bedesten.surfaces.complaints import SAID
from bedesten.surfaces.webhooks import TYPES as WEBHOOK_TYPES
from bedesten.surfaces.webhooks import URL as WEBHOOK_URL
from bedesten.tenants import brand, site
from bedesten.tenants.checkout_limits import NO_LIMITS
from bedesten.webhooks import actions as webhooks
from bedesten.webhooks import endpoints
from tests.store.raw import raw
from tests.support.operator_actions import Operator
from tests.support.shop import Shop
from tests.support.sites import Site

BOB = "bob@customer.example"
SITE = {
    "languages": "en,tr",
    "support-email": "help@shop.example",
    "terms-url": "https://shop.example/terms",
    "text.en.welcome": "Welcome to our shop.",
}
DEPOSITS = (example_values.DEPOSIT, example_values.OTHER_DEPOSIT)
HOST = "api.samples.example"
UNUSED = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZQ", "d1")
"""A well-formed hash with which nobody can log in."""


@contextlib.contextmanager
def named(store: Store, *wanted: str) -> Iterator[None]:
    """Makes the store's actions in the block use these ids for new objects, each kind in its order."""
    left = list(wanted)
    generate = store.ids.new

    def new(prefix: str) -> str:
        found = next((one for one in left if one.startswith(f"{prefix}_")), None)
        if found is None:
            return generate(prefix)
        left.remove(found)
        return found

    with mock.patch.object(store.ids, "new", new):
        yield
    assert left == [], "everything that was named was made"


def open_sample_shop(site: Site, operator: Operator) -> Shop:
    """Creates the shop. The partner's order waits for its second line, the customer's checkout for its payment."""
    shop = Shop(site, operator, operator.tenant("Samples", [HOST]), HOST)
    store = operator.installation.store
    with named(
        store,
        example_values.PARTNER,
        example_values.CUSTOMER,
        example_values.CARD,
        example_values.TOP_UP,
        example_values.CATEGORY,
    ):
        _people(shop)
        _goods(shop)
    with named(store, example_values.ORDER, example_values.CARD_LINE, example_values.TOP_UP_LINE):
        _order(shop)
    with named(store, example_values.OTHER_ORDER, example_values.CANCELLED_LINE):
        _order(shop, "PO-1002", cards=0)
    ids = (
        example_values.CHECKOUT,
        example_values.OTHER_CHECKOUT,
        example_values.CHECKOUT_LINE,
        example_values.OTHER_LINE,
        example_values.BASKET_LINE,
    )
    for surface, names in (
        (
            Surface.RESELLER,
            (example_values.ENDPOINT, example_values.EVENT, example_values.DELIVERY, example_values.PARTNER),
        ),
        (
            Surface.SUPPLIER,
            (
                example_values.SUPPLIER_ENDPOINT,
                example_values.SUPPLIER_EVENT,
                example_values.SUPPLIER_DELIVERY,
                example_values.KEY,
            ),
        ),
        (
            Surface.PAYMENT,
            (
                example_values.PAYMENT_ENDPOINT,
                example_values.PAYMENT_EVENT,
                example_values.PAYMENT_DELIVERY,
                example_values.KEY,
            ),
        ),
    ):
        with named(store, *names[:3]):
            _failed_webhook(shop, surface, names[3], names[2])
    with named(
        store, *ids, example_values.PAYMENT, example_values.OTHER_PAYMENT, example_values.STARTED_PAYMENT, *DEPOSITS
    ):
        operator.within(shop.id, lambda tx: _checkout(tx, shop))
    _complaints(shop)
    partner = operator.account(shop.id, "partner", "forgetful@partner.example")
    operator.within(shop.id, lambda tx: _links(tx, shop, partner))
    return shop


def _links(tx: Transaction, shop: Shop, partner: str) -> None:
    """Creates mail links: to verify the customer's address again, to change it, and to reset the passwords of another
    customer and another partner."""
    cipher = shop.operator.installation.cipher
    token, other = (
        urlsafe_b64decode(f"{one}=") for one in (example_values.LINK_TOKEN, example_values.PARTNER_LINK_TOKEN)
    )
    accounts.set_verified(tx, shop.customer, OPERATOR)
    links.create(tx, cipher, shop.customer, Purpose.VERIFY, lambda _: token)
    links.create(tx, cipher, shop.customer, Purpose.EMAIL, lambda _: token, address=example_values.CUSTOMER_EMAIL)
    links.create(tx, cipher, accounts.find(tx, "customer", BOB).id, Purpose.RESET, lambda _: token)
    links.create(tx, cipher, partner, Purpose.RESET, lambda _: other)


def _failed_webhook(shop: Shop, surface: Surface, line: str, delivery: str) -> None:
    """Creates an endpoint, and a delivery to it that has failed."""
    owner = {
        Surface.RESELLER: shop.partner,
        Surface.SUPPLIER: shop.supplier,
        Surface.PAYMENT: shop.integration,
    }[surface]
    cipher, chosen = shop.operator.installation.cipher, frozenset(WEBHOOK_TYPES[surface])

    def make(tx: Transaction) -> None:
        known = endpoints.create(tx, cipher, owner, WEBHOOK_URL, chosen, OPERATOR)[0]
        target = webhooks.Target(known.brief, WEBHOOK_URL, delay=DAY)
        webhooks.run_event_steps(
            tx, webhooks.stored_event_steps(tx, owner, WEBHOOK_TYPES[surface][0], line, {}, [target])
        )

    shop.operator.within(shop.id, make)
    with raw(shop.operator.installation.settings) as other:
        other.run("UPDATE deliveries SET state = 2 WHERE id = :id", id=delivery)
        other.run(
            "INSERT INTO delivery_attempts (id, tenant_id, delivery_id, at, http_status, error, duration_ms)"
            " VALUES (:id, :tenant, :delivery, :at, 503, 'not a 2xx answer', 41)",
            id=f"att_{surface.value}",
            tenant=shop.id,
            delivery=delivery,
            at=system_clock(),
        )


def _people(shop: Shop) -> None:
    operator = shop.operator
    hashed = operator.installation.hasher().hash(example_values.PASSWORD)

    def account(kind: str, email: str, name: str) -> str:
        def make(tx: Transaction, hashed: PasswordHash = hashed) -> str | None:
            return accounts.create(tx, kind, email, name, password=hashed)

        made = operator.within(shop.id, make)
        assert made is not None
        return made

    shop.partner = account("partner", example_values.PARTNER_EMAIL, "Partner Ltd")
    shop.customer = account("customer", example_values.CUSTOMER_EMAIL, "Ada")
    operator.credit(shop.id, shop.partner, 500_00)
    shop.supplier = operator.owner(shop.id, Surface.SUPPLIER, "Acme Codes")
    shop.integration = operator.owner(shop.id, Surface.PAYMENT, "Paywell")
    shop.partner_token = shop.token(Surface.RESELLER, shop.partner)
    shop.customer_token = shop.signed_in(shop.customer)
    shop.supplier_key = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    shop.payment_key = operator.key(shop.id, Surface.PAYMENT, shop.integration)


def _goods(shop: Shop) -> None:
    card, top_up = example_values.CARD_VIEW, example_values.TOP_UP_VIEW
    shop.card = shop.operator.product(
        shop.id,
        ProductFields(
            name=card.name, description=card.description, currency="USD", sku="card", price=_minor(card.price),
            cost=460, fulfilment=catalogue.STOCK_FIRST, supplier_id=shop.supplier, supplier_sku="card-5",
        ),
        [example_values.CODE, *(f"GIFT-{number:04}" for number in range(14))],
        category="Gift cards",
    )  # fmt: skip
    shop.topup = shop.operator.product(
        shop.id,
        ProductFields(
            name=top_up.name, description=top_up.description, currency="USD", sku="top-up",
            price=_minor(top_up.price), cost=600, fulfilment=catalogue.SUPPLIER, supplier_id=shop.supplier,
            supplier_sku="top-up", requirements=(Requirement(example_values.PLAYER, "Player"),),
        ),
        category="Gift cards",
    )  # fmt: skip


def _order(shop: Shop, reference: str = "PO-1001", cards: int = 1) -> None:
    buyer = Buyer(shop.partner, "partner", "reseller", "USD", "GLOBAL")
    player = RequiredDatum(example_values.PLAYER, "", "p-77")
    lines = (
        *(NewLine("1", example_values.CARD, 1, 550) for _ in range(cards)),
        NewLine(str(cards + 1), example_values.TOP_UP, 1, data=(player,)),
    )
    shop.operator.within(shop.id, lambda tx: orders.place(tx, buyer, NewOrder(reference, lines)))


def order_rejected(shop: Shop) -> None:
    """Adds a line that waits for the supplier, for the example that rejects it."""
    buyer = Buyer(shop.partner, "partner", "reseller", "USD", "GLOBAL")
    line = NewLine("1", example_values.TOP_UP, 1, data=(RequiredDatum(example_values.PLAYER, "", "p-78"),))
    with named(shop.operator.installation.store, example_values.REJECTED_LINE):
        shop.operator.within(shop.id, lambda tx: orders.place(tx, buyer, NewOrder("PO-2001", (line,))))


def _checkout(tx: Transaction, shop: Shop) -> None:
    buyer = Buyer(shop.customer, "customer", "storefront", "USD", "GLOBAL")
    for reference in ("basket-42", "basket-43"):
        order = NewOrder(reference, (NewLine("0", example_values.CARD, 1),))
        orders.reserve(tx, buyer, order, tx.now + 900_000, NO_LIMITS)
    card = NewLine("", example_values.CARD, 1)
    basket.add(tx, buyer, card, None)
    for reference in ("charge-5150", "charge-5151"):
        payments.create_payment(tx, shop.integration, example_values.CHECKOUT, reference, 500)
    site.change(tx, SITE)
    brand.set_brand(tx, "#85480a", None)
    method = ("USD", example_values.METHOD, "Credit card", shop.integration)
    payment_methods.add(tx, *method, bounds=(Decimal(1), Decimal(500)), url="https://pay.example/{payment}")
    started.start(tx, shop.customer, example_values.CHECKOUT, example_values.METHOD)
    for reference in ("transfer-8841", "transfer-8842"):
        payments.create_deposit(tx, shop.integration, shop.partner, reference, "USD", 100_00)


def _complaints(shop: Shop) -> None:
    """Pays and delivers the customer's order, and opens complaints of the customer and the partner."""
    store, within = shop.operator.installation.store, shop.operator.within
    cipher = shop.operator.installation.cipher
    other = within(shop.id, lambda tx: accounts.create(tx, "customer", BOB, "Bob", password=UNUSED))
    assert other is not None
    player = RequiredDatum(example_values.PLAYER, "", "p-78")

    def pay(tx: Transaction, customer: str, line: NewLine, reference: str) -> None:
        buyer = Buyer(customer, "customer", "storefront", "USD", "GLOBAL")
        placed = orders.reserve(tx, buyer, NewOrder(reference, (line,)), tx.now + 900_000, NO_LIMITS)
        made = payments.create_payment(tx, shop.integration, placed.order.id, reference, placed.order.total)
        payments.capture_payment(tx, shop.integration, made.id)

    def deliver(tx: Transaction) -> None:
        code = read_code(example_values.COMPLAINED_CODE)
        fulfilment.deliver(tx, cipher, shop.supplier, example_values.COMPLAINED_LINE, [code], [])

    def complain(owner: str, line: str, reason: str) -> None:
        said = NewComplaint(line, reason, None, SAID)
        within(shop.id, lambda tx: complaints.create(tx, cipher, owner, said, Actor(owner)))

    with named(store, example_values.PAID_ORDER, example_values.PAID_LINE, example_values.COMPLAINED_LINE):
        within(shop.id, lambda tx: pay(tx, shop.customer, NewLine("0", example_values.CARD, 1), "basket-41"))
        with named(store, example_values.REFUNDED_PAYMENT):
            top_up = NewLine("0", example_values.TOP_UP, 1, data=(player,))
            within(shop.id, lambda tx: pay(tx, other, top_up, "basket-1"))
    within(shop.id, lambda tx: _refunds(tx, shop, other))
    within(shop.id, deliver)
    with named(store, example_values.COMPLAINT, example_values.CUSTOMER_COMPLAINT, example_values.SUPPLIER_COMPLAINT):
        complain(shop.partner, example_values.CARD_LINE, "ALREADY_REDEEMED")
        complain(shop.customer, example_values.PAID_LINE, "ALREADY_REDEEMED")
        complain(other, example_values.COMPLAINED_LINE, "INVALID_CODE")


def _refunds(tx: Transaction, shop: Shop, customer: str) -> None:
    """Requests two refunds of the payment service, and reconciles a statement of its provider."""
    ledger.receive(tx, ledger.account(tx, customer, "customer", "USD"), 400, "sample:refunds")
    with named(shop.operator.installation.store, example_values.REFUND, example_values.OTHER_REFUND):
        for reference in ("refund-77", "refund-78"):
            payments.request_refund(
                tx, example_values.REFUNDED_PAYMENT, 200, reference, "wrong region", Actor("operator")
            )
    with named(shop.operator.installation.store, example_values.SETTLEMENT):
        lines = (StatementLine(2, "payment", "basket-41", 500), StatementLine(3, "payment", "charge-5152", 500))
        sent = Statement("2026-02.csv", b"s" * 32, "USD", 1, lines)
        settlements.reconcile(tx, shop.integration, sent, Actor("operator"))


def _minor(price: Decimal | None) -> int:
    assert price is not None, "what the samples show is on sale"
    return int(price * 100)
