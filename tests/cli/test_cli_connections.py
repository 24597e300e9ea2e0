"""`bedesten suppliers connect …`: a supplier that is called, from the operator's side."""

from collections.abc import Iterator

import pytest

from tests.support.cli_program import Program
from tests.support.supplier_double import ACCOUNT, CREDENTIAL, PRODUCT, SupplierDouble, supplier_double

TENANT = ("--tenant", "shop")
CONNECT = ("suppliers", "connect", "Acme", *TENANT, "--adapter", "bamboo", "--account", ACCOUNT, "--credential-stdin")


@pytest.fixture
def double() -> Iterator[SupplierDouble]:
    with supplier_double() as made:
        yield made


@pytest.fixture
def called(shop: Program) -> Program:
    """A shop with a supplier and a product."""
    shop.run_json("suppliers", "create", "Acme", *TENANT)
    shop.run_json("products", "import", "-", *TENANT, stdin=b"sku,name,price\nc-1,Card,1\n")
    return shop


def connect(shop: Program, double: SupplierDouble, credential: str = CREDENTIAL) -> object:
    shop.run_json("webhooks", "allow", "127.0.0.0/8")
    return shop.run_json(*CONNECT, "--url", double.url, stdin=f"{credential}\n".encode())


def test_a_connection_is_made_shown_and_ended_and_its_credential_is_never_shown(
    called: Program, double: SupplierDouble
) -> None:
    connect(called, double)
    called.run_json(
        "suppliers", "map-product", "Acme", *TENANT, "--product", "c-1", "--id", PRODUCT, "--face-value", "10"
    )
    outcome = called.run("suppliers", "connection", "show", "Acme", *TENANT, "--json")
    shown = outcome.document
    assert (shown["adapter"], shown["url"], shown["account"]) == ("bamboo", double.url, ACCOUNT)
    assert [(one["sku"], one["id"], one["faceValue"]) for one in shown["products"]] == [("c-1", PRODUCT, 10)]
    assert shown["credentialStored"] is True
    text = called.run("suppliers", "connection", "show", "Acme", *TENANT).out
    for secret in CREDENTIAL.split(":"):
        assert secret not in outcome.out + text
    assert called.run_json("suppliers", "disconnect", "Acme", *TENANT)["ended"] is not None


def test_a_connection_is_tested_by_a_call_that_buys_nothing(called: Program, double: SupplierDouble) -> None:
    connect(called, double)
    tested = called.run("suppliers", "connection", "test", "Acme", *TENANT, "--json")
    assert (tested.code, tested.document) == (0, {"works": True, "problem": None})
    connect(called, double, "client-7:wrong")
    tested = called.run("suppliers", "connection", "test", "Acme", *TENANT, "--json")
    assert (tested.code, tested.document["problem"]) == (1, "the supplier refuses the credential")
    assert (double.orders, double.calls) == ({}, ["accounts", "accounts"])


@pytest.mark.parametrize(
    ("arguments", "stdin", "fields"),
    [
        (("--adapter", "other"), CREDENTIAL, {"adapter"}),
        (("--url", "ftp://supplier.example"), CREDENTIAL, {"url"}),
        (("--url", "http://supplier.example"), CREDENTIAL, {"url"}),
        (("--url", "https://10.0.0.1/"), CREDENTIAL, {"url"}),
        (("--url", "https://user:pw@supplier.example"), CREDENTIAL, {"url"}),
        (("--url", "https://supplier.example/?key=1"), CREDENTIAL, {"url"}),
        (("--account", "abc"), CREDENTIAL, {"account"}),
        ((), "no-colon", {"credential"}),
        ((), "", {"credential"}),
        ((), "a:" + "b" * 2_000, {"credential"}),
        ((), "client:secr\u00e9t", {"credential"}),
    ],
)
def test_a_connection_that_cannot_work_is_refused(
    called: Program, arguments: tuple[str, ...], stdin: str, fields: set[str]
) -> None:
    url = () if "--url" in arguments else ("--url", "https://supplier.example/")
    outcome = called.run(*CONNECT, *url, *arguments, "--json", stdin=f"{stdin}\n".encode())
    error = outcome.document["error"]
    assert (outcome.code, error["code"], set(error["fields"])) == (1, -2, fields)
    assert not stdin or stdin not in outcome.out


def test_a_credential_is_never_an_argument(called: Program) -> None:
    outcome = called.run(*CONNECT[:-1], "--url", "https://supplier.example/")
    assert outcome.code == 2
    assert "standard input" in outcome.err


@pytest.mark.parametrize(
    "arguments", [("--id", "abc", "--face-value", "5"), ("--id", "7"), ("--id", "7", "--face-value", "0")]
)
def test_an_impossible_product_id_is_refused(
    called: Program, double: SupplierDouble, arguments: tuple[str, ...]
) -> None:
    connect(called, double)
    outcome = called.run("suppliers", "map-product", "Acme", *TENANT, "--product", "c-1", *arguments, "--json")
    assert (outcome.code, outcome.document["error"]["code"]) == (1, -2)


def test_a_supplier_without_a_connection_has_none_to_show(called: Program) -> None:
    for command in (("connection", "show"), ("connection", "test"), ("disconnect",)):
        outcome = called.run("suppliers", *command, "Acme", *TENANT, "--json")
        assert (outcome.code, outcome.document["error"]["code"]) == (1, -3)
