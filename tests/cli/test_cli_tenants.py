"""`bedesten tenants`."""

import pytest

from tests.support.cli_program import Program


def test_a_tenant_is_created_and_listed(bedesten: Program) -> None:
    made = bedesten.run_json(
        "tenants", "create", "Acme", "--host", "API.acme.example.", "--currency", "try", "--sandbox"
    )
    assert set(made) == {"id", "name", "hosts", "sandbox", "currency", "alike"}
    assert made["id"].startswith("ten_")
    assert (made["name"], made["hosts"], made["sandbox"], made["currency"]) == (
        "Acme",
        ["api.acme.example"],
        True,
        "TRY",
    )
    (listed,) = bedesten.run_json("tenants", "list")["tenants"]
    assert listed["id"] == made["id"]
    assert listed["region"] == "GLOBAL"
    assert listed["tokenLifetimeSeconds"] == {"reseller": 3600, "storefront": 1800}
    assert listed["tokenIdleSeconds"] == {"reseller": None, "storefront": None}
    assert (listed["suspended"], listed["access"]) == (False, {})


def test_the_text_is_a_table_of_names(shop: Program) -> None:
    shop.run_json("tenants", "create", "[bold]brackets", "--host", "b.example.org")
    outcome = shop.run("tenants", "list")
    assert outcome.code == 0
    header, *rows = outcome.out.splitlines()
    assert header.split()[:3] == ["Name", "Id", "Hosts"]
    assert [row.split()[0] for row in rows] == ["shop", "[bold]brackets"]
    assert "api.shop.example localhost" in rows[0]


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        (["shop", "--host", "x.example.org"], -8, "name"),
        (["new", "--host", "localhost"], -8, "host"),
        (["new", "--host", "*.example.org"], -2, "host"),
        (["new", "--host", "10.0.0.1"], -2, "host"),
        (["new", "--host", "single"], -2, "host"),
        (["new", "--host", "com.tr"], -2, "host"),
        (["new", "--host", "x.example.org", "--currency", "XXX"], -2, "currency"),
        (["new", "--host", "x.example.org", "--region", "?"], -2, "region"),
        (["a\tb", "--host", "x.example.org"], -2, "name"),
    ],
)
def test_invalid_values_are_refused_and_change_nothing(
    shop: Program, arguments: list[str], code: int, field: str
) -> None:
    error = shop.run_error("tenants", "create", *arguments)
    assert error["code"] == code
    assert list(error["fields"]) == [field]
    assert [one["name"] for one in shop.run_json("tenants", "list")["tenants"]] == ["shop"]


def test_hosts_are_printed_as_they_are_stored(bedesten: Program) -> None:
    outcome = bedesten.run("tenants", "create", "shop", "--host", "Shop.Example:8080")
    assert outcome.out.endswith(" is served on shop.example.\n")


def test_hosts_are_added_and_removed_in_any_spelling(shop: Program) -> None:
    changed = shop.run_json("tenants", "hosts", "shop", "--add", "B.Example.org", "--remove", "API.shop.example.")
    assert changed["hosts"] == ["b.example.org", "localhost"]
    assert shop.run_json("tenants", "hosts", changed["id"]) == changed
    assert shop.run_error("tenants", "hosts", "shop", "--remove", "c.example.org")["code"] == -3


def test_adding_and_removing_hosts_is_one_change(shop: Program) -> None:
    error = shop.run_error("tenants", "hosts", "shop", "--add", "b.example.org", "--remove", "c.example.org")
    assert error["code"] == -3
    assert shop.run_json("tenants", "hosts", "shop")["hosts"] == ["api.shop.example", "localhost"]


def test_a_tenant_is_suspended_and_resumed_by_name_or_id(shop: Program) -> None:
    suspended = shop.run_json("tenants", "suspend", "shop")
    assert suspended["suspended"] is True
    assert shop.run_json("tenants", "list")["tenants"][0]["suspended"] is True
    assert shop.run_json("tenants", "resume", suspended["id"]) == {"id": suspended["id"], "suspended": False}
    assert shop.run_error("tenants", "suspend", "nobody") == {
        "code": -3,
        "message": "no tenant 'nobody'",
        "fields": {"tenant": "there is no such tenant"},
    }


def test_token_lifetimes_are_set_for_each_surface(shop: Program) -> None:
    after = shop.run_json("tenants", "set", "shop", "--token-lifetime", "Reseller=2h", "--token-idle", "storefront=30m")
    assert after["tokenLifetimeSeconds"] == {"reseller": 7200, "storefront": 1800}
    assert after["tokenIdleSeconds"] == {"reseller": None, "storefront": 1800}
    off = shop.run_json("tenants", "set", "shop", "--token-idle", "storefront=off")
    assert off["tokenIdleSeconds"] == {"reseller": None, "storefront": None}
    assert shop.run_json("tenants", "list")["tenants"] == [off]


def test_leniency_is_switched_by_the_operator(shop: Program) -> None:
    assert shop.run_json("tenants", "list")["tenants"][0]["lenient"] is False
    assert shop.run_json("tenants", "set", "shop", "--lenient")["lenient"] is True
    assert shop.run_json("tenants", "set", "shop", "--token-lifetime", "Reseller=2h")["lenient"] is True
    assert shop.run_json("tenants", "set", "shop", "--strict")["lenient"] is False


@pytest.mark.parametrize("option", ["--token-lifetime", "--token-idle"])
def test_surfaces_without_tokens_have_no_token_lifetime(shop: Program, option: str) -> None:
    assert shop.run_error("tenants", "set", "shop", option, "payment=1h")["code"] == -2


@pytest.mark.parametrize("text", ["reseller", "reseller=", "reseller=soon", "reseller=-1s", "nobody=1h"])
def test_a_malformed_token_lifetime_is_wrong_usage(shop: Program, text: str) -> None:
    assert shop.run("tenants", "set", "shop", "--token-lifetime", text).code == 2
    assert shop.run("tenants", "set", "shop").code == 2


def test_access_takes_surfaces_endpoints_and_aliases_in_any_case(shop: Program) -> None:
    changed = shop.run_json(
        "tenants", "access", "shop", "--deny", "SUPPLIER", "--allow", "post  /supplier/products/list",
        "--deny", "POST /Order/Create", "--deny", "get /order/detail/{id}",
    )  # fmt: skip
    assert changed["access"] == {
        "supplier": False,
        "POST /Supplier/Products/List": True,
        "POST /Orders/Create": False,
        "GET /Orders/Detail/{orderDetailId}": False,
    }
    assert shop.run_json("tenants", "access", "shop") == changed
    assert shop.run_json("tenants", "list")["tenants"][0]["access"] == changed["access"]
    again = shop.run_json("tenants", "access", "shop", "--allow", "supplier")
    assert again["access"]["supplier"] is True


@pytest.mark.parametrize(
    "target",
    ["suppliers", "/Supplier/Products/List", "GET /Supplier/Products/List", "", "GET /documentation/guides/{name}"],
)
def test_an_unknown_endpoint_is_refused_with_the_known_ones(shop: Program, target: str) -> None:
    error = shop.run_error("tenants", "access", "shop", "--deny", target)
    assert error["code"] == -2
    assert "reseller, storefront, payment, supplier, " in error["message"]
    assert "POST /Supplier/Products/List" in error["message"]
    assert shop.run_json("tenants", "access", "shop")["access"] == {}


def test_a_target_that_is_both_denied_and_allowed_is_refused(shop: Program) -> None:
    error = shop.run_error("tenants", "access", "shop", "--deny", "supplier", "--allow", "Supplier")
    assert error["fields"] == {"access": "supplier is both denied and allowed"}


@pytest.mark.requirement(222)
def test_a_name_of_the_admin_listener_cannot_be_a_tenants_host(shop: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEDESTEN_ADMIN_NAMES", '["ops.example.org"]')
    for arguments in (
        ("create", "new", "--host", "OPS.example.org:8081"),
        ("hosts", "shop", "--add", "ops.example.org."),
    ):
        error = shop.run_error("tenants", *arguments)
        assert (error["code"], error["fields"]) == (-2, {"host": "a name of the operator's own"})
    assert shop.run_json("tenants", "hosts", "shop", "--add", "b.ops.example.org")["hosts"][-1] == "localhost"


@pytest.mark.parametrize("name", ["SHOP", " shop ", "ｓｈｏｐ"])
def test_a_name_that_reads_like_another_tenants_is_a_duplicate(shop: Program, name: str) -> None:
    error = shop.run_error("tenants", "create", name, "--host", "x.example.org")
    assert (error["code"], list(error["fields"])) == (-8, ["name"])
    assert [one["name"] for one in shop.run_json("tenants", "list")["tenants"]] == ["shop"]


@pytest.mark.parametrize("name", ["-", " ", "\u200b", "a\u202eb", "a\nb", "ten_01jdqe5m7yx0c1v8k2n3p4r5s6", "a" * 101])
def test_an_invalid_name_is_refused(shop: Program, name: str) -> None:
    error = shop.run_error("tenants", "create", name, "--host", "x.example.org")
    assert (error["code"], list(error["fields"])) == (-2, ["name"])


def test_a_tenant_is_found_by_any_spelling_of_its_name(shop: Program) -> None:
    (listed,) = shop.run_json("tenants", "list")["tenants"]
    for name in ("SHOP", " Shop", listed["id"]):
        assert shop.run_json("tenants", "suspend", name)["id"] == listed["id"]


def test_a_similar_name_of_another_tenant_is_reported(shop: Program) -> None:
    made = shop.run_json("tenants", "create", "\u0455h\u043e\u0440", "--host", "x.example.org")
    assert made["alike"] == ["shop"]
    outcome = shop.run("tenants", "create", "sh0p", "--host", "y.example.org")
    assert (outcome.code, "Its name is similar to that of shop, \u0455h\u043e\u0440." in outcome.out) == (0, True)
    assert shop.run_json("tenants", "create", "Other", "--host", "z.example.org")["alike"] == []


def test_the_region_of_a_tenant_is_changed(shop: Program) -> None:
    assert shop.run_json("tenants", "set", "shop", "--region", "eu")["region"] == "EU"
    assert shop.run_error("tenants", "set", "shop", "--region", "?")["code"] == -2
