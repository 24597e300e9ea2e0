"""Refund against refund, replacement against replacement, decision against decision: each unit is compensated once."""

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue.code import read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import Complaint, NewComplaint, Proposal
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.orders.model import Line
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant
from tests.races.conftest import RUNNERS, Race
from tests.races.test_races_goods import refusals


def complain(tenant: Tenant, line: Line, code: str, text: str = "") -> Complaint:
    """A complaint about one code of a line."""
    said = NewComplaint(line.id, "INVALID_CODE", read_code(code), text)
    return tenant.write(complaints.create, tenant.installation.cipher, tenant.partner, said, Actor(tenant.partner))


def decide(tenant: Tenant, one: Complaint, kind: str, amount: int | None = None) -> bool:
    """The operator's decision."""
    answer = Proposal(kind, amount, "")
    return tenant.write(decisions.decide, tenant.installation.cipher, one, answer, OPERATOR, charge=True)


def test_refunds_of_one_line_never_exceed_what_was_paid(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.card(2), 2)).lines[0]

    def give_back(tx: Transaction, runner: int) -> None:
        order, now = orders.line_of(tx, tenant.partner, line.id)
        refunds.refund_line(tx, order, now, CARD // 2, f"race:{runner // 2}", "a race", OPERATOR)

    outcomes = race(lambda runner: tenant.write(give_back, runner))
    done = [one for one in outcomes if one is None]
    assert len(done) == 2 * 4, "four keys fit, and each is used twice"
    assert refusals(outcomes) == [-8] * (RUNNERS - len(done))
    assert tenant.line(line.id).refunded == 2 * CARD
    assert tenant.balance().posted == 0


def test_one_unit_is_replaced_once(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.card(1 + RUNNERS), 1)).lines[0]
    one = complain(tenant, line, tenant.codes(line.id)[0])
    outcomes = race(lambda _: decide(tenant, one, "replace"))
    assert [kept for kept in outcomes if kept is True] == [True]
    assert refusals(outcomes) == [-8] * (RUNNERS - 1)
    assert tenant.available(line.product_id) == RUNNERS - 1


def test_the_last_code_replaces_one_unit_and_the_other_complaints_stay_open(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.card(RUNNERS + 3), RUNNERS)).lines[0]
    opened = [complain(tenant, line, code) for code in tenant.codes(line.id)]
    outcomes = race(lambda runner: decide(tenant, opened[runner], "replace"))
    assert refusals(outcomes) == []
    assert sorted(map(bool, outcomes)) == [False] * (RUNNERS - 3) + [True] * 3
    assert len(set(tenant.codes(line.id))) == RUNNERS


def test_replacement_against_refund_against_withdrawal_has_one_winner(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.card(1 + RUNNERS), 1)).lines[0]
    one = complain(tenant, line, tenant.codes(line.id)[0])

    def answer(runner: int) -> object:
        if runner % 3 == 0:
            return tenant.write(complaints.withdraw, tenant.partner, one.id, Actor(tenant.partner)).state
        return decide(tenant, one, "replace" if runner % 3 == 1 else "refund")

    outcomes = race(answer)
    refusals(outcomes)
    state = tenant.read(complaints.complaint_of, one.id).state
    assert state in (1, 2, 4)
    assert tenant.line(line.id).refunded == (CARD if state == 2 else 0)
    assert tenant.available(line.product_id) == RUNNERS - (state == 1)


def test_the_same_complaint_sixteen_times_is_one_complaint(tenant: Tenant, race: Race) -> None:
    line = tenant.order((tenant.card(1), 1)).lines[0]
    code = tenant.codes(line.id)[0]
    outcomes = race(lambda _: complain(tenant, line, code).id)
    assert len(set(map(str, outcomes))) == 1
