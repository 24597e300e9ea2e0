"""Sixteen at once: goods are never sold twice, never lost, and nobody is told that they are gone while they are not."""

from collections import Counter

from bedesten.accounts import actions as accounts
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import PLACED, Buyer
from bedesten.tenants.checkout_limits import CheckoutLimits
from tests.domain.stall import CARD, PASSWORD, Stall, fresh, request
from tests.races.conftest import RUNNERS, Race
from tests.store.raw import Raw


def refusals(outcomes: list[object]) -> list[int]:
    """The numbers of the refusals; anything else that was raised is a defect."""
    assert not [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, Refusal)], outcomes
    return [one.code.number for one in outcomes if isinstance(one, Refusal)]


def delivered_codes(stall: Stall, placed: list[PlacedOrder]) -> list[str]:
    """Every code of these orders."""
    return [code for one in placed for line in one.lines for code in stall.codes(line.id)]


def buy_until_sold_out(stall: Stall, card: str, buyer: int) -> list[PlacedOrder]:
    """One buyer, who orders one unit after the other until none is left."""
    got: list[PlacedOrder] = []
    while True:
        try:
            got.append(stall.order((card, 1), reference=f"buyer-{buyer}-{len(got)}"))
        except Refusal as refused:
            if refused.data != {"items": [{"deliverId": "1", "reason": "outOfStock"}]}:
                raise
            return got


def test_sixteen_buyers_of_twenty_units_get_exactly_twenty(stall: Stall, race: Race, other_connection: Raw) -> None:
    card = stall.card(20)
    outcomes = race(lambda buyer: buy_until_sold_out(stall, card, buyer))
    assert refusals(outcomes) == []
    placed = [one for got in outcomes if isinstance(got, list) for one in got]
    assert len(placed) == 20
    codes = delivered_codes(stall, placed)
    assert len(codes) == len(set(codes)) == 20
    assert stall.available(card) == 0
    assert stall.balance().posted == -20 * CARD
    assert other_connection.one("SELECT count(*) FROM orders WHERE tenant_id = :tenant", tenant=stall.tenant) == 20


def test_buyers_who_want_several_units_get_all_of_them_or_none(stall: Stall, race: Race) -> None:
    """16 want 3 of 20: six can be served, and the two units that remain are left for somebody else."""
    card = stall.card(20)
    outcomes = race(lambda buyer: stall.order((card, 3), reference=f"three-{buyer}"))
    assert refusals(outcomes) == [-200] * 10
    placed = [one for one in outcomes if isinstance(one, PlacedOrder)]
    codes = delivered_codes(stall, placed)
    assert (len(placed), len(codes), len(set(codes)), stall.available(card)) == (6, 18, 18, 2)


def test_nobody_is_told_sold_out_because_of_an_order_that_is_undone(stall: Stall, race: Race) -> None:
    """Half of the buyers cannot pay: what they take for a moment comes back to those who wait behind them."""
    card = stall.card(8)
    poor = stall.write(accounts.create, "partner", "poor@example.com", "Poor", password=PASSWORD)
    assert poor is not None
    penniless = Stall(stall.installation, stall.tenant, poor, stall.customer, stall.supplier, stall.integration)
    penniless.credit(0)

    def buy(buyer: int) -> PlacedOrder:
        return (stall if buyer % 2 else penniless).order((card, 1), reference=f"b{buyer}")

    outcomes = race(buy)
    refusals(outcomes)
    rich = [outcomes[buyer] for buyer in range(1, RUNNERS, 2)]
    assert [type(one) for one in rich] == [PlacedOrder] * 8
    assert stall.available(card) == 0


def test_one_reference_makes_one_order_and_all_are_given_it(stall: Stall, race: Race, other_connection: Raw) -> None:
    card = stall.card(20)
    outcomes = race(lambda _: stall.order((card, 2), reference="the only one"))
    assert refusals(outcomes) == []
    placed = [one for one in outcomes if isinstance(one, PlacedOrder)]
    assert len(placed) == RUNNERS
    assert len({one.order.id for one in placed}) == 1
    assert Counter(one.replayed for one in placed) == {False: 1, True: RUNNERS - 1}
    assert stall.available(card) == 18
    assert stall.balance().posted == -2 * CARD
    assert other_connection.one("SELECT count(*) FROM orders WHERE tenant_id = :tenant", tenant=stall.tenant) == 1


def test_one_reference_for_the_last_unit_and_the_last_money_gives_everybody_the_order(stall: Stall, race: Race) -> None:
    """The fifteen who come second find neither goods nor money, and must be told neither."""
    stall.credit(CARD)
    card = stall.card(1)
    outcomes = race(lambda _: stall.order((card, 1), reference="last"))
    assert refusals(outcomes) == []
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def test_one_reference_with_two_contents_makes_one_order(stall: Stall, race: Race) -> None:
    card = stall.card(20)
    outcomes = race(lambda number: stall.order((card, 1 + number % 2), reference="either"))
    assert refusals(outcomes) == [-8] * (RUNNERS // 2)
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def test_orders_of_two_products_in_opposite_order_are_all_placed(stall: Stall, race: Race) -> None:
    """Locks are taken by product id, so nobody waits for somebody who waits for him."""
    one, other = stall.card(RUNNERS * 5), stall.card(RUNNERS * 5)

    def both_ways(buyer: int) -> list[PlacedOrder]:
        wanted = [(one, 1), (other, 1)] if buyer % 2 else [(other, 1), (one, 1)]
        return [stall.order(*wanted, reference=f"o{buyer}-{turn}") for turn in range(5)]

    outcomes = race(both_ways)
    assert refusals(outcomes) == []
    placed = [order for got in outcomes if isinstance(got, list) for order in got]
    codes = delivered_codes(stall, placed)
    assert len(placed) == 5 * RUNNERS
    assert len(codes) == len(set(codes)) == 10 * RUNNERS
    assert (stall.available(one), stall.available(other)) == (0, 0)


def test_stock_that_comes_in_while_buyers_take_it_is_counted_exactly(stall: Stall, race: Race) -> None:
    card = stall.card(10)

    def trade(number: int) -> object:
        if number % 4:
            return buy_until_sold_out(stall, card, number)
        return stall.upload(card, [f"NEW-{number}-{at}" for at in range(10)] + ["SAME-FOR-ALL"])

    outcomes = race(trade)
    assert refusals(outcomes) == []
    uploaded = sum(one for one in outcomes if isinstance(one, int))
    placed = [order for got in outcomes if isinstance(got, list) for order in got]
    assert uploaded == 4 * 10 + 1
    assert len(placed) + stall.available(card) == 10 + uploaded
    assert len(set(delivered_codes(stall, placed))) == len(placed)


def test_uploads_of_the_same_codes_in_opposite_order_put_each_in_once(stall: Stall, race: Race) -> None:
    card = stall.card(0)
    codes = [f"MANY-{at:03}" for at in range(40)]
    outcomes = race(lambda number: stall.upload(card, codes if number % 2 else codes[::-1]))
    assert refusals(outcomes) == []
    assert sum(one for one in outcomes if isinstance(one, int)) == 40
    assert stall.available(card) == 40


def test_a_line_is_delivered_once_when_sixteen_deliver_the_same(stall: Stall, race: Race) -> None:
    line = stall.order((stall.topup(), 2)).lines[0]
    outcomes = race(lambda _: stall.deliver(line.id, ["SAME-A", "SAME-B"]))
    assert refusals(outcomes) == []
    assert stall.codes(line.id) == ["SAME-A", "SAME-B"]
    assert (stall.line(line.id).version, stall.balance().posted, stall.balance().held) == (2, -1_400, 0)


def test_a_line_is_delivered_once_when_sixteen_deliver_different_codes(stall: Stall, race: Race) -> None:
    line = stall.order((stall.topup(), 1)).lines[0]
    outcomes = race(lambda number: stall.deliver(line.id, [f"CODE-OF-{number}"]))
    assert refusals(outcomes) == [-500] * (RUNNERS - 1)
    (winner,) = [number for number, one in enumerate(outcomes) if not isinstance(one, Refusal)]
    assert stall.codes(line.id) == [f"CODE-OF-{winner}"]
    assert (stall.line(line.id).version, stall.balance().posted) == (2, -700)


def test_one_code_is_delivered_to_one_of_sixteen_lines(stall: Stall, race: Race) -> None:
    topup = stall.topup()
    lines = [stall.order((topup, 1)).lines[0].id for _ in range(RUNNERS)]
    outcomes = race(lambda number: stall.deliver(lines[number], ["ONE-AND-ONLY"]))
    assert refusals(outcomes) == [-500] * (RUNNERS - 1)
    assert Counter(stall.line(line).status for line in lines) == {1: 1, 2: RUNNERS - 1}
    assert stall.balance().held == 700 * (RUNNERS - 1)


def test_lines_of_one_order_are_delivered_at_once_and_all_captured(stall: Stall, race: Race) -> None:
    topup = stall.topup()
    placed = stall.order(*[(topup, 1)] * RUNNERS)
    outcomes = race(lambda number: stall.deliver(placed.lines[number].id, [f"L-{number}"]))
    assert refusals(outcomes) == []
    assert (stall.balance().posted, stall.balance().held) == (-700 * RUNNERS, 0)


def test_a_queue_that_is_read_while_it_is_worked_off_shows_whole_lines_only(stall: Stall, race: Race) -> None:
    topup = stall.topup()
    lines = [stall.order((topup, 1)).lines[0].id for _ in range(RUNNERS // 2)]

    def work_or_look(number: int) -> object:
        if number % 2:
            return stall.deliver(lines[number // 2], [f"W-{number}"])
        return [(line.status, line.version) for line in stall.read(fulfilment.waiting_lines, stall.supplier, "", 50)]

    outcomes = race(work_or_look)
    assert refusals(outcomes) == []
    assert {seen for one in outcomes if isinstance(one, list) for seen in one} <= {(2, 1)}
    assert stall.read(fulfilment.waiting_lines, stall.supplier, "", 50) == []


def test_a_sku_that_sixteen_make_at_once_is_one_product(stall: Stall, race: Race) -> None:
    made = race(
        lambda n: stall.write(catalogue.put_product, ProductFields(name=f"P{n}", currency="USD", sku="S", price=n + 1))
    )
    assert refusals(made) == []
    assert len(set(map(str, made))) == 1
    offer = race(lambda n: stall.write(upsert_offer, stall.supplier, "USD", Offer("their", f"N{n}", n)).product.id)
    assert refusals(offer) == []
    assert len(set(map(str, offer))) == 1
    names = race(lambda _: stall.write(catalogue.category, "Games"))
    assert len(set(map(str, names))) == 1


def test_checkouts_claim_exactly_what_there_is_and_give_it_back_once(stall: Stall, race: Race) -> None:
    card = stall.card(10)
    outcomes = race(lambda number: stall.checkout((card, 1), reference=f"c{number}", minutes=-1))
    assert refusals(outcomes) == [-200] * 6
    claimed = [one.order.id for one in outcomes if isinstance(one, PlacedOrder)]
    assert (len(claimed), stall.available(card)) == (10, 0)
    expired = race(lambda number: sum(stall.write(checkout.expire, one) for one in claimed))
    assert refusals(expired) == []
    assert sum(one for one in expired if isinstance(one, int)) == 10
    assert stall.available(card) == 10


def test_sixteen_checkouts_of_one_customer_stay_within_its_limit(stall: Stall, race: Race) -> None:
    card = stall.card(100)
    limits = CheckoutLimits(checkouts=5, units=100, stock_share=None)
    outcomes = race(lambda number: stall.checkout((card, 2), reference=f"c{number}", limits=limits))
    assert refusals(outcomes) == [-201] * (RUNNERS - 5)
    assert stall.available(card) == 90


def test_sixteen_checkouts_of_one_customer_stay_within_its_units(stall: Stall, race: Race) -> None:
    card = stall.card(100)
    limits = CheckoutLimits(checkouts=None, units=20, stock_share=None)
    outcomes = race(lambda number: stall.checkout((card, 3), reference=f"c{number}", limits=limits))
    assert refusals(outcomes) == [-201] * (RUNNERS - 6)
    assert stall.available(card) == 100 - 18


def test_sixteen_customers_at_one_address_stay_within_its_limit(stall: Stall, race: Race) -> None:
    card = stall.card(100)
    buyers = [_customer(stall, b"a" * 32) for _ in range(RUNNERS)]
    limits = CheckoutLimits(address_checkouts=7, address_units=100, stock_share=None)
    outcomes = race(lambda number: stall.checkout((card, 1), limits=limits, buyer=buyers[number]))
    assert refusals(outcomes) == [-201] * (RUNNERS - 7)
    assert stall.available(card) == 93


def test_sixteen_customers_leave_of_a_product_what_checkouts_may_not_hold(stall: Stall, race: Race) -> None:
    """Half of 40 units, three at a time: six checkouts hold 18, the seventh would pass 20."""
    card = stall.card(40)
    buyers = [_customer(stall, None) for _ in range(RUNNERS)]
    limits = CheckoutLimits(stock_share=50)
    outcomes = race(lambda number: stall.checkout((card, 3), limits=limits, buyer=buyers[number]))
    assert refusals(outcomes) == [-200] * (RUNNERS - 6)
    reasons = [one.data["items"][0]["reason"] for one in outcomes if isinstance(one, Refusal)]  # type: ignore[index]
    assert reasons == ["reserved"] * (RUNNERS - 6)
    assert stall.available(card) == 22
    assert stall.order((card, 22)).order.state == PLACED


def test_sixteen_of_one_reference_are_one_checkout_whatever_the_limit(stall: Stall, race: Race) -> None:
    card = stall.card(20)
    limits = CheckoutLimits(checkouts=1)
    outcomes = race(lambda _: stall.checkout((card, 2), reference="the only one", limits=limits))
    assert refusals(outcomes) == []
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def _customer(stall: Stall, address: bytes | None) -> Buyer:
    made = stall.write(accounts.create, "customer", f"{fresh('c')}@example.com", "C", password=PASSWORD)
    return Buyer(str(made), "customer", "storefront", "USD", "GLOBAL", address)


def test_expiring_checkouts_and_buyers_of_the_same_goods_do_not_lose_a_unit(stall: Stall, race: Race) -> None:
    one, other = stall.card(8), stall.card(8)
    placed = [stall.checkout((one, 1), (other, 1), minutes=-1).order.id for _ in range(8)]

    def expire_or_buy(number: int) -> object:
        if number % 2:
            return stall.write(checkout.expire, placed[number // 2])
        wanted = request((other, 1), (one, 1), reference=fresh("buy"))
        return stall.write(orders.place, stall.buyer, wanted)

    outcomes = race(expire_or_buy)
    numbers = refusals(outcomes)
    assert set(numbers) <= {-200}
    bought = [got for got in outcomes if isinstance(got, PlacedOrder)]
    assert len(bought) + len(numbers) == 8
    assert (stall.available(one), stall.available(other)) == (8 - len(bought), 8 - len(bought))
