"""Operators see payments, request refunds, and compare a provider's statement with what is booked."""

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.tenant import CARD, Tenant, open_tenant
from tests.domain.test_payment_life import captured, give
from tests.support.cli_program import Program


@pytest.fixture
def tenant(bedesten: Program) -> Tenant:
    """A tenant with a customer, in the program's installation."""
    return open_tenant(open_installation(Settings(data=bedesten.data, database=None)))


def test_a_refund_is_requested_once_and_shown(bedesten: Program, tenant: Tenant) -> None:
    payment, option = captured(tenant), ("--tenant", tenant.id)
    wanted = ("payments", "refund", payment.id, "--reason", "wrong region", "--reference", "case 7", *option)
    assert bedesten.run_error(*wanted, "--amount", "1.00")["code"] == -300
    give(tenant, CARD)
    made = bedesten.run_json(*wanted, "--amount", "1.00")
    assert bedesten.run_json(*wanted, "--amount", "1.00") == made
    assert bedesten.run_error(*wanted, "--amount", "2.00")["code"] == -8
    shown = bedesten.run_json("payments", "show", payment.id, *option)
    assert (shown["state"], shown["refunds"]) == ("captured", [made])
    text = bedesten.run("payments", "show", payment.id, *option).out
    assert made["refundId"] in text
    assert bedesten.run_error("payments", "show", "pay_never", *option)["code"] == -3
    assert bedesten.run_error("payments", "list", "--state", "nonsense", *option)["code"] == -2
    assert violations(tenant.installation) == []


def test_a_statement_is_compared_or_refused_whole(bedesten: Program, tenant: Tenant) -> None:
    payment = captured(tenant)
    option = ("payments", "reconcile", "-", "--integration", "Pay", "--tenant", tenant.id)
    broken = f"reference,amount\n{payment.reference},5.00\nx,five\n".encode()
    error = bedesten.run_error(*option, stdin=broken)
    assert (error["code"], list(error["fields"])) == (-2, ["line 3"])
    sent = f"\ufeffReference;Amount\r\n{payment.reference};5,00\r\nx;1,00\r\n".encode()
    assert bedesten.run_json(*option, "--dry-run", stdin=sent)["dryRun"] is True
    found = bedesten.run_json(*option, stdin=sent)
    assert (found["matched"], found["missingHere"], found["missingThere"], found["lines"]) == (1, 1, 0, 2)
    assert bedesten.run_json(*option, stdin=sent)["comparedBefore"] is True
    assert "missingHere" in bedesten.run(*option, stdin=sent).out
    assert bedesten.run_error(*option[:3], "--integration", "Nobody", *option[5:], stdin=sent)["code"] == -3
    assert violations(tenant.installation) == []


def test_methods_are_added_listed_and_removed(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    wanted = ("payments", "methods", "add", "card", "--title", "Credit card", "--integration", "Pay", *option)
    made = bedesten.run_json(*wanted, "--min", "1.00", "--max", "500", "--url", "https://pay.example/{payment}")
    assert (made["code"], made["minAmount"], made["offered"]) == ("card", 1.00, True)
    assert bedesten.run_error(*wanted)["code"] == -8
    assert bedesten.run_error(*wanted, "--min", "-1")["code"] == -2
    assert bedesten.run_json("payments", "methods", "list", *option)["methods"] == [made]
    assert "Credit card" in bedesten.run("payments", "methods", "list", *option).out
    bedesten.run_json("payments", "methods", "remove", "card", *option)
    assert bedesten.run_error("payments", "methods", "remove", "card", *option)["code"] == -3
    assert bedesten.run_json("payments", "methods", "list", *option)["methods"] == []


def test_an_order_is_refunded_out_to_its_payer(bedesten: Program, tenant: Tenant) -> None:
    payment = captured(tenant)
    wanted = ("orders", "refund", payment.order_id, "--reason", "wrong region", "--tenant", tenant.id)
    assert bedesten.run_error(*wanted)["code"] == -3
    made = bedesten.run_json(*wanted, "--to", "payer", "--amount", "2.00", "--key", "case 9")
    assert (made["amount"], made["state"], made["reference"]) == (2.0, "requested", "case 9")
    assert bedesten.run_json(*wanted, "--to", "payer", "--amount", "2.00", "--key", "case 9") == made
    assert bedesten.run_error(*wanted, "--to", "payer", "--amount", "4.00")["code"] == -8
    assert bedesten.run(*wanted, "--to", "nobody").code == 2
    assert violations(tenant.installation) == []
