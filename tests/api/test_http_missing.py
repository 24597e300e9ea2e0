"""The error -3 distinguishes an unknown path from an unknown order, and names the nearest operation."""

import pytest

from bedesten.gate.scopes import Surface
from tests.support.shop import Shop, fresh, line
from tests.support.wire import Answer

SENT = frozenset({"deliveries", "delivery_attempts", "webhook_endpoints"})

OPERATION = "Operation not found."


def said(answer: Answer) -> tuple[object, ...]:
    """Status, number, text, and the messages about the path."""
    return (*answer.verdict, answer.json["message"], [one["message"] for one in answer.json.get("errors", ())])


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/Orders/Creat", "POST /Orders/Create"),
        ("/orders/create/", "POST /Orders/Create"),
        ("/Order/Creates", "POST /Orders/Create"),
        ("/Product/List", "POST /Products/List"),
        ("/Products/Details/prd_1", "POST /Products/Detail/{productId}"),
        ("/Storefront/Checkouts/Create", "POST /Storefront/Checkout/Create"),
        ("/Storefront/Customer/Login", "POST /Storefront/Customers/Login"),
        ("/Suplier/Orders/Deliver", None),
        ("/wp-admin/setup.php", None),
        ("/Orders/" + "x" * 5000, None),
        ("/Orders/%43reate", None),
    ],
)
def test_an_unknown_path_is_404_with_the_nearest_operation_of_the_token_surfaces(
    shop: Shop, path: str, nearest: str | None
) -> None:
    expected = [f"the nearest operation is {nearest}"] if nearest else []

    for client in (shop.client(), shop.reseller):
        outcome = said(client.post(path, {}))
        assert outcome[:3] == (404, -3, OPERATION)
        if nearest or "%" not in path:
            assert outcome[3] == expected


def test_below_an_api_key_surface_only_a_valid_key_gets_the_nearest_operation_of_its_own_surface(shop: Shop) -> None:
    outcome = said(shop.supplies.post("/Supplier/Order/Deliver", {}))
    assert outcome == (404, -3, OPERATION, ["the nearest operation is POST /Supplier/Orders/Deliver"])
    outcome = said(shop.payments.post("/Payment/Deposit/Create", {}))
    assert outcome == (404, -3, OPERATION, ["the nearest operation is POST /Payment/Deposits/Create"])
    for client in (shop.client(), shop.reseller):
        refused = client.post("/Supplier/Order/Deliver", {})
        assert (*refused.verdict, refused.fields) == (401, -23, [])
    assert "nearest" not in shop.payments.post("/Supplier/Order/Deliver", {}).body.decode()


def test_an_operation_that_is_switched_off_for_the_tenant_is_not_named(shop: Shop) -> None:
    closed = shop.sister("quiet", "USD")
    closed.operator.switch(closed.id, "POST /Orders/Create", False)
    assert "Orders/Create" in str(said(shop.reseller.post("/Orders/Creat", {}))[3])

    outcome = said(closed.reseller.post("/Orders/Creat", {}))

    assert outcome[:3] == (404, -3, OPERATION)
    assert "Orders/Create" not in str(outcome[3])


def test_the_message_of_a_404_names_the_kind_of_the_missing_object(shop: Shop) -> None:
    nobody = "ord_01m8dxsg0d8wy7mrra77nzfc82"
    asked = [
        (shop.reseller.post("/Orders/Get", {"orderId": nobody}), "order"),
        (shop.reseller.get(f"/Orders/Detail/{nobody}"), "order line"),
        (shop.reseller.post(f"/Products/Detail/{nobody}", {}), "product"),
        (shop.storefront.post("/Storefront/Orders/Get", {"orderId": nobody}), "order"),
        (shop.payments.post("/Payment/Deposits/Confirm", {"depositId": nobody}), "deposit"),
        (shop.payments.post("/Payment/Payments/Capture", {"paymentId": nobody}), "payment"),
        (shop.payments.post("/Payment/Deposits/Create",
                            {"partner": nobody, "amount": 1, "reference": "nobody"}), "partner"),
        (shop.supplies.post("/Supplier/Orders/Deliver", {"orderDetailId": nobody, "deliveryNote": ["x"]}), "order line"),
        (shop.supplies.post("/Supplier/Stock/Upload", {"productId": nobody, "codes": ["X-1"]}), "product"),
    ]  # fmt: skip
    for answer, thing in asked:
        assert (*answer.verdict, answer.json["message"]) == (404, -3, f"{thing.capitalize()} not found.")
    problem = shop.client(Surface.RESELLER, [("Accept", "application/problem+json")])
    assert problem.post("/Orders/Get", {"orderId": nobody}).json["title"] == "Order not found."


@pytest.mark.parametrize("blank", ["", " ", "\t", "\n", "\u00a0", "\u200b", "\ufeff", "\u3000\u2028"])
def test_a_blank_text_in_an_order_is_refused_as_required_data_reference_and_line_id(
    each_shop: Shop, blank: str
) -> None:
    asked = {"productRequireId": "player", "identifier": "Player", "value": blank}
    top_up = {"deliverId": "1", "customerStoreProductId": each_shop.topup, "quantity": 1, "requireData": [asked]}
    good = line(each_shop.card)
    cases = [
        ({"orderReference": fresh("blank"), "basketData": [top_up]}, "basketData[0].requireData[0].value"),
        ({"orderReference": blank, "basketData": [good]}, "orderReference"),
        ({"orderReference": fresh("blank"), "basketData": [{**good, "deliverId": blank}]}, "basketData[0].deliverId"),
    ]
    before = each_shop.site.rows(each_shop.id, without=SENT)

    for body, field in cases:
        answer = each_shop.reseller.post("/Orders/Create", body)
        assert (*answer.verdict, answer.fields) == (400, -2, [field])
    item = {"productId": each_shop.topup, "quantity": 1, "requireData": [asked]}
    answer = each_shop.storefront.post("/Storefront/Checkout/Create", {"items": [item]})
    assert (*answer.verdict, answer.fields) == (400, -2, ["items[0].requireData[0].value"])
    assert each_shop.site.rows(each_shop.id, without=SENT) == before
