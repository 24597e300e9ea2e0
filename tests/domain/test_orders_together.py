"""Several orders in one transaction on PostgreSQL: the last changes of each are committed together."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from bedesten.integrity.check import violations
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.server.installation import Installation
from bedesten.store.job import Job
from bedesten.store.joint_changes import joined
from bedesten.store.postgres_connection import PostgresConnection
from bedesten.store.postgres_session import PostgresSession
from bedesten.store.transaction import Changes, SystemTransaction
from bedesten.store.wait_budget import WaitBudget
from tests.domain.tenant import Tenant, fresh, open_tenant, request
from tests.store.raw import raw
from tests.support.sites import opened


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened("postgresql", tmp_path_factory.mktemp("together")) as made:
        yield made
        assert violations(made) == []


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    return open_tenant(installation, credit=100_000)


class Flight:
    """A session, and orders on it that are ready for COMMIT."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        address = tenant.installation.settings.database
        assert address
        self.session = PostgresSession(address, 200, lambda: 0, lambda: None)
        self.job = Job(lambda _tx: None, WaitBudget(60.0))
        self.ready: list[tuple[PostgresConnection, Changes]] = []
        self.connection_id: int | None = None

    def order(self, *wanted: tuple[str, int]) -> str:
        connection = PostgresConnection(self.session.connected(self.job), self.job, reads_outside=True)
        now = 1_750_000_000_000
        tx = SystemTransaction(connection, "postgresql", now, self.tenant.store.ids, at=None).for_tenant(self.tenant.id)
        tx.connection_id = len(self.ready) if self.connection_id is None else self.connection_id
        placed = orders.place(tx, self.tenant.buyer, request(*wanted, reference=fresh("together")))
        changes = connection.joint_changes
        assert changes is not None
        self.ready.append((connection, changes))
        return placed.lines[0].id

    def commit(self) -> None:
        ready, self.ready = self.ready, []
        ready[0][0].commit_joint([changes for _, changes in ready])


@pytest.fixture
def flight(tenant: Tenant) -> Iterator[Flight]:
    made = Flight(tenant)
    yield made
    made.session.drop()


def stored(tenant: Tenant) -> int:
    with raw(tenant.installation.settings) as other:
        return int(other.rows("SELECT count(*) FROM orders WHERE tenant_id = :tenant", tenant=tenant.id)[0][0])


def opened_accounts(tenant: Tenant) -> None:
    """Places an order, which opens the ledger accounts; later orders only change them."""
    tenant.order((tenant.card(1), 1))


def test_orders_of_several_products_are_stored_and_delivered_in_one_transaction(tenant: Tenant, flight: Flight) -> None:
    opened_accounts(tenant)
    cards = [tenant.card(2) for _ in range(2)]
    lines = [flight.order((card, 1)) for card in (*cards, *cards[::-1])]
    flight.commit()
    assert [len(tenant.codes(line)) for line in lines] == [1] * 4
    assert stored(tenant) == 5
    assert [tenant.available(card) for card in cards] == [0, 0]


def test_each_order_gets_its_own_codes(tenant: Tenant, flight: Flight) -> None:
    opened_accounts(tenant)
    card = tenant.card(5)
    lines = [flight.order((card, 1)) for _ in range(5)]
    flight.commit()
    codes = [tenant.codes(line) for line in lines]
    assert [len(one) for one in codes] == [1] * 5
    assert len({one[0] for one in codes}) == 5
    assert tenant.available(card) == 0


@pytest.mark.parametrize("prepared", [False, True])
def test_one_order_too_many_undoes_the_whole_group_and_the_session_stays_usable(
    tenant: Tenant, flight: Flight, prepared: bool
) -> None:
    """Statements after a failed one were never prepared, whatever the driver thinks."""
    opened_accounts(tenant)
    if prepared:
        for _ in range(4):
            plenty = tenant.card(3)
            for _ in range(3):
                flight.order((plenty, 1))
            flight.commit()
    before, card = stored(tenant), tenant.card(2)
    for _ in range(3):
        flight.order((card, 1))
    with pytest.raises(psycopg.Error):
        flight.commit()
    flight.session.undo()
    assert (stored(tenant), tenant.available(card)) == (before, 2)
    for count in (2, 3, 3):
        enough = tenant.card(count)
        for _ in range(count):
            flight.order((enough, 1))
        flight.commit()
        assert tenant.available(enough) == 0
    assert stored(tenant) == before + 8


def test_a_group_of_orders_never_overdraws_a_partner_s_balance(installation: Installation) -> None:
    tenant = open_tenant(installation, credit=1_000)
    card = tenant.card(4, price=400)
    flight = Flight(tenant)
    tenant.order((tenant.card(1, price=1), 1))
    for _ in range(3):
        flight.order((card, 1))
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        flight.commit()
    flight.session.drop()
    assert stored(tenant) == 1


def test_shared_rows_are_locked_in_a_fixed_order(tenant: Tenant, flight: Flight) -> None:
    """New rows first; then counters, codes and balances, each kind sorted: two groups never wait for each other."""
    opened_accounts(tenant)
    cards = sorted(tenant.card(4) for _ in range(3))
    for card in (cards[2], cards[0], cards[1], cards[0]):
        flight.order((card, 1))
    texts = joined([changes for _, changes in flight.ready])
    assert [one.text.count("INSERT INTO orders") for one in texts if "INSERT INTO orders" in one.text] == [1]
    counted = [one.values for one in texts if "stock_counters" in one.text]
    assert [(one["0_product"], one["0_shard"]) for one in counted] == [
        (cards[0], 1), (cards[0], 3), (cards[1], 2), (cards[2], 0),
    ]  # fmt: skip
    shared = ("stock_counters", "stock_codes", "ledger_accounts")
    kinds = [kind for one in texts[1:] for kind in shared if re.match(rf"WITH s0 AS \(\w+ (INTO )?{kind} ", one.text)]
    assert kinds == ["stock_counters"] * 4 + ["stock_codes"] * 4 + ["ledger_accounts"], "one buyer's amounts are summed"


def test_units_of_one_product_and_shard_and_amounts_of_one_buyer_are_summed(tenant: Tenant, flight: Flight) -> None:
    opened_accounts(tenant)
    before = tenant.read(ledger.account, tenant.partner, "partner", "USD")
    card, dear = tenant.card(9), tenant.card(4, price=700)
    flight.connection_id = 7
    for wanted in ((card, 2), (dear, 2), (card, 3)):
        flight.order(wanted)
    counted = [one.values for one in joined([changes for _, changes in flight.ready]) if "stock_counters" in one.text]
    assert sorted(one["0_count"] for one in counted) == [2, 5]
    flight.commit()
    after = tenant.read(ledger.account, tenant.partner, "partner", "USD")
    assert before.available - after.available == 5 * 500 + 2 * 700
    assert (tenant.available(card), tenant.available(dear)) == (4, 2)
