"""The goods and money of the plain model: dictionaries and integers, and nothing of the server.

Every method decides by itself what has to happen. It returns 0, or the number of the expected refusal; a refused
call changes nothing. Amounts are in minor units, times in milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

MINUTE = 60_000
ACCEPT_WITHIN, DELIVER_WITHIN, CHECKOUT = 10 * MINUTE, 60 * MINUTE, 15 * MINUTE
CREDIT, APPROVE_ABOVE, CONFIRM_ABOVE = 6_000, 1_000, 1_500
"""The partner's credit; a money order and a deposit above these amounts wait for a second person."""


@dataclass
class Product:
    """Something that is sold. `asked` names its suppliers in their order, with the cost of a unit."""

    name: str
    price: int
    asked: tuple[tuple[str, int], ...] = ()
    review: bool = False
    hold_unsourced: bool = False
    id: str = ""


@dataclass
class Batch:
    """Codes that came together; `number` is its place in the order of sale."""

    number: int
    product: str
    supplier: str | None
    cost: int
    withdrawn: bool = False
    id: str = ""


@dataclass
class Code:
    """One unit of stock, or a code that a supplier delivered on demand (without a batch)."""

    text: str
    product: str
    state: str
    batch: Batch | None = None
    position: int = 0
    line: "Line | None" = None
    unit: int | None = None


@dataclass
class Assignment:
    """A time for which a supplier had a line."""

    supplier: str
    cost: int
    outcome: str = ""
    accepted: bool = False
    promised: int | None = None


@dataclass
class Delivery:
    """One call with which a supplier delivered units of a line."""

    by: Assignment
    first: int
    units: int
    codes: tuple[str, ...]
    note: str


@dataclass
class Line:
    """A line. `status` is the wire's: 0 cancelled, 1 delivered, 2 being processed, 3 taken out of processing."""

    product: str
    quantity: int
    price: int
    status: int
    from_stock: bool
    order: "Order"
    supplier: str | None = None
    cost: int = 0
    version: int = 0
    delivered: int = 0
    cancelled: int = 0
    refunded: int = 0
    queued: int | None = None
    accepted: bool = False
    deadline: int | None = None
    unsourced: bool = False
    assignments: list[Assignment] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    id: str = ""

    @property
    def left(self) -> int:
        """Units that are neither delivered nor cancelled."""
        return self.quantity - self.delivered - self.cancelled

    @property
    def current(self) -> Assignment | None:
        """The assignment that has not ended."""
        return next((one for one in self.assignments if not one.outcome), None)


@dataclass
class Order:
    """An order or a checkout."""

    buyer: str
    reference: str
    wanted: tuple[tuple[str, int], ...]
    state: str
    expires: int | None = None
    lines: list[Line] = field(default_factory=list)
    id: str = ""

    @property
    def total(self) -> int:
        """The sum of its lines."""
        return sum(line.price * line.quantity for line in self.lines)


@dataclass
class Money:
    """A buyer's account."""

    credit: int = 0
    posted: int = 0
    held: int = 0

    @property
    def available(self) -> int:
        """What can be spent without credit."""
        return self.posted - self.held


class World:
    """Goods and money: who has which code, and where each amount is."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000
        self.products = {
            "card": Product("card", 500),
            "gift": Product("gift", 900, review=True),
            "topup": Product("topup", 700, (("acme", 300), ("best", 350))),
            "esim": Product("esim", 400, (("best", 150), ("acme", 200)), hold_unsourced=True),
        }
        self.buyers = {"partner": Money(CREDIT), "customer": Money()}
        self.accounts = dict.fromkeys(("sales", "clearing", "adjustments", "acme", "best"), 0)
        self.batches: list[Batch] = []
        self.codes: list[Code] = []
        self.orders: list[Order] = []
        self._numbers = 0

    @property
    def lines(self) -> list[Line]:
        """All lines."""
        return [line for order in self.orders for line in order.lines]

    def fresh(self, prefix: str) -> str:
        """Returns a text that was not used before."""
        self._numbers += 1
        return f"{prefix}-{self._numbers:05}"

    # --- money ---

    def transfer(self, giver: str, taker: str, amount: int) -> None:
        """Moves money between two accounts."""
        for name, change in ((giver, -amount), (taker, amount)):
            if name in self.buyers:
                self.buyers[name].posted += change
            else:
                self.accounts[name] += change

    # --- goods ---

    def free(self, product: str) -> list[Code]:
        """The codes that can be sold, in their order of sale."""
        found = [one for one in self.codes if one.product == product and one.state == "free"]
        return sorted(found, key=lambda one: (one.batch.number if one.batch else 0, one.position))

    def of_line(self, line: Line, *states: str) -> list[Code]:
        """The codes that a line has."""
        found = [one for one in self.codes if one.line is line and one.state in states]
        return sorted(found, key=lambda one: -1 if one.unit is None else one.unit)

    def upload(self, product: str, texts: Iterable[str], supplier: str | None, cost: int) -> Batch:
        """Puts fresh codes into stock."""
        batch = Batch(len(self.batches), product, supplier, cost if supplier else 0)
        self.batches.append(batch)
        for position, text in enumerate(texts):
            self.codes.append(Code(text, product, "free", batch, position))
        return batch

    def upload_again(self, code: Code, cost: int) -> Batch | None:
        """Uploads a code that is in stock already: a withdrawn one is sold again."""
        if code.state != "withdrawn":
            return None
        batch = Batch(len(self.batches), code.product, "acme", cost)
        self.batches.append(batch)
        code.state, code.batch, code.position = "free", batch, 0
        return batch

    def withdraw_code(self, code: Code) -> tuple[int, int, int]:
        """Withdraws a code if it is unsold; returns how many were withdrawn now, are sold, were withdrawn before."""
        if code.state == "free":
            code.state = "withdrawn"
            return 1, 0, 0
        return (0, 0, 1) if code.state == "withdrawn" else (0, 1, 0)

    def withdraw_batch(self, batch: Batch) -> int:
        """Withdraws the unsold codes of a batch, and marks the batch for codes that come back."""
        batch.withdrawn = True
        return sum(self.withdraw_code(one)[0] for one in self.codes if one.batch is batch)

    def attach(self, line: Line, state: str) -> None:
        """Gives the first free codes to a line."""
        for unit, code in enumerate(self.free(line.product)[: line.quantity]):
            code.state, code.line, code.unit = state, line, unit

    def put_back(self, line: Line) -> None:
        """Frees the codes that a line had claimed; those of a withdrawn batch are withdrawn."""
        for code in self.of_line(line, "claimed"):
            gone = code.batch is not None and code.batch.withdrawn
            code.state, code.line, code.unit = "withdrawn" if gone else "free", None, None

    def sell_claimed(self, line: Line) -> None:
        """Delivers the claimed codes of a line; their suppliers earn."""
        for code in self.of_line(line, "claimed"):
            code.state = "delivered"
        self.earn_from_stock(line)

    def earn_from_stock(self, line: Line) -> None:
        """What suppliers earn with the codes of a line that came from stock."""
        for code in self.of_line(line, "delivered"):
            if code.batch is not None and code.batch.supplier:
                self.transfer("sales", code.batch.supplier, code.batch.cost)
