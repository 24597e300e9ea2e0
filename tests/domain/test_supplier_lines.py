"""Suppliers accept, reject and deliver in part; a line that one misses goes to the next supplier, or ends."""

import json
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import func, select, update

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import inventory, suppliers
from bedesten.catalogue.actions import Page
from bedesten.catalogue.code import read_code
from bedesten.catalogue.suppliers import Sourcing, SupplierSettings
from bedesten.core.clock import DAY, HOUR, system_clock
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import quality, routing
from bedesten.fulfilment.actions import SupplierLine
from bedesten.gate.scopes import Surface
from bedesten.ledger.tables import ledger_accounts, transfers
from bedesten.orders import actions as orders
from bedesten.orders import assignments, cancel, hold
from bedesten.orders.event_payload import LineChange, event_payload
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT, Line
from bedesten.orders.tables import order_lines
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.tables import events
from tests.domain.tenant import TOPUP, TOPUP_COST, Tenant, fresh

RIVAL_COST = 350
PASS_DEADLINE = statement(
    update(order_lines)
    .where(order_lines.c.tenant_id == TENANT, order_lines.c.id == p("line"))
    .values(deadline=order_lines.c.queued)
)


def rival(tenant: Tenant, product: str, cost: int = RIVAL_COST, priority: int = 0) -> str:
    """A further supplier of a product, with a valid API key."""

    def made(tx: Transaction) -> str:
        owner = accounts.find_or_create_owner(tx, Surface.SUPPLIER, fresh("Rival"))
        api_keys.insert(tx, NewKey(Surface.SUPPLIER, owner, sandbox=False), "ak_live_…")
        suppliers.add_supplier(tx, product, owner, cost, priority)
        return owner

    return tenant.write(made)


def send(tenant: Tenant, supplier: str, line: str, *codes: str, notes: tuple[str, ...] = ()) -> SupplierLine:
    """A delivery of codes by a supplier."""
    sent = [read_code(code) for code in codes]
    return tenant.write(fulfilment.deliver, tenant.installation.cipher, supplier, line, sent, notes)


def refused(action: Callable[[], object]) -> int:
    """The number of the refusal."""
    with pytest.raises(Refusal) as results:
        action()
    return results.value.code.number


def waiting(tenant: Tenant, quantity: int = 1, product: str = "") -> Line:
    """A line that waits for the tenant's supplier. A deadline of 1 ms has passed."""
    line = tenant.order((product or tenant.topup(), quantity)).lines[0]
    while line.deadline is not None and line.deadline - (line.queued or 0) == 1 and system_clock() < line.deadline:
        pass
    return line


def earned(tenant: Tenant, supplier: str) -> int:
    """What a supplier earned."""
    return tenant.read(_earned, supplier)


def _earned(tx: Transaction, supplier: str) -> int:
    sums = statement(
        select(func.coalesce(func.sum(transfers.c.amount), 0))
        .select_from(transfers.join(ledger_accounts, ledger_accounts.c.id == transfers.c.to_id))
        .where(transfers.c.tenant_id == TENANT, ledger_accounts.c.owner_id == p("owner"))
    )
    row = tx.one(sums, owner=supplier)
    return int(row[0]) if row else 0


def late(tenant: Tenant, line: str) -> bool:
    """Enforces a line's deadline, if it has passed."""
    return tenant.write(routing.enforce_deadline, line)


def deadlines(tenant: Tenant, accept: int | None = None, deliver: int | None = None) -> None:
    """Sets how long the tenant's supplier may take, in ms; 1 ms has passed when `waiting` returns."""
    tenant.write(suppliers.set_settings, tenant.supplier, SupplierSettings(accept, deliver, None))


# --- accepting --------------------------------------------------------------------------------------------------------


def test_an_accepted_line_has_the_promised_time_as_its_deadline(tenant: Tenant) -> None:
    deadlines(tenant, accept=HOUR, deliver=3 * HOUR)
    line = waiting(tenant)
    assert line.queued is not None
    assert line.deadline == line.queued + HOUR
    promised = line.queued + 2 * HOUR
    done = tenant.write(fulfilment.accept, tenant.supplier, line.id, promised)
    assert (done.assigned, done.left, done.line.version) == (True, 1, line.version)
    assert (done.line.promised, done.line.deadline) == (promised, promised)
    assert done.line.accepted is not None
    assert tenant.write(fulfilment.accept, tenant.supplier, line.id, promised) == done
    assert tenant.write(fulfilment.accept, tenant.supplier, line.id) == done


def test_a_promise_can_be_changed_until_the_deadline(tenant: Tenant) -> None:
    deadlines(tenant, accept=HOUR, deliver=3 * HOUR)
    line = waiting(tenant)
    assert line.queued is not None
    first = tenant.write(fulfilment.accept, tenant.supplier, line.id, line.queued + HOUR)
    for promised in (line.queued + 2 * HOUR, line.queued + 3 * HOUR, line.queued + HOUR):
        done = tenant.write(fulfilment.accept, tenant.supplier, line.id, promised)
        assert (done.line.promised, done.line.deadline, done.line.accepted) == (promised, promised, first.line.accepted)
        assert [one.promised for one in tenant.read(assignments.assignments_of, line.id)] == [promised]
    for wrong in (line.queued + 3 * HOUR + 1, line.queued - 1):
        assert refused(lambda at=wrong: tenant.write(fulfilment.accept, tenant.supplier, line.id, at)) == -2  # type: ignore[misc]
    assert tenant.line(line.id).promised == line.queued + HOUR


def test_a_promise_cannot_be_changed_after_the_deadline(tenant: Tenant) -> None:
    line = waiting(tenant)
    assert line.queued is not None
    tenant.write(fulfilment.accept, tenant.supplier, line.id, line.queued + HOUR)
    tenant.write(lambda tx: tx.run(PASS_DEADLINE, line=line.id))
    later = line.queued + 2 * HOUR
    assert refused(lambda: tenant.write(fulfilment.accept, tenant.supplier, line.id, later)) == -8


def test_promises_cannot_postpone_a_deadline_for_ever(tenant: Tenant) -> None:
    line = waiting(tenant)
    first = tenant.write(fulfilment.accept, tenant.supplier, line.id)
    assert first.line.accepted is not None
    latest = first.line.accepted + 30 * DAY
    assert tenant.write(fulfilment.accept, tenant.supplier, line.id, latest).line.deadline == latest
    assert refused(lambda: tenant.write(fulfilment.accept, tenant.supplier, line.id, latest + 1)) == -2


def test_a_line_accepted_without_a_promise_has_the_time_to_deliver(tenant: Tenant) -> None:
    deadlines(tenant, accept=HOUR, deliver=3 * HOUR)
    line = waiting(tenant)
    done = tenant.write(fulfilment.accept, tenant.supplier, line.id)
    assert line.queued is not None
    assert done.line.deadline == line.queued + 3 * HOUR


def test_the_product_s_times_override_the_supplier_s(tenant: Tenant) -> None:
    deadlines(tenant, accept=HOUR)
    product = tenant.topup()
    tenant.write(suppliers.set_sourcing, product, Sourcing(accept_within=2 * HOUR))
    line = waiting(tenant, product=product)
    assert line.queued is not None
    assert line.deadline == line.queued + 2 * HOUR


@pytest.mark.parametrize("offset", [-1, 0, 4 * HOUR])
def test_a_promise_that_is_past_or_too_late_is_refused(tenant: Tenant, offset: int) -> None:
    deadlines(tenant, accept=HOUR, deliver=3 * HOUR)
    line = waiting(tenant)
    assert line.queued is not None
    promised = line.queued + offset
    assert refused(lambda: tenant.write(fulfilment.accept, tenant.supplier, line.id, promised)) == -2
    assert tenant.line(line.id).accepted is None


def test_a_supplier_can_neither_accept_nor_reject_a_line_that_is_not_its_own(tenant: Tenant) -> None:
    line = waiting(tenant)
    other = tenant.write(accounts.find_or_create_owner, Surface.SUPPLIER, fresh("Other"))
    from_stock = tenant.order((tenant.card(1), 1)).lines[0]
    for supplier, wanted in ((other, line.id), (tenant.supplier, from_stock.id), (tenant.supplier, "odl_never")):
        assert refused(lambda: tenant.write(fulfilment.accept, supplier, wanted)) == -3  # noqa: B023
        assert refused(lambda: tenant.write(fulfilment.reject, supplier, wanted, "no")) == -3  # noqa: B023


def test_a_finished_line_can_be_neither_accepted_nor_rejected(tenant: Tenant) -> None:
    done, gone = waiting(tenant), waiting(tenant)
    tenant.deliver(done.id, notes=["done"])
    tenant.write(fulfilment.reject, tenant.supplier, gone.id, "no more of it")
    assert refused(lambda: tenant.write(fulfilment.accept, tenant.supplier, done.id)) == -501
    assert refused(lambda: tenant.write(fulfilment.reject, tenant.supplier, done.id, "no")) == -501
    assert refused(lambda: tenant.write(fulfilment.accept, tenant.supplier, gone.id)) == -501


def test_a_supplier_gets_an_event_for_each_line_that_awaits_it(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, 2, product)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    for supplier in (tenant.supplier, other):
        (results,) = tenant.read(_events_of, supplier)
        body = json.loads(results[1])
        assert (results[0], body["orderDetailId"], body["quantity"]) == ("order.awaiting", line.id, 2)
        assert not {"orderId", "orderReference", "requireData"} & body.keys()


def _events_of(tx: Transaction, owner: str) -> list[tuple[str, str]]:
    stored = statement(
        select(events.c.type, events.c.body).where(events.c.tenant_id == TENANT, events.c.owner_id == p("owner"))
    )
    return [(row[0], row[1]) for row in tx.all(stored, owner=owner)]


# --- rejecting --------------------------------------------------------------------------------------------------------


def test_a_rejected_line_without_another_supplier_is_cancelled_and_its_money_released(tenant: Tenant) -> None:
    line = waiting(tenant, 2)
    done = tenant.write(fulfilment.reject, tenant.supplier, line.id, "no more of it")
    assert (done.assigned, done.line.status, done.line.cancelled) == (False, CANCELLED, 2)
    assert (tenant.balance().posted, tenant.balance().held) == (0, 0)
    again = tenant.write(fulfilment.reject, tenant.supplier, line.id, "no more of it")
    assert (again.line.status, again.line.version) == (CANCELLED, 2)
    (only,) = tenant.read(assignments.assignments_of, line.id)
    assert (only.outcome, only.reason) == ("rejected", "no more of it")


def test_a_rejected_line_goes_to_the_cheapest_further_supplier_and_never_back(tenant: Tenant) -> None:
    product = tenant.topup()
    dear = rival(tenant, product, cost=400, priority=0)
    last = rival(tenant, product, cost=350, priority=2)
    first = rival(tenant, product, cost=350, priority=1)
    rival(tenant, product, cost=TOPUP + 1)  # sells at a loss, so it is never asked
    line = waiting(tenant, product=product)
    asked = [tenant.supplier]
    while tenant.line(line.id).status == PROCESSING:
        tenant.write(fulfilment.reject, asked[-1], line.id, "no")
        now = tenant.line(line.id)
        asked += [now.supplier_id or ""] if now.status == PROCESSING else []
    assert asked == [tenant.supplier, first, last, dear]
    assert tenant.line(line.id).status == CANCELLED
    assert tenant.balance().held == 0


def test_the_next_supplier_earns_its_own_cost_and_sees_the_line(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, 2, product)
    assert tenant.read(fulfilment.waiting_lines, other, "", 10) == []
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    assert [one.id for one in tenant.read(fulfilment.waiting_lines, other, "", 10)] == [line.id]
    assert tenant.read(fulfilment.waiting_lines, tenant.supplier, "", 10) == []
    assert send(tenant, other, line.id, fresh("R"), fresh("R")).line.status == DELIVERED
    assert (earned(tenant, other), earned(tenant, tenant.supplier)) == (2 * RIVAL_COST, 0)
    assert tenant.balance().posted == -2 * TOPUP


def test_a_line_that_no_supplier_wants_is_held_if_the_product_says_so(tenant: Tenant) -> None:
    product = tenant.topup()
    tenant.write(suppliers.set_sourcing, product, Sourcing(hold_unsourced=1))
    line = waiting(tenant, product=product)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    held = tenant.line(line.id)
    assert (held.status, held.hold, held.queued) == (TAKEN_OUT, "noSupplier", None)
    assert tenant.balance().held == TOPUP
    other = rival(tenant, product)
    moved = tenant.write(routing.reroute, line.id, None, OPERATOR)
    assert (moved.status, moved.supplier_id, moved.hold, moved.version) == (PROCESSING, other, None, 3)
    assert send(tenant, other, line.id, fresh("R")).line.status == DELIVERED


# --- delivering in part -----------------------------------------------------------------------------------------------


def test_a_line_is_delivered_in_parts_and_each_is_paid(tenant: Tenant) -> None:
    line = waiting(tenant, 3)
    one, two, three = fresh("P"), fresh("P"), fresh("P")
    first = send(tenant, tenant.supplier, line.id, one, notes=("first",))
    assert (first.line.status, first.line.delivered, first.left, first.line.version) == (PROCESSING, 1, 2, 2)
    assert first.line.accepted is not None
    assert (tenant.balance().posted, tenant.balance().held) == (-TOPUP, 2 * TOPUP)
    assert send(tenant, tenant.supplier, line.id, one, notes=("first",)) == first
    assert refused(lambda: send(tenant, tenant.supplier, line.id, fresh("P"), fresh("P"), fresh("P"))) == -500
    assert refused(lambda: send(tenant, tenant.supplier, line.id, notes=("the rest",))) == -500
    assert refused(lambda: send(tenant, tenant.supplier, line.id, one)) == -500
    last = send(tenant, tenant.supplier, line.id, two, three)
    assert (last.line.status, last.line.delivered, last.left, last.assigned) == (DELIVERED, 3, 0, False)
    assert last.line.note == '["first"]'
    assert tenant.codes(line.id) == [one, two, three]
    assert (tenant.balance().posted, tenant.balance().held) == (-3 * TOPUP, 0)
    assert earned(tenant, tenant.supplier) == 3 * TOPUP_COST
    assert send(tenant, tenant.supplier, line.id, two, three).line == last.line
    assert send(tenant, tenant.supplier, line.id, one, notes=("first",)).line == last.line


def test_the_event_of_a_part_has_the_codes_that_arrived(tenant: Tenant) -> None:
    placed = tenant.order((tenant.topup(), 2))
    line, code = placed.lines[0].id, fresh("P")
    send(tenant, tenant.supplier, line, code, notes=("half",))
    body = tenant.write(event_payload, tenant.installation.cipher, LineChange(line, 2, PROCESSING, 1_772_357_400_000))
    assert (body["status"], body["deliveryData"], body["deliveryNote"]) == (PROCESSING, [code], ["half"])


def test_the_rest_of_a_line_goes_to_the_next_supplier(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, 3, product)
    send(tenant, tenant.supplier, line.id, fresh("P"))
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no more")
    assert send(tenant, other, line.id, fresh("Q"), fresh("Q")).line.status == DELIVERED
    assert (earned(tenant, tenant.supplier), earned(tenant, other)) == (TOPUP_COST, 2 * RIVAL_COST)
    assert tenant.balance().posted == -3 * TOPUP


def test_a_line_delivered_in_part_whose_rest_is_rejected_is_delivered(tenant: Tenant) -> None:
    line = waiting(tenant, 3)
    send(tenant, tenant.supplier, line.id, fresh("P"))
    done = tenant.write(fulfilment.reject, tenant.supplier, line.id, "no more")
    assert (done.line.status, done.line.delivered, done.line.cancelled) == (DELIVERED, 1, 2)
    assert (tenant.balance().posted, tenant.balance().held) == (-TOPUP, 0)


def test_all_deliveries_of_a_line_have_at_most_twenty_notes(tenant: Tenant) -> None:
    line = waiting(tenant, 2)
    send(tenant, tenant.supplier, line.id, fresh("P"), notes=("n",) * 20)
    assert refused(lambda: send(tenant, tenant.supplier, line.id, fresh("P"), notes=("n",))) == -2


# --- too late ---------------------------------------------------------------------------------------------------------


def test_late_codes_go_to_stock_and_are_sold_once(tenant: Tenant) -> None:
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, 2, product)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    kept = send(tenant, tenant.supplier, line.id, "LATE-1-" + line.id, "LATE-2-" + line.id)
    assert (kept.line.status, kept.assigned, kept.stocked) == (PROCESSING, False, 2)
    assert kept.batch_id is not None
    again = send(tenant, tenant.supplier, line.id, "LATE-1-" + line.id, "LATE-2-" + line.id)
    assert (again.stocked, again.batch_id) == (0, None)
    assert tenant.available(product) == 2
    assert send(tenant, other, line.id, fresh("Q"), fresh("Q")).line.status == DELIVERED
    assert earned(tenant, tenant.supplier) == 0
    sold = waiting(tenant, product=product)
    assert (sold.status, tenant.codes(sold.id)) == (DELIVERED, ["LATE-1-" + line.id])
    assert earned(tenant, tenant.supplier) == TOPUP_COST


def test_codes_for_a_cancelled_line_go_to_stock(tenant: Tenant) -> None:
    product = tenant.topup()
    placed = tenant.order((product, 1))
    tenant.write(cancel.cancel_units, placed.order, placed.lines[0], Actor(tenant.partner), "changed my mind")
    kept = send(tenant, tenant.supplier, placed.lines[0].id, fresh("LATE"))
    assert (kept.line.status, kept.stocked, tenant.available(product)) == (CANCELLED, 1, 1)
    assert refused(lambda: send(tenant, tenant.supplier, placed.lines[0].id, notes=("done",))) == -501


def test_late_codes_of_a_product_that_needs_details_are_not_sold_from_stock(tenant: Tenant) -> None:
    found = tenant.read(catalogue.product, tenant.topup())
    assert found is not None
    stocked = msgspec.structs.replace(found, available=1)
    assert stocked.from_stock
    asking = msgspec.structs.replace(stocked, require_data='[{"id":"player","name":"Player","required":true}]')
    assert not asking.from_stock


def test_a_supplier_lists_its_own_batches_and_withdraws_unsold_codes(tenant: Tenant) -> None:
    line = waiting(tenant)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    codes = [fresh("LATE"), fresh("LATE"), fresh("LATE")]
    kept = send(tenant, tenant.supplier, line.id, *codes)
    tenant.upload(line.product_id, [fresh("THE-SHOP-S")])
    (batch,) = tenant.read(inventory.supplier_batches, Page(), tenant.supplier)
    assert (batch.id, batch.codes, batch.free, batch.next_expiry) == (kept.batch_id, 3, 3, None)
    assert tenant.read(inventory.supplier_batches, Page(after=batch.id), tenant.supplier) == []
    assert tenant.read(inventory.supplier_batches, Page(), tenant.supplier, "prd_other") == []
    cipher = tenant.installation.cipher
    one = [read_code(codes[0])]
    others = tenant.write(inventory.withdraw_codes, cipher, one, "a test", tenant.partner)
    assert (others.withdrawn, others.unknown) == (0, 1)
    own = tenant.write(inventory.withdraw_codes, cipher, one, "a test", tenant.supplier)
    assert (own.withdrawn, own.unknown) == (1, 0)
    assert tenant.write(inventory.withdraw_batch, batch, "called back").withdrawn == 2
    assert tenant.available(line.product_id) == 1


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_a_line_not_accepted_in_time_goes_to_the_next_supplier(tenant: Tenant) -> None:
    deadlines(tenant, accept=1)
    product = tenant.topup()
    other = rival(tenant, product)
    line = waiting(tenant, product=product)
    assert (tenant.id, line.id) in tenant.store.read_now(routing.overdue)
    assert late(tenant, line.id)
    moved = tenant.line(line.id)
    assert (moved.status, moved.supplier_id, moved.unit_cost, moved.deadline) == (PROCESSING, other, RIVAL_COST, None)
    assert not late(tenant, line.id)
    outcomes = [(one.outcome, one.reason) for one in tenant.read(assignments.assignments_of, line.id)]
    assert outcomes == [("late", "not accepted in time"), (None, None)]


def test_an_accepted_line_not_delivered_in_time_is_cancelled_without_another_supplier(tenant: Tenant) -> None:
    line = waiting(tenant)
    tenant.write(fulfilment.accept, tenant.supplier, line.id)
    deadlines(tenant, deliver=1)
    second = waiting(tenant)
    assert not late(tenant, line.id), "a line keeps the deadline, or none, that it had when it was queued"
    assert late(tenant, second.id)
    assert tenant.line(second.id).status == CANCELLED
    assert tenant.balance().held == TOPUP


def test_a_delivered_or_cancelled_line_has_no_deadline(tenant: Tenant) -> None:
    deadlines(tenant, accept=1)
    delivered, placed = waiting(tenant), tenant.order((tenant.topup(), 1))
    tenant.deliver(delivered.id, [fresh("IN-TIME")])
    tenant.write(cancel.cancel_units, placed.order, placed.lines[0], Actor(tenant.partner), "no")
    for line in (delivered, placed.lines[0]):
        assert not late(tenant, line.id)
        assert (tenant.id, line.id) not in tenant.store.read_now(routing.overdue)


# --- rerouting, pausing, quality --------------------------------------------------------------------------------------


def test_the_operator_reroutes_a_line_to_a_supplier_by_hand(tenant: Tenant) -> None:
    product = tenant.topup()
    first, second = rival(tenant, product), rival(tenant, product)
    line = waiting(tenant, product=product)
    assert tenant.write(routing.reroute, line.id, second, OPERATOR).supplier_id == second
    assert refused(lambda: tenant.write(routing.reroute, line.id, second, OPERATOR)) == -8
    assert tenant.write(routing.reroute, line.id, tenant.supplier, OPERATOR).supplier_id == tenant.supplier
    assert tenant.write(routing.reroute, line.id, None, OPERATOR).supplier_id == first
    assert refused(lambda: tenant.write(routing.reroute, line.id, None, OPERATOR)) == -8
    assert refused(lambda: tenant.write(routing.reroute, "odl_never", None, OPERATOR)) == -3
    assert [one.id for one in tenant.read(routing.waiting_for, product, first)] == [line.id]
    send(tenant, first, line.id, fresh("R"))
    assert refused(lambda: tenant.write(routing.reroute, line.id, second, OPERATOR)) == -8


def test_a_paused_supplier_gets_no_new_lines_and_delivers_its_old_ones(tenant: Tenant) -> None:
    product = tenant.topup()
    line = waiting(tenant, product=product)
    assert tenant.write(suppliers.pause, tenant.supplier, "checks its stock")
    assert not tenant.write(suppliers.pause, tenant.supplier, "twice")
    assert refused(lambda: waiting(tenant, product=product)) == -200
    other = rival(tenant, product)
    assert waiting(tenant, product=product).supplier_id == other
    assert tenant.deliver(line.id, [fresh("OLD")]).status == DELIVERED
    assert tenant.write(suppliers.resume, tenant.supplier)
    assert not tenant.write(suppliers.resume, tenant.supplier)
    assert waiting(tenant, product=product).supplier_id == tenant.supplier


def test_a_supplier_that_fails_too_often_is_paused_until_it_is_resumed(tenant: Tenant) -> None:
    product = tenant.topup()
    lines = [waiting(tenant, product=product) for _ in range(11)]
    for line in lines[:6]:
        tenant.deliver(line.id, [fresh("GOOD")])
    for line in lines[6:10]:
        assert tenant.read(suppliers.settings_of, tenant.supplier).paused is None
        tenant.write(fulfilment.reject, tenant.supplier, line.id, "no")
    paused = tenant.read(suppliers.settings_of, tenant.supplier)
    assert paused.pause_reason == "4 of its last 10 lines were rejected or late"
    figures = tenant.read(quality.quality_of, tenant.supplier)
    assert (figures.assigned, figures.delivered, figures.rejected, figures.waiting) == (11, 6, 4, 1)
    assert figures.failure_percent == 40
    tenant.write(suppliers.resume, tenant.supplier)
    tenant.write(fulfilment.reject, tenant.supplier, lines[10].id, "no")
    assert tenant.read(suppliers.settings_of, tenant.supplier).paused is None


def test_a_checkout_paid_after_its_supplier_was_paused_goes_to_another(tenant: Tenant) -> None:
    product = tenant.topup()
    placed = tenant.checkout((product, 1))
    other = rival(tenant, product)
    tenant.write(suppliers.pause, tenant.supplier, "away")
    tenant.capture(tenant.payment(placed))
    line = tenant.line(placed.lines[0].id, tenant.customer)
    assert (line.supplier_id, line.unit_cost) == (other, RIVAL_COST)
    assert send(tenant, other, line.id, fresh("R")).line.status == DELIVERED


@pytest.mark.parametrize("accepted", [False, True], ids=["waiting", "accepted"])
def test_a_held_line_of_a_paused_supplier_has_a_deadline_again_when_it_is_released(
    tenant: Tenant, accepted: bool
) -> None:
    product = tenant.topup()
    rival(tenant, product)
    tenant.write(suppliers.set_settings, tenant.supplier, SupplierSettings(HOUR, 5 * HOUR))
    line = waiting(tenant, 1, product)
    if accepted:
        tenant.write(fulfilment.accept, tenant.supplier, line.id)
    order = tenant.read(orders.order_of, tenant.partner, line.order_id)
    tenant.write(hold.hold, order, [], OPERATOR, "a look")
    tenant.write(suppliers.pause, tenant.supplier, "holidays")
    tenant.write(hold.release, order, [], OPERATOR, "fine")
    _, released = tenant.read(orders.line_of, tenant.partner, line.id)
    assert released.supplier_id == tenant.supplier
    assert released.queued is not None
    assert released.deadline == released.queued + (5 * HOUR if accepted else HOUR)
