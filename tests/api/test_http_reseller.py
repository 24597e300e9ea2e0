"""The Reseller and Supplier surfaces over HTTP, on both engines: every route and alias, with the values it returns."""

from decimal import Decimal

from bedesten.gate.scopes import Surface
from tests.support.shop import Shop, fresh, line


def test_the_partner_reads_its_account_and_its_money(each_shop: Shop) -> None:
    found = each_shop.reseller.get("/Account/Details").data

    assert found["accountId"] == each_shop.partner
    assert found["email"] == each_shop.partner_email
    assert "orders:create" in found["scopes"]
    assert found["currency"] == "USD"
    assert found["available"] == found["balance"] - found["held"]
    assert found["creditLimit"] == Decimal("100000.00")
    assert each_shop.reseller.get("/Customer/Get").data["accountId"] == each_shop.partner


def test_the_partner_browses_categories_and_products(each_shop: Shop) -> None:
    client = each_shop.reseller
    (category,) = client.get("/Categories").data["items"]

    assert (category["name"], category["products"]) == ("Cards", 2)
    listed = client.data("/Products/List", {"categoryId": category["categoryId"]})["items"]
    assert [(one["name"], one["price"], one["currency"], one["inStock"]) for one in listed] == [
        ("Card 5", Decimal("5.00"), "USD", True),
        ("Top-up", Decimal("7.25"), "USD", True),
    ]
    assert client.data(f"/Products/Detail/{each_shop.topup}") == listed[1]
    assert listed[1]["requireData"] == [{"productRequireId": "player", "name": "Player", "required": True}]


def test_the_pages_of_a_list_add_up_to_the_whole_list(each_shop: Shop) -> None:
    client = each_shop.reseller
    first = client.data("/Products/List", {"pageSize": 1})
    second = client.data("/Products/List", {"pageSize": 1, "cursor": first["nextCursor"]})

    assert [one["name"] for one in first["items"] + second["items"]] == ["Card 5", "Top-up"]
    assert second["nextCursor"] is None
    assert client.data("/Products/List", {"updatedSince": "2999-01-01T00:00:00Z"})["items"] == []


def test_an_order_from_stock_is_delivered_at_once_and_paid_from_the_balance(each_shop: Shop) -> None:
    client = each_shop.reseller
    before = client.get("/Account/Details").data
    reference = fresh("order")

    placed = client.data("/Orders/Create", each_shop.order(each_shop.card, 3, reference))

    assert placed["orderReference"] == reference
    assert (placed["total"], placed["currency"]) == (Decimal("15.00"), "USD")
    (detail,) = placed["details"]
    assert (detail["deliverId"], detail["quantity"], detail["price"], detail["status"]) == ("1", 3, Decimal("15.00"), 1)
    after = client.get("/Account/Details").data
    assert after["balance"] == before["balance"] - 15
    assert after["held"] == before["held"]
    read = client.get(f"/Orders/Detail/{detail['orderDetailId']}").data
    assert len(set(read["deliveryData"])) == 3
    assert all(code.startswith("CARMEL-CARD-") for code in read["deliveryData"])
    assert (read["unitPrice"], read["price"], read["deliveryNote"]) == (Decimal("5.00"), Decimal("15.00"), None)
    assert client.get(f"/Order/detail/{detail['orderDetailId']}").data == read
    by_reference = client.data("/Orders/Get", {"orderReference": reference})
    assert by_reference == client.data("/Orders/Get", {"orderId": placed["orderId"]})
    assert by_reference["details"] == [read]


def test_an_order_fulfilled_by_a_supplier_waits_holds_the_money_and_is_delivered_once(each_shop: Shop) -> None:
    client, supplier = each_shop.reseller, each_shop.supplies
    before = client.get("/Account/Details").data

    placed = client.data("/Order/Create", each_shop.order(each_shop.topup, 2))

    (detail,) = placed["details"]
    assert (detail["status"], detail["price"]) == (2, Decimal("14.50"))
    held = client.get("/Account/Details").data
    assert (held["balance"], held["held"]) == (before["balance"], before["held"] + Decimal("14.50"))
    waiting = supplier.data("/Supplier/Orders/Awaiting", {"pageSize": 200})["items"]
    (mine,) = [one for one in waiting if one["orderDetailId"] == detail["orderDetailId"]]
    assert (mine["quantity"], mine["productName"]) == (2, "Top-up")
    assert mine["requireData"] == [{"productRequireId": "player", "identifier": "Player", "value": "p-77"}]
    codes = [fresh("T"), fresh("T")]
    delivery = {"orderDetailId": detail["orderDetailId"], "deliveryData": codes}
    assert supplier.data("/Order/deliver", delivery) == {
        "orderDetailId": detail["orderDetailId"],
        "status": 1,
        "assigned": False,
        "remaining": 0,
        "stocked": 0,
        "batchId": None,
    }
    assert supplier.data("/Supplier/Orders/Deliver", delivery)["status"] == 1, "the same delivery again changes nothing"
    after = client.get("/Account/Details").data
    assert (after["balance"], after["held"]) == (before["balance"] - Decimal("14.50"), before["held"])
    assert client.get(f"/Orders/Detail/{detail['orderDetailId']}").data["deliveryData"] == codes
    assert supplier.post("/Supplier/Orders/Deliver", {**delivery, "deliveryData": ["X", "Y"]}).verdict == (409, -500)


def test_a_supplier_delivers_with_a_note_alone(each_shop: Shop) -> None:
    (detail,) = each_shop.reseller.data("/Orders/Create", each_shop.order(each_shop.topup))["details"]
    delivery = {"orderDetailId": detail["orderDetailId"], "deliveryNote": ["Credited to p-77", "Teşekkürler"]}

    each_shop.supplies.data("/Supplier/Orders/Deliver", delivery)

    read = each_shop.reseller.get(f"/Orders/Detail/{detail['orderDetailId']}").data
    assert (read["status"], read["deliveryData"]) == (1, None)
    assert read["deliveryNote"] == ["Credited to p-77", "Teşekkürler"]


def test_an_order_is_all_or_nothing_and_its_refusal_names_every_unavailable_line(each_shop: Shop) -> None:
    client = each_shop.reseller
    reference = fresh("order")
    before = client.get("/Account/Details").data
    basket = [
        line(each_shop.card, 1, "good"),
        line(each_shop.card, 1000, "too many"),
        line("prd_00000000000000000000000000", 1, "unknown"),
        {**line(each_shop.card, 1, "dear"), "maxUnitPrice": 4.99},
        {**line(each_shop.topup, 1, "silent")},
    ]

    refused = client.post("/Orders/Create", {"orderReference": reference, "basketData": basket})

    assert refused.verdict == (409, -200)
    assert {one["deliverId"]: one["reason"] for one in refused.json["data"]["items"]} == {
        "too many": "outOfStock",
        "unknown": "unknownProduct",
        "dear": "priceAboveMaximum",
        "silent": "requiredDataMissing",
    }
    assert client.get("/Account/Details").data == before
    assert client.post("/Orders/Get", {"orderReference": reference}).verdict == (404, -3)
    corrected = {"orderReference": reference, "basketData": [line(each_shop.card)]}
    assert client.data("/Orders/Create", corrected)["orderReference"] == reference, "it did not use up its reference"


def test_an_order_beyond_the_balance_is_refused_and_leaves_nothing(each_shop: Shop) -> None:
    operator = each_shop.operator
    email = f"{fresh('poor')}@example.com"
    poor = operator.account(each_shop.id, "partner", email)
    operator.credit(each_shop.id, poor, 1499)
    client = each_shop.client(None, [("Authorization", f"Bearer {each_shop.token(Surface.RESELLER, poor)}")])
    reference = fresh("order")

    assert client.post("/Orders/Create", each_shop.order(each_shop.card, 3, reference)).verdict == (409, -300)

    assert client.post("/Orders/Get", {"orderReference": reference}).verdict == (404, -3)
    assert client.data("/Orders/Create", each_shop.order(each_shop.card, 2, reference))["total"] == Decimal("10.00")
    assert client.get("/Account/Details").data["available"] == Decimal("-10.00")


def test_the_same_reference_returns_the_same_order_and_other_content_is_a_conflict(each_shop: Shop) -> None:
    client = each_shop.reseller
    body = each_shop.order(each_shop.card, 1, fresh("order"))
    before = client.get("/Account/Details").data["balance"]

    first = client.data("/Orders/Create", body)

    assert client.data("/orders/create", {name.upper(): value for name, value in body.items()}) == first
    assert client.data("/Order/Create", body) == first
    assert client.post("/Orders/Create", {**body, "basketData": [line(each_shop.card, 2)]}).verdict == (409, -8)
    assert client.get("/Account/Details").data["balance"] == before - 5


def test_a_supplier_makes_and_changes_products_that_the_operator_has_to_price(each_shop: Shop) -> None:
    supplier = each_shop.supplies
    sku = fresh("sku")

    (made,) = supplier.data("/Supplier/Products/Upsert", {"products": [{"sku": sku, "name": "Gems", "cost": 1.25}]})[
        "items"
    ]

    assert (made["sku"], made["name"], made["cost"], made["currency"]) == (sku, "Gems", Decimal("1.25"), "USD")
    assert (made["offered"], made["onSale"], made["available"]) == (True, False, 0)
    changed = {"products": [{"sku": sku, "name": "Gems 10", "cost": 2, "offered": False}]}
    (after,) = supplier.data("/Supplier/Products/Upsert", changed)["items"]
    assert after["productId"] == made["productId"]
    assert (after["name"], after["cost"], after["offered"]) == ("Gems 10", Decimal("2.00"), False)
    listed = supplier.data("/Supplier/Products/List", {"pageSize": 200})["items"]
    assert after in listed
    assert each_shop.reseller.post(f"/Products/Detail/{made['productId']}").verdict == (404, -3), "it has no price yet"


def test_a_supplier_uploads_codes_once_each(each_shop: Shop) -> None:
    codes = [fresh("UP") for _ in range(3)]
    upload = {"productId": each_shop.card, "codes": codes}
    before = each_shop.supplies.data("/Supplier/Stock/Upload", {"productId": each_shop.card, "codes": [fresh("UP")]})

    first = each_shop.supplies.data("/Supplier/Stock/Upload", upload)
    again = each_shop.supplies.data("/Supplier/Stock/Upload", {**upload, "codes": [*codes, fresh("UP")]})

    assert (first["added"], first["duplicates"], first["available"]) == (3, 0, before["available"] + 3)
    assert (again["added"], again["duplicates"], again["available"]) == (1, 3, before["available"] + 4)
    assert [(one["index"], one["reason"], one["batchId"]) for one in again["skipped"]] == [
        (at, "inStock", first["batchId"]) for at in range(3)
    ]


def test_the_partner_sets_its_low_balance_alarm(each_shop: Shop) -> None:
    client = each_shop.reseller
    spendable = client.get("/Account/Details").data["spendable"]
    answer = client.data("/Account/LowBalance", {"threshold": Decimal("12.50")})
    assert answer == {"threshold": Decimal("12.50"), "spendable": spendable, "currency": "USD"}
    assert client.get("/Account/Details").data["lowBalance"] == Decimal("12.50")
    for wrong in (-1, Decimal("0.001"), Decimal("1e400"), "5", None, 10**15):
        refused = client.post("/Account/LowBalance", {"threshold": wrong})
        assert (*refused.verdict, refused.fields) == (400, -2, ["threshold"])
    assert client.post("/Account/LowBalance", {"threshold": 1, "partnerId": "x"}).verdict == (400, -2)
    assert client.post("/Account/LowBalance").verdict == (400, -2)
    assert client.get("/Account/Details").data["lowBalance"] == Decimal("12.50")
    assert client.data("/Account/LowBalance", {"threshold": 0})["threshold"] is None
    assert client.get("/Account/Details").data["lowBalance"] is None
