"""Error numbers for scripts, names beside ids, and shell completion."""

import re

import pytest

from tests.support.cli_program import Program


def test_a_permanent_problem_is_not_reported_as_unavailable(shop: Program) -> None:
    copy = shop.data / "copy.db"
    shop.run_json("backup", str(copy))
    assert shop.run_error("backup", str(copy))["code"] == -8
    assert shop.run_error("backup", str(shop.data / "no" / "such" / "folder" / "copy.db"))["code"] == -2
    nowhere = Program(shop.data / "nowhere")
    assert nowhere.run_error("tenants", "list")["code"] == -2


@pytest.mark.parametrize("text", ["-5", "-0.01", "-1e3"])
def test_a_negative_amount_is_reported_as_such(shop: Program, text: str) -> None:
    shop.run_json("partners", "create", "--tenant", "shop", "--email", "p@partner.example")
    outcome = shop.run("partners", "credit", "p@partner.example", text, "--tenant", "shop")
    assert outcome.code == 2
    assert f"{text}: amounts, numbers and times must not be negative" in outcome.err


def test_the_audit_trail_shows_currencies_and_names_beside_ids(shop: Program) -> None:
    made = shop.run_json("partners", "create", "--tenant", "shop", "--email", "p@partner.example")
    shop.run_json("partners", "credit", "p@partner.example", "24", "--tenant", "shop")
    header, *rows = shop.run("audit", "tail", "--action", "partner.credit").out.splitlines()
    assert header.split() == ["at", "number", "tenant", "actor", "action", "subject", "detail"]
    assert len(rows) == 1
    assert re.search(rf"ten_\w+ \(shop\)  operator  partner\.credit  {made['id']} \(p@partner\.example\)  ", rows[0])
    assert "before=0.00 USD after=24.00 USD" in rows[0]


def test_the_warning_agrees_with_the_number_of_secrets(shop: Program) -> None:
    key = shop.run(
        "keys", "create", "--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner"
    ).out  # fmt: skip
    assert key.splitlines()[-1] == "Store it now: it cannot be shown again."
    partner = shop.run("partners", "create", "--tenant", "shop", "--email", "p@partner.example").out
    assert partner.splitlines()[-1] == "Store them now: they cannot be shown again."


@pytest.mark.parametrize(
    ("words", "found"),
    [("bedesten ten", "tenants"), ("bedesten tenants cr", "create"), ("bedesten keys create --own", "--owner")],
)
def test_a_shell_completes_nouns_verbs_and_options(
    shop: Program, monkeypatch: pytest.MonkeyPatch, words: str, found: str
) -> None:
    for name, value in asked_by_a_shell(words).items():
        monkeypatch.setenv(name, value)
    outcome = shop.run()
    assert (outcome.code, found in outcome.out.split(), outcome.err) == (0, True, "")


def test_the_program_completes_as_a_process(shop: Program) -> None:
    outcome = shop.run_process(**asked_by_a_shell("bedesten keys create --own"))
    assert (outcome.code, "--owner" in outcome.out.split(), outcome.err) == (0, True, "")


def asked_by_a_shell(words: str) -> dict[str, str]:
    """The environment in which a shell requests completions."""
    return {"_BEDESTEN_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
