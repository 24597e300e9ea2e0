"""Suppliers' actions do everything or nothing, and of two conflicting actions one succeeds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import suppliers
from bedesten.catalogue.code import read_code
from bedesten.catalogue.suppliers import Sourcing
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import routing
from bedesten.integrity.check import violations
from bedesten.orders import assignments, cancel
from bedesten.orders import statements as sql
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT
from bedesten.store.transaction import Transaction
from tests.domain.tenant import TOPUP, TOPUP_COST, Tenant, fresh
from tests.domain.test_supplier_lines import RIVAL_COST, deadlines, earned, rival, send, waiting
from tests.support.nth_failure import assert_all_or_nothing

Action = Callable[[Transaction], object]


def delivery(tenant: Tenant, supplier: str, line: str, *codes: str) -> Action:
    """The delivery of codes by a supplier."""
    sent = [read_code(code) for code in codes]
    return lambda tx: fulfilment.deliver(tx, tenant.installation.cipher, supplier, line, sent, [])


def whole(tenant: Tenant, action: Action) -> object:
    """Fails each call of the store that the action makes once; returns its result."""
    return assert_all_or_nothing(tenant.installation, tenant.id, action)


# --- all or nothing ---------------------------------------------------------------------------------------------------


def test_accepting_is_all_or_nothing(tenant: Tenant) -> None:
    line = waiting(tenant)
    whole(tenant, lambda tx: fulfilment.accept(tx, tenant.supplier, line.id))
    assert tenant.line(line.id).accepted is not None


def test_delivering_a_part_and_the_rest_is_all_or_nothing(tenant: Tenant) -> None:
    line = waiting(tenant, 2)
    whole(tenant, delivery(tenant, tenant.supplier, line.id, fresh("P")))
    whole(tenant, delivery(tenant, tenant.supplier, line.id, fresh("P")))
    assert tenant.line(line.id).status == DELIVERED
    assert earned(tenant, tenant.supplier) == 2 * TOPUP_COST


def test_putting_late_codes_into_stock_is_all_or_nothing(tenant: Tenant) -> None:
    line = waiting(tenant)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    whole(tenant, delivery(tenant, tenant.supplier, line.id, fresh("LATE"), fresh("LATE")))
    assert tenant.available(line.product_id) == 2


@pytest.mark.parametrize(("hold", "status"), [(0, CANCELLED), (1, TAKEN_OUT)])
def test_a_rejection_that_ends_the_line_is_all_or_nothing(tenant: Tenant, hold: int, status: int) -> None:
    product = tenant.topup()
    tenant.write(suppliers.set_sourcing, product, Sourcing(hold_unsourced=hold))
    line = waiting(tenant, product=product)
    whole(tenant, lambda tx: fulfilment.reject(tx, tenant.supplier, line.id, "no"))
    assert tenant.line(line.id).status == status


def test_a_missed_deadline_is_all_or_nothing(tenant: Tenant) -> None:
    deadlines(tenant, accept=1)
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, product=product)
    assert whole(tenant, lambda tx: routing.enforce_deadline(tx, line.id)) is True
    assert tenant.line(line.id).supplier_id == other


def test_rerouting_is_all_or_nothing(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, product=product)
    whole(tenant, lambda tx: routing.reroute(tx, line.id, None, OPERATOR))
    assert tenant.line(line.id).supplier_id == other


# --- one of two -------------------------------------------------------------------------------------------------------


def both(tenant: Tenant, *actions: Action) -> list[object]:
    """The results of actions that begin at the same moment; a refusal is a result."""
    start = Barrier(len(actions))

    def run(action: Action) -> object:
        start.wait()
        try:
            return tenant.write(action)
        except Refusal as refusal:
            return refusal.code.number

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def sound(tenant: Tenant, line: str, *, units: int) -> None:
    """Checks that the line's money is captured for the delivered units and nothing is held for a finished line."""
    now = tenant.line(line)
    assert now.delivered == len(tenant.codes(line)) <= units
    assert tenant.balance().posted == -TOPUP * now.delivered
    assert tenant.balance().held == TOPUP * (units - now.delivered - now.cancelled)
    assert [one for one in violations(tenant.installation) if tenant.id in one] == []


ROUNDS = range(4)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_of_a_delivery_and_a_cancellation_one_wins_and_no_code_is_lost(tenant: Tenant, attempt: int) -> None:
    product = tenant.topup()
    placed = tenant.order((product, 1))
    line = placed.lines[0].id

    def cancelled(tx: Transaction) -> object:
        order = cancel.lock(tx, placed.order)
        found = tx.one(sql.LINE, line=line)
        assert found is not None
        return cancel.cancel_units(tx, order, found, Actor(tenant.partner), "race").status

    _, refused = both(tenant, delivery(tenant, tenant.supplier, line, fresh("RACE")), cancelled)
    delivered = tenant.line(line).status == DELIVERED
    assert (refused == -202) is delivered
    assert tenant.available(product) == (0 if delivered else 1)
    sound(tenant, line, units=1)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_of_a_delivery_and_a_missed_deadline_one_wins_and_no_code_is_lost(tenant: Tenant, attempt: int) -> None:
    deadlines(tenant, accept=1)
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, product=product).id
    _, moved = both(
        tenant,
        delivery(tenant, tenant.supplier, line, fresh("RACE")),
        lambda tx: routing.enforce_deadline(tx, line),
    )
    now = tenant.line(line)
    assert (now.status, moved) in ((DELIVERED, False), (PROCESSING, True))
    assert tenant.available(product) == int(moved is True)
    if moved:
        send(tenant, other, line, fresh("NEXT"))
    sound(tenant, line, units=1)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_two_suppliers_never_deliver_the_same_unit(tenant: Tenant, attempt: int) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, 1, product).id
    tenant.write(fulfilment.reject, tenant.supplier, line, "no")
    both(
        tenant,
        delivery(tenant, tenant.supplier, line, fresh("LATE")),
        delivery(tenant, other, line, fresh("MINE")),
    )
    assert (tenant.line(line).status, tenant.available(product)) == (DELIVERED, 1)
    assert (earned(tenant, tenant.supplier), earned(tenant, other)) == (0, RIVAL_COST)
    sound(tenant, line, units=1)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_a_delivery_sent_twice_at_once_is_booked_once(tenant: Tenant, attempt: int) -> None:
    line = waiting(tenant, 2).id
    code = fresh("SAME")
    both(tenant, *(delivery(tenant, tenant.supplier, line, code) for _ in range(3)))
    assert (tenant.line(line).delivered, tenant.codes(line)) == (1, [code])
    sound(tenant, line, units=2)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_a_concurrent_rejection_and_reroute_leave_one_current_assignment(tenant: Tenant, attempt: int) -> None:
    product = tenant.topup()
    for _ in range(2):
        rival(tenant, product)
    line = waiting(tenant, product=product).id
    both(
        tenant,
        lambda tx: fulfilment.reject(tx, tenant.supplier, line, "no"),
        lambda tx: routing.reroute(tx, line, None, OPERATOR),
        partial(routing.enforce_deadline, line_id=line),
    )
    found = tenant.read(assignments.assignments_of, line)
    assert [one.supplier_id for one in found if one.ended is None] == [tenant.line(line).supplier_id]
    sound(tenant, line, units=1)
