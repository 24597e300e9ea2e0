"""The steps: who does what, and what has to come of it."""

import secrets
from decimal import Decimal
from typing import Any

from bedesten.demo.receiver import Received
from bedesten.demo.setup import DEMO, ESIM, GIFT_CARD, REQUIRED, SECOND_HOST
from bedesten.demo.stage import Act, Stage, Step
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.orders.model import DELIVERED, PROCESSING

DEPOSIT = Decimal("1000.00")
ORDER = "demo-1001"
EID = "89049032007108882600012345678901"
CUSTOMER = "ada@customer.example"
CONNECTIONS = 8
WEBHOOKS_WITHIN = 20.0

PAYMENT, RESELLER, SUPPLIER, STOREFRONT = "Payment", "Reseller", "Supplier", "Storefront"
WEBHOOK, OPERATOR = "Webhook", "Operator"
API_KEY, BEARER, LOGIN, NOTHING = "API key", "bearer token", "password", "none"


# --- money comes in ---------------------------------------------------------------------------------------------------


def announce_deposit(stage: Stage) -> None:
    body = {"partner": stage.cast.partner.email, "amount": DEPOSIT, "reference": "wire-20417"}
    deposit = stage.ok(_payment(stage, "/Payment/Deposits/Create", body))
    stage.check("the deposit waits to be confirmed", (deposit["state"], deposit["amount"]), ("created", DEPOSIT))
    stage.memory.deposit = deposit["depositId"]


def confirm_deposit(stage: Stage) -> None:
    deposit = stage.ok(_payment(stage, "/Payment/Deposits/Confirm", {"depositId": stage.memory.deposit}))
    stage.check("the money is the partner's", deposit["state"], "confirmed")


# --- a partner buys ---------------------------------------------------------------------------------------------------


def generate_token(stage: Stage) -> None:
    partner = stage.cast.partner
    body = {"email": partner.email, "password": partner.password.reveal(), "callbackData": {"till": 7}}
    data = stage.ok(stage.client.call("POST", "/Login/Customer/Api/Verify", body))
    stage.memory.token = data["token"]
    stage.check("a token: header, claims, signature", data["token"].count("."), 2)
    stage.check("callbackData came back unchanged", data["callbackData"], {"till": 7})


def read_account(stage: Stage) -> None:
    account = stage.ok(stage.client.call("GET", "/Account/Details", token=stage.memory.token))
    stage.check("the deposit has arrived, nothing is held", _money(account), (DEPOSIT, Decimal(0), DEPOSIT))


def browse(stage: Stage) -> None:
    categories = stage.ok(stage.client.call("GET", "/Categories", token=stage.memory.token))
    stage.check("two categories", [one["name"] for one in categories["items"]], ["Gift cards", "eSIMs"])
    products = stage.ok(stage.client.call("POST", "/Products/List", {"pageSize": 10}, token=stage.memory.token))
    ids = {one["name"]: one["customerStoreProductId"] for one in products["items"]}
    stage.check("one product from stock, one from the supplier", sorted(ids), [GIFT_CARD, ESIM])
    stage.memory.gift_card, stage.memory.esim = ids[GIFT_CARD], ids[ESIM]


def order(stage: Stage) -> None:
    memory = stage.memory
    memory.order_body = {
        "orderReference": ORDER,
        "basketData": [
            {"deliverId": "gift", "customerStoreProductId": memory.gift_card, "quantity": 2},
            {
                "deliverId": "esim",
                "customerStoreProductId": memory.esim,
                "quantity": 1,
                "requireData": [{"productRequireId": REQUIRED, "identifier": "EID", "value": EID}],
            },
        ],
    }
    memory.order = stage.ok(stage.client.call("POST", "/Orders/Create", memory.order_body, token=memory.token))
    lines = {one["deliverId"]: one for one in memory.order["details"]}
    stage.check("2 × 24.00 + 13.50 make 61.50", memory.order["total"], Decimal("61.50"))
    stage.check("the gift cards are delivered at once (1)", lines["gift"]["status"], DELIVERED)
    stage.check("the eSIM is being processed (2)", lines["esim"]["status"], PROCESSING)
    memory.esim_line = lines["esim"]["orderDetailId"]


def order_again(stage: Stage) -> None:
    memory = stage.memory
    again = stage.ok(stage.client.call("POST", "/Orders/Create", memory.order_body, token=memory.token))
    stage.check("the same reference is the same order", again, memory.order)
    account = stage.ok(stage.client.call("GET", "/Account/Details", token=memory.token))
    expected = (Decimal("952.00"), Decimal("13.50"), Decimal("938.50"))
    stage.check("paid once: 48.00 taken, 13.50 held for the eSIM", _money(account), expected)


def order_without_bearer(stage: Stage) -> None:
    memory = stage.memory
    answer = stage.client.call("POST", "/Orders/Create", memory.order_body, authorization=memory.token)
    stage.refused(answer, 401, -20, "a token without the word Bearer before it is no credential")


# --- the supplier delivers --------------------------------------------------------------------------------------------


def see_awaiting(stage: Stage) -> None:
    waiting = stage.ok(_supplier(stage, "/Supplier/Orders/Awaiting", {}))["items"]
    stage.check("the eSIM's line waits, and it alone", _ids(waiting), [stage.memory.esim_line])
    said = [(one["productRequireId"], one["value"]) for one in waiting[0]["requireData"]]
    stage.check("with what the buyer said of the device", said, [(REQUIRED, EID)])


def deliver(stage: Stage) -> None:
    stage.memory.activation_code = f"LPA:1$smdp.example${secrets.token_hex(8).upper()}"
    body = {"orderDetailId": stage.memory.esim_line, "deliveryData": [stage.memory.activation_code]}
    line = stage.ok(_supplier(stage, "/Supplier/Orders/Deliver", body))
    stage.check("the line is delivered (1)", line["status"], DELIVERED)
    waiting = stage.ok(_supplier(stage, "/Supplier/Orders/Awaiting", {}))["items"]
    stage.check("nothing waits any more", waiting, [])


def list_without_key(stage: Stage) -> None:
    answer = stage.client.call("POST", "/Supplier/Products/List", {})
    stage.refused(answer, 401, -23, "without the header ApiKey nothing answers here")


def read_order(stage: Stage) -> None:
    memory = stage.memory
    found = stage.ok(stage.client.call("POST", "/Orders/Get", {"orderReference": ORDER}, token=memory.token))
    memory.codes = {line["deliverId"]: line["deliveryData"] for line in found["details"]}
    stage.check("every line is delivered", {line["status"] for line in found["details"]}, {DELIVERED})
    stage.check("two gift cards, two different codes", len(set(memory.codes["gift"])), 2)
    stage.check("the eSIM's code is the one that the supplier sent", memory.codes["esim"], [memory.activation_code])
    account = stage.ok(stage.client.call("GET", "/Account/Details", token=memory.token))
    expected = (Decimal("938.50"), Decimal(0), Decimal("938.50"))
    stage.check("the held 13.50 are paid", _money(account), expected)


def receive_webhooks(stage: Stage) -> None:
    due = {("gift", DELIVERED), ("esim", PROCESSING), ("esim", DELIVERED)}
    received = stage.receiver.wait_for(lambda got: due <= {_told(one) for one in got}, WEBHOOKS_WITHIN)
    stage.deliveries(received)
    stage.check("one webhook for each change of a line", sorted(map(_told, received)), sorted(due))
    codes = {one.body["deliverId"]: one.body["deliveryData"] for one in received if one.body["status"] == DELIVERED}
    stage.check("with the codes that the partner has read itself", codes, stage.memory.codes)
    stage.check("every signature and every Apikey header is right", stage.receiver.refused, 0)


# --- a customer buys --------------------------------------------------------------------------------------------------


def look_around(stage: Stage) -> None:
    products = stage.ok(stage.client.call("POST", "/Storefront/Products/List", {"pageSize": 1}))
    stage.check("anybody may look", products["items"][0]["name"], GIFT_CARD)


def register(stage: Stage) -> None:
    stage.memory.customer_password = secrets.token_urlsafe(18)
    body = {"email": CUSTOMER, "password": stage.memory.customer_password, "name": "Ada"}
    first = stage.ok(stage.client.call("POST", "/Storefront/Customers/Register", body))
    other = {**body, "password": secrets.token_urlsafe(18)}
    second = stage.ok(stage.client.call("POST", "/Storefront/Customers/Register", other))
    stage.check("a known e-mail is answered like an unknown one", second, first)


def log_in(stage: Stage) -> None:
    body = {"email": CUSTOMER, "password": stage.memory.customer_password}
    data = stage.ok(stage.client.call("POST", "/Storefront/Customers/Login", body))
    stage.memory.customer_token = data["token"]
    answer = stage.client.call("GET", "/Account/Details", token=data["token"])
    stage.refused(answer, 401, -21, "a customer's token is nothing on the Reseller surface")


def check_out(stage: Stage) -> None:
    body = {"items": [{"productId": stage.memory.gift_card, "quantity": 1}]}
    token = stage.memory.customer_token
    made = stage.ok(stage.client.call("POST", "/Storefront/Checkout/Create", body, token=token))
    stage.memory.customer_order = made["orderId"]
    stage.check("24.00 to pay", (made["state"], made["total"]), ("awaitingPayment", Decimal("24.00")))
    stage.check("the code is kept for the customer, and not shown", made["items"][0]["deliveryData"], None)


def capture_payment(stage: Stage) -> None:
    body = {"orderId": stage.memory.customer_order, "amount": Decimal("24.00"), "reference": "card-7731"}
    payment = stage.ok(_payment(stage, "/Payment/Payments/Create", body))
    captured = stage.ok(_payment(stage, "/Payment/Payments/Capture", {"paymentId": payment["paymentId"]}))
    stage.check("the payment is captured", captured["state"], "captured")


def read_code(stage: Stage) -> None:
    body, token = {"orderId": stage.memory.customer_order}, stage.memory.customer_token
    found = stage.ok(stage.client.call("POST", "/Storefront/Orders/Get", body, token=token))
    line = found["items"][0]
    stage.check("paid and delivered (1)", (found["state"], line["status"]), ("placed", DELIVERED))
    stage.check("the customer has a code", len(line["deliveryData"]), 1)
    stage.check("and nobody else has it", line["deliveryData"][0] in stage.memory.codes["gift"], False)


# --- walls and rights -------------------------------------------------------------------------------------------------


def another_shop(stage: Stage) -> None:
    key = stage.cast.second_supplier.key.reveal()
    own = stage.ok(stage.client.call("POST", "/Supplier/Products/List", {}, api_key=key, host=SECOND_HOST))
    stage.check("another catalogue", [one["name"] for one in own["items"]], ["Museum Ticket"])


def wrong_shop(stage: Stage) -> None:
    call, key = stage.client.call, stage.cast.supplier.key.reveal()
    answer = call("POST", "/Supplier/Products/List", {}, api_key=key, host=SECOND_HOST)
    stage.refused(answer, 401, -23, f"the API key of {DEMO} is unknown there")
    answer = call("GET", "/Account/Details", token=stage.memory.token, host=SECOND_HOST)
    stage.refused(answer, 401, -21, f"the token of {DEMO} is not valid there")


def unknown_host(stage: Stage) -> None:
    answer = stage.client.call("POST", "/Storefront/Products/List", {}, host="third.example")
    stage.refused(answer, 421, -10, "there is no default shop")


def revoke_key(stage: Stage) -> None:
    cast, path = stage.cast, "/Supplier/Products/List"
    key = cast.supplier.key.reveal()
    with stage.client.already_connected(CONNECTIONS) as ask_each:
        stage.burst(ask_each("POST", path, {}, api_key=key), "the API key works", 200, None)
        stage.operate("keys", "revoke", cast.supplier.id)
        stage.refused(_supplier(stage, path, {}), 401, -23, "its very next call is refused")
        claim = "and so it is on every connection, whichever worker has it"
        stage.burst(ask_each("POST", path, {}, api_key=key), claim, 401, -23)


def take_scope(stage: Stage) -> None:
    token = stage.memory.token
    line = {"deliverId": "1", "customerStoreProductId": stage.memory.gift_card, "quantity": 1}
    body = {"orderReference": "demo-1002", "basketData": [line]}
    kept = sorted(SCOPES[Surface.RESELLER] - {"orders:create"})
    words = [word for scope in kept for word in ("--scope", scope)]
    stage.operate("partners", "scopes", stage.cast.partner.email, "--tenant", DEMO, *words)
    answer = stage.client.call("POST", "/Orders/Create", body, token=token)
    stage.refused(answer, 403, -24, "the token is good, its scope orders:create is gone")
    account = stage.ok(stage.client.call("GET", "/Account/Details", token=token))
    stage.check("what is left of its scopes still works", "orders:create" in account["scopes"], False)
    stage.check("and no money has moved", account["balance"], Decimal("938.50"))


def check_store(stage: Stage) -> None:
    found = stage.operate("check")
    stage.check("every transfer, hold, code and webhook adds up", (found["ok"], found["breaches"]), (True, []))


def _payment(stage: Stage, path: str, body: object) -> Any:
    return stage.client.call("POST", path, body, api_key=stage.cast.payment.key.reveal())


def _supplier(stage: Stage, path: str, body: object) -> Any:
    return stage.client.call("POST", path, body, api_key=stage.cast.supplier.key.reveal())


def _money(account: Any) -> tuple[Decimal, Decimal, Decimal]:
    return account["balance"], account["held"], account["available"]


def _ids(lines: Any) -> list[str]:
    return [one["orderDetailId"] for one in lines]


def _told(delivery: Received) -> tuple[str, int]:
    return delivery.body["deliverId"], delivery.body["status"]


ACTS = (
    Act(
        "Money comes in",
        (
            Step("A deposit is announced", PAYMENT, API_KEY, announce_deposit),
            Step("The deposit is confirmed", PAYMENT, API_KEY, confirm_deposit),
        ),
    ),
    Act(
        "A partner buys",
        (
            Step("The partner gets a token", RESELLER, LOGIN, generate_token),
            Step("It reads its balance", RESELLER, BEARER, read_account),
            Step("It browses", RESELLER, BEARER, browse),
            Step("It orders two lines", RESELLER, BEARER, order),
            Step("The same order, sent again", RESELLER, BEARER, order_again),
            Step("The word Bearer is missing", RESELLER, NOTHING, order_without_bearer),
        ),
    ),
    Act(
        "A supplier delivers",
        (
            Step("The supplier sees the line", SUPPLIER, API_KEY, see_awaiting),
            Step("It delivers the code", SUPPLIER, API_KEY, deliver),
            Step("The API key is missing", SUPPLIER, NOTHING, list_without_key),
            Step("The partner has its order", RESELLER, BEARER, read_order),
            Step("The partner was told", WEBHOOK, "signature", receive_webhooks),
        ),
    ),
    Act(
        "A customer buys",
        (
            Step("A customer looks around", STOREFRONT, NOTHING, look_around),
            Step("She registers", STOREFRONT, NOTHING, register),
            Step("She logs in", STOREFRONT, LOGIN, log_in),
            Step("She checks out", STOREFRONT, BEARER, check_out),
            Step("Her payment is captured", PAYMENT, API_KEY, capture_payment),
            Step("She reads her code", STOREFRONT, BEARER, read_code),
        ),
    ),
    Act(
        "One hall, several shops",
        (
            Step("Another host, another shop", SUPPLIER, API_KEY, another_shop),
            Step("Credentials stay at home", SUPPLIER, API_KEY, wrong_shop),
            Step("A host that no shop has", STOREFRONT, NOTHING, unknown_host),
        ),
    ),
    Act(
        "Instant means instant",
        (
            Step("An API key is revoked", SUPPLIER, API_KEY, revoke_key),
            Step("A scope is taken away", RESELLER, BEARER, take_scope),
            Step("The books are checked", OPERATOR, NOTHING, check_store),
        ),
    ),
)
"""The whole demo, in the order of its steps."""
