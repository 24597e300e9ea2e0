"""Whatever files people upload, a shop sells only codes, and each once; and its suppliers earn."""

from decimal import Decimal
from typing import Any

import pytest

from bedesten.catalogue.actions import ProductFields
from bedesten.integrity.check import violations
from tests.support.cli_program import Program
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site

COST = 250
SENT = [" W-2 ", "\ufeffW-3", "W-4\r\n", "W-2", "W-3", "W-4", "\u200bW-5"]
EARNED = (
    "SELECT coalesce(sum(amount), 0) FROM transfers WHERE tenant_id = :tenant AND substr(business_key, 1, 5) = 'cost:'"
)
FILES: dict[str, tuple[bytes, list[str]]] = {
    "a header": (b"code\nHEAD-0001\nHEAD-0002\n", ["HEAD-0001", "HEAD-0002"]),
    "semicolons": (b"code;pin;serial\nSEMI-1;1234;001\nSEMI-2;1235;002\n", ["SEMI-1", "SEMI-2"]),
    "commas without titles": (b"CSV-1,5555,2027-12-31\nCSV-2,5556,2027-12-31\n", []),
    "quotes": (b'"QUO-0001"\n"QUO-0002"\n', ["QUO-0001", "QUO-0002"]),
    "a spreadsheet's damage": (b"EXC-1\n1.23457E+15\n", []),
    "three spellings of one code": (b"aaaa-bbbb\nAAAA-BBBB\nAAAABBBB\n", ["aaaa-bbbb"]),
    "what surrounds codes": (
        "\ufeffBOM-1\r\n  BOM-2 \r\n\r\n\u200bBOM-3\r\nBOM-1\r\n".encode(),
        ["BOM-1", "BOM-2", "BOM-3"],
    ),
    "UTF-16": ("code\r\nUTF-1\r\nUTF-2\r\n".encode("utf-16"), ["UTF-1", "UTF-2"]),
    "Latin-1": (b"LAT-1\nLAT-\xe9\n", []),
    "501 characters": (b"LONG-1\n" + b"L" * 501 + b"\n", []),
    "tabs": (b"serial\tkey\n001\tTAB-1\n002\tTAB-2\n", ["TAB-1", "TAB-2"]),
}
"""Files of a business day, and the codes in each."""


@pytest.fixture(scope="module")
def stocked_shop(each_site: Site, each_operator: Operator) -> Shop:
    """A shop for these tests only, which fill it with products, on each of the two engines."""
    return open_shop(each_site, each_operator, fresh("stock"), stock=0)


@pytest.fixture(scope="module")
def fed_shop(site: Site, operator: Operator) -> Shop:
    """The same shop on one engine."""
    return open_shop(site, operator, fresh("files"), stock=0)


def product(shop: Shop, **fields: Any) -> str:
    """A product of the shop's supplier that is on sale and has no stock code."""
    sku = fresh("stock")
    made = ProductFields(
        name="Card", currency="USD", sku=sku, price=500, supplier_id=shop.supplier, supplier_sku=sku, **fields
    )
    return shop.operator.product(shop.id, made)


def bought(shop: Shop, card: str) -> list[dict[str, Any]]:
    """Buys the product unit by unit until it is sold out; returns the parts of each code."""
    found: list[dict[str, Any]] = []
    while True:
        answer = shop.reseller.post("/Orders/Create", shop.order(card))
        if answer.status != 200:
            assert answer.verdict == (409, -200)
            return found
        placed = answer.data["details"][0]["orderDetailId"]
        line = shop.reseller.get(f"/Orders/Detail/{placed}").data
        assert line["deliveryData"] == [one["code"] for one in line["deliveryItems"]]
        found += line["deliveryItems"]


def waiting(shop: Shop) -> str:
    """A line that waits for the supplier."""
    made = product(shop, fulfilment="supplier", cost=COST)
    answer: str = shop.reseller.data("/Orders/Create", shop.order(made))["details"][0]["orderDetailId"]
    return answer


def test_white_space_around_a_code_does_not_sell_it_twice(stocked_shop: Shop) -> None:
    card = product(stocked_shop)
    answer = stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "codes": SENT})
    assert (answer["added"], answer["duplicates"], answer["available"]) == (4, 3, 4)
    assert [(one["index"], one["reason"], one["batchId"]) for one in answer["skipped"]] == [
        (at, "twice", answer["batchId"]) for at in (3, 4, 5)
    ]
    assert [one["code"] for one in bought(stocked_shop, card)] == ["W-2", "W-3", "W-4", "W-5"]


def test_every_invalid_code_is_named_and_nothing_is_stored(stocked_shop: Shop) -> None:
    card = product(stocked_shop)
    codes = ["FINE-1", "\t", "   ", "CSV-1,5555,2027-12-31", "code", "1.23457E+15", "AB\u200bCD"]
    items = [{"code": "FINE-2", "expires": "soon"}, {"code": '"QUO-1"', "pin": "1\u202e2"}]
    answer = stocked_shop.supplies.post("/Supplier/Stock/Upload", {"productId": card, "codes": codes, "items": items})
    assert (*answer.verdict, sorted(answer.fields)) == (
        400,
        -2,
        [*(f"codes[{at}]" for at in range(1, 7)), "items[0].expires", "items[1].code", "items[1].pin"],
    )
    assert "CSV-1" not in answer.body.decode()
    assert bought(stocked_shop, card) == []


def test_a_delivery_of_blanks_moves_no_money(stocked_shop: Shop) -> None:
    line = waiting(stocked_shop)
    held = stocked_shop.reseller.get("/Account/Details").data["held"]
    answer = stocked_shop.supplies.post("/Supplier/Orders/Deliver", {"orderDetailId": line, "deliveryData": ["    "]})
    assert (*answer.verdict, answer.fields) == (400, -2, ["deliveryData[0]"])
    assert stocked_shop.reseller.get("/Account/Details").data["held"] == held
    assert stocked_shop.reseller.get(f"/Orders/Detail/{line}").data["status"] == 2


def test_a_stocked_or_sold_code_is_not_delivered_in_another_spelling(stocked_shop: Shop) -> None:
    card, stocked = product(stocked_shop), fresh("ONCE").upper()
    stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "codes": [stocked]})
    body = {"orderDetailId": waiting(stocked_shop), "deliveryData": [stocked.lower().replace("-", " ")]}
    assert stocked_shop.supplies.post("/Supplier/Orders/Deliver", body).verdict == (409, -500)
    assert [one["code"] for one in bought(stocked_shop, card)] == [stocked]
    assert stocked_shop.supplies.post("/Supplier/Orders/Deliver", body).verdict == (409, -500)
    again = stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "codes": [stocked]})
    assert [(one["reason"], one["productId"]) for one in again["skipped"]] == [("sold", card)]


def test_the_parts_of_a_code_are_fields_in_uploads_and_deliveries(stocked_shop: Shop) -> None:
    card = product(stocked_shop)
    code = fresh("PARTS")
    url = f"https://gift.example/redeem?code={code}"
    parts = {"code": code, "pin": "0042", "serial": "S-7", "url": url, "expires": "2090-12-31"}
    items = [parts, {"code": fresh("PLAIN")}]
    stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "items": items})
    assert bought(stocked_shop, card) == [
        parts,
        {**items[1], "pin": None, "serial": None, "url": None, "expires": None},
    ]
    line, other = waiting(stocked_shop), {**parts, "code": fresh("PARTS")}
    body = {"orderDetailId": line, "deliveryItems": [other]}
    assert stocked_shop.supplies.data("/Supplier/Orders/Deliver", body)["status"] == 1
    assert stocked_shop.reseller.get(f"/Orders/Detail/{line}").data["deliveryItems"] == [other]


def test_a_code_that_does_not_match_the_pattern_is_refused_with_its_row_in_uploads_and_deliveries(
    stocked_shop: Shop,
) -> None:
    card = product(stocked_shop, code_pattern="@@-#{3}", pin_pattern="####|")
    offers = stocked_shop.supplies.data("/Supplier/Products/List", {"pageSize": 200})["items"]
    assert [one["codePattern"] for one in offers if one["productId"] == card] == ["@@-#{3}"]
    codes, items = ["AB-001", "AB-0002"], [{"code": "AB-003"}, {"code": "AB-004", "pin": "12"}, {"code": "secret"}]
    answer = stocked_shop.supplies.post("/Supplier/Stock/Upload", {"productId": card, "codes": codes, "items": items})
    assert (*answer.verdict, sorted(answer.fields)) == (400, -2, ["codes[1]", "items[1]", "items[2]"])
    assert "secret" not in answer.body.decode()
    assert bought(stocked_shop, card) == []
    topup = product(stocked_shop, fulfilment="supplier", cost=COST, code_pattern="@@-#{3}")
    line = stocked_shop.reseller.data("/Orders/Create", stocked_shop.order(topup))["details"][0]["orderDetailId"]
    answer = stocked_shop.supplies.post("/Supplier/Orders/Deliver", {"orderDetailId": line, "deliveryData": ["x"]})
    assert (*answer.verdict, answer.fields) == (400, -2, ["deliveryData[0]"])
    answer = stocked_shop.supplies.post(
        "/Supplier/Orders/Deliver", {"orderDetailId": line, "deliveryItems": [{"code": "x"}]}
    )
    assert (*answer.verdict, answer.fields) == (400, -2, ["deliveryItems[0]"])
    body = {"orderDetailId": line, "deliveryData": ["CD-001"]}
    assert stocked_shop.supplies.data("/Supplier/Orders/Deliver", body)["status"] == 1


@pytest.mark.parametrize("url", ["http://gift.example/1", "https://a:b@gift.example/", "https://gift.example/\n", 7])
def test_a_url_that_is_not_https_is_refused_with_its_place(stocked_shop: Shop, url: object) -> None:
    items = [{"code": fresh("URL")}, {"code": fresh("URL"), "url": url}]
    upload = {"productId": product(stocked_shop), "items": items}
    delivery = {"orderDetailId": waiting(stocked_shop), "deliveryItems": items[1:]}
    if url == "https://gift.example/\n":  # white space around a text is trimmed
        assert stocked_shop.supplies.data("/Supplier/Stock/Upload", upload)["added"] == 2
        return
    answer = stocked_shop.supplies.post("/Supplier/Stock/Upload", upload)
    assert (*answer.verdict, answer.fields) == (400, -2, ["items[1].url"])
    answer = stocked_shop.supplies.post("/Supplier/Orders/Deliver", delivery)
    assert (*answer.verdict, answer.fields) == (400, -2, ["deliveryItems[0].url"])


def test_a_supplier_earns_the_cost_at_upload_for_each_code_that_is_sold(stocked_shop: Shop) -> None:
    card, offer = product(stocked_shop, cost=COST), {"name": "Card", "cost": Decimal("4.00")}
    (sku,) = [
        one["sku"]
        for one in stocked_shop.supplies.data("/Supplier/Products/List", {"pageSize": 200})["items"]
        if one["productId"] == card
    ]
    before = earned(stocked_shop)
    stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "codes": [fresh("EARN"), fresh("EARN")]})
    stocked_shop.supplies.data("/Supplier/Products/Upsert", {"products": [{"sku": sku, **offer}]})
    stocked_shop.supplies.data("/Supplier/Stock/Upload", {"productId": card, "codes": [fresh("EARN")]})
    assert len(bought(stocked_shop, card)) == 3
    assert earned(stocked_shop) - before == 2 * COST + 400


def earned(shop: Shop) -> int:
    """The total earnings of the supplier, in minor units."""
    from tests.store.raw import raw

    with raw(shop.operator.installation.settings) as opened:
        return int(opened.one(EARNED, tenant=shop.id))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_a_business_day_sells_its_codes_and_nothing_else(fed_shop: Shop, name: str) -> None:
    """By command, by API line by line, and by both: it never sells what is not a code, and no code twice."""
    raw, goods = FILES[name]
    settings = fed_shop.operator.installation.settings
    program = Program(settings.data, settings.database)
    card = product(fed_shop)
    by_file = program.run("products", "stock", card, "-", "--tenant", fed_shop.id, "--json", stdin=raw)
    assert (by_file.code == 0) is bool(goods), by_file.out
    lines = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "latin-1" if name == "Latin-1" else "utf-8").split("\n")
    whole = fed_shop.supplies.post(
        "/Supplier/Stock/Upload", {"productId": card, "codes": [one for one in lines if one]}
    )
    for line in lines:
        fed_shop.supplies.post("/Supplier/Stock/Upload", {"productId": card, "codes": [line]})
    sold = [one["code"] for one in bought(fed_shop, card)]
    assert sold[: len(goods)] == goods
    legal = {"EXC-1", "LAT-1", "LAT-\xe9", "LONG-1"}
    assert set(sold) - set(goods) <= legal, whole.body
    assert len({one.casefold().replace("-", "") for one in sold}) == len(sold)
    assert violations(fed_shop.operator.installation) == []
