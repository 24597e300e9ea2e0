"""A customer chooses a method and starts a payment over HTTP; the payment service continues it."""

from decimal import Decimal

from bedesten.admin import payment_methods
from bedesten.catalogue.actions import ProductFields
from bedesten.store.transaction import Transaction
from tests.support.shop import CARD_PRICE, Shop, fresh


def offer(shop: Shop, code: str = "") -> str:
    """A fresh payment method of the shop's integration."""
    named = code or fresh("method")

    def add(tx: Transaction) -> None:
        url = "https://pay.example/{order}/{payment}"
        payment_methods.add(tx, "USD", named, "Card", shop.integration, bounds=(Decimal(1), Decimal(50)), url=url)

    shop.operator.within(shop.id, add)
    return named


def checkout(shop: Shop, units: int = 1) -> str:
    """The id of a checkout of this many cards."""
    items = [{"productId": shop.card, "quantity": units}]
    order: str = shop.storefront.data("/Storefront/Checkout/Create", {"items": items})["orderId"]
    return order


def test_a_customer_pays_with_a_method_and_reads_the_code(each_shop: Shop) -> None:
    method, order, customer = offer(each_shop), checkout(each_shop), each_shop.storefront
    shown = [one for one in customer.data("/Storefront/Payments/Methods", {})["items"] if one["code"] == method]
    assert shown == [
        {
            "code": method,
            "title": "Card",
            "currency": "USD",
            "minAmount": Decimal("1.00"),
            "maxAmount": Decimal("50.00"),
        }
    ]
    listed = customer.data("/Storefront/Payments/Methods", {"orderId": order})["items"]
    assert method in [one["code"] for one in listed]
    assert customer.post("/Storefront/Payments/Methods", {"orderId": "ord_x"}).verdict == (404, -3)
    wanted = {"orderId": order, "method": method}
    made = customer.data("/Storefront/Payments/Start", wanted)
    assert made["redirectUrl"] == f"https://pay.example/{order}/{made['paymentId']}"
    assert (made["state"], made["orderState"], made["amount"]) == ("created", "awaitingPayment", Decimal(CARD_PRICE))
    assert customer.data("/Storefront/Payments/Start", wanted) == made
    assert customer.data("/Storefront/Payments/Status", {"orderId": order}) == made
    seen = each_shop.payments.data("/Payment/Payments/Get", {"paymentId": made["paymentId"]})
    assert (seen["method"], seen["reference"], seen["orderId"]) == (method, made["paymentId"], order)
    each_shop.payments.data("/Payment/Payments/Capture", {"paymentId": made["paymentId"]})
    done = customer.data("/Storefront/Payments/Status", {"paymentId": made["paymentId"]})
    assert (done["state"], done["orderState"], done["redirectUrl"]) == ("captured", "placed", None)
    assert customer.data("/Storefront/Orders/Get", {"orderId": order})["items"][0]["deliveryData"]


def test_the_customer_reads_why_the_provider_declined(each_shop: Shop) -> None:
    method, order, customer = offer(each_shop), checkout(each_shop), each_shop.storefront
    payment = customer.data("/Storefront/Payments/Start", {"orderId": order, "method": method})
    assert payment["reason"] is None
    declined = {
        "eventId": fresh("evt"), "type": "payment.failed", "paymentId": payment["paymentId"],
        "occurredAt": "2026-01-01T00:00:00Z", "reason": "insufficient funds",
    }  # fmt: skip
    each_shop.payments.data("/Payment/Notify", declined)
    seen = customer.data("/Storefront/Payments/Status", {"orderId": order})
    assert (seen["state"], seen["reason"]) == ("failed", "insufficient funds")
    each_shop.payments.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})
    seen = customer.data("/Storefront/Payments/Status", {"orderId": order})
    assert (seen["state"], seen["reason"]) == ("captured", None)


def test_a_checkout_without_a_total_is_placed_at_once_and_once(each_shop: Shop) -> None:
    sku = fresh("free")
    fields = ProductFields(name="Free", currency="USD", sku=sku, price=0, accepted_cost=0)
    product = each_shop.operator.product(each_shop.id, fields, [fresh("FREE"), fresh("FREE")])
    wanted = {"items": [{"productId": product, "quantity": 1}], "reference": fresh("free")}
    made = each_shop.storefront.data("/Storefront/Checkout/Create", wanted)
    assert (made["state"], made["total"], made["expires"]) == ("placed", 0, None)
    assert made["items"][0]["status"] == 1
    assert each_shop.storefront.data("/Storefront/Checkout/Create", wanted) == made
    shown = each_shop.storefront.data("/Storefront/Orders/Get", {"orderId": made["orderId"]})
    assert len(shown["items"][0]["deliveryData"]) == 1
    announced = {"orderId": made["orderId"], "amount": 1, "reference": fresh("pay")}
    assert each_shop.payments.post("/Payment/Payments/Create", announced).json["code"] in (-2, -8, -401)


def test_a_payment_that_cannot_be_started_is_refused_with_its_number(each_shop: Shop) -> None:
    method, customer = offer(each_shop), each_shop.storefront
    dear = checkout(each_shop, 11)
    answer = customer.post("/Storefront/Payments/Start", {"orderId": dear, "method": method})
    assert (answer.verdict, answer.json["data"]["total"]) == ((409, -404), Decimal("55.00"))
    customer.data("/Storefront/Checkout/Cancel", {"orderId": dear})
    order = checkout(each_shop)
    start = {"orderId": order, "method": method}
    assert customer.post("/Storefront/Payments/Start", {**start, "method": "none"}).verdict == (409, -404)
    assert customer.post("/Storefront/Payments/Start", {**start, "orderId": "ord_x"}).verdict == (404, -3)
    assert customer.post("/Storefront/Payments/Start", {**start, "amount": 1}).verdict == (400, -2)
    assert customer.post("/Storefront/Payments/Start", {"orderId": order}).verdict == (400, -2)
    for wrong in ({}, {"orderId": order, "paymentId": "pay_x"}):
        assert customer.post("/Storefront/Payments/Status", wrong).verdict == (400, -2)
    for unknown in ({"orderId": order}, {"paymentId": "pay_x"}, {"orderId": "ord_x"}):
        assert customer.post("/Storefront/Payments/Status", unknown).verdict == (404, -3)
    customer.data("/Storefront/Checkout/Cancel", {"orderId": order})
    assert customer.post("/Storefront/Payments/Start", start).verdict == (409, -8)


def test_a_payment_service_has_webhook_endpoints_and_is_notified_of_a_started_payment(each_shop: Shop) -> None:
    made = each_shop.payments.data(
        "/Payment/Webhooks/Endpoints/Create", {"url": "https://hooks.example/pay", "eventTypes": ["payment.started"]}
    )["endpoint"]
    wrong = {"url": "https://hooks.example/pay", "eventTypes": ["order.awaiting"]}
    assert each_shop.payments.post("/Payment/Webhooks/Endpoints/Create", wrong).verdict == (400, -2)
    start = {"orderId": checkout(each_shop), "method": offer(each_shop)}
    payment = each_shop.storefront.data("/Storefront/Payments/Start", start)["paymentId"]
    each_shop.storefront.data("/Storefront/Payments/Start", start)
    only = {"endpointId": made["endpointId"]}
    listed = each_shop.payments.data("/Payment/Webhooks/Deliveries/List", only)["items"]
    assert [(one["type"], one["objectId"]) for one in listed] == [("payment.started", payment)]
    each_shop.payments.data("/Payment/Webhooks/Endpoints/Delete", only)
