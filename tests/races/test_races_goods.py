"""Sixteen at once: goods are never sold twice, never lost, and never reported as sold out while some may come back."""

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
from tests.domain.tenant import CARD, PASSWORD, Tenant, fresh, request
from tests.races.conftest import RUNNERS, Race
from tests.store.raw import RawConnection


def refusals(outcomes: list[object]) -> list[int]:
    """The numbers of the refusals; any other exception is a defect."""
    assert not [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, Refusal)], outcomes
    return [one.code.number for one in outcomes if isinstance(one, Refusal)]


def delivered_codes(tenant: Tenant, placed: list[PlacedOrder]) -> list[str]:
    """Every code of these orders."""
    return [code for one in placed for line in one.lines for code in tenant.codes(line.id)]


def buy_until_sold_out(tenant: Tenant, card: str, buyer: int) -> list[PlacedOrder]:
    """Orders one unit at a time until none is left."""
    got: list[PlacedOrder] = []
    while True:
        try:
            got.append(tenant.order((card, 1), reference=f"buyer-{buyer}-{len(got)}"))
        except Refusal as refused:
            if refused.data != {"items": [{"deliverId": "1", "reason": "outOfStock"}]}:
                raise
            return got


def test_sixteen_buyers_of_twenty_units_get_exactly_twenty(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    card = tenant.card(20)
    outcomes = race(lambda buyer: buy_until_sold_out(tenant, card, buyer))
    assert refusals(outcomes) == []
    placed = [one for got in outcomes if isinstance(got, list) for one in got]
    assert len(placed) == 20
    codes = delivered_codes(tenant, placed)
    assert len(codes) == len(set(codes)) == 20
    assert tenant.available(card) == 0
    assert tenant.balance().posted == -20 * CARD
    assert other_connection.one("SELECT count(*) FROM orders WHERE tenant_id = :tenant", tenant=tenant.id) == 20


def test_buyers_who_want_several_units_get_all_of_them_or_none(tenant: Tenant, race: Race) -> None:
    """16 buyers want 3 of 20 units each: six can be served, and two units remain."""
    card = tenant.card(20)
    outcomes = race(lambda buyer: tenant.order((card, 3), reference=f"three-{buyer}"))
    assert refusals(outcomes) == [-200] * 10
    placed = [one for one in outcomes if isinstance(one, PlacedOrder)]
    codes = delivered_codes(tenant, placed)
    assert (len(placed), len(codes), len(set(codes)), tenant.available(card)) == (6, 18, 18, 2)


def test_no_buyer_gets_sold_out_because_of_an_order_that_is_rolled_back(tenant: Tenant, race: Race) -> None:
    """Half of the buyers cannot pay: the units that they claim for a moment go back to buyers who wait for them."""
    card = tenant.card(8)
    poor = tenant.write(accounts.create, "partner", "poor@example.com", "Poor", password=PASSWORD)
    assert poor is not None
    penniless = Tenant(tenant.installation, tenant.id, poor, tenant.customer, tenant.supplier, tenant.integration)
    penniless.credit(0)

    def buy(buyer: int) -> PlacedOrder:
        return (tenant if buyer % 2 else penniless).order((card, 1), reference=f"b{buyer}")

    outcomes = race(buy)
    refusals(outcomes)
    rich = [outcomes[buyer] for buyer in range(1, RUNNERS, 2)]
    assert [type(one) for one in rich] == [PlacedOrder] * 8
    assert tenant.available(card) == 0


def test_one_reference_makes_one_order_and_every_request_gets_it(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    card = tenant.card(20)
    outcomes = race(lambda _: tenant.order((card, 2), reference="the only one"))
    assert refusals(outcomes) == []
    placed = [one for one in outcomes if isinstance(one, PlacedOrder)]
    assert len(placed) == RUNNERS
    assert len({one.order.id for one in placed}) == 1
    assert Counter(one.replayed for one in placed) == {False: 1, True: RUNNERS - 1}
    assert tenant.available(card) == 18
    assert tenant.balance().posted == -2 * CARD
    assert other_connection.one("SELECT count(*) FROM orders WHERE tenant_id = :tenant", tenant=tenant.id) == 1


def test_requests_with_one_reference_for_the_last_unit_all_get_the_same_order(tenant: Tenant, race: Race) -> None:
    """The fifteen later requests find neither goods nor money, and still get the order."""
    tenant.credit(CARD)
    card = tenant.card(1)
    outcomes = race(lambda _: tenant.order((card, 1), reference="last"))
    assert refusals(outcomes) == []
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def test_one_reference_with_two_different_contents_makes_one_order(tenant: Tenant, race: Race) -> None:
    card = tenant.card(20)
    outcomes = race(lambda number: tenant.order((card, 1 + number % 2), reference="either"))
    assert refusals(outcomes) == [-8] * (RUNNERS // 2)
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def test_orders_of_two_products_in_opposite_order_are_all_placed(tenant: Tenant, race: Race) -> None:
    """Orders lock products in the order of their ids, so two orders never deadlock."""
    one, other = tenant.card(RUNNERS * 5), tenant.card(RUNNERS * 5)

    def both_ways(buyer: int) -> list[PlacedOrder]:
        wanted = [(one, 1), (other, 1)] if buyer % 2 else [(other, 1), (one, 1)]
        return [tenant.order(*wanted, reference=f"o{buyer}-{turn}") for turn in range(5)]

    outcomes = race(both_ways)
    assert refusals(outcomes) == []
    placed = [order for got in outcomes if isinstance(got, list) for order in got]
    codes = delivered_codes(tenant, placed)
    assert len(placed) == 5 * RUNNERS
    assert len(codes) == len(set(codes)) == 10 * RUNNERS
    assert (tenant.available(one), tenant.available(other)) == (0, 0)


def test_stock_that_is_uploaded_during_sales_is_counted_exactly(tenant: Tenant, race: Race) -> None:
    card = tenant.card(10)

    def trade(number: int) -> object:
        if number % 4:
            return buy_until_sold_out(tenant, card, number)
        return tenant.upload(card, [f"NEW-{number}-{at}" for at in range(10)] + ["SAME-FOR-ALL"])

    outcomes = race(trade)
    assert refusals(outcomes) == []
    uploaded = sum(one for one in outcomes if isinstance(one, int))
    placed = [order for got in outcomes if isinstance(got, list) for order in got]
    assert uploaded == 4 * 10 + 1
    assert len(placed) + tenant.available(card) == 10 + uploaded
    assert len(set(delivered_codes(tenant, placed))) == len(placed)


def test_uploads_of_the_same_codes_in_opposite_order_store_each_code_once(tenant: Tenant, race: Race) -> None:
    card = tenant.card(0)
    codes = [f"MANY-{at:03}" for at in range(40)]
    outcomes = race(lambda number: tenant.upload(card, codes if number % 2 else codes[::-1]))
    assert refusals(outcomes) == []
    assert sum(one for one in outcomes if isinstance(one, int)) == 40
    assert tenant.available(card) == 40


def test_a_line_is_delivered_once_when_sixteen_deliver_the_same_codes(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.topup(), 2)).lines[0]
    outcomes = race(lambda _: tenant.deliver(line.id, ["SAME-A", "SAME-B"]))
    assert refusals(outcomes) == []
    assert tenant.codes(line.id) == ["SAME-A", "SAME-B"]
    assert (tenant.line(line.id).version, tenant.balance().posted, tenant.balance().held) == (2, -1_400, 0)


def test_a_line_is_delivered_once_when_sixteen_deliver_different_codes(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.topup(), 1)).lines[0]
    outcomes = race(lambda number: tenant.deliver(line.id, [f"CODE-OF-{number}"]))
    assert refusals(outcomes) == [-500] * (RUNNERS - 1)
    (winner,) = [number for number, one in enumerate(outcomes) if not isinstance(one, Refusal)]
    assert tenant.codes(line.id) == [f"CODE-OF-{winner}"]
    assert (tenant.line(line.id).version, tenant.balance().posted) == (2, -700)


def test_one_code_is_delivered_to_one_of_sixteen_lines(tenant: Tenant, race: Race) -> None:
    topup = tenant.topup()
    lines = [tenant.order((topup, 1)).lines[0].id for _ in range(RUNNERS)]
    outcomes = race(lambda number: tenant.deliver(lines[number], ["ONE-AND-ONLY"]))
    assert refusals(outcomes) == [-500] * (RUNNERS - 1)
    assert Counter(tenant.line(line).status for line in lines) == {1: 1, 2: RUNNERS - 1}
    assert tenant.balance().held == 700 * (RUNNERS - 1)


def test_lines_of_one_order_delivered_concurrently_are_all_captured(tenant: Tenant, race: Race) -> None:
    topup = tenant.topup()
    placed = tenant.order(*[(topup, 1)] * RUNNERS)
    outcomes = race(lambda number: tenant.deliver(placed.lines[number].id, [f"L-{number}"]))
    assert refusals(outcomes) == []
    assert (tenant.balance().posted, tenant.balance().held) == (-700 * RUNNERS, 0)


def test_the_queue_of_waiting_lines_shows_no_half_delivered_line(tenant: Tenant, race: Race) -> None:
    topup = tenant.topup()
    lines = [tenant.order((topup, 1)).lines[0].id for _ in range(RUNNERS // 2)]

    def work_or_look(number: int) -> object:
        if number % 2:
            return tenant.deliver(lines[number // 2], [f"W-{number}"])
        return [(line.status, line.version) for line in tenant.read(fulfilment.waiting_lines, tenant.supplier, "", 50)]

    outcomes = race(work_or_look)
    assert refusals(outcomes) == []
    assert {seen for one in outcomes if isinstance(one, list) for seen in one} <= {(2, 1)}
    assert tenant.read(fulfilment.waiting_lines, tenant.supplier, "", 50) == []


def test_a_sku_that_sixteen_create_at_once_is_one_product(tenant: Tenant, race: Race) -> None:
    made = race(
        lambda n: tenant.write(catalogue.put_product, ProductFields(name=f"P{n}", currency="USD", sku="S", price=n + 1))
    )
    assert refusals(made) == []
    assert len(set(map(str, made))) == 1
    offer = race(lambda n: tenant.write(upsert_offer, tenant.supplier, "USD", Offer("their", f"N{n}", n)).product.id)
    assert refusals(offer) == []
    assert len(set(map(str, offer))) == 1
    names = race(lambda _: tenant.write(catalogue.category, "Games"))
    assert len(set(map(str, names))) == 1


def test_checkouts_reserve_exactly_the_stock_and_release_it_once(tenant: Tenant, race: Race) -> None:
    card = tenant.card(10)
    outcomes = race(lambda number: tenant.checkout((card, 1), reference=f"c{number}", minutes=-1))
    assert refusals(outcomes) == [-200] * 6
    claimed = [one.order.id for one in outcomes if isinstance(one, PlacedOrder)]
    assert (len(claimed), tenant.available(card)) == (10, 0)
    expired = race(lambda number: sum(tenant.write(checkout.expire, one) for one in claimed))
    assert refusals(expired) == []
    assert sum(one for one in expired if isinstance(one, int)) == 10
    assert tenant.available(card) == 10


def test_sixteen_checkouts_of_one_customer_stay_within_its_limit(tenant: Tenant, race: Race) -> None:
    card = tenant.card(100)
    limits = CheckoutLimits(checkouts=5, units=100, stock_share=None)
    outcomes = race(lambda number: tenant.checkout((card, 2), reference=f"c{number}", limits=limits))
    assert refusals(outcomes) == [-201] * (RUNNERS - 5)
    assert tenant.available(card) == 90


def test_sixteen_checkouts_of_one_customer_stay_within_its_units(tenant: Tenant, race: Race) -> None:
    card = tenant.card(100)
    limits = CheckoutLimits(checkouts=None, units=20, stock_share=None)
    outcomes = race(lambda number: tenant.checkout((card, 3), reference=f"c{number}", limits=limits))
    assert refusals(outcomes) == [-201] * (RUNNERS - 6)
    assert tenant.available(card) == 100 - 18


def test_sixteen_customers_at_one_address_stay_within_its_limit(tenant: Tenant, race: Race) -> None:
    card = tenant.card(100)
    buyers = [_customer(tenant, b"a" * 32) for _ in range(RUNNERS)]
    limits = CheckoutLimits(address_checkouts=7, address_units=100, stock_share=None)
    outcomes = race(lambda number: tenant.checkout((card, 1), limits=limits, buyer=buyers[number]))
    assert refusals(outcomes) == [-201] * (RUNNERS - 7)
    assert tenant.available(card) == 93


def test_sixteen_customers_cannot_reserve_more_of_a_product_than_checkouts_may_hold(tenant: Tenant, race: Race) -> None:
    """Checkouts may hold half of 40 units. Six of three units hold 18; a seventh would exceed 20."""
    card = tenant.card(40)
    buyers = [_customer(tenant, None) for _ in range(RUNNERS)]
    limits = CheckoutLimits(stock_share=50)
    outcomes = race(lambda number: tenant.checkout((card, 3), limits=limits, buyer=buyers[number]))
    assert refusals(outcomes) == [-200] * (RUNNERS - 6)
    reasons = [one.data["items"][0]["reason"] for one in outcomes if isinstance(one, Refusal)]  # type: ignore[index]
    assert reasons == ["reserved"] * (RUNNERS - 6)
    assert tenant.available(card) == 22
    assert tenant.order((card, 22)).order.state == PLACED


def test_sixteen_checkouts_with_one_reference_are_one_whatever_the_limit(tenant: Tenant, race: Race) -> None:
    card = tenant.card(20)
    limits = CheckoutLimits(checkouts=1)
    outcomes = race(lambda _: tenant.checkout((card, 2), reference="the only one", limits=limits))
    assert refusals(outcomes) == []
    assert len({one.order.id for one in outcomes if isinstance(one, PlacedOrder)}) == 1


def _customer(tenant: Tenant, address: bytes | None) -> Buyer:
    made = tenant.write(accounts.create, "customer", f"{fresh('c')}@example.com", "C", password=PASSWORD)
    return Buyer(str(made), "customer", "storefront", "USD", "GLOBAL", address)


def test_expiring_checkouts_and_concurrent_buyers_lose_no_unit(tenant: Tenant, race: Race) -> None:
    one, other = tenant.card(8), tenant.card(8)
    placed = [tenant.checkout((one, 1), (other, 1), minutes=-1).order.id for _ in range(8)]

    def expire_or_buy(number: int) -> object:
        if number % 2:
            return tenant.write(checkout.expire, placed[number // 2])
        wanted = request((other, 1), (one, 1), reference=fresh("buy"))
        return tenant.write(orders.place, tenant.buyer, wanted)

    outcomes = race(expire_or_buy)
    numbers = refusals(outcomes)
    assert set(numbers) <= {-200}
    bought = [got for got in outcomes if isinstance(got, PlacedOrder)]
    assert len(bought) + len(numbers) == 8
    assert (tenant.available(one), tenant.available(other)) == (8 - len(bought), 8 - len(bought))
