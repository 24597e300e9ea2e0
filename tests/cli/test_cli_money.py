"""`bedesten money` books money by hand, and shows balances and statements."""

from decimal import Decimal

import pytest

from tests.support.cli_program import Program

EMAIL = "buyer@partner.example"
PARTNER = ("--tenant", "shop", "--partner", EMAIL)
BECAUSE = ("--reason", "a reason")


@pytest.fixture
def shop(shop: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A shop with a partner and a supplier; the commands are Ann's."""
    monkeypatch.setenv("SUDO_USER", "ann")
    shop.run_json("partners", "create", "--tenant", "shop", "--email", EMAIL)
    shop.run_json("suppliers", "create", "Acme", "--tenant", "shop")
    return shop


def test_money_is_booked_and_the_balance_is_shown(shop: Program) -> None:
    made = shop.run_json("money", "deposit", "100.50", *PARTNER, "--reason", "bank transfer 17", "--key", "b-17")
    assert (made["kind"], made["ownerName"], made["state"], made["createdBy"]) == ("deposit", EMAIL, "booked", "ann")
    assert (str(made["amount"]), str(made["balance"]), made["currency"]) == ("100.50", "100.50", "USD")
    assert (made["reason"], made["key"], made["decidedBy"]) == ("bank transfer 17", "b-17", None)
    again = shop.run_json("money", "deposit", "100.50", *PARTNER, "--reason", "bank transfer 17", "--key", "b-17")
    assert again == made
    assert str(shop.run_json("money", "withdraw", "0.50", *PARTNER, *BECAUSE)["amount"]) == "-0.50"
    assert str(shop.run_json("money", "adjust", "--subtract", "1", *PARTNER, *BECAUSE)["balance"]) == "99.00"
    assert str(shop.run_json("money", "adjust", "--add", "2", *PARTNER, *BECAUSE)["balance"]) == "101.00"
    supplier = ("--tenant", "shop", "--supplier", "Acme")
    assert str(shop.run_json("money", "adjust", "--subtract", "7", *supplier, *BECAUSE)["balance"]) == "-7.00"
    (listed,) = shop.run_json("partners", "list", "--tenant", "shop")["partners"]
    assert (str(listed["balance"]), str(listed["spendable"])) == ("101.00", "101.00")
    assert shop.run("check").code == 0


def test_the_trial_balance_is_zero(shop: Program) -> None:
    shop.run_json("money", "deposit", "10", *PARTNER, *BECAUSE)
    shop.run_json("money", "adjust", "--subtract", "3", *PARTNER, *BECAUSE)
    shown = shop.run_json("money", "balance", "--tenant", "shop")
    assert {one["kind"]: str(one["balance"]) for one in shown["kinds"]} == {
        "partner": "7.00",
        "clearing": "-10.00",
        "adjustments": "3.00",
    }
    (total,) = shown["sums"]
    assert (total["currency"], str(total["balance"]), str(total["received"])) == ("USD", "0.00", "13.00")
    assert "adjustments" in shop.run("money", "balance", "--tenant", "shop").out


def test_a_second_person_is_needed_above_the_tenant_s_limit(shop: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = shop.run_json("tenants", "set", "shop", "--approve-above", "500.00")
    assert str(listed["approveAbove"]) == "500.00"
    assert shop.run_json("money", "deposit", "500", *PARTNER, *BECAUSE)["state"] == "booked"
    asked = shop.run("money", "deposit", "500.01", *PARTNER, *BECAUSE)
    assert "bedesten money approve mny_" in asked.out
    (waiting,) = shop.run_json("money", "pending", "--tenant", "shop")["moneyOrders"]
    assert (waiting["state"], str(waiting["balance"])) == ("waiting", "500.00")
    error = shop.run_error("money", "approve", waiting["id"], "--tenant", "shop")
    assert (error["code"], error["message"]) == (-8, "ann requested it; somebody else has to approve it")
    monkeypatch.setenv("SUDO_USER", "bob")
    done = shop.run_json("money", "approve", waiting["id"], "--tenant", "shop")
    assert (done["state"], done["decidedBy"], str(done["balance"])) == ("booked", "bob", "1000.01")
    assert shop.run_json("money", "pending", "--tenant", "shop")["moneyOrders"] == []
    assert len(shop.run_json("money", "pending", "--all", "--tenant", "shop")["moneyOrders"]) == 2
    assert shop.run_json("tenants", "set", "shop", "--approve-above", "off")["approveAbove"] is None
    trail = shop.run("audit", "tail", "--json").out
    for action in ("money.deposit", "money.request", "money.approve", "tenant.approve_above"):
        assert f'"{action}"' in trail


def test_a_waiting_booking_can_be_rejected_with_a_reason(shop: Program) -> None:
    shop.run_json("tenants", "set", "shop", "--approve-above", "0")
    asked = shop.run_json("money", "adjust", "--add", "1", *PARTNER, *BECAUSE)
    gone = shop.run_json("money", "reject", asked["id"], "--tenant", "shop", "--reason", "a typing error")
    assert (gone["state"], gone["decision"], str(gone["balance"])) == ("rejected", "a typing error", "0.00")


@pytest.mark.parametrize("text", ["1e3", "-5", "12,50", "0.001", "10000000000000000", "1e400", "NaN", "", "0", "٣"])
def test_an_invalid_amount_books_nothing(shop: Program, text: str) -> None:
    outcome = shop.run("money", "deposit", *PARTNER, *BECAUSE, "--json", "--", text)
    assert outcome.code != 0
    assert '"code":-2' in outcome.out
    assert shop.run_json("money", "balance", "--tenant", "shop")["kinds"] in ([], [*_empty(shop)])


def _empty(shop: Program) -> list[object]:
    """The totals of accounts on which nothing is booked."""
    return [one for one in shop.run_json("money", "balance", "--tenant", "shop")["kinds"] if not one["balance"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("deposit", "1", "--tenant", "shop"),
        ("deposit", "1", *PARTNER, "--supplier", "Acme"),
        ("adjust", *PARTNER),
        ("adjust", "--add", "1", "--subtract", "1", *PARTNER),
    ],
)
def test_exactly_one_owner_and_one_direction_are_required(shop: Program, arguments: tuple[str, ...]) -> None:
    assert shop.run_error("money", *arguments, *BECAUSE)["code"] == -2


def test_unknown_owners_and_blank_reasons_are_refused(shop: Program) -> None:
    assert (
        shop.run_error("money", "deposit", "1", "--tenant", "shop", "--partner", "x@y.example", *BECAUSE)["code"] == -3
    )
    assert shop.run_error("money", "deposit", "1", *PARTNER, "--reason", " ")["fields"].keys() == {"reason"}
    assert shop.run_error("money", "withdraw", "1", *PARTNER, *BECAUSE)["code"] == -300
    assert shop.run_error("tenants", "set", "shop", "--approve-above", "0.001")["fields"].keys() == {"approveAbove"}


@pytest.mark.parametrize(
    ("currency", "smallest", "finer"), [("JPY", "1", "0.1"), ("USD", "0.01", "0.001"), ("KWD", "0.001", "0.0001")]
)
def test_amounts_have_the_digits_of_their_currency(shop: Program, currency: str, smallest: str, finer: str) -> None:
    shop.run_json("tenants", "create", "other", "--host", "api.other.example", "--currency", currency)
    shop.run_json("partners", "create", "--tenant", "other", "--email", EMAIL, "--credit", smallest)
    here = ("--tenant", "other", "--partner", EMAIL)
    assert str(shop.run_json("money", "deposit", smallest, *here, *BECAUSE)["balance"]) == smallest
    assert shop.run_error("money", "deposit", finer, *here, *BECAUSE)["code"] == -2
    assert str(shop.run_json("tenants", "set", "other", "--approve-above", smallest)["approveAbove"]) == smallest
    (partner,) = shop.run_json("partners", "list", "--tenant", "other")["partners"]
    twice = str(2 * Decimal(smallest))
    assert (str(partner["creditLimit"]), str(partner["spendable"])) == (smallest, twice)
    (total,) = shop.run_json("money", "balance", "--tenant", "other")["sums"]
    assert (total["currency"], str(total["received"]), total["balance"]) == (currency, smallest, 0)
    assert smallest in shop.run("money", "balance", "--tenant", "other").out


def test_a_statement_has_a_running_balance_in_three_forms(shop: Program) -> None:
    shop.run_json("money", "deposit", "10", *PARTNER, "--reason", "=HYPERLINK(1)")
    shop.run_json("money", "adjust", "--subtract", "2.50", *PARTNER, "--reason", 'a "quoted", reason')
    shown = shop.run_json("money", "statement", *PARTNER)
    assert [(one["type"], str(one["amount"]), str(one["balance"])) for one in shown["entries"]] == [
        ("deposit", "10.00", "10.00"),
        ("adjustment", "-2.50", "7.50"),
    ]
    assert (str(shown["openingBalance"]), str(shown["closingBalance"]), shown["kind"]) == ("0.00", "7.50", "partner")
    text = shop.run("money", "statement", *PARTNER).out
    assert "Balance before: 0.00 USD, after: 7.50 USD" in text
    lines = shop.run("money", "statement", *PARTNER, "--csv").out.split("\r\n")
    assert lines[0].startswith("booked,type,amount,balance,currency,")
    assert ",deposit,10.00,10.00,USD," in lines[1]
    assert lines[1].endswith(",'=HYPERLINK(1)")
    assert ",adjustment,-2.50,7.50,USD," in lines[2]
    assert lines[2].endswith(',"a ""quoted"", reason"')
    assert lines[3:] == [""]


def test_every_account_has_a_statement(shop: Program) -> None:
    shop.run_json("money", "deposit", "10", *PARTNER, *BECAUSE)
    shop.run_json("money", "adjust", "--add", "1", "--tenant", "shop", "--supplier", "Acme", *BECAUSE)
    for account, closing in (
        (("--own", "clearing"), "-10.00"),
        (("--own", "adjustments"), "-1.00"),
        (("--own", "sales"), "0.00"),
        (("--supplier", "Acme"), "1.00"),
        (("--partner", EMAIL), "10.00"),
    ):
        shown = shop.run_json("money", "statement", "--tenant", "shop", *account)
        assert str(shown["closingBalance"]) == closing
    assert shop.run_error("money", "statement", "--tenant", "shop", "--own", "partner")["fields"].keys() == {"own"}
    assert shop.run_error("money", "statement", "--tenant", "shop")["code"] == -2
    assert shop.run_error("money", "statement", *PARTNER, "--csv")["code"] == -2


def test_a_statement_of_a_period_begins_with_its_opening_balance(shop: Program) -> None:
    shop.run_json("money", "deposit", "10", *PARTNER, *BECAUSE)
    assert len(shop.run_json("money", "statement", *PARTNER, "--from", "1d")["entries"]) == 1
    before = shop.run_json("money", "statement", *PARTNER, "--to", "2020-01-01T00:00:00Z")
    assert (before["entries"], str(before["closingBalance"])) == ([], "0.00")
    after = shop.run_json("money", "statement", *PARTNER, "--from", "2099-01-01T00:00:00Z")
    assert (after["entries"], str(after["openingBalance"])) == ([], "10.00")
    assert shop.run("check").code == 0
