"""Logins (contract section 2): one answer to every fault, and no right is granted because a body requests it."""

import base64
import json
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bedesten.gate.scopes import SCOPES, Surface
from tests.support.client import Client, bearer, claims_of
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site
from tests.support.wire import Answer

PARTNERS, CUSTOMERS = "/Login/Customer/Api/Verify", "/Storefront/Customers/Login"
SURFACES = {PARTNERS: Surface.RESELLER, CUSTOMERS: Surface.STOREFRONT}
both = pytest.mark.parametrize("path", [PARTNERS, CUSTOMERS])


def email_of(shop: Shop, path: str) -> str:
    """The address of the shop's partner or customer."""
    return shop.partner_email if path == PARTNERS else shop.customer_email


def newcomer(shop: Shop, path: str, **how: Any) -> str:
    """A fresh account's address."""
    email = f"{fresh('login')}@example.com"
    shop.operator.account(shop.id, "partner" if path == PARTNERS else "customer", email, **how)
    return email


# --- what a token contains --------------------------------------------------------------------------------------------


@pytest.mark.requirement(56)
@both
def test_a_token_names_account_tenant_surface_and_scopes_and_nothing_private(shop: Shop, path: str) -> None:
    given = shop.client().data(path, {"email": email_of(shop, path), "password": PASSWORD})
    claims = claims_of(given["token"])
    header = json.loads(base64.urlsafe_b64decode(given["token"].split(".")[0] + "=="))

    assert (header["alg"], header["typ"], sorted(header)) == ("HS256", "JWT", ["alg", "kid", "typ"])
    assert claims["iss"] == shop.operator.installation.issuer
    assert claims["aud"] == SURFACES[path].value
    assert claims["sub"] == (shop.partner if path == PARTNERS else shop.customer)
    assert claims["tenant"] == shop.id
    assert set(claims["scope"].split(" ")) == SCOPES[SURFACES[path]]
    lifetime = {PARTNERS: 3600, CUSTOMERS: 1800}[path]
    assert lifetime * 0.95 <= claims["exp"] - claims["iat"] <= lifetime
    assert isinstance(claims["jti"], str)
    private = json.dumps(claims)
    for secret in (email_of(shop, path), PASSWORD, shop.host):
        assert secret not in private


@pytest.mark.requirement(58)
@both
def test_the_expiration_in_the_answer_is_the_tokens_own(shop: Shop, path: str) -> None:
    given = shop.client().data(path, {"email": email_of(shop, path), "password": PASSWORD})

    assert given["expiration"] == _wire_time(claims_of(given["token"])["exp"])


@pytest.mark.requirement(57)
@both
def test_two_logins_never_give_the_same_token(shop: Shop, path: str) -> None:
    body = {"email": email_of(shop, path), "password": PASSWORD}
    first, second = (claims_of(shop.client().data(path, body)["token"]) for _ in range(2))

    assert first["jti"] != second["jti"]


@pytest.mark.requirement(80, 130)
@both
def test_members_of_the_body_never_reach_the_claims(shop: Shop, other_shop: Shop, path: str) -> None:
    email = newcomer(shop, path, scopes=["orders:read"])
    greedy = {
        "email": email,
        "password": PASSWORD,
        "scope": "orders:create",
        "scopes": ["orders:create"],
        "tenant": other_shop.id,
        "sub": shop.partner,
        "aud": "storefront",
        "exp": 9_999_999_999,
        "lifetime": 10**9,
        "admin": True,
    }

    claims = claims_of(shop.client().data(path, greedy)["token"])

    assert claims["scope"] == "orders:read"
    assert claims["tenant"] == shop.id
    assert claims["aud"] == SURFACES[path].value
    assert claims["exp"] - claims["iat"] <= 3600
    assert "admin" not in claims


@both
def test_other_credentials_that_come_with_a_login_are_ignored(shop: Shop, path: str) -> None:
    body = {"email": email_of(shop, path), "password": PASSWORD}
    for value in ("Bearer x.y.z", "Basic xyz", "", f"Bearer {shop.partner_token}"):
        lines = [("Authorization", value), ("Authorization", value), ("ApiKey", "ak_live_x")]
        assert shop.client().post(path, body, lines).status == 200


@pytest.mark.requirement(131)
@both
def test_the_response_is_not_cached_and_the_token_is_only_in_its_body(shop: Shop, path: str) -> None:
    answer = shop.client().post(path, {"email": email_of(shop, path), "password": PASSWORD})
    refused = shop.client().post(path, {"email": email_of(shop, path), "password": "wrong wrong wrong"})

    for one in (answer, refused):
        assert one.header("cache-control") == "no-store"
        assert one.header("set-cookie") is None
    assert answer.raw.count(answer.data["token"].encode()) == 1
    assert answer.body.count(answer.data["token"].encode()) == 1


@pytest.mark.parametrize(
    "value",
    ["null", "true", '"text"', "0", "1.50", "-0.10", "1e5", "[]", "{}", '{"Aa":{"bB":[1,"x",null]},"cC":2}',
     '"\u00e4\u4e16\U0001f600"', "123456789012345678901234567890", "12345678901234567890.123456789",
     '"</script>"', '{"callbackData":{"callbackData":1}}'],
)  # fmt: skip
def test_callback_data_is_echoed_unchanged(shop: Shop, value: str) -> None:
    body = f'{{"email":"{shop.partner_email}","password":"{PASSWORD}","CallbackData":{value}}}'

    answer = shop.client().post(PARTNERS, body.encode())

    assert answer.data["callbackData"] == json.loads(value, parse_float=Decimal)
    if value[0] not in '"{[' and "e" not in value:
        assert f'"callbackData":{value}}}'.encode() in answer.body, "to the last digit"


# --- one answer to every fault ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closed(shop: Shop) -> Shop:
    """A suspended shop."""
    made = shop.sister("dusk", "USD")
    shop.operator.suspend(made.id)
    return made


@pytest.fixture(scope="module")
def shut(shop: Shop) -> Shop:
    """A shop without logins: both surfaces are switched off."""
    made = shop.sister("dawn", "USD")
    for surface in SCOPES:
        shop.operator.switch(made.id, surface.value, False)
    return made


@pytest.mark.requirement(112)
@both
def test_every_cause_of_a_refused_login_has_the_same_answer(
    shop: Shop, other_shop: Shop, closed: Shop, shut: Shop, path: str
) -> None:
    kind = "partner" if path == PARTNERS else "customer"
    disabled = newcomer(shop, path)
    shop.operator.disable(shop.id, kind, _id_of(shop, path, disabled))
    other_surface = CUSTOMERS if path == PARTNERS else PARTNERS
    attempts: dict[str, tuple[Shop, str, str]] = {
        "unknown account": (shop, f"{fresh('nobody')}@example.com", PASSWORD),
        "wrong password": (shop, newcomer(shop, path), "wrong wrong wrong"),
        "no API use": (shop, newcomer(shop, path, api=False), PASSWORD),
        "disabled": (shop, disabled, PASSWORD),
        "another tenant's account": (shop, email_of(other_shop, path), PASSWORD),
        "the other surface's account": (shop, newcomer(shop, other_surface), PASSWORD),
        "suspended tenant": (closed, email_of(closed, path), PASSWORD),
        "surface switched off": (shut, email_of(shut, path), PASSWORD),
        "empty password": (shop, newcomer(shop, path), ""),
        "no address at all": (shop, "not an address", PASSWORD),
        "a password beyond all bounds R127": (shop, newcomer(shop, path), "x" * 16_000),
        "a blank behind the password R124": (shop, newcomer(shop, path), PASSWORD + " "),
        "another case of the password R124": (shop, newcomer(shop, path), PASSWORD.upper()),
        "a homograph of the address R126": (shop, newcomer(shop, path).replace("o", "\u043e", 1), PASSWORD),
        "a zero-width space in the address R126": (shop, newcomer(shop, path).replace("l", "l\u200b", 1), PASSWORD),
        "SQL for an address": (shop, "' OR 1=1 --", PASSWORD),
    }

    answers = {
        what: where.client().post(path, {"email": email, "password": password})
        for what, (where, email, password) in attempts.items()
    }

    assert {what: answer.verdict for what, answer in answers.items()} == dict.fromkeys(attempts, (400, -26))
    assert len({answer.anonymous for answer in answers.values()}) == 1


@both
def test_the_e_mail_address_is_accepted_in_any_case_and_with_surrounding_white_space(shop: Shop, path: str) -> None:
    email = newcomer(shop, path)
    for spelling in (email.upper(), f"  {email}\t", email.replace("l", "L", 1)):
        assert shop.client().post(path, {"email": spelling, "password": PASSWORD}).status == 200, spelling


@pytest.mark.requirement(127, 134)
@both
def test_an_invalid_body_is_not_a_refused_login(shop: Shop, path: str) -> None:
    email = email_of(shop, path)
    for body, fields in (
        ({}, ["email", "password"]),
        ({"email": email}, ["password"]),
        ({"email": email, "password": None}, ["password"]),
        ({"email": email, "password": 12345}, ["password"]),
        ({"email": [email], "password": PASSWORD}, ["email"]),
        ({"email": "x" * 1001, "password": PASSWORD}, ["email"]),
        ({"email": email, "password": "x" * 16_385}, ["password"]),
        ([{"email": email, "password": PASSWORD}], [""]),
    ):
        answer = shop.client().post(path, body)
        assert (*answer.verdict, answer.fields) == (400, -2, fields)
    assert shop.client().post(f"{path}?email={email}&password={PASSWORD.replace(' ', '+')}").verdict == (400, -2), (
        "R134"
    )
    assert shop.client().get(path).verdict == (405, -4)
    assert shop.client().post(path, {"email": email, "password": "x" * 1_000_000}).verdict == (413, -5), "R127"


# --- too many failures ------------------------------------------------------------------------------------------------


def fail_until_told_to_wait(client: Client, path: str, *spellings: str) -> tuple[int, Answer]:
    """The number of attempts refused with -26, and the first other response."""
    for tries in range(100):
        answer = client.post(path, {"email": spellings[tries % len(spellings)], "password": "wrong wrong wrong"})
        if answer.verdict != (400, -26):
            return tries, answer
    raise AssertionError("a hundred failures in a row, and nobody has to wait (R115)")


@pytest.mark.requirement(115, 120)
@both
def test_after_a_few_failures_known_and_unknown_accounts_have_to_wait_alike(shop: Shop, path: str) -> None:
    known, unknown = newcomer(shop, path), f"{fresh('nobody')}@example.com"

    counts = []
    for email in (known, unknown):
        tries, answer = fail_until_told_to_wait(shop.client(), path, email)
        counts.append(tries)
        assert answer.verdict == (429, -27)
        assert int(answer.header("retry-after") or "") >= 1
        assert answer.header("cache-control") == "no-store"
        right = shop.client().post(path, {"email": email, "password": PASSWORD})
        assert right.verdict == (429, -27), "the right password from another address waits as well"

    assert counts[0] == counts[1] >= 3


@pytest.mark.requirement(119)
def test_another_spelling_is_the_same_account(shop: Shop) -> None:
    email = newcomer(shop, PARTNERS)
    plain, _ = fail_until_told_to_wait(shop.client(), PARTNERS, newcomer(shop, PARTNERS))

    spelt, answer = fail_until_told_to_wait(
        shop.client(), PARTNERS, email, email.upper(), f" {email}", email.replace("l", "L", 1)
    )

    assert (spelt, answer.verdict) == (plain, (429, -27))


@pytest.mark.requirement(116)
def test_strangers_failures_do_not_lock_the_owner_out_of_where_it_logged_in_before(shop: Shop) -> None:
    email = newcomer(shop, PARTNERS)
    owner = shop.client()
    assert owner.post(PARTNERS, {"email": email, "password": PASSWORD}).status == 200

    _, answer = fail_until_told_to_wait(shop.client(), PARTNERS, email)

    assert answer.verdict == (429, -27)
    assert owner.post(PARTNERS, {"email": email, "password": PASSWORD}).status == 200


def test_failures_count_for_one_account_of_one_tenant_only(shop: Shop, other_shop: Shop) -> None:
    email = newcomer(shop, PARTNERS)
    other_shop.operator.account(other_shop.id, "partner", email)
    fail_until_told_to_wait(shop.client(), PARTNERS, email)

    assert other_shop.client().post(PARTNERS, {"email": email, "password": PASSWORD}).status == 200
    assert shop.client().post(PARTNERS, {"email": newcomer(shop, PARTNERS), "password": PASSWORD}).status == 200


# --- customers and their own accounts ---------------------------------------------------------------------------------


@pytest.mark.requirement(122, 123)
def test_registration_requires_an_e_mail_address_and_a_password_that_is_hard_to_guess(shop: Shop) -> None:
    client = shop.client()
    good = {"email": f"{fresh('reg')}@example.com", "password": "eleven sparrows on a wire"}
    for wrong, field in (
        ({"email": "nobody"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "a" * 40}, "password"),
        ({"password": "abcdefghijklmnopqrstuvwxyz"}, "password"),
        ({"password": "password password password"}, "password"),
        ({"password": "x y" * 400}, "password"),
        ({"password": f"{good['email'].title()}2024"}, "password"),
        ({"name": "Perihan Okyanuslu", "password": "perihan.okyanuslu.34"}, "password"),
        ({"name": ""}, "name"),
    ):
        answer = client.post("/Storefront/Customers/Register", {**good, **wrong})
        assert (*answer.verdict, answer.fields) == (400, -2, [field]), wrong
    assert client.post(CUSTOMERS, {"email": good["email"], "password": good["password"]}).verdict == (400, -26)


@pytest.mark.requirement(123)
def test_a_password_is_not_the_shops_name(site: Site, operator: Operator) -> None:
    shop = open_shop(site, operator, "kaplumbaga-dukkani")
    good = {"email": f"{fresh('reg')}@example.com", "password": "Kaplumbağa Dükkânı 2024!"}

    answer = shop.client().post("/Storefront/Customers/Register", good)

    assert (*answer.verdict, answer.fields) == (400, -2, ["password"])
    assert "the shop's name" in str(answer.json["errors"])


@pytest.mark.requirement(125)
def test_a_password_may_be_typed_in_either_normal_form(shop: Shop) -> None:
    email, password = f"{fresh('nfc')}@example.com", "çöreği üç kişi yedi"
    composed, decomposed = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    assert composed != decomposed

    shop.client().data("/Storefront/Customers/Register", {"email": email, "password": composed})

    assert shop.client().post(CUSTOMERS, {"email": email, "password": decomposed}).status == 200


def signed_in(shop: Shop) -> tuple[str, str, Client]:
    """A fresh customer: its e-mail address, a bearer token and a client that sends it."""
    email = newcomer(shop, CUSTOMERS)
    token = shop.client().data(CUSTOMERS, {"email": email, "password": PASSWORD})["token"]
    return email, token, shop.client(None, bearer(token))


def test_a_valid_token_is_exchanged_for_a_fresh_one_and_stays_valid(shop: Shop) -> None:
    _, token, client = signed_in(shop)

    fresh_one = client.data("/Storefront/Customers/Refresh")["token"]

    assert claims_of(fresh_one)["jti"] != claims_of(token)["jti"]
    assert claims_of(fresh_one)["sub"] == claims_of(token)["sub"]
    for one in (token, fresh_one):
        assert shop.client(None, bearer(one)).post("/Storefront/Customers/Profile").status == 200


def test_logging_out_ends_this_token_or_every_token_at_once(shop: Shop) -> None:
    email, token, client = signed_in(shop)
    second, third = (shop.client().data(CUSTOMERS, {"email": email, "password": PASSWORD})["token"] for _ in range(2))

    client.data("/Storefront/Customers/Logout")

    alive = {
        one: shop.client(None, bearer(one)).post("/Storefront/Customers/Profile").verdict for one in (token, second)
    }
    assert alive == {token: (401, -21), second: (200, None)}
    shop.client(None, bearer(second)).data("/Storefront/Customers/Logout", {"everywhere": True})
    for one in (second, third):
        assert shop.client(None, bearer(one)).post("/Storefront/Customers/Profile").verdict == (401, -21)
    again = shop.client().data(CUSTOMERS, {"email": email, "password": PASSWORD})["token"]
    assert shop.client(None, bearer(again)).post("/Storefront/Customers/Profile").status == 200


@pytest.mark.requirement(132)
def test_changing_a_password_requires_the_old_one_and_ends_every_token(shop: Shop) -> None:
    email, token, client = signed_in(shop)
    change = {"currentPassword": PASSWORD, "newPassword": "twelve herons in the reeds"}

    wrong = client.post("/Storefront/Customers/Password", {**change, "currentPassword": "wrong wrong wrong"})
    weak = client.post("/Storefront/Customers/Password", {**change, "newPassword": "short"})
    assert (wrong.verdict, weak.verdict, weak.fields) == ((400, -26), (400, -2), ["newPassword"])
    given = client.data("/Storefront/Customers/Password", change)

    assert shop.client(None, bearer(token)).post("/Storefront/Customers/Profile").verdict == (401, -21)
    profile = shop.client(None, bearer(given["token"])).data("/Storefront/Customers/Profile")
    assert profile["email"] == email
    assert shop.client().post(CUSTOMERS, {"email": email, "password": PASSWORD}).verdict == (400, -26)
    assert shop.client().post(CUSTOMERS, {"email": email, "password": change["newPassword"]}).status == 200


def _id_of(shop: Shop, path: str, email: str) -> str:
    token = shop.client().data(path, {"email": email, "password": PASSWORD})["token"]
    found: str = claims_of(token)["sub"]
    return found


def _wire_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_operator_sets_the_scopes_of_an_account(shop: Shop) -> None:
    email = newcomer(shop, PARTNERS, scopes=["orders:read", "account:read"])

    token = shop.client().data(PARTNERS, {"email": email, "password": PASSWORD})["token"]

    assert claims_of(token)["scope"] == "account:read orders:read"
    assert shop.client(None, bearer(token)).get("/Account/Details").data["scopes"] == ["account:read", "orders:read"]
    assert shop.client(None, bearer(token)).get("/Categories").verdict == (403, -24)
