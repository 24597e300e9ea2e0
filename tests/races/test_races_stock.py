"""Sixteen at once: codes withdrawn or moved during sales are never sold, and no code is lost."""

from bedesten.admin import stock as operator_stock
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import read_code
from bedesten.orders.actions import PlacedOrder
from tests.domain.tenant import Tenant, fresh
from tests.races.conftest import Race
from tests.races.test_races_goods import buy_until_sold_out, delivered_codes, refusals
from tests.store.raw import RawConnection

CODES = 60
COST = 7
STATES = "SELECT state, count(*) FROM stock_codes WHERE tenant_id = :tenant GROUP BY state"
EARNED = (
    "SELECT coalesce(sum(amount), 0) FROM transfers WHERE tenant_id = :tenant AND substr(business_key, 1, 5) = 'cost:'"
)


def batch_of(tenant: Tenant, product: str) -> str:
    """Uploads a supplier's batch of the product, from which many will buy."""
    codes = [read_code(fresh("CODE")) for _ in range(CODES)]
    source = Source("a race", tenant.supplier, tenant.supplier, COST)
    return tenant.write(batches.add, tenant.installation.cipher, product, codes, source).batch_id or ""


def sold(outcomes: list[object]) -> list[PlacedOrder]:
    """Every order of the buyers."""
    return [one for got in outcomes if isinstance(got, list) for one in got]


def test_every_code_of_a_batch_withdrawn_during_sales_is_sold_or_withdrawn(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    card = tenant.card(0)
    batch = batch_of(tenant, card)

    def trade(number: int) -> object:
        if number % 5:
            return buy_until_sold_out(tenant, card, number)
        return operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "revoked")[1].withdrawn

    outcomes = race(trade)
    assert refusals(outcomes) == []
    withdrawn = sum(one for one in outcomes if isinstance(one, int))
    codes = delivered_codes(tenant, sold(outcomes))
    assert len(codes) == len(set(codes)) == CODES - withdrawn
    assert tenant.available(card) == 0
    states = dict(other_connection.rows(STATES, tenant=tenant.id))
    assert (states.get(2, 0), states.get(3, 0)) == (len(codes), withdrawn)
    assert other_connection.one(EARNED, tenant=tenant.id) == COST * len(codes)


def test_a_batch_moved_during_sales_loses_no_code_and_sells_none_twice(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    one, other = tenant.card(0), tenant.card(0)
    batch_of(tenant, one)
    batch_of(tenant, other)

    def trade(number: int) -> object:
        if number % 4:
            return buy_until_sold_out(tenant, other if number % 2 else one, number)
        to = other if number % 8 else one
        for found in tenant.read(inventory.batches_of, one if to == other else other):
            if found.free:
                return operator_stock.move(tenant.store, tenant.id, found.id, to)[1]
        return 0

    outcomes = race(trade)
    assert set(refusals(outcomes)) <= {-8}
    codes = delivered_codes(tenant, sold(outcomes))
    assert len(codes) == len(set(codes))
    left = tenant.available(one) + tenant.available(other)
    assert len(codes) + left == 2 * CODES
    assert other_connection.one(EARNED, tenant=tenant.id) == COST * len(codes)


def test_two_spellings_of_the_same_codes_uploaded_at_once_are_stored_once(tenant: Tenant, race: Race) -> None:
    card = tenant.card(0)
    codes = [f"AAAA-{at:03}" for at in range(40)]
    spellings = (codes, [one.lower() for one in codes[::-1]], [one.replace("-", " ") for one in codes])
    outcomes = race(lambda number: tenant.upload(card, spellings[number % 3]))
    assert refusals(outcomes) == []
    assert sum(one for one in outcomes if isinstance(one, int)) == 40
    assert tenant.available(card) == 40
