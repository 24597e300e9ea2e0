"""Money: double entry in whole minor units, holds, and limits that nothing gets past."""

from collections.abc import Iterator

import pytest

from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.ledger.actions import Balance
from bedesten.server.installation import Installation
from bedesten.store.transaction import Transaction
from tests.domain.database_errors import DANGLING, DOUBLE, refuses
from tests.domain.tenant import Tenant, fresh, open_tenant
from tests.store.raw import RawConnection, raw

TRANSFERS = (
    "SELECT a.kind, b.kind, t.amount FROM transfers t"
    " JOIN ledger_accounts a ON a.tenant_id = t.tenant_id AND a.id = t.from_id"
    " JOIN ledger_accounts b ON b.tenant_id = t.tenant_id AND b.id = t.to_id"
    " WHERE t.tenant_id = :tenant ORDER BY t.amount"
)


def account(tx: Transaction, tenant: Tenant) -> Balance:
    """The partner's ledger account."""
    return ledger.account(tx, tenant.partner, "partner", "USD")


def hold(tenant: Tenant, amount: int, captured: int = 0, order: str = "") -> str:
    """Holds the partner's money for an order that has no row: the ledger knows nothing of orders."""
    order = order or fresh("ord")
    tenant.write(lambda tx: tx.run_all(ledger.hold_steps(account(tx, tenant), amount, order, captured=captured)))
    return order


@pytest.fixture
def tenant(installation: Installation) -> Iterator[Tenant]:
    """A tenant whose partner has no credit at all. The fixture deletes its money afterwards: `check` reports holds of
    orders that have no row as violations."""
    made = open_tenant(installation)
    yield made
    with raw(installation.settings) as other:
        for table in ("holds", "transfers", "deposits", "ledger_accounts"):
            other.run(f"DELETE FROM {table} WHERE tenant_id = :tenant", tenant=made.id)


def test_money_from_outside_is_one_transfer_from_clearing_and_is_in_the_balance(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.deposit(12_345)
    assert tenant.balance() == Balance(tenant.balance().id, "USD", 12_345, 0, 0)
    assert tenant.balance().available == 12_345
    assert other_connection.rows(TRANSFERS, tenant=tenant.id) == [("clearing", "partner", 12_345)]


def test_a_business_key_is_booked_once(tenant: Tenant) -> None:
    key = fresh("key")
    assert tenant.write(lambda tx: ledger.receive(tx, account(tx, tenant), 700, key)) is True
    assert tenant.write(lambda tx: ledger.receive(tx, account(tx, tenant), 700, key)) is False
    assert tenant.write(lambda tx: ledger.receive(tx, account(tx, tenant), 9, key)) is False
    assert tenant.balance().posted == 700


def test_an_account_is_opened_once_and_only_when_it_is_needed(tenant: Tenant) -> None:
    assert tenant.read(ledger.balance, tenant.partner, "partner", "USD") is None
    first = tenant.write(lambda tx: account(tx, tenant))
    assert tenant.write(lambda tx: account(tx, tenant)) == first
    assert tenant.write(lambda tx: ledger.account(tx, tenant.partner, "partner", "EUR")).id != first.id


def test_the_last_minor_unit_can_be_spent_and_not_one_more(tenant: Tenant) -> None:
    tenant.deposit(1_000)
    tenant.credit(500)
    with pytest.raises(Refusal) as refused:
        hold(tenant, 1_501)
    assert refused.value.code.number == -300
    assert tenant.balance().held == 0
    hold(tenant, 1_500)
    assert (tenant.balance().posted, tenant.balance().held, tenant.balance().available) == (1_000, 1_500, -500)
    with pytest.raises(Refusal) as refused:
        hold(tenant, 1)
    assert refused.value.code.number == -300


def test_two_parts_whose_sum_needs_more_bits_than_each_are_held_together(tenant: Tenant) -> None:
    tenant.deposit(70_000)
    hold(tenant, 65_000, captured=32_500)
    assert (tenant.balance().posted, tenant.balance().held) == (37_500, 32_500)


def test_the_balance_must_cover_captured_and_held_amounts_together(tenant: Tenant) -> None:
    tenant.deposit(1_000)
    with pytest.raises(Refusal) as refused:
        hold(tenant, 1_001, captured=600)
    assert refused.value.code.number == -300
    assert (tenant.balance().posted, tenant.balance().held) == (1_000, 0)
    hold(tenant, 1_000, captured=600)
    assert (tenant.balance().posted, tenant.balance().held, tenant.balance().available) == (400, 400, 0)


def test_a_hold_is_captured_and_released_in_parts_and_never_beyond_what_was_placed(tenant: Tenant) -> None:
    tenant.deposit(1_000)
    order = hold(tenant, 900)
    tenant.write(ledger.capture, order, 300, fresh("odl"))
    assert (tenant.balance().posted, tenant.balance().held) == (700, 600)
    tenant.write(ledger.release, order, 200)
    assert (tenant.balance().posted, tenant.balance().held) == (700, 400)
    for beyond in (lambda tx: ledger.capture(tx, order, 401, fresh("odl")), lambda tx: ledger.release(tx, order, 401)):
        with pytest.raises(Exception, match=r"never_more_than_placed|held"):
            tenant.write(beyond)
    assert (tenant.balance().posted, tenant.balance().held) == (700, 400)
    tenant.write(ledger.capture, order, 400, fresh("odl"))
    assert (tenant.balance().posted, tenant.balance().held) == (300, 0)


def test_a_line_is_sold_once(tenant: Tenant) -> None:
    tenant.deposit(1_000)
    order, line = hold(tenant, 900), fresh("odl")
    tenant.write(ledger.capture, order, 300, line)
    with pytest.raises(AssertionError, match="delivered once"):
        tenant.write(ledger.capture, order, 300, line)
    assert (tenant.balance().posted, tenant.balance().held) == (700, 600)


def test_a_debtor_s_credit_limit_can_be_lowered_and_the_debt_stays(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    limits = "SELECT credit_limit, overdraft_limit FROM ledger_accounts WHERE tenant_id = :tenant AND kind = 'partner'"
    tenant.credit(1_000)
    order = hold(tenant, 600, captured=100)
    tenant.credit(200)
    assert (tenant.balance().available, tenant.balance().credit_limit, tenant.balance().spendable) == (-600, 200, 0)
    assert other_connection.rows(limits, tenant=tenant.id) == [(200, 600)]
    with pytest.raises(Refusal) as refused:
        hold(tenant, 1)
    assert refused.value.code.number == -300
    tenant.write(ledger.capture, order, 300, fresh("odl"))
    tenant.write(ledger.release, order, 100)
    assert (tenant.balance().posted, tenant.balance().held, tenant.balance().available) == (-400, 100, -500)
    assert other_connection.rows(limits, tenant=tenant.id) == [(200, 500)]
    tenant.deposit(250)
    assert other_connection.rows(limits, tenant=tenant.id) == [(200, 250)]
    tenant.deposit(100)
    assert other_connection.rows(limits, tenant=tenant.id) == [(200, 200)]
    assert tenant.balance().spendable == 50
    hold(tenant, 50)
    with pytest.raises(Refusal) as refused:
        hold(tenant, 1)
    assert refused.value.code.number == -300


def test_no_balance_and_no_limit_reaches_the_largest_amount(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.deposit(MAX_MINOR - 1_000)
    for beyond in (lambda: tenant.deposit(1_000), lambda: tenant.credit(1_000), lambda: tenant.credit(MAX_MINOR - 1)):
        with pytest.raises(Refusal) as refused:
            beyond()
        assert (refused.value.code.number, list(refused.value.fields or {})) == (-2, ["amount"])
    tenant.credit(900)
    tenant.deposit(99)
    assert (tenant.balance().posted, tenant.balance().credit_limit) == (MAX_MINOR - 901, 900)
    change = "UPDATE ledger_accounts SET {} WHERE tenant_id = :tenant AND kind = 'partner'"
    for setting in ("posted = posted + 1", "overdraft_limit = 901", "credit_limit = 901, overdraft_limit = 901"):
        refuses(other_connection, "within_bounds", change.format(setting), tenant=tenant.id)


def test_a_supplier_s_earning_is_a_transfer_from_sales_and_in_no_cached_balance(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.write(ledger.accrue_payable, tenant.supplier, "USD", 300, fresh("odl"), fresh("ord"))
    tenant.write(ledger.accrue_payable, tenant.supplier, "USD", 0, fresh("odl"), fresh("ord"))
    assert other_connection.rows(TRANSFERS, tenant=tenant.id) == [("sales", "supplier", 300)]
    assert tenant.balance(tenant.supplier, "supplier").posted == 0


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_no_update_overdraws_an_account(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.deposit(1_000)
    change = "UPDATE ledger_accounts SET {} WHERE tenant_id = :tenant AND kind = 'partner'"
    refuses(other_connection, "never_overdrawn", change.format("posted = -1"), tenant=tenant.id)
    refuses(other_connection, "overdraft_limit", change.format("overdraft_limit = -1"), tenant=tenant.id)
    refuses(other_connection, "never_overdrawn", change.format("held = 1001"), tenant=tenant.id)
    refuses(other_connection, "held", change.format("held = -1"), tenant=tenant.id)
    refuses(other_connection, "credit_limit", change.format("credit_limit = -1"), tenant=tenant.id)
    refuses(other_connection, "bounded", change.format("bounded = 2"), tenant=tenant.id)
    assert (tenant.balance().posted, tenant.balance().held) == (1_000, 0)


def test_no_update_caches_a_balance_of_the_tenant_s_own_accounts(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.deposit(1_000)
    change = "UPDATE ledger_accounts SET posted = -1000 WHERE tenant_id = :tenant AND kind = 'clearing'"
    refuses(other_connection, "only_bounded_are_cached", change, tenant=tenant.id)


def test_no_second_transfer_has_the_same_business_key(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.deposit(1_000)
    copied = (
        "INSERT INTO transfers (id, tenant_id, business_key, from_id, to_id, currency, amount, order_id, created)"
        " SELECT {id}, tenant_id, {key}, {source}, to_id, {currency}, {amount}, order_id, created FROM transfers"
        " WHERE tenant_id = :tenant"
    )
    good = {"id": "'trf_x'", "key": "'new'", "source": "from_id", "currency": "currency", "amount": "amount"}
    broken = (
        (DOUBLE, {"key": "business_key"}),
        (DOUBLE, {"id": "id"}),
        ("amount", {"amount": "0"}),
        ("amount", {"amount": "-5"}),
        ("two_accounts", {"source": "to_id"}),
        (DANGLING, {"currency": "'EUR'"}),
        (DANGLING, {"source": "'acc_of_nobody'"}),
    )
    for why, change in broken:
        refuses(other_connection, why, copied.format(**{**good, **change}), tenant=tenant.id)
    assert other_connection.one("SELECT count(*) FROM transfers WHERE tenant_id = :tenant", tenant=tenant.id) == 1


def test_no_transfer_leads_from_one_tenant_to_another(
    tenant: Tenant, installation: Installation, other_connection: RawConnection
) -> None:
    tenant.deposit(1_000)
    stranger = open_tenant(installation)
    stranger.deposit(1)
    theirs = stranger.balance().id
    change = "UPDATE transfers SET to_id = :theirs WHERE tenant_id = :tenant"
    refuses(other_connection, DANGLING, change, theirs=theirs, tenant=tenant.id)


def test_no_hold_is_captured_beyond_what_was_placed(tenant: Tenant, other_connection: RawConnection) -> None:
    tenant.deposit(1_000)
    hold(tenant, 900)
    change = "UPDATE holds SET {} WHERE tenant_id = :tenant"
    for setting in (
        "captured = 901",
        "captured = 500, released = 401",
        "placed = -1",
        "captured = -1",
        "released = -1",
    ):
        refuses(other_connection, "ck_holds", change.format(setting), tenant=tenant.id)
