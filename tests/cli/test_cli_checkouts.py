"""Operators list and release unpaid checkouts, and disable customers."""

from decimal import Decimal

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.tenant import Tenant, open_tenant
from tests.support.cli_program import Program


@pytest.fixture
def tenant(bedesten: Program) -> Tenant:
    """A tenant with a customer, in the program's installation."""
    return open_tenant(open_installation(Settings(data=bedesten.data, database=None)))


def test_checkouts_are_listed_and_released(bedesten: Program, tenant: Tenant) -> None:
    card = tenant.card(10)
    first, second, third = (tenant.checkout((card, units)).order.id for units in (1, 2, 3))
    option = ("--tenant", tenant.id)
    listed = bedesten.run_json("checkouts", "list", *option)["checkouts"]
    assert [(one["orderId"], one["units"], one["customer"]) for one in listed] == [
        (first, 1, "customer@example.com"),
        (second, 2, "customer@example.com"),
        (third, 3, "customer@example.com"),
    ]
    assert bedesten.run_json("checkouts", "list", *option, "--older-than", "1h")["checkouts"] == []
    assert bedesten.run_json("checkouts", "release", first, *option)["released"] == [first]
    assert bedesten.run_json("checkouts", "release", first, *option)["released"] == []
    assert bedesten.run_json("checkouts", "release", "--older-than", "1h", *option)["released"] == []
    mine = ("--customer", "customer@example.com")
    assert bedesten.run_json("checkouts", "release", *mine, *option)["released"] == [second, third]
    assert tenant.available(card) == 10
    outcome = bedesten.run("audit", "tail", "--action", "checkout.release", "--json").out
    assert [line.count(order) for line, order in zip(outcome.splitlines(), (first, second, third), strict=True)] == [
        1
    ] * 3
    assert violations(tenant.installation) == []


def test_release_takes_exactly_one_selection(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    for wrong in ((), ("--all", "--customer", "x"), ("ord_1", "--all"), ("ord_1", "--older-than", "5m")):
        assert bedesten.run("checkouts", "release", *wrong, *option).code == 2, wrong
    assert bedesten.run_json("checkouts", "release", "--all", *option)["released"] == []
    assert bedesten.run_error("checkouts", "release", "prd_1", *option)["code"] == -2
    assert bedesten.run_error("checkouts", "list", "--customer", "nobody@example.com", *option)["code"] == -3


def test_a_customer_is_found_disabled_and_enabled(bedesten: Program, tenant: Tenant) -> None:
    card = tenant.card(3)
    tenant.checkout((card, 3))
    option = ("--tenant", tenant.id)
    for text in (tenant.customer, "CUSTOMER@ex", "tome"):
        (found,) = bedesten.run_json("customers", "find", text, *option)["customers"]
        assert (found["id"], found["email"], found["reservedUnits"]) == (tenant.customer, "customer@example.com", 3)
    for text in ("%", "_ustomer", "partner@example.com"):
        assert bedesten.run_json("customers", "find", text, *option)["customers"] == [], text
    done = bedesten.run_json("customers", "disable", "customer@example.com", *option)
    assert done == {"id": tenant.customer, "disabled": True, "releasedCheckouts": 1}
    assert tenant.available(card) == 3
    assert bedesten.run_json("customers", "find", "customer", *option)["customers"][0]["disabled"] is True
    assert bedesten.run_json("customers", "enable", tenant.customer, *option)["disabled"] is False
    assert bedesten.run_error("customers", "disable", "nobody@example.com", *option)["code"] == -3


def test_checkout_limits_have_defaults_and_are_set_one_by_one(shop: Program) -> None:
    defaults = {
        "checkouts": 5, "units": 100, "addressCheckouts": 50, "addressUnits": 1000, "stockShare": 80,
        "registrations": 60,
    }  # fmt: skip
    assert shop.run_json("tenants", "list")["tenants"][0]["checkoutLimits"] == defaults
    changed = shop.run_json(
        "tenants", "set", "shop", "--checkout-limit", "units=7", "--checkout-limit", "stock-share=off"
    )
    assert changed["checkoutLimits"] == defaults | {"units": 7, "stockShare": None}
    assert shop.run_error("tenants", "set", "shop", "--checkout-limit", "stock-share=101")["code"] == -2
    assert shop.run_error("tenants", "set", "shop", "--checkout-limit", "nothing=1")["code"] == -2
    assert shop.run("tenants", "set", "shop", "--checkout-limit", "units=many").code == 2


def test_deposits_above_a_limit_wait_for_approval(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    assert bedesten.run_json("integrations", "limits", "Pay", *option)["maxDeposit"] is None
    limits = bedesten.run_json(
        "integrations", "limits", "Pay", "--max-deposit", "100", "--confirm-above", "9.99", *option
    )
    assert (limits["maxDeposit"], limits["confirmAbove"]) == (Decimal("100.00"), Decimal("9.99"))
    first, second = tenant.deposit(10_00), tenant.deposit(100_00)
    assert tenant.deposit(9_99).state == 1
    listed = bedesten.run_json("deposits", "list", *option)["deposits"]
    assert [(one["depositId"], one["partner"], one["amount"]) for one in listed] == [
        (first.id, "partner@example.com", Decimal("10.00")),
        (second.id, "partner@example.com", Decimal("100.00")),
    ]
    for _ in range(2):
        assert bedesten.run_json("deposits", "approve", first.id, *option)["state"] == "confirmed"
        assert bedesten.run_json("deposits", "reject", second.id, *option)["state"] == "rejected"
    assert bedesten.run_error("deposits", "approve", second.id, *option)["code"] == -400
    assert bedesten.run_error("deposits", "reject", first.id, *option)["code"] == -400
    assert bedesten.run_error("deposits", "approve", "dep_never", *option)["code"] == -3
    assert tenant.balance().posted == 10_00 + 9_99
    assert bedesten.run_json("deposits", "list", *option)["deposits"] == []
    assert len(bedesten.run_json("deposits", "list", "--all", *option)["deposits"]) == 3
    off = bedesten.run_json("integrations", "limits", "Pay", "--confirm-above", "off", *option)
    assert (off["maxDeposit"], off["confirmAbove"]) == (Decimal("100.00"), None)
    assert bedesten.run_error("integrations", "limits", "Pay", "--max-deposit", "0", *option)["code"] == -2
    outcome = bedesten.run("audit", "tail", "--action", "deposit.approve", "--json").out
    assert "10.00 USD" in outcome
