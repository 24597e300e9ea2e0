"""The shop's public settings over HTTP: what the operator set, and nothing secret."""

import pytest

from bedesten.admin import payment_methods
from bedesten.errors import Refusal
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants import site
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site

PATH = "/Storefront/Site/Configuration"


def change(shop: Shop, **wanted: str) -> dict[str, str]:
    """Changes settings; `_` stands for `-` and `__` for `.` in a key."""
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in wanted.items()}
    return shop.operator.within(shop.id, lambda tx: site.change(tx, named))


def test_a_site_reads_what_the_operator_has_set(each_shop: Shop) -> None:
    anonymous = each_shop.client()
    method = fresh("way")

    def add(tx: Transaction) -> None:
        payment_methods.add(tx, "USD", method, "Card", each_shop.integration, url="https://secret.example/{payment}")

    each_shop.operator.within(each_shop.id, add)
    each_shop.regional("EU")
    change(
        each_shop, name="The shop", languages="en, pt-BR,en", support_email="Help@Shop.Example",
        terms_url="https://shop.example/t", text__en__welcome="Hello\nyou", registration="closed",
    )  # fmt: skip
    shown = anonymous.get(PATH)
    data = shown.data
    assert (data["name"], data["currency"], data["currencyDigits"]) == ("The shop", "USD", 2)
    assert (data["languages"], data["supportEmail"]) == (["en", "pt-BR"], "help@shop.example")
    assert (data["supportUrl"], data["termsUrl"]) == (None, "https://shop.example/t")
    assert data["texts"] == [{"language": "en", "key": "welcome", "text": "Hello\nyou"}]
    assert (data["regions"][0], "EU" in data["regions"], data["registration"]) == (data["region"], True, "closed")
    assert method in [one["code"] for one in data["paymentMethods"]]
    assert data["limits"] == {"maxLines": 50, "maxQuantity": 1000, "checkoutSeconds": 900}
    for secret in (each_shop.integration, "secret.example", each_shop.payment_key.text):
        assert secret.encode() not in shown.body
    new = {"email": f"{fresh('new')}@example.com", "password": "eleven sparrows on a wire"}
    assert anonymous.post("/Storefront/Customers/Register", new).verdict == (409, -31)
    change(each_shop, registration="", name="", languages="", support_email="", terms_url="", text__en__welcome="")
    assert anonymous.get(PATH).data["registration"] == "open"
    assert anonymous.post("/Storefront/Customers/Register", new).status == 200


def test_a_cache_revalidates_its_copy(each_shop: Shop) -> None:
    anonymous = each_shop.client()
    first = anonymous.get(PATH)
    tag = first.header("etag")
    assert (first.header("cache-control"), bool(tag)) == ("no-cache", True)
    again = anonymous.get(PATH, [("If-None-Match", str(tag))])
    assert (again.status, again.body) == (304, b"")
    change(each_shop, name=fresh("Name"))
    after = anonymous.get(PATH, [("If-None-Match", str(tag))])
    assert (after.status, after.header("etag") != tag) == (200, True)
    change(each_shop, name="")
    assert anonymous.get(PATH, [("Authorization", "Bearer x.y.z")]).verdict == (401, -21)


def test_a_suspended_shop_has_no_site(site: Site, operator: Operator) -> None:
    shop = open_shop(site, operator, fresh("closed"), stock=1)
    assert shop.client().get(PATH).status == 200
    operator.within(shop.id, lambda tx: tenants.set_suspended(tx, True))
    assert shop.client().get(PATH).verdict == (421, -10)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("languages", "english"), ("languages", "en,,"), ("languages", ",".join(f"a{chr(97 + at)}" for at in range(21))),
        ("support-email", "nobody"), ("support-url", "http://shop.example/"), ("terms-url", "javascript:alert(1)"),
        ("privacy-url", "https://a@shop.example"), ("terms-url", "https://shop.example/" + "x" * 500),
        ("registration", "maybe"), ("name", "x" * 201), ("name", "a\u200bb"), ("text.en.welcome", "x" * 1_001),
        ("text.english.welcome", "x"), ("text.en.two words", "x"), ("password", "x"), ("password", ""),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_valid_is_refused(each_shop: Shop, key: str, value: str) -> None:
    with pytest.raises(Refusal) as outcome:
        each_shop.operator.within(each_shop.id, lambda tx: site.change(tx, {key: value}))
    assert outcome.value.code.number == -2
