"""The plain model of payments, their refunds, deposits and money orders."""

from dataclasses import dataclass, field

from tests.life.order_model import OrderModel
from tests.life.world import APPROVE_ABOVE, CONFIRM_ABOVE, Order

OPEN = ("created", "authorised", "partlyCaptured", "failed")


@dataclass
class Refund:
    """Money of a payment on its way to the payer; `booked` is the part that left the customer's account."""

    payment: "Payment"
    reference: str
    amount: int
    booked: int
    state: str
    id: str = ""


@dataclass
class Payment:
    """A payment of a checkout."""

    order: Order
    amount: int
    state: str = "created"
    captured: int = 0
    refunded: int = 0
    lost: int = 0
    refusal: int = 0
    captures: dict[str, int] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)
    id: str = ""

    @property
    def left(self) -> int:
        """Captured money that is neither refunded nor lost."""
        return self.captured - self.refunded - self.lost

    @property
    def refundable(self) -> int:
        """What can still be refunded; of a refused payment, all that was charged."""
        if self.state != "refused":
            return self.left
        charged = next(one.amount for one in self.refunds if one.reference == "refusal")
        return charged - sum(one.amount for one in self.refunds if one.state != "failed")


@dataclass
class Deposit:
    """Money for the partner."""

    amount: int
    state: str = "created"
    id: str = ""


@dataclass
class MoneyOrder:
    """A booking by hand."""

    kind: str
    owner: str
    amount: int
    by: str
    state: str
    decided_by: str = ""
    id: str = ""


class MoneyModel(OrderModel):
    """What happens to money beside the orders."""

    def __init__(self) -> None:
        super().__init__()
        self.payments: list[Payment] = []
        self.deposits: list[Deposit] = []
        self.money_orders: list[MoneyOrder] = []

    @property
    def refunds(self) -> list[Refund]:
        """The refunds of all payments."""
        return [one for payment in self.payments for one in payment.refunds]

    # --- payments ---

    def announce(self, order: Order) -> tuple[int, Payment]:
        """A payment service announces a payment of a checkout."""
        payment = Payment(order, order.total)
        if order.state in ("placed", "withdrawn"):
            return -401, payment
        self.payments.append(payment)
        return 0, payment

    def authorise(self, payment: Payment) -> int:
        """The payer's money is reserved."""
        if payment.state not in ("created", "failed", "authorised"):
            return -401
        payment.state = "authorised"
        return 0

    def fail(self, payment: Payment) -> None:
        """The provider's event: it declined the payment. A payment that is not open does not change."""
        if payment.state in ("created", "authorised"):
            payment.state = "failed"

    def cancel_payment(self, payment: Payment) -> int:
        """The payment service cancels a payment."""
        if payment.state in ("cancelled", "refused"):
            return 0
        if payment.state not in ("created", "authorised", "failed"):
            return -401
        payment.state = "cancelled"
        return 0

    def capture(self, payment: Payment, amount: int | None, reference: str) -> int:
        """The rest of a payment, or a part, has come."""
        if reference in payment.captures:
            return 0 if amount in (None, payment.captures[reference]) else -8
        if payment.captured == payment.amount and amount in (None, payment.amount):
            return 0
        if payment.state == "refused":
            return payment.refusal
        if payment.state not in OPEN:
            return -401
        rest = payment.amount - payment.captured
        part = rest if amount is None else amount
        if part > rest or (part < rest and not reference):
            return -2
        why = self.pay(payment.order) if part == rest else self._unpayable(payment.order)
        if why:
            return self._refuse(payment, part, why)
        if reference:
            payment.captures[reference] = part
        payment.captured += part
        payment.state = "partlyCaptured" if part < rest else "captured"
        self.transfer("clearing", "customer", part)
        if part == rest:
            self.settle(payment.order)
        return 0

    def _unpayable(self, order: Order) -> int:
        return {"placed": -401, "withdrawn": -402}.get(order.state, 0)

    def _refuse(self, payment: Payment, part: int, why: int) -> int:
        """The payment cannot pay its order: all that was charged goes back."""
        payment.state, payment.refusal, payment.refunded = "refused", why, payment.captured
        payment.refunds.append(Refund(payment, "refusal", payment.captured + part, payment.captured, "requested"))
        self.transfer("customer", "clearing", payment.captured)
        return why

    def dispute(self, payment: Payment) -> None:
        """The provider's event: the payer disputes the payment."""
        if payment.state == "captured":
            payment.state = "disputed"

    def win(self, payment: Payment) -> None:
        """The provider's event: the shop has won."""
        if payment.state == "disputed":
            payment.state = "captured"

    def lose(self, payment: Payment, amount: int | None) -> None:
        """The provider's event: the dispute is lost and the money taken; the customer may owe it."""
        taken = payment.left if amount is None else amount
        if payment.state == "disputed" and 0 < taken <= payment.left:
            payment.state, payment.lost = "lost", taken
            self.transfer("customer", "clearing", taken)

    # --- refunds of payments ---

    def refund(self, payment: Payment, amount: int | None, reference: str, *, done: bool) -> tuple[int, Refund | None]:
        """A refund: `done` by the payment service already, or requested by the operator."""
        known = next((one for one in payment.refunds if one.reference == reference), None)
        if known is not None:
            if amount not in (None, known.amount):
                return -8, None
            if done and known.state == "requested":
                known.state = "done"
            return 0, known
        if payment.state not in ("captured", "partlyCaptured", "refused"):
            return -401, None
        most = payment.refundable
        wanted = most if amount is None else amount
        if not 0 < wanted <= most or (payment.state == "partlyCaptured" and wanted != most):
            return -2, None
        booked = min(wanted, payment.left)
        if self.buyers["customer"].available < booked:
            return -300, None
        made = Refund(payment, reference, wanted, booked, "done" if done else "requested")
        payment.refunds.append(made)
        payment.refunded += booked
        self.transfer("customer", "clearing", booked)
        if payment.state != "refused" and payment.refunded == payment.captured:
            payment.state = "refunded"
        return 0, made

    def confirm_refund(self, refund: Refund) -> int:
        """The payer has the money."""
        if refund.state == "failed":
            return -401
        refund.state = "done"
        return 0

    def fail_refund(self, refund: Refund) -> int:
        """The payer did not get the money: it returns to the customer's account."""
        if refund.state != "failed":
            refund.state = "failed"
            payment = refund.payment
            payment.refunded -= refund.booked
            self.transfer("clearing", "customer", refund.booked)
            if refund.booked and payment.state in ("captured", "refunded"):
                payment.state = "captured" if payment.captured == payment.amount else "partlyCaptured"
        return 0

    # --- deposits ---

    def confirm_deposit(self, deposit: Deposit) -> int:
        """The money has come; above a limit the operator has to approve it."""
        if deposit.state == "rejected":
            return -400
        if deposit.state == "created" and deposit.amount > CONFIRM_ABOVE:
            deposit.state = "awaitingApproval"
        elif deposit.state == "created":
            deposit.state = "confirmed"
            self.transfer("clearing", "partner", deposit.amount)
        return 0

    def approve_deposit(self, deposit: Deposit) -> int:
        """The operator approves a large deposit."""
        if deposit.state == "confirmed" and deposit.amount > CONFIRM_ABOVE:
            return 0
        if deposit.state != "awaitingApproval":
            return -400
        deposit.state = "confirmed"
        self.transfer("clearing", "partner", deposit.amount)
        return 0

    def reject_deposit(self, deposit: Deposit) -> int:
        """The money of a deposit never comes."""
        if deposit.state == "confirmed":
            return -400
        deposit.state = "rejected"
        return 0

    # --- by hand ---

    def book(self, kind: str, owner: str, amount: int, person: str) -> tuple[int, MoneyOrder]:
        """An operator books money on an account, or asks for a second person above the limit."""
        made = MoneyOrder(kind, owner, amount, person, "booked")
        if abs(amount) > APPROVE_ABOVE:
            made.state = "waiting"
        else:
            refused = self._transfer_by_hand(made)
            if refused:
                return refused, made
        self.money_orders.append(made)
        return 0, made

    def approve_money(self, order: MoneyOrder, person: str) -> int:
        """The second person approves a money order."""
        if order.state == "booked" and order.decided_by == person:
            return 0
        if order.state != "waiting" or order.by == person:
            return -8
        refused = self._transfer_by_hand(order)
        if not refused:
            order.state, order.decided_by = "booked", person
        return refused

    def reject_money(self, order: MoneyOrder, person: str) -> int:
        """A person rejects a money order."""
        if order.state == "booked":
            return -8
        if order.state == "waiting":
            order.state, order.decided_by = "rejected", person
        return 0

    def _transfer_by_hand(self, order: MoneyOrder) -> int:
        other = "adjustments" if order.kind == "adjust" else "clearing"
        amount = -order.amount
        if order.owner in self.buyers and amount > 0:
            money = self.buyers[order.owner]
            if money.available + (money.credit if order.kind == "adjust" else 0) < amount:
                return -300
        elif amount > 0 and order.kind != "adjust" and self.accounts[order.owner] < amount:
            return -300
        self.transfer(other, order.owner, order.amount)
        return 0
