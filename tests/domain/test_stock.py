"""Batches of stock codes: loaded whole or not at all, withdrawn, moved, expired, and what their suppliers earn."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bedesten.accounts import actions as accounts
from bedesten.admin import stock as operator_stock
from bedesten.catalogue import batches, inventory, moves, stock
from bedesten.catalogue.batches import Source, Upload
from bedesten.catalogue.code import StockCode, read_code
from bedesten.core.clock import DAY, MINUTE, system_clock
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders import checkout
from bedesten.server.installation import Installation
from tests.domain.tenant import CARD, Tenant, fresh
from tests.store.raw import RawConnection

OF_COSTS = "FROM transfers WHERE tenant_id = :tenant AND substr(business_key, 1, 5) = 'cost:'"
EARNED = f"SELECT coalesce(sum(amount), 0) {OF_COSTS}"
KEYS = f"SELECT business_key, amount {OF_COSTS} ORDER BY amount"
STATES = "SELECT state, count(*) FROM stock_codes WHERE tenant_id = :tenant GROUP BY state ORDER BY state"
UNITS = 2_400


def add(tenant: Tenant, product: str, codes: Sequence[StockCode | str], source: Source | None = None) -> Upload:
    """Adds one batch, the operator's own unless the source is a supplier's."""
    read = [read_code(one) if isinstance(one, str) else one for one in codes]
    return tenant.write(batches.add, tenant.installation.cipher, product, read, source or Source("a test", "operator"))


def consigned(tenant: Tenant, cost: int | None = 120, supplier: str = "") -> Source:
    """An upload of a supplier's own."""
    return Source("a test", supplier or tenant.supplier, supplier or tenant.supplier, cost)


def refused(tenant: Tenant, batch: str, product: str) -> int:
    with pytest.raises(Refusal) as found:
        operator_stock.move(tenant.store, tenant.id, batch, product)
    return found.value.code.number


# --- loading ----------------------------------------------------------------------------------------------------------


def test_no_code_of_a_long_batch_is_sold_before_its_upload_ends(tenant: Tenant) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    source = Source("a test", "operator", digest=b"d" * 32)
    batch = tenant.write(batches.begin, card, source)
    tenant.write(batches.load, cipher, card, batch, [read_code(f"LONG-{at}") for at in range(3)], 0)
    assert tenant.available(card) == 0
    with pytest.raises(Refusal):
        tenant.order((card, 1))
    tenant.write(batches.load, cipher, card, batch, [read_code("LONG-3")], 3)
    assert tenant.write(batches.finish, card, batch, source) == 4
    assert tenant.codes(tenant.order((card, 4)).lines[0].id) == ["LONG-0", "LONG-1", "LONG-2", "LONG-3"]


def test_uploading_a_file_again_takes_over_from_an_interrupted_upload(tenant: Tenant) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    source = Source("a test", "operator", digest=b"d" * 32)
    codes = [read_code(f"AGAIN-{at}") for at in range(3)]
    broken = tenant.write(batches.begin, card, source)
    tenant.write(batches.load, cipher, card, broken, codes[:2], 0)
    batch = tenant.write(batches.begin, card, source)
    assert tenant.write(batches.load, cipher, card, batch, codes, 0) == []
    with pytest.raises(Refusal, match="-8"):
        tenant.write(batches.load, cipher, card, broken, codes[2:], 2)
    with pytest.raises(Refusal, match="-8"):
        tenant.write(batches.finish, card, broken, source)
    assert tenant.write(batches.finish, card, batch, source) == 3


def test_an_upload_that_fails_in_the_middle_leaves_nothing(tenant: Tenant, other_connection: RawConnection) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    product = tenant.read(operator_stock.stocked_product, card)
    codes = [read_code(f"FAIL-{at}") for at in range(UNITS)]

    def advance(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operator_stock.add_codes(tenant.store, tenant.id, cipher, product, codes, Source("a test", "operator"), advance)
    assert other_connection.rows(STATES, tenant=tenant.id) == []
    done = operator_stock.add_codes(tenant.store, tenant.id, cipher, product, codes, Source("a test", "operator"))
    assert (done.added, tenant.available(card)) == (UNITS, UNITS)


def test_an_upload_that_was_interrupted_long_ago_is_deleted(tenant: Tenant, other_connection: RawConnection) -> None:
    card, cipher = tenant.card(0), tenant.installation.cipher
    batch = tenant.write(batches.begin, card, Source("a test", "operator"))
    tenant.write(batches.load, cipher, card, batch, [read_code(fresh("LEFT"))], 0)
    assert (tenant.id, batch) not in tenant.store.read_now(batches.abandoned)
    late = "UPDATE stock_batches SET created = created - :day WHERE id = :batch"
    other_connection.run(late, day=2 * DAY, batch=batch)
    assert (tenant.id, batch) in tenant.store.read_now(batches.abandoned)
    assert tenant.write(batches.drop, batch) == 1
    assert other_connection.rows(STATES, tenant=tenant.id) == []


# --- duplicates -------------------------------------------------------------------------------------------------------


def test_a_code_is_recognised_in_every_spelling_and_from_every_source(tenant: Tenant) -> None:
    card, other = tenant.card(0), tenant.card(0)
    first = add(tenant, card, ["AAAA-BBBB"])
    line = tenant.order((tenant.topup(), 1)).lines[0].id
    tenant.deliver(line, ["CCCC-DDDD"])
    done = add(tenant, other, ["aaaabbbb", "cccc dddd", "EEEE-1", "eeee1"])
    assert done.added == 1
    assert [(one.index, one.batch_id, one.state) for one in done.duplicates] == [
        (0, first.batch_id, moves.FREE),
        (1, None, moves.DELIVERED),
        (3, done.batch_id, moves.LOADING),
    ]
    again = tenant.order((tenant.topup(), 1)).lines[0].id
    with pytest.raises(Refusal, match="-500"):
        tenant.deliver(again, ["aaaa bbbb"])


def test_codes_that_differ_in_case_are_distinct_where_the_product_says_so(tenant: Tenant) -> None:
    exact = tenant.card(0)
    tenant.write(inventory.set_comparison, exact, "exact")
    assert add(tenant, exact, ["AbCd-1", "abcd-1", "abcd1", "abcd1"]).added == 3
    with pytest.raises(Refusal, match="-8"):
        tenant.write(inventory.set_comparison, exact, "folded")
    assert add(tenant, exact, ["ABCD1"]).added == 1


# --- withdrawing and moving -------------------------------------------------------------------------------------------


def test_a_withdrawn_code_is_not_sold_and_is_added_again_only_on_request(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(0)
    batch = add(tenant, card, ["OUT-1", "OUT-2", "OUT-3"]).batch_id or ""
    tenant.order((card, 1))
    done = operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "revoked")[1]
    assert (done.withdrawn, done.sold) == (2, 1)
    assert tenant.available(card) == 0
    assert add(tenant, card, ["OUT-1", "OUT-2"]).added == 0
    assert add(tenant, card, ["OUT-1", "out2"], Source("a test", "operator", again=True)).added == 1
    assert tenant.codes(tenant.order((card, 1)).lines[0].id) == ["out2"]
    assert other_connection.rows(STATES, tenant=tenant.id) == [(moves.DELIVERED, 2), (moves.WITHDRAWN, 1)]


def test_codes_that_a_checkout_returns_to_a_withdrawn_batch_are_withdrawn(tenant: Tenant) -> None:
    card = tenant.card(0)
    batch = add(tenant, card, ["BACK-1", "BACK-2"]).batch_id or ""
    left = tenant.checkout((card, 1), minutes=-1)
    assert operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "revoked")[1].withdrawn == 1
    tenant.write(checkout.expire, left.order.id)
    assert tenant.available(card) == 0
    found = tenant.read(inventory.batch_of, batch)
    assert (found.withdrawn, found.free, found.claimed) == (2, 0, 0)


def test_the_unsold_codes_of_a_batch_move_to_another_product_with_supplier_and_cost(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    wrong, right = tenant.card(0), tenant.card(0)
    batch = add(tenant, wrong, ["MOVE-1", "MOVE-2", "MOVE-3"], consigned(tenant)).batch_id or ""
    tenant.order((wrong, 1))
    made, count, _ = operator_stock.move(tenant.store, tenant.id, batch, right)
    assert (count, tenant.available(wrong), tenant.available(right)) == (2, 0, 2)
    assert tenant.codes(tenant.order((right, 2)).lines[0].id) == ["MOVE-2", "MOVE-3"]
    assert other_connection.one(EARNED, tenant=tenant.id) == 3 * 120
    assert refused(tenant, made, wrong) == -8
    assert refused(tenant, made, tenant.topup()) == -2


def test_a_batch_does_not_move_where_one_of_its_codes_would_be_a_duplicate(tenant: Tenant) -> None:
    exact, folded = tenant.card(0), tenant.card(0)
    tenant.write(inventory.set_comparison, exact, "exact")
    batch = add(tenant, exact, ["TWIN-a", "TWIN-A"]).batch_id or ""
    assert refused(tenant, batch, folded) == -8
    assert (tenant.available(exact), tenant.available(folded)) == (2, 0)


# --- expiry -----------------------------------------------------------------------------------------------------------


def test_an_expired_code_is_never_sold(tenant: Tenant, other_connection: RawConnection) -> None:
    card = tenant.card(0)
    today = datetime.now(UTC).date()
    codes = [StockCode("GONE-1", expires=today - timedelta(1)), StockCode("GOOD-1", expires=today + timedelta(40))]
    add(tenant, card, [*codes, "GOOD-2"])
    assert tenant.available(card) == 3
    assert [tenant.codes(tenant.order((card, 1)).lines[0].id) for _ in range(2)] == [["GOOD-1"], ["GOOD-2"]]
    with pytest.raises(Refusal, match="-200"):
        tenant.order((card, 1))
    reasons = "SELECT state, reason FROM stock_codes WHERE tenant_id = :tenant AND reason IS NOT NULL"
    assert other_connection.rows(reasons, tenant=tenant.id) == [(moves.WITHDRAWN, "expired")]


def test_the_worker_withdraws_expired_codes(tenant: Tenant) -> None:
    card = tenant.card(0)
    add(tenant, card, [StockCode("GONE-1", expires=datetime.now(UTC).date() - timedelta(1)), "GOOD-1"])
    assert (tenant.id, card) in tenant.store.read_now(stock.due_to_expire)
    assert tenant.write(stock.withdraw_expired, card)
    assert tenant.available(card) == 1
    assert (tenant.id, card) not in tenant.store.read_now(stock.due_to_expire)


def test_a_checkout_holds_no_code_that_expires_before_it_can_be_paid(tenant: Tenant) -> None:
    card = tenant.card(0)
    add(tenant, card, [StockCode("SOON-1", expires=datetime.now(UTC).date()), "GOOD-1"])
    midnight = StockCode("X", expires=datetime.now(UTC).date()).expires_at or 0
    minutes = (midnight - system_clock()) // MINUTE + 2
    held = tenant.checkout((card, 1), minutes=minutes)
    tenant.capture(tenant.payment(held))
    assert tenant.codes(held.lines[0].id) == ["GOOD-1"]


def test_the_expiry_of_a_code_counts_again_after_a_checkout_returns_it(tenant: Tenant) -> None:
    card = tenant.card(0)
    add(tenant, card, [StockCode("EARLY-1", expires=datetime.now(UTC).date() + timedelta(9)), "GOOD-1"])
    held = tenant.checkout((card, 1), minutes=-1)
    assert tenant.codes(tenant.order((card, 1)).lines[0].id) == ["GOOD-1"]
    tenant.write(checkout.expire, held.order.id)
    assert tenant.write(stock.take, card, 1, system_clock() + 20 * DAY) is None


# --- what a supplier earns --------------------------------------------------------------------------------------------


def test_a_supplier_earns_the_cost_at_upload_for_each_of_its_sold_codes(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(0)
    rival = tenant.write(accounts.find_or_create_owner, Surface.SUPPLIER, "Rival")
    add(tenant, card, ["MINE-1"])
    add(tenant, card, ["ACME-1", "ACME-2"], consigned(tenant, 120))
    add(tenant, card, ["RIVAL-1"], consigned(tenant, 90, rival))
    add(tenant, card, ["FREE-1"], consigned(tenant, None))
    line = tenant.order((card, 5)).lines[0]
    assert other_connection.rows(KEYS, tenant=tenant.id) == [
        (f"cost:{line.id}:{rival}", 90),
        (f"cost:{line.id}:{tenant.supplier}", 240),
    ]
    assert tenant.balance().posted == -5 * CARD


def test_a_supplier_earns_with_a_checkout_when_it_is_paid_and_not_before(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    card = tenant.card(0)
    add(tenant, card, ["PAID-1", "LEFT-1"], consigned(tenant, 120))
    paid, left = tenant.checkout((card, 1)), tenant.checkout((card, 1), minutes=-1)
    assert other_connection.one(EARNED, tenant=tenant.id) == 0
    tenant.capture(tenant.payment(paid))
    tenant.write(checkout.expire, left.order.id)
    assert other_connection.one(EARNED, tenant=tenant.id) == 120


def test_a_supplier_earns_nothing_with_withdrawn_codes_or_the_operator_s(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    card = tenant.card(3)
    batch = add(tenant, card, ["OUT-1", "OUT-2"], consigned(tenant)).batch_id or ""
    operator_stock.withdraw_batch(tenant.store, tenant.id, batch, "bad")
    tenant.order((card, 3))
    assert other_connection.one(EARNED, tenant=tenant.id) == 0
