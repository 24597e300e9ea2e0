"""Sixteen at once: what is taken out or moved while buyers buy is never sold, and no code is lost."""

from bedesten.admin import stock as operator_stock
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.orders.actions import PlacedOrder
from tests.domain.stall import Stall, fresh
from tests.races.conftest import Race
from tests.races.test_races_goods import buy_until_sold_out, delivered_codes, refusals
from tests.store.raw import Raw

CODES = 60
COST = 7
STATES = "SELECT state, count(*) FROM stock_codes WHERE tenant_id = :tenant GROUP BY state"
EARNED = (
    "SELECT coalesce(sum(amount), 0) FROM transfers WHERE tenant_id = :tenant AND substr(business_key, 1, 5) = 'cost:'"
)


def batch_of(stall: Stall, product: str) -> str:
    """A supplier's batch of the product, from which many will buy."""
    codes = [read_code(fresh("CODE")) for _ in range(CODES)]
    source = Source("a race", stall.supplier, stall.supplier, COST)
    return stall.write(batches.add, stall.installation.cipher, product, codes, source).batch_id or ""


def sold(outcomes: list[object]) -> list[PlacedOrder]:
    """Every order of the buyers."""
    return [one for got in outcomes if isinstance(got, list) for one in got]


def test_a_batch_that_is_taken_out_while_it_sells_is_sold_or_withdrawn_to_the_last_code(
    stall: Stall, race: Race, other_connection: Raw
) -> None:
    card = stall.card(0)
    batch = batch_of(stall, card)

    def trade(number: int) -> object:
        if number % 5:
            return buy_until_sold_out(stall, card, number)
        return stall.write(operator_stock.withdraw_batch, batch, "revoked")[1].withdrawn

    outcomes = race(trade)
    assert refusals(outcomes) == []
    withdrawn = sum(one for one in outcomes if isinstance(one, int))
    codes = delivered_codes(stall, sold(outcomes))
    assert len(codes) == len(set(codes)) == CODES - withdrawn
    assert stall.available(card) == 0
    states = dict(other_connection.rows(STATES, tenant=stall.tenant))
    assert (states.get(2, 0), states.get(3, 0)) == (len(codes), withdrawn)
    assert other_connection.one(EARNED, tenant=stall.tenant) == COST * len(codes)


def test_a_batch_that_moves_while_both_products_sell_loses_no_code_and_sells_none_twice(
    stall: Stall, race: Race, other_connection: Raw
) -> None:
    one, other = stall.card(0), stall.card(0)
    batch_of(stall, one)
    batch_of(stall, other)

    def trade(number: int) -> object:
        if number % 4:
            return buy_until_sold_out(stall, other if number % 2 else one, number)
        to = other if number % 8 else one
        for found in stall.read(inventory.batches_of, one if to == other else other):
            if found.free:
                return stall.write(operator_stock.move, found.id, to)[1]
        return 0

    outcomes = race(trade)
    assert set(refusals(outcomes)) <= {-8}
    codes = delivered_codes(stall, sold(outcomes))
    assert len(codes) == len(set(codes))
    left = stall.available(one) + stall.available(other)
    assert len(codes) + left == 2 * CODES
    assert other_connection.one(EARNED, tenant=stall.tenant) == COST * len(codes)


def test_two_spellings_of_the_same_codes_put_in_at_once_are_there_once(stall: Stall, race: Race) -> None:
    card = stall.card(0)
    codes = [f"AAAA-{at:03}" for at in range(40)]
    spellings = (codes, [one.lower() for one in codes[::-1]], [one.replace("-", " ") for one in codes])
    outcomes = race(lambda number: stall.upload(card, spellings[number % 3]))
    assert refusals(outcomes) == []
    assert sum(one for one in outcomes if isinstance(one, int)) == 40
    assert stall.available(card) == 40
