"""A list of orders finds each order's lines by their index: it never reads all lines of the tenant for every order."""

from bedesten.orders import listing
from tests.domain.tenant import Tenant
from tests.store.raw import RawConnection
from tests.store.test_store_statements import examples_for


def test_the_lines_of_listed_orders_are_found_by_order(tenant: Tenant, other_connection: RawConnection) -> None:
    for statement in (listing._OF_BUYER, listing._OF_TENANT):
        if other_connection.dialect == "sqlite":
            explain = "EXPLAIN QUERY PLAN " + statement.compiled("sqlite")
            rows = other_connection.connection.execute(explain, examples_for(statement)).fetchall()
            plan = [str(row[-1]) for row in rows if "order_lines" in str(row[-1])]
            assert len(plan) == 2
            assert [step for step in plan if "order_id=?" not in step] == []
