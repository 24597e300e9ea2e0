"""A buyer complains about a unit; the operator or the supplier replaces it, refunds it or says why not."""

from collections.abc import Sequence

import pytest

from bedesten.admin import suppliers
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import batches, units
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode, read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import Complaint, NewComplaint, Proposal, Texts
from bedesten.complaints.moves import OPEN, REFUNDED, REJECTED, REPLACED, WITHDRAWN
from bedesten.errors import Refusal
from bedesten.fulfilment import actions as fulfilment
from bedesten.integrity.check import violations
from bedesten.orders.model import Line
from tests.domain.tenant import CARD, TOPUP, TOPUP_COST, Tenant, fresh
from tests.domain.test_refunds import SUPPLIER_BALANCE
from tests.domain.test_supplier_lines import RIVAL_COST, rival, send
from tests.store.raw import RawConnection

COST = 120
BALANCE_OF_OWNER = (
    "SELECT coalesce(sum(CASE WHEN t.to_id = a.id THEN t.amount ELSE -t.amount END), 0) FROM ledger_accounts a"
    " JOIN transfers t ON t.tenant_id = a.tenant_id AND (t.to_id = a.id OR t.from_id = a.id) WHERE a.owner_id = :owner"
)
"""What a supplier has earned and not given back."""


def sold(tenant: Tenant, quantity: int = 2, spare: int = 1) -> Line:
    """A line delivered from stock, where `spare` codes are left."""
    return tenant.order((tenant.card(quantity + spare), quantity)).lines[0]


def consigned(tenant: Tenant, codes: int, quantity: int) -> Line:
    """A line delivered from stock that its supplier uploaded and earns with."""
    product = tenant.card(0)
    batch = [read_code(fresh("CONSIGNED")) for _ in range(codes)]
    source = Source("a test", tenant.supplier, tenant.supplier, COST)
    tenant.write(batches.add, tenant.installation.cipher, product, batch, source)
    return tenant.order((product, quantity)).lines[0]


def code(text: str) -> StockCode:
    """A code as a buyer names it."""
    return read_code(text)


def complain(tenant: Tenant, line: Line, named: str = "", text: str = "It says: used.", buyer: str = "") -> Complaint:
    """The partner's complaint about a code of a line."""
    said = NewComplaint(line.id, "ALREADY_REDEEMED", code(named) if named else None, text, "screenshot 4711")
    who = buyer or tenant.partner
    return tenant.write(complaints.create, tenant.installation.cipher, who, said, Actor(who))


def decide(tenant: Tenant, one: Complaint, kind: str, amount: int | None = None, *, charge: bool = False) -> bool:
    """The operator's decision."""
    answer = Proposal(kind, amount, "Sorry.")
    return tenant.write(decisions.decide, tenant.installation.cipher, one, answer, OPERATOR, charge=charge)


def answered(tenant: Tenant, one: Complaint, kind: str, amount: int | None = None, supplier: str = "") -> Complaint:
    """The supplier's answer."""
    who = supplier or tenant.supplier
    proposal = Proposal(kind, amount, "Ours was fine.")
    return tenant.write(complaints.answer, tenant.installation.cipher, who, one.id, proposal, Actor(who))


def now(tenant: Tenant, one: Complaint) -> Complaint:
    """The complaint as it is now."""
    return tenant.read(complaints.complaint_of, one.id)


def refused(tenant: Tenant, one: Complaint, kind: str, amount: int | None = None) -> int:
    """Returns the number of a decision's refusal; asserts that complaint and balance are unchanged."""
    before = now(tenant, one), tenant.balance()
    with pytest.raises(Refusal) as outcome:
        decide(tenant, one, kind, amount)
    assert (now(tenant, one), tenant.balance()) == before
    return outcome.value.code.number


def supplier_balance(other: RawConnection, tenant: Tenant) -> object:
    """What the supplier has earned and not given back."""
    return other.one(SUPPLIER_BALANCE, tenant=tenant.id)


# --- complaining ------------------------------------------------------------------------------------------------------


def test_a_complaint_names_a_unit_and_keeps_what_the_buyer_said_encrypted(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = sold(tenant)
    second = tenant.codes(line.id)[1]
    made = complain(tenant, line, second, text=f"{second} is used")
    assert (made.state, made.line_id, made.buyer_id, made.supplier_id) == (OPEN, line.id, tenant.partner, None)
    unit = tenant.read(units.unit_of, made.code_id or "")
    assert unit is not None
    assert unit.unit == 1
    outcome = tenant.read(complaints.texts_of, tenant.installation.cipher, made)
    assert outcome == Texts(f"{second} is used", "screenshot 4711", None, None)
    (row,) = other_connection.rows("SELECT * FROM complaints WHERE id = :id", id=made.id)
    assert second not in repr(row)


def test_a_repeated_complaint_changes_nothing_and_another_one_about_the_unit_is_refused(tenant: Tenant) -> None:
    line = sold(tenant)
    first, second = tenant.codes(line.id)
    made = complain(tenant, line, first)
    assert complain(tenant, line, first) == made
    with pytest.raises(Refusal) as outcome:
        complain(tenant, line, first, text="something else")
    assert outcome.value.code.number == -8
    assert complain(tenant, line, second).id != made.id


def test_a_line_with_one_unit_needs_no_code_and_one_with_more_does(tenant: Tenant) -> None:
    assert complain(tenant, sold(tenant, 1)).code_id
    with pytest.raises(Refusal) as outcome:
        complain(tenant, sold(tenant, 2))
    assert outcome.value.fields == {"code": "must name one of the 2 codes of the line"}


def test_a_complaint_about_a_line_delivered_by_note_covers_the_whole_line(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = tenant.order((tenant.topup(), 2)).lines[0]
    tenant.deliver(line.id, notes=["done"])
    made = complain(tenant, line)
    assert (made.code_id, made.supplier_id, made.earned) == (None, tenant.supplier, 2 * TOPUP_COST)
    assert refused(tenant, made, "replace") == -2
    assert tenant.read(complaints.counts_of_supplier, tenant.supplier) == (1, 0)
    assert decide(tenant, made, "refund", charge=True)
    assert tenant.read(complaints.counts_of_supplier, tenant.supplier) == (1, 1)
    (shown,) = tenant.read(suppliers.figures, tenant.supplier)[0]
    assert (shown["complained"], shown["atFault"]) == (1, 1)
    assert tenant.balance().posted == 0
    assert supplier_balance(other_connection, tenant) == 0


def test_a_buyer_cannot_complain_about_undelivered_units_or_those_of_others(tenant: Tenant) -> None:
    waiting = tenant.order((tenant.topup(), 1)).lines[0]
    other = sold(tenant)
    foreign = tenant.codes(other.id)[0]
    for line, named, buyer, number in (
        (waiting, "", "", -8),
        (sold(tenant), "NO-SUCH-CODE", "", -2),
        (sold(tenant), foreign, "", -2),
        (other, foreign, tenant.customer, -3),
    ):
        with pytest.raises(Refusal) as outcome:
            complain(tenant, line, named, buyer=buyer)
        assert outcome.value.code.number == number


def test_a_withdrawn_complaint_leaves_the_unit_free_for_another_one(tenant: Tenant) -> None:
    line = sold(tenant, 1)
    made = complain(tenant, line)
    for _ in range(2):
        done = tenant.write(complaints.withdraw, tenant.partner, made.id, Actor(tenant.partner))
        assert done.state == WITHDRAWN
    assert refused(tenant, made, "refund") == -8
    assert complain(tenant, line).id != made.id
    with pytest.raises(Refusal) as outcome:
        tenant.write(complaints.withdraw, tenant.customer, made.id, Actor(tenant.customer))
    assert outcome.value.code.number == -3


# --- deciding ---------------------------------------------------------------------------------------------------------


def test_a_replacement_delivers_a_new_code_and_the_old_one_is_never_sold_again(tenant: Tenant) -> None:
    line = sold(tenant, 2, spare=1)
    old, other = tenant.codes(line.id)
    made = complain(tenant, line, old)
    assert decide(tenant, made, "replace")
    done = now(tenant, made)
    assert (done.state, done.decided_by, done.refunded) == (REPLACED, "operator", 0)
    new = tenant.codes(line.id)
    assert new[1] == other
    assert new[0] not in (old, other)
    assert tenant.available(line.product_id) == 0
    assert tenant.upload(line.product_id, [old]) == 0, "a bad code is never taken in again"
    assert tenant.read(complaints.texts_of, tenant.installation.cipher, done).answer == "Sorry."
    assert refused(tenant, made, "replace") == -8
    again = complain(tenant, line, new[0])
    assert decide(tenant, again, "refund")
    assert tenant.line(line.id).refunded == CARD


def test_a_buyer_cannot_complain_about_a_replaced_code_again(tenant: Tenant) -> None:
    line = sold(tenant, 1)
    (old,) = tenant.codes(line.id)
    made = complain(tenant, line, old)
    decide(tenant, made, "replace")
    assert complain(tenant, line, old).id == made.id
    with pytest.raises(Refusal) as outcome:
        complain(tenant, line, old, text="something else")
    assert outcome.value.code.number == -8


def test_a_replacement_without_stock_changes_nothing_and_the_complaint_stays_open(tenant: Tenant) -> None:
    line = sold(tenant, 1, spare=0)
    before = tenant.codes(line.id)
    made = complain(tenant, line)
    assert not decide(tenant, made, "replace")
    assert now(tenant, made) == made
    assert tenant.codes(line.id) == before
    tenant.upload(line.product_id, [fresh("LATE")])
    assert decide(tenant, made, "replace")


def test_a_supplier_at_fault_is_charged_its_earning_and_earns_with_the_new_code(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = consigned(tenant, 3, 2)
    made = complain(tenant, line, tenant.codes(line.id)[0])
    assert (made.supplier_id, made.earned) == (tenant.supplier, COST)
    assert decide(tenant, made, "replace", charge=True)
    assert now(tenant, made).charged == COST
    assert supplier_balance(other_connection, tenant) == 2 * COST
    second = complain(tenant, line, tenant.codes(line.id)[1])
    assert decide(tenant, second, "replace") is False
    assert decide(tenant, second, "refund", charge=False)
    assert supplier_balance(other_connection, tenant) == 2 * COST


def test_refunding_a_part_of_the_price_charges_the_same_part_of_the_earning(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    line = tenant.order((tenant.topup(), 1)).lines[0]
    tenant.deliver(line.id, [fresh("TOP")])
    made = complain(tenant, line)
    assert decide(tenant, made, "refund", TOPUP // 2, charge=True)
    done = now(tenant, made)
    assert (done.state, done.refunded, done.charged) == (REFUNDED, TOPUP // 2, TOPUP_COST // 2)
    assert tenant.balance().posted == -TOPUP + TOPUP // 2
    assert supplier_balance(other_connection, tenant) == TOPUP_COST - TOPUP_COST // 2


def test_each_of_two_suppliers_of_a_line_is_charged_for_its_own_unit(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    def balance(supplier: str) -> object:
        return other_connection.one(BALANCE_OF_OWNER, owner=supplier)

    product = tenant.topup()
    other = rival(tenant, product)
    line = tenant.order((product, 2)).lines[0]
    first, second = fresh("FIRST"), fresh("SECOND")
    send(tenant, tenant.supplier, line.id, first)
    tenant.write(fulfilment.reject, tenant.supplier, line.id, "no more")
    send(tenant, other, line.id, second)
    made = complain(tenant, line, first)
    assert (made.supplier_id, made.earned) == (tenant.supplier, TOPUP_COST)
    decide(tenant, made, "refund", charge=True)
    assert (balance(tenant.supplier), balance(other)) == (0, RIVAL_COST)
    again = complain(tenant, line, second)
    assert (again.supplier_id, again.earned) == (other, RIVAL_COST)
    decide(tenant, again, "refund", charge=True)
    assert (balance(tenant.supplier), balance(other)) == (0, 0)
    assert violations(tenant.installation) == []


@pytest.mark.parametrize("amount", [0, -1, CARD + 1, 10**18])
def test_an_amount_out_of_bounds_is_refused(tenant: Tenant, amount: int) -> None:
    assert refused(tenant, complain(tenant, sold(tenant, 1)), "refund", amount) == -2


def test_a_rejection_moves_nothing(tenant: Tenant) -> None:
    made = complain(tenant, sold(tenant, 1))
    before = tenant.balance()
    assert decide(tenant, made, "reject")
    assert (now(tenant, made).state, tenant.balance()) == (REJECTED, before)
    assert refused(tenant, made, "refund") == -8


# --- suppliers --------------------------------------------------------------------------------------------------------


def test_a_supplier_proposes_and_the_operator_decides(tenant: Tenant) -> None:
    line = consigned(tenant, 3, 1)
    made = complain(tenant, line)
    outcome = answered(tenant, made, "replace")
    assert (outcome.state, outcome.proposal) == (OPEN, "replace")
    changed = answered(tenant, made, "refund", 100)
    assert (changed.proposal, changed.proposed_amount) == ("refund", 100)
    texts = tenant.read(complaints.texts_of, tenant.installation.cipher, changed)
    assert texts.proposal == "Ours was fine."
    assert [one.id for one in listed(tenant, tenant.supplier)] == [made.id]
    assert decide(tenant, made, "refund", 100, charge=True)
    with pytest.raises(Refusal) as refusal:
        answered(tenant, made, "reject")
    assert refusal.value.code.number == -8


def listed(tenant: Tenant, supplier: str) -> Sequence[Complaint]:
    """The complaints that a supplier sees."""
    return tenant.read(complaints.complaints_of_supplier, supplier, "", 200)


def test_where_suppliers_decide_their_answer_takes_effect_and_charges_them(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    tenant.write(complaints.set_supplier_decides, True, OPERATOR)
    line = consigned(tenant, 2, 2)
    first, second = (complain(tenant, line, one) for one in tenant.codes(line.id))
    outcome = answered(tenant, first, "replace")
    assert (outcome.state, outcome.proposal) == (OPEN, "replace"), "no code is left"
    assert answered(tenant, first, "reject").state == REJECTED
    done = answered(tenant, second, "refund")
    assert (done.state, done.decided_by, done.refunded, done.charged) == (REFUNDED, tenant.supplier, CARD, COST)
    assert answered(tenant, second, "refund") == done
    assert supplier_balance(other_connection, tenant) == COST
    tenant.write(complaints.set_supplier_decides, False, OPERATOR)
    assert not tenant.read(complaints.supplier_decides)


def test_a_supplier_answers_its_own_complaints_only(tenant: Tenant) -> None:
    made = complain(tenant, sold(tenant, 1))
    with pytest.raises(Refusal) as outcome:
        answered(tenant, made, "reject")
    assert outcome.value.code.number == -3


def test_a_buyer_lists_its_own_complaints_by_state(tenant: Tenant) -> None:
    line = sold(tenant, 2)
    first, second = (complain(tenant, line, one) for one in tenant.codes(line.id))
    decide(tenant, first, "reject")
    ids = [one.id for one in tenant.read(complaints.complaints_of_buyer, tenant.partner, "", 200)]
    assert ids == sorted([first.id, second.id])
    still = tenant.read(complaints.complaints_of_buyer, tenant.partner, "", 200, 0, OPEN)
    assert [one.id for one in still] == [second.id]
    assert tenant.read(complaints.complaints_of_buyer, tenant.customer, "", 200) == []
