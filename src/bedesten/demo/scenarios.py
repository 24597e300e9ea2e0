"""The demo as a script: who calls the shop, and what the result must be.

Each function is a scenario, each `with` block a step. `demo` has a client of `bedesten_client` for every surface, made as
your own program would make it (`steps`). The values that a later scenario needs are attributes of `demo`.
"""

import secrets
from decimal import Decimal

from bedesten.demo.accounts import DEVICE, ESIM, GIFT_CARD, PARTNER, SANDBOX_HOST, SHOP, SUPPLIER_NAME, TICKET
from bedesten.demo.steps import Demo, refusal
from bedesten.gate.scopes import SCOPES, Surface
from bedesten_client import BasketLine, LineStatus, RequireData, StorefrontClient, SupplierClient
from bedesten_client.schemas import Account

PAYMENT, RESELLER, SUPPLIER, STOREFRONT = "Payment", "Reseller", "Supplier", "Storefront"
WEBHOOK, OPERATOR = "Webhook", "Operator"
API_KEY, BEARER, LOGIN, NONE = "API key", "bearer token", "password", "none"

ORDER = "demo-1001"
TENANT = ("--tenant", SHOP)
EID = "89049032007108882600012345678901"
CUSTOMER = "ada@customer.example"
SECOND_SUPPLIER = "Marmara Codes"
CODES = [f"LNTN-{secrets.token_hex(6).upper()}" for _ in range(400)]
CONNECTIONS = 8


def the_shelf_is_filled(demo: Demo) -> None:
    """A supplier uploads the codes that are sold from stock."""
    with demo.step("The supplier uploads codes", SUPPLIER, API_KEY):
        (gift_card,) = (one for one in demo.supplier.each_product() if one.name == GIFT_CARD)
        uploaded = demo.supplier.upload_stock(gift_card.product_id, CODES)
        demo.check("every code is in stock", uploaded.added, len(CODES))


def money_comes_in(demo: Demo) -> None:
    """The back office books what the partner has paid in advance."""
    with demo.step("A deposit is announced", PAYMENT, API_KEY):
        deposit = demo.payment.create_deposit(PARTNER, Decimal("1000.00"), "wire-20417")
        demo.check("the deposit waits for its confirmation", deposit.state, "created")

    with demo.step("The deposit is confirmed", PAYMENT, API_KEY):
        confirmed = demo.payment.confirm_deposit(deposit.deposit_id)
        demo.check("the partner has the money", (confirmed.state, confirmed.amount), ("confirmed", deposit.amount))


def a_partner_buys(demo: Demo) -> None:
    """A partner orders a product from stock and one that a supplier delivers on demand."""
    with demo.step("The partner gets a token", RESELLER, LOGIN):
        token = demo.partner.generate_token(PARTNER, demo.accounts.partner_password, callback_data={"register": 7})
        demo.token = token.token.reveal()
        demo.check("the token has a header, claims and a signature", demo.token.count("."), 2)
        demo.check("callbackData is returned unchanged", token.callback_data, {"register": 7})

    with demo.step("It reads its balance", RESELLER, BEARER):
        account = demo.partner.account()  # the client logs in by itself, and again before its token expires
        demo.check("the deposit is booked, nothing is held", _money(account), ("1000.00", "0.00", "1000.00"))

    with demo.step("It browses", RESELLER, BEARER):
        demo.check("two categories", [one.name for one in demo.partner.categories()], ["Gift cards", "eSIMs"])
        demo.products = {one.name: one.customer_store_product_id for one in demo.partner.each_product(page_size=10)}
        demo.check("one product from stock, one from the supplier", sorted(demo.products), [GIFT_CARD, ESIM])

    basket = [BasketLine("gift", demo.products[GIFT_CARD], 2), _esim(demo, "esim")]
    with demo.step("It orders two lines", RESELLER, BEARER):
        order = demo.partner.create_order(ORDER, basket)
        demo.lines = {line.deliver_id: line.order_detail_id for line in order.details}
        status = {line.deliver_id: line.status for line in order.details}
        demo.check("2 × 24.00 + 13.50 is 61.50", order.total, Decimal("61.50"))
        demo.check("the gift cards are delivered at once (1)", status["gift"], LineStatus.DELIVERED)
        demo.check("the eSIM is being processed (2)", status["esim"], LineStatus.PROCESSING)

    with demo.step("The same order, sent again", RESELLER, BEARER):
        demo.check("the same reference is the same order", demo.partner.create_order(ORDER, basket), order)
        money = _money(demo.partner.account())
        demo.check("paid once: 48.00 spent, 13.50 held for the eSIM", money, ("952.00", "13.50", "938.50"))

    with demo.step("The word Bearer is missing", RESELLER, NONE):
        answer = demo.send("POST", "/Orders/Create", {"Authorization": demo.token})
        demo.check("a token without the word Bearer is not a credential", answer, (401, -20))


def a_supplier_delivers(demo: Demo) -> None:
    """The supplier delivers what waits for it, and the partner hears of it."""
    with demo.step("The supplier sees the line", SUPPLIER, API_KEY):
        waiting = demo.supplier.list_awaiting().items
        demo.check("only the eSIM's line waits", [one.order_detail_id for one in waiting], [demo.lines["esim"]])
        demo.check("with the device that the buyer named", waiting[0].require_data[0].value, EID)

    with demo.step("It delivers the code", SUPPLIER, API_KEY):
        code = _activation_code()
        line = demo.supplier.deliver(demo.lines["esim"], [code])
        demo.check("the line is delivered (1)", line.status, LineStatus.DELIVERED)
        demo.check("no line waits any more", demo.supplier.list_awaiting().items, ())

    with demo.step("The API key is missing", SUPPLIER, NONE):
        demo.check("it is refused", demo.send("POST", "/Supplier/Products/List", {}), (401, -23))

    with demo.step("The partner has its order", RESELLER, BEARER):
        order = demo.partner.get_order(order_reference=ORDER)
        demo.codes = {one.deliver_id: one.delivery_data or () for one in order.details}
        demo.check("every line is delivered", {one.status for one in order.details}, {LineStatus.DELIVERED})
        demo.check("two gift cards, two different codes", len(set(demo.codes["gift"])), 2)
        demo.check("the eSIM has the code from the supplier", demo.codes["esim"], (code,))
        demo.check("the held 13.50 are spent", _money(demo.partner.account()), ("938.50", "0.00", "938.50"))

    with demo.step("The partner gets webhooks", WEBHOOK, "signature"):
        received = demo.receiver.deliveries  # each with a valid signature: the receiver refuses others
        demo.wait_until(lambda: len(received) >= 3)
        for delivery in received:
            demo.reporter.delivery(delivery)
        events = [delivery.event for delivery in received]
        changes = sorted(f"{event.deliver_id} {event.type}" for event in events)
        expected = ["esim order_line.delivered", "esim order_line.processing", "gift order_line.delivered"]
        demo.check("one signed webhook for each change of a line", changes, expected)
        codes = {event.deliver_id: event.delivery_data for event in events if event.delivery_data}
        demo.check("with the codes of the order", codes, demo.codes)
        keys = {delivery.headers["Apikey"] for delivery in received}
        demo.check("and with the partner's Apikey header", keys, {demo.accounts.webhook_key})


def a_customer_buys(demo: Demo) -> None:
    """A customer buys in the web shop, and a payment service captures the payment."""
    with demo.step("A customer looks around", STOREFRONT, NONE):
        demo.check("the catalogue is public", demo.customer.list_products(page_size=1).items[0].name, GIFT_CARD)

    with demo.step("She registers", STOREFRONT, NONE):
        password = secrets.token_urlsafe(18)
        first = demo.customer.register(CUSTOMER, password, name="Ada")
        second = demo.customer.register(CUSTOMER, secrets.token_urlsafe(18), name="Ada")
        demo.check("a known e-mail gets the same response as a new one", second, first)

    with demo.step("She logs in", STOREFRONT, LOGIN):
        token = demo.customer.login(CUSTOMER, password).token.reveal()
        answer = demo.send("GET", "/Account/Details", {"Authorization": f"Bearer {token}"})
        demo.check("a customer's token is not valid on the Reseller surface", answer, (401, -21))

    with demo.step("She checks her basket out", STOREFRONT, BEARER):
        basket = demo.customer.add_to_basket(demo.products[GIFT_CARD], 1)
        demo.check("the basket has one line that can be ordered", (basket.units, basket.orderable), (1, True))
        order = demo.customer.create_checkout(from_basket=True, expected_total=basket.total)
        demo.check("24.00 to pay", (order.state, order.total), ("awaitingPayment", Decimal("24.00")))
        demo.check("the code is reserved, and not shown yet", order.items[0].delivery_data, None)

    with demo.step("She pays, and the payment is captured", PAYMENT, API_KEY):
        started = demo.customer.start_payment(order.order_id, "card")
        waiting = [one.payment_id for one in demo.payment.list_payments(state="created").items]
        demo.check("the payment service finds it", waiting, [started.payment_id])
        demo.check("the payment is captured", demo.payment.capture_payment(started.payment_id).state, "captured")

    with demo.step("She reads her code", STOREFRONT, BEARER):
        found = demo.customer.get_order(order.order_id)
        codes = found.items[0].delivery_data or ()
        demo.check("paid and delivered (1)", (found.state, found.items[0].status), ("placed", LineStatus.DELIVERED))
        demo.check("the customer has one code", len(codes), 1)
        demo.check("which nobody else has", codes[0] in demo.codes["gift"], False)

    with demo.step("She forgets her password", STOREFRONT, NONE):
        demo.customer.forgot_password(CUSTOMER)
        mails = [(one["kind"], one["state"]) for one in demo.operate("mail", "list", *TENANT)["mails"]]
        demo.check("a mail with a link waits: the demo has no mail server", mails, [("reset", "waiting")])


def a_day_with_trouble(demo: Demo) -> None:
    """Cancellation, a late supplier, a complaint and a refund."""
    with demo.step("A partner changes its mind", RESELLER, BEARER):
        order = demo.partner.create_order("demo-1002", [_esim(demo, "change of mind")])
        demo.check("13.50 are held", demo.partner.account().held, Decimal("13.50"))
        cancelled = demo.partner.cancel_order(order.order_id, reason="the traveller stays at home")
        demo.check("the line is cancelled (0)", cancelled.details[0].status, LineStatus.CANCELLED)
        demo.check("the money is available again", _money(demo.partner.account()), ("938.50", "0.00", "938.50"))

    with demo.step("A supplier lets its time pass", SUPPLIER, API_KEY):
        demo.operate("suppliers", "create", SECOND_SUPPLIER, *TENANT)
        made = demo.operate("keys", "create", "--surface", "supplier", "--owner", SECOND_SUPPLIER, *TENANT)
        second = SupplierClient(demo.url, key=made["key"], http=demo.http)
        demo.operate("suppliers", "add-product", SECOND_SUPPLIER, "--product", "SILK-5GB", "--cost", "12", *TENANT)
        demo.operate("suppliers", "set", SUPPLIER_NAME, "--deliver-within", "1s", *TENANT)
        late = demo.partner.create_order("demo-1003", [_esim(demo, "esim")]).details[0].order_detail_id
        demo.check("the first supplier has the line", _awaits(demo.supplier, late), True)
        demo.wait_until(lambda: _awaits(second, late))
        demo.check("after its second has passed, the next supplier has it", _awaits(second, late), True)
        demo.check("and the first one no longer has", _awaits(demo.supplier, late), False)

    with demo.step("The next supplier delivers", SUPPLIER, API_KEY):
        second.accept(late)
        code = _activation_code()
        demo.check("the line is delivered (1)", second.deliver(late, [code]).status, LineStatus.DELIVERED)
        demo.check("the partner has the code", demo.partner.order_detail(late).delivery_data, (code,))

    gift = demo.lines["gift"]
    with demo.step("A code does not work", RESELLER, BEARER):
        bad = demo.codes["gift"][0]
        complaint = demo.partner.create_complaint(gift, "ALREADY_REDEEMED", code=bad)
        demo.check("the complaint is open", complaint.state, "open")
        demo.operate("complaints", "replace", complaint.complaint_id, "--text", "Sorry! Here is a new one.", *TENANT)
        demo.check("it is replaced", demo.partner.get_complaint(complaint.complaint_id).state, "replaced")
        codes = demo.partner.order_detail(gift).delivery_data or ()
        demo.check("the line has two codes again, without the bad one", (len(codes), bad in codes), (2, False))

    with demo.step("A part is refunded", OPERATOR, NONE):
        before = demo.partner.account().balance
        words = ("orders", "refund", gift, "--amount", "4.00", "--reason", "goodwill", "--key", "demo-1")
        demo.operate(*words, *TENANT)
        demo.operate(*words, *TENANT)  # the same --key refunds once
        demo.check("4.00 came back, once", demo.partner.account().balance - before, Decimal("4.00"))


def one_server_has_several_shops(demo: Demo) -> None:
    """The host of a request decides which shop answers. Credentials of one shop are unknown in another."""
    sandbox = demo.connect(SANDBOX_HOST)
    with demo.step("Another host, another shop", SUPPLIER, API_KEY):
        supplier = SupplierClient(demo.url, key=demo.accounts.sandbox_supplier_key, http=sandbox)
        (ticket,) = supplier.list_products().items
        demo.check("another catalogue", ticket.name, TICKET)
        supplier.upload_stock(ticket.product_id, CODES[:20])  # a code is unique in its shop only

    with demo.step("Credentials of another shop", SUPPLIER, API_KEY):
        stranger = SupplierClient(demo.url, key=demo.accounts.supplier_key, http=sandbox)
        demo.check("the API key of demo is unknown there", refusal(stranger.list_products), (401, -23))
        token = {"Host": SANDBOX_HOST, "Authorization": f"Bearer {demo.token}"}
        answer = demo.send("GET", "/Account/Details", token)
        demo.check("the token of demo is not valid there", answer, (401, -21))

    with demo.step("A host that no shop has", STOREFRONT, NONE):
        nowhere = StorefrontClient(demo.url, http=demo.connect("third.example"))
        demo.check("there is no default shop", refusal(nowhere.list_products), (421, -10))


def revocation_is_immediate(demo: Demo) -> None:
    """What the operator revokes is gone on the next request, whichever process serves it."""
    with demo.step("An API key is revoked", SUPPLIER, API_KEY):
        connections = [demo.connect(shown=False) for _ in range(CONNECTIONS)]
        others = [SupplierClient(demo.url, key=demo.accounts.supplier_key, http=one) for one in connections]
        accepted = [refusal(other.list_products) for other in others]
        demo.check("the API key works, on 8 connections", accepted, [None] * CONNECTIONS)
        demo.operate("keys", "revoke", demo.accounts.supplier_key_id)
        demo.check("its very next call is refused", refusal(demo.supplier.list_products), (401, -23))
        refused = [refusal(other.list_products) for other in others]
        demo.check("and so is the next call on each of those connections", refused, [(401, -23)] * CONNECTIONS)

    with demo.step("A scope is removed", RESELLER, BEARER):
        scopes = sorted(SCOPES[Surface.RESELLER] - {"orders:create"})
        words = [word for scope in scopes for word in ("--scope", scope)]
        demo.operate("partners", "scopes", PARTNER, *words, *TENANT)
        before = demo.partner.account().balance
        line = BasketLine("1", demo.products[GIFT_CARD], 1)
        refused_order = refusal(lambda: demo.partner.create_order("demo-1004", [line]))
        demo.check("the token is valid, but lacks the scope orders:create", refused_order, (403, -24))
        account = demo.partner.account()
        demo.check("the other scopes still work", "orders:create" in account.scopes, False)
        demo.check("and no money was spent", account.balance, before)

    with demo.step("The store is checked", OPERATOR, NONE):
        found = demo.operate("check")
        demo.check("every transfer, hold, code and webhook is consistent", found, {"ok": True, "violations": []})


SCENARIOS = (
    the_shelf_is_filled, money_comes_in, a_partner_buys, a_supplier_delivers, a_customer_buys, a_day_with_trouble,
    one_server_has_several_shops, revocation_is_immediate,
)  # fmt: skip
"""The whole demo, in this order. The names are the titles."""


def _esim(demo: Demo, deliver_id: str) -> BasketLine:
    device = RequireData(product_require_id=DEVICE, identifier="EID", value=EID)
    return BasketLine(deliver_id, demo.products[ESIM], 1, require_data=(device,))


def _activation_code() -> str:
    return f"LPA:1$smdp.example${secrets.token_hex(8).upper()}"


def _awaits(supplier: SupplierClient, line: str) -> bool:
    return line in [one.order_detail_id for one in supplier.list_awaiting().items]


def _money(account: Account) -> tuple[str, str, str]:
    """Balance, held and available."""
    return f"{account.balance:.2f}", f"{account.held:.2f}", f"{account.available:.2f}"
