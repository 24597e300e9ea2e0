"""Operators list, find and show orders, cancel what is not delivered, and write notes and tags."""

from decimal import Decimal

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from tests.domain.tenant import Tenant, fresh, open_tenant
from tests.support.cli_program import Program


@pytest.fixture
def tenant(bedesten: Program) -> Tenant:
    """A tenant with a partner who has credit, in the program's installation."""
    return open_tenant(open_installation(Settings(data=bedesten.data, database=None)), credit=100_000)


def found(bedesten: Program, tenant: Tenant, text: str) -> list[str]:
    """Returns the ids that a search finds; the text goes in by standard input."""
    outcome = bedesten.run_json("orders", "find", "-", "--tenant", tenant.id, stdin=f"{text}\n".encode())
    return [one["orderId"] for one in outcome["orders"]]


def test_orders_are_listed_with_filters(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    sold = tenant.order((tenant.card(2), 2), reference="sold").order.id
    waiting = tenant.order((tenant.topup(), 1), reference="waiting").order.id

    def listed(*more: str) -> set[str]:
        return {one["orderId"] for one in bedesten.run_json("orders", "list", *option, *more)["orders"]}

    assert listed() == {sold, waiting}
    assert listed("--status", "processing") == {waiting}
    assert listed("--status", "delivered", "--state", "placed") == {sold}
    assert listed("--reference", "sold", "--buyer", "partner@example.com") == {sold}
    assert listed("--buyer", tenant.customer) == set()
    assert listed("--from", "1h", "--limit", "1000") == {sold, waiting}
    assert listed("--to", "1h") == set()
    assert bedesten.run("orders", "list", *option, "--status", "lost").code == 2
    assert bedesten.run_error("orders", "list", *option, "--buyer", "nobody@example.com")["code"] == -3
    assert sold in bedesten.run("orders", "list", *option).out


def test_an_order_is_found_by_everything_that_a_buyer_can_name(bedesten: Program, tenant: Tenant) -> None:
    card, code = tenant.card(0), fresh("Code")
    tenant.upload(card, [code])
    sold = tenant.order((card, 1), reference="PO 77")
    checkout = tenant.checkout((tenant.topup(), 1))
    payment = tenant.payment(checkout)
    for text in (sold.order.id, "PO 77", sold.lines[0].id, code, code.lower(), f" {code} "):
        assert found(bedesten, tenant, text) == [sold.order.id], text
    for text in (checkout.order.id, payment.id, payment.reference, "Customer@Example.com", tenant.customer):
        assert found(bedesten, tenant, text) == [checkout.order.id], text
    assert found(bedesten, tenant, "nothing-like-it") == []
    assert bedesten.run_error("orders", "find", "  ", "--tenant", tenant.id)["code"] == -2
    stranger = open_tenant(tenant.installation)
    assert found(bedesten, stranger, sold.order.id) == found(bedesten, stranger, code) == []


def test_an_order_is_shown_with_all_that_happened_and_without_its_code(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    code = fresh("SECRET")
    placed = tenant.order((tenant.topup(), 1), (tenant.topup(), 2))
    tenant.deliver(placed.lines[0].id, [code])
    shown = bedesten.run_json("orders", "cancel", placed.order.id, *option, "--reason", "No answer")
    assert [one["status"] for one in shown["lines"]] == ["delivered", "cancelled"]
    assert (shown["state"], shown["buyer"], shown["total"]) == ("placed", "partner@example.com", Decimal("21.00"))
    happened = [(one["what"], one.get("line")) for one in shown["timeline"]]
    for entry in (
        ("order.created", None), ("line.processing", "1"), ("line.processing", "2"), ("line.delivered", "1"),
        ("line.cancelled", "2"), ("line.cancel", "2"), ("line.deliver", "1"), ("transfer", None), ("webhook", "1"),
    ):  # fmt: skip
        assert entry in happened, entry
    assert [one["at"] for one in shown["timeline"]] == sorted(one["at"] for one in shown["timeline"])
    out = bedesten.run("orders", "show", placed.order.id, *option).out
    assert "No answer" in out
    assert code not in out
    assert violations(tenant.installation) == []


def test_an_order_is_shown_while_the_endpoint_of_its_webhooks_is_paused(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    before = tenant.order((tenant.topup(), 1)).order.id
    (endpoint,) = bedesten.run_json("webhooks", "endpoints", *option)["endpoints"]
    bedesten.run_json("webhooks", "pause", endpoint["endpointId"], *option)
    assert endpoint["account"] == "partner@example.com"
    timeline = bedesten.run_json("orders", "show", before, *option)["timeline"]
    assert [one["state"] for one in timeline if one["what"] == "webhook"] == ["held"]


def test_lines_are_cancelled_one_by_one_and_delivered_ones_are_refused(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    placed = tenant.order((tenant.card(1), 1), (tenant.topup(), 1), (tenant.topup(), 1))
    sold, waiting, _ = (line.id for line in placed.lines)
    assert bedesten.run_error("orders", "cancel", placed.order.id, "--line", sold, *option)["code"] == -202
    assert bedesten.run_error("orders", "cancel", placed.order.id, "--line", "odl_none", *option)["code"] == -3
    assert bedesten.run_error("orders", "cancel", "ord_none", *option)["code"] == -3
    for _ in range(2):
        shown = bedesten.run_json("orders", "cancel", placed.order.id, "--line", waiting, *option)
        assert [one["status"] for one in shown["lines"]] == ["delivered", "cancelled", "processing"]


def test_an_unpaid_checkout_is_cancelled_as_a_whole(bedesten: Program, tenant: Tenant) -> None:
    card = tenant.card(2)
    order = tenant.checkout((card, 2)).order.id
    assert bedesten.run_json("orders", "cancel", order, "--tenant", tenant.id)["state"] == "cancelled"
    assert tenant.available(card) == 2


def test_notes_and_tags_are_kept_with_the_order(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    order = tenant.order((tenant.topup(), 1)).order.id
    bedesten.run_json("orders", "note", order, "Called back.", *option)
    bedesten.run_json("orders", "tag", order, "vip", "call-back", *option)
    shown = bedesten.run_json("orders", "tag", order, "vip", "--remove", "call-back", *option)
    assert shown["tags"] == ["vip"]
    assert [(one["actor"], one["text"]) for one in shown["notes"]] == [("operator", "Called back.")]
    for wrong in ("two words", "", "x" * 41, "€"):
        assert bedesten.run_error("orders", "tag", order, wrong, *option)["code"] == -2, wrong
    assert bedesten.run_error("orders", "note", "ord_none", "x", *option)["code"] == -3


def test_orders_are_held_by_rule_and_released(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    rule = bedesten.run_json(
        "orders", "rules", "create", "amount", "--amount", "10.00", "--surface", "reseller", *option
    )
    assert (rule["amount"], rule["surface"]) == (Decimal("10.00"), "reseller")
    order = tenant.order((tenant.card(2), 2)).order.id
    listed = bedesten.run_json("orders", "list", "--status", "held", *option)["orders"]
    assert [(one["orderId"], one["lines"][0]["hold"]) for one in listed] == [(order, "review:amount")]
    shown = bedesten.run_json("orders", "release", order, "--reason", "Known buyer", *option)
    assert shown["lines"][0]["status"] == "delivered"
    assert bedesten.run_error("orders", "hold", order, *option)["code"] == -8
    waiting = tenant.order((tenant.topup(), 1)).order.id
    assert bedesten.run_json("orders", "hold", waiting, *option)["lines"][0]["hold"] == "operator"
    assert bedesten.run_json("orders", "release", waiting, *option)["lines"][0]["status"] == "processing"
    bedesten.run_json("orders", "rules", "remove", rule["id"], *option)
    assert bedesten.run_json("orders", "rules", "list", *option)["rules"] == []
    assert bedesten.run_error("orders", "rules", "remove", rule["id"], *option)["code"] == -3
    assert violations(tenant.installation) == []


def test_daily_limits_are_set_for_an_account_and_for_a_kind(bedesten: Program, tenant: Tenant) -> None:
    option = ("--tenant", tenant.id)
    everybody = bedesten.run_json("orders", "limits", "set", "customer", "--daily-units", "5", *option)
    assert (everybody["dailyAmount"], everybody["dailyUnits"]) == (None, 5)
    one = bedesten.run_json("orders", "limits", "set", "partner@example.com", "--daily-amount", "12.50", *option)
    assert (one["holder"], one["email"], one["dailyAmount"]) == (
        tenant.partner,
        "partner@example.com",
        Decimal("12.50"),
    )
    assert len(bedesten.run_json("orders", "limits", "list", *option)["limits"]) == 2
    for wrong in ("-5", "x", "1.5"):
        assert bedesten.run("orders", "limits", "set", "partner", "--daily-units", wrong, *option).code == 2
    for wrong in ("0", "1e400", "12.345", "x"):
        assert bedesten.run_error("orders", "limits", "set", "partner", "--daily-amount", wrong, *option)["code"] == -2
    assert bedesten.run_error("orders", "limits", "set", "nobody@example.com", *option)["code"] == -3
