"""The Storefront and Payment surfaces over HTTP, on both engines, and the documents that are open to all."""

from decimal import Decimal

import pytest

from bedesten.gate.scopes import Surface
from bedesten.payments.actions import approve_deposit, reject_deposit
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from tests.support.client import api_key, bearer
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh, line


@pytest.mark.requirement(114)
def test_registration_gets_the_same_answer_for_a_new_and_a_known_address_and_the_customer_logs_in(
    each_shop: Shop,
) -> None:
    client = each_shop.client()
    email = f"{fresh('cus')}@example.com"
    registration = {"email": email, "password": "eleven sparrows on a wire", "name": "Ada"}

    first = client.post("/Storefront/Customers/Register", registration)
    again = client.post("/Storefront/Customers/Register", {**registration, "password": "another phrase of mine"})

    assert first.data == {"status": "accepted"}
    assert again.anonymous == first.anonymous, "known and unknown addresses get the same answer (R114)"
    login = client.data("/Storefront/Customers/Login", {"email": email, "password": registration["password"]})
    assert client.post("/Storefront/Orders/Get", {"orderId": "x"}, bearer(login["token"])).verdict == (404, -3)
    wrong = {"email": email, "password": "another phrase of mine"}
    assert client.post("/Storefront/Customers/Login", wrong).verdict == (400, -26), (
        "a second registration changes nothing"
    )


def test_anyone_can_browse_the_catalogue_of_a_shop(each_shop: Shop) -> None:
    client = each_shop.client()

    listed = client.data("/Storefront/Products/List", {"pageSize": 200})["items"]

    card = next(one for one in listed if one["customerStoreProductId"] == each_shop.card)
    assert (card["name"], card["price"], card["currency"]) == ("Card 5", Decimal("5.00"), "USD")
    assert client.data(f"/Storefront/Products/Detail/{each_shop.card}") == card
    assert each_shop.storefront.data(f"/Storefront/Products/Detail/{each_shop.card}") == card, (
        "a good token does no harm"
    )


def test_a_checkout_reserves_is_paid_and_shows_its_codes(each_shop: Shop) -> None:
    customer, payments = each_shop.storefront, each_shop.payments
    items = [{"productId": each_shop.card, "quantity": 2}]
    request = {"items": items, "reference": fresh("checkout")}
    stock = _available(each_shop)

    order = customer.data("/Storefront/Checkout/Create", request)

    assert (order["state"], order["total"], order["currency"]) == ("awaitingPayment", Decimal("10.00"), "USD")
    assert order["expires"] > order["created"]
    assert (order["items"][0]["status"], order["items"][0]["deliveryData"]) == (2, None)
    assert _available(each_shop) == stock - 2, "the goods are reserved"
    assert customer.data("/Storefront/Checkout/Create", request)["orderId"] == order["orderId"]
    announced = {"orderId": order["orderId"], "amount": 10, "reference": fresh("payment")}
    payment = payments.data("/Payment/Payments/Create", announced)
    assert (payment["state"], payment["amount"], payment["currency"]) == ("created", Decimal("10.00"), "USD")
    assert payments.data("/Payment/Payments/Create", announced) == payment
    assert payments.post("/Payment/Payments/Create", {**announced, "amount": 9}).verdict == (409, -8)
    captured = payments.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})
    assert captured["state"] == "captured"
    assert payments.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})["state"] == "captured"
    read = customer.data("/Storefront/Orders/Get", {"orderId": order["orderId"]})
    assert (read["state"], read["expires"], read["items"][0]["status"]) == ("placed", None, 1)
    assert len(set(read["items"][0]["deliveryData"])) == 2
    second = {**announced, "reference": fresh("payment")}
    assert payments.post("/Payment/Payments/Create", second).verdict == (409, -401), "it is paid already"


def test_a_checkout_fulfilled_by_a_supplier_is_requested_once_it_is_paid(each_shop: Shop) -> None:
    customer, payments, supplier = each_shop.storefront, each_shop.payments, each_shop.supplies
    required = line(each_shop.topup, topup=each_shop.topup)["requireData"]
    items = [{"productId": each_shop.topup, "quantity": 1, "requireData": required}]
    order = customer.data("/Storefront/Checkout/Create", {"items": items})
    detail = order["items"][0]["orderDetailId"]

    assert detail not in _waiting(each_shop), "nobody is asked before it is paid"
    payment = {"orderId": order["orderId"], "amount": 7.25, "reference": fresh("payment")}
    paid = payments.data("/Payment/Payments/Create", payment)["paymentId"]
    payments.data("/Payment/Payments/Capture", {"paymentId": paid})

    assert detail in _waiting(each_shop)
    code = fresh("TOP")
    supplier.data("/Supplier/Orders/Deliver", {"orderDetailId": detail, "deliveryData": [code]})
    read = customer.data("/Storefront/Orders/Get", {"orderId": order["orderId"]})
    assert (read["items"][0]["status"], read["items"][0]["deliveryData"]) == (1, [code])


def test_a_customer_cancels_a_checkout_and_its_payment_is_refused_for_good(each_shop: Shop) -> None:
    customer, payments = each_shop.storefront, each_shop.payments
    stock = _available(each_shop)
    items = [{"productId": each_shop.card, "quantity": 3}]
    order = customer.data("/Storefront/Checkout/Create", {"items": items})
    announced = {"orderId": order["orderId"], "amount": 15, "reference": fresh("payment")}
    payment = payments.data("/Payment/Payments/Create", announced)["paymentId"]

    for _ in range(2):
        cancelled = customer.data("/Storefront/Checkout/Cancel", {"orderId": order["orderId"]})
        assert (cancelled["state"], cancelled["expires"]) == ("cancelled", None)

    assert _available(each_shop) == stock
    again = [("Idempotency-Key", fresh("capture"))]
    for lines in ((), again, again):
        refused = payments.post("/Payment/Payments/Capture", {"paymentId": payment}, lines)
        assert refused.verdict == (409, -402)
        assert refused.json["data"] == {"refundAmount": Decimal("15.00"), "currency": "USD", "items": []}
    assert payments.data("/Payment/Payments/Create", announced)["state"] == "refused"
    assert payments.data("/Payment/Payments/Cancel", {"paymentId": payment})["state"] == "refused"
    assert customer.post("/Storefront/Checkout/Cancel", {"orderId": "ord_x"}).verdict == (404, -3)


def test_a_paid_checkout_cannot_be_cancelled_and_a_closed_payment_not_be_captured(each_shop: Shop) -> None:
    customer, payments = each_shop.storefront, each_shop.payments
    order = customer.data("/Storefront/Checkout/Create", {"items": [{"productId": each_shop.card, "quantity": 1}]})

    def announce() -> object:
        announced = {"orderId": order["orderId"], "amount": 5, "reference": fresh("payment")}
        return payments.data("/Payment/Payments/Create", announced)["paymentId"]

    closed, paid = announce(), announce()
    assert payments.data("/Payment/Payments/Cancel", {"paymentId": closed})["state"] == "cancelled"
    assert payments.post("/Payment/Payments/Capture", {"paymentId": closed}).verdict == (409, -401)
    payments.data("/Payment/Payments/Capture", {"paymentId": paid})
    assert payments.post("/Payment/Payments/Cancel", {"paymentId": paid}).verdict == (409, -401)
    assert customer.post("/Storefront/Checkout/Cancel", {"orderId": order["orderId"]}).verdict == (409, -8)


def test_a_payment_must_be_the_orders_total(each_shop: Shop) -> None:
    order = each_shop.storefront.data(
        "/Storefront/Checkout/Create", {"items": [{"productId": each_shop.card, "quantity": 1}]}
    )
    refused = each_shop.payments.post(
        "/Payment/Payments/Create", {"orderId": order["orderId"], "amount": 4.99, "reference": fresh("payment")}
    )

    assert refused.verdict == (400, -2)
    assert refused.fields == ["amount"]


def test_a_deposit_is_booked_into_the_partners_balance_once(each_shop: Shop) -> None:
    payments, partner = each_shop.payments, each_shop.reseller
    before = partner.get("/Account/Details").data["balance"]
    announced = {"partner": each_shop.partner_email, "amount": 12.5, "reference": fresh("deposit"), "currency": "usd"}

    deposit = payments.data("/Payment/Deposits/Create", announced)

    assert (deposit["state"], deposit["amount"], deposit["currency"]) == ("created", Decimal("12.50"), "USD")
    assert deposit["partnerId"] == each_shop.partner
    assert partner.get("/Account/Details").data["balance"] == before, "it is only announced"
    for _ in range(2):
        confirmed = payments.data("/Payment/Deposits/Confirm", {"depositId": deposit["depositId"]})
        assert confirmed["state"] == "confirmed"
        assert partner.get("/Account/Details").data["balance"] == before + Decimal("12.50")
    assert payments.data("/Payment/Deposits/Create", announced)["depositId"] == deposit["depositId"]
    assert payments.post("/Payment/Deposits/Create", {**announced, "amount": 13}).verdict == (409, -8)
    by_id = {**announced, "partner": each_shop.partner, "reference": fresh("deposit")}
    assert payments.data("/Payment/Deposits/Create", by_id)["partnerId"] == each_shop.partner
    other = {**announced, "currency": "EUR", "reference": fresh("deposit")}
    assert payments.post("/Payment/Deposits/Create", other).fields == ["currency"]


def test_a_large_deposit_waits_for_the_operator_and_a_larger_one_is_refused(each_shop: Shop) -> None:
    operator, partner = each_shop.operator, each_shop.reseller
    integration = operator.owner(each_shop.id, Surface.PAYMENT, fresh("bank"))
    payments = each_shop.client(None, api_key(operator.key(each_shop.id, Surface.PAYMENT, integration).text))
    operator.within(each_shop.id, lambda tx: set_limits(tx, integration, DepositLimits(50_000_00, 1_000_00), "USD"))

    def announced(amount: str) -> dict[str, object]:
        return {"partner": each_shop.partner, "amount": Decimal(amount), "reference": fresh("deposit")}

    assert payments.post("/Payment/Deposits/Create", announced("1000000")).verdict == (409, -403)
    before = partner.get("/Account/Details").data["balance"]
    large = payments.data("/Payment/Deposits/Create", announced("1000.01"))["depositId"]
    for _ in range(2):
        assert payments.data("/Payment/Deposits/Confirm", {"depositId": large})["state"] == "awaitingApproval"
    assert partner.get("/Account/Details").data["balance"] == before
    for _ in range(2):
        assert operator.within(each_shop.id, lambda tx: approve_deposit(tx, large)).state == 1
    assert partner.get("/Account/Details").data["balance"] == before + Decimal("1000.01")
    assert payments.data("/Payment/Deposits/Confirm", {"depositId": large})["state"] == "confirmed"
    small = payments.data("/Payment/Deposits/Create", announced("1000"))["depositId"]
    operator.within(each_shop.id, lambda tx: set_limits(tx, integration, DepositLimits(999_99, None), "USD"))
    assert payments.post("/Payment/Deposits/Confirm", {"depositId": small}).verdict == (409, -403)
    operator.within(each_shop.id, lambda tx: reject_deposit(tx, small))
    assert payments.post("/Payment/Deposits/Confirm", {"depositId": small}).verdict == (409, -400)


@pytest.mark.parametrize(
    ("path", "login"),
    [("/Login/Customer/Api/Verify", "partner_email"), ("/Storefront/Customers/Login", "customer_email")],
)
def test_a_login_returns_a_working_token_and_its_expiry(each_shop: Shop, path: str, login: str) -> None:
    given = each_shop.client().data(path, {"email": getattr(each_shop, login), "password": PASSWORD})

    assert set(given) == {"token", "expiration", "idleTimeoutSeconds", "callbackData"}
    assert (given["idleTimeoutSeconds"], given["callbackData"]) == (None, None)
    client = each_shop.client(None, bearer(given["token"]))
    if login == "partner_email":
        assert client.get("/Account/Details").data["accountId"] == each_shop.partner
    else:
        items = [{"productId": each_shop.card, "quantity": 1}]
        assert client.data("/Storefront/Checkout/Create", {"items": items})["state"] == "awaitingPayment"


def test_the_documents_are_open_to_all_and_link_to_each_other(each_shop: Shop) -> None:
    client = each_shop.client()
    guide, errors = (client.get(f"/documentation/guides/{name}") for name in ("authentication", "errors"))

    for page, other in ((guide, b"/documentation/guides/errors"), (errors, b"/documentation/guides/authentication")):
        assert page.status == 200
        assert page.header("content-type") == "text/html; charset=utf-8"
        assert other in page.body
    for number in (-1, -2, -3, -8, -20, -23, -27, -200):
        page, row = client.get(f"/documentation/errors/{number}"), client.get(f"/documentation/errors/{number}.json")
        assert page.status == 200
        assert str(number).encode() in page.body
        assert row.header("content-type") == "application/json"
        assert row.json["code"] == number
    assert client.get("/documentation/errors/-999").verdict == (404, -3)
    assert client.get("/documentation/guides/nothing").verdict == (404, -3)


def _available(shop: Shop) -> int:
    items = shop.supplies.data("/Supplier/Products/List", {"pageSize": 200})["items"]
    return next(int(one["available"]) for one in items if one["productId"] == shop.card)


def _waiting(shop: Shop) -> list[str]:
    items = shop.supplies.data("/Supplier/Orders/Awaiting", {"pageSize": 200})["items"]
    return [one["orderDetailId"] for one in items]
