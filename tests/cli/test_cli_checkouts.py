"""Operators list and release unpaid checkouts, and disable customers."""

from decimal import Decimal

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.stall import Stall, open_stall
from tests.support.cli_program import Program


@pytest.fixture
def stall(bedesten: Program) -> Stall:
    """A tenant with a customer, in the program's installation."""
    return open_stall(open_installation(Settings(data=bedesten.data, database=None)))


def test_checkouts_are_listed_and_released(bedesten: Program, stall: Stall) -> None:
    card = stall.card(10)
    first, second, third = (stall.checkout((card, units)).order.id for units in (1, 2, 3))
    tenant = ("--tenant", stall.tenant)
    listed = bedesten.run_json("checkouts", "list", *tenant)["checkouts"]
    assert [(one["orderId"], one["units"], one["customer"]) for one in listed] == [
        (first, 1, "customer@example.com"),
        (second, 2, "customer@example.com"),
        (third, 3, "customer@example.com"),
    ]
    assert bedesten.run_json("checkouts", "list", *tenant, "--older-than", "1h")["checkouts"] == []
    assert bedesten.run_json("checkouts", "release", first, *tenant)["released"] == [first]
    assert bedesten.run_json("checkouts", "release", first, *tenant)["released"] == []
    assert bedesten.run_json("checkouts", "release", "--older-than", "1h", *tenant)["released"] == []
    mine = ("--customer", "customer@example.com")
    assert bedesten.run_json("checkouts", "release", *mine, *tenant)["released"] == [second, third]
    assert stall.available(card) == 10
    told = bedesten.run("audit", "tail", "--action", "checkout.release", "--json").out
    assert [line.count(order) for line, order in zip(told.splitlines(), (first, second, third), strict=True)] == [1] * 3
    assert violations(stall.installation) == []


def test_release_takes_exactly_one_selection(bedesten: Program, stall: Stall) -> None:
    tenant = ("--tenant", stall.tenant)
    for wrong in ((), ("--all", "--customer", "x"), ("ord_1", "--all"), ("ord_1", "--older-than", "5m")):
        assert bedesten.run("checkouts", "release", *wrong, *tenant).code == 2, wrong
    assert bedesten.run_json("checkouts", "release", "--all", *tenant)["released"] == []
    assert bedesten.run_error("checkouts", "release", "prd_1", *tenant)["code"] == -2
    assert bedesten.run_error("checkouts", "list", "--customer", "nobody@example.com", *tenant)["code"] == -3


def test_a_customer_is_found_disabled_and_enabled(bedesten: Program, stall: Stall) -> None:
    card = stall.card(3)
    stall.checkout((card, 3))
    tenant = ("--tenant", stall.tenant)
    for text in (stall.customer, "CUSTOMER@ex", "tome"):
        (found,) = bedesten.run_json("customers", "find", text, *tenant)["customers"]
        assert (found["id"], found["email"], found["reservedUnits"]) == (stall.customer, "customer@example.com", 3)
    for text in ("%", "_ustomer", "partner@example.com"):
        assert bedesten.run_json("customers", "find", text, *tenant)["customers"] == [], text
    done = bedesten.run_json("customers", "disable", "customer@example.com", *tenant)
    assert done == {"id": stall.customer, "disabled": True, "releasedCheckouts": 1}
    assert stall.available(card) == 3
    assert bedesten.run_json("customers", "find", "customer", *tenant)["customers"][0]["disabled"] is True
    assert bedesten.run_json("customers", "enable", stall.customer, *tenant)["disabled"] is False
    assert bedesten.run_error("customers", "disable", "nobody@example.com", *tenant)["code"] == -3


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


def test_deposits_above_a_limit_wait_for_approval(bedesten: Program, stall: Stall) -> None:
    tenant = ("--tenant", stall.tenant)
    assert bedesten.run_json("integrations", "limits", "Pay", *tenant)["maxDeposit"] is None
    limits = bedesten.run_json(
        "integrations", "limits", "Pay", "--max-deposit", "100", "--confirm-above", "9.99", *tenant
    )
    assert (limits["maxDeposit"], limits["confirmAbove"]) == (Decimal("100.00"), Decimal("9.99"))
    first, second = stall.deposit(10_00), stall.deposit(100_00)
    assert stall.deposit(9_99).state == 1
    listed = bedesten.run_json("deposits", "list", *tenant)["deposits"]
    assert [(one["depositId"], one["partner"], one["amount"]) for one in listed] == [
        (first.id, "partner@example.com", Decimal("10.00")),
        (second.id, "partner@example.com", Decimal("100.00")),
    ]
    for _ in range(2):
        assert bedesten.run_json("deposits", "approve", first.id, *tenant)["state"] == "confirmed"
        assert bedesten.run_json("deposits", "reject", second.id, *tenant)["state"] == "rejected"
    assert bedesten.run_error("deposits", "approve", second.id, *tenant)["code"] == -400
    assert bedesten.run_error("deposits", "reject", first.id, *tenant)["code"] == -400
    assert bedesten.run_error("deposits", "approve", "dep_never", *tenant)["code"] == -3
    assert stall.balance().posted == 10_00 + 9_99
    assert bedesten.run_json("deposits", "list", *tenant)["deposits"] == []
    assert len(bedesten.run_json("deposits", "list", "--all", *tenant)["deposits"]) == 3
    off = bedesten.run_json("integrations", "limits", "Pay", "--confirm-above", "off", *tenant)
    assert (off["maxDeposit"], off["confirmAbove"]) == (Decimal("100.00"), None)
    assert bedesten.run_error("integrations", "limits", "Pay", "--max-deposit", "0", *tenant)["code"] == -2
    told = bedesten.run("audit", "tail", "--action", "deposit.approve", "--json").out
    assert "10.00 USD" in told
