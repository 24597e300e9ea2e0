"""Money orders: booked once, with a reason, and by two persons above the tenant's limit."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.ledger import money_orders, trial_balance
from bedesten.ledger.money_orders import ADJUST, DEPOSIT, WITHDRAW, MoneyOrder, NewMoneyOrder
from bedesten.ledger.moves import BOOKED, MONEY_ORDER, REJECTED, WAITING
from bedesten.server.installation import Installation
from bedesten.tenants.money_approval import set_approve_above
from tests.domain.database_errors import refuses
from tests.domain.tenant import CARD, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection
from tests.support.nth_failure import assert_all_or_nothing

ANN, BOB = "ann", "bob"


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """A tenant whose partner has no credit."""
    return open_tenant(installation)


def new(tenant: Tenant, kind: str, amount: int, owner: str = "partner", key: str | None = None) -> NewMoneyOrder:
    """A money order on the account of the partner, the customer or the supplier."""
    return NewMoneyOrder(kind, getattr(tenant, owner), owner, "USD", amount, "a reason", key)


def book(
    tenant: Tenant, kind: str, amount: int, owner: str = "partner", key: str | None = None, person: str = ANN
) -> MoneyOrder:
    return tenant.write(money_orders.book, new(tenant, kind, amount, owner, key), person)


def posted(tenant: Tenant, owner: str = "partner") -> int:
    """The owner's balance: the cached one and the sum of the transfers agree."""
    found = tenant.read(ledger.balance, getattr(tenant, owner), owner, "USD")
    if found is None:
        return 0
    total = tenant.read(ledger.balance_by_transfers, found)
    assert owner == "supplier" or total == found.posted
    return total


def refused(call: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code.number


@pytest.mark.parametrize("owner", ["partner", "customer", "supplier"])
def test_deposits_withdrawals_and_adjustments_change_the_balance_of_every_owner(tenant: Tenant, owner: str) -> None:
    for kind, amount, balance in (
        (DEPOSIT, 10_000, 10_000),
        (WITHDRAW, -2_500, 7_500),
        (ADJUST, 1, 7_501),
        (ADJUST, -1, 7_500),
        (WITHDRAW, -7_500, 0),
    ):
        made = book(tenant, kind, amount, owner)
        assert (made.state, made.two_persons, made.amount, made.created_by) == (BOOKED, 0, amount, ANN)
        assert posted(tenant, owner) == balance
    own = {one.kind: one.received - one.given for one in tenant.read(trial_balance.totals)}
    assert own == {owner: 0, "clearing": 0, "adjustments": 0}


def test_the_trial_balance_is_zero_whatever_was_booked(tenant: Tenant) -> None:
    tenant.order((tenant.card(1, price=0), 1))
    book(tenant, DEPOSIT, 9_000)
    tenant.order((tenant.card(1), 1))
    book(tenant, ADJUST, -70, "supplier")
    totals = tenant.read(trial_balance.totals)
    assert {one.kind for one in totals} == {"partner", "supplier", "clearing", "sales", "adjustments"}
    assert sum(one.received for one in totals) == sum(one.given for one in totals) == 9_000 + CARD + 70


def test_only_own_money_can_be_withdrawn_and_an_adjustment_may_use_the_credit(tenant: Tenant) -> None:
    tenant.credit(300)
    book(tenant, DEPOSIT, 1_000)
    assert refused(lambda: book(tenant, WITHDRAW, -1_001)) == -300
    book(tenant, WITHDRAW, -1_000)
    assert refused(lambda: book(tenant, WITHDRAW, -1)) == -300
    assert refused(lambda: book(tenant, ADJUST, -301)) == -300
    book(tenant, ADJUST, -300)
    assert posted(tenant) == -300


def test_held_money_can_neither_be_withdrawn_nor_adjusted_away(tenant: Tenant) -> None:
    book(tenant, DEPOSIT, 1_000)
    tenant.order((tenant.topup(price=700), 1))
    assert refused(lambda: book(tenant, WITHDRAW, -301)) == -300
    assert refused(lambda: book(tenant, ADJUST, -301)) == -300
    book(tenant, WITHDRAW, -300)
    assert (tenant.balance().posted, tenant.balance().held) == (700, 700)


def test_a_supplier_is_paid_what_it_earned_and_can_be_charged_more(tenant: Tenant) -> None:
    book(tenant, DEPOSIT, 10_000)
    line = tenant.order((tenant.topup(cost=300), 1)).lines[0]
    tenant.deliver(line.id, notes=["done"])
    assert refused(lambda: book(tenant, WITHDRAW, -301, "supplier")) == -300
    book(tenant, WITHDRAW, -300, "supplier")
    book(tenant, ADJUST, -50, "supplier")
    assert posted(tenant, "supplier") == -50


def test_a_key_is_booked_once_and_refused_with_other_content(tenant: Tenant) -> None:
    first = book(tenant, DEPOSIT, 500, key="bank-1")
    assert book(tenant, DEPOSIT, 500, key="bank-1", person=BOB) == first
    assert posted(tenant) == 500
    assert refused(lambda: book(tenant, DEPOSIT, 501, key="bank-1")) == -8
    assert refused(lambda: book(tenant, ADJUST, 500, key="bank-1")) == -8
    assert refused(lambda: book(tenant, DEPOSIT, 500, "customer", key="bank-1")) == -8
    assert book(tenant, DEPOSIT, 500).id != first.id


def test_zero_and_amounts_beyond_the_maximum_are_refused(tenant: Tenant) -> None:
    assert refused(lambda: book(tenant, ADJUST, 0)) == -2
    assert refused(lambda: book(tenant, DEPOSIT, MAX_MINOR)) == -2
    book(tenant, DEPOSIT, MAX_MINOR - 1)
    assert refused(lambda: book(tenant, DEPOSIT, 1)) == -2
    book(tenant, WITHDRAW, 1 - MAX_MINOR)
    assert refused(lambda: tenant.write(money_orders.approve, "mny_nobody", BOB)) == -3
    assert refused(lambda: tenant.write(money_orders.reject, "mny_nobody", BOB, "no")) == -3


def test_above_the_limit_two_persons_are_needed(tenant: Tenant) -> None:
    tenant.write(set_approve_above, 500)
    assert book(tenant, DEPOSIT, 500).state == BOOKED
    asked = book(tenant, DEPOSIT, 501)
    assert (asked.state, asked.two_persons, posted(tenant)) == (WAITING, 1, 500)
    assert refused(lambda: tenant.write(money_orders.approve, asked.id, ANN)) == -8
    done = tenant.write(money_orders.approve, asked.id, BOB)
    assert (done.state, done.decided_by, posted(tenant)) == (BOOKED, BOB, 1_001)
    assert tenant.write(money_orders.approve, asked.id, BOB) == done
    assert refused(lambda: tenant.write(money_orders.approve, asked.id, "carol")) == -8
    assert refused(lambda: tenant.write(money_orders.reject, asked.id, BOB, "too late")) == -8
    assert posted(tenant) == 1_001


def test_the_limit_counts_in_both_directions_and_a_new_limit_spares_waiting_orders(tenant: Tenant) -> None:
    book(tenant, DEPOSIT, 900)
    tenant.write(set_approve_above, 0)
    taken, given = book(tenant, WITHDRAW, -900), book(tenant, ADJUST, 1)
    assert (taken.state, given.state) == (WAITING, WAITING)
    tenant.write(set_approve_above, None)
    assert [one.id for one in tenant.read(money_orders.list_orders)] == [taken.id, given.id]
    assert refused(lambda: tenant.write(money_orders.approve, taken.id, ANN)) == -8
    book(tenant, WITHDRAW, -900)
    assert refused(lambda: tenant.write(money_orders.approve, taken.id, BOB)) == -300
    assert tenant.read(money_orders.find, taken.id).state == WAITING
    assert tenant.write(money_orders.reject, taken.id, ANN, "paid already").decision == "paid already"


def test_a_rejected_order_is_never_booked(tenant: Tenant) -> None:
    tenant.write(set_approve_above, 0)
    asked = book(tenant, DEPOSIT, 5, key="k")
    gone = tenant.write(money_orders.reject, asked.id, BOB, "a typing error")
    assert tenant.write(money_orders.reject, asked.id, ANN, "again") == gone
    assert refused(lambda: tenant.write(money_orders.approve, asked.id, BOB)) == -8
    assert book(tenant, DEPOSIT, 5, key="k").state == REJECTED
    assert posted(tenant) == 0


def test_every_action_does_everything_or_nothing(tenant: Tenant) -> None:
    def run(action: Callable[..., object], *args: object) -> object:
        return assert_all_or_nothing(tenant.installation, tenant.id, lambda tx: action(tx, *args), at_least=4)

    for owner in ("partner", "supplier"):
        run(money_orders.book, new(tenant, DEPOSIT, 1_000, owner), ANN)
        run(money_orders.book, new(tenant, WITHDRAW, -300, owner), ANN)
        run(money_orders.book, new(tenant, ADJUST, -10, owner), ANN)
        assert posted(tenant, owner) == 690
    tenant.write(set_approve_above, 0)
    first, second = book(tenant, DEPOSIT, 1), book(tenant, DEPOSIT, 2)
    run(money_orders.approve, first.id, BOB)
    run(money_orders.reject, second.id, BOB, "no")
    assert posted(tenant) == 691


def test_the_table_of_moves_has_exactly_these_moves() -> None:
    moves = {(one.event, one.sources, one.target) for one in MONEY_ORDER}
    assert moves == {
        ("request", (), WAITING),
        ("book", (), BOOKED),
        ("approve", (WAITING,), BOOKED),
        ("reject", (WAITING,), REJECTED),
    }
    assert MONEY_ORDER.final == {BOOKED, REJECTED}


def test_the_database_refuses_an_approval_without_a_second_person(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.write(set_approve_above, 0)
    asked = book(tenant, DEPOSIT, 5)
    for approver in ("NULL", "'ann'"):
        decided = "NULL" if approver == "NULL" else "1"
        sql = f"UPDATE money_orders SET state = 1, decided = {decided}, decided_by = {approver} WHERE id = :id"
        refuses(other_connection, "second_person", sql, id=asked.id)


def test_of_two_concurrent_decisions_one_wins(tenant: Tenant) -> None:
    tenant.write(set_approve_above, 0)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            asked, line = book(tenant, DEPOSIT, 10), threading.Barrier(2)
            before = posted(tenant)

            def decide(approves: bool, order: str = asked.id, line: threading.Barrier = line) -> object:
                line.wait(120)
                try:
                    if approves:
                        return tenant.write(money_orders.approve, order, BOB).state
                    return tenant.write(money_orders.reject, order, BOB, "no").state
                except Refusal as refusal:
                    return refusal.code.number

            outcomes = list(pool.map(decide, (True, False)))
            assert outcomes in ([BOOKED, -8], [-8, REJECTED])
            assert posted(tenant) - before == (10 if outcomes[0] == BOOKED else 0)


def test_concurrent_adjustments_and_orders_never_spend_the_same_money(tenant: Tenant) -> None:
    card = tenant.card(8)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            book(tenant, DEPOSIT, CARD)
            line = threading.Barrier(2)

            def spend(orders: bool, line: threading.Barrier = line) -> object:
                line.wait(120)
                try:
                    return tenant.order((card, 1), reference=fresh("o")) if orders else book(tenant, ADJUST, -CARD)
                except Refusal as refusal:
                    return refusal.code.number

            assert list(pool.map(spend, (True, False))).count(-300) == 1
            assert posted(tenant) == 0


def test_two_concurrent_payouts_of_a_supplier_pay_once(tenant: Tenant) -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            book(tenant, DEPOSIT, 100, "supplier")
            line = threading.Barrier(2)

            def pay(_: int, line: threading.Barrier = line) -> object:
                line.wait(120)
                try:
                    return book(tenant, WITHDRAW, -100, "supplier").state
                except Refusal as refusal:
                    return refusal.code.number

            assert sorted(pool.map(pay, range(2))) == [-300, BOOKED]  # type: ignore[type-var]
            assert posted(tenant, "supplier") == 0
