"""Sixteen at once: money is booked once, spent once, and never beyond the limit; a revoked right stays revoked."""

from collections import Counter

from bedesten.accounts import actions as accounts
from bedesten.accounts.lookup import account_entry
from bedesten.audit.actions import OPERATOR
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.actions import PlacedOrder
from bedesten.orders.model import EXPIRED, PLACED, WITHDRAWN
from bedesten.payments import actions as payments
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from bedesten.store.revision_log import CHANGES, COUNTER
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, TOPUP, Tenant, fresh
from tests.races.conftest import RUNNERS, Race
from tests.store.raw import RawConnection


def refusals(outcomes: list[object]) -> list[int]:
    """The numbers of the refusals; any other exception is a defect."""
    assert not [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, Refusal)], outcomes
    return [one.code.number for one in outcomes if isinstance(one, Refusal)]


def test_the_last_money_pays_for_one_of_sixteen_orders(tenant: Tenant, race: Race) -> None:
    tenant.credit(CARD)
    card = tenant.card(RUNNERS)
    outcomes = race(lambda number: tenant.order((card, 1), reference=f"o{number}"))
    assert refusals(outcomes) == [-300] * (RUNNERS - 1)
    assert tenant.balance().available + tenant.balance().credit_limit == 0
    assert tenant.available(card) == RUNNERS - 1


def test_two_ways_of_spending_at_once_never_exceed_the_balance(tenant: Tenant, race: Race) -> None:
    """Half hold the money for a supplier's line, half spend it on stock: together no more than the balance."""
    tenant.credit(5 * TOPUP)
    card, topup = tenant.card(RUNNERS, price=TOPUP), tenant.topup()
    outcomes = race(lambda number: tenant.order((topup if number % 2 else card, 1), reference=f"o{number}"))
    assert Counter(refusals(outcomes)) == {-300: RUNNERS - 5}
    assert tenant.balance().available == -5 * TOPUP


def test_no_order_is_accepted_once_the_limit_is_lowered_below_the_debt(tenant: Tenant, race: Race) -> None:
    card = tenant.card(200)
    tenant.credit(20 * CARD)
    tenant.order((card, 1))

    def lower(tx: Transaction) -> int:
        ledger.set_credit(tx, ledger.account(tx, tenant.partner, "partner", "USD"), 0)
        return ledger.account(tx, tenant.partner, "partner", "USD").available

    def spend_or_lower(number: int) -> object:
        if number:
            return [tenant.order((card, 1), reference=f"o{number}-{turn_number}") for turn_number in range(3)]
        return tenant.write(lower)

    outcomes = race(spend_or_lower)
    assert set(refusals(outcomes)) <= {-300}
    after = tenant.balance()
    assert [after.available] == [one for one in outcomes if isinstance(one, int)], "what was owed when it was lowered"
    assert (after.credit_limit, after.spendable) == (0, 0)
    assert tenant.available(card) == 200 + after.posted // CARD


def test_a_deposit_that_sixteen_confirm_is_booked_once(tenant: Tenant, race: Race) -> None:
    made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, fresh("dep"), "USD", 1_000)
    outcomes = race(lambda _: tenant.write(payments.confirm_deposit, tenant.integration, made.id).state)
    assert outcomes == [1] * RUNNERS
    assert tenant.balance().posted == 1_000


def test_a_large_deposit_is_approved_or_rejected_and_booked_once(tenant: Tenant, race: Race) -> None:
    tenant.write(set_limits, tenant.integration, DepositLimits(None, 999), "USD")
    made = tenant.write(payments.create_deposit, tenant.integration, tenant.partner, fresh("dep"), "USD", 1_000)

    def anything(number: int) -> object:
        if number % 3 == 0:
            return tenant.write(payments.confirm_deposit, tenant.integration, made.id).state
        return tenant.write((payments.approve_deposit, payments.reject_deposit)[number % 2], made.id).state

    outcomes = race(anything)
    assert set(refusals(outcomes)) <= {-400}
    state = tenant.write(payments.reject_deposit if 2 in outcomes else payments.approve_deposit, made.id).state
    assert tenant.balance().posted == (1_000 if state == 1 else 0)
    assert not {1, 2} <= set(outcomes)


def test_a_deposit_announced_sixteen_times_is_one_and_different_content_is_a_conflict(
    tenant: Tenant, race: Race
) -> None:
    create, service = payments.create_deposit, tenant.integration
    same = race(lambda _: tenant.write(create, service, tenant.partner, "same", "USD", 500).id)
    assert len(set(map(str, same))) == 1
    assert refusals(same) == []
    mixed = race(lambda n: tenant.write(create, service, tenant.partner, "mixed", "USD", 500 + n % 2).amount)
    assert Counter(refusals(mixed)) == {-8: RUNNERS // 2}


def test_concurrent_deposits_and_orders_leave_the_exact_balance(tenant: Tenant, race: Race) -> None:
    card = tenant.card(RUNNERS * 3)

    def pay_or_spend(number: int) -> object:
        if number % 2:
            return [tenant.deposit(100 + number) for _ in range(3)]
        return [tenant.order((card, 1), reference=f"o{number}-{turn_number}") for turn_number in range(3)]

    outcomes = race(pay_or_spend)
    assert refusals(outcomes) == []
    paid_in = 3 * sum(100 + number for number in range(1, RUNNERS, 2))
    assert tenant.balance().posted == paid_in - 24 * CARD


def test_a_payment_that_sixteen_capture_delivers_once(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    card, topup = tenant.card(5), tenant.topup()
    placed = tenant.checkout((card, 2), (topup, 1))
    payment = tenant.payment(placed)
    outcomes = race(lambda _: tenant.capture(payment).state)
    assert outcomes == [1] * RUNNERS
    assert len(tenant.codes(placed.lines[0].id)) == 2
    assert [line.version for line in tenant.read(orders.lines_of, placed.order.id)] == [1, 1]
    money = tenant.balance(tenant.customer, "customer")
    assert (money.posted, money.held) == (TOPUP, TOPUP)
    booked = "SELECT count(*) FROM transfers WHERE tenant_id = :tenant"
    assert other_connection.one(booked, tenant=tenant.id) == 2


def test_only_one_of_sixteen_payments_of_one_order_is_captured(tenant: Tenant, race: Race) -> None:
    placed = tenant.checkout((tenant.card(1), 1))
    announced = [tenant.payment(placed) for _ in range(RUNNERS)]
    outcomes = race(lambda number: tenant.capture(announced[number]).state)
    assert Counter(refusals(outcomes)) == {-401: RUNNERS - 1}
    assert len(tenant.codes(placed.lines[0].id)) == 1
    assert tenant.balance(tenant.customer, "customer").posted == 0


def test_a_checkout_is_paid_or_expires_and_never_both(tenant: Tenant, race: Race) -> None:
    """The second action sees the first: it claims the returned goods again, or the payer gets a refusal."""
    card = tenant.card(RUNNERS)
    placed = [tenant.checkout((card, 1), minutes=-1) for _ in range(RUNNERS // 2)]
    announced = [tenant.payment(one) for one in placed]

    def capture_or_expire(number: int) -> object:
        at = number // 2
        return tenant.capture(announced[at]).state if number % 2 else tenant.write(checkout.expire, placed[at].order.id)

    outcomes = race(capture_or_expire)
    assert refusals(outcomes) == []
    assert outcomes[1::2] == [1] * 8
    states = [tenant.read(orders.order_of, tenant.customer, one.order.id).state for one in placed]
    assert states == [PLACED] * 8
    codes = [code for one in placed for code in tenant.codes(one.lines[0].id)]
    assert len(codes) == len(set(codes)) == 8
    assert tenant.available(card) == RUNNERS - 8


def test_the_last_unit_of_an_expiring_checkout_goes_to_its_payer_or_a_buyer_never_both(
    tenant: Tenant, race: Race
) -> None:
    card = tenant.card(1)
    placed = tenant.checkout((card, 1), minutes=-1)
    payment = tenant.payment(placed)

    def anything(number: int) -> object:
        match number % 3:
            case 0:
                return tenant.write(checkout.expire, placed.order.id)
            case 1:
                return tenant.capture(payment)
        return tenant.order((card, 1), reference=f"b{number}")

    outcomes = race(anything)
    assert set(refusals(outcomes)) <= {-200, -402}
    state = tenant.read(orders.order_of, tenant.customer, placed.order.id).state
    bought = [one for one in outcomes if isinstance(one, PlacedOrder)]
    theirs = tenant.codes(placed.lines[0].id)
    assert len(bought) + len(theirs) + tenant.available(card) == 1
    assert (state, len(theirs)) in ((PLACED, 1), (EXPIRED, 0))


def test_a_checkout_is_paid_cancelled_or_expired_and_its_goods_are_neither_lost_nor_doubled(
    tenant: Tenant, race: Race
) -> None:
    """Six checkouts are each captured, cancelled and expired at the same moment, while two threads buy."""
    card = tenant.card(6)
    placed = [tenant.checkout((card, 1), minutes=1 if at % 2 else -1) for at in range(6)]
    announced = [tenant.payment(one) for one in placed]

    def anything(number: int) -> object:
        at = number % 6
        if number < 6:
            return tenant.capture(announced[at]).state
        if number < 12:
            return tenant.write(checkout.cancel, tenant.customer, placed[at].order.id).state
        return tenant.write(checkout.expire, placed[at].order.id)

    outcomes = race(anything)
    assert set(refusals(outcomes)) <= {-402, -8}
    for at, one in enumerate(placed):
        state = tenant.read(orders.order_of, tenant.customer, one.order.id).state
        codes = len(tenant.codes(one.lines[0].id))
        captured = not isinstance(outcomes[at], Refusal)
        assert (state, codes) == ((PLACED, 1) if captured else (WITHDRAWN, 0))
        assert isinstance(outcomes[at + 6], Refusal) == captured
    assert tenant.available(card) == 6 - sum(not isinstance(one, Refusal) for one in outcomes[:6])


def test_a_payment_is_captured_or_closed_and_never_both(tenant: Tenant, race: Race) -> None:
    placed = [tenant.checkout((tenant.card(1), 1)) for _ in range(RUNNERS // 2)]
    announced = [tenant.payment(one) for one in placed]

    def capture_or_close(number: int) -> object:
        payment = announced[number // 2]
        if number % 2:
            return tenant.capture(payment).state
        return tenant.write(payments.cancel_payment, tenant.integration, payment.id).state

    outcomes = race(capture_or_close)
    for at in range(RUNNERS // 2):
        closed, captured = outcomes[2 * at], outcomes[2 * at + 1]
        assert isinstance(closed, Refusal) != isinstance(captured, Refusal), outcomes
        assert refusals([closed, captured]) == [-401]


def test_the_first_orders_of_a_tenant_open_its_accounts_once(
    tenant: Tenant, race: Race, other_connection: RawConnection
) -> None:
    """There is no ledger account yet: sixteen orders open them at the same moment, each in another sequence."""
    topup, card = tenant.topup(), tenant.card(RUNNERS)
    line = tenant.order((topup, 1)).lines[0]

    def begin(number: int) -> object:
        match number % 3:
            case 0:
                return tenant.order((card, 1), reference=f"o{number}")
            case 1:
                return tenant.deliver(line.id, ["FIRST"])
        return tenant.deposit(100)

    assert refusals(race(begin)) == []
    opened = other_connection.rows(
        "SELECT kind, count(*) FROM ledger_accounts WHERE tenant_id = :tenant GROUP BY kind ORDER BY kind",
        tenant=tenant.id,
    )
    assert opened == [("clearing", 1), ("partner", 1), ("sales", 1), ("supplier", 1)]


# --- rights -----------------------------------------------------------------------------------------------------------


def test_sixteen_concurrent_revocations_are_all_listed_in_one_order(tenant: Tenant, race: Race) -> None:
    counter = tenant.store.read_now(lambda tx: tx.one(COUNTER))
    assert counter is not None

    def take(number: int) -> None:
        for turn_number in range(3):
            tenant.write(accounts.revoke_token, f"jti-{number}-{turn_number}", 4_102_444_800_000, OPERATOR)

    assert race(take) == [None] * RUNNERS
    rows = tenant.store.read_now(lambda tx: tx.all(CHANGES, seen=counter.number, most=200))
    assert [row[0] for row in rows] == list(range(counter.number + 1, counter.number + 1 + 3 * RUNNERS))


def _token_version(tenant: Tenant) -> int:
    entry = tenant.store.read_now(lambda tx: account_entry(tx, tenant.partner))
    assert entry is not None
    return entry.token_version


def test_a_revoked_right_is_gone_for_every_later_reader(tenant: Tenant, race: Race) -> None:
    """One thread revokes and grants a scope while the others read: they see what was acknowledged, or newer."""
    acknowledged: list[int] = [1]

    def take_or_look(number: int) -> object:
        if number == 0:
            for _ in range(30):
                tenant.write(accounts.end_tokens, tenant.partner, OPERATOR)
                acknowledged.append(_token_version(tenant))
            return True
        seen = []
        for _ in range(30):
            known = acknowledged[-1]
            seen.append(_token_version(tenant) >= known)
        return all(seen)

    assert race(take_or_look) == [True] * RUNNERS


def test_the_cached_balance_equals_the_sum_after_concurrent_transfers(tenant: Tenant, race: Race) -> None:
    def receive(tx: Transaction, key: str) -> None:
        ledger.receive(tx, ledger.account(tx, tenant.partner, "partner", "USD"), 3, key)

    def book(number: int) -> None:
        for turn_number in range(5):
            tenant.write(receive, f"in-{number}-{turn_number}")

    assert race(book) == [None] * RUNNERS
    assert tenant.balance().posted == 3 * 5 * RUNNERS
