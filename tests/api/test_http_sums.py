"""No order, no balance and no limit reaches 10^15 minor units; what a partner may spend; a limit below the debt."""

import itertools
from decimal import Decimal

import pytest

from bedesten.catalogue.actions import ProductFields
from bedesten.core.money import MAX_MINOR
from bedesten.gate.scopes import Surface
from tests.support.client import bearer
from tests.support.shop import Shop, fresh, line

SENT = frozenset({"deliveries", "delivery_attempts", "webhook_endpoints"})
"""Tables that the worker changes independently of requests."""
MAX_AMOUNT = Decimal(MAX_MINOR - 1).scaleb(-2)


@pytest.fixture(scope="module")
def dear(each_shop: Shop) -> str:
    """A product whose single unit costs the largest possible amount."""
    name = fresh("dear")
    fields = ProductFields(name=name, currency="USD", sku=name, price=MAX_MINOR - 1)
    return each_shop.operator.product(each_shop.id, fields, [f"{name}-{number}" for number in range(4)])


@pytest.fixture(scope="module")
def half(each_shop: Shop) -> str:
    """A product of which two units reach the bound, and a single one does not."""
    name = fresh("half")
    fields = ProductFields(name=name, currency="USD", sku=name, price=MAX_MINOR // 2)
    return each_shop.operator.product(each_shop.id, fields, [f"{name}-{number}" for number in range(4)])


def rich(shop: Shop) -> str:
    """A fresh partner with the largest possible balance, deposited over the Payment surface."""
    partner = shop.operator.account(shop.id, "partner", f"{fresh('rich')}@example.com")
    shop.payments.data("/Payment/Deposits/Confirm", {"depositId": deposit(shop, partner, MAX_AMOUNT)})
    return partner


def deposit(shop: Shop, partner: str, amount: Decimal) -> str:
    body = {"partner": partner, "amount": amount, "reference": fresh("deposit")}
    return str(shop.payments.data("/Payment/Deposits/Create", body)["depositId"])


def test_a_line_and_an_order_above_the_largest_amount_are_refused_with_the_field(
    each_shop: Shop, dear: str, half: str
) -> None:
    before = each_shop.site.rows(each_shop.id, without=SENT)
    cases: list[tuple[list[tuple[str, int]], list[int] | None]] = [
        ([(dear, 2)], [0]),
        ([(dear, 1000)], [0]),
        ([(each_shop.card, 1), (dear, 1000), (half, 2)], [1, 2]),
        ([(dear, 1), (dear, 1)], None),
        ([(half, 1), (half, 1)], None),
        ([(dear, 1), (each_shop.card, 1)], None),
        ([(dear, 1)] * 50, None),
    ]
    for wanted, places in cases:
        basket = [line(product, many, str(at)) for at, (product, many) in enumerate(wanted)]
        order = each_shop.reseller.post("/Orders/Create", {"orderReference": fresh("order"), "basketData": basket})
        fields = ["basketData"] if places is None else [f"basketData[{at}].quantity" for at in places]
        assert (*order.verdict, order.fields) == (400, -2, fields)
        items = [{"productId": product, "quantity": many} for product, many in wanted]
        checkout = each_shop.storefront.post("/Storefront/Checkout/Create", {"items": items})
        assert (*checkout.verdict, checkout.fields) == (400, -2, [one.replace("basketData", "items") for one in fields])
    assert each_shop.site.rows(each_shop.id, without=SENT) == before


def test_a_unit_at_the_largest_amount_can_be_bought_by_a_partner_and_paid_by_a_customer(
    each_shop: Shop, dear: str
) -> None:
    partner = rich(each_shop)
    client = each_shop.client(lines=bearer(each_shop.token(Surface.RESELLER, partner)))
    assert client.get("/Account/Details").data["spendable"] == MAX_AMOUNT

    order = client.data("/Orders/Create", {"orderReference": fresh("order"), "basketData": [line(dear)]})
    assert order["total"] == MAX_AMOUNT
    assert client.get("/Account/Details").data["spendable"] == 0

    items = [{"productId": dear, "quantity": 1}]
    checkout = each_shop.storefront.data("/Storefront/Checkout/Create", {"items": items})
    body = {"orderId": checkout["orderId"], "amount": MAX_AMOUNT, "reference": fresh("payment")}
    payment = each_shop.payments.data("/Payment/Payments/Create", body)
    assert (
        each_shop.payments.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})["state"] == "captured"
    )


def test_a_deposit_that_would_exceed_the_largest_balance_is_refused_with_its_field(each_shop: Shop) -> None:
    partner = each_shop.operator.account(each_shop.id, "partner", f"{fresh('full')}@example.com")
    first, second = deposit(each_shop, partner, MAX_AMOUNT), deposit(each_shop, partner, Decimal("0.01"))
    each_shop.payments.data("/Payment/Deposits/Confirm", {"depositId": first})

    confirmed = each_shop.payments.post("/Payment/Deposits/Confirm", {"depositId": second})
    body = {"partner": partner, "amount": 0.01, "reference": fresh("deposit")}
    created = each_shop.payments.post("/Payment/Deposits/Create", body)

    assert (*confirmed.verdict, confirmed.fields) == (400, -2, ["amount"])
    assert (*created.verdict, created.fields) == (400, -2, ["amount"])
    again = each_shop.payments.post("/Payment/Deposits/Confirm", {"depositId": second})
    assert again.verdict == (400, -2), "it was not confirmed by being refused"


@pytest.mark.parametrize("amount", ["1e15", "10000000000000.00", "9999999999999.999", "1e300"])
def test_an_amount_out_of_bounds_is_refused_by_every_operation(shop: Shop, amount: str) -> None:
    references = (fresh("beyond") for _ in itertools.count())
    order = f'{{"orderReference": "%s", "basketData": [{{"deliverId": "1", "customerStoreProductId": "{shop.card}", '
    order += f'"quantity": 1, "maxUnitPrice": {amount}}}]}}'
    cases = [
        (shop.reseller, "/Orders/Create", order % next(references), "basketData[0].maxUnitPrice"),
        (shop.payments, "/Payment/Deposits/Create",
         f'{{"partner": "{shop.partner}", "amount": {amount}, "reference": "{next(references)}"}}', "amount"),
        (shop.supplies, "/Supplier/Products/Upsert",
         f'{{"products": [{{"sku": "{next(references)}", "name": "N", "cost": {amount}}}]}}', "products[0].cost"),
    ]  # fmt: skip
    for client, path, body, field in cases:
        answer = client.post(path, body.encode())
        assert (*answer.verdict, answer.fields) == (400, -2, [field]), path


def test_a_limit_below_the_debt_ends_new_orders_and_leaves_the_debt(each_shop: Shop) -> None:
    partner = each_shop.operator.account(each_shop.id, "partner", f"{fresh('debtor')}@example.com")
    client = each_shop.client(lines=bearer(each_shop.token(Surface.RESELLER, partner)))
    each_shop.operator.credit(each_shop.id, partner, 10_00)
    client.data("/Orders/Create", each_shop.order())

    each_shop.operator.credit(each_shop.id, partner, 1_00)

    money = client.get("/Account/Details").data
    assert (money["available"], money["creditLimit"], money["spendable"]) == (Decimal("-5.00"), 1, 0)
    assert client.post("/Orders/Create", each_shop.order()).verdict == (409, -300)
    each_shop.payments.data("/Payment/Deposits/Confirm", {"depositId": deposit(each_shop, partner, Decimal("9.00"))})
    assert client.get("/Account/Details").data["spendable"] == 5
    client.data("/Orders/Create", each_shop.order())
    assert client.post("/Orders/Create", each_shop.order()).verdict == (409, -300)
