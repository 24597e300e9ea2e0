"""The races in an order's life between server processes, with real clients: each has one of its allowed outcomes.

Afterwards no invariant is violated, and no server has reported an internal error.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import suppliers
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import Proposal
from bedesten.core.clock import system_clock, wire_time
from bedesten.errors import Refusal
from bedesten.fulfilment import routing
from bedesten.gate.scopes import Surface
from bedesten.ledger import money_orders
from bedesten.ledger.money_orders import NewMoneyOrder
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.store.transaction import Transaction
from tests.races.nodes import ROUNDS, Call, Nodes, codes_of, three_behind_nginx, two_processes, wait_until
from tests.store.raw import RawConnection, raw
from tests.support.shop import TOPUP_COST, line
from tests.support.sites import ENGINES

pytestmark = pytest.mark.slow

RESELLER, STOREFRONT, PAYMENT, SUPPLIER = Surface.RESELLER, Surface.STOREFRONT, Surface.PAYMENT, Surface.SUPPLIER
TOPUP = 725
EARNED = (
    "SELECT coalesce(sum(amount), 0) FROM transfers WHERE tenant_id = :tenant AND substr(business_key, 1, 5) = 'cost:'"
)


@pytest.fixture(scope="module", params=[*ENGINES, pytest.param("nginx", marks=pytest.mark.external)])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two processes on each engine, and three nodes behind nginx, for the races of this file."""
    folder = tmp_path_factory.mktemp("nodes")
    with three_behind_nginx(folder) if request.param == "nginx" else two_processes(request.param, folder) as made:
        yield made


@pytest.fixture
def store(nodes: Nodes) -> Iterator[RawConnection]:
    """A connection by the engine's own driver, without the program's code."""
    with raw(nodes.installation.settings) as opened_raw:
        yield opened_raw


def ordered(nodes: Nodes, product: str, quantity: int = 1, count: int = ROUNDS) -> list[tuple[str, str]]:
    """Places this many orders of the partner; returns the ids of orders and lines."""
    shop, made = nodes.shop, []
    for number in range(count):
        basket = [line(product, quantity, topup=shop.topup)]
        order = nodes.ask(RESELLER, "/Orders/Create", orderReference=f"o-{product}-{number}", basketData=basket)
        made.append((order["orderId"], order["details"][0]["orderDetailId"]))
    return made


def checked_out(nodes: Nodes, count: int = ROUNDS) -> list[tuple[str, str]]:
    """Creates this many checkouts of a card at 5.00, each with a payment; returns the ids of both."""
    made = []
    for number in range(count):
        items = [{"productId": nodes.shop.card, "quantity": 1}]
        order = nodes.ask(STOREFRONT, "/Storefront/Checkout/Create", items=items, reference=f"c-{number}")["orderId"]
        body = {"orderId": order, "amount": 5, "reference": f"p-{number}"}
        made.append((order, nodes.ask(PAYMENT, "/Payment/Payments/Create", **body)["paymentId"]))
    return made


def captured(nodes: Nodes, count: int) -> list[tuple[str, str]]:
    """Creates checkouts that are paid."""
    made = checked_out(nodes, count)
    for _, payment in made:
        nodes.ask(PAYMENT, "/Payment/Payments/Capture", paymentId=payment)
    return made


def counted(store: RawConnection, nodes: Nodes, table: str, column: str = "state") -> dict[int, int]:
    """Counts the shop's rows by state."""
    query = f"SELECT {column}, count(*) FROM {table} WHERE tenant_id = :tenant GROUP BY {column}"
    return dict(store.rows(query, tenant=nodes.shop.id))


def money(store: RawConnection, owner: str) -> tuple[int, int]:
    """The posted and the held amount of an account."""
    ((posted, held),) = store.rows("SELECT posted, held FROM ledger_accounts WHERE owner_id = :owner", owner=owner)
    return int(posted), int(held)


def give(nodes: Nodes, owner: str, kind: str, amount: int) -> None:
    """Adjusts an account's balance as the operator."""
    new = NewMoneyOrder(money_orders.ADJUST, owner, kind, "USD", amount, "a race")
    nodes.operator.within(nodes.shop.id, lambda tx: money_orders.book(tx, new, "ada"))


def tried(nodes: Nodes, work: Callable[[Transaction], object]) -> Callable[[], object]:
    """Wraps an operator's action beside the servers; it returns its result, or the number of the refusal."""

    def act() -> object:
        try:
            return nodes.operator.within(nodes.shop.id, work)
        except Refusal as refused:
            return refused.code.number

    return act


def later(nodes: Nodes, call: Call, pause_s: float) -> Callable[[], object]:
    """Delays a call, so that a race with a worker is spread over the worker's interval."""

    def act() -> object:
        time.sleep(pause_s)
        return nodes.meet(call)[0]

    return act


def deliveries(nodes: Nodes, made: list[tuple[str, str]], prefix: str, units: int = 1) -> list[Call]:
    """Deliveries of these lines by the supplier, each with its own codes."""
    return [
        nodes.call(
            SUPPLIER, "/Supplier/Orders/Deliver", orderDetailId=one,
            deliveryData=[f"{prefix}-{number}-{unit}" for unit in range(units)],
        )
        for number, (_, one) in enumerate(made)
    ]  # fmt: skip


def test_cancel_against_deliver(nodes: Nodes, store: RawConnection) -> None:
    nodes.open_shop()
    made = ordered(nodes, nodes.shop.topup, 2)
    cancels = [nodes.call(RESELLER, "/Orders/Cancel", orderId=order) for order, _ in made]
    answers = nodes.meet(*cancels, *deliveries(nodes, made, "CD", 2))
    cancelled, delivered = codes_of(answers[:ROUNDS]), codes_of(answers[ROUNDS:])
    assert set(cancelled) <= {0, -202}
    assert set(delivered) == {0}, "codes that come too late go to stock"
    lines = counted(store, nodes, "order_lines", "status")
    assert (lines.get(0, 0), lines.get(1, 0)) == (cancelled[0], ROUNDS - cancelled[0])
    units = counted(store, nodes, "stock_codes")
    assert (units.get(0, 0), units.get(2, 0)) == (2 * cancelled[0], 2 * (ROUNDS - cancelled[0]))
    assert money(store, nodes.shop.partner) == (-2 * TOPUP * (ROUNDS - cancelled[0]), 0)
    assert sum(one.data["stocked"] for one in answers[ROUNDS:]) == 2 * cancelled[0]


def test_cancel_against_capture(nodes: Nodes, store: RawConnection) -> None:
    nodes.open_shop(ROUNDS)
    made = checked_out(nodes)
    cancels = [nodes.call(STOREFRONT, "/Storefront/Checkout/Cancel", orderId=order) for order, _ in made]
    captures = [nodes.call(PAYMENT, "/Payment/Payments/Capture", paymentId=payment) for _, payment in made]
    answers = nodes.meet(*cancels, *captures)
    cancelled, paid = codes_of(answers[:ROUNDS]), codes_of(answers[ROUNDS:])
    assert set(cancelled) <= {0, -8}
    assert set(paid) <= {0, -402}
    assert cancelled[0] + paid[0] == ROUNDS
    assert counted(store, nodes, "orders") == {k: v for k, v in {1: paid[0], 3: cancelled[0]}.items() if v}
    units = counted(store, nodes, "stock_codes")
    assert (units.get(0, 0), units.get(2, 0)) == (cancelled[0], paid[0])
    assert counted(store, nodes, "payment_refunds").get(0, 0) == cancelled[0]


def test_deadline_against_deliver(nodes: Nodes, store: RawConnection) -> None:
    """Once a second each node's worker takes late lines from the supplier, while the supplier delivers."""
    shop = nodes.open_shop()
    made = ordered(nodes, shop.topup)
    soon = "UPDATE order_lines SET deadline = :soon WHERE tenant_id = :tenant"
    store.run(soon, soon=system_clock() + 300, tenant=shop.id)

    calls = deliveries(nodes, made, "DD")
    answers = nodes.meet(*(later(nodes, call, number * 1.6 / ROUNDS) for number, call in enumerate(calls)))
    assert set(codes_of(answers)) == {0}
    late = "SELECT count(*) FROM order_lines WHERE tenant_id = :tenant AND status = 2"
    wait_until(lambda: store.one(late, tenant=shop.id) == 0)
    lines, units = counted(store, nodes, "order_lines", "status"), counted(store, nodes, "stock_codes")
    assert (units.get(0, 0), units.get(2, 0)) == (lines.get(0, 0), lines.get(1, 0))
    assert sum(lines.values()) == ROUNDS
    assert money(store, shop.partner) == (-TOPUP * lines.get(1, 0), 0)


def test_refund_against_refund(nodes: Nodes, store: RawConnection) -> None:
    """Sixteen refunds of 1.00 from a payment of 5.00, beside the operator's refunds of the same line to the balance."""
    shop = nodes.open_shop(1)
    ((order, payment),) = captured(nodes, 1)
    give(nodes, shop.customer, "customer", 1_000)
    parts = [
        nodes.call(PAYMENT, "/Payment/Payments/Refund", paymentId=payment, amount=1, reference=f"r{n}", reason="x")
        for n in range(16)
    ]
    found = nodes.operator.within(shop.id, lambda tx: orders.order_of(tx, shop.customer, order))
    (bought,) = nodes.operator.within(shop.id, lambda tx: orders.lines_of(tx, order))

    def of_line(key: str) -> Callable[[], object]:
        return tried(nodes, lambda tx: refunds.refund_line(tx, found, bought, 100, key, "x", OPERATOR))

    answers = nodes.meet(*parts, *(of_line(f"k{number}") for number in range(8)))
    assert codes_of(answers[:16]) == {0: 5, -401: 11}
    assert sum(isinstance(one, refunds.Refund) for one in answers[16:]) == 5
    assert money(store, shop.customer) == (1_000, 0)
    assert store.rows("SELECT state, refunded FROM payments WHERE id = :id", id=payment) == [(6, 500)]
    assert store.one("SELECT refunded FROM order_lines WHERE id = :id", id=bought.id) == 500


def test_refund_against_dispute(nodes: Nodes, store: RawConnection) -> None:
    shop = nodes.open_shop(ROUNDS)
    made = captured(nodes, ROUNDS)
    give(nodes, shop.customer, "customer", ROUNDS * 500)
    at, calls = wire_time(system_clock()), []
    for number, (_, payment) in enumerate(made):
        calls += [
            nodes.call(PAYMENT, "/Payment/Payments/Refund", paymentId=payment, amount=2, reference="r", reason="x"),
            nodes.call(PAYMENT, "/Payment/Notify", eventId=f"d{number}", type="payment.disputed", occurredAt=at,
                       paymentId=payment),
            nodes.call(PAYMENT, "/Payment/Notify", eventId=f"l{number}", type="payment.disputeLost", occurredAt=at,
                       paymentId=payment),
        ]  # fmt: skip
    answers = nodes.meet(*calls)
    back = codes_of(answers[::3])
    assert set(back) <= {0, -401}
    assert codes_of([*answers[1::3], *answers[2::3]]) == {0: 2 * ROUNDS}
    ends = store.rows("SELECT state, refunded + lost FROM payments WHERE tenant_id = :tenant", tenant=shop.id)
    assert ends == [(8, 500)] * ROUNDS, "the lost dispute takes what the refund has left"
    assert money(store, shop.customer) == (0, 0)
    assert counted(store, nodes, "payment_refunds").get(1, 0) == back[0]


def test_replacement_against_replacement(nodes: Nodes, store: RawConnection) -> None:
    """The supplier on both nodes and the operator replace the same unit at once: one code goes to the buyer."""
    shop = nodes.open_shop()
    nodes.operator.within(shop.id, lambda tx: complaints.set_supplier_decides(tx, True, OPERATOR))
    spare = [f"SPARE-{number:03}" for number in range(3 * ROUNDS)]
    sent = [f"FAULTY-{number:03}" for number in range(ROUNDS)]
    nodes.ask(SUPPLIER, "/Supplier/Stock/Upload", productId=shop.card, codes=sent)
    ((_, bought),) = ordered(nodes, shop.card, ROUNDS, 1)
    nodes.ask(SUPPLIER, "/Supplier/Stock/Upload", productId=shop.card, codes=spare)
    tasks: list[Call | Callable[[], object]] = []
    for code in sent:
        body = {"orderDetailId": bought, "code": code, "reason": "INVALID_CODE"}
        one = nodes.ask(RESELLER, "/Complaints/Create", **body)["complaintId"]
        answer = nodes.call(SUPPLIER, "/Supplier/Complaints/Answer", complaintId=one, answer="replace")
        tasks += [answer, answer, tried(nodes, partial(_replace, nodes, one))]
    answers = nodes.meet(*tasks)
    assert set(codes_of(answers)) <= {0, -8}
    assert set(answers[2::3]) <= {True, -8}
    assert counted(store, nodes, "complaints") == {1: ROUNDS}
    units = counted(store, nodes, "stock_codes")
    assert units == {0: len(spare) - ROUNDS, 2: ROUNDS, 5: ROUNDS}
    had = "SELECT count(DISTINCT unit) FROM stock_codes WHERE tenant_id = :tenant AND line_id = :line AND state = 2"
    assert store.one(had, tenant=shop.id, line=bought) == ROUNDS


def _replace(nodes: Nodes, complaint: str, tx: Transaction) -> object:
    found = complaints.complaint_of(tx, complaint)
    return decisions.decide(tx, nodes.installation.cipher, found, Proposal("replace", None, ""), OPERATOR, charge=True)


def test_two_suppliers_on_one_line(nodes: Nodes, store: RawConnection) -> None:
    """A line is rerouted while both suppliers deliver it: one is paid for it, the other's codes go to stock."""
    shop = nodes.open_shop()
    other, lines = nodes.second_supplier()
    nodes.operator.within(shop.id, lambda tx: suppliers.add_supplier(tx, shop.topup, other, TOPUP_COST, 0))
    made = ordered(nodes, shop.topup)
    tasks: list[Call | Callable[[], object]] = []
    for number, (_, one) in enumerate(made):
        first = nodes.call(SUPPLIER, "/Supplier/Orders/Deliver", orderDetailId=one, deliveryData=[f"FIRST-{number}"])
        second = Call(lines, first.path, {"orderDetailId": one, "deliveryData": [f"SECOND-{number}"]})
        tasks += [first, second, tried(nodes, partial(_reroute, one, other))]
    answers = nodes.meet(*tasks)
    assert set(codes_of(answers[::3])) == {0}, "delivered, or to stock"
    assert set(codes_of(answers[1::3])) <= {0, -3}, "-3 before it was asked"
    left = "SELECT id FROM order_lines WHERE tenant_id = :tenant AND status = 2"
    for number, (one,) in enumerate(store.rows(left, tenant=shop.id)):
        body = {"orderDetailId": one, "deliveryData": [f"REST-{number}"]}
        assert nodes.meet(Call(lines, "/Supplier/Orders/Deliver", body))[0].status == 200
    assert counted(store, nodes, "order_lines", "status") == {1: ROUNDS}
    units = counted(store, nodes, "stock_codes")
    rerouted = sum(not isinstance(one, int) for one in answers[2::3])
    assert (units[2], units.get(0, 0)) == (ROUNDS, rerouted)
    assert store.one(EARNED, tenant=shop.id) == ROUNDS * TOPUP_COST


def _reroute(one: str, to: str, tx: Transaction) -> object:
    return routing.reroute(tx, one, to, OPERATOR)


def test_expiry_against_capture(nodes: Nodes, store: RawConnection) -> None:
    """Checkouts expire as they are captured: the worker releases the codes, and others buy them at once."""
    shop = nodes.open_shop(ROUNDS)
    made = checked_out(nodes)
    soon = "UPDATE orders SET expires = :soon WHERE tenant_id = :tenant AND state = 0"
    store.run(soon, soon=system_clock() + 600, tenant=shop.id)
    captures = [nodes.call(PAYMENT, "/Payment/Payments/Capture", paymentId=payment) for _, payment in made]
    buys = [
        nodes.call(RESELLER, "/Orders/Create", orderReference=f"b{number}", basketData=[line(shop.card)])
        for number in range(ROUNDS)
    ]

    pairs = [*zip(captures, range(ROUNDS), strict=True), *zip(buys, range(ROUNDS), strict=True)]
    answers = nodes.meet(*(later(nodes, call, number * 2 / ROUNDS) for call, number in pairs))
    paid, bought = codes_of(answers[:ROUNDS]), codes_of(answers[ROUNDS:])
    assert set(paid) <= {0, -402}
    assert set(bought) <= {0, -200}
    wait_until(lambda: counted(store, nodes, "orders").get(0, 0) == 0)
    units = counted(store, nodes, "stock_codes")
    assert units.get(2, 0) == paid[0] + bought[0]
    assert units.get(0, 0) + units.get(2, 0) == ROUNDS
    assert counted(store, nodes, "payments") == {k: v for k, v in {1: paid[0], 3: paid[-402]}.items() if v}


def test_adjust_against_order(nodes: Nodes, store: RawConnection) -> None:
    """The operator debits the partner's balance while the partner spends it: never more than there is."""
    shop = nodes.open_shop(40)
    nodes.operator.credit(shop.id, shop.partner, 0)
    give(nodes, shop.partner, "partner", 20 * 500)
    buys = [
        nodes.call(RESELLER, "/Orders/Create", orderReference=f"b{number}", basketData=[line(shop.card)])
        for number in range(16)
    ]
    takes = [tried(nodes, partial(_take, shop.partner, 1_000)) for _ in range(8)]
    answers = nodes.meet(*buys, *takes)
    bought = codes_of(answers[:16])
    taken = sum(not isinstance(one, int) for one in answers[16:])
    assert set(bought) <= {0, -300}
    posted, held = money(store, shop.partner)
    assert (posted, held) == (20 * 500 - 500 * bought[0] - 1_000 * taken, 0)
    assert posted >= 0
    assert posted < 1_000, "only what covers nobody is left"


def _take(owner: str, amount: int, tx: Transaction) -> object:
    return money_orders.book(tx, NewMoneyOrder(money_orders.ADJUST, owner, "partner", "USD", -amount, "x"), "ada")


def test_withdraw_of_stock_against_sale(nodes: Nodes, store: RawConnection) -> None:
    shop = nodes.open_shop()
    stock = [f"UPLOADED-{number:03}" for number in range(24)]
    nodes.ask(SUPPLIER, "/Supplier/Stock/Upload", productId=shop.card, codes=stock)
    buys = [
        nodes.call(RESELLER, "/Orders/Create", orderReference=f"b{number}", basketData=[line(shop.card, 2)])
        for number in range(16)
    ]
    withdraws = [
        nodes.call(SUPPLIER, "/Supplier/Stock/Withdraw", codes=stock[at : at + 6], reason="revoked")
        for at in range(0, 24, 3)
    ]
    answers = nodes.meet(*buys, *withdraws)
    bought = codes_of(answers[:16])
    assert set(bought) <= {0, -200}
    assert set(codes_of(answers[16:])) == {0}
    withdrawn = sum(one.data["withdrawn"] for one in answers[16:])
    units = counted(store, nodes, "stock_codes")
    assert (units.get(2, 0), units.get(3, 0)) == (2 * bought[0], withdrawn)
    assert sum(units.values()) == len(stock)
    level = (
        "SELECT available - (SELECT coalesce(sum(taken), 0) FROM stock_counters WHERE product_id = :product) "
        "FROM stock_levels WHERE product_id = :product"
    )
    assert store.one(level, product=shop.card) == units.get(0, 0) == len(stock) - withdrawn - 2 * bought[0]
