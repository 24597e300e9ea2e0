"""`bedesten partners`."""

import base64
import contextlib
import json
import os
import pty
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bedesten.gate.weak_passwords import password_problem
from tests.support.cli_program import ENVIRONMENT, Program
from tests.support.cli_server import served
from tests.support.client import Client, bearer

LOGIN = "/Login/Customer/Api/Verify"
IN_SHOP = ("--tenant", "shop")
EMAIL = "buyer@partner.example"
PASSWORD = b"seven lanterns by the gate\n"


def made(shop: Program, *more: str) -> Any:
    return shop.run_json("partners", "create", "--tenant", "shop", "--email", EMAIL, *more)


def partners(shop: Program) -> Any:
    return shop.run_json("partners", "list", "--tenant", "shop")["partners"]


def test_a_partner_gets_an_account_money_and_an_endpoint(shop: Program) -> None:
    new = made(shop, "--name", "Buyer Ltd", "--webhook", "https://partner.example/hook", "--credit", "250.50")
    assert set(new) == {"id", "email", "password", "webhookSecret", "webhookKey"}
    assert new["email"] == EMAIL
    assert len(base64.b64decode(new["webhookSecret"].removeprefix("whsec_"))) == 32
    assert new["webhookKey"].startswith("ok_")
    (listed,) = partners(shop)
    assert listed["id"] == new["id"]
    assert (listed["name"], listed["webhook"]) == ("Buyer Ltd", "https://partner.example/hook")
    assert (listed["balance"], listed["held"], listed["available"]) == (Decimal("0.00"),) * 3
    assert str(listed["creditLimit"]) == "250.50"
    assert (listed["currency"], listed["scopes"], listed["api"], listed["disabled"]) == ("USD", None, True, False)


def test_a_generated_password_is_strong_and_unique(shop: Program) -> None:
    first = made(shop)["password"]
    second = shop.run_json("partners", "create", "--tenant", "shop", "--email", "b@partner.example")["password"]
    assert first != second
    assert len(first) == 29
    assert password_problem(first, minimum=24) is None


def test_the_text_warns_that_secrets_are_shown_once(shop: Program) -> None:
    outcome = shop.run("partners", "create", "--tenant", "shop", "--email", EMAIL)
    labels = [line.partition(":")[0] for line in outcome.out.splitlines()[1:4]]
    assert labels == ["Password", "Webhook secret", "Webhook key"]
    assert outcome.out.splitlines()[-1] == "Store them now: they cannot be shown again."


def test_a_given_password_is_not_shown(shop: Program) -> None:
    new = shop.run_json("partners", "create", "--tenant", "shop", "--email", EMAIL, "--password-stdin", stdin=PASSWORD)
    assert set(new) == {"id", "email", "webhookSecret", "webhookKey"}


@pytest.mark.parametrize("unfit", [b"\0", b"\x07", b"\r", b"\x7f", b"\xc2\x85", b"\xff"])
def test_no_command_accepts_a_password_that_the_api_refuses(shop: Program, unfit: bytes) -> None:
    stdin = b"violet" + unfit + b"harbour teacup nineteen\n"
    create = ("partners", "create", "--tenant", "shop", "--email", EMAIL, "--password-stdin")
    assert shop.run_error(*create, stdin=stdin)["fields"].keys() == {"password"}
    shop.run_json(*create, stdin=PASSWORD)
    change = ("partners", "password", EMAIL, "--tenant", "shop", "--password-stdin")
    assert shop.run_error(*change, stdin=stdin)["fields"].keys() == {"password"}


def test_a_new_password_ends_the_old_one_and_every_token(tmp_path: Path) -> None:
    program = Program(tmp_path / "data")
    program.run_json("init")
    program.run_json("tenants", "create", "shop", "--host", "api.shop.example")
    old = made(program)["password"]
    with served(program, "--workers", "1", "--admin-port", "0") as server:
        shop = Client(server.port, "api.shop.example")
        token = shop.data(LOGIN, {"email": EMAIL, "password": old})["token"]
        partner = Client(server.port, "api.shop.example", bearer(token))
        assert partner.get("/Account/Details").status == 200
        new = program.run_json("partners", "password", EMAIL, "--tenant", "shop")
        assert set(new) == {"id", "email", "password"}
        assert new["password"] != old
        assert password_problem(new["password"], minimum=24) is None
        assert partner.get("/Account/Details").verdict == (401, -21)
        assert shop.post(LOGIN, {"email": EMAIL, "password": old}).verdict == (400, -26)
        for _ in range(9):
            shop.post(LOGIN, {"email": EMAIL, "password": "wrong, and longer than short"})
        unlock = ("partners", "unlock", EMAIL, "--tenant", "shop")
        assert [program.run_json(*unlock)["changed"] for _ in range(2)] == [True, False]
        assert shop.post(LOGIN, {"email": EMAIL, "password": new["password"]}).status == 200
        given = ("partners", "password", EMAIL, "--tenant", "shop", "--password-stdin")
        assert set(program.run_json(*given, stdin=PASSWORD)) == {"id", "email"}
        assert shop.post(LOGIN, {"email": EMAIL, "password": PASSWORD.decode().strip()}).status == 200
        assert program.run_error(*given, stdin=b"short\n")["fields"].keys() == {"password"}
        assert shop.post(LOGIN, {"email": EMAIL, "password": PASSWORD.decode().strip()}).status == 200
    trail = [json.loads(line) for line in program.run("audit", "tail", "--json", "--limit", "100").out.splitlines()]
    assert [row["action"] for row in trail].count("account.password") == 2
    assert new["password"] not in json.dumps(trail)
    assert program.run_error("partners", "password", "nobody@partner.example", "--tenant", "shop")["code"] == -3


@pytest.mark.parametrize(("again", "code"), [(PASSWORD, 0), (b"something else\n", 1)])
def test_a_terminal_prompts_twice_for_the_password_without_echo(shop: Program, again: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    arguments = ("partners", "create", "--tenant", "shop", "--email", EMAIL, "--password-stdin", *shop.where)
    with subprocess.Popen(
        [sys.executable, "-m", "bedesten", *arguments],
        env=ENVIRONMENT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        bufsize=0,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for prompt, line in ((b"Password: ", PASSWORD), (b"Repeat it: ", again)):
            assert b"".join(process.stderr.read(1) for _ in prompt) == prompt
            os.write(ours, line)
            assert process.stderr.read(1) == b"\n"
        out, err = process.communicate(timeout=120)
    os.set_blocking(ours, False)
    with contextlib.suppress(BlockingIOError):
        assert b"lantern" not in os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code, err
    assert b"lantern" not in out + err
    assert len(partners(shop)) == (code == 0)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://127.0.0.1:9000/hooks", "private"),
        ("http://localhost:9000/", "private"),
        ("https://[::1]/", "private"),
        ("https://10.1.2.3/", None),
        ("http://10.1.2.3/", None),
        ("https://192.0.2.7/", "private"),
        ("https://93.184.216.34/", None),
        ("http://93.184.216.34/", "plain http"),
        ("https://partner.example/", None),
        ("off", None),
    ],
)
def test_a_private_webhook_address_needs_an_allowed_network(shop: Program, url: str, problem: str | None) -> None:
    shop.run_json("webhooks", "allow", "10.0.0.0/8")
    made(shop)
    change = ("partners", "webhook", EMAIL, url, "--tenant", "shop")
    create = ("partners", "create", "--tenant", "shop", "--email", "b@partner.example", "--webhook", url)
    if problem is None:
        assert shop.run_json(*change)["webhook"] == (None if url == "off" else url)
        return
    for arguments, field in ((change, "url"), (create, "webhook")):
        error = shop.run_error(*arguments)
        assert (error["code"], list(error["fields"])) == (-2, [field])
        assert problem in error["fields"][field]
    assert [one["email"] for one in partners(shop)] == [EMAIL]
    if problem == "private":
        shop.run_json("webhooks", "allow", "127.0.0.0/8", "::1/128", "192.0.2.0/24")
        assert shop.run_json(*change)["webhook"] == url


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"short\n", "use at least 15 characters"),
        (b"\n", "a password has 1 to 1024 characters"),
        (b"buyer@partner.example\n", "it is little more than your own or the shop's name"),
        (b"x" * 5000, "a password has 1 to 1024 characters"),
        (b"\xff" * 20 + b"\n", "must be text in UTF-8"),
    ],
)
def test_a_weak_password_is_refused_and_creates_no_partner(shop: Program, line: bytes, problem: str) -> None:
    error = shop.run_error("partners", "create", "--tenant", "shop", "--email", EMAIL, "--password-stdin", stdin=line)
    assert error["code"] == -2
    assert error["fields"] == {"password": problem}
    given = line.strip().decode("latin-1")
    assert not given or given not in json.dumps(error, ensure_ascii=False)
    assert partners(shop) == []


def test_the_shortest_password_is_a_setting(shop: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDESTEN_PASSWORD_MINIMUM", "40")
    create = ("partners", "create", "--tenant", "shop", "--email", EMAIL, "--password-stdin")
    assert shop.run_error(*create, stdin=PASSWORD)["fields"] == {"password": "use at least 40 characters"}
    monkeypatch.setenv("BEDESTEN_PASSWORD_MINIMUM", "8")
    assert shop.run_json(*create, stdin=PASSWORD)["email"] == EMAIL


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (["--email", "nobody"], -2, "email"),
        (["--email", "Buyer@Partner.example"], -8, "email"),
        (["--email", "n@p.example", "--credit", "1.005"], -2, "credit"),
        (["--email", "n@p.example", "--credit", "12,50"], -2, "credit"),
        (["--email", "n@p.example", "--credit", "-1"], -2, "credit"),
        (["--email", "n@p.example", "--webhook", "ftp://p.example"], -2, "webhook"),
        (["--email", "n@p.example", "--scope", "basket:manage"], -2, "scope"),
        (["--email", "n@p.example", "--name", "a\x1bb"], -2, "name"),
    ],
)
def test_invalid_values_are_refused_and_change_nothing(
    shop: Program, arguments: list[str], code: int, field: str
) -> None:
    made(shop)
    error = shop.run_error("partners", "create", "--tenant", "shop", *arguments)
    assert error["code"] == code
    assert list(error["fields"]) == [field]
    assert [one["email"] for one in partners(shop)] == [EMAIL]


def test_scopes_are_replaced_or_set_to_all(shop: Program) -> None:
    new = made(shop, "--scope", "orders:read", "--scope", "catalogue:read")
    assert partners(shop)[0]["scopes"] == ["catalogue:read", "orders:read"]
    change = ("partners", "scopes", EMAIL, "--tenant", "shop")
    assert shop.run_json(*change, "--scope", "orders:create")["scopes"] == ["orders:create"]
    assert shop.run_json("partners", "scopes", new["id"], "--tenant", "shop", "--all")["scopes"] is None
    assert shop.run(*change).code == 2
    assert shop.run(*change, "--all", "--scope", "orders:read").code == 2
    assert shop.run_error(*change, "--scope", "everything")["code"] == -2


def test_credit_is_exact_and_changed_for_this_partner_only(shop: Program) -> None:
    made(shop)
    shop.run_json("partners", "create", "--tenant", "shop", "--email", "b@partner.example")
    assert (
        str(shop.run_json("partners", "credit", EMAIL, "1000000.01", "--tenant", "shop")["creditLimit"]) == "1000000.01"
    )
    assert [str(one["creditLimit"]) for one in partners(shop)] == ["1000000.01", "0.00"]


def test_the_alarm_of_a_low_balance_is_set_and_removed(shop: Program) -> None:
    made = shop.run_json("partners", "create", *IN_SHOP, "--email", "low@partner.example")
    shown = shop.run_json("partners", "set", made["id"], *IN_SHOP, "--low-balance", "25.5")
    assert shown["lowBalance"] == 25.5
    assert shop.run("partners", "set", made["id"], *IN_SHOP, "--low-balance", "-1").code == 1
    assert shop.run("partners", "set", made["id"], *IN_SHOP).code == 2
    assert shop.run_json("partners", "set", made["id"], *IN_SHOP, "--low-balance", "off")["lowBalance"] is None


def test_a_partner_is_disabled_and_enabled(shop: Program) -> None:
    made(shop)
    assert shop.run_json("partners", "disable", EMAIL, "--tenant", "shop")["disabled"] is True
    assert shop.run_json("partners", "enable", "BUYER@partner.example", "--tenant", "shop")["disabled"] is False


def test_a_webhook_is_changed_and_removed_without_new_secrets(shop: Program) -> None:
    made(shop, "--webhook", "https://partner.example/hook")
    moved = shop.run_json("partners", "webhook", EMAIL, "https://partner.example/other", "--tenant", "shop")
    assert moved["webhook"] == "https://partner.example/other"
    assert "webhookSecret" not in moved
    assert shop.run_json("partners", "webhook", EMAIL, "off", "--tenant", "shop")["webhook"] is None
    assert shop.run_error("partners", "webhook", EMAIL, "nowhere", "--tenant", "shop")["code"] == -2


def test_another_tenants_partner_does_not_exist(shop: Program) -> None:
    new = made(shop)
    shop.run_json("tenants", "create", "other", "--host", "other.example.org")
    for name in (EMAIL, new["id"]):
        error = shop.run_error("partners", "disable", name, "--tenant", "other")
        assert (error["code"], error["fields"]) == (-3, {"partner": "there is no such partner"})
    assert partners(shop)[0]["disabled"] is False
