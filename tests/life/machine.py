"""The state machine: random sequences of the real actions beside the plain model, compared after every step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import routing
from bedesten.orders import actions as orders
from bedesten.orders import cancel, checkout, hold, refunds
from bedesten.store.transaction import Transaction
from bedesten.tenants.checkout_limits import NO_LIMITS
from tests.domain.tenant import request
from tests.life.complaint_model import Model
from tests.life.store_side import StoreSide
from tests.life.world import CHECKOUT, MINUTE, Code, Line, Order
from tests.support.stock_codes import add_codes

Thing = TypeVar("Thing")

MAX_FREE, MAX_WITHDRAWN = 12, 8
"""Number of codes above which none is uploaded or withdrawn, so that lives have time for everything else."""
PICK = st.integers(0, 1) | st.integers(0, 10_000)
"""Chooses one of the existing things, most often one of the latest two: a life goes deep, not only wide."""
BASKET = st.lists(
    st.tuples(st.sampled_from(("card", "topup", "gift", "esim")), st.integers(1, 3)), min_size=1, max_size=3
).map(tuple)
SUBJECTS = ("everything", "payments", "complaints", "suppliers", "stock", "money")
SUPPLIER = st.sampled_from(("acme", "best"))


def one_of(things: Sequence[Thing], pick: int) -> Thing:
    """Returns the thing that a number names, counted from the latest."""
    return things[-1 - pick % len(things)]


@dataclass(frozen=True)
class Action:
    """Something that can happen in a life: in lives about which subjects, when, and how its arguments are drawn."""

    subjects: tuple[str, ...]
    when: Callable[[Any], object]
    arguments: Mapping[str, st.SearchStrategy[Any]]


ACTIONS: dict[str, Action] = {}
"""Every action by the name of its method."""


def action(
    *subjects: str, when: Callable[[Any], object] = lambda _: True, **arguments: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes a method an action. Without subjects it belongs to every life.

    Hypothesis switches rules off at random for a whole life, so that long chains of moves are rare; actions are always on.
    """

    def note(method: Callable[..., None]) -> Callable[..., None]:
        ACTIONS[method.__name__] = Action(subjects, when, arguments)
        return method

    return note


class GoodsMachine(RuleBasedStateMachine):
    """Goods: stock, orders, lines, suppliers. `MoneyMachine` adds the rest."""

    engine = "sqlite"
    subject = "everything"

    @initialize(suppliers_decide=st.booleans())
    def open(self, suppliers_decide: bool) -> None:
        """A fresh tenant with some stock."""
        self.model = Model(suppliers_decide=suppliers_decide)
        self.side = StoreSide(self.engine, self.model)
        self.upload("card", 4, consigned=False)
        self.upload("gift", 2, consigned=True)

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        """Runs one possible action."""
        possible = [
            name
            for name, one in ACTIONS.items()
            if (not one.subjects or self.subject in ("everything", *one.subjects)) and one.when(self)
        ]
        name = data.draw(st.sampled_from(possible), label="action")
        arguments = {key: data.draw(strategy, label=key) for key, strategy in ACTIONS[name].arguments.items()}
        getattr(self, name)(**arguments)

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        """Every state, sum, count and deadline agrees."""
        if hasattr(self, "side"):
            self.model.now += 1_000
            differences = self.side.differences()
            assert not differences, "\n".join(differences)

    def teardown(self) -> None:
        """Asserts that no invariant of the store is violated at the end."""
        if hasattr(self, "side"):
            self.side.close()

    def same(self, verdict: int, number: int, what: str) -> None:
        """Asserts that the action was accepted or refused as the model says."""
        assert number == verdict, f"{what}: {number}, and the model says {verdict}"

    @property
    def placed(self) -> list[Order]:
        """Orders that count."""
        return [one for one in self.model.orders if one.state == "placed"]

    @property
    def asked(self) -> list[Line]:
        """Lines that a supplier has or had; those that wait come last, so that they are chosen most often."""
        found = [line for line in self.model.lines if line.assignments]
        return sorted(found, key=lambda line: line.status == 2)

    # --- stock ---

    @action(
        when=lambda self: sum(one.state == "free" for one in self.model.codes) < MAX_FREE,
        product=st.sampled_from(("card", "gift", "topup")),
        count=st.integers(1, 4),
        consigned=st.booleans(),
    )
    def upload(self, product: str, count: int, consigned: bool) -> None:
        """A batch of fresh codes, of a supplier or of the tenant's own."""
        texts = [self.model.fresh("CODE") for _ in range(count)]
        batch = self.model.upload(product, texts, "acme" if consigned else None, 120)
        whose = {"supplier": self.side.suppliers["acme"], "unit_cost": 120} if consigned else {}
        number, done = self.side.do(add_codes, self.side.cipher, self.model.products[product].id, texts, **whose)
        self.same(0, number, "upload")
        batch.id = done.batch_id

    @property
    def withdrawn(self) -> list[Code]:
        """Codes that are not sold, but can be again."""
        return [one for one in self.model.codes if one.state == "withdrawn"]

    @action("stock", when=lambda self: self.model.codes and len(self.withdrawn) < MAX_WITHDRAWN, pick=PICK)
    def withdraw_code(self, pick: int) -> None:
        """Withdraws one code, whatever its state."""
        code = one_of(self.model.codes, pick)
        withdrawn, sold, before = self.model.withdraw_code(code)
        texts = [read_code(code.text)]
        number, done = self.side.do(inventory.withdraw_codes, self.side.cipher, texts, "test")
        self.same(0, number, "withdraw")
        assert (done.withdrawn, done.sold, done.before) == (withdrawn, sold, before)

    @action("stock", when=lambda self: len(self.withdrawn) < MAX_WITHDRAWN, pick=PICK)
    def withdraw_batch(self, pick: int) -> None:
        """Withdraws the unsold codes of a batch."""
        batch = one_of(self.model.batches, pick)

        def act(tx: Transaction) -> int:
            return inventory.withdraw_batch(tx, inventory.batch_of(tx, batch.id), "test").withdrawn

        number, count = self.side.do(act)
        self.same(0, number, "withdraw a batch")
        assert count == self.model.withdraw_batch(batch)

    @action("stock", when=lambda self: self.withdrawn, pick=PICK)
    def upload_again(self, pick: int) -> None:
        """A withdrawn code is uploaded again."""
        code = one_of(self.withdrawn, pick)
        batch = self.model.upload_again(code, 90)
        source = Source("test", "operator", self.side.suppliers["acme"], 90, again=True)
        product = self.model.products[code.product].id
        number, done = self.side.do(batches.add, self.side.cipher, product, [read_code(code.text)], source)
        self.same(0, number, "upload again")
        assert batch is not None
        batch.id = done.batch_id

    # --- orders ---

    def _request(self, order: Order) -> object:
        wanted = [(self.model.products[name].id, quantity) for name, quantity in order.wanted]
        return request(*wanted, reference=order.reference)

    def _made(self, order: Order, placed: orders.PlacedOrder) -> None:
        order.id = placed.order.id
        for line, real in zip(order.lines, placed.lines, strict=True):
            line.id = real.id

    @action("stock", "suppliers", "complaints", wanted=BASKET)
    def place(self, wanted: tuple[tuple[str, int], ...]) -> None:
        """The partner orders."""
        verdict, order = self.model.place(wanted, self.model.fresh("order"))
        number, placed = self.side.do(orders.place, self.side.tenant.buyer, self._request(order))
        self.same(verdict, number, "place")
        if placed:
            self._made(order, placed)

    @action("stock", wanted=BASKET)
    def reserve(self, wanted: tuple[tuple[str, int], ...]) -> None:
        """The customer checks out."""
        verdict, order = self.model.reserve(wanted, self.model.fresh("checkout"))
        until = self.model.now + CHECKOUT
        shopper = self.side.tenant.shopper
        number, placed = self.side.do(orders.reserve, shopper, self._request(order), until, NO_LIMITS)
        self.same(verdict, number, "check out")
        if placed:
            self._made(order, placed)

    @action("stock", "payments", when=lambda self: self.model.orders, pick=PICK)
    def ask_again(self, pick: int) -> None:
        """The buyer repeats an order or checkout."""
        order = one_of(self.model.orders, pick)
        asked = self._request(order)
        if order.buyer == "partner":
            number, placed = self.side.do(orders.place, self.side.tenant.buyer, asked)
            verdict = 0
        else:
            until, shopper = self.model.now + CHECKOUT, self.side.tenant.shopper
            number, placed = self.side.do(orders.reserve, shopper, asked, until, NO_LIMITS)
            verdict = self.model.reserve_again(order)
        self.same(verdict, number, "ask again")
        assert placed is None or (placed.order.id, placed.replayed) == (order.id, True)

    @property
    def checkouts(self) -> list[Order]:
        """The customer's orders."""
        return [one for one in self.model.orders if one.buyer == "customer"]

    @action("stock", "payments", when=lambda self: self.checkouts, pick=PICK)
    def withdraw_checkout(self, pick: int) -> None:
        """The customer cancels a checkout."""
        order = one_of(self.checkouts, pick)
        number, _ = self.side.do(checkout.cancel, self.side.tenant.customer, order.id)
        self.same(self.model.withdraw_checkout(order), number, "cancel a checkout")

    def _on_order(self, order: Order, action: object, named: list[Line]) -> int:
        buyer = self.side.owners[order.buyer]

        def act(tx: Transaction) -> None:
            locked = cancel.lock(tx, orders.order_of(tx, buyer, order.id))
            action(tx, locked, [line.id for line in named], OPERATOR, "test")  # type: ignore[operator]

        return self.side.do(act)[0]

    @action(
        "stock",
        "suppliers",
        when=lambda self: self.model.orders,
        what=st.sampled_from(("cancel", "hold", "release")),
        pick=PICK,
        lines=st.sets(st.integers(0, 2)),
    )
    def change_lines(self, what: str, pick: int, lines: set[int]) -> None:
        """Cancel, hold or release lines, or all of an order."""
        order = one_of(self.model.orders, pick)
        named = [line for at, line in enumerate(order.lines) if at in lines]
        real = {"cancel": cancel.cancel, "hold": hold.hold, "release": hold.release}[what]
        plain = {"cancel": self.model.cancel, "hold": self.model.hold, "release": self.model.release}[what]
        number = self._on_order(order, real, named)
        self.same(plain(order, named), number, what)

    @action(
        "payments",
        "complaints",
        when=lambda self: self.placed,
        pick=PICK,
        at=st.integers(0, 2),
        amount=st.sampled_from((1, 100, 350, 500, 700, 1_400)),
    )
    def refund_line(self, pick: int, at: int, amount: int) -> None:
        """The operator refunds money of a line."""
        order = one_of(self.placed, pick)
        line = order.lines[at % len(order.lines)]
        key = self.model.fresh("refund")

        def act(tx: Transaction) -> None:
            found = orders.order_of(tx, self.side.owners[order.buyer], order.id)
            real = next(one for one in orders.lines_of(tx, order.id) if one.id == line.id)
            refunds.refund_line(tx, found, real, amount, key, "test", OPERATOR)

        number, _ = self.side.do(act)
        self.same(self.model.refund_line(line, amount), number, "refund a line")

    # --- suppliers ---

    @action(
        "suppliers",
        when=lambda self: self.asked,
        pick=PICK,
        supplier=SUPPLIER,
        promise=st.sampled_from((None, -1, 20, 59, 61)),
    )
    def accept(self, pick: int, supplier: str, promise: int | None) -> None:
        """A supplier accepts, perhaps with a promised time in minutes."""
        line = one_of(self.asked, pick)
        promised = None if promise is None else (line.queued or self.model.now) + promise * MINUTE
        number, _ = self.side.do(fulfilment.accept, self.side.suppliers[supplier], line.id, promised)
        self.same(self.model.accept(line, supplier, promised), number, "accept")

    @action("suppliers", when=lambda self: self.asked, pick=PICK, supplier=SUPPLIER)
    def reject(self, pick: int, supplier: str) -> None:
        """A supplier gives a line back."""
        line = one_of(self.asked, pick)
        number, _ = self.side.do(fulfilment.reject, self.side.suppliers[supplier], line.id, "none left")
        self.same(self.model.reject(line, supplier), number, "reject")

    @action(
        "suppliers", "complaints", when=lambda self: self.asked, pick=PICK, supplier=SUPPLIER, count=st.integers(0, 4)
    )
    def deliver(self, pick: int, supplier: str, count: int) -> None:
        """A supplier delivers codes, or a note alone."""
        line = one_of(self.asked, pick)
        codes = tuple(self.model.fresh("SENT") for _ in range(count))
        self._deliver(line, supplier, codes, "" if codes else self.model.fresh("note"))

    @action("suppliers", when=lambda self: any(line.deliveries for line in self.model.lines), pick=PICK, which=PICK)
    def deliver_again(self, pick: int, which: int) -> None:
        """A supplier sends one of its deliveries once more."""
        line = one_of([line for line in self.model.lines if line.deliveries], pick)
        sent = one_of(line.deliveries, which)
        self._deliver(line, sent.by.supplier, sent.codes, sent.note)

    def _deliver(self, line: Line, supplier: str, codes: tuple[str, ...], note: str) -> None:
        known = len(self.model.batches)
        verdict = self.model.deliver(line, supplier, codes, note)
        sent, notes = [read_code(code) for code in codes], [note] if note else []
        owner = self.side.suppliers[supplier]
        number, done = self.side.do(fulfilment.deliver, self.side.cipher, owner, line.id, sent, notes)
        self.same(verdict, number, "deliver")
        for batch in self.model.batches[known:]:
            batch.id = done.batch_id

    @action("suppliers", when=lambda self: self.asked, pick=PICK, to=st.sampled_from((None, "acme", "best")))
    def reroute(self, pick: int, to: str | None) -> None:
        """The operator gives a line to another supplier."""
        line = one_of(self.asked, pick)
        number, _ = self.side.do(routing.reroute, line.id, self.side.suppliers[to] if to else None, OPERATOR)
        self.same(self.model.reroute(line, to), number, "reroute")

    # --- time ---

    @action("stock", "suppliers", "payments", minutes=st.sampled_from((1, 11, 16, 61)))
    def time_passes(self, minutes: int) -> None:
        """The worker may be late: nothing happens by itself."""
        self.model.now += minutes * MINUTE

    @action("stock", "suppliers", "payments")
    def worker_round(self) -> None:
        """The worker ends what has expired: checkouts first, then deadlines."""
        for _, order_id in self.side.installation.store.read_now(checkout.expired_checkouts):
            assert self.side.do(checkout.expire, order_id) == (0, True)
        for order in self.model.orders:
            if order.state == "unpaid" and order.expires is not None and order.expires <= self.model.now:
                self.model.expire(order)
        overdue = self.model.overdue()
        real = [line for _, line in self.side.installation.store.read_now(routing.overdue)]
        assert sorted(real) == sorted(line.id for line in overdue)
        for line in overdue:
            assert self.side.do(routing.enforce_deadline, line.id) == (0, True)
            self.model.enforce(line)
