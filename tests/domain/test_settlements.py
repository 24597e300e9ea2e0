"""A provider's statement against our bookings: every row matches, differs, or is missing on one side."""

import secrets
from typing import Any

import pytest

from bedesten.admin import payments as admin
from bedesten.audit.actions import OPERATOR
from bedesten.errors import Refusal
from bedesten.payments import actions as payments
from bedesten.payments import settlements
from bedesten.payments.model import ListPage
from bedesten.payments.settlements import Settlement, Statement, StatementLine
from tests.domain.tenant import CARD, Tenant, fresh
from tests.domain.test_payment_life import captured, give, refund, requested

LATER = 4_000_000_000_000


def statement(*wanted: tuple[str, str, int], until: int = LATER, digest: bytes = b"") -> Statement:
    """A statement of lines: kind, reference, amount. Its lines are numbered from 2."""
    lines = tuple(StatementLine(at, *one) for at, one in enumerate(wanted, 2))
    return Statement("s.csv", digest or secrets.token_bytes(32), "USD", until, lines)


def compared(tenant: Tenant, sent: Statement) -> tuple[Settlement, dict[str, int], list[Any]]:
    """The settlement, its counts, and its differences as (line, kind, reference, there, here, result)."""
    made, _ = tenant.write(settlements.reconcile, tenant.integration, sent, OPERATOR)
    counts = tenant.read(settlements.counts_of, made.id)
    found = tenant.read(settlements.differences_of, made.id)
    return made, counts, [(one.line, one.kind, one.reference, one.there, one.here, one.result) for one in found]


def test_each_row_gets_its_result(tenant: Tenant) -> None:
    matched, differs, absent = captured(tenant), captured(tenant), captured(tenant)
    deposit = tenant.deposit(900)
    sent = statement(
        ("", matched.reference, CARD),
        ("payment", differs.id, CARD - 1),
        ("", "of nobody", 70),
        ("", deposit.reference, 900),
        ("", "of nobody", -7),
    )
    made, counts, differences = compared(tenant, sent)
    assert counts == {"matched": 2, "missingHere": 2, "missingThere": 1, "amountDiffers": 1}
    assert differences == [
        (3, "payment", differs.id, CARD - 1, CARD, "amountDiffers"),
        (4, "payment", "of nobody", 70, None, "missingHere"),
        (6, "refund", "of nobody", -7, None, "missingHere"),
        (0, "payment", absent.reference, None, CARD, "missingThere"),
    ]
    assert made.total == 2 * CARD - 1 + 70 + 900 - 7


def test_refunds_and_lost_disputes_are_compared_beside_their_payments(tenant: Tenant) -> None:
    first, second = captured(tenant), captured(tenant)
    give(tenant, CARD)
    refund(tenant, first, 100, "re 1")
    refund(tenant, first, 50, "re 2")
    requested(tenant, first, 25)
    tenant.notify("payment.disputed", second)
    tenant.notify("payment.disputeLost", second)
    _, counts, differences = compared(
        tenant,
        statement(
            ("", first.reference, 200),
            ("", first.reference, CARD - 200),
            ("refund", "re 1", -100),
            ("refund", first.reference, -50),
            ("", second.reference, CARD),
            ("", second.reference, -CARD),
        ),
    )
    assert (counts["matched"], differences) == (4, [])


def test_a_row_of_one_statement_is_not_missing_in_the_next(tenant: Tenant) -> None:
    first, second = captured(tenant), captured(tenant)
    _, counts, _ = compared(tenant, statement(("", first.reference, CARD)))
    assert counts["missingThere"] == 1
    _, counts, _ = compared(tenant, statement(("", second.reference, CARD)))
    assert counts == {"matched": 1, "missingHere": 0, "missingThere": 0, "amountDiffers": 0}


def test_a_booking_after_the_end_of_a_statement_is_not_missing_there(tenant: Tenant) -> None:
    captured(tenant)
    _, counts, _ = compared(tenant, statement(("", "x", 1), until=1))
    assert counts["missingThere"] == 0


def test_a_file_is_compared_once_and_a_preview_keeps_nothing(tenant: Tenant) -> None:
    payment = captured(tenant)
    sent = statement(("", payment.reference, CARD), digest=b"d" * 32)
    assert tenant.read(admin.preview, "Pay", sent)["matched"] == 1
    assert tenant.read(settlements.list_settlements, tenant.integration, ListPage()) == []
    first = tenant.write(admin.reconcile, "Pay", sent)
    again = tenant.write(admin.reconcile, tenant.integration, sent)
    assert (first["comparedBefore"], again["comparedBefore"]) == (False, True)
    assert again["settlementId"] == first["settlementId"]
    assert len(tenant.read(settlements.list_settlements, tenant.integration, ListPage())) == 1
    with pytest.raises(Refusal):
        tenant.write(admin.reconcile, "Nobody", sent)


def test_the_operator_lists_shows_and_requests_refunds(tenant: Tenant) -> None:
    payment = captured(tenant)
    give(tenant, CARD)
    made = tenant.write(admin.refund, payment.id, "1.20", "wrong region", "case 7")
    assert (made["state"], str(made["amount"])) == ("requested", "1.20")
    assert tenant.write(admin.refund, payment.id, "1.20", "wrong region", "case 7") == made
    assert tenant.write(admin.refund, payment.order_id, "1.20", "wrong region", "case 7") == made
    tenant.notify("payment.blessed", payment, name=fresh("evt"))
    shown = tenant.read(admin.show, payment.id)
    assert (shown["state"], shown["refunds"]) == ("captured", [made])
    assert [one["state"] for one in shown["events"]] == ["unknown"]  # type: ignore[attr-defined]
    assert [one["paymentId"] for one in tenant.read(admin.list_payments, "captured", "Pay")[0]] == [payment.id]
    assert tenant.read(admin.list_payments, "failed") == ([], None)
    assert tenant.read(admin.list_refunds, "requested") == ([made], None)
    assert len(tenant.read(admin.list_events, "unknown")[0]) == 1
    for wrong in ("-1", "1.234", "x", "99999999999999999"):
        with pytest.raises(Refusal):
            tenant.write(admin.refund, payment.id, wrong, "r", "")
    with pytest.raises(Refusal):
        tenant.read(admin.list_payments, "nonsense")
    assert tenant.write(payments.confirm_refund, tenant.integration, str(made["refundId"])).state == 1
