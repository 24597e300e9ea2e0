"""Suppliers see what waits for them and deliver it once; then the money moves."""

import pytest

from bedesten.accounts import actions as accounts
from bedesten.admin import order_refunds
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.code import read_code
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.gate.scopes import Surface
from bedesten.orders.model import Line
from bedesten.server.installation import Installation
from tests.domain.tenant import TOPUP, TOPUP_COST, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection

EARNED = (
    "SELECT coalesce(sum(t.amount), 0) FROM transfers t JOIN ledger_accounts a"
    " ON a.tenant_id = t.tenant_id AND a.id = t.to_id WHERE t.tenant_id = :tenant AND a.kind = 'supplier'"
)


def waiting(tenant: Tenant, quantity: int = 1, product: str = "") -> Line:
    """A line that waits for the supplier."""
    return tenant.order((product or tenant.topup(), quantity)).lines[0]


def refused(tenant: Tenant, line: Line, *, codes: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> int:
    """Returns the number of a delivery's refusal; asserts that the line is unchanged."""
    before = tenant.line(line.id)
    with pytest.raises(Refusal) as outcome:
        tenant.deliver(line.id, codes, notes)
    assert tenant.line(line.id) == before
    return outcome.value.code.number


def test_a_delivery_with_codes_closes_the_line_captures_money_and_owes_the_supplier(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = waiting(tenant, 2)
    done = tenant.deliver(line.id, ["TOP-A", "TOP-B"], ["enjoy"])
    assert (done.status, done.version, done.note) == (1, 2, '["enjoy"]')
    assert tenant.codes(line.id) == ["TOP-A", "TOP-B"]
    assert (tenant.balance().posted, tenant.balance().held) == (-2 * TOPUP, 0)
    assert other_connection.one(EARNED, tenant=tenant.id) == 2 * TOPUP_COST


def test_a_delivery_by_note_alone_has_no_codes(tenant: Tenant, other_connection: RawConnection) -> None:
    line = waiting(tenant, 3)
    done = tenant.deliver(line.id, notes=["Charged to player 77.", "Güle güle"])
    assert (done.status, done.note) == (1, '["Charged to player 77.","Güle güle"]')
    assert tenant.codes(line.id) == []
    assert tenant.balance().posted == -3 * TOPUP
    assert other_connection.one(EARNED, tenant=tenant.id) == 3 * TOPUP_COST


@pytest.mark.parametrize("cost", [None, 0])
def test_a_product_without_a_cost_owes_nothing(
    tenant: Tenant, other_connection: RawConnection, cost: int | None
) -> None:
    line = waiting(tenant, product=tenant.topup(cost=cost))
    assert tenant.deliver(line.id, [fresh("TOP")]).status == 1
    assert other_connection.one(EARNED, tenant=tenant.id) == 0


def test_the_supplier_earns_its_cost_at_the_time_of_the_order(tenant: Tenant, other_connection: RawConnection) -> None:
    product = tenant.topup()
    line = waiting(tenant, 2, product)
    tenant.write(upsert_offer, tenant.supplier, "USD", Offer(sku_of(tenant, product), "Top-up", 100 * TOPUP_COST))
    tenant.deliver(line.id, [fresh("TOP"), fresh("TOP")])
    assert other_connection.one(EARNED, tenant=tenant.id) == 2 * TOPUP_COST


def sku_of(tenant: Tenant, product: str) -> str:
    """The supplier's own name of a product."""
    found = tenant.read(catalogue.product, product)
    assert found is not None
    assert found.supplier_sku is not None
    return found.supplier_sku


def test_the_same_delivery_again_changes_nothing(tenant: Tenant, other_connection: RawConnection) -> None:
    line = waiting(tenant, 2)
    first = tenant.deliver(line.id, ["SAME-1", "SAME-2"], ["note"])
    assert tenant.deliver(line.id, ["SAME-1", "SAME-2"], ["note"]) == first
    by_note = waiting(tenant)
    second = tenant.deliver(by_note.id, notes=["done"])
    assert tenant.deliver(by_note.id, notes=["done"]) == second
    assert tenant.balance().posted == -3 * TOPUP
    assert other_connection.one(EARNED, tenant=tenant.id) == 3 * TOPUP_COST


def test_the_same_delivery_again_changes_nothing_after_a_unit_was_replaced(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = waiting(tenant, 3, tenant.topup(fulfilment="stock_first"))
    tenant.deliver(line.id, ["KEPT-1", "LOST-2", "LOST-3"], ["note"])
    tenant.upload(line.product_id, ["NEW-2", "NEW-3"])
    for unit in (2, 3):
        tenant.write(order_refunds.replace_unit, tenant.installation.cipher, line.id, unit, "it is used", False)
    assert tenant.codes(line.id) == ["KEPT-1", "NEW-2", "NEW-3"]
    before = tenant.line(line.id), other_connection.one(EARNED, tenant=tenant.id), tenant.balance()
    assert tenant.deliver(line.id, ["KEPT-1", "LOST-2", "LOST-3"], ["note"]) == before[0]
    assert (tenant.line(line.id), other_connection.one(EARNED, tenant=tenant.id), tenant.balance()) == before
    for other in (
        ("KEPT-1", "NEW-2", "LOST-4"), ("KEPT-1", "LOST-2", "LOST-2"), ("LOST-2", "LOST-2", "LOST-3"), ("KEPT-1", "LOST-2"),
    ):  # fmt: skip
        assert refused(tenant, line, codes=other, notes=("note",)) == -500


def test_another_delivery_of_a_delivered_line_is_refused(tenant: Tenant) -> None:
    line = waiting(tenant, 2)
    tenant.deliver(line.id, ["ONE-1", "ONE-2"], ["note"])
    assert refused(tenant, line, codes=("ONE-2", "ONE-1"), notes=("note",)) == -500
    assert refused(tenant, line, codes=("TWO-1", "TWO-2"), notes=("note",)) == -500
    assert refused(tenant, line, codes=("ONE-1", "ONE-2"), notes=("other",)) == -500
    assert refused(tenant, line, codes=("ONE-1", "ONE-2")) == -500
    assert refused(tenant, line, notes=("note",)) == -500
    assert tenant.codes(line.id) == ["ONE-1", "ONE-2"]
    assert tenant.balance().posted == -2 * TOPUP


def test_a_line_takes_no_more_codes_than_it_has_units(tenant: Tenant) -> None:
    line = waiting(tenant, 2)
    assert refused(tenant, line, codes=("A-1", "A-2", "A-3")) == -500
    assert refused(tenant, line) == -2
    assert tenant.balance().held == 2 * TOPUP
    assert tenant.deliver(line.id, [fresh("A"), fresh("A")]).status == 1


def test_a_known_code_is_not_delivered_again(tenant: Tenant, other_connection: RawConnection) -> None:
    first, second = waiting(tenant), waiting(tenant, 2)
    tenant.deliver(first.id, ["USED"])
    tenant.upload(tenant.card(0), ["IN-STOCK"])
    for codes in (("FRESH-1", "USED"), ("IN-STOCK", "FRESH-1"), ("TWICE", "TWICE")):
        assert refused(tenant, second, codes=codes) == -500
    kept = "SELECT count(*) FROM stock_codes WHERE tenant_id = :tenant"
    assert other_connection.one(kept, tenant=tenant.id) == 2
    assert tenant.balance().held == 2 * TOPUP
    assert tenant.deliver(second.id, ["FRESH-1", "FRESH-2"]).status == 1


def test_a_line_that_is_not_in_the_supplier_s_queue_does_not_exist_for_it(
    tenant: Tenant, installation: Installation
) -> None:
    line = waiting(tenant)
    cipher = installation.cipher
    rival = tenant.write(accounts.find_or_create_owner, Surface.SUPPLIER, "Rival")
    stranger = open_tenant(installation)
    from_stock = tenant.order((tenant.card(1), 1)).lines[0]
    unpaid = tenant.checkout((tenant.topup(), 1)).lines[0]
    attempts = (
        (tenant, rival, line.id),
        (stranger, tenant.supplier, line.id),
        (tenant, tenant.supplier, from_stock.id),
        (tenant, tenant.supplier, unpaid.id),
        (tenant, tenant.supplier, "odl_never"),
    )
    for where, supplier, wanted in attempts:
        with pytest.raises(Refusal) as outcome:
            where.write(fulfilment.deliver, cipher, supplier, wanted, [read_code(fresh("X"))], [])
        assert outcome.value.code.number == -3
    assert tenant.read(fulfilment.waiting_lines, rival, "", 10) == []
    assert stranger.read(fulfilment.waiting_lines, tenant.supplier, "", 10) == []


def test_waiting_lines_are_listed_oldest_first_in_pages(tenant: Tenant) -> None:
    topup = tenant.topup()
    lines = [waiting(tenant, product=topup).id for _ in range(5)]
    listed, after = [], ""
    while True:
        found = tenant.read(fulfilment.waiting_lines, tenant.supplier, after, 2)
        listed += [line.id for line in found[:2]]
        if len(found) <= 2:
            break
        after = fulfilment.cursor_key(found[1])
    assert listed == lines
    tenant.deliver(lines[2], [fresh("TOP")])
    left = [line.id for line in tenant.read(fulfilment.waiting_lines, tenant.supplier, "", 10)]
    assert left == [*lines[:2], *lines[3:]]


def test_lines_of_one_order_are_delivered_one_by_one_and_captured_one_by_one(tenant: Tenant) -> None:
    dear, cheap = tenant.topup(price=900), tenant.topup(price=100, cost=50)
    placed = tenant.order((dear, 1), (cheap, 2), (tenant.card(1), 1))
    assert (tenant.balance().posted, tenant.balance().held) == (-500, 1_100)
    tenant.deliver(placed.lines[1].id, notes=["ok"])
    assert (tenant.balance().posted, tenant.balance().held) == (-700, 900)
    tenant.deliver(placed.lines[0].id, [fresh("TOP")])
    assert (tenant.balance().posted, tenant.balance().held) == (-1_600, 0)


def test_a_delivery_leaves_a_row_in_the_trail_without_the_codes(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = waiting(tenant)
    tenant.deliver(line.id, ["NOT-IN-THE-TRAIL"])
    rows = other_connection.rows(
        "SELECT actor, action, subject, detail FROM audit WHERE tenant_id = :tenant AND action = 'line.deliver'",
        tenant=tenant.id,
    )
    assert rows == [(tenant.supplier, "line.deliver", line.id, '{"codes":1}')]


def test_an_invalid_cursor_is_refused(tenant: Tenant) -> None:
    for after in ("odl_01m85zgjqyrqfx288y4a7q11qs", "x-odl_1", "99999999999999999-odl_1"):
        with pytest.raises(Refusal) as refused:
            tenant.read(fulfilment.waiting_lines, tenant.supplier, after, 10)
        assert refused.value.code.number == -2
