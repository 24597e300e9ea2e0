"""The demo's steps: who does what, and what must result."""

import contextlib
import secrets
import time
from decimal import Decimal

import httpx2

from bedesten.demo.accounts import DEMO, ESIM, GIFT_CARD, METHOD, REQUIREMENT, SANDBOX_HOST
from bedesten.demo.receiver import Delivery
from bedesten.demo.recorder import Exchange, Recorder
from bedesten.demo.steps import Step, StepContext, scenario
from bedesten.gate.scopes import SCOPES, Surface
from bedesten_client import (
    BasketLine,
    LineStatus,
    RequireData,
    Secret,
    StorefrontClient,
    SupplierClient,
    Unauthorized,
)
from bedesten_client.schemas import Account

DEPOSIT = Decimal("1000.00")
ORDER = "demo-1001"
EID = "89049032007108882600012345678901"
CUSTOMER = "ada@customer.example"
CONNECTIONS = 8
WEBHOOKS_TIMEOUT_S = 20.0
NEXT_SUPPLIER_TIMEOUT_S = 30.0
SECOND_SUPPLIER = "Marmara Codes"

PAYMENT, RESELLER, SUPPLIER, STOREFRONT = "Payment", "Reseller", "Supplier", "Storefront"
WEBHOOK, OPERATOR = "Webhook", "Operator"
API_KEY, BEARER, LOGIN, NONE = "API key", "bearer token", "password", "none"


def announce_deposit(ctx: StepContext) -> None:
    deposit = ctx.payment.create_deposit(ctx.accounts.partner.email, DEPOSIT, "wire-20417")
    ctx.check("the deposit waits for its confirmation", (deposit.state, deposit.amount), ("created", DEPOSIT))
    ctx.memory.deposit = deposit.deposit_id


def confirm_deposit(ctx: StepContext) -> None:
    ctx.check("the partner has the money", ctx.payment.confirm_deposit(ctx.memory.deposit).state, "confirmed")


def generate_token(ctx: StepContext) -> None:
    partner = ctx.accounts.partner
    token = ctx.reseller.generate_token(partner.email, partner.password.reveal(), callback_data={"register": 7})
    ctx.memory.token = token.token
    ctx.check("the token has a header, claims and a signature", token.token.reveal().count("."), 2)
    ctx.check("callbackData is returned unchanged", token.callback_data, {"register": 7})


def read_account(ctx: StepContext) -> None:
    ctx.check("the deposit is booked, nothing is held", _money(ctx.reseller.account()), (DEPOSIT, Decimal(0), DEPOSIT))


def browse(ctx: StepContext) -> None:
    ctx.check("two categories", [one.name for one in ctx.reseller.categories()], ["Gift cards", "eSIMs"])
    ids = {one.name: one.customer_store_product_id for one in ctx.reseller.each_product(page_size=10)}
    ctx.check("one product from stock, one from the supplier", sorted(ids), [GIFT_CARD, ESIM])
    ctx.memory.gift_card, ctx.memory.esim = ids[GIFT_CARD], ids[ESIM]


def order(ctx: StepContext) -> None:
    ctx.memory.order = placed = ctx.reseller.create_order(ORDER, _basket(ctx))
    lines = {one.deliver_id: one.status for one in placed.details}
    ctx.check("2 × 24.00 + 13.50 is 61.50", placed.total, Decimal("61.50"))
    ctx.check("the gift cards are delivered at once (1)", lines["gift"], LineStatus.DELIVERED)
    ctx.check("the eSIM is being processed (2)", lines["esim"], LineStatus.PROCESSING)


def order_again(ctx: StepContext) -> None:
    ctx.check("the same reference is the same order", ctx.reseller.create_order(ORDER, _basket(ctx)), ctx.memory.order)
    expected = (Decimal("952.00"), Decimal("13.50"), Decimal("938.50"))
    ctx.check("paid once: 48.00 spent, 13.50 held for the eSIM", _money(ctx.reseller.account()), expected)


def order_without_bearer(ctx: StepContext) -> None:
    headers = {"Authorization": ctx.memory.token.reveal()}
    claim = "a token without the word Bearer is not a credential"
    ctx.refused_request("POST", "/Orders/Create", headers, 401, -20, claim)


def see_awaiting(ctx: StepContext) -> None:
    waiting = ctx.supplier.list_awaiting().items
    ctx.check("only the eSIM's line waits", [one.order_detail_id for one in waiting], [_esim_line(ctx)])
    values = [(one.product_require_id, one.value) for one in waiting[0].require_data]
    ctx.check("with the device that the buyer named", values, [(REQUIREMENT, EID)])


def deliver(ctx: StepContext) -> None:
    ctx.memory.activation_code = f"LPA:1$smdp.example${secrets.token_hex(8).upper()}"
    line = ctx.supplier.deliver(_esim_line(ctx), [ctx.memory.activation_code])
    ctx.check("the line is delivered (1)", line.status, LineStatus.DELIVERED)
    ctx.check("no line waits any more", ctx.supplier.list_awaiting().items, ())


def list_without_key(ctx: StepContext) -> None:
    claim = "without the header ApiKey every request is refused"
    ctx.refused_request("POST", "/Supplier/Products/List", {}, 401, -23, claim)


def read_order(ctx: StepContext) -> None:
    found = ctx.reseller.get_order(order_reference=ORDER)
    ctx.memory.codes = {line.deliver_id: line.delivery_data or () for line in found.details}
    ctx.check("every line is delivered", {line.status for line in found.details}, {LineStatus.DELIVERED})
    ctx.check("two gift cards, two different codes", len(set(ctx.memory.codes["gift"])), 2)
    ctx.check("the eSIM has the code from the supplier", ctx.memory.codes["esim"], (ctx.memory.activation_code,))
    expected = (Decimal("938.50"), Decimal(0), Decimal("938.50"))
    ctx.check("the held 13.50 are spent", _money(ctx.reseller.account()), expected)


def receive_webhooks(ctx: StepContext) -> None:
    expected = [("esim", LineStatus.DELIVERED), ("esim", LineStatus.PROCESSING), ("gift", LineStatus.DELIVERED)]
    received = ctx.receiver.wait_for(lambda so_far: len(so_far) >= len(expected), WEBHOOKS_TIMEOUT_S)
    for delivery in received:
        ctx.reporter.delivery(delivery)
    ctx.check("one webhook for each change of a line", sorted(map(_change, received)), expected)
    bodies = [one.body for one in received if one.body["status"] == LineStatus.DELIVERED]
    codes = {body["deliverId"]: tuple(body["deliveryData"]) for body in bodies}
    ctx.check("with the codes of the order", codes, ctx.memory.codes)
    ctx.check("every signature and every Apikey header is right", ctx.receiver.refused, 0)


def look_around(ctx: StepContext) -> None:
    ctx.check("the catalogue is public", ctx.storefront.list_products(page_size=1).items[0].name, GIFT_CARD)


def register(ctx: StepContext) -> None:
    ctx.memory.customer_password = secrets.token_urlsafe(18)
    first = ctx.storefront.register(CUSTOMER, ctx.memory.customer_password, name="Ada")
    second = ctx.storefront.register(CUSTOMER, secrets.token_urlsafe(18), name="Ada")
    ctx.check("a known e-mail gets the same response as a new one", second, first)


def log_in(ctx: StepContext) -> None:
    token = ctx.storefront.login(CUSTOMER, ctx.memory.customer_password).token
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    claim = "a customer's token is not valid on the Reseller surface"
    ctx.refused_request("GET", "/Account/Details", headers, 401, -21, claim)


def check_out(ctx: StepContext) -> None:
    basket = ctx.storefront.add_to_basket(ctx.memory.gift_card, 1)
    ctx.check("the basket has one line that can be ordered", (basket.units, basket.orderable), (1, True))
    checkout = ctx.storefront.create_checkout(from_basket=True, expected_total=basket.total)
    ctx.memory.customer_order = checkout.order_id
    ctx.check("24.00 to pay", (checkout.state, checkout.total), ("awaitingPayment", Decimal("24.00")))
    ctx.check("the code is reserved, and not shown yet", checkout.items[0].delivery_data, None)


def capture_payment(ctx: StepContext) -> None:
    started = ctx.storefront.start_payment(ctx.memory.customer_order, METHOD)
    waiting = ctx.payment.list_payments(state="created").items
    ctx.check("the payment service finds it", [one.payment_id for one in waiting], [started.payment_id])
    ctx.check("the payment is captured", ctx.payment.capture_payment(started.payment_id).state, "captured")


def read_code(ctx: StepContext) -> None:
    found = ctx.storefront.get_order(ctx.memory.customer_order)
    line = found.items[0]
    ctx.check("paid and delivered (1)", (found.state, line.status), ("placed", LineStatus.DELIVERED))
    codes = set(line.delivery_data or ())
    ctx.check("the customer has one code", len(codes), 1)
    ctx.check("which nobody else has", codes & set(ctx.memory.codes["gift"]), set())


def forget_password(ctx: StepContext) -> None:
    ctx.storefront.forgot_password(CUSTOMER)
    mails = [(one["kind"], one["state"]) for one in ctx.operate("mail", "list", "--tenant", DEMO)["mails"]]
    ctx.check("a mail with a link waits for a mail server, which the demo has not", mails, [("reset", "waiting")])


def cancel_order(ctx: StepContext) -> None:
    placed = ctx.reseller.create_order("demo-1002", [_esim(ctx, "change of mind")])
    ctx.check("13.50 are held", ctx.reseller.account().held, Decimal("13.50"))
    cancelled = ctx.reseller.cancel_order(placed.order_id, reason="the traveller stays at home")
    ctx.check("the line is cancelled (0)", cancelled.details[0].status, LineStatus.CANCELLED)
    expected = (Decimal("938.50"), Decimal(0), Decimal("938.50"))
    ctx.check("the money is available again", _money(ctx.reseller.account()), expected)


def miss_deadline(ctx: StepContext) -> None:
    ctx.operate("suppliers", "create", SECOND_SUPPLIER, "--tenant", DEMO)
    made = ctx.operate("keys", "create", "--tenant", DEMO, "--surface", "supplier", "--owner", SECOND_SUPPLIER)
    ctx.memory.second_supplier = Secret(made["key"])
    ctx.operate("suppliers", "add-product", SECOND_SUPPLIER, "--tenant", DEMO, "--product", "SILK-5GB", "--cost", "12")
    ctx.operate("suppliers", "set", ctx.accounts.supplier_id, "--tenant", DEMO, "--deliver-within", "1s")
    placed = ctx.reseller.create_order("demo-1003", [_esim(ctx, "esim")])
    ctx.memory.late_line = placed.details[0].order_detail_id
    ctx.check("the first supplier has the line", _awaits(ctx.supplier, ctx.memory.late_line), True)
    second = ctx.supplier_at(ctx.url(), key=ctx.memory.second_supplier)
    deadline = time.monotonic() + NEXT_SUPPLIER_TIMEOUT_S
    while not _awaits(second, ctx.memory.late_line) and time.monotonic() < deadline:
        time.sleep(0.5)
    ctx.check("after its second has passed, the next supplier has it", _awaits(second, ctx.memory.late_line), True)
    ctx.check("and the first one no longer has", _awaits(ctx.supplier, ctx.memory.late_line), False)


def deliver_second(ctx: StepContext) -> None:
    second = ctx.supplier_at(ctx.url(), key=ctx.memory.second_supplier)
    second.accept(ctx.memory.late_line)
    code = f"LPA:1$smdp.example${secrets.token_hex(8).upper()}"
    ctx.check("the line is delivered (1)", second.deliver(ctx.memory.late_line, [code]).status, LineStatus.DELIVERED)
    found = ctx.reseller.order_detail(ctx.memory.late_line)
    ctx.check("the partner has the code", found.delivery_data, (code,))


def complain(ctx: StepContext) -> None:
    bad = ctx.memory.codes["gift"][0]
    complaint = ctx.reseller.create_complaint(_gift_line(ctx), "ALREADY_REDEEMED", code=bad)
    ctx.check("the complaint is open", complaint.state, "open")
    ctx.operate(
        "complaints", "replace", complaint.complaint_id, "--tenant", DEMO, "--text", "Sorry! Here is a new one."
    )
    answered = ctx.reseller.get_complaint(complaint.complaint_id)
    ctx.check("it is replaced", answered.state, "replaced")
    codes = ctx.reseller.order_detail(_gift_line(ctx)).delivery_data or ()
    ctx.check("the line has two codes again, without the bad one", (len(codes), bad in codes), (2, False))


def refund(ctx: StepContext) -> None:
    before = ctx.reseller.account().balance
    words = (_gift_line(ctx), "--tenant", DEMO, "--amount", "4.00", "--reason", "goodwill", "--key", "demo-1")
    ctx.operate("orders", "refund", *words)
    ctx.operate("orders", "refund", *words)
    ctx.check("4.00 came back, once", ctx.reseller.account().balance - before, Decimal("4.00"))


def another_shop(ctx: StepContext) -> None:
    key = Secret(ctx.accounts.sandbox_supplier.secret.reveal())
    products = SupplierClient(ctx.url(SANDBOX_HOST), key=key, http=ctx.http).list_products()
    ctx.check("another catalogue", [one.name for one in products], ["Museum Ticket"])


def wrong_shop(ctx: StepContext) -> None:
    elsewhere = ctx.supplier_at(ctx.url(SANDBOX_HOST))
    ctx.refused(elsewhere.list_products, 401, -23, f"the API key of {DEMO} is unknown there")
    headers = {"Authorization": f"Bearer {ctx.memory.token.reveal()}"}
    url = ctx.url(SANDBOX_HOST) + "/Account/Details"
    ctx.refused_request("GET", url, headers, 401, -21, f"the token of {DEMO} is not valid there")


def unknown_host(ctx: StepContext) -> None:
    nowhere = StorefrontClient(ctx.url("third.example"), allow_http=True, http=ctx.http)
    ctx.refused(nowhere.list_products, 421, -10, "there is no default shop")


def revoke_key(ctx: StepContext) -> None:
    exchanges: list[Exchange] = []
    connections = [httpx2.Client(transport=Recorder(exchanges.append), timeout=10) for _ in range(CONNECTIONS)]
    clients = [ctx.supplier_at(ctx.url(), one) for one in connections]
    for client in clients:
        client.list_products()
    ctx.burst(list(exchanges), "the API key works", 200, None)
    ctx.operate("keys", "revoke", ctx.accounts.supplier.id)
    ctx.refused(ctx.supplier.list_products, 401, -23, "its very next call is refused")
    exchanges.clear()
    for client in clients:
        with contextlib.suppress(Unauthorized):
            client.list_products()
    ctx.burst(exchanges, "and so is every call on the other connections, whichever worker serves it", 401, -23)
    for connection in connections:
        connection.close()


def remove_scope(ctx: StepContext) -> None:
    scopes = sorted(SCOPES[Surface.RESELLER] - {"orders:create"})
    words = [word for scope in scopes for word in ("--scope", scope)]
    ctx.operate("partners", "scopes", ctx.accounts.partner.email, "--tenant", DEMO, *words)
    line = BasketLine("1", ctx.memory.gift_card, 1)
    claim = "the token is valid, but lacks the scope orders:create"
    before = ctx.reseller.account().balance
    ctx.refused(lambda: ctx.reseller.create_order("demo-1004", [line]), 403, -24, claim)
    account = ctx.reseller.account()
    ctx.check("the other scopes still work", "orders:create" in account.scopes, False)
    ctx.check("and no money was spent", account.balance, before)


def check_store(ctx: StepContext) -> None:
    found = ctx.operate("check")
    ctx.check("every transfer, hold, code and webhook is consistent", (found["ok"], found["violations"]), (True, []))


def _basket(ctx: StepContext) -> list[BasketLine]:
    return [BasketLine("gift", ctx.memory.gift_card, 2), _esim(ctx, "esim")]


def _esim(ctx: StepContext, deliver_id: str) -> BasketLine:
    device = RequireData(product_require_id=REQUIREMENT, identifier="EID", value=EID)
    return BasketLine(deliver_id, ctx.memory.esim, 1, require_data=(device,))


def _line(ctx: StepContext, deliver_id: str) -> str:
    assert ctx.memory.order is not None, "an earlier step placed it"
    return next(one.order_detail_id for one in ctx.memory.order.details if one.deliver_id == deliver_id)


def _esim_line(ctx: StepContext) -> str:
    return _line(ctx, "esim")


def _gift_line(ctx: StepContext) -> str:
    return _line(ctx, "gift")


def _awaits(supplier: SupplierClient, line: str) -> bool:
    return line in [one.order_detail_id for one in supplier.list_awaiting().items]


def _money(account: Account) -> tuple[Decimal, Decimal, Decimal]:
    return account.balance, account.held, account.available


def _change(delivery: Delivery) -> tuple[str, int]:
    return delivery.body["deliverId"], delivery.body["status"]


SCENARIOS = (
    scenario(
        "Money comes in",
        Step("A deposit is announced", PAYMENT, API_KEY, announce_deposit),
        Step("The deposit is confirmed", PAYMENT, API_KEY, confirm_deposit),
    ),
    scenario(
        "A partner buys",
        Step("The partner gets a token", RESELLER, LOGIN, generate_token),
        Step("It reads its balance", RESELLER, BEARER, read_account),
        Step("It browses", RESELLER, BEARER, browse),
        Step("It orders two lines", RESELLER, BEARER, order),
        Step("The same order, sent again", RESELLER, BEARER, order_again),
        Step("The word Bearer is missing", RESELLER, NONE, order_without_bearer),
    ),
    scenario(
        "A supplier delivers",
        Step("The supplier sees the line", SUPPLIER, API_KEY, see_awaiting),
        Step("It delivers the code", SUPPLIER, API_KEY, deliver),
        Step("The API key is missing", SUPPLIER, NONE, list_without_key),
        Step("The partner has its order", RESELLER, BEARER, read_order),
        Step("The partner gets webhooks", WEBHOOK, "signature", receive_webhooks),
    ),
    scenario(
        "A customer buys",
        Step("A customer looks around", STOREFRONT, NONE, look_around),
        Step("She registers", STOREFRONT, NONE, register),
        Step("She logs in", STOREFRONT, LOGIN, log_in),
        Step("She checks her basket out", STOREFRONT, BEARER, check_out),
        Step("She pays, and the payment is captured", PAYMENT, API_KEY, capture_payment),
        Step("She reads her code", STOREFRONT, BEARER, read_code),
        Step("She forgets her password", STOREFRONT, NONE, forget_password),
    ),
    scenario(
        "A day with trouble",
        Step("A partner changes its mind", RESELLER, BEARER, cancel_order),
        Step("A supplier lets its time pass", SUPPLIER, API_KEY, miss_deadline),
        Step("The next supplier delivers", SUPPLIER, API_KEY, deliver_second),
        Step("A code does not work", RESELLER, BEARER, complain),
        Step("A part is refunded", OPERATOR, NONE, refund),
    ),
    scenario(
        "Several shops on one server",
        Step("Another host, another shop", SUPPLIER, API_KEY, another_shop),
        Step("Credentials of another shop", SUPPLIER, API_KEY, wrong_shop),
        Step("A host that no shop has", STOREFRONT, NONE, unknown_host),
    ),
    scenario(
        "Revocation is immediate",
        Step("An API key is revoked", SUPPLIER, API_KEY, revoke_key),
        Step("A scope is removed", RESELLER, BEARER, remove_scope),
        Step("The store is checked", OPERATOR, NONE, check_store),
    ),
)
"""The whole demo, in the order of its steps."""
