"""`bedesten suppliers`, `integrations`, `keys`, `tokens` and `webhooks`."""

import json
from contextlib import closing
from typing import Any

import pytest

from bedesten.store import sqlite_file
from tests.support.cli_program import Program

SESSION = "ses_" + "0a1b2c3d4e5f6g7h8j9k0mnpqr"
OTHER = SESSION[:-1] + "s"
JTI = f"{SESSION}-0a1b2c3d4e5f6071"


def make(shop: Program, *more: str) -> Any:
    return shop.run_json(
        "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme", "--create-owner", *more
    )


def keys(shop: Program) -> Any:
    return shop.run_json("keys", "list", "--tenant", "shop")["keys"]


@pytest.mark.parametrize(("noun", "prefix"), [("suppliers", "sup_"), ("integrations", "int_")])
def test_owners_are_created_once_and_listed(shop: Program, noun: str, prefix: str) -> None:
    made = shop.run_json(noun, "create", " Acme  Codes", "--tenant", "shop")
    assert made["id"].startswith(prefix)
    assert made["name"] == "Acme Codes", "a name has one normal form"
    (listed,) = shop.run_json(noun, "list", "--tenant", "shop")[noun]
    assert (listed["id"], listed["disabled"]) == (made["id"], False)
    error = shop.run_error(noun, "create", "acme codes", "--tenant", "shop")
    assert (error["code"], error["fields"]) == (-8, {"name": "taken"})


def test_a_key_is_shown_once_and_its_owner_is_created(shop: Program) -> None:
    made = make(shop)
    assert {"id", "key", "surface", "owner", "ownerId"} <= set(made)
    assert made["key"].startswith("ak_live_")
    assert (made["surface"], made["owner"]) == ("supplier", "Acme")
    assert shop.run_json("suppliers", "list", "--tenant", "shop")["suppliers"][0]["id"] == made["ownerId"]
    (listed,) = keys(shop)
    assert listed["id"] == made["id"]
    assert listed["hint"] == f"ak_live_…{made['key'][-4:]}"
    assert made["key"] not in json.dumps(listed)
    assert made["key"] not in shop.run("keys", "list", "--tenant", "shop").out


def test_an_unlimited_key_is_listed_as_such(shop: Program) -> None:
    make(shop)
    make(shop, "--grant", "stock:write", "--allow", "10.0.0.0/8")
    rows = shop.run("keys", "list", "--tenant", "shop").out.splitlines()[1:]
    assert [row.split()[4:6] for row in rows] == [["all", "anywhere"], ["stock:write", "10.0.0.0/8"]]


def test_an_owner_has_several_keys_on_one_surface(shop: Program) -> None:
    first, second = make(shop), make(shop)
    assert first["ownerId"] == second["ownerId"]
    by_id = shop.run_json(
        "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", first["ownerId"], "--create-owner"
    )
    assert by_id["ownerId"] == first["ownerId"]
    other = shop.run_json(
        "keys", "create", "--tenant", "shop", "--surface", "payment", "--owner", "Acme", "--create-owner"
    )
    assert other["ownerId"].startswith("int_")
    assert len(keys(shop)) == 4


def test_a_sandbox_has_test_keys(shop: Program) -> None:
    shop.run_json("tenants", "create", "play", "--host", "play.example.org", "--sandbox")
    made = shop.run_json(
        "keys", "create", "--tenant", "play", "--surface", "payment", "--owner", "Pay", "--create-owner"
    )
    assert made["key"].startswith("ak_test_")


def test_grants_networks_and_expiry_are_kept(shop: Program) -> None:
    make(shop, "--grant", "stock:write", "--grant", "orders:read", "--allow", "10.0.0.0/8", "--allow", "2001:db8::/32",
         "--expires", "2030-02-28T12:30:00Z")  # fmt: skip
    (listed,) = keys(shop)
    assert listed["grants"] == ["orders:read", "stock:write"]
    assert listed["networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert listed["expires"] == "2030-02-28T12:30:00Z"


def test_an_expiry_may_be_a_duration(shop: Program) -> None:
    made = make(shop, "--expires", "30d")
    assert made["expires"] == keys(shop)[0]["expires"]
    assert made["expires"] > keys(shop)[0]["created"]


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        (["--grant", "deposits:manage"], -2, "grant"),
        (["--allow", "10.0.0.1/8"], -2, "allow"),
        (["--expires", "2020-01-01T00:00:00Z"], -2, "expires"),
    ],
)
def test_an_invalid_key_is_refused_and_leaves_no_owner(shop: Program, more: list[str], code: int, field: str) -> None:
    error = shop.run_error(
        "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme", "--create-owner", *more
    )
    assert (error["code"], list(error["fields"])) == (code, [field])
    assert shop.run_json("suppliers", "list", "--tenant", "shop")["suppliers"] == []


@pytest.mark.parametrize("more", [["--expires", "soon"], ["--expires", "2030-13-01T00:00:00Z"], ["--expires", "30"]])
def test_a_malformed_expiry_is_wrong_usage(shop: Program, more: list[str]) -> None:
    outcome = shop.run(
        "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme", "--create-owner", *more
    )
    assert outcome.code == 2
    assert "yyyy-MM-ddTHH:mm:ssZ" in outcome.err


@pytest.mark.parametrize("surface", ["reseller", "storefront", "keys"])
def test_keys_exist_on_two_surfaces_only(shop: Program, surface: str) -> None:
    outcome = shop.run("keys", "create", "--tenant", "shop", "--surface", surface, "--owner", "Acme", "--create-owner")
    assert outcome.code == 2
    assert "payment, supplier" in outcome.err


def test_a_key_is_revoked_by_its_id_alone(shop: Program) -> None:
    made, kept = make(shop), make(shop)
    assert shop.run_json("keys", "revoke", made["id"]) == {"id": made["id"], "revoked": True, "changed": True}
    assert shop.run_json("keys", "revoke", made["id"]) == {"id": made["id"], "revoked": True, "changed": False}
    revoked = {one["id"]: one["revoked"] is not None for one in keys(shop)}
    assert revoked == {made["id"]: True, kept["id"]: False}
    with closing(sqlite_file.connect(shop.data / "bedesten.db")) as fresh:
        assert fresh.execute("SELECT key_id FROM key_secrets").fetchall() == [(kept["id"],)]


def test_revoking_the_previous_secret_leaves_the_present_one(shop: Program) -> None:
    made = make(shop)
    assert shop.run_json("keys", "revoke", made["id"], "--previous")["changed"] is False
    assert keys(shop)[0]["revoked"] is None


def test_an_unknown_key_cannot_be_revoked(shop: Program) -> None:
    error = shop.run_error("keys", "revoke", "key_0000")
    assert (error["code"], error["fields"]) == (-3, {"key": "there is no such key"})


@pytest.mark.parametrize("verb", ["revoke", "rotate", "usage"])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_api_key_instead_of_its_id_is_refused_and_not_printed(shop: Program, verb: str, more: list[str]) -> None:
    key = make(shop)["key"]
    for given in (key, f" {key}", key[:-1]):
        outcome = shop.run("keys", verb, given, *more)
        assert outcome.code == 1
        assert "keys leaked --stdin" in outcome.out + outcome.err
        assert key[8:20] not in outcome.out + outcome.err
    assert keys(shop)[0]["revoked"] is None


def test_an_api_key_in_any_argument_is_not_printed(shop: Program) -> None:
    key = make(shop)["key"]
    for arguments in (("keys", "leaked", key), ("tenants", "suspend", key), ("tenants", "list", f"--{key}")):
        for more in ([], ["--json"]):
            outcome = shop.run(*arguments, *more)
            assert outcome.code in (1, 2)
            assert key not in outcome.out + outcome.err


def test_a_misspelt_owner_creates_neither_owner_nor_key(shop: Program) -> None:
    shop.run_json("suppliers", "create", "Acme Codes", "--tenant", "shop")
    create = ("keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner")
    bring = ("keys", "import", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme Code")
    for refused in (shop.run_error(*create, "Acme Code"), shop.run_error(*bring, stdin=b"ab" * 32)):
        assert (refused["code"], list(refused["fields"])) == (-3, ["owner"])
        assert "is 'Acme Codes' meant?" in refused["message"]
    assert "--create-owner" in shop.run_error(*create, "Somebody else")["message"]
    assert [one["name"] for one in shop.run_json("suppliers", "list", "--tenant", "shop")["suppliers"]] == [
        "Acme Codes"
    ]
    assert keys(shop) == []
    assert shop.run_json(*create, "ACME codes")["ownerMade"] is False


def test_a_created_owner_is_mentioned(shop: Program) -> None:
    create = ("keys", "create", "--tenant", "shop", "--surface", "supplier", "--create-owner", "--owner")
    assert "The supplier Acme did not exist and was created." in shop.run(*create, "Acme").out
    assert "was made" not in shop.run(*create, "ACME ").out
    assert shop.run_json(*create, "acme")["ownerMade"] is False
    assert shop.run_json(*create, "Acme Code")["ownerMade"] is True
    bring = ("keys", "import", "--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner")
    assert shop.run(*bring, stdin=b"ab" * 32).out.splitlines() == [
        "1 API key of Pay imported. Each becomes an ordinary API key with its first use.",
        "The integration Pay did not exist and was created.",
    ]
    assert shop.run_json(*bring, stdin=b"cd" * 32)["ownerMade"] is False


def test_tokens_are_revoked_by_subject_token_or_all(shop: Program) -> None:
    partner = shop.run_json("partners", "create", "--tenant", "shop", "--email", "p@partner.example")
    revoke = ("tokens", "revoke", "--tenant", "shop")
    by_email = shop.run_json(*revoke, "--subject", "P@partner.example")
    assert by_email == {"revoked": {"subject": "P@partner.example", "accounts": [partner["id"]]}}
    assert shop.run_json(*revoke, "--subject", partner["id"])["revoked"]["accounts"] == [partner["id"]]
    assert shop.run_json(*revoke, "--jti", JTI, "--only-this") == {"revoked": {"jti": JTI}}
    assert shop.run_json(*revoke, "--jti", JTI) == {"revoked": {"jti": JTI, "session": SESSION}}
    assert shop.run_json(*revoke, "--session", OTHER) == {"revoked": {"session": OTHER}}
    assert shop.run_json(*revoke, "--session", OTHER) == {"revoked": {"session": OTHER}}
    assert shop.run_json(*revoke, "--all") == {"revoked": {"all": True}}
    with closing(sqlite_file.connect(shop.data / "bedesten.db")) as fresh:
        assert fresh.execute("SELECT count(*) FROM accounts WHERE token_version > 2").fetchall() == [(1,)]
        assert fresh.execute("SELECT count(*) FROM tenants WHERE token_version > 1").fetchall() == [(1,)]
        assert fresh.execute("SELECT jti FROM revoked_tokens").fetchall() == [(JTI,)]
        ended = fresh.execute("SELECT sid FROM revoked_sessions ORDER BY sid").fetchall()
        assert ended == [(SESSION,), (OTHER,)]
        kinds = [kind for (kind,) in fresh.execute("SELECT kind FROM changes ORDER BY seq").fetchall()]
    assert kinds[-6:] == ["account", "account", "token", "session", "session", "tenant"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--subject", "nobody@partner.example"], -3),
        (["--jti", "nonexist"], -2),
        (["--jti", ""], -2),
        (["--jti", SESSION], -2),
        (["--session", JTI], -2),
    ],
)
def test_a_malformed_token_selection_is_refused(shop: Program, more: list[str], code: int) -> None:
    assert shop.run_error("tokens", "revoke", "--tenant", "shop", *more)["code"] == code


def test_the_text_states_which_tokens_are_revoked(shop: Program) -> None:
    partner = shop.run_json("partners", "create", "--tenant", "shop", "--email", "p@partner.example")
    revoke = ("tokens", "revoke", "--tenant", "shop")
    for more, what in [
        (["--jti", JTI], f"Every bearer token of session {SESSION}"),
        (["--session", SESSION], f"Every bearer token of session {SESSION}"),
        (["--jti", JTI, "--only-this"], f"The bearer token {JTI}"),
    ]:
        assert shop.run(*revoke, *more).out == (
            f"{what} is refused from now on. The command does not check whether it exists.\n"
        )
    for more, whose in [
        (["--subject", "p@partner.example"], partner["id"]),
        (["--surface", "storefront"], "the storefront surface of shop"),
        (["--all"], "shop"),
    ]:
        assert shop.run(*revoke, *more).out == (
            f"Every bearer token of {whose} that was issued before now is revoked.\n"
        )


@pytest.mark.parametrize(
    "more",
    [[], ["--all", "--jti", "a"], ["--jti", "a", "--subject", "b"], ["--jti", "a", "--session", "b"],
     ["--session", "b", "--only-this"], ["--all", "--only-this"]],
)  # fmt: skip
def test_tokens_are_selected_in_exactly_one_way(shop: Program, more: list[str]) -> None:
    assert shop.run("tokens", "revoke", "--tenant", "shop", *more).code == 2


def test_private_networks_are_allowed_and_denied(bedesten: Program) -> None:
    assert bedesten.run_json("webhooks", "allow") == {"networks": []}
    assert bedesten.run_json("webhooks", "allow", "10.1.0.0/16", "fd00::/8") == {
        "networks": ["10.1.0.0/16", "fd00::/8"]
    }
    assert bedesten.run_json("webhooks", "allow", "10.1.0.0/16", "127.0.0.1")["networks"] == [
        "10.1.0.0/16", "fd00::/8", "127.0.0.1/32",
    ]  # fmt: skip
    assert bedesten.run_json("webhooks", "deny", "10.1.0.0/16", "127.0.0.1/32") == {"networks": ["fd00::/8"]}
    assert bedesten.run_error("webhooks", "allow", "10.1.0.0/8")["code"] == -2
    assert bedesten.run_json("webhooks", "allow")["networks"] == ["fd00::/8"]


@pytest.mark.parametrize("far", ["3000000d", "999999999d", "99999999999999999999d"])
def test_an_expiry_out_of_range_is_wrong_usage_everywhere(shop: Program, far: str) -> None:
    owner = ("--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner")
    for words, stdin in (
        (("keys", "create", *owner, "--expires", far), b""),
        (("keys", "import", *owner, "--expires", far), b"ab" * 32),
        (("keys", "rotate", "key_x", "--grace", far), b""),
        (("tenants", "set", "shop", "--token-lifetime", f"reseller={far}"), b""),
        (("tenants", "set", "shop", "--token-idle", f"reseller={far}"), b""),
        (("audit", "tail", "--since", far), b""),
    ):
        outcome = shop.run(*words, stdin=stdin)
        assert (outcome.code, "Traceback" in outcome.err) == (2, False), words
        assert "36500d" in outcome.err, words


def test_the_last_representable_time_is_a_valid_expiry(shop: Program) -> None:
    owner = ("--tenant", "shop", "--surface", "payment", "--owner", "Pay", "--create-owner")
    last = "9999-12-31T23:59:59Z"
    made = shop.run_json("keys", "create", *owner, "--expires", last)
    assert made["expires"] == last
    assert [one["ends"] for one in shop.run_json("keys", "list", "--tenant", "shop")["keys"]] == [last]
    assert shop.run_json("keys", "usage", made["id"])["expires"] == last
    assert len(shop.run("audit", "tail", "--since", "36500d", "--json").out.splitlines()) > 1
