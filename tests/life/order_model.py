"""The plain model of orders, order lines and suppliers."""

from tests.life.world import (
    ACCEPT_WITHIN,
    CHECKOUT,
    DELIVER_WITHIN,
    MINUTE,
    Assignment,
    Code,
    Delivery,
    Line,
    Order,
    World,
)

MAX_PROMISE = 30 * 24 * 60 * MINUTE


class OrderModel(World):
    """What happens to orders."""

    # --- placing ---

    def place(self, wanted: tuple[tuple[str, int], ...], reference: str) -> tuple[int, Order]:
        """The partner's order: all of it, or nothing."""
        order = self._order("partner", reference, wanted, "placed")
        money = self.buyers["partner"]
        if not self._can_be_had(order):
            return -200, order
        if money.available + money.credit < order.total:
            return -300, order
        money.held += order.total
        for line in order.lines:
            self._begin(line, waits=False)
        self.orders.append(order)
        return 0, order

    def reserve(self, wanted: tuple[tuple[str, int], ...], reference: str) -> tuple[int, Order]:
        """The customer's checkout: its codes are claimed."""
        order = self._order("customer", reference, wanted, "unpaid")
        if not self._can_be_had(order):
            return -200, order
        order.expires = self.now + CHECKOUT
        self._claim(order)
        self.orders.append(order)
        return 0, order

    def reserve_again(self, order: Order) -> int:
        """The same request again: an expired checkout is opened again, anything else is returned unchanged."""
        if order.state != "expired":
            return 0
        if not self._can_be_had(order):
            return -200
        self._claim(order)
        order.state, order.expires = "unpaid", self.now + CHECKOUT
        return 0

    def withdraw_checkout(self, order: Order) -> int:
        """The customer cancels a checkout."""
        if order.state == "placed":
            return -8
        if order.state == "unpaid":
            self._unclaim(order)
        order.state, order.expires = "withdrawn", None
        return 0

    def expire(self, order: Order) -> None:
        """A checkout expires unpaid."""
        self._unclaim(order)
        order.state, order.expires = "expired", None

    def pay(self, order: Order) -> int:
        """The rest of a payment has come; `customer` has received the money before. Returns why it cannot be used."""
        if order.state == "placed":
            return -401
        if order.state == "withdrawn":
            return -402
        if order.expires is not None and order.expires <= self.now:
            self.expire(order)
        if order.state == "expired":
            if not self._can_be_had(order):
                return -402
            self._claim(order)
        order.state, order.expires = "placed", None
        return 0

    def settle(self, order: Order) -> None:
        """Holds the money of an order that was just paid, and begins its lines."""
        self.buyers["customer"].held += order.total
        for line in order.lines:
            self._begin(line, waits=True)

    def _order(self, buyer: str, reference: str, wanted: tuple[tuple[str, int], ...], state: str) -> Order:
        order = Order(buyer, reference, wanted, state)
        for name, quantity in wanted:
            order.lines.append(Line(name, quantity, self.products[name].price, 2, True, order))
        return order

    def _can_be_had(self, order: Order) -> bool:
        """Decides for each line who delivers it: the stock, or a supplier for all of it where the stock is too low."""
        left = {name: len(self.free(name)) for name in self.products}
        from_stock = []
        for line in order.lines:
            from_stock.append(line.quantity <= left[line.product])
            left[line.product] -= line.quantity * from_stock[-1]
            if not from_stock[-1] and not self.products[line.product].asked:
                return False
        for line, is_there in zip(order.lines, from_stock, strict=True):
            first = (None, 0) if is_there else self.products[line.product].asked[0]
            line.from_stock, (line.supplier, line.cost) = is_there, first
        return True

    def _claim(self, order: Order) -> None:
        for line in order.lines:
            if line.from_stock:
                self.attach(line, "claimed")

    def _unclaim(self, order: Order) -> None:
        for line in order.lines:
            self.put_back(line)

    def _begin(self, line: Line, *, waits: bool) -> None:
        """Begins a line of an order whose money is held; `waits` if its codes are claimed already."""
        line.version += 1
        if self.products[line.product].review:
            line.status = 3
            if not waits:
                self.attach(line, "claimed")
        elif line.from_stock:
            if not waits:
                self.attach(line, "claimed")
            self._complete_from_stock(line)
        else:
            assert line.supplier is not None
            self._assign(line, line.supplier, line.cost)

    def _complete_from_stock(self, line: Line) -> None:
        line.status, line.delivered = 1, line.quantity
        self._capture(line, line.quantity)
        self.sell_claimed(line)

    def _capture(self, line: Line, units: int) -> None:
        amount = units * line.price
        self.buyers[line.order.buyer].held -= amount
        self.transfer(line.order.buyer, "sales", amount)

    # --- cancelling, holding, releasing ---

    def cancel(self, order: Order, named: list[Line]) -> int:
        """Cancels what is not delivered of the named lines, or of all; lines cancelled before count as done."""
        lines = named or order.lines
        whole = [line for line in lines if line.status == 1 and not line.cancelled]
        if order.state != "placed" or len(whole) == len(lines) or (named and whole):
            return -202
        for line in lines:
            if line.status in (2, 3):
                self._cancel(line)
        return 0

    def _cancel(self, line: Line) -> None:
        self.buyers[line.order.buyer].held -= line.left * line.price
        line.cancelled = line.quantity - line.delivered
        line.status = 1 if line.delivered else 0
        line.version += 1
        line.queued = line.deadline = None
        line.unsourced = False
        if line.current:
            line.current.outcome = "cancelled"
        self.put_back(line)

    def hold(self, order: Order, named: list[Line]) -> int:
        """The operator takes lines out of processing."""
        lines = named or order.lines
        fit = [line for line in lines if line.status in (2, 3)]
        if order.state != "placed" or not fit or (named and len(fit) < len(lines)):
            return -8
        for line in fit:
            if line.status == 2:
                line.status, line.deadline = 3, None
                line.version += 1
        return 0

    def release(self, order: Order, named: list[Line]) -> int:
        """The operator puts held lines back."""
        lines = named or order.lines
        wrong = any(line.status == 0 for line in lines)
        if order.state != "placed" or (named and wrong) or not any(line.status in (2, 3) for line in lines):
            return -8
        for line in lines:
            if line.status == 3 and line.from_stock:
                line.version += 1
                self._complete_from_stock(line)
            elif line.status == 3:
                assert line.supplier is not None
                self._release_to(line, line.supplier)
        return 0

    def _release_to(self, line: Line, supplier: str) -> None:
        line.version += 1
        line.unsourced = False
        if line.current is None:
            self._assign(line, supplier, dict(self.products[line.product].asked)[supplier])
        else:
            line.status, line.queued = 2, self.now
            line.deadline = self.now + (DELIVER_WITHIN if line.accepted else ACCEPT_WITHIN)

    # --- suppliers ---

    def _assign(self, line: Line, supplier: str, cost: int) -> None:
        line.status, line.supplier, line.cost, line.queued, line.accepted = 2, supplier, cost, self.now, False
        line.deadline = self.now + ACCEPT_WITHIN
        line.assignments.append(Assignment(supplier, cost))

    def mine(self, line: Line, supplier: str) -> Assignment | None:
        """The supplier's latest assignment of a line."""
        return next((one for one in reversed(line.assignments) if one.supplier == supplier), None)

    def accept(self, line: Line, supplier: str, promised: int | None) -> int:
        """The supplier accepts, perhaps with a promised time."""
        mine = self.mine(line, supplier)
        if mine is None:
            return -3
        if line.status != 2 or mine.outcome:
            return -501
        assert line.queued is not None
        changes = not mine.accepted or promised not in (None, mine.promised)
        if mine.accepted and changes and line.deadline is not None and line.deadline <= self.now:
            return -8
        if changes and promised is not None and not self.now < promised <= line.queued + DELIVER_WITHIN:
            return -2
        if changes:
            self._accept(line, mine, promised)
        return 0

    def _accept(self, line: Line, mine: Assignment, promised: int | None) -> None:
        assert line.queued is not None
        mine.accepted, mine.promised, line.accepted = True, promised, True
        line.deadline = promised or line.queued + DELIVER_WITHIN

    def reject(self, line: Line, supplier: str) -> int:
        """The supplier gives a line back."""
        mine = self.mine(line, supplier)
        if mine is None:
            return -3
        if mine.outcome == "rejected":
            return 0
        if line.status != 2 or mine.outcome:
            return -501
        self._take_away(line, "rejected")
        return 0

    def overdue(self) -> list[Line]:
        """The lines that the next round of the worker takes away."""
        return [
            line
            for line in self.lines
            if line.status == 2 and line.queued and (line.deadline or self.now + 1) <= self.now
        ]

    def enforce(self, line: Line) -> None:
        """Takes away a line whose deadline has passed."""
        self._take_away(line, "late")

    def _take_away(self, line: Line, outcome: str) -> None:
        assert line.current is not None
        line.current.outcome = outcome
        product = self.products[line.product]
        had = {one.supplier for one in line.assignments}
        others = [one for one in product.asked if one[0] not in had]
        if others:
            self._assign(line, *others[0])
        elif product.hold_unsourced:
            line.status, line.queued, line.accepted, line.deadline, line.unsourced = 3, None, False, None, True
            line.version += 1
        else:
            self._cancel(line)

    def reroute(self, line: Line, to: str | None) -> int:
        """The operator gives a line to another supplier."""
        if not line.unsourced and (line.status != 2 or line.queued is None):
            return -8
        current = None if line.unsourced else line.supplier
        had = {one.supplier for one in line.assignments}
        asked = self.products[line.product].asked
        chosen = next((one for one in asked if (one[0] not in had if to is None else one[0] == to != current)), None)
        if chosen is None:
            return -8
        if line.unsourced:
            self._release_to(line, chosen[0])
        else:
            assert line.current is not None
            line.current.outcome = "rerouted"
            self._assign(line, *chosen)
        return 0

    def deliver(self, line: Line, supplier: str, codes: tuple[str, ...], note: str) -> int:
        """The supplier delivers codes for some units, or the whole rest by a note alone."""
        mine = self.mine(line, supplier)
        if mine is None:
            return -3
        if self._repeated(line, mine, codes, note):
            return 0
        if mine.outcome and mine.outcome != "delivered":
            return self._keep(line, mine, codes)
        units = len(codes) or line.left
        if line.status != 2 or units > line.left or (not codes and line.delivered):
            return -500
        known = {one.text for one in self.codes}
        if known & set(codes):
            return -500
        self._deliver(line, mine, codes, note, units)
        return 0

    def _repeated(self, line: Line, mine: Assignment, codes: tuple[str, ...], note: str) -> bool:
        has = {code.unit: code.text for code in self.of_line(line, "delivered")}
        for one in line.deliveries:
            if one.by is mine and one.note == note and len(one.codes) == len(codes):
                now = tuple(has.get(unit, "") for unit in range(one.first, one.first + len(codes)))
                if now == codes:
                    return True
        return False

    def _keep(self, line: Line, mine: Assignment, codes: tuple[str, ...]) -> int:
        """Codes that come too late go to stock, once."""
        if not codes:
            return -501
        known = {one.text for one in self.codes}
        fresh = [code for code in codes if code not in known]
        if fresh:
            batch = self.upload(line.product, fresh, mine.supplier, mine.cost)
            for one in self.codes:
                if one.batch is batch:
                    one.position = codes.index(one.text)
        return 0

    def _deliver(self, line: Line, mine: Assignment, codes: tuple[str, ...], note: str, units: int) -> None:
        if units < line.left and not mine.accepted:
            self._accept(line, mine, None)
        line.deliveries.append(Delivery(mine, line.delivered, units, codes, note))
        for at, text in enumerate(codes):
            self.codes.append(Code(text, line.product, "delivered", line=line, unit=line.delivered + at))
        self._capture(line, units)
        self.transfer("sales", mine.supplier, mine.cost * units)
        line.delivered += units
        line.version += 1
        if not line.left:
            line.status, line.deadline, mine.outcome = 1, None, "delivered"

    # --- refunds ---

    def refund_line(self, line: Line, amount: int) -> int:
        """Money of a line goes back to its buyer's balance."""
        if line.status != 1 or line.refunded + amount > line.delivered * line.price:
            return -8
        line.refunded += amount
        self.transfer("sales", line.order.buyer, amount)
        return 0
