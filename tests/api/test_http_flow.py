"""The platform's main flow (contract section 8), through all four surfaces, on both engines."""

import json
import re
from decimal import Decimal

from standardwebhooks import Webhook

from bedesten.gate.scopes import SCOPES, Surface
from tests.support.client import bearer
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.receiver import receiving
from tests.support.shop import Shop, fresh, line, open_shop
from tests.support.sites import Site

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_a_partners_order_goes_through_all_the_surfaces_and_its_webhook(
    each_site: Site, each_operator: Operator
) -> None:
    shop = open_shop(each_site, each_operator, fresh("flow"))
    each_operator.credit(shop.id, shop.partner, 0)
    with each_operator.webhooks_to("127.0.0.0/8"), receiving() as receiver:
        secret, outbound_key = each_operator.endpoint(shop.id, shop.partner, receiver.url)

        token = shop.client().data("/Login/Customer/Api/Verify", {"email": shop.partner_email, "password": PASSWORD})[
            "token"
        ]
        partner = shop.client(None, bearer(token))
        basket = [line(shop.card, 2, "a"), line(shop.topup, 1, "b", topup=shop.topup)]
        order = {"orderReference": "first", "basketData": basket}
        assert partner.post("/Orders/Create", order).verdict == (409, -300), "nobody has paid anything yet"

        deposit = shop.payments.data(
            "/Payment/Deposits/Create", {"partner": shop.partner_email, "amount": 20, "reference": "d-1"}
        )
        shop.payments.data("/Payment/Deposits/Confirm", {"depositId": deposit["depositId"]})
        assert partner.get("/Account/Details").data["available"] == Decimal("20.00")

        placed = partner.data("/Orders/Create", order)
        assert [(one["deliverId"], one["status"], one["price"]) for one in placed["details"]] == [
            ("a", 1, Decimal("10.00")),
            ("b", 2, Decimal("7.25")),
        ]
        (waiting,) = shop.supplies.data("/Supplier/Orders/Awaiting")["items"]
        delivery = {"orderDetailId": waiting["orderDetailId"], "deliveryData": ["TOP-UP-1"], "deliveryNote": ["Enjoy"]}
        shop.supplies.data("/Supplier/Orders/Deliver", delivery)
        notices = receiver.wait_for(3)

    outcome = [
        (one["deliverId"], one["status"]) for one in (json.loads(event_payload.body) for event_payload in notices)
    ]
    assert sorted(outcome) == [("a", 1), ("b", 1), ("b", 2)], "one event for each change of a line"
    for event_payload in notices:
        assert Webhook(secret).verify(event_payload.body, event_payload.headers)
        assert event_payload.headers["apikey"] == outbound_key
        assert event_payload.headers["content-type"] == "application/json"
    said = {
        (one["deliverId"], one["status"]): one for one in (json.loads(event_payload.body) for event_payload in notices)
    }
    lines = {one["deliverId"]: one["orderDetailId"] for one in placed["details"]}
    kinds = {
        ("a", 1): ("order_line.delivered", 1),
        ("b", 2): ("order_line.processing", 1),
        ("b", 1): ("order_line.delivered", 2),
    }
    for (deliver_id, status), body in said.items():
        times = {name: body.pop(name) for name in ("occurredAt", "deliveryData", "deliveryNote")}
        kind, sequence = kinds[deliver_id, status]
        assert TIME.fullmatch(times["occurredAt"])
        assert body == {
            "type": kind, "orderId": placed["orderId"], "orderReference": "first", "deliverId": deliver_id,
            "orderDetailId": lines[deliver_id], "status": status, "sequence": sequence,
        }  # fmt: skip
        body.update(times)
    assert said["b", 1]["deliveryData"] == ["TOP-UP-1"]
    assert said["b", 1]["deliveryNote"] == ["Enjoy"]
    assert (said["b", 2]["deliveryData"], said["b", 2]["deliveryNote"]) == (None, None)
    read = partner.data("/Orders/Get", {"orderReference": "first"})
    assert [one["deliveryData"] for one in read["details"]] == [said["a", 1]["deliveryData"], ["TOP-UP-1"]]
    money = partner.get("/Account/Details").data
    assert (money["balance"], money["held"]) == (Decimal("2.75"), Decimal("0.00"))

    each_operator.revoke_key(shop.id, shop.supplier_key)
    assert shop.supplies.post("/Supplier/Orders/Awaiting").verdict == (401, -23)
    each_operator.scopes(shop.id, "partner", shop.partner, SCOPES[Surface.RESELLER] - {"orders:create"})
    assert partner.post("/Orders/Create", {**order, "orderReference": "second"}).verdict == (403, -24)


def test_a_customers_order_goes_from_registration_to_its_codes(each_shop: Shop) -> None:
    shop, anybody = each_shop, each_shop.client()
    email, password = f"{fresh('walk-in')}@example.com", "eleven sparrows on a wire"
    anybody.data("/Storefront/Customers/Register", {"email": email, "password": password, "name": "Walk-in"})
    token = anybody.data("/Storefront/Customers/Login", {"email": email, "password": password})["token"]
    customer = shop.client(None, bearer(token))
    product = next(
        one for one in anybody.data("/Storefront/Products/List")["items"] if one["customerStoreProductId"] == shop.card
    )

    items = [{"productId": product["customerStoreProductId"], "quantity": 1}]
    order = customer.data("/Storefront/Checkout/Create", {"items": items})
    assert order["total"] == product["price"]
    assert customer.data("/Storefront/Orders/Get", {"orderId": order["orderId"]})["items"][0]["deliveryData"] is None
    payment = {"orderId": order["orderId"], "amount": float(order["total"]), "reference": fresh("pay")}
    announced = shop.payments.data("/Payment/Payments/Create", payment)
    shop.payments.data("/Payment/Payments/Capture", {"paymentId": announced["paymentId"]})

    read = customer.data("/Storefront/Orders/Get", {"orderId": order["orderId"]})
    assert (read["state"], read["items"][0]["status"]) == ("placed", 1)
    assert read["items"][0]["deliveryData"][0].startswith("CARMEL-CARD-")
