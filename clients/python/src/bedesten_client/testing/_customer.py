"""An in-memory model of the shop's one customer: its account and mails, its checkouts, and the payments that it starts."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from bedesten_client.testing._basket import BasketModel
from bedesten_client.testing._endpoints import EndpointModel
from bedesten_client.testing._model import (
    CURRENCY,
    DELIVERED,
    PROCESSING,
    Data,
    Line,
    Order,
    Refusal,
    line_members,
    moment,
)
from bedesten_client.testing._payments import OPEN, Checkout, Payment, PaymentModel
from bedesten_client.testing._shop import ShopModel

CHECKOUT_S = 1_800
STATES = {"unpaid": "awaitingPayment", "paid": "placed", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail to the customer or the partner.

    `kind`: `reset`, `partner-reset`, `verify` or `email`, with the token of the link; `password`, `partner-password` or
    `email-changed` without one.
    """

    kind: str
    recipient: str
    token: str = ""


@dataclass
class CustomerAccount:
    """The customer's account. `password` is also the partner's: the shop has one login."""

    email: str
    password: str
    name: str = "Customer"
    verified: bool = False
    new_email: str = ""
    mails: list[SentMail] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    created: str = field(default_factory=moment)
    end_sessions: Callable[[], None] = lambda: None

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations."""
        return {
            "POST /Storefront/Customers/Profile": lambda _, __: self.profile(),
            "POST /Storefront/Customers/Password/Forgot": self.forgot,
            "POST /Storefront/Customers/Password/Reset": self.reset,
            "POST /Login/Customer/Api/Password/Reset": self.reset_partner,
            "POST /Storefront/Customers/Verify": self.verify,
            "POST /Storefront/Customers/Verify/Send": self.send_verification,
            "POST /Storefront/Customers/Email/Change": self.change_email,
            "POST /Storefront/Customers/Email/Confirm": self.confirm_email,
        }

    def profile(self) -> Data:
        """Return the account as its customer sees it."""
        return {
            "customerId": "cus_00000001",
            "email": self.email,
            "emailVerified": self.verified,
            "name": self.name,
            "created": self.created,
        }

    def forgot(self, body: Data, _: str) -> Data:
        """POST /Storefront/Customers/Password/Forgot: the same answer for an address without an account."""
        if str(body.get("email", "")).strip().lower() == self.email:
            self._mail("reset")
        return {"status": "accepted"}

    def reset(self, body: Data, _: str) -> Data:
        """POST /Storefront/Customers/Password/Reset: with the newest link, once; every session ends."""
        self._check_link("reset", body)
        self.links.pop("reset")
        self.password, self.verified = body["newPassword"], True
        self.end_sessions()
        self.mails.append(SentMail("password", self.email))
        return {"status": "changed"}

    def start_partner_reset(self) -> None:
        """Mail the partner a link to a new password, as the operator does."""
        self._mail("partner-reset")

    def reset_partner(self, body: Data, _: str) -> Data:
        """POST /Login/Customer/Api/Password/Reset: with the newest link, once; every token ends."""
        self._check_link("partner-reset", body)
        self.links.pop("partner-reset")
        self.password = body["newPassword"]
        self.end_sessions()
        self.mails.append(SentMail("partner-password", self.email))
        return {"status": "changed"}

    def verify(self, body: Data, _: str) -> Data:
        """POST /Storefront/Customers/Verify; the link can be used again."""
        self._check_link("verify", body)
        self.verified = True
        return self.profile()

    def change_email(self, body: Data, _: str) -> Data:
        """POST /Storefront/Customers/Email/Change: the link goes to the new address."""
        email = str(body.get("newEmail", "")).strip().lower()
        if body.get("currentPassword") != self.password:
            raise Refusal(400, -26)
        if email == self.email:
            raise Refusal(400, -2, fields={"newEmail": "is the account's address already"})
        self._mail("email", email)
        self.new_email = email
        return {"status": "accepted"}

    def confirm_email(self, body: Data, _: str) -> Data:
        """POST /Storefront/Customers/Email/Confirm; the link can be used again."""
        self._check_link("email", body)
        if self.new_email != self.email:
            self.mails.append(SentMail("email-changed", self.email))
        self.email, self.verified = self.new_email, True
        return self.profile()

    def send_verification(self, _: Data, __: str) -> Data:
        """POST /Storefront/Customers/Verify/Send."""
        if not self.verified:
            self._mail("verify")
        return {"status": "accepted"}

    def _mail(self, kind: str, recipient: str = "") -> None:
        self.links[kind] = secrets.token_urlsafe(24)
        self.mails.append(SentMail(kind, recipient or self.email, self.links[kind]))

    def _check_link(self, kind: str, body: Data) -> None:
        if self.links.get(kind, "") != body.get("token"):
            raise Refusal(400, -30)


@dataclass
class CustomerModel:
    """The customer's checkouts, orders and payments."""

    shop: ShopModel
    basket: BasketModel
    payments: PaymentModel
    services: EndpointModel
    methods: dict[str, Data] = field(default_factory=dict)
    requests: dict[str, tuple[Data, str]] = field(default_factory=dict)

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations."""
        return {
            "POST /Storefront/Checkout/Create": self.check_out,
            "POST /Storefront/Checkout/Cancel": self.cancel,
            "POST /Storefront/Orders/Get": self.get,
            "POST /Storefront/Payments/Methods": self.list_methods,
            "POST /Storefront/Payments/Start": self.start,
            "POST /Storefront/Payments/Status": self.status,
        }

    # --- checkouts ---

    def check_out(self, body: Data, _: str) -> Data:
        """POST /Storefront/Checkout/Create: of items or the basket; once for each reference."""
        items, from_basket, reference = body.get("items") or [], bool(body.get("fromBasket")), body.get("reference")
        if bool(items) == from_basket:
            raise Refusal(400, -2, fields={"items": "or fromBasket must say what to order, and not both"})
        if reference in self.requests:
            request, known = self.requests[reference]
            if request != body:
                raise Refusal(409, -8)
            return self._view(self.payments.checkouts[known], reveal=False)
        if from_basket:
            self.basket.check_version(body.get("basketVersion"), "basketVersion")
            if not self.basket.lines:
                raise Refusal(409, -8, fields={"fromBasket": "the basket is empty"})
            wanted = [one.as_order(str(at)) for at, one in enumerate(self.basket.lines)]
        else:
            wanted = [
                {**one, "deliverId": str(at), "customerStoreProductId": one["productId"]}
                for at, one in enumerate(items)
            ]
        total = self.shop.total_of(wanted)
        if body.get("expectedTotal") is not None and Decimal(str(body["expectedTotal"])) != total:
            raise Refusal(409, -8, fields={"expectedTotal": f"the total is {total} now"})
        made = self._reserve(wanted, total, reference)
        if from_basket:
            self.basket.clear({}, "")
        if reference is not None:
            self.requests[reference] = (body, made.id)
        return self._view(made, reveal=False)

    def _reserve(self, wanted: list[Data], total: Decimal, reference: str | None) -> Checkout:
        order = Order(self.shop.new_id("ord"), reference or self.shop.new_id("chk"), {"basketData": wanted}, [], {})
        for one in wanted:
            line = self.shop.claim(one)
            line.status, line.delivered = PROCESSING, 0
            order.lines.append(line)
        made = Checkout(order.id, total, order=order, expires=moment(CHECKOUT_S))
        made.on_paid = lambda: self._deliver(order)
        self.payments.checkouts[made.id] = made
        return made

    def _deliver(self, order: Order) -> None:
        """Deliver lines from stock; the supplier gets the others."""
        self.shop.customer_orders[order.reference] = order
        for line in order.lines:
            if line.codes:
                line.deliver(line.quantity)

    def cancel(self, body: Data, _: str) -> Data:
        """POST /Storefront/Checkout/Cancel: unpaid; its goods return to stock."""
        one = self._named(body)
        if one.state == "paid":
            raise Refusal(409, -8, fields={"orderId": "is paid, and no checkout any more"})
        if one.state == "unpaid":
            one.state = "cancelled"
            for line in one.order.lines if one.order else ():
                self.shop.return_codes(line)
        return self._view(one, reveal=False)

    def get(self, body: Data, _: str) -> Data:
        """POST /Storefront/Orders/Get: with the codes once they are delivered."""
        return self._view(self._named(body), reveal=True)

    def _named(self, body: Data) -> Checkout:
        found = self.payments.checkouts.get(body.get("orderId") or "")
        if found is None or found.order is None:
            raise Refusal(404, -3)
        return found

    def _view(self, one: Checkout, *, reveal: bool) -> Data:
        assert one.order is not None, "checked by `_named`"
        returned = [refund for payment in self._payments_of(one) for refund in payment.refunds] if reveal else []
        return {
            "orderId": one.id,
            "reference": one.order.reference,
            "state": STATES[one.state],
            "currency": CURRENCY,
            "total": one.total,
            "created": one.created,
            "expires": one.expires if one.state == "unpaid" else None,
            "items": [_line_view(line, reveal=reveal and one.state == "paid") for line in one.order.lines],
            "refunds": [
                {"amount": refund.amount, "state": refund.state, "created": refund.created, "updated": moment()}
                for refund in returned
            ],
        }

    # --- payments ---

    def list_methods(self, body: Data, _: str) -> Data:
        """POST /Storefront/Payments/Methods."""
        total = None if body.get("orderId") is None else self._named(body).total
        shown = [one for one in self.methods.values() if total is None or _accepts(one, total)]
        return {"items": [{name: value for name, value in one.items() if name != "url"} for one in shown]}

    def start(self, body: Data, _: str) -> Data:
        """POST /Storefront/Payments/Start: the open payment of the same method again."""
        order, code = self._named(body), body.get("method") or ""
        if order.state != "unpaid":
            raise Refusal(409, -8, fields={"orderId": "waits for no payment: it is paid, cancelled or expired"})
        for one in self._payments_of(order):
            if one.method == code and one.state in OPEN:
                return self._payment_view(one)
        method = self.methods.get(code)
        if method is None or not _accepts(method, order.total):
            problem = "is not offered" if method is None else "is not for an order of this total"
            bounds = {name: method and method[name] for name in ("minAmount", "maxAmount")}
            raise Refusal(409, -404, {"total": order.total, **bounds, "currency": CURRENCY}, {"method": problem})
        payment_id = self.shop.new_id("pay")
        made = Payment(payment_id, order, payment_id, method=code)
        self.payments.payments.append(made)
        about = {"orderId": order.id, "orderReference": order.order and order.order.reference}
        for endpoint in self.services.receivers("payment.started"):
            self.services.queue(endpoint, "payment.started", made.id, {**about, "paymentId": made.id, "method": code})
        return self._payment_view(made)

    def status(self, body: Data, _: str) -> Data:
        """POST /Storefront/Payments/Status: a payment that has paid the order precedes later ones."""
        if (body.get("paymentId") is None) == (body.get("orderId") is None):
            raise Refusal(400, -2, fields={"paymentId": "or orderId must be given, and not both"})
        if body.get("orderId") is not None:
            made = self._payments_of(self._named(body))
        else:
            made = [one for one in self.payments.payments if one.id == body["paymentId"] and one.order.order]
        if not made:
            raise Refusal(404, -3)
        return self._payment_view(next((one for one in made if one.captured == one.order.total), made[-1]))

    def _payments_of(self, order: Checkout) -> list[Payment]:
        return [one for one in self.payments.payments if one.order is order]

    def _payment_view(self, one: Payment) -> Data:
        url = self.methods[one.method]["url"] if one.method in self.methods and one.state in OPEN else None
        return {
            "paymentId": one.id,
            "orderId": one.order.id,
            "orderState": STATES[one.order.state],
            "method": one.method,
            "amount": one.order.total,
            "currency": CURRENCY,
            "state": one.state,
            "reason": None,
            "captured": one.captured,
            "refunded": one.refunded,
            "redirectUrl": url and url.replace("{payment}", one.id).replace("{order}", one.order.id),
            "expires": one.order.expires if one.order.state == "unpaid" else None,
            "created": one.created,
            "updated": moment(),
        }


def _accepts(method: Data, total: Decimal) -> bool:
    least, most = method["minAmount"], method["maxAmount"]
    return (least is None or total >= least) and (most is None or total <= most)


def _line_view(line: Line, *, reveal: bool) -> Data:
    codes = line.codes if reveal and (line.status == DELIVERED or line.delivered) else []
    product = {"productId": line.product["customerStoreProductId"]}
    return product | line_members(line, codes, line.notes if reveal else [])
