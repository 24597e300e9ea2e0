"""The rest of the state machine: payments, refunds, deposits, money orders, complaints."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue.code import read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import NewComplaint, Proposal
from bedesten.ledger import money_orders
from bedesten.ledger.money_orders import NewMoneyOrder
from bedesten.payments import actions as payments
from bedesten.payments import events
from bedesten.payments.events import NewEvent
from bedesten.store.transaction import Transaction
from tests.life.machine import BASKET, PICK, GoodsMachine, action, one_of
from tests.life.money_model import Deposit, Payment
from tests.life.world import Order

AMOUNT = st.sampled_from((None, 1, 100, 350, 500, 900))
REFERENCE = st.sampled_from(("", "a", "b", "c"))


class Stateful(Protocol):
    """Something with a state."""

    state: str


Thing = TypeVar("Thing", bound=Stateful)
KIND = st.sampled_from(("replace", "refund", "reject"))
PERSON = st.sampled_from(("ada", "bob"))
MAX_BY_HAND = 5
"""Most deposits and money orders of a life, so that it has time for everything else."""
_UNPAID = ("created", "authorised", "failed", "partlyCaptured")


def last(things: Sequence[Thing], *states: str) -> list[Thing]:
    """Sorts things in one of the states last, so that `PICK` chooses them most often."""
    return sorted(things, key=lambda one: one.state in states)


class LifeMachine(GoodsMachine):
    """Everything that can happen."""

    # --- payments ---

    @action("payments", when=lambda self: self.checkouts, pick=PICK)
    def announce(self, pick: int) -> None:
        """A payment of a checkout."""
        self._announce(one_of(self.checkouts, pick))

    def _announce(self, order: Order) -> None:
        verdict, payment = self.model.announce(order)
        what = (self.side.tenant.integration, order.id, self.model.fresh("payment"), order.total)
        number, made = self.side.do(payments.create_payment, *what)
        self.same(verdict, number, "announce")
        if made:
            payment.id = made.id

    @action("payments", "suppliers", wanted=BASKET, parts=st.sampled_from((0, 0, 0, 1, 2)))
    def check_out_and_pay(self, wanted: tuple[tuple[str, int], ...], parts: int) -> None:
        """The customer checks out and pays in this many parts; 0 leaves the payment open."""
        known = len(self.model.orders)
        self.reserve(wanted)
        if len(self.model.orders) == known:
            return
        self._announce(self.model.orders[-1])
        payment = self.model.payments[-1]
        if parts == 2:
            self.the_store_is_as_the_model_says()
            self._capture(payment, 100, "first")
        if parts:
            self.the_store_is_as_the_model_says()
            self._capture(payment, None, "")

    @action("payments", when=lambda self: self.model.payments, pick=PICK, what=st.sampled_from(("authorise", "cancel")))
    def begin_or_end(self, pick: int, what: str) -> None:
        """A payment is authorised or cancelled."""
        payment = one_of(last(self.model.payments, *_UNPAID), pick)
        real = {"authorise": payments.authorise_payment, "cancel": payments.cancel_payment}[what]
        plain = {"authorise": self.model.authorise, "cancel": self.model.cancel_payment}[what]
        number, _ = self.side.do(real, self.side.tenant.integration, payment.id)
        self.same(plain(payment), number, what)

    @action("payments", when=lambda self: self.model.payments, pick=PICK, amount=AMOUNT, reference=REFERENCE)
    def capture(self, pick: int, amount: int | None, reference: str) -> None:
        """Captures all that is left of a payment, or a part."""
        self._capture(one_of(last(self.model.payments, *_UNPAID), pick), amount, reference)

    @action("payments", when=lambda self: any(one.state in _UNPAID for one in self.model.payments), pick=PICK)
    def capture_the_rest(self, pick: int) -> None:
        """Captures all that is left of an open payment."""
        self._capture(one_of([one for one in self.model.payments if one.state in _UNPAID], pick), None, "")

    def _capture(self, payment: Payment, amount: int | None, reference: str) -> None:
        known = len(payment.refunds)
        verdict = self.model.capture(payment, amount, reference)
        what = (self.side.tenant.integration, payment.id, amount, reference)
        number, _ = self.side.do(payments.capture_payment, *what)
        self.same(verdict, number, "capture")
        for refund in payment.refunds[known:]:
            made = self.side.tenant.read(payments.refunds_of, payment.id)
            refund.id = next(one.id for one in made if one.reference == refund.reference)

    @action(
        "payments",
        when=lambda self: self.model.payments,
        pick=PICK,
        kind=st.sampled_from(("failed", "disputed", "disputeWon", "disputeLost")),
        amount=AMOUNT,
    )
    def report(self, pick: int, kind: str, amount: int | None) -> None:
        """An event of the provider; one that would wait for an earlier event is left to `test_provider_events`."""
        payment = one_of(last(self.model.payments, "created", "captured", "disputed"), pick)
        if kind != "failed" and payment.state in (_UNPAID if kind == "disputed" else (*_UNPAID, "captured")):
            return
        plain = {"failed": self.model.fail, "disputed": self.model.dispute, "disputeWon": self.model.win}
        if kind == "disputeLost":
            self.model.lose(payment, amount)
        else:
            plain[kind](payment)
        taken = amount if kind == "disputeLost" else None
        event = NewEvent(self.model.fresh("event"), f"payment.{kind}", self.model.now, payment.id, amount=taken)
        number, _ = self.side.do(events.notify, self.side.tenant.integration, event)
        self.same(0, number, kind)

    @action(
        "payments",
        when=lambda self: self.model.payments,
        pick=PICK,
        amount=AMOUNT,
        reference=st.sampled_from(("", "r", "s")),
        done=st.booleans(),
    )
    def refund_payment(self, pick: int, amount: int | None, reference: str, done: bool) -> None:
        """A refund that the payment service made, or that the operator requests."""
        payment = one_of(last(self.model.payments, "captured", "partlyCaptured"), pick)
        reference = reference or self.model.fresh("back")
        known = len(payment.refunds)
        verdict, refund = self.model.refund(payment, amount, reference, done=done)
        if done:
            owner = self.side.tenant.integration
            what: tuple[Any, ...] = (owner, payment.id, amount, reference, None, Actor(owner))
            number, made = self.side.do(payments.refund_payment, *what)
        else:
            number, made = self.side.do(payments.request_refund, payment.id, amount, reference, None, OPERATOR)
        self.same(verdict, number, "refund a payment")
        if refund is not None and len(payment.refunds) > known:
            refund.id = made.id

    @action("payments", when=lambda self: self.model.refunds, pick=PICK, fails=st.booleans())
    def end_refund(self, pick: int, fails: bool) -> None:
        """A refund reaches the payer, or fails."""
        refund = one_of(last(self.model.refunds, "requested"), pick)
        owner = self.side.tenant.integration
        if fails:
            number, _ = self.side.do(payments.fail_refund, owner, refund.id, None, Actor(owner))
            self.same(self.model.fail_refund(refund), number, "a refund fails")
        else:
            number, _ = self.side.do(payments.confirm_refund, owner, refund.id)
            self.same(self.model.confirm_refund(refund), number, "confirm a refund")

    # --- deposits and money by hand ---

    @action(
        "money",
        when=lambda self: len(self.model.deposits) < MAX_BY_HAND,
        amount=st.sampled_from((400, 1_500, 1_501, 3_000)),
    )
    def deposit(self, amount: int) -> None:
        """A deposit for the partner is announced."""
        deposit = Deposit(amount)
        self.model.deposits.append(deposit)
        tenant = self.side.tenant
        what = (tenant.integration, tenant.partner, self.model.fresh("deposit"), "USD", amount)
        number, made = self.side.do(payments.create_deposit, *what)
        self.same(0, number, "deposit")
        deposit.id = made.id

    @action(
        "money",
        when=lambda self: self.model.deposits,
        pick=PICK,
        what=st.sampled_from(("confirm", "confirm", "approve", "reject")),
    )
    def decide_deposit(self, pick: int, what: str) -> None:
        """A deposit is confirmed, approved or rejected."""
        deposit, owner = (
            one_of(last(self.model.deposits, "created", "awaitingApproval"), pick),
            self.side.tenant.integration,
        )
        if what == "confirm":
            number, _ = self.side.do(payments.confirm_deposit, owner, deposit.id)
            self.same(self.model.confirm_deposit(deposit), number, "confirm")
        elif what == "approve":
            number, _ = self.side.do(payments.approve_deposit, deposit.id)
            self.same(self.model.approve_deposit(deposit), number, "approve")
        else:
            number, _ = self.side.do(payments.reject_deposit, deposit.id)
            self.same(self.model.reject_deposit(deposit), number, "reject")

    @action(
        "money",
        "payments",
        when=lambda self: len(self.model.money_orders) < MAX_BY_HAND,
        kind=st.sampled_from(("adjust", "deposit", "withdraw")),
        owner=st.sampled_from(("partner", "customer", "acme")),
        amount=st.sampled_from((200, 1_000, 1_001, 2_000, 7_000)),
        gives=st.booleans(),
        person=PERSON,
    )
    def book(self, kind: str, owner: str, amount: int, gives: bool, person: str) -> None:
        """The operator books money on an account."""
        change = amount if kind == "deposit" or (kind == "adjust" and gives) else -amount
        verdict, order = self.model.book(kind, owner, change, person)
        owner_kind = owner if owner in self.model.buyers else "supplier"
        new = NewMoneyOrder(kind, self.side.owners[owner], owner_kind, "USD", change, "test")
        number, made = self.side.do(money_orders.book, new, person)
        self.same(verdict, number, "book")
        if made:
            order.id = made.id

    @action("money", when=lambda self: self.model.money_orders, pick=PICK, approves=st.booleans(), person=PERSON)
    def decide_money_order(self, pick: int, approves: bool, person: str) -> None:
        """A second person approves or rejects."""
        order = one_of(last(self.model.money_orders, "waiting"), pick)
        if approves:
            number, _ = self.side.do(money_orders.approve, order.id, person)
            self.same(self.model.approve_money(order, person), number, "approve")
        else:
            number, _ = self.side.do(money_orders.reject, order.id, person, "test")
            self.same(self.model.reject_money(order, person), number, "reject")

    # --- complaints ---

    @action(
        "complaints",
        when=lambda self: any(line.order.state == "placed" for line in self.model.lines),
        pick=PICK,
        which=PICK,
        reason=st.sampled_from(("INVALID_CODE", "ALREADY_REDEEMED")),
        named=st.booleans(),
    )
    def complain(self, pick: int, which: int, reason: str, named: bool) -> None:
        """The buyer complains about a unit, or about a line without naming a unit."""
        lines = [line for line in self.model.lines if line.order.state == "placed"]
        line = one_of(sorted(lines, key=lambda one: one.delivered > 0), pick)
        units = self.model.of_line(line, "delivered", "bad")
        code = one_of(units, which) if named and units else None
        known = len(self.model.complaints)
        verdict, complaint = self.model.complain(line, code, reason)
        buyer = self.side.owners[line.order.buyer]
        new = NewComplaint(line.id, reason, read_code(code.text) if code else None)
        number, made = self.side.do(complaints.create, self.side.cipher, buyer, new, Actor(buyer))
        self.same(verdict, number, "complain")
        if complaint is not None and len(self.model.complaints) > known:
            complaint.id = made.id
        assert complaint is None or made.id == complaint.id

    @action(
        "complaints", when=lambda self: self.model.complaints, pick=PICK, kind=KIND, amount=AMOUNT, charge=st.booleans()
    )
    def decide(self, pick: int, kind: str, amount: int | None, charge: bool) -> None:
        """The operator decides a complaint."""
        complaint = one_of(last(self.model.complaints, "open"), pick)

        def act(tx: Transaction) -> bool:
            found = complaints.complaint_of(tx, complaint.id)
            return decisions.decide(tx, self.side.cipher, found, Proposal(kind, amount, ""), OPERATOR, charge=charge)

        number, done = self.side.do(act)
        verdict, decided = self.model.decide(complaint, kind, amount, charge=charge)
        self.same(verdict, number, f"decide: {kind}")
        assert bool(done) == decided

    @action(
        "complaints",
        when=lambda self: self.model.complaints,
        pick=PICK,
        supplier=st.sampled_from(("acme", "best")),
        kind=KIND,
        amount=AMOUNT,
    )
    def answer(self, pick: int, supplier: str, kind: str, amount: int | None) -> None:
        """A supplier answers a complaint."""
        complaint, owner = one_of(last(self.model.complaints, "open"), pick), self.side.suppliers[supplier]
        given = Proposal(kind, amount if kind == "refund" else None, "")
        number, _ = self.side.do(complaints.answer, self.side.cipher, owner, complaint.id, given, Actor(owner))
        self.same(self.model.answer(complaint, supplier, kind, given.amount), number, "answer")

    @action("complaints", when=lambda self: self.model.complaints, pick=PICK)
    def withdraw_complaint(self, pick: int) -> None:
        """The buyer takes a complaint back."""
        complaint = one_of(last(self.model.complaints, "open"), pick)
        buyer = self.side.owners[complaint.line.order.buyer]
        number, _ = self.side.do(complaints.withdraw, buyer, complaint.id, Actor(buyer))
        self.same(self.model.withdraw(complaint), number, "withdraw")
