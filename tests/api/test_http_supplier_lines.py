"""A supplier accepts, delivers in parts and rejects over HTTP; hostile bodies are refused and change nothing."""

import pytest

from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING
from tests.support.shop import Shop, fresh, line

Body = dict[str, object]


def waiting(shop: Shop, quantity: int = 1) -> str:
    """An order line of the partner that waits for the shop's supplier."""
    basket = [line(shop.topup, quantity, "1", topup=shop.topup)]
    made = shop.reseller.data("/Orders/Create", {"orderReference": fresh("supplied"), "basketData": basket})
    return str(made["details"][0]["orderDetailId"])


def awaited(shop: Shop, wanted: str) -> Body | None:
    """The order line as the supplier's list shows it."""
    found = shop.supplies.data("/Supplier/Orders/Awaiting", {"pageSize": 200})["items"]
    return next((one for one in found if one["orderDetailId"] == wanted), None)


def test_a_line_is_accepted_delivered_in_parts_and_read_by_its_buyer(shop: Shop) -> None:
    wanted = waiting(shop, 2)
    before = awaited(shop, wanted)
    assert before is not None
    assert (before["remaining"], before["accepted"], before["deadline"]) == (2, None, None)
    accepted = shop.supplies.data("/Supplier/Orders/Accept", {"orderDetailId": wanted})
    assert accepted == {"orderDetailId": wanted, "status": PROCESSING, "assigned": True, "remaining": 2}
    first, second = fresh("PART"), fresh("PART")
    part = shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": wanted, "deliveryData": [first]})
    assert (part["status"], part["assigned"], part["remaining"], part["stocked"]) == (PROCESSING, True, 1, 0)
    after = awaited(shop, wanted)
    assert after is not None
    assert after["remaining"] == 1
    detail = shop.reseller.get(f"/Orders/Detail/{wanted}").data
    assert (detail["status"], detail["delivered"], detail["deliveryData"]) == (PROCESSING, 1, [first])
    rest = shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": wanted, "deliveryData": [second]})
    assert (rest["status"], rest["assigned"], rest["remaining"]) == (DELIVERED, False, 0)
    assert shop.reseller.get(f"/Orders/Detail/{wanted}").data["deliveryData"] == [first, second]
    assert awaited(shop, wanted) is None


def test_a_rejected_line_is_cancelled_and_codes_delivered_afterwards_go_to_the_supplier_s_stock(shop: Shop) -> None:
    wanted = waiting(shop)
    body = {"orderDetailId": wanted, "reason": "no more of it"}
    answer = shop.supplies.data("/Supplier/Orders/Reject", body)
    assert answer == {"orderDetailId": wanted, "status": CANCELLED, "assigned": False, "remaining": 0}
    assert shop.supplies.data("/Supplier/Orders/Reject", body) == answer
    refused = shop.supplies.post("/Supplier/Orders/Accept", {"orderDetailId": wanted})
    assert (refused.status, refused.code) == (409, -501)
    code = fresh("LATE")
    late = shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": wanted, "deliveryData": [code]})
    assert (late["status"], late["stocked"]) == (CANCELLED, 1)
    listed = shop.supplies.data("/Supplier/Stock/List", {"productId": shop.topup, "pageSize": 200})["items"]
    (batch,) = [one for one in listed if one["batchId"] == late["batchId"]]
    assert (batch["codes"], batch["available"], batch["sold"]) == (1, 1, 0)
    withdraw = {"batchId": late["batchId"], "reason": "called back"}
    assert shop.supplies.data("/Supplier/Stock/Withdraw", withdraw)["withdrawn"] == 1
    assert shop.supplies.data("/Supplier/Stock/Withdraw", withdraw)["withdrawnBefore"] == 1


@pytest.mark.parametrize(
    ("path", "body", "number"),
    [
        ("Orders/Accept", {}, -2),
        ("Orders/Accept", {"orderDetailId": "odl_never"}, -3),
        ("Orders/Accept", {"orderDetailId": "{line}", "promisedBy": "soon"}, -2),
        ("Orders/Accept", {"orderDetailId": "{line}", "promisedBy": "2020-01-01T00:00:00Z"}, -2),
        ("Orders/Accept", {"orderDetailId": "{line}", "promisedBy": "2099-01-01T00:00:00Z"}, -2),
        ("Orders/Accept", {"orderDetailId": "{line}", "quantity": 1}, -2),
        ("Orders/Reject", {"orderDetailId": "{line}"}, -2),
        ("Orders/Reject", {"orderDetailId": "{line}", "reason": ""}, -2),
        ("Orders/Reject", {"orderDetailId": "{line}", "reason": 7}, -2),
        ("Orders/Reject", {"orderDetailId": "odl_never", "reason": "no"}, -3),
        ("Orders/Deliver", {"orderDetailId": "{line}", "deliveryData": ["A-1", "A-2"]}, -500),
        ("Stock/List", {"productId": 5}, -2),
        ("Stock/List", {"cursor": "x"}, -2),
        ("Stock/Withdraw", {"reason": "no"}, -2),
        ("Stock/Withdraw", {"batchId": "bat_never", "reason": "no"}, -3),
        ("Stock/Withdraw", {"batchId": "bat_never", "codes": ["A-1"], "reason": "no"}, -2),
        ("Stock/Withdraw", {"codes": ["A-1"]}, -2),
    ],
)
def test_an_invalid_call_changes_nothing(shop: Shop, path: str, body: Body, number: int) -> None:
    wanted = waiting(shop)
    before = awaited(shop, wanted)
    sent = {name: wanted if value == "{line}" else value for name, value in body.items()}
    assert shop.supplies.post(f"/Supplier/{path}", sent).code == number
    assert awaited(shop, wanted) == before


def test_a_supplier_recalls_a_batch_after_a_dry_run(shop: Shop) -> None:
    codes = [fresh("RECALL"), fresh("RECALL")]
    batch = shop.supplies.data("/Supplier/Stock/Upload", {"productId": shop.card, "codes": codes})["batchId"]
    body = {"batchId": batch, "reason": "called back"}
    counted = shop.supplies.data("/Supplier/Stock/Recall", {**body, "dryRun": True})
    assert (counted["available"], counted["withdrawn"], counted["dryRun"]) == (2, 0, True)
    done = shop.supplies.data("/Supplier/Stock/Recall", body)
    assert (done["withdrawn"], done["complaintsOpened"], done["complaintsLeft"]) == (2, 0, 0)
    again = shop.supplies.data("/Supplier/Stock/Recall", {"codes": [*codes, "NEVER-1"], "reason": "called back"})
    assert (again["withdrawnBefore"], again["unknown"], again["withdrawn"]) == (2, 1, 0)
    for wrong, code in (
        ({"reason": "x"}, -2),
        ({"batchId": batch, "codes": codes, "reason": "x"}, -2),
        ({"batchId": batch}, -2),
        ({"batchId": "bat_never", "reason": "x"}, -3),
        ({"batchId": "bat_never", "reason": "x", "dryRun": True}, -3),
    ):
        assert shop.supplies.post("/Supplier/Stock/Recall", wrong).verdict[1] == code
