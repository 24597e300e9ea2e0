"""The server normalises the texts of a request first, so that two spellings of one thing are one thing."""

import pytest

from tests.support.client import bearer
from tests.support.shop import Shop, fresh, line


@pytest.mark.parametrize("around", ["{} ", "\t{}", "{}\n", " {}\u00a0"])
def test_white_space_around_an_order_reference_makes_no_second_order(each_shop: Shop, around: str) -> None:
    reference = fresh("v")
    first = each_shop.reseller.data("/Orders/Create", each_shop.order(reference=reference))

    again = each_shop.reseller.data("/Orders/Create", each_shop.order(reference=around.format(reference)))

    assert again == first
    assert again["orderReference"] == reference


def test_composed_and_decomposed_references_name_one_order(each_shop: Shop) -> None:
    reference = fresh("caf\u00e9")
    first = each_shop.reseller.data("/Orders/Create", each_shop.order(reference=reference))

    found = each_shop.reseller.data("/Orders/Get", {"orderReference": reference.replace("\u00e9", "e\u0301")})

    assert found["orderId"] == first["orderId"]


def test_a_blank_value_for_required_data_is_refused(each_shop: Shop) -> None:
    for blank in ("   ", "\u00a0", "\t"):
        asked = line(each_shop.topup, topup=each_shop.topup)
        asked["requireData"] = [{"productRequireId": "player", "identifier": "Player", "value": blank}]
        answer = each_shop.reseller.post("/Orders/Create", {"orderReference": fresh("blank"), "basketData": [asked]})

        assert (*answer.verdict, answer.fields) == (400, -2, ["basketData[0].requireData[0].value"])


def test_every_wrong_text_of_a_request_is_named_at_once(each_shop: Shop) -> None:
    lines = [line(each_shop.card, deliver_id=" "), line(each_shop.card, deliver_id="a\u202eb")]

    answer = each_shop.reseller.post("/Orders/Create", {"orderReference": "\u200b", "basketData": lines})

    assert answer.verdict == (400, -2)
    assert answer.fields == ["orderReference", "basketData[0].deliverId", "basketData[1].deliverId"]


def test_a_customer_may_have_a_persian_name(each_shop: Shop) -> None:
    email = f"{fresh('persian')}@example.com"
    name = "می\u200cخواهم"
    each_shop.client().data(
        "/Storefront/Customers/Register", {"email": email, "password": "eleven sparrows on a wire", "name": name}
    )
    login = {"email": email, "password": "eleven sparrows on a wire"}
    token = each_shop.client().data("/Storefront/Customers/Login", login)["token"]

    answer = each_shop.client(lines=bearer(token)).post("/Storefront/Customers/Profile")

    assert answer.data["name"] == name


def test_sharp_s_and_double_s_are_two_addresses_and_both_can_log_in(each_shop: Shop) -> None:
    stem = fresh("stra")
    for local, password in ((f"{stem}ße", "eleven sparrows on a wire"), (f"{stem}sse", "nine kettles in the garden")):
        account = {"email": f"{local}@bücher.example", "password": password}
        each_shop.client().data("/Storefront/Customers/Register", account)
        spelt = {"email": f" {local}@xn--bcher-kva.example", "password": password}

        assert each_shop.client().post("/Storefront/Customers/Login", spelt).status == 200, local
