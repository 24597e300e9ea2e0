"""An in-memory model of payments of checkouts, of their refunds, and of deposits to the partner's balance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bedesten_client.testing._model import CURRENCY, Data, Order, Refusal, moment, page_of
from bedesten_client.testing._shop import ShopModel

ZERO = Decimal("0.00")
OPEN = ("created", "authorised", "partlyCaptured", "failed")


@dataclass
class Checkout:
    """A customer's order that can be paid: `unpaid`, `paid` or `cancelled`."""

    id: str
    total: Decimal
    state: str = "unpaid"
    order: Order | None = None
    """The order; None if a test added the checkout with only a total."""
    expires: str | None = None
    created: str = field(default_factory=moment)
    on_paid: Callable[[], None] = lambda: None


@dataclass
class Payment:
    """A payment of a checkout."""

    id: str
    order: Checkout
    reference: str
    method: str | None = None
    state: str = "created"
    captured: Decimal = ZERO
    refunded: Decimal = ZERO
    captures: dict[str, Decimal] = field(default_factory=dict)
    refunds: list["Refund"] = field(default_factory=list)
    refusal: int = 0
    created: str = field(default_factory=moment)

    @property
    def left(self) -> Decimal:
        """The captured amount that is not refunded."""
        return self.captured - self.refunded


@dataclass
class Refund:
    """Money on its way back to a payer."""

    id: str
    payment: Payment
    reference: str
    amount: Decimal
    state: str
    reason: str | None
    created: str = field(default_factory=moment)


@dataclass
class Deposit:
    """Money for the partner."""

    id: str
    partner_id: str
    reference: str
    amount: Decimal
    state: str = "created"
    created: str = field(default_factory=moment)


@dataclass
class PaymentModel:
    """The payment service's payments, refunds and deposits. `wallet` is what the customer can spend."""

    shop: ShopModel
    wallet: Decimal = ZERO
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    deposits: list[Deposit] = field(default_factory=list)

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations of the surface."""
        return {
            "POST /Payment/Payments/Create": self.create,
            "POST /Payment/Payments/Authorise": self.authorise,
            "POST /Payment/Payments/Capture": self.capture,
            "POST /Payment/Payments/Cancel": self.cancel,
            "POST /Payment/Payments/Refund": self.refund,
            "POST /Payment/Payments/Get": self.get,
            "POST /Payment/Payments/List": self.list_all,
            "POST /Payment/Refunds/List": self.list_refunds,
            "POST /Payment/Deposits/Create": self.create_deposit,
            "POST /Payment/Deposits/Confirm": self.confirm_deposit,
            "POST /Payment/Deposits/Reject": self.reject_deposit,
            "POST /Payment/Deposits/Get": self.get_deposit,
            "POST /Payment/Deposits/List": self.list_deposits,
        }

    # --- payments ---

    def create(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Create."""
        order, amount = self.checkouts.get(body.get("orderId", "")), _amount(body)
        if order is None:
            raise Refusal(404, -3)
        for one in self.payments:
            if one.reference == body.get("reference"):
                if (one.order, one.order.total) != (order, amount):
                    raise Refusal(409, -8)
                return _payment(one)
        if order.state != "unpaid":
            raise Refusal(409, -401)
        if amount != order.total:
            raise Refusal(400, -2, fields={"amount": "must be the order's total"})
        made = Payment(self.shop.new_id("pay"), order, body.get("reference", ""))
        self.payments.append(made)
        return _payment(made)

    def authorise(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Authorise."""
        one = self._named(body)
        if one.state not in ("created", "failed", "authorised"):
            raise Refusal(409, -401)
        one.state = "authorised"
        return _payment(one)

    def capture(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Capture: the rest, or a part under its own reference."""
        one, reference = self._named(body), body.get("reference") or ""
        asked = None if body.get("amount") is None else _amount(body)
        if reference in one.captures:
            if asked not in (None, one.captures[reference]):
                raise Refusal(409, -8)
            return _payment(one)
        if one.captured == one.order.total and asked in (None, one.order.total):
            return _payment(one)
        if one.state not in OPEN:
            raise Refusal(409, one.refusal or -401)
        rest = one.order.total - one.captured
        part = rest if asked is None else asked
        if part > rest:
            raise Refusal(400, -2, fields={"amount": "must not be above what is left to capture"})
        if part < rest and not reference:
            raise Refusal(400, -2, fields={"reference": "is required to capture a part"})
        if one.order.state != "unpaid":
            raise self._refuse(one, part)
        if reference:
            one.captures[reference] = part
        one.captured += part
        one.state = "captured" if part == rest else "partlyCaptured"
        if part == rest:
            one.order.state = "paid"
            one.order.on_paid()
            self.wallet -= one.captured - part
        else:
            self.wallet += part
        return _payment(one)

    def _refuse(self, one: Payment, part: Decimal) -> Refusal:
        """Refuse a payment that cannot pay the order: all of it must be refunded."""
        paid = one.order.state == "paid"
        one.refusal = -401 if paid else -402
        why = "the order is paid already" if paid else "the customer cancelled the checkout"
        charged = one.captured + part
        self.wallet -= one.captured
        one.state, one.refunded = "refused", one.captured
        one.refunds.append(Refund(self.shop.new_id("rfd"), one, "refusal", charged, "requested", why))
        data = {"refundAmount": charged, "currency": CURRENCY, "items": []} if one.refusal == -402 else None
        return Refusal(409, one.refusal, data)

    def cancel(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Cancel."""
        one = self._named(body)
        if one.state not in ("created", "authorised", "failed", "cancelled", "refused"):
            raise Refusal(409, -401)
        one.state = one.state if one.state == "refused" else "cancelled"
        return _payment(one)

    def refund(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Refund; the customer's wallet must hold the money."""
        one, reference = self._named(body), body.get("reference") or ""
        asked = None if body.get("amount") is None else _amount(body)
        known = next((refund for refund in one.refunds if refund.reference == reference), None)
        if known is not None:
            if asked not in (None, known.amount):
                raise Refusal(409, -8)
            known.state = "done" if known.state == "requested" else known.state
            return _refund(known)
        if one.state not in ("captured", "partlyCaptured"):
            raise Refusal(409, -401)
        wanted = one.left if asked is None else asked
        if wanted > one.left or (one.state == "partlyCaptured" and wanted != one.left):
            raise Refusal(400, -2, fields={"amount": "must not be above what is left of the payment"})
        if wanted > self.wallet:
            raise Refusal(409, -300)
        self.wallet -= wanted
        one.refunded += wanted
        one.state = "refunded" if not one.left else one.state
        made = Refund(self.shop.new_id("rfd"), one, reference, wanted, "done", body.get("reason"))
        one.refunds.append(made)
        return _refund(made)

    def get(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/Get."""
        return _payment(self._named(body))

    def list_all(self, body: Data, _: str) -> Data:
        """POST /Payment/Payments/List."""
        return page_of([_payment(one) for one in self.payments if body.get("state") in (None, one.state)], body)

    def list_refunds(self, body: Data, _: str) -> Data:
        """POST /Payment/Refunds/List."""
        made = sorted((refund for one in self.payments for refund in one.refunds), key=lambda refund: refund.id)
        return page_of([_refund(one) for one in made if body.get("state") in (None, one.state)], body)

    def _named(self, body: Data) -> Payment:
        found: Payment = _find(self.payments, body, "paymentId")
        return found

    # --- deposits ---

    def create_deposit(self, body: Data, _: str) -> Data:
        """POST /Payment/Deposits/Create."""
        amount, partner = _amount(body), body.get("partner", "")
        for one in self.deposits:
            if one.reference == body.get("reference"):
                if one.amount != amount:
                    raise Refusal(409, -8)
                return _deposit(one)
        made = Deposit(self.shop.new_id("dep"), partner, body.get("reference", ""), amount)
        self.deposits.append(made)
        return _deposit(made)

    def confirm_deposit(self, body: Data, _: str) -> Data:
        """POST /Payment/Deposits/Confirm; once."""
        one = _find(self.deposits, body, "depositId")
        if one.state == "rejected":
            raise Refusal(409, -400)
        if one.state == "created":
            one.state = "confirmed"
            self.shop.balance += one.amount
            self.shop.book("deposit", one.amount)
        return _deposit(one)

    def reject_deposit(self, body: Data, _: str) -> Data:
        """POST /Payment/Deposits/Reject."""
        one = _find(self.deposits, body, "depositId")
        if one.state == "confirmed":
            raise Refusal(409, -400)
        one.state = "rejected"
        return _deposit(one)

    def get_deposit(self, body: Data, _: str) -> Data:
        """POST /Payment/Deposits/Get."""
        return _deposit(_find(self.deposits, body, "depositId"))

    def list_deposits(self, body: Data, _: str) -> Data:
        """POST /Payment/Deposits/List."""
        return page_of([_deposit(one) for one in self.deposits if body.get("state") in (None, one.state)], body)


def _find(things: list[Any], body: Data, name: str) -> Any:
    by_id = body.get(name)
    reference = body.get("reference") if by_id is None else None
    for one in things:
        if one.id == by_id or (reference is not None and one.reference == reference):
            return one
    raise Refusal(404, -3)


def _amount(body: Data) -> Decimal:
    amount = Decimal(str(body.get("amount") or 0))
    if amount <= 0:
        raise Refusal(400, -2, fields={"amount": "must be above 0"})
    return amount.quantize(Decimal("0.01"))


def _payment(one: Payment) -> Data:
    return {
        "paymentId": one.id,
        "orderId": one.order.id,
        "reference": one.reference,
        "amount": one.order.total,
        "currency": CURRENCY,
        "state": one.state,
        "captured": one.captured,
        "refunded": one.refunded,
        "lost": ZERO,
        "method": one.method,
        "reason": None,
        "created": one.created,
        "updated": moment(),
    }


def _refund(one: Refund) -> Data:
    return {
        "refundId": one.id,
        "paymentId": one.payment.id,
        "reference": one.reference,
        "amount": one.amount,
        "currency": CURRENCY,
        "state": one.state,
        "reason": one.reason,
        "created": one.created,
        "updated": moment(),
    }


def _deposit(one: Deposit) -> Data:
    return {
        "depositId": one.id,
        "partnerId": one.partner_id,
        "reference": one.reference,
        "amount": one.amount,
        "currency": CURRENCY,
        "state": one.state,
        "created": one.created,
        "updated": moment(),
    }
