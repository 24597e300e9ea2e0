"""Partners and customers list their orders and cancel undelivered lines."""

import pytest

from bedesten.gate.scopes import Surface
from bedesten.orders import limits
from bedesten.orders.limits import OrderLimits
from tests.support.client import bearer
from tests.support.shop import Shop, fresh, line


def waiting(shop: Shop, quantity: int = 1) -> dict[str, str]:
    """An order of the partner with one delivered and one waiting line."""
    basket = [line(shop.card, 1, "card"), line(shop.topup, quantity, "topup", topup=shop.topup)]
    reference = fresh("listed")
    made = shop.reseller.data("/Orders/Create", {"orderReference": reference, "basketData": basket})
    card, topup = (one["orderDetailId"] for one in made["details"])
    return {"id": made["orderId"], "reference": reference, "card": card, "topup": topup}


def test_a_list_shows_no_code(shop: Shop) -> None:
    order = waiting(shop)
    code = shop.reseller.get(f"/Orders/Detail/{order['card']}").data["deliveryData"][0]
    answer = shop.reseller.post("/Orders/List", {"orderReference": order["reference"]})
    (found,) = answer.data["items"]
    assert (found["orderId"], found["total"], [one["status"] for one in found["details"]]) == (
        order["id"],
        12.25,
        [1, 2],
    )
    assert code.encode() not in shop.reseller.post("/Orders/List", {"pageSize": 200}).body


def test_pages_follow_each_other(shop: Shop) -> None:
    made = {waiting(shop)["id"] for _ in range(3)}
    seen: list[str] = []
    body: dict[str, object] = {"pageSize": 2}
    while True:
        page = shop.reseller.data("/Orders/List", body)
        seen += [one["orderId"] for one in page["items"]]
        if page["nextCursor"] is None or made <= set(seen):
            break
        body["cursor"] = page["nextCursor"]
    assert seen == sorted(set(seen), reverse=True)
    assert made <= set(seen)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": [4]}, "status[0]"),
        ({"status": [-1]}, "status[0]"),
        ({"status": ["1"]}, "status[0]"),
        ({"status": 1}, "status"),
        ({"status": [0, 1, 2, 3, 3]}, "status"),
        ({"createdFrom": "yesterday"}, "createdFrom"),
        ({"createdTo": "2026-13-01T00:00:00Z"}, "createdTo"),
        ({"cursor": "x"}, "cursor"),
        ({"pageSize": 0}, "pageSize"),
        ({"pageSize": 201}, "pageSize"),
        ({"pageSize": 10**9}, "pageSize"),
    ],
)
def test_an_invalid_member_of_a_list_request_is_named(shop: Shop, body: dict[str, object], field: str) -> None:
    for client, path in ((shop.reseller, "/Orders/List"), (shop.storefront, "/Storefront/Orders/List")):
        answer = client.post(path, body)
        assert (*answer.verdict, answer.fields) == (400, -2, [field])


def test_a_cursor_of_another_list_is_refused(shop: Shop) -> None:
    cursor = shop.reseller.data("/Products/List", {"pageSize": 1})["nextCursor"]
    assert shop.reseller.post("/Orders/List", {"cursor": cursor}).verdict == (400, -2)


def test_waiting_units_are_cancelled_once_and_their_money_is_released(shop: Shop) -> None:
    order = waiting(shop, 2)
    before = shop.reseller.get("/Account/Details").data
    cancelled = shop.reseller.data("/Orders/Cancel", {"orderReference": order["reference"], "reason": "No player"})
    assert [(one["status"], one["delivered"], one["cancelled"]) for one in cancelled["details"]] == [
        (1, 1, 0),
        (0, 0, 2),
    ]
    after = shop.reseller.get("/Account/Details").data
    assert (after["available"] - before["available"], after["held"] - before["held"]) == (14.5, -14.5)
    assert shop.reseller.data("/Orders/Cancel", {"orderId": order["id"]}) == cancelled
    assert shop.reseller.get("/Account/Details").data == after
    assert shop.reseller.get(f"/Orders/Detail/{order['topup']}").data["status"] == 0


def test_cancelling_a_delivered_line_is_refused_and_the_line_is_named(shop: Shop) -> None:
    order = waiting(shop)
    both = [order["card"], order["topup"]]
    answer = shop.reseller.post("/Orders/Cancel", {"orderId": order["id"], "orderDetailIds": both})
    assert answer.verdict == (409, -202)
    assert answer.json["data"] == {"items": [{"orderDetailId": order["card"], "deliverId": "card", "status": 1}]}
    assert shop.reseller.get(f"/Orders/Detail/{order['topup']}").data["status"] == 2


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({}, (400, -2)),
        ({"orderId": "ord_1", "orderReference": "x"}, (400, -2)),
        ({"orderId": "ord_none"}, (404, -3)),
        ({"orderReference": "never-used"}, (404, -3)),
        ({"orderId": "ord_none", "lines": []}, (400, -2)),
    ],
)
def test_a_cancellation_without_a_known_order_is_refused(
    shop: Shop, body: dict[str, object], outcome: tuple[int, int]
) -> None:
    assert shop.reseller.post("/Orders/Cancel", body).verdict == outcome


def test_orders_of_other_accounts_are_not_found(shop: Shop) -> None:
    order = waiting(shop)
    assert shop.storefront.post("/Storefront/Orders/Cancel", {"orderId": order["id"]}).verdict == (404, -3)
    mine = waiting(shop)
    theirs = {"orderId": mine["id"], "orderDetailIds": [mine["topup"], order["topup"]]}
    assert shop.reseller.post("/Orders/Cancel", theirs).verdict == (404, -3)
    assert shop.reseller.get(f"/Orders/Detail/{mine['topup']}").data["status"] == 2


def test_a_customer_lists_and_cancels(shop: Shop) -> None:
    items = [{"productId": shop.card, "quantity": 1}]
    made = shop.storefront.data("/Storefront/Checkout/Create", {"items": items, "reference": fresh("basket")})
    wanted = {"state": ["awaitingPayment"], "reference": made["reference"], "productId": shop.card}
    (found,) = shop.storefront.data("/Storefront/Orders/List", wanted)["items"]
    assert (found["orderId"], found["state"], found["items"][0]["status"]) == (made["orderId"], "awaitingPayment", 2)
    one_line = {"orderId": made["orderId"], "orderDetailIds": [found["items"][0]["orderDetailId"]]}
    assert shop.storefront.post("/Storefront/Orders/Cancel", one_line).verdict == (409, -202)
    cancelled = shop.storefront.data("/Storefront/Orders/Cancel", {"orderId": made["orderId"]})
    assert (cancelled["state"], cancelled["expires"]) == ("cancelled", None)
    assert shop.storefront.data("/Storefront/Orders/Cancel", {"orderId": made["orderId"]}) == cancelled
    assert shop.storefront.data("/Storefront/Orders/List", wanted)["items"] == []


def test_an_order_beyond_the_daily_limit_is_refused(shop: Shop) -> None:
    limited = shop.operator.account(shop.id, "partner", f"{fresh('limited')}@example.com")
    shop.operator.credit(shop.id, limited, 100_00)
    shop.operator.within(shop.id, lambda tx: limits.set_limits(tx, OrderLimits(limited, 7_50, None)))
    client = shop.client(lines=bearer(shop.token(Surface.RESELLER, limited)))
    answer = client.post("/Orders/Create", shop.order(quantity=2))
    assert answer.verdict == (409, -203)
    assert (answer.json["data"]["limit"], answer.json["data"]["maximum"]) == ("dailyAmount", 7.5)
    assert client.post("/Orders/Create", shop.order()).verdict == (200, None)
    assert client.post("/Orders/Create", shop.order()).json["data"]["left"] == 2.5


def test_a_validated_order_is_priced_and_nothing_is_stored(shop: Shop) -> None:
    body = shop.order(quantity=2)
    before = shop.reseller.get("/Account/Details").data
    for _ in range(2):
        outcome = shop.reseller.data("/Orders/Validate", body)
        assert (outcome["known"], outcome["total"], outcome["details"]) == (
            False,
            10.0,
            [{"deliverId": "1", "quantity": 2, "unitPrice": 5.0, "price": 10.0, "status": 1}],
        )
    assert shop.reseller.get("/Account/Details").data == before
    assert shop.reseller.post("/Orders/Get", {"orderReference": body["orderReference"]}).verdict == (404, -3)
    placed = shop.reseller.data("/Orders/Create", body)
    assert shop.reseller.data("/Orders/Validate", body)["known"] is True
    assert shop.reseller.data("/Orders/Create", body) == placed


def test_validation_refuses_an_order_like_its_placement(shop: Shop) -> None:
    body = shop.order()
    shop.reseller.data("/Orders/Create", body)
    for wrong in (
        {**body, "basketData": [line(shop.card, 2)]},
        shop.order("prd_none"),
        shop.order(quantity=0),
        {**shop.order(), "maxPrice": 1},
        {**shop.order(), "notifyUrl": "http://127.0.0.1/"},
    ):
        validated, created = (shop.reseller.post(path, wrong) for path in ("/Orders/Validate", "/Orders/Create"))
        assert validated.verdict == created.verdict, wrong
        assert validated.verdict[0] in (400, 409)
