"""Amounts in currencies with 0, 2 and 3 decimals, through every surface: exactly the currency's digits, no rounding."""

from typing import Any

import pytest

from bedesten.catalogue.actions import ProductFields
from tests.support.shop import CREDIT, Shop, fresh

CURRENCIES = {"JPY": 0, "USD": 2, "KWD": 3}
_LINE = (
    '{"orderReference": "f", "basketData": [{"deliverId": "1", "quantity": 1, "customerStoreProductId": "%s",'
    ' "maxUnitPrice": %s}]}'
)
PRICE, COST, DEPOSIT = 12_345, 2_001, 50_000
"""In minor units."""


def written(minor: int, digits: int) -> str:
    """The amount as it is written on the wire."""
    whole, rest = divmod(abs(minor), 10**digits)
    text = f"{whole}.{rest:0{digits}}" if digits else str(whole)
    return f"-{text}" if minor < 0 else text


@pytest.fixture(params=CURRENCIES, scope="module")
def shop(request: pytest.FixtureRequest, each_shop: Shop) -> Shop:
    """A shop with this currency."""
    made = each_shop.sister(fresh(request.param.lower()), request.param)
    for name, cost in (("card", None), ("topup", COST)):
        fields = ProductFields(
            name=name, currency=request.param, sku=name, price=PRICE, cost=cost,
            fulfilment="supplier" if cost else "stock",
            supplier_id=made.supplier if cost else None, supplier_sku="s" if cost else None,
        )  # fmt: skip
        setattr(made, name, made.operator.product(made.id, fields, () if cost else ("A-CODE-1", "A-CODE-2")))
    made.category = request.param
    return made


def money(shop: Shop, minor: int) -> str:
    return written(minor, CURRENCIES[shop.category])


def raw_body(shop: Shop, **amounts: int) -> str:
    """JSON members with amounts, as a client writes them."""
    return "".join(f', "{name}": {money(shop, minor)}' for name, minor in amounts.items())


def members(answer: Any) -> dict[str, str]:
    """The members of a response as text, so that digits are compared."""
    return {name: str(value) for name, value in answer.items()}


def test_a_partner_s_money_has_the_digits_of_its_currency(shop: Shop) -> None:
    def show(minor: int) -> str:
        return money(shop, minor)

    listed = {one["name"]: one for one in shop.reseller.data("/Products/List", {})["items"]}
    assert (str(listed["card"]["price"]), listed["card"]["currency"]) == (show(PRICE), shop.category)
    body = f'{{"partner": "{shop.partner}", "reference": "{fresh("d")}"{raw_body(shop, amount=DEPOSIT)}}}'
    deposit = shop.payments.data("/Payment/Deposits/Create", body.encode())
    assert (str(deposit["amount"]), deposit["currency"]) == (show(DEPOSIT), shop.category)
    assert str(shop.payments.data("/Payment/Deposits/Confirm", {"depositId": deposit["depositId"]})["amount"]) == show(
        DEPOSIT
    )

    basket = (
        f'{{"deliverId": "1", "customerStoreProductId": "{shop.card}", "quantity": 2{raw_body(shop, maxUnitPrice=PRICE)}}},'
        f'{{"deliverId": "2", "customerStoreProductId": "{shop.topup}", "quantity": 1}}'
    )
    placed = shop.reseller.data("/Orders/Create", f'{{"orderReference": "r", "basketData": [{basket}]}}'.encode())
    assert str(placed["total"]) == show(3 * PRICE)
    assert [str(one["price"]) for one in placed["details"]] == [show(2 * PRICE), show(PRICE)]
    account = members(shop.reseller.get("/Account/Details").data)
    assert account["balance"] == show(DEPOSIT - 2 * PRICE)
    assert account["held"] == show(PRICE)
    assert account["available"] == show(DEPOSIT - 3 * PRICE)
    assert account["creditLimit"] == show(CREDIT)
    assert account["spendable"] == show(DEPOSIT - 3 * PRICE + CREDIT)

    line_id = placed["details"][1]["orderDetailId"]
    shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": line_id, "deliveryNote": ["done"]})
    assert str(shop.reseller.get(f"/Orders/Detail/{line_id}").data["unitPrice"]) == show(PRICE)
    statement = shop.reseller.data("/Account/Statement", {})
    assert statement["currency"] == shop.category
    assert [(str(one["amount"]), str(one["balance"])) for one in statement["items"]] == [
        (show(DEPOSIT), show(DEPOSIT)),
        (show(-2 * PRICE), show(DEPOSIT - 2 * PRICE)),
        (show(-PRICE), show(DEPOSIT - 3 * PRICE)),
    ]
    (earned,) = shop.supplies.data("/Supplier/Statement", {})["items"]
    assert (str(earned["amount"]), str(earned["balance"])) == (show(COST), show(COST))


def test_a_customer_s_money_has_the_digits_of_its_currency(shop: Shop) -> None:
    def show(minor: int) -> str:
        return money(shop, minor)

    wanted = {"items": [{"productId": shop.topup, "quantity": 1}], "reference": fresh("c")}
    order = shop.storefront.data("/Storefront/Checkout/Create", wanted)
    assert (str(order["total"]), str(order["items"][0]["unitPrice"])) == (show(PRICE), show(PRICE))
    body = f'{{"orderId": "{order["orderId"]}", "reference": "{fresh("p")}"{raw_body(shop, amount=PRICE)}}}'
    payment = shop.payments.data("/Payment/Payments/Create", body.encode())
    assert str(payment["amount"]) == show(PRICE)
    assert str(shop.payments.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})["amount"]) == show(
        PRICE
    )
    wallet = members(shop.storefront.data("/Storefront/Wallet/Get", {}))
    assert (wallet["balance"], wallet["held"], wallet["available"]) == (show(PRICE), show(PRICE), show(0))


def test_an_amount_with_more_decimals_than_the_currency_is_refused_by_every_operation(shop: Shop) -> None:
    digits = CURRENCIES[shop.category]
    finer = f"1.{'0' * digits}1"
    for client, path, body, field in (
        (shop.payments, "/Payment/Deposits/Create", '{"partner": "%s", "reference": "f", "amount": %s}', "amount"),
        (shop.payments, "/Payment/Payments/Create", '{"orderId": "%s", "reference": "f", "amount": %s}', "amount"),
        (shop.supplies, "/Supplier/Products/Upsert", '{"products": [{"sku": "%s", "name": "n", "cost": %s}]}',
         "products[0].cost"),
        (shop.reseller, "/Orders/Create", _LINE, "basketData[0].maxUnitPrice"),
    ):  # fmt: skip
        subject = {"/Orders/Create": shop.card, "/Payment/Deposits/Create": shop.partner}.get(path, "x")
        answer = client.post(path, (body % (subject, finer)).encode())
        assert (*answer.verdict, answer.fields) == (400, -2, [field]), path


def test_a_supplier_s_cost_has_the_digits_of_its_currency(shop: Shop) -> None:
    body = f'{{"products": [{{"sku": "own", "name": "Own"{raw_body(shop, cost=COST)}}}]}}'
    (offer,) = shop.supplies.data("/Supplier/Products/Upsert", body.encode())["items"]
    assert (str(offer["cost"]), offer["currency"]) == (money(shop, COST), shop.category)
