"""Lists that come in pages: `--limit`, `--cursor` and `nextCursor`."""

import pytest

from bedesten.errors import BAD_REQUEST
from tests.support.cli_program import Program

NAMES = ["One", "Two", "Three", "Four", "Five"]


def make(shop: Program, noun: str) -> None:
    for name in NAMES:
        if noun == "tenants":
            shop.run_json(noun, "create", name, "--host", f"{name}.example.org".lower())
            shop.run_json(noun, "access", name, "--deny", "payment")
        elif noun == "partners":
            shop.run_json(noun, "create", "--tenant", "shop", "--email", f"{name}@partner.example")
        else:
            shop.run_json(noun, "create", name, "--tenant", "shop")


@pytest.mark.parametrize("noun", ["tenants", "partners", "suppliers", "integrations"])
def test_pages_put_together_are_the_whole_list(shop: Program, noun: str) -> None:
    make(shop, noun)
    command = (noun, "list", *(() if noun == "tenants" else ("--tenant", "shop")))
    whole = shop.run_json(*command)
    assert whole["nextCursor"] is None
    assert len(whole[noun]) == 5 + (noun == "tenants")
    found, sizes = [], []
    cursor: str | None = ""
    while cursor is not None:
        page = shop.run_json(*command, "--limit", "2", "--cursor", cursor)
        found += page[noun]
        sizes.append(len(page[noun]))
        cursor = page["nextCursor"]
    assert found == whole[noun]
    assert sizes in ([2, 2, 1], [2, 2, 2])
    first = shop.run(*command, "--limit", "2")
    assert first.out.splitlines()[-1] == f"There are more: add --cursor {found[1]['id']}"
    assert "There are more" not in shop.run(*command).out
    for limit in ("0", "10001", "x"):
        assert shop.run(*command, "--limit", limit).code == 2
    assert BAD_REQUEST.number == shop.run(*command, "--limit", "0", "--json").document["error"]["code"]


def test_a_page_of_tenants_has_the_hosts_and_switches_of_each(shop: Program) -> None:
    make(shop, "tenants")
    (shown,) = shop.run_json("tenants", "list", "--limit", "1")["tenants"]
    assert (shown["name"], shown["hosts"], shown["access"]) == ("shop", ["api.shop.example", "localhost"], {})
    page = shop.run_json("tenants", "list", "--limit", "2", "--cursor", shown["id"])["tenants"]
    assert [(one["name"], one["hosts"], list(one["access"].values())) for one in page] == [
        ("One", ["one.example.org"], [False]),
        ("Two", ["two.example.org"], [False]),
    ]


def test_a_catalogue_is_whole_without_a_limit_and_each_page_is_a_file_for_import(shop: Program) -> None:
    names = b"sku,name,lowStock\n" + b"".join(f"{name},{name},1\n".encode() for name in NAMES)
    shop.run_json("products", "import", "-", "--tenant", "shop", stdin=names)
    command = ("products", "list", "--tenant", "shop")
    whole = shop.run_json(*command)
    assert (len(whole["products"]), whole["nextCursor"]) == (5, None)
    found = []
    cursor: str | None = ""
    while cursor is not None:
        outcome = shop.run(*command, "--limit", "2", "--cursor", cursor, "--low", "--json")
        found += outcome.document["products"]
        done = shop.run_json("products", "import", "-", "--tenant", "shop", stdin=outcome.out.encode())
        assert done["unchanged"] == len(outcome.document["products"])
        cursor = outcome.document["nextCursor"]
    assert found == whole["products"]


def test_setting_prices_returns_the_products_concerned(shop: Program) -> None:
    shop.run_json("products", "import", "-", "--tenant", "shop", stdin=b"sku,name\na,A\nb,B\nc,C\n")
    done = shop.run_json("products", "prices", "--tenant", "shop", "c=2", "a=1")
    assert [(one["sku"], str(one["price"])) for one in done["products"]] == [("a", "1.00"), ("c", "2.00")]


@pytest.mark.parametrize(
    ("command", "member"),
    [
        ("products stock list", "batches"),
        ("products proposals list", "proposals"),
        ("payments list", "payments"),
        ("payments refunds", "refunds"),
        ("payments events", "events"),
        ("complaints list", "complaints"),
        ("deposits list", "deposits"),
        ("checkouts list", "checkouts"),
        ("money pending", "moneyOrders"),
        ("mail list", "mails"),
        ("orders list", "orders"),
        ("orders limits list", "limits"),
        ("webhooks endpoints", "endpoints"),
        ("webhooks deliveries", "deliveries"),
        ("suppliers quality", "suppliers"),
    ],
)
def test_every_list_of_a_tenant_has_pages(shop: Program, command: str, member: str) -> None:
    found = shop.run_json(*command.split(), "--tenant", "shop", "--limit", "2", "--cursor", "x")
    assert (found[member], found["nextCursor"]) == ([], None)
    assert shop.run(*command.split(), "--tenant", "shop", "--limit", "0").code == 2


def test_pages_of_staff_and_of_batches_go_on_where_they_ended(shop: Program) -> None:
    for name in NAMES[:3]:
        shop.run_json("staff", "create", "--email", f"{name}@shop.example", "--role", "support")
        shop.run_json("products", "import", "-", "--tenant", "shop", stdin=f"sku,name\n{name},{name}\n".encode())
        shop.run_json("products", "stock", name, "-", "--tenant", "shop", "--yes", stdin=f"CODE-{name}-1".encode())
    for command, member, key in (
        (("staff", "list"), "staff", "email"),
        (("products", "stock", "list", "--tenant", "shop"), "batches", "product"),
    ):
        first = shop.run_json(*command, "--limit", "2")
        assert first["nextCursor"] == first[member][1]["id"]
        rest = shop.run_json(*command, "--limit", "2", "--cursor", first["nextCursor"])
        shown = [one[key].partition("@")[0].lower() for one in (*first[member], *rest[member])]
        assert (shown, rest["nextCursor"]) == (["one", "two", "three"], None)
        assert shop.run(*command, "--limit", "2").out.splitlines()[-1] == (
            f"There are more: add --cursor {first['nextCursor']}"
        )
