"""What an order costs the store, as numbers that do not depend on the machine: round trips, and statements on SQLite."""

from collections.abc import Callable
from typing import Any

import pytest

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.orders.statements import INSERT_LINE, INSERT_ORDER
from bedesten.store.sql import Statement
from bedesten.store.transaction import Transaction
from tests.domain.tenant import Tenant, fresh
from tests.store.raw import RawConnection
from tests.store.test_store_statements import examples_for
from tests.support.round_trips import counted


def cost(tenant: Tenant, action: Callable[[], object]) -> int:
    """Counts an action's round trips on PostgreSQL, or its statements on SQLite, when it runs for the second time."""
    action()
    with counted() as count:
        action()
    return count.round_trips if tenant.store.dialect == "postgresql" else count.statements


def expected(tenant: Tenant, round_trips: int, statements: int) -> int:
    """The number for the tenant's engine."""
    return round_trips if tenant.store.dialect == "postgresql" else statements


def test_an_order_of_one_line_takes_two_round_trips(tenant: Tenant) -> None:
    card = tenant.card(4)
    assert cost(tenant, lambda: tenant.order((card, 1))) == expected(tenant, 2, 11)
    assert tenant.available(card) == 2


def test_on_sqlite_an_order_fills_no_table_for_a_list_of_constants(
    tenant: Tenant, other_connection: RawConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite fills a table for `IN` with three constants each time it runs a statement, also in a check constraint."""
    statements: list[Statement[Any]] = []
    execute = Transaction._execute

    def noting(tx: Transaction, statement: Statement[Any], parameters: dict[str, Any]) -> Any:
        statements.append(statement)
        return execute(tx, statement, parameters)

    card = tenant.card(2)
    tenant.order((card, 1))  # opens the ledger accounts
    monkeypatch.setattr(Transaction, "_execute", noting)
    tenant.order((card, 1))
    if other_connection.dialect == "sqlite":
        tables = [INSERT_ORDER, INSERT_LINE]
        assert [one for one in tables if one not in statements] == []
        for one in statements:
            rows = other_connection.connection.execute(
                f"EXPLAIN {one.compiled('sqlite')}", examples_for(one)
            ).fetchall()
            assert "OpenEphemeral" not in [row[1] for row in rows], one.compiled("sqlite")


def test_an_order_of_several_products_and_units_takes_two_round_trips(tenant: Tenant) -> None:
    cards = [tenant.card(6) for _ in range(3)]
    assert cost(tenant, lambda: tenant.order(*((card, 3) for card in cards))) == expected(tenant, 2, 25)


def test_an_order_with_two_lines_of_one_product_takes_two_round_trips(tenant: Tenant) -> None:
    card = tenant.card(6)
    assert cost(tenant, lambda: tenant.order((card, 1), (card, 2))) == expected(tenant, 2, 16)
    assert tenant.available(card) == 0


def test_a_repeated_order_takes_three_round_trips(tenant: Tenant) -> None:
    card, reference = tenant.card(2), fresh("order")
    assert cost(tenant, lambda: tenant.order((card, 1), reference=reference)) == expected(tenant, 3, 4)


def test_an_order_that_the_balance_does_not_cover_takes_one_round_trip(tenant: Tenant) -> None:
    card = tenant.card(1, price=100_001)
    tenant.order((tenant.card(1), 1))  # opens the ledger accounts

    def refused() -> None:
        with pytest.raises(Refusal) as refusal:
            tenant.order((card, 1))
        assert refusal.value.code is errors.INSUFFICIENT_BALANCE

    assert cost(tenant, refused) == expected(tenant, 1, 2)
