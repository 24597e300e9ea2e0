"""Every command has three shared options, one JSON document, one-line errors and an exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.audit.actions import Actor
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.actions import ProductFields
from bedesten.catalogue.model import fields_of
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.cli import NOUNS, PLAIN, program
from bedesten.complaints import actions as complaints
from bedesten.complaints.model import NewComplaint
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface
from bedesten.ledger import actions as ledger
from bedesten.ledger import money_orders
from bedesten.ledger.money_orders import NewMoneyOrder
from bedesten.orders import actions as orders
from bedesten.orders.model import Buyer, NewLine, NewOrder
from bedesten.payments import actions as payments
from bedesten.payments.moves import AWAITING
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings, unknown_variables
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.checkout_limits import NO_LIMITS
from bedesten.tenants.money_approval import set_approve_above
from tests.domain.tenant import PASSWORD
from tests.support.cli_program import ENVIRONMENT, Program, run_main
from tests.support.postgres_databases import postgres_database
from tests.support.stock_codes import add_codes

LINES = {("serve",), ("worker",), ("demo",), ("audit", "tail")}
"""They print JSON lines, and have their own tests."""

SQLITE = {("backup",), ("move",)}
"""They start from one engine only; see `test_cli_backup` and `test_cli_move`."""

CALLS = {("suppliers", "connection", "test")}
"""It calls a supplier; see `test_cli_connections`."""

PARTNER = ("--tenant", "shop", "--email", "p@partner.example")
BAMBOO = ("--adapter", "bamboo", "--url", "https://supplier.example/", "--account", "5", "--credential-stdin")
BY_HAND = ("--tenant", "shop", "--partner", "p@partner.example", "--reason", "a reason")
COMMANDS = (
    ("init",),
    ("tenants", "create", "shop", "--host", "api.shop.example"),
    ("tenants", "hosts", "shop", "--add", "b.example.org"),
    ("tenants", "suspend", "shop"),
    ("tenants", "resume", "shop"),
    ("tenants", "set", "shop", "--token-idle", "reseller=10m"),
    ("tenants", "access", "shop", "--deny", "payment"),
    ("tenants", "brand", "shop", "--accent", "#0a7ea4"),
    ("tenants", "list"),
    ("partners", "create", *PARTNER),
    ("partners", "scopes", "p@partner.example", "--tenant", "shop", "--all"),
    ("partners", "credit", "p@partner.example", "10", "--tenant", "shop"),
    ("partners", "set", "p@partner.example", "--low-balance", "5", "--tenant", "shop"),
    ("partners", "disable", "p@partner.example", "--tenant", "shop"),
    ("partners", "enable", "p@partner.example", "--tenant", "shop"),
    ("partners", "unlock", "p@partner.example", "--tenant", "shop"),
    ("partners", "password", "p@partner.example", "--tenant", "shop"),
    ("partners", "reset", "p@partner.example", "--tenant", "shop"),
    ("partners", "webhook", "p@partner.example", "https://partner.example/", "--tenant", "shop"),
    ("partners", "list", "--tenant", "shop"),
    ("suppliers", "create", "Acme", "--tenant", "shop"),
    ("suppliers", "list", "--tenant", "shop"),
    ("integrations", "create", "Pay", "--tenant", "shop"),
    ("integrations", "list", "--tenant", "shop"),
    ("integrations", "limits", "Pay", "--confirm-above", "1", "--tenant", "shop"),
    ("customers", "find", "c@", "--tenant", "shop"),
    ("customers", "disable", "{customer}", "--tenant", "shop"),
    ("customers", "enable", "{customer}", "--tenant", "shop"),
    ("customers", "reset", "{customer}", "--tenant", "shop"),
    ("customers", "show", "{customer}", "--tenant", "shop"),
    ("customers", "export", "{customer}", "--with-codes", "--tenant", "shop"),
    ("customers", "erase", "{customer}", "--tenant", "shop"),
    ("mail", "list", "--tenant", "shop"),
    ("mail", "show", "{mail}", "--tenant", "shop"),
    ("orders", "list", "--tenant", "shop"),
    ("orders", "find", "x", "--tenant", "shop"),
    ("orders", "show", "{order}", "--tenant", "shop"),
    ("orders", "note", "{order}", "called back", "--tenant", "shop"),
    ("orders", "tag", "{order}", "vip", "--tenant", "shop"),
    ("orders", "cancel", "{order}", "--tenant", "shop"),
    ("orders", "hold", "{order}", "--tenant", "shop"),
    ("orders", "limits", "set", "partner", "--daily-units", "900", "--tenant", "shop"),
    ("orders", "limits", "list", "--tenant", "shop"),
    ("orders", "rules", "create", "amount", "--amount", "0.01", "--tenant", "shop"),
    ("orders", "release", "{order}", "--tenant", "shop"),
    ("orders", "rules", "list", "--tenant", "shop"),
    ("orders", "rules", "remove", "{rule}", "--tenant", "shop"),
    ("checkouts", "list", "--tenant", "shop"),
    ("checkouts", "release", "--all", "--tenant", "shop"),
    ("deposits", "list", "--tenant", "shop"),
    ("deposits", "approve", "{deposit}", "--tenant", "shop"),
    ("deposits", "reject", "{deposit}", "--tenant", "shop"),
    ("payments", "list", "--tenant", "shop"),
    ("payments", "show", "{payment}", "--tenant", "shop"),
    ("payments", "refund", "{payment}", "--reason", "wrong region", "--tenant", "shop"),
    ("payments", "refunds", "--tenant", "shop"),
    ("payments", "events", "--tenant", "shop"),
    ("payments", "reconcile", "-", "--integration", "Pay", "--tenant", "shop"),
    ("tenants", "site", "shop", "--set", "support-email=help@shop.example"),
    ("payments", "methods", "add", "card", "--title", "Card", "--integration", "Pay", "--tenant", "shop"),
    ("payments", "methods", "list", "--tenant", "shop"),
    ("payments", "methods", "remove", "card", "--tenant", "shop"),
    ("complaints", "list", "--tenant", "shop"),
    ("complaints", "settings", "--tenant", "shop"),
    ("complaints", "show", "{complaint}", "--tenant", "shop"),
    ("complaints", "replace", "{complaint}", "--tenant", "shop"),
    ("complaints", "refund", "{complaint}", "--tenant", "shop"),
    ("orders", "refund", "{sold}", "--reason", "a gift", "--tenant", "shop"),
    ("orders", "replace", "{sold}", "--reason", "it is used", "--tenant", "shop"),
    ("complaints", "reject", "{complaint}", "--text", "It works", "--tenant", "shop"),
    ("money", "deposit", "5", *BY_HAND),
    ("money", "withdraw", "1", *BY_HAND),
    ("money", "adjust", "--add", "1", *BY_HAND),
    ("money", "pending", "--tenant", "shop"),
    ("money", "approve", "{money}", "--tenant", "shop"),
    ("money", "reject", "{money}", "--tenant", "shop", "--reason", "a reason"),
    ("money", "statement", "--tenant", "shop", "--partner", "p@partner.example", "--from", "1d"),
    ("money", "balance", "--tenant", "shop"),
    ("products", "import", "-", "--tenant", "shop"),
    ("orders", "reroute", "--product", "c-1", "--tenant", "shop"),
    ("products", "prices", "--tenant", "shop", "c-1=2.50"),
    ("products", "set", "c-1", "--low-stock", "2", "--tenant", "shop"),
    ("products", "stock", "add", "c-1", "-", "--tenant", "shop"),
    ("products", "stock", "list", "--tenant", "shop"),
    ("products", "stock", "show", "{batch}", "--tenant", "shop"),
    ("products", "stock", "move", "--batch", "{batch}", "--to", "d-1", "--tenant", "shop"),
    ("products", "stock", "recall", "--code", "AAA-1", "--reason", "revoked", "--dry-run", "--tenant", "shop"),
    ("products", "stock", "remove", "--code", "AAA-1", "--reason", "wrong", "--tenant", "shop"),
    ("products", "list", "--tenant", "shop"),
    ("products", "proposals", "list", "--tenant", "shop"),
    ("products", "proposals", "accept", "{proposal}", "--tenant", "shop"),
    ("products", "proposals", "reject", "{proposal}", "--tenant", "shop"),
    ("suppliers", "set", "Acme", "--tenant", "shop", "--may-edit-texts"),
    ("suppliers", "pause", "Acme", "--tenant", "shop", "--reason", "checks its stock"),
    ("suppliers", "resume", "Acme", "--tenant", "shop"),
    ("suppliers", "quality", "--tenant", "shop"),
    ("suppliers", "add-product", "Acme", "--tenant", "shop", "--product", "c-1", "--cost", "3.50"),
    ("suppliers", "remove-product", "Acme", "--tenant", "shop", "--product", "c-1"),
    ("suppliers", "sourcing", "c-1", "--tenant", "shop", "--accept-within", "10m", "--without-supplier", "hold"),
    ("suppliers", "connect", "Acme", "--tenant", "shop", *BAMBOO),
    ("suppliers", "map-product", "Acme", "--tenant", "shop", "--product", "c-1", "--id", "7", "--face-value", "5"),
    ("suppliers", "connection", "show", "Acme", "--tenant", "shop"),
    ("suppliers", "unmap-product", "Acme", "--tenant", "shop", "--product", "c-1"),
    ("suppliers", "purchases", "--tenant", "shop", "--state", "lost"),
    ("suppliers", "disconnect", "Acme", "--tenant", "shop"),
    ("suppliers", "disable", "Acme", "--tenant", "shop"),
    ("suppliers", "enable", "Acme", "--tenant", "shop"),
    ("integrations", "disable", "Pay", "--tenant", "shop"),
    ("integrations", "enable", "Pay", "--tenant", "shop"),
    ("keys", "create", "--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner"),
    ("keys", "list", "--tenant", "shop"),
    ("keys", "rotate", "{key}", "--grace", "1h"),
    ("keys", "usage", "{key}"),
    ("keys", "import", "--tenant", "shop", "--surface", "payment", "--owner", "Old", "--create-owner"),
    ("keys", "leak-policy", "grace"),
    ("keys", "leaked", "--stdin"),
    ("keys", "revoke", "{key}"),
    ("tokens", "revoke", "--tenant", "shop", "--all"),
    ("staff", "create", "--email", "s@shop.example", "--role", "support"),
    ("staff", "roles", "s@shop.example", "--role", "owner", "--role", "finance"),
    ("staff", "reset", "s@shop.example"),
    ("staff", "disable", "s@shop.example"),
    ("staff", "enable", "s@shop.example"),
    ("staff", "list"),
    ("secrets", "list"),
    ("secrets", "rotate"),
    ("secrets", "forget", "s1"),
    ("secrets", "reload"),
    ("webhooks", "allow", "10.0.0.0/8"),
    ("webhooks", "deny", "10.0.0.0/8"),
    ("webhooks", "endpoints", "--tenant", "shop"),
    ("webhooks", "pause", "{endpoint}", "--tenant", "shop"),
    ("webhooks", "resume", "{endpoint}", "--tenant", "shop"),
    ("webhooks", "simulate", "{endpoint}", "--tenant", "shop"),
    ("webhooks", "deliveries", "--tenant", "shop"),
    ("webhooks", "replay", "--tenant", "shop", "--endpoint", "{endpoint}", "--from", "7d"),
    ("audit", "verify"),
    ("check",),
)
"""Every command once, in an order in which each can succeed."""
FILE = b"sku,name,price\nc-1,Card,1\nd-1,Card,1\n"
INPUTS: dict[tuple[str, ...], bytes] = {
    ("keys", "import"): b"ab" * 32 + b"\n",
    ("products", "stock", "add"): b"AAA-1\n",
    ("payments", "reconcile"): b"reference,amount\r\nch_1,5.00\r\n",
    ("suppliers", "connect"): b"client:secret\n",
    ("keys", "leaked"): b"nothing to be found here\n",
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path."""
    verbs = getattr(command, "commands", None)
    if verbs is None:
        yield path, command
    else:
        for name, verb in verbs.items():
            yield from leaves(verb, (*path, name))


@pytest.fixture(scope="module")
def every() -> dict[tuple[str, ...], Any]:
    return dict(leaves(typer.main.get_command(program(NOUNS))))


def input_of(arguments: tuple[str, ...]) -> bytes:
    return INPUTS.get(path_of(arguments), FILE)


NESTED = {
    ("products", "proposals"),
    ("products", "stock"),
    ("orders", "limits"),
    ("orders", "rules"),
    ("suppliers", "connection"),
    ("payments", "methods"),
}
"""Nouns that have nouns below them."""


def path_of(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return arguments[: 1 if arguments[0] in PLAIN else 3 if (arguments[0], arguments[1]) in NESTED else 2]


def filled(shop: Program, arguments: tuple[str, ...]) -> list[str]:
    """Fills the placeholders of arguments: the id of the first API key, of a fresh customer, deposit or proposal."""
    makers = {
        "{customer}": _customer,
        "{deposit}": _deposit,
        "{money}": _money_order,
        "{payment}": _payment,
        "{order}": _order,
        "{proposal}": _proposal,
    }
    if not makers.keys().isdisjoint(arguments):
        return [_made(shop, makers[one]) if one in makers else one for one in arguments]
    if "{mail}" in arguments:
        mail = shop.run_json("mail", "list", "--tenant", "shop")["mails"][0]["id"]
        return [mail if one == "{mail}" else one for one in arguments]
    if "{rule}" in arguments:
        rule = shop.run_json("orders", "rules", "list", "--tenant", "shop")["rules"][0]["id"]
        return [rule if one == "{rule}" else one for one in arguments]
    if "{complaint}" in arguments or "{sold}" in arguments:
        made = _complaint(shop)
        return [made.get(one, one) for one in arguments]
    if "{batch}" in arguments:
        batch = shop.run_json("products", "stock", "list", "--tenant", "shop")["batches"][0]["id"]
        return [batch if one == "{batch}" else one for one in arguments]
    if "{endpoint}" in arguments:
        endpoint = shop.run_json("webhooks", "endpoints", "--tenant", "shop")["endpoints"][0]["endpointId"]
        return [endpoint if one == "{endpoint}" else one for one in arguments]
    if "{key}" not in arguments:
        return list(arguments)
    return [
        shop.run_json("keys", "list", "--tenant", "shop")["keys"][0]["id"] if one == "{key}" else one
        for one in arguments
    ]


def _made(shop: Program, make: Callable[[Transaction], str]) -> str:
    opened = open_installation(Settings(data=shop.data, database=shop.database))
    try:
        return opened.store.write_now(lambda tx: make(tx.for_tenant(tenants.find(tx, "shop"))))
    finally:
        opened.store.close()


def _complaint(shop: Program) -> dict[str, str]:
    """A fresh complaint, and a line without one; more codes of their product are in stock."""
    opened = open_installation(Settings(data=shop.data, database=shop.database))

    def make(tx: Transaction) -> dict[str, str]:
        new = ProductFields(name="Code", currency="USD", sku=tx.new_id("s")[4:], price=1, accepted_cost=0)
        product, partner = catalogue.put_product(tx, new), accounts.find(tx, "partner", "p@partner.example")
        add_codes(tx, opened.cipher, product, [tx.new_id("c")[4:] for _ in range(4)])
        buyer = Buyer(partner.id, "partner", "reseller", "USD", "GLOBAL")
        lines = tuple(NewLine(name, product, 1) for name in "12")
        bought, sold = (line.id for line in orders.place(tx, buyer, NewOrder(tx.new_id("r"), lines)).lines)
        said = NewComplaint(bought, "INVALID_CODE")
        complaint = complaints.create(tx, opened.cipher, partner.id, said, Actor(partner.id)).id
        return {"{complaint}": complaint, "{sold}": sold}

    try:
        return opened.store.write_now(lambda tx: make(tx.for_tenant(tenants.find(tx, "shop"))))
    finally:
        opened.store.close()


def _proposal(tx: Transaction) -> str:
    supplier, sku = accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), tx.new_id("s")[4:]
    product = upsert_offer(tx, supplier, "USD", Offer(sku, "Offer", 1)).product
    catalogue.revise(tx, product, replace(fields_of(product), price=2, active=True))
    return upsert_offer(tx, supplier, "USD", Offer(sku, "Better offer", 1)).product.id


def _customer(tx: Transaction) -> str:
    return str(accounts.create(tx, "customer", f"{tx.new_id('c')}@example.com", "C", password=PASSWORD))


def _order(tx: Transaction) -> str:
    """A partner's order that waits for its supplier."""
    partner = accounts.find(tx, "partner", "p@partner.example")
    supplier, name = accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), tx.new_id("s")[4:]
    api_keys.insert(tx, NewKey(Surface.SUPPLIER, supplier, sandbox=False), "ak_live_…")
    fields = ProductFields(name, "USD", sku=name, price=1, fulfilment=catalogue.SUPPLIER, supplier_id=supplier)
    product = catalogue.put_product(tx, fields)
    ledger.set_credit(tx, ledger.account(tx, partner.id, "partner", "USD"), 1_000)
    buyer = Buyer(partner.id, "partner", "reseller", "USD", "GLOBAL")
    return orders.place(tx, buyer, NewOrder(name, (NewLine("1", product, 1),))).order.id


def _payment(tx: Transaction) -> str:
    """A captured payment of a customer whose balance covers its refund."""
    customer, service = _customer(tx), accounts.find(tx, "integration", "Pay")
    supplier, name = accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), tx.new_id("s")[4:]
    api_keys.insert(tx, NewKey(Surface.SUPPLIER, supplier, sandbox=False), "ak_live_…")
    fields = ProductFields(name, "USD", sku=name, price=1, fulfilment=catalogue.SUPPLIER, supplier_id=supplier)
    product = catalogue.put_product(tx, fields)
    buyer = Buyer(customer, "customer", "storefront", "USD", "GLOBAL")
    order = orders.reserve(tx, buyer, NewOrder(name, (NewLine("1", product, 1),)), tx.now + 60_000, NO_LIMITS).order
    made = payments.create_payment(tx, service.id, order.id, name, 1)
    payments.capture_payment(tx, service.id, made.id)
    ledger.receive(tx, ledger.account(tx, customer, "customer", "USD"), 1, f"test:{name}")
    return made.id


def _deposit(tx: Transaction) -> str:
    partner, service = accounts.find(tx, "partner", "p@partner.example"), accounts.find(tx, "integration", "Pay")
    made = payments.create_deposit(tx, service.id, partner.id, tx.new_id("ref"), "USD", 5_00)
    assert payments.confirm_deposit(tx, service.id, made.id).state == AWAITING
    return made.id


def _money_order(tx: Transaction) -> str:
    partner = accounts.find(tx, "partner", "p@partner.example")
    set_approve_above(tx, 0)
    new = NewMoneyOrder("adjust", partner.id, "partner", "USD", 1, "a reason")
    return money_orders.book(tx, new, "somebody else").id


def test_this_file_runs_every_command(every: dict[tuple[str, ...], Any]) -> None:
    assert {path_of(one) for one in COMMANDS} == set(every) - LINES - SQLITE - CALLS
    assert {path[0] for path in every} == set(NOUNS)


def test_every_command_has_the_shared_options_and_help(every: dict[tuple[str, ...], Any]) -> None:
    for path, command in every.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert path == ("demo",) or {"--json", "--data", "--database"} <= options, path
        assert len(command.help) > 10, path


def test_every_command_prints_one_json_document(bedesten: Program) -> None:
    for arguments in COMMANDS:
        document = bedesten.run_json(*filled(bedesten, arguments), stdin=input_of(arguments))
        assert isinstance(document, dict), arguments
        assert "error" not in document, arguments


def test_every_command_works_on_postgresql(tmp_path: Path) -> None:
    with postgres_database() as database:
        bedesten = Program(tmp_path / "data", database)
        for arguments in COMMANDS:
            document = bedesten.run_json(*filled(bedesten, arguments), stdin=input_of(arguments))
            assert "error" not in document, arguments
        assert not (tmp_path / "data" / "bedesten.db").exists()
        assert bedesten.run_json("init")["database"].endswith(database.rpartition("/")[2])


def test_every_command_prints_text_without_json(bedesten: Program) -> None:
    for arguments in COMMANDS:
        outcome = bedesten.run(*filled(bedesten, arguments), stdin=input_of(arguments))
        assert (outcome.code, outcome.err) == (0, ""), arguments
        assert outcome.out.strip() and outcome.out[0] not in "{[", arguments  # noqa: PT018 - one thing: a text


def test_no_command_but_init_works_without_an_installation(tmp_path: Path) -> None:
    nowhere = Program(tmp_path / "nowhere")
    for arguments in [one for one in COMMANDS if one != ("init",)] + [("serve", "--port", "0", "--admin-port", "0")]:
        error = nowhere.run_error(*arguments, stdin=input_of(arguments))
        assert error == {
            "code": -2,
            "message": f"{tmp_path}/nowhere is not an installation: run `bedesten init` first",
            "fields": {},
        }, arguments
    assert not (tmp_path / "nowhere").exists()


def test_a_refusal_is_one_line_on_standard_error(shop: Program) -> None:
    outcome = shop.run_process("tenants", "suspend", "nobody")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "bedesten: no tenant 'nobody'\n")


def test_a_refusal_as_json_is_a_document_and_nothing_else(shop: Program) -> None:
    outcome = shop.run_process("tenants", "suspend", "nobody", "--json")
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.document["error"]["code"] in CATALOGUE


def test_each_problem_of_a_file_has_a_line(shop: Program) -> None:
    outcome = shop.run("products", "import", "-", "--tenant", "shop", stdin=b"sku,price\na,x\nb,y\n")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "bedesten: standard input: 2 problems, nothing was imported",
        "  line 2, price: an amount is written like 12 or 12.50",
        "  line 3, price: an amount is written like 12 or 12.50",
    ]
    one = shop.run("products", "import", "-", "--tenant", "shop", stdin=b"sku,price\na,x\n")
    assert one.err == (
        "bedesten: standard input: 1 problem, nothing was imported: "
        "line 2, price: an amount is written like 12 or 12.50\n"
    )


def test_a_refusal_cannot_control_a_terminal(shop: Program) -> None:
    outcome = shop.run("tenants", "suspend", "\x1b[2J\nnobody")
    assert outcome.err.count("\n") == 1
    assert "\x1b" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("tenants",),
        ("tenants", "create", "x"),
        ("nothing",),
        ("tenants", "nothing"),
        ("tenants", "list", "--nothing"),
    ],
)
def test_wrong_usage_exits_2(bedesten: Program, arguments: tuple[str, ...]) -> None:
    outcome = run_main(*arguments, *([] if len(arguments) < 2 else bedesten.where))
    assert outcome.code == 2
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("arguments", [(), ("tenants", "create", "x")])
def test_wrong_usage_exits_2_as_a_process(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bedesten", *arguments],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_one_line_that_names_the_command(bedesten: Program) -> None:
    outcome = bedesten.run("tenants", "create", "x")
    assert outcome.err == "bedesten tenants create: Missing option '--host'. (try bedesten tenants create --help)\n"
    assert bedesten.run("tenants", "create", "x", "--json").document["error"]["code"] == -2


def test_an_invalid_database_is_wrong_usage_and_not_printed(bedesten: Program) -> None:
    outcome = bedesten.run("tenants", "list", "--database", "mysql://me:hunter2@db/x")
    assert outcome.code == 2
    assert "must be postgresql://" in outcome.err
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize(
    ("name", "value"), [("PASSWORD_MINIMUM", "hunter2"), ("LOG_LEVEL", "hunter2"), ("TRUSTED_PROXIES", "hunter2")]
)
def test_an_invalid_setting_is_wrong_usage_and_not_printed(
    bedesten: Program, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"BEDESTEN_{name}", value)
    outcome = bedesten.run("tenants", "list")
    assert outcome.code == 2
    assert name.lower() in outcome.err
    assert value not in outcome.err


def test_the_message_for_an_invalid_setting_is_our_own(bedesten: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, reason in [
        ("LOG_LEVEL", "loud", "log_level (or BEDESTEN_LOG_LEVEL): must be debug, info, warning or error"),
        ("PROXY_HEADER", "x", "proxy_header (or BEDESTEN_PROXY_HEADER): must be x-forwarded-for or forwarded"),
        ("TRUSTED_PROXIES", "x", "trusted_proxies (or BEDESTEN_TRUSTED_PROXIES): not networks in CIDR notation"),
        (
            "ADMIN_NAMES",
            "[x",
            "admin_names (or BEDESTEN_ADMIN_NAMES): neither a JSON list nor items separated by commas",
        ),
        *(
            (name.upper(), value, f"{name} (or BEDESTEN_{name.upper()}): must be a whole number from 1 to 64")
            for name in ("database_readers", "database_writers")
            for value in ("0", "65", "-1", "4.5", "many", "")
        ),
    ]:
        with monkeypatch.context() as patch:
            patch.setenv(f"BEDESTEN_{name}", value)
            assert f"Invalid value: {reason}" in bedesten.run("tenants", "list").err


def test_admin_names_may_be_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("metrics.internal,b.internal", "metrics.internal b.internal", '["metrics.internal", "b.internal"]'):
        monkeypatch.setenv("BEDESTEN_ADMIN_NAMES", text)
        assert Settings().admin_names == ["metrics.internal", "b.internal"]


def test_a_misspelt_setting_is_reported_with_a_suggestion(bedesten: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [
        ("BEDESTEN_TRUSTED_PROXY", "10.0.0.1"), ("BEDESTEN_XYZZY", "hunter2"), ("BEDESTEN_LOG_LEVEL", "info"),
        ("bedesten_checkout_seconds", "900"), ("BEDESTEN_TEST_POSTGRES", "x"), ("BEDESTEN_CHILD", "x"),
        ("BEDESTEN_PEPPER", "x"), ("BEDESTEN_DATABASE_PASSWORD", "env:BEDESTEN_PEPPER"),
        ("BEDESTEN_DATABASE", "postgresql://me@127.0.0.1:1/x"),
    ]:  # fmt: skip
        monkeypatch.setenv(name, value)
    assert list(unknown_variables(os.environ)) == [
        ("BEDESTEN_TRUSTED_PROXY", "BEDESTEN_TRUSTED_PROXIES"), ("BEDESTEN_XYZZY", None),
    ]  # fmt: skip
    monkeypatch.delenv("BEDESTEN_DATABASE")
    monkeypatch.delenv("BEDESTEN_DATABASE_PASSWORD")
    monkeypatch.delenv("BEDESTEN_PEPPER")
    outcome = bedesten.run("tenants", "list", "--json")
    assert outcome.document == {"tenants": [], "nextCursor": None}
    assert outcome.err.splitlines() == [
        "bedesten: BEDESTEN_TRUSTED_PROXY is not a setting and has no effect; did you mean BEDESTEN_TRUSTED_PROXIES?",
        "bedesten: BEDESTEN_XYZZY is not a setting and has no effect",
    ]


@pytest.mark.parametrize("module", ["typer", "bedesten.cli.audit", "sqlalchemy", "bedesten.core.money"])
def test_ctrl_c_during_imports_ends_quietly_with_130(shop: Program, module: str) -> None:
    script = (
        "import signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        f"sys.argv[1:] = ['audit', 'verify', *{shop.where!r}]\n"
        "from bedesten.__main__ import start\n"
        "sys.exit(start())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_environment_selects_the_installation(shop: Program, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bedesten", "tenants", "list", "--json"],
        env={**ENVIRONMENT, "BEDESTEN_DATA": str(shop.data)},
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [one["name"] for one in json.loads(done.stdout)["tenants"]] == ["shop"]


@pytest.mark.parametrize("arguments", [["tenants", "list"], ["tenants", "list", "--json"], ["--help"]])
def test_a_closed_pipe_causes_no_traceback(shop: Program, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "bedesten", *arguments, *([] if arguments == ["--help"] else shop.where)],
        env=ENVIRONMENT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_help_imports_neither_the_store_nor_http() -> None:
    script = (
        "import sys; from bedesten.cli import main; main(['--help']); "
        "heavy = {'sqlalchemy', 'pydantic', 'alembic', 'granian', 'bedesten.server.build'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert all(noun in done.stdout for noun in NOUNS)


def test_a_list_imports_neither_the_surfaces_nor_the_migrations(shop: Program) -> None:
    script = (
        f"import sys; from bedesten.cli import main; main(['tenants', 'list', '--json', *{shop.where!r}]); "
        "heavy = {'psycopg', 'alembic', 'granian', 'structlog', 'bedesten.server.build'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout)["tenants"][0]["name"] == "shop"
