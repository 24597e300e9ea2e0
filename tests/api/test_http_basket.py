"""The basket over HTTP: it outlives sessions, and sixteen checkouts from it at once sell it once."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from bedesten.gate.scopes import Surface
from tests.support.client import Client, Lines, bearer
from tests.support.shop import Shop, fresh, line

BASKET, CHECKOUT = "/Storefront/Basket", "/Storefront/Checkout/Create"


def token(shop: Shop) -> str:
    """The bearer token of a fresh customer, whose basket is empty."""
    account = shop.operator.account(shop.id, "customer", f"{fresh('basket')}@example.com")
    return shop.signed_in(account)


def customer(shop: Shop) -> Client:
    """The client of a fresh customer."""
    return shop.client(None, bearer(token(shop)))


def test_a_basket_outlives_its_session_and_becomes_an_order(each_shop: Shop) -> None:
    account = each_shop.operator.account(each_shop.id, "customer", f"{fresh('basket')}@example.com")
    first, second = (each_shop.client(None, bearer(each_shop.signed_in(account))) for _ in range(2))
    first.data(f"{BASKET}/Add", {"productId": each_shop.card, "quantity": 2})
    first.data("/Storefront/Customers/Logout", {"everywhere": False})
    topup = line(each_shop.topup, topup=each_shop.topup)["requireData"]
    second.data(f"{BASKET}/Add", {"productId": each_shop.topup, "quantity": 1, "requireData": topup})
    shown = second.data(f"{BASKET}/Get", {})
    assert (shown["version"], shown["units"], shown["total"], shown["orderable"]) == (2, 3, Decimal("17.25"), True)
    assert [one["reason"] for one in shown["items"]] == [None, None]
    wanted = {"fromBasket": True, "reference": fresh("basket"), "basketVersion": 2, "expectedTotal": 17.25}
    made = second.data(CHECKOUT, wanted)
    assert (made["total"], [one["quantity"] for one in made["items"]]) == (Decimal("17.25"), [2, 1])
    assert second.data(CHECKOUT, wanted)["orderId"] == made["orderId"]
    assert second.data(f"{BASKET}/Get", {})["items"] == []
    second.data(f"{BASKET}/Add", {"productId": each_shop.card, "quantity": 1})
    assert second.data(CHECKOUT, wanted)["orderId"] == made["orderId"]
    assert second.post(CHECKOUT, {**wanted, "expectedTotal": 5}).verdict == (409, -8)
    assert second.data(f"{BASKET}/Get", {})["units"] == 1
    second.data("/Storefront/Checkout/Cancel", {"orderId": made["orderId"]})


def test_sixteen_checkouts_at_once_sell_the_basket_once(each_shop: Shop) -> None:
    for more in ({}, {"reference": fresh("once")}):
        who = bearer(token(each_shop))
        caller = each_shop.client(None, who)
        caller.data(f"{BASKET}/Add", {"productId": each_shop.card, "quantity": 1})

        def ask(_: int, more: dict[str, str] = more, who: Lines = who) -> tuple[int, str | None]:
            answer = each_shop.client(None, who).post(CHECKOUT, {"fromBasket": True, **more})
            return answer.status, answer.data["orderId"] if answer.status == 200 else None

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(16)))
        made = {order for status, order in answers if status == 200}
        assert len(made) == 1
        assert {status for status, _ in answers} <= ({200} if more else {200, 409})
        assert len(caller.data("/Storefront/Orders/List", {})["items"]) == 1
        caller.data("/Storefront/Checkout/Cancel", {"orderId": made.pop()})


def test_a_checkout_that_fails_leaves_the_basket(each_shop: Shop) -> None:
    caller = customer(each_shop)
    assert caller.post(CHECKOUT, {"fromBasket": True}).verdict == (409, -8)
    caller.data(f"{BASKET}/Add", {"productId": each_shop.topup, "quantity": 1})
    refused = caller.post(CHECKOUT, {"fromBasket": True})
    assert (refused.verdict, refused.json["data"]["items"]) == (
        (409, -200), [{"deliverId": "0", "reason": "requiredDataMissing"}]
    )  # fmt: skip
    caller.data(f"{BASKET}/Set", {"items": [{"productId": each_shop.card, "quantity": 1}]})
    assert caller.post(CHECKOUT, {"fromBasket": True, "expectedTotal": 4.99}).verdict == (409, -8)
    assert caller.post(CHECKOUT, {"fromBasket": True, "basketVersion": 1}).verdict == (409, -8)
    wrong: list[dict[str, object]] = [
        {}, {"fromBasket": False}, {"items": []}, {"basketVersion": 2, "items": [{"productId": "x", "quantity": 1}]},
        {"fromBasket": True, "items": [{"productId": each_shop.card, "quantity": 1}]},
        {"fromBasket": True, "expectedTotal": 0.001}, {"fromBasket": "yes"},
    ]  # fmt: skip
    for body in wrong:
        assert caller.post(CHECKOUT, body).verdict == (400, -2), body
    assert caller.data(f"{BASKET}/Get", {})["units"] == 1


def test_hostile_changes_of_a_basket_are_refused(each_shop: Shop) -> None:
    caller, card = customer(each_shop), each_shop.card
    for quantity in (0, -1, 10**9, 1.5, "1", None):
        assert caller.post(f"{BASKET}/Add", {"productId": card, "quantity": quantity}).verdict == (400, -2)
    assert caller.post(f"{BASKET}/Add", {"productId": "prd_x", "quantity": 1}).verdict == (404, -3)
    assert caller.post(f"{BASKET}/Add", {"productId": card, "quantity": 1, "unitPrice": 0}).verdict == (400, -2)
    assert caller.post(f"{BASKET}/Update", {"lineId": "bsl_x"}).verdict == (400, -2)
    assert caller.post(f"{BASKET}/Update", {"lineId": "bsl_x", "quantity": 1}).verdict == (404, -3)
    for limit in (caller.post(f"{BASKET}/Set", {"items": [{"productId": card, "quantity": 1}] * 51}).verdict,):
        assert limit == (400, -2)
    caller.data(f"{BASKET}/Add", {"productId": card, "quantity": 1_000})
    full = caller.post(f"{BASKET}/Add", {"productId": card, "quantity": 1})
    assert (full.verdict, full.json["data"]) == ((409, -204), {"limit": "quantity", "maximum": 1000})
    assert caller.post(f"{BASKET}/Clear", {"version": 7}).verdict == (409, -8)
    assert caller.data(f"{BASKET}/Remove", {"lineIds": ["bsl_x"]})["units"] == 1_000
    assert caller.data(f"{BASKET}/Clear", {})["items"] == []
    other = each_shop.client(Surface.STOREFRONT).data(f"{BASKET}/Get", {})
    assert card not in [one["productId"] for one in other["items"] if one["quantity"] == 1_000]


def test_one_idempotency_key_adds_once(each_shop: Shop) -> None:
    caller = customer(each_shop)
    for _ in range(3):
        answer = caller.post(
            f"{BASKET}/Add", {"productId": each_shop.card, "quantity": 1}, [("Idempotency-Key", "add-1")]
        )
        assert answer.data["units"] == 1
