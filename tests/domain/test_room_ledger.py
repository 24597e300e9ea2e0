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
from tests.domain.stall import Stall, fresh, open_stall
from tests.store.raw import Raw, raw

TRANSFERS = (
    "SELECT a.kind, b.kind, t.amount FROM transfers t"
    " JOIN ledger_accounts a ON a.tenant_id = t.tenant_id AND a.id = t.from_id"
    " JOIN ledger_accounts b ON b.tenant_id = t.tenant_id AND b.id = t.to_id"
    " WHERE t.tenant_id = :tenant ORDER BY t.amount"
)


def account(tx: Transaction, stall: Stall) -> Balance:
    """The partner's ledger account."""
    return ledger.account(tx, stall.partner, "partner", "USD")


def hold(stall: Stall, amount: int, captured: int = 0, order: str = "") -> str:
    """Sets the partner's money aside for an order that has no row: the ledger knows nothing of orders."""
    order = order or fresh("ord")
    stall.write(lambda tx: tx.run_all(ledger.hold_steps(account(tx, stall), amount, order, captured=captured)))
    return order


@pytest.fixture
def till(installation: Installation) -> Iterator[Stall]:
    """A stall whose partner has no credit at all. Its money is forgotten afterwards: holds of orders that have no row
    are a breach for whoever walks over the invariants."""
    made = open_stall(installation)
    yield made
    with raw(installation.settings) as other:
        for table in ("holds", "transfers", "deposits", "ledger_accounts"):
            other.run(f"DELETE FROM {table} WHERE tenant_id = :tenant", tenant=made.tenant)


def test_money_from_outside_is_one_transfer_from_clearing_and_is_in_the_balance(
    till: Stall, other_connection: Raw
) -> None:
    till.deposit(12_345)
    assert till.balance() == Balance(till.balance().id, "USD", 12_345, 0, 0)
    assert till.balance().available == 12_345
    assert other_connection.rows(TRANSFERS, tenant=till.tenant) == [("clearing", "partner", 12_345)]


def test_a_business_key_is_booked_once(till: Stall) -> None:
    key = fresh("key")
    assert till.write(lambda tx: ledger.receive(tx, account(tx, till), 700, key)) is True
    assert till.write(lambda tx: ledger.receive(tx, account(tx, till), 700, key)) is False
    assert till.write(lambda tx: ledger.receive(tx, account(tx, till), 9, key)) is False
    assert till.balance().posted == 700


def test_an_account_is_opened_once_and_only_when_it_is_needed(till: Stall) -> None:
    assert till.read(ledger.balance, till.partner, "partner", "USD") is None
    first = till.write(lambda tx: account(tx, till))
    assert till.write(lambda tx: account(tx, till)) == first
    assert till.write(lambda tx: ledger.account(tx, till.partner, "partner", "EUR")).id != first.id


def test_the_last_minor_unit_can_be_spent_and_not_one_more(till: Stall) -> None:
    till.deposit(1_000)
    till.credit(500)
    with pytest.raises(Refusal) as refused:
        hold(till, 1_501)
    assert refused.value.code.number == -300
    assert till.balance().held == 0
    hold(till, 1_500)
    assert (till.balance().posted, till.balance().held, till.balance().available) == (1_000, 1_500, -500)
    with pytest.raises(Refusal) as refused:
        hold(till, 1)
    assert refused.value.code.number == -300


def test_what_is_captured_at_once_and_what_waits_must_be_covered_together(till: Stall) -> None:
    till.deposit(1_000)
    with pytest.raises(Refusal) as refused:
        hold(till, 1_001, captured=600)
    assert refused.value.code.number == -300
    assert (till.balance().posted, till.balance().held) == (1_000, 0)
    hold(till, 1_000, captured=600)
    assert (till.balance().posted, till.balance().held, till.balance().available) == (400, 400, 0)


def test_a_hold_is_captured_and_released_in_parts_and_never_beyond_what_was_placed(till: Stall) -> None:
    till.deposit(1_000)
    order = hold(till, 900)
    till.write(ledger.capture, order, 300, fresh("odl"))
    assert (till.balance().posted, till.balance().held) == (700, 600)
    till.write(ledger.release, order, 200)
    assert (till.balance().posted, till.balance().held) == (700, 400)
    for beyond in (lambda tx: ledger.capture(tx, order, 401, fresh("odl")), lambda tx: ledger.release(tx, order, 401)):
        with pytest.raises(Exception, match=r"never_more_than_placed|held"):
            till.write(beyond)
    assert (till.balance().posted, till.balance().held) == (700, 400)
    till.write(ledger.capture, order, 400, fresh("odl"))
    assert (till.balance().posted, till.balance().held) == (300, 0)


def test_a_line_is_sold_once(till: Stall) -> None:
    till.deposit(1_000)
    order, line = hold(till, 900), fresh("odl")
    till.write(ledger.capture, order, 300, line)
    with pytest.raises(AssertionError, match="delivered once"):
        till.write(ledger.capture, order, 300, line)
    assert (till.balance().posted, till.balance().held) == (700, 600)


def test_a_debtor_s_credit_limit_can_be_lowered_and_the_debt_stays(till: Stall, other_connection: Raw) -> None:
    limits = "SELECT credit_limit, overdraft_limit FROM ledger_accounts WHERE tenant_id = :tenant AND kind = 'partner'"
    till.credit(1_000)
    order = hold(till, 600, captured=100)
    till.credit(200)
    assert (till.balance().available, till.balance().credit_limit, till.balance().spendable) == (-600, 200, 0)
    assert other_connection.rows(limits, tenant=till.tenant) == [(200, 600)]
    with pytest.raises(Refusal) as refused:
        hold(till, 1)
    assert refused.value.code.number == -300
    till.write(ledger.capture, order, 300, fresh("odl"))
    till.write(ledger.release, order, 100)
    assert (till.balance().posted, till.balance().held, till.balance().available) == (-400, 100, -500)
    assert other_connection.rows(limits, tenant=till.tenant) == [(200, 500)]
    till.deposit(250)
    assert other_connection.rows(limits, tenant=till.tenant) == [(200, 250)]
    till.deposit(100)
    assert other_connection.rows(limits, tenant=till.tenant) == [(200, 200)]
    assert till.balance().spendable == 50
    hold(till, 50)
    with pytest.raises(Refusal) as refused:
        hold(till, 1)
    assert refused.value.code.number == -300


def test_no_balance_and_no_limit_reaches_the_largest_amount(till: Stall, other_connection: Raw) -> None:
    till.deposit(MAX_MINOR - 1_000)
    for beyond in (lambda: till.deposit(1_000), lambda: till.credit(1_000), lambda: till.credit(MAX_MINOR - 1)):
        with pytest.raises(Refusal) as refused:
            beyond()
        assert (refused.value.code.number, list(refused.value.fields or {})) == (-2, ["amount"])
    till.credit(900)
    till.deposit(99)
    assert (till.balance().posted, till.balance().credit_limit) == (MAX_MINOR - 901, 900)
    change = "UPDATE ledger_accounts SET {} WHERE tenant_id = :tenant AND kind = 'partner'"
    for setting in ("posted = posted + 1", "overdraft_limit = 901", "credit_limit = 901, overdraft_limit = 901"):
        refuses(other_connection, "within_bounds", change.format(setting), tenant=till.tenant)


def test_what_a_supplier_earns_is_a_transfer_from_sales_and_is_in_no_cached_balance(
    till: Stall, other_connection: Raw
) -> None:
    till.write(ledger.accrue_payable, till.supplier, "USD", 300, fresh("odl"), fresh("ord"))
    till.write(ledger.accrue_payable, till.supplier, "USD", 0, fresh("odl"), fresh("ord"))
    assert other_connection.rows(TRANSFERS, tenant=till.tenant) == [("sales", "supplier", 300)]
    assert till.balance(till.supplier, "supplier").posted == 0


# --- what the database refuses by itself ------------------------------------------------------------------------------


def test_no_update_overdraws_an_account(till: Stall, other_connection: Raw) -> None:
    till.deposit(1_000)
    change = "UPDATE ledger_accounts SET {} WHERE tenant_id = :tenant AND kind = 'partner'"
    refuses(other_connection, "never_overdrawn", change.format("posted = -1"), tenant=till.tenant)
    refuses(other_connection, "overdraft_limit", change.format("overdraft_limit = -1"), tenant=till.tenant)
    refuses(other_connection, "never_overdrawn", change.format("held = 1001"), tenant=till.tenant)
    refuses(other_connection, "held", change.format("held = -1"), tenant=till.tenant)
    refuses(other_connection, "credit_limit", change.format("credit_limit = -1"), tenant=till.tenant)
    refuses(other_connection, "bounded", change.format("bounded = 2"), tenant=till.tenant)
    assert (till.balance().posted, till.balance().held) == (1_000, 0)


def test_no_update_caches_a_balance_of_the_tenant_s_own_accounts(till: Stall, other_connection: Raw) -> None:
    till.deposit(1_000)
    change = "UPDATE ledger_accounts SET posted = -1000 WHERE tenant_id = :tenant AND kind = 'clearing'"
    refuses(other_connection, "only_bounded_are_cached", change, tenant=till.tenant)


def test_no_second_transfer_has_the_same_business_key(till: Stall, other_connection: Raw) -> None:
    till.deposit(1_000)
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
        refuses(other_connection, why, copied.format(**{**good, **change}), tenant=till.tenant)
    assert other_connection.one("SELECT count(*) FROM transfers WHERE tenant_id = :tenant", tenant=till.tenant) == 1


def test_no_transfer_leads_from_one_tenant_to_another(
    till: Stall, installation: Installation, other_connection: Raw
) -> None:
    till.deposit(1_000)
    stranger = open_stall(installation)
    stranger.deposit(1)
    theirs = stranger.balance().id
    change = "UPDATE transfers SET to_id = :theirs WHERE tenant_id = :tenant"
    refuses(other_connection, DANGLING, change, theirs=theirs, tenant=till.tenant)


def test_no_hold_is_captured_beyond_what_was_placed(till: Stall, other_connection: Raw) -> None:
    till.deposit(1_000)
    hold(till, 900)
    change = "UPDATE holds SET {} WHERE tenant_id = :tenant"
    for setting in (
        "captured = 901",
        "captured = 500, released = 401",
        "placed = -1",
        "captured = -1",
        "released = -1",
    ):
        refuses(other_connection, "ck_holds", change.format(setting), tenant=till.tenant)
