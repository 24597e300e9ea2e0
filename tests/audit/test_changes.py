"""R218: every administrative change writes a row: who, what, on what, the values before and after; never a secret."""

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_program import Program
from tests.support.inprocess import found_in
from tests.support.postgres_databases import postgres_database
from tests.support.sites import ENGINES

pytestmark = pytest.mark.requirement(218)

PASSWORD = "seven lanterns by the gate"
USER = "alice"
HOOK = "https://hooks.example/T024/very-secret-path-4711?token=abcdef"


@pytest.fixture(params=ENGINES)
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """The program on an installation with a shop."""
    for name in [name for name in os.environ if name.startswith("BEDESTEN_") and name != "BEDESTEN_TEST_POSTGRES"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SUDO_USER", USER)
    if request.param == "sqlite":
        yield _with_shop(Program(tmp_path / "data"))
        return
    with postgres_database() as database:
        yield _with_shop(Program(tmp_path / "data", database))


def _with_shop(program: Program) -> Program:
    program.run_json("init")
    program.run_json("tenants", "create", "shop", "--host", "api.shop.example", "--currency", "EUR")
    return program


def rows(program: Program, *options: str) -> list[dict[str, Any]]:
    """The audit trail, as the program shows it."""
    outcome = program.run("audit", "tail", "--json", "--limit", "1000", *options)
    assert (outcome.code, outcome.err) == (0, "")
    return [json.loads(line) for line in outcome.out.splitlines()]


def told_of(program: Program, *command: str, stdin: bytes = b"") -> tuple[Any, list[dict[str, Any]]]:
    """Runs a command; returns its output and the rows that it wrote."""
    known = {row["id"] for row in rows(program)}
    document = program.run_json(*command, stdin=stdin)
    return document, [row for row in rows(program) if row["id"] not in known]


def changed(program: Program, *command: str) -> tuple[str, Any, Any]:
    """Runs a command that writes one row; returns its action, and the values before and after."""
    _, (row,) = told_of(program, *command)
    assert (row["actor"], row["detail"]["os_user"]) == ("operator", USER)
    return row["action"], row["detail"]["before"], row["detail"]["after"]


def test_the_row_of_a_changed_setting_has_both_values(program: Program) -> None:
    shop = "shop"
    (first,) = [row for row in rows(program) if row["action"] == "tenant.create"]
    assert first["detail"] == {
        "name": "shop", "hosts": ["api.shop.example"], "sandbox": False, "currency": "EUR", "region": "GLOBAL",
        "os_user": USER,
    }  # fmt: skip
    hour, half = 3_600_000, 1_800_000
    times = ("tenants", "set", shop, "--token-lifetime")
    assert changed(program, *times, "reseller=30m")[2] == half
    assert changed(program, *times, "reseller=1h") == ("tenant.token_lifetime", half, hour)
    idle = ("tenants", "set", shop, "--token-idle")
    assert changed(program, *idle, "storefront=30m") == ("tenant.token_idle", None, half)
    assert changed(program, *idle, "storefront=off") == ("tenant.token_idle", half, None)
    assert changed(program, "tenants", "suspend", shop) == ("tenant.suspend", False, True)
    assert changed(program, "tenants", "resume", shop) == ("tenant.resume", True, False)
    assert changed(program, "tenants", "access", shop, "--deny", "payment") == ("tenant.access", None, False)
    assert changed(program, "tenants", "access", shop, "--allow", "payment") == ("tenant.access", False, True)
    assert [row["action"] for row in told_of(program, "tenants", "hosts", shop, "--add", "b.shop.example")[1]] == [
        "tenant.host.add"
    ]
    assert [row["subject"] for row in told_of(program, "tenants", "hosts", shop, "--remove", "b.shop.example")[1]] == [
        "b.shop.example"
    ]
    assert changed(program, "webhooks", "allow", "10.0.0.0/8") == ("webhooks.networks", [], ["10.0.0.0/8"])


def test_rows_of_partners_and_keys_have_the_given_values_and_no_secret(program: Program) -> None:
    where = ("--tenant", "shop")
    command = (
        "partners", "create", *where, "--email", "p@partner.example", "--password-stdin", "--scope", "orders:read",
        "--webhook", HOOK,
    )  # fmt: skip
    made, (row,) = told_of(program, *command, stdin=PASSWORD.encode())
    place = row["detail"].pop("webhook")
    assert place.startswith("https://hooks.example/… (SHA-256 ")
    assert row["detail"] == {
        "email": "p@partner.example", "scopes": ["orders:read"], "credit": "0.00 EUR", "os_user": USER
    }  # fmt: skip
    assert changed(program, "partners", "scopes", made["id"], *where, "--all") == (
        "account.scopes",
        ["orders:read"],
        None,
    )
    assert changed(program, "partners", "credit", made["id"], "250", *where) == (
        "partner.credit",
        "0.00 EUR",
        "250.00 EUR",
    )
    assert changed(program, "partners", "disable", made["id"], *where) == ("account.disable", False, True)
    assert changed(program, "partners", "webhook", made["id"], "off", *where) == ("partner.webhook", place, None)
    key, outcomes = told_of(
        program, "keys", "create", *where, "--surface", "payment", "--owner", "Pay", "--create-owner",
        "--grant", "deposits:manage",
        "--allow", "10.0.0.0/8",
    )  # fmt: skip
    assert [row["action"] for row in outcomes] == ["integration.create", "key.create"]
    assert outcomes[1]["subject"] == key["id"]
    assert outcomes[1]["detail"] == {
        "surface": "payment", "owner": key["ownerId"], "grants": ["deposits:manage"], "networks": ["10.0.0.0/8"],
        "expires": None, "hint": f"{key['key'][:8]}…{key['key'][-4:]}",
        "os_user": USER,
    }  # fmt: skip
    rotated, outcomes = told_of(program, "keys", "rotate", key["id"])
    assert [row["action"] for row in outcomes] == ["key.rotate"]
    assert [row["action"] for row in told_of(program, "keys", "revoke", key["id"])[1]] == ["key.revoke"]
    assert [row["action"] for row in told_of(program, "tokens", "revoke", *where, "--all")[1]] == [
        "tenant.tokens.revoke"
    ]
    whole = json.dumps(rows(program), ensure_ascii=False)
    used = [PASSWORD, made["webhookSecret"], made["webhookKey"], key["key"], rotated["key"], HOOK.partition("T024")[2]]
    assert found_in(whole, used) == set()


def test_rows_name_the_os_user_who_ran_the_program(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "bob\x1b")
    assert told_of(program, "webhooks", "allow", "10.0.0.0/8")[1][0]["detail"]["os_user"] == "bob"
    assert told_of(program, "secrets", "rotate")[1][0]["detail"]["os_user"] == "bob"
    monkeypatch.delenv("SUDO_USER")
    mine = told_of(program, "webhooks", "deny", "10.0.0.0/8")[1][0]["detail"]["os_user"]
    assert mine == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert told_of(program, "webhooks", "allow", "10.0.0.0/8")[1][0]["detail"]["os_user"] == "uid 2147483641"
    assert program.run_json("audit", "verify")["ok"] is True


def test_tail_shows_one_tenant_or_the_installation_or_the_newest(program: Program) -> None:
    program.run_json("tenants", "create", "other", "--host", "api.other.example")
    program.run_json("webhooks", "allow", "10.0.0.0/8")
    assert {row["action"] for row in rows(program, "--tenant", "other")} == {"tenant.create", "tenant.host.add"}
    assert [row["action"] for row in rows(program, "--tenant", "-")] == ["webhooks.networks"]
    newest = program.run("audit", "tail", "--json", "--limit", "1")
    assert json.loads(newest.out)["action"] == "webhooks.networks"
    assert program.run_error("audit", "tail", "--tenant", "nobody")["code"] == -3
    people = program.run("audit", "tail", "--tenant", "other").out.splitlines()
    assert len(people) == 3, "a header, and two rows"
    assert "  operator  tenant.create  " in people[2]


def test_following_the_trail_shows_each_new_row_once_and_in_order(program: Program, tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys

    often = "import sys; from bedesten import cli; from bedesten.cli import audit; audit.POLL_INTERVAL_S = 0.02"
    command = [sys.executable, "-c", f"{often}; sys.exit(cli.main())", "audit", "tail", "--follow", "--limit", "1"]
    command += ["--json", *program.where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["action"] == "tenant.create"
        for command_line in (("tenants", "suspend", "shop"), ("tenants", "resume", "shop")):
            program.run_json(*command_line)
        seen = [json.loads(following.stdout.readline())["action"] for _ in range(2)]
        program.run_json("webhooks", "allow", "10.0.0.0/8")
        seen.append(json.loads(following.stdout.readline())["action"])
        following.send_signal(signal.SIGINT)
        rest, errors = following.communicate(timeout=120)
    assert seen == ["tenant.suspend", "tenant.resume", "webhooks.networks"]
    assert (rest, errors, following.returncode) == ("", "", 0)


def test_verify_shows_the_head_and_looks_for_a_noted_head(program: Program) -> None:
    fresh = program.run_json("audit", "verify")
    assert fresh == {
        "ok": True, "violations": [], "seq": 0, "hash": "0" * 64, "unsealed": 2, "unsealedSeconds": fresh["unsealedSeconds"],
    }  # fmt: skip
    assert program.run_json("audit", "verify", "--since-hash", f"0:{'0' * 64}")["ok"] is True
    outcome = program.run("audit", "verify", "--json", "--since-hash", f"1:{'0' * 64}")
    assert outcome.code == 1
    assert outcome.document["ok"] is False
    assert outcome.document["violations"] == ["row 1 is not the known one: the chain was cut off or replaced before it"]
    assert program.run("audit", "verify", "--since-hash", "1:2").code == 2
    shown = program.run("audit", "verify").out.splitlines()
    assert shown[0] == "The audit trail is intact."
    assert shown[1] == f"Its head, to record elsewhere: 0:{'0' * 64}"
