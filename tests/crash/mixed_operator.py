"""The operator's actions on a shop beside the server, while sixteen clients trade and the server is killed."""

import contextlib
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from bedesten.admin import complaints, order_refunds, orders, payment_methods
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue.actions import ProductFields
from bedesten.complaints.model import REFUND, REJECT, REPLACE, Proposal
from bedesten.connectors import connections
from bedesten.connectors.connections import NewConnection
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders import statements as sql
from bedesten.orders.actions import lines_of
from bedesten.orders.refunds import refund_line
from bedesten.store.transaction import SystemTransaction, Transaction
from tests.support.shop import TOPUP_COST, Shop
from tests.support.supplier_double import ACCOUNT, CREDENTIAL, PRODUCT

METHOD = "card"


class MixedOperator:
    """The operator's actions, each in its own transaction. `done` counts those that were not refused."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.done: Counter[str] = Counter()

    def open_shop(self, supplier_url: str) -> str:
        """Offers a payment method and connects a supplier; returns the product that is bought from it."""
        shop, cipher = self._shop, self._shop.operator.installation.cipher
        called = shop.operator.owner(shop.id, Surface.SUPPLIER, "Called")
        fields = ProductFields(
            name="Called",
            currency="USD",
            sku="called",
            price=700,
            cost=TOPUP_COST,
            fulfilment="supplier",
            supplier_id=called,
            supplier_sku="s-called",
        )
        product = shop.operator.product(shop.id, fields)
        new = NewConnection("bamboo", supplier_url, ACCOUNT, Secret(CREDENTIAL))

        def act(tx: Transaction) -> None:
            payment_methods.add(tx, "USD", METHOD, "Card", shop.integration)
            connections.connect(tx, cipher, called, new, OPERATOR)
            connections.set_product_id(tx, called, product, PRODUCT, Decimal(5), OPERATOR)

        shop.operator.within(shop.id, act)
        return product

    def refund_to_balance(self, order_id: str, _: random.Random) -> None:
        """Refunds 1.00 of each line of an order to its customer's balance."""

        def act(tx: Transaction) -> None:
            order = tx.one(sql.ORDER_BY_ID, order_id=order_id)
            assert order is not None
            for line in lines_of(tx, order_id):
                refund_line(tx, order, line, 100, f"test:{tx.new_id('rfd')}", "goodwill", OPERATOR)

        self._try("refund to balance", act)

    def refund_to_payer(self, order_id: str, chance: random.Random) -> None:
        """Refunds an order and its payment in one step, in part or in full."""
        amount = chance.choice((None, 100, 250))
        self._try("refund to payer", lambda tx: order_refunds.refund_to_payer(tx, order_id, amount, "", "goodwill"))

    def decide(self, complaint: str, chance: random.Random) -> None:
        """Decides a complaint."""
        amount = chance.choice((None, 100)) if (answer := chance.choice((REPLACE, REFUND, REJECT))) == REFUND else None
        proposal, cipher = Proposal(answer, amount, "decided"), self._shop.operator.installation.cipher
        charge = chance.random() < 0.5
        self._try(f"complaint: {answer}", lambda tx: complaints.decide(tx, cipher, complaint, proposal, charge))

    def hold(self, order_id: str, _: random.Random) -> None:
        """Takes an order out of processing."""
        self._try("hold", lambda tx: orders.hold_order(tx, order_id, [], "review"))

    def release(self, order_id: str, _: random.Random) -> None:
        """Puts an order back into processing."""
        self._try("release", lambda tx: orders.release_order(tx, order_id, [], "reviewed"))

    def _try(self, name: str, work: Callable[[Transaction], object]) -> None:
        def act(tx: SystemTransaction) -> None:
            work(tx.for_tenant(self._shop.id))

        with contextlib.suppress(Refusal):
            self._shop.operator.across(act)
            self.done[name] += 1
