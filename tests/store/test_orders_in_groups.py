"""Orders that many clients of one process place at once on PostgreSQL, through the threads of its store."""

import asyncio
from collections.abc import Iterator

import pytest

from bedesten.errors import Refusal
from bedesten.integrity.check import violations
from bedesten.orders import actions as orders
from bedesten.orders.actions import PlacedOrder
from bedesten.server.installation import Installation
from bedesten.store import wait_budget
from tests.domain.tenant import Tenant, fresh, open_tenant, request
from tests.support.sites import opened

CLIENTS = 16


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened("postgresql", tmp_path_factory.mktemp("groups")) as made:
        yield made
        assert violations(made) == []


def at_once(tenant: Tenant, wanted: list[tuple[str, str]]) -> list[PlacedOrder | BaseException]:
    """Places one-unit orders, given as product and reference, all at the same time."""

    async def place(product: str, reference: str) -> PlacedOrder:
        wait_budget.limit(60.0)
        asked = request((product, 1), reference=reference)
        return await tenant.store.write(tenant.id, orders.place, tenant.buyer, asked)

    async def all_of_them() -> list[PlacedOrder | BaseException]:
        return await asyncio.gather(*(place(*one) for one in wanted), return_exceptions=True)

    return asyncio.run(all_of_them())


def delivered(tenant: Tenant, answers: list[PlacedOrder | BaseException]) -> list[str]:
    return [code for one in answers if isinstance(one, PlacedOrder) for code in tenant.codes(one.lines[0].id)]


def test_concurrent_orders_share_transactions_and_each_gets_its_own_code(installation: Installation) -> None:
    tenant = open_tenant(installation, credit=10_000_000)
    card = tenant.card(4 * CLIENTS)
    tenant.order((tenant.card(1), 1))
    before = tenant.store.stats.transactions, tenant.store.stats.actions
    answers = [one for _ in range(4) for one in at_once(tenant, [(card, fresh("o")) for _ in range(CLIENTS)])]
    codes = delivered(tenant, answers)
    assert len(set(codes)) == len(codes) == 4 * CLIENTS
    assert tenant.available(card) == 0
    transactions, actions = tenant.store.stats.transactions - before[0], tenant.store.stats.actions - before[1]
    assert actions == 4 * CLIENTS
    assert transactions < actions


def test_more_orders_than_codes_sell_every_code_once_and_nothing_else(installation: Installation) -> None:
    tenant = open_tenant(installation, credit=10_000_000)
    card = tenant.card(CLIENTS + 3)
    answers = at_once(tenant, [(card, fresh("o")) for _ in range(2 * CLIENTS)])
    codes = delivered(tenant, answers)
    assert len(set(codes)) == len(codes) == CLIENTS + 3
    refused = [one.code.number for one in answers if isinstance(one, Refusal)]
    assert refused == [-200] * (CLIENTS - 3)


def test_only_orders_that_the_balance_does_not_cover_are_refused(installation: Installation) -> None:
    tenant = open_tenant(installation, credit=5 * 500)
    card = tenant.card(CLIENTS, price=500)
    answers = at_once(tenant, [(card, fresh("o")) for _ in range(CLIENTS)])
    assert len(delivered(tenant, answers)) == 5
    assert [one.code.number for one in answers if isinstance(one, Refusal)] == [-300] * (CLIENTS - 5)


def test_concurrent_orders_with_the_same_reference_are_one_order(installation: Installation) -> None:
    tenant = open_tenant(installation, credit=10_000_000)
    card = tenant.card(CLIENTS)
    references = [fresh("o") for _ in range(4)]
    answers = at_once(tenant, [(card, references[at % 4]) for at in range(CLIENTS)])
    assert [one for one in answers if isinstance(one, BaseException)] == []
    placed = {one.order.id for one in answers if isinstance(one, PlacedOrder)}
    assert len(placed) == 4
    assert tenant.available(card) == CLIENTS - 4


def test_a_command_and_a_server_of_one_process_do_not_wait_for_each_other(installation: Installation) -> None:
    """A command commits by itself: nothing would serve its followers."""
    tenant = open_tenant(installation, credit=10_000_000)
    card = tenant.card(CLIENTS + 1)
    tenant.order((card, 1))
    assert len(delivered(tenant, at_once(tenant, [(card, fresh("o")) for _ in range(CLIENTS)]))) == CLIENTS
