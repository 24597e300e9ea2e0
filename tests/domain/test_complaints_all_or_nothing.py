"""Each action on complaints, refunds and recalls does everything or nothing, whichever call of the store fails."""

from bedesten.admin import recall
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue.code import read_code
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions, recalls
from bedesten.complaints.model import Complaint, NewComplaint, Proposal
from bedesten.orders import actions as orders
from bedesten.orders import refunds
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, Tenant
from tests.domain.test_complaints import complain, consigned
from tests.domain.test_recalls import sold_two
from tests.support.nth_failure import assert_all_or_nothing


def test_a_refund_and_a_claw_back_are_all_or_nothing(tenant: Tenant) -> None:
    line = consigned(tenant, 2, 2)

    def work(tx: Transaction) -> None:
        order, now = orders.line_of(tx, tenant.partner, line.id)
        refunds.refund_line(tx, order, now, CARD, "operator:test", "a test", OPERATOR)
        refunds.claw_back(tx, order, now, tenant.supplier, 5, "operator:test", "a test", OPERATOR)

    assert_all_or_nothing(tenant.installation, tenant.id, work, at_least=8)
    assert tenant.line(line.id).refunded == CARD


def test_opening_withdrawing_and_answering_a_complaint_are_all_or_nothing(tenant: Tenant) -> None:
    line, cipher = consigned(tenant, 2, 2), tenant.installation.cipher
    said = NewComplaint(line.id, "INVALID_CODE", read_code(tenant.codes(line.id)[0]))
    buyer, supplier = Actor(tenant.partner), Actor(tenant.supplier)
    check = tenant.installation, tenant.id
    assert_all_or_nothing(*check, lambda tx: complaints.create(tx, cipher, tenant.partner, said, buyer), at_least=6)
    one = complain(tenant, line, tenant.codes(line.id)[1])
    proposal = Proposal("refund", 100, "half of it")
    assert_all_or_nothing(
        *check, lambda tx: complaints.answer(tx, cipher, tenant.supplier, one.id, proposal, supplier), at_least=4
    )
    assert_all_or_nothing(*check, lambda tx: complaints.withdraw(tx, tenant.partner, one.id, buyer), at_least=3)


def test_every_decision_is_all_or_nothing(tenant: Tenant) -> None:
    line, cipher = consigned(tenant, 4, 3), tenant.installation.cipher
    for code, kind in zip(tenant.codes(line.id), ("replace", "refund", "reject"), strict=True):
        one, answer = complain(tenant, line, code), Proposal(kind, None, "Sorry.")

        def work(tx: Transaction, one: Complaint = one, answer: Proposal = answer) -> bool:
            return decisions.decide(tx, cipher, one, answer, OPERATOR, charge=True)

        assert_all_or_nothing(tenant.installation, tenant.id, work, at_least=5)


def test_a_recall_is_all_or_nothing(tenant: Tenant) -> None:
    line, batch = sold_two(tenant)
    cipher, check = tenant.installation.cipher, (tenant.installation, tenant.id)
    assert_all_or_nothing(*check, lambda tx: recall.freeze(tx, cipher, batch, [], "revoked"), at_least=8)
    sold = tenant.read(lambda tx: recalls.sold_units(tx, recalls.codes_of_batch(tx, batch)))
    code = sold[0].code_id
    assert_all_or_nothing(
        *check, lambda tx: recalls.make_good(tx, cipher, code, "refund", "revoked", charge=True), at_least=12
    )
    assert tenant.line(line.id).refunded == CARD
