"""The fake shop and the real server answer the same calls alike: the same shape, numbers and states.

Ids and times are compared as present or absent; everything else by value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from bedesten.accounts import actions as accounts
from bedesten.accounts.links import Purpose
from bedesten.admin import payment_methods
from bedesten.audit.actions import OPERATOR
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import Proposal
from bedesten.gate.scopes import Surface
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.store.transaction import Transaction
from bedesten_client import (
    ApiError,
    BasketLine,
    CheckoutItem,
    PaymentClient,
    RequireData,
    ResellerClient,
    Secret,
    StorefrontClient,
    SupplierClient,
)
from bedesten_client.schemas import Schema
from bedesten_client.testing import FakeShop
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh, open_shop

PLAYER = (RequireData(product_require_id="player", value="p-77", identifier="Player"),)
NEW_PASSWORD = "twelve herons in the reeds"
PAY_AT = "https://pay.example/{payment}?for={order}"
HOOK = "https://hooks.partner.example/in"
SHOWN_IDS = ("order_reference", "reference")
HIDDEN = ("balance", "opening_balance", "product_name", "duration_ms", "note", "redirect_url")
"""Members that differ between the shops: the real partner buys on credit, and product names differ.
The address of a payment contains ids; `started_payments` checks it."""


@dataclass
class Side:
    """One of the two shops, with the actions of its operator and its customer."""

    partner: ResellerClient
    supplier: SupplierClient
    service: PaymentClient
    customer: StorefrontClient
    card: str
    topup: str
    partner_id: str
    decide: Callable[[str, str, Decimal | None], None]
    check_out: Callable[[], str]
    cancel_checkout: Callable[[str], None]
    refund_checkout: Callable[[str, int], None]
    mailed_token: Callable[[str], str]
    partner_link: Callable[[], str]
    offer: Callable[[str, int | None], None]

    def order(self, reference: str, product: str, quantity: int) -> Any:
        """Places a one-line order of the partner; returns the line."""
        data = PLAYER if product == self.topup else ()
        placed = self.partner.create_order(reference, [BasketLine("1", product, quantity, require_data=data)])
        return placed.details[0]


@pytest.fixture
def fake() -> Iterator[Side]:
    """The fake shop."""
    with (
        FakeShop() as shop,
        ResellerClient(shop.url, email=shop.email, password=shop.password) as partner,
        SupplierClient(shop.url, key=shop.key) as supplier,
        PaymentClient(shop.url, key=shop.key) as service,
        StorefrontClient(shop.url, email=shop.email, password=shop.password) as customer,
    ):

        def partner_link() -> str:
            shop.start_partner_reset()
            return shop.mails[-1].token

        yield Side(
            partner,
            supplier,
            service,
            customer,
            shop.add_product("Card 5", "5.00", codes=[]),
            shop.add_product("Top-up", "7.25", require_data=["player"], cost="3.00"),
            "par_00000001",
            lambda complaint, answer, amount: shop.decide_complaint(complaint, answer, amount=amount),
            lambda: shop.add_checkout("5.00"),
            shop.cancel_checkout,
            lambda _, amount: shop.refund_checkout(amount),
            lambda kind: next(one.token for one in reversed(shop.mails) if one.kind == kind),
            partner_link,
            lambda code, most: shop.add_payment_method(code, maximum=most, url=PAY_AT),
        )


@pytest.fixture
def real(shop: Shop, http: httpx2.Client) -> Side:
    """A fresh shop of the real server."""
    own = open_shop(shop.site, shop.operator, fresh("contract"), stock=0)
    names = iter(range(100))

    def check_out() -> str:
        own.supplies.data("/Supplier/Stock/Upload", {"productId": own.card, "codes": [fresh("PAID")]})
        wanted = {"items": [{"productId": own.card, "quantity": 1}], "reference": f"c-{next(names)}"}
        return str(own.storefront.data("/Storefront/Checkout/Create", wanted)["orderId"])

    def decide(complaint: str, answer: str, amount: Decimal | None) -> None:
        minor = None if amount is None else int(amount * 100)

        def act(tx: Transaction) -> None:
            one, cipher = complaints.complaint_of(tx, complaint), own.operator.installation.cipher
            assert decisions.decide(tx, cipher, one, Proposal(answer, minor, ""), OPERATOR, charge=True)

        own.operator.within(own.id, act)

    def refund(order_id: str, amount: int) -> None:
        def act(tx: Transaction) -> None:
            order, (line,) = orders.order_of(tx, own.customer, order_id), orders.lines_of(tx, order_id)
            refunds.refund_line(tx, order, line, 100 * amount, fresh("refund"), "x", OPERATOR)

        own.operator.within(own.id, act)

    def offer(code: str, most: int | None) -> None:
        bounds = (None, None if most is None else Decimal(most))

        def act(tx: Transaction) -> None:
            owner = accounts.find(tx, accounts.OWNERS[Surface.PAYMENT], own.integration)
            payment_methods.add(tx, "USD", code, code, owner.id, bounds=bounds, url=PAY_AT)

        own.operator.within(own.id, act)

    return Side(
        ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http),
        SupplierClient(own.host, key=own.supplier_key.text, http=http),
        PaymentClient(own.host, key=own.payment_key.text, http=http),
        StorefrontClient(own.host, email=own.customer_email, password=PASSWORD, http=http),
        own.card,
        own.topup,
        own.partner,
        decide,
        check_out,
        lambda order: own.storefront.data("/Storefront/Checkout/Cancel", {"orderId": order}),
        refund,
        lambda kind: own.operator.link(own.id, own.customer, Purpose[kind.upper()]),
        lambda: own.operator.link(own.id, own.partner, Purpose.RESET),
        offer,
    )


def shape(value: object, name: str = "") -> object:
    """A result without the values that necessarily differ between two shops."""
    if isinstance(value, Schema):
        return {one: shape(getattr(value, one), one) for one in value.__struct_fields__ if one not in HIDDEN}
    if isinstance(value, tuple | list):
        return [shape(one, name) for one in value]
    if value is None or name in SHOWN_IDS:
        return "own id" if str(value).startswith(("pay_", "chk_")) else value
    if isinstance(value, datetime | Secret) or name.endswith(("_id", "_ids", "cursor")):
        return type(value).__name__
    return value


def attempt(call: Callable[..., object], *arguments: object, **options: object) -> object:
    """The shape of the result, or number and status of a refusal."""
    try:
        return shape(call(*arguments, **options))
    except ApiError as refused:
        return refused.code, refused.status


def stock_and_queue(side: Side) -> list[object]:
    """A supplier's stock and its queue of order lines."""
    supplier = side.supplier
    outcome = [
        attempt(supplier.upload_stock, side.card, ["A-0001", "A-0002", "A-0003", "A-0001"]),
        attempt(supplier.upload_stock, side.card, ["A-0002", "A-0004"]),
        attempt(supplier.upload_stock, side.topup, ["T-0001"]),
        attempt(supplier.upload_stock, "prd_nothing", ["N-0001"]),
    ]
    side.order("s-1", side.card, 2)
    batch = supplier.list_stock().items[1].batch_id
    outcome += [
        attempt(supplier.list_stock),
        attempt(supplier.withdraw_stock, "faulty", codes=["A-0001", "A-0003", "nothing"]),
        attempt(supplier.withdraw_stock, "faulty", codes=["A-0003"]),
        attempt(supplier.withdraw_stock, "faulty", batch_id=batch),
        attempt(supplier.list_stock, product_id=side.card),
        attempt(supplier.withdraw_stock, "faulty", batch_id="bat_nothing"),
    ]
    line = side.order("s-2", side.topup, 3).order_detail_id
    outcome += [
        attempt(supplier.list_awaiting),
        attempt(supplier.accept, line),
        attempt(supplier.accept, line),
        attempt(supplier.accept, line, promised_by=datetime.now(UTC) + timedelta(minutes=5)),
        attempt(supplier.deliver, line, ["D-0001"]),
        attempt(supplier.deliver, line, ["D-0001"]),
        attempt(side.partner.order_detail, line),
        attempt(supplier.deliver, line, ["D-0002", "D-0003", "D-0004"]),
        attempt(supplier.deliver, line, notes=["all of it"]),
        attempt(supplier.deliver, line, ["D-0002", "D-0003"]),
        attempt(supplier.deliver, line, ["D-0009"]),
        attempt(supplier.accept, line),
        attempt(supplier.deliver, "odl_nothing", ["D-0010"]),
    ]
    part = side.order("s-3", side.topup, 2).order_detail_id
    outcome += [
        attempt(supplier.deliver, part, ["P-0001"]),
        attempt(supplier.reject, part, "none left"),
        attempt(supplier.reject, part, "none left"),
        attempt(supplier.deliver, part, ["P-0002"]),
        attempt(supplier.deliver, part, notes=["late"]),
        attempt(side.partner.order_detail, part),
        attempt(supplier.list_awaiting),
        attempt(supplier.list_transfers),
        attempt(side.partner.list_transfers),
        attempt(side.partner.list_transfers, page_size=1),
    ]
    return outcome


def complaints_of_a_line(side: Side) -> list[object]:
    """Complaints, their answers and the resulting transfers."""
    partner, supplier = side.partner, side.supplier
    line = side.order("k-1", side.topup, 3).order_detail_id
    outcome = [attempt(partner.create_complaint, line, "INVALID_CODE", code="K-0001")]
    supplier.deliver(line, ["K-0001", "K-0002", "K-0003"])
    first = partner.create_complaint(line, "INVALID_CODE", code="K-0001", text="It does not work").complaint_id
    second = partner.create_complaint(line, "WRONG_VALUE", code="K-0002").complaint_id
    third = partner.create_complaint(line, "WRONG_VALUE", code="K-0003").complaint_id
    outcome += [
        attempt(partner.create_complaint, line, "INVALID_CODE", code="K-0001", text="It does not work"),
        attempt(partner.create_complaint, line, "ALREADY_REDEEMED", code="K-0001"),
        attempt(partner.create_complaint, line, "INVALID_CODE"),
        attempt(partner.create_complaint, line, "INVALID_CODE", code="nothing"),
        attempt(partner.create_complaint, line, "BAD", code="K-0003"),
        attempt(partner.create_complaint, "odl_nothing", "INVALID_CODE"),
        attempt(partner.list_complaints),
        attempt(supplier.list_complaints, state="open"),
        attempt(supplier.get_complaint, first),
        attempt(supplier.answer_complaint, first, "refund", amount=Decimal("7.26")),
        attempt(supplier.answer_complaint, first, "refund", amount=Decimal("2.00")),
        attempt(supplier.answer_complaint, second, "reject"),
        attempt(supplier.answer_complaint, second, "reject", text="It was never used"),
        attempt(partner.withdraw_complaint, third),
        attempt(partner.withdraw_complaint, third),
    ]
    side.decide(first, "refund", Decimal("2.00"))
    side.decide(second, "reject", None)
    outcome += [
        attempt(partner.get_complaint, first),
        attempt(partner.get_complaint, second),
        attempt(partner.withdraw_complaint, first),
        attempt(supplier.answer_complaint, second, "replace"),
        attempt(partner.create_complaint, line, "OTHER", code="K-0002", text="Look again"),
        attempt(partner.create_complaint, line, "OTHER", code="K-0001", text="Look again"),
        attempt(partner.order_detail, line),
        attempt(partner.list_complaints, state="open"),
        attempt(partner.get_complaint, "cmp_nothing"),
        attempt(supplier.list_complaints),
        attempt(supplier.list_transfers),
        attempt(partner.list_transfers),
    ]
    return outcome


def replaced_unit(side: Side) -> list[object]:
    """The replacement of a stock code by another one."""
    side.supplier.upload_stock(side.card, ["R-0001", "R-0002"])
    line = side.order("r-1", side.card, 1).order_detail_id
    complaint = side.partner.create_complaint(line, "ALREADY_REDEEMED").complaint_id
    side.decide(complaint, "replace", None)
    return [
        attempt(side.partner.get_complaint, complaint),
        attempt(side.partner.order_detail, line),
        attempt(side.partner.create_complaint, line, "INVALID_CODE", code="R-0001"),
        attempt(side.supplier.list_stock),
    ]


def endpoints(side: Side) -> list[object]:
    """Webhook endpoints of the partner."""
    partner = side.partner
    outcome = [
        attempt(partner.list_endpoints),
        attempt(partner.create_endpoint, "ftp://hooks.example.com"),
        attempt(partner.create_endpoint, HOOK, event_types=["nothing"]),
        attempt(partner.create_endpoint, HOOK, event_types=["order_line.delivered", "balance.low"]),
    ]
    one = partner.list_endpoints().items[0].endpoint_id
    outcome += [
        attempt(partner.update_endpoint, one, event_types=["*"]),
        attempt(partner.rotate_endpoint, one, overlap_seconds=3_600),
        attempt(partner.rotate_endpoint, one, overlap_seconds=0),
        attempt(partner.update_endpoint, one, paused=True),
        attempt(partner.test_endpoint, one),
        attempt(partner.update_endpoint, one, paused=False),
        attempt(partner.rotate_endpoint, "whk_nothing"),
        attempt(partner.list_deliveries),
        attempt(partner.replay_deliveries, "dlv_nothing"),
        attempt(partner.list_deliveries, state="failed"),
        attempt(partner.delete_endpoint, one),
        attempt(partner.delete_endpoint, one),
        attempt(partner.list_endpoints),
        attempt(side.supplier.create_endpoint, HOOK),
        attempt(side.supplier.list_endpoints),
    ]
    return outcome


def payments(side: Side) -> list[object]:
    """The whole life of a payment, and a payment that comes too late."""
    service, order = side.service, side.check_out()
    outcome = [
        attempt(service.create_payment, "ord_nothing", Decimal("5.00"), "p-0"),
        attempt(service.create_payment, order, Decimal("4.00"), "p-1"),
        attempt(service.create_payment, order, Decimal("5.00"), "p-1"),
        attempt(service.create_payment, order, Decimal("5.00"), "p-1"),
    ]
    one = service.get_payment(reference="p-1").payment_id
    other = service.create_payment(order, Decimal("5.00"), "p-2").payment_id
    outcome += [
        attempt(service.authorise_payment, one),
        attempt(service.capture_payment, one, amount=Decimal("2.00")),
        attempt(service.capture_payment, one, amount=Decimal("2.00"), reference="a"),
        attempt(service.capture_payment, one, amount=Decimal("2.00"), reference="a"),
        attempt(service.capture_payment, one, amount=Decimal("1.00"), reference="a"),
        attempt(service.capture_payment, one, amount=Decimal("4.00"), reference="b"),
        attempt(service.cancel_payment, one),
        attempt(service.capture_payment, one),
        attempt(service.capture_payment, one),
        attempt(service.capture_payment, other),
        attempt(service.capture_payment, other),
        attempt(service.refund_payment, one, reference="r-1", amount=Decimal("1.00")),
    ]
    side.refund_checkout(order, 3)
    outcome += [
        attempt(service.refund_payment, one, reference="r-1", amount=Decimal("1.00")),
        attempt(service.refund_payment, one, reference="r-1", amount=Decimal("1.00")),
        attempt(service.refund_payment, one, reference="r-1", amount=Decimal("2.00")),
        attempt(service.refund_payment, one, reference="r-2", amount=Decimal("4.01")),
        attempt(service.list_refunds),
        attempt(service.list_payments, state="captured"),
        attempt(service.get_payment, "pay_nothing"),
    ]
    late = side.check_out()
    third = service.create_payment(late, Decimal("5.00"), "p-3").payment_id
    fourth = service.create_payment(late, Decimal("5.00"), "p-4").payment_id
    outcome += [attempt(service.cancel_payment, fourth), attempt(service.cancel_payment, fourth)]
    outcome += [attempt(service.capture_payment, fourth)]
    side.cancel_checkout(late)
    return [
        *outcome,
        attempt(service.capture_payment, third),
        attempt(service.get_payment, third),
        attempt(service.create_payment, late, Decimal("5.00"), "p-5"),
    ]


def deposits(side: Side) -> list[object]:
    """Deposits to the partner's balance."""
    service = side.service
    one = service.create_deposit(side.partner_id, Decimal("20.00"), "d-1").deposit_id
    other = service.create_deposit(side.partner_id, Decimal("5.00"), "d-2").deposit_id
    return [
        attempt(service.create_deposit, side.partner_id, Decimal("20.00"), "d-1"),
        attempt(service.create_deposit, side.partner_id, Decimal("21.00"), "d-1"),
        attempt(service.confirm_deposit, one),
        attempt(service.confirm_deposit, one),
        attempt(service.reject_deposit, one),
        attempt(service.reject_deposit, other),
        attempt(service.confirm_deposit, other),
        attempt(service.get_deposit, reference="d-2"),
        attempt(service.get_deposit, "dep_nothing"),
        attempt(service.list_deposits),
        attempt(side.partner.list_transfers),
    ]


def basket_and_checkout(side: Side) -> list[object]:
    """A basket, its errors, and the checkout that empties it."""
    customer, card, topup = side.customer, side.card, side.topup
    side.supplier.upload_stock(card, ["B-0001", "B-0002", "B-0003"])
    answers = [
        attempt(customer.get_basket),
        attempt(customer.add_to_basket, card, 2),
        attempt(customer.add_to_basket, card, 2),
        attempt(customer.add_to_basket, "prd_nothing", 1),
        attempt(customer.add_to_basket, card, 1, require_data=PLAYER),
        attempt(customer.add_to_basket, topup, 1),
        attempt(customer.create_checkout, from_basket=True),
    ]
    few, wanting = (one.line_id for one in customer.get_basket().items)
    answers += [
        attempt(customer.update_basket_line, few),
        attempt(customer.update_basket_line, few, quantity=3, version=1),
        attempt(customer.update_basket_line, few, quantity=3),
        attempt(customer.update_basket_line, few, quantity=3),
        attempt(customer.update_basket_line, "bsl_nothing", quantity=1),
        attempt(customer.update_basket_line, few, quantity=1_000),
        attempt(customer.add_to_basket, card, 1),
        attempt(customer.remove_from_basket, [wanting, "bsl_nothing"]),
        attempt(customer.set_basket, [CheckoutItem(card, 1), CheckoutItem(topup, 2, PLAYER)]),
        attempt(customer.create_checkout, [CheckoutItem(card, 1)], from_basket=True),
        attempt(customer.create_checkout, from_basket=True, basket_version=1),
        attempt(customer.create_checkout, from_basket=True, expected_total=Decimal("19.49")),
        attempt(customer.create_checkout, reference="b-1", from_basket=True, expected_total=Decimal("19.50")),
        attempt(customer.create_checkout, reference="b-1", from_basket=True, expected_total=Decimal("19.50")),
        attempt(customer.create_checkout, reference="b-1", from_basket=True),
        attempt(customer.get_basket),
        attempt(customer.create_checkout, from_basket=True),
        attempt(customer.create_checkout, [CheckoutItem(card, 3)]),
        attempt(customer.clear_basket),
        attempt(customer.get_order, "ord_nothing"),
    ]
    order = customer.create_checkout(reference="b-1", from_basket=True, expected_total=Decimal("19.50")).order_id
    payment = side.service.create_payment(order, Decimal("19.50"), "b-1").payment_id
    side.service.capture_payment(payment)
    (waiting,) = side.supplier.list_awaiting().items
    answers += [
        attempt(customer.get_order, order),
        attempt(side.supplier.deliver, waiting.order_detail_id, ["B-0010", "B-0011"]),
        attempt(customer.get_order, order),
        attempt(customer.cancel_checkout, order),
    ]
    other = customer.create_checkout([CheckoutItem(card, 2)], reference="b-2").order_id
    return [
        *answers,
        attempt(customer.create_checkout, [CheckoutItem(card, 1)]),
        attempt(customer.cancel_checkout, other),
        attempt(customer.cancel_checkout, other),
        attempt(customer.get_order, other),
        attempt(customer.create_checkout, [CheckoutItem(card, 1)]),
    ]


def started_payments(side: Side) -> list[object]:
    """Payments that the customer starts and the payment service continues."""
    customer, service = side.customer, side.service
    side.supplier.upload_stock(side.card, ["M-0001", "M-0002"])
    side.offer("card", None)
    side.offer("small", 4)
    order = customer.create_checkout([CheckoutItem(side.card, 1)]).order_id
    answers = [
        attempt(customer.list_payment_methods),
        attempt(customer.list_payment_methods, order_id=order),
        attempt(customer.payment_status, order_id=order),
        attempt(customer.start_payment, order, "nothing"),
        attempt(customer.start_payment, order, "small"),
        attempt(customer.start_payment, "ord_nothing", "card"),
    ]
    started = customer.start_payment(order, "card")
    assert started.redirect_url == f"https://pay.example/{started.payment_id}?for={order}"
    again = customer.start_payment(order, "card").payment_id
    answers += [
        again == started.payment_id,
        attempt(service.get_payment, again),
        attempt(service.cancel_payment, again),
        attempt(customer.payment_status, again),
    ]
    second = customer.start_payment(order, "card")
    answers += [
        second.payment_id == again,
        second.state,
        attempt(customer.payment_status, order_id=order),
        attempt(service.capture_payment, second.payment_id),
        attempt(customer.payment_status, second.payment_id),
        attempt(customer.start_payment, order, "card"),
        attempt(customer.payment_status),
        attempt(customer.payment_status, "pay_nothing"),
    ]
    return answers


def mailed_links(side: Side) -> list[object]:
    """The mailed links that verify an address and reset a password."""
    customer, email = side.customer, side.customer.profile().email
    answers = [
        attempt(customer.send_verification),
        attempt(customer.verify_email, "nothing"),
        customer.verify_email(side.mailed_token("verify")).email_verified,
        attempt(customer.forgot_password, "nobody@example.com"),
        attempt(customer.forgot_password, email),
        attempt(customer.reset_password, "nothing", NEW_PASSWORD),
    ]
    link = side.mailed_token("reset")
    answers += [
        attempt(customer.change_email, "moved@example.com", "wrong"),
        attempt(customer.change_email, email, "wrong"),
        attempt(customer.confirm_email, "nothing"),
    ]
    return [
        *answers,
        attempt(customer.reset_password, link, NEW_PASSWORD),
        attempt(customer.reset_password, link, NEW_PASSWORD),
        attempt(customer.profile),
        attempt(customer.login, email, NEW_PASSWORD),
    ]


def a_partner_s_link(side: Side) -> list[object]:
    """The link with which a partner sets a new password."""
    partner, link = side.partner, side.partner_link()
    return [
        attempt(partner.reset_password, "nothing", NEW_PASSWORD),
        attempt(side.customer.reset_password, link, NEW_PASSWORD),
        attempt(partner.reset_password, link, NEW_PASSWORD),
        attempt(partner.reset_password, link, NEW_PASSWORD),
        attempt(partner.categories),
    ]


@pytest.mark.parametrize(
    "scenario",
    [
        stock_and_queue,
        complaints_of_a_line,
        replaced_unit,
        endpoints,
        payments,
        deposits,
        basket_and_checkout,
        started_payments,
        mailed_links,
        a_partner_s_link,
    ],
)
def test_the_fake_shop_and_the_real_server_answer_alike(
    scenario: Callable[[Side], list[object]], fake: Side, real: Side
) -> None:
    pretended, actual = scenario(fake), scenario(real)
    steps = enumerate(zip(pretended, actual, strict=True))
    assert [(step, one, other) for step, (one, other) in steps if one != other] == []
