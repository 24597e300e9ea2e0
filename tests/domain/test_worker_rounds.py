"""The worker's rounds: one failure does not hold up the rest."""

import asyncio

import pytest

from bedesten.server.rounds import write_each
from bedesten.store.transaction import StoreUnavailable, Transaction
from tests.domain.tenant import Tenant


def test_one_failing_item_does_not_hold_up_the_others(tenant: Tenant) -> None:
    done: list[str] = []

    def act(tx: Transaction, item: str) -> None:
        if item == "poison":
            raise ZeroDivisionError
        done.append(item)

    asyncio.run(write_each(tenant.store, [(tenant.id, "poison"), (tenant.id, "good")], act))
    assert done == ["good"]


def test_an_unavailable_store_ends_the_round(tenant: Tenant) -> None:
    def act(tx: Transaction, item: str) -> None:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        asyncio.run(write_each(tenant.store, [(tenant.id, "one")], act))
