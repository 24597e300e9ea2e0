"""Statements: every transfer once, in an order that never changes, with the balance after each."""

import itertools
from collections.abc import Iterator

import pytest

from bedesten.core.clock import DAY, HOUR, system_clock
from bedesten.core.ids import IdGenerator, earlier_id
from bedesten.ledger import actions as ledger
from bedesten.ledger import money_orders, statements
from bedesten.ledger.money_orders import NewMoneyOrder
from bedesten.ledger.statements import Entry, Period, StatementPage
from bedesten.server.installation import Installation, open_store
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection
from tests.support.nth_failure import assert_all_or_nothing


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """A tenant whose partner has no credit."""
    return open_tenant(installation)


def give(tenant: Tenant, amount: int) -> None:
    """Books money for the partner, or back from it, by hand."""
    new = NewMoneyOrder("adjust", tenant.partner, "partner", "USD", amount, "a reason")
    tenant.write(money_orders.book, new, "ann")


def account(tenant: Tenant, owner: str = "", kind: str = "partner") -> str:
    return tenant.write(lambda tx: ledger.account(tx, owner or tenant.partner, kind, "USD").id)


def page(tenant: Tenant, period: Period | None = None, of: str = "") -> StatementPage:
    return tenant.write(statements.page, of or account(tenant), period or Period())


def pages(tenant: Tenant, size: int, **period: int) -> Iterator[StatementPage]:
    """Page after page of the partner's statement."""
    after = 0
    while True:
        found = page(tenant, Period(after, size, **period))
        yield found
        if not found.more:
            return
        after = found.entries[-1].seq


def listed(tenant: Tenant, size: int = 50, **period: int) -> list[Entry]:
    return [one for found in pages(tenant, size, **period) for one in found.entries]


def test_a_statement_lists_each_transfer_with_the_balance_after_it(tenant: Tenant) -> None:
    tenant.deposit(2_000)
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 1))
    card, topup = placed.lines
    tenant.deliver(topup.id, notes=["done"])
    give(tenant, -30)
    found = page(tenant)
    assert [(one.kind, one.change, one.balance, one.line, one.order, one.reason) for one in found.entries] == [
        ("deposit", 2_000, 2_000, None, None, None),
        ("purchase", -CARD, 1_500, card.id, placed.order.id, None),
        ("purchase", -700, 800, topup.id, placed.order.id, None),
        ("adjustment", -30, 770, None, None, "a reason"),
    ]
    assert (found.opening, found.more) == (0, False)
    assert tenant.balance().posted == 770
    (earning,) = page(tenant, of=account(tenant, tenant.supplier, "supplier")).entries
    assert (earning.kind, earning.change, earning.balance, earning.line) == ("earning", 300, 300, topup.id)
    own = {
        kind: page(tenant, of=account(tenant, tenant.id, kind)).entries[-1].balance for kind in ("sales", "clearing")
    }
    assert own == {"sales": CARD + 700 - 300, "clearing": -2_000}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_neither_skip_nor_repeat_while_transfers_arrive(tenant: Tenant, size: int) -> None:
    for amount in range(1, 6):
        give(tenant, amount)
    seen: list[Entry] = []
    for number, found in enumerate(pages(tenant, size)):
        assert found.opening == (seen[-1].balance if seen else 0)
        seen += found.entries
        if number < 2:
            give(tenant, 100 + number)
    assert [one.seq for one in seen] == list(range(1, len(seen) + 1))
    assert [one.change for one in listed(tenant)][: len(seen)] == [one.change for one in seen]
    assert [one.balance for one in seen] == list(itertools.accumulate(one.change for one in seen))


def late(tenant: Tenant, by_ms: int, amount: int) -> None:
    """Books a transfer whose transaction began `by_ms` ago and that becomes visible only now."""

    def action(tx: Transaction) -> None:
        past = IdGenerator(lambda: (system_clock() - by_ms) * 1_000_000)
        tx._ids, tx.now = past, tx.now - by_ms
        ledger.receive(tx, ledger.account(tx, tenant.partner, "partner", "USD"), amount, fresh("key"))

    tenant.write(action)


def test_a_transfer_that_becomes_visible_late_is_entered_behind_the_rows_already_read(tenant: Tenant) -> None:
    give(tenant, 1)
    before = listed(tenant)
    late(tenant, 5_000, 40)
    after = listed(tenant)
    assert after[:1] == before
    assert [(one.change, one.balance) for one in after] == [(1, 1), (40, 41)]
    assert after[0].at <= after[1].at


def test_a_past_period_that_was_read_never_changes(tenant: Tenant) -> None:
    give(tenant, 1)
    (first,) = listed(tenant)
    until = first.at + 1
    assert [one.change for one in listed(tenant, until=until)] == [1]
    settled = tenant.write(lambda tx: tx.now)
    listed(tenant)
    late(tenant, 5_000, 40)
    assert [one.change for one in listed(tenant, until=until)] == [1]
    found = page(tenant, Period(since=settled))
    assert (found.opening, [one.change for one in found.entries]) == (1, [40])


def test_a_period_has_its_opening_balance_and_only_its_own_rows(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    for amount in (1, 2, 3, 4):
        give(tenant, amount)
    listed(tenant)
    for seq in (1, 2, 3, 4):
        other_connection.run(
            "UPDATE statement_entries SET at = :at WHERE account_id = :account AND seq = :seq",
            at=seq * DAY, account=account(tenant), seq=seq,
        )  # fmt: skip
    found = page(tenant, Period(since=2 * DAY, until=4 * DAY))
    assert (found.opening, [one.change for one in found.entries], found.more) == (1, [2, 3], False)
    assert page(tenant, Period(since=2 * DAY, until=4 * DAY, size=1)).more
    assert not page(tenant, Period(after=2, since=2 * DAY, until=4 * DAY, size=1)).more
    nothing = page(tenant, Period(since=9 * DAY))
    assert (nothing.opening, nothing.entries, nothing.more) == (10, [], False)
    early = page(tenant, Period(until=DAY))
    assert (early.opening, early.entries, early.more) == (0, [], False)


def test_a_long_history_is_entered_in_parts(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in range(1, 8):
        give(tenant, amount)
    monkeypatch.setattr(statements, "MAX_ENTERED", 3)
    found = page(tenant)
    assert (len(found.entries), found.more) == (3, True)
    assert [one.change for one in listed(tenant)] == list(range(1, 8))
    assert page(tenant).more is False


def test_a_wrong_clock_hides_no_later_transfer(tenant: Tenant) -> None:
    give(tenant, 1)
    late(tenant, -400 * DAY, 2)
    fast = open_store(tenant.installation.settings, lambda: system_clock() + 400 * DAY)
    try:
        of = account(tenant)
        fast.write_now(lambda tx: statements.page(tx.for_tenant(tenant.id), of, Period()))
    finally:
        fast.close()
    give(tenant, 3)
    assert [one.change for one in listed(tenant)] == [1, 2, 3]
    give(tenant, 4)
    assert [(one.change, one.balance) for one in listed(tenant)] == [(1, 1), (2, 3), (3, 6), (4, 10)]


def test_an_account_without_transfers_has_an_empty_statement(tenant: Tenant) -> None:
    assert page(tenant) == StatementPage(0, [], False)


def test_reading_a_statement_enters_all_or_nothing(tenant: Tenant) -> None:
    give(tenant, 1)
    of = account(tenant)
    assert_all_or_nothing(tenant.installation, tenant.id, lambda tx: statements.page(tx, of, Period()), at_least=6)


def test_an_earlier_id_is_smaller_than_every_id_made_since() -> None:
    now = 1_700_000_000_000
    made = IdGenerator(lambda: now * 1_000_000).new("trf")
    assert earlier_id(made, 0) <= made
    for ms in (1, 500, HOUR):
        before = IdGenerator(lambda ms=ms: (now - ms) * 1_000_000).new("trf")  # type: ignore[misc]
        assert earlier_id(made, ms) <= before < made
        assert earlier_id(made, ms - 1) > before
