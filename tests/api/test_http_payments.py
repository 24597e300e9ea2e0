"""The life of a payment over HTTP, on both engines: parts, refunds, events, and what the customer sees."""

from decimal import Decimal

import pytest

from tests.support.shop import CARD_PRICE, Shop, fresh


def announced(shop: Shop) -> dict[str, str]:
    """A payment of a checkout of one card."""
    items = [{"productId": shop.card, "quantity": 1}]
    order = shop.storefront.data("/Storefront/Checkout/Create", {"items": items})["orderId"]
    new = {"orderId": order, "amount": float(CARD_PRICE), "reference": fresh("payment")}
    found: dict[str, str] = shop.payments.data("/Payment/Payments/Create", new)
    return found


def event(kind: str, payment: dict[str, str], **more: object) -> dict[str, object]:
    """An event of the provider about a payment."""
    return {
        "eventId": fresh("evt"),
        "type": f"payment.{kind}",
        "occurredAt": "2026-01-01T00:00:00Z",
        "paymentReference": payment["reference"],
        **more,
    }


def test_a_payment_is_authorised_captured_in_parts_and_read(each_shop: Shop) -> None:
    payment, calls = announced(each_shop), each_shop.payments
    named = {"paymentId": payment["paymentId"]}
    assert calls.data("/Payment/Payments/Authorise", named)["state"] == "authorised"
    part = {**named, "amount": 2, "reference": "part"}
    for _ in range(2):
        shown = calls.data("/Payment/Payments/Capture", part)
        assert (shown["state"], shown["captured"]) == ("partlyCaptured", Decimal("2.00"))
    assert calls.post("/Payment/Payments/Capture", {**part, "amount": 1}).verdict == (409, -8)
    assert calls.post("/Payment/Payments/Cancel", named).verdict == (409, -401)
    assert calls.data("/Payment/Payments/Capture", named)["state"] == "captured"
    assert calls.data("/Payment/Payments/Get", {"reference": payment["reference"]})["captured"] == Decimal(CARD_PRICE)
    for wrong in ({}, {**named, "reference": "x"}):
        assert calls.post("/Payment/Payments/Get", wrong).verdict == (400, -2)
    listed = calls.data("/Payment/Payments/List", {"state": "captured", "pageSize": 200})["items"]
    assert payment["paymentId"] in [one["paymentId"] for one in listed]
    assert calls.post("/Payment/Payments/List", {"state": "lost in space"}).verdict == (400, -2)


def test_pages_of_payments_neither_skip_nor_repeat(each_shop: Shop) -> None:
    made = [announced(each_shop)["paymentId"] for _ in range(3)]
    seen: list[str] = []
    cursor = None
    while True:
        page = each_shop.payments.data("/Payment/Payments/List", {"pageSize": 2, "cursor": cursor})
        seen += [one["paymentId"] for one in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert sorted(set(seen)) == sorted(seen)
    assert [one for one in seen if one in made] == made


def test_a_payment_that_comes_too_late_is_refunded_and_service_and_customer_see_it(each_shop: Shop) -> None:
    payment, calls = announced(each_shop), each_shop.payments
    each_shop.storefront.data("/Storefront/Checkout/Cancel", {"orderId": payment["orderId"]})
    outcome = calls.data("/Payment/Notify", event("captured", payment))
    assert (outcome["state"], outcome["outcome"]) == (
        "applied",
        "the order could not be paid (-402); the refund of the payer is requested",
    )
    late = calls.post("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})
    assert (late.verdict, late.json["data"]["refundAmount"]) == ((409, -402), Decimal(CARD_PRICE))
    listed = calls.data("/Payment/Refunds/List", {"state": "requested", "pageSize": 200})["items"]
    (refund,) = [one for one in listed if one["paymentId"] == payment["paymentId"]]
    seen = each_shop.storefront.data("/Storefront/Orders/Get", {"orderId": payment["orderId"]})
    assert [(one["amount"], one["state"]) for one in seen["refunds"]] == [(Decimal(CARD_PRICE), "requested")]
    assert calls.data("/Payment/Refunds/Confirm", {"refundId": refund["refundId"]})["state"] == "done"
    seen = each_shop.storefront.data("/Storefront/Orders/Get", {"orderId": payment["orderId"]})
    assert [one["state"] for one in seen["refunds"]] == ["done"]
    failed = calls.data("/Payment/Refunds/Fail", {"refundId": refund["refundId"], "reason": "closed"})
    assert (failed["state"], failed["reason"]) == ("failed", "closed")
    assert calls.post("/Payment/Refunds/Confirm", {"refundId": refund["refundId"]}).verdict == (409, -401)


def test_a_refund_needs_the_money_in_the_balance_and_an_event_does_not(each_shop: Shop) -> None:
    payment, calls = announced(each_shop), each_shop.payments
    calls.data("/Payment/Notify", event("captured", payment))
    wanted = {"paymentId": payment["paymentId"], "reference": "r", "amount": 1}
    assert calls.post("/Payment/Payments/Refund", wanted).verdict == (409, -300)
    outcome = event("refunded", payment, amount=1, operationReference="re_1")
    first = calls.data("/Payment/Notify", outcome)
    assert first["state"] == "applied"
    assert calls.data("/Payment/Notify", outcome) == first
    assert calls.post("/Payment/Notify", {**outcome, "amount": 2}).verdict == (409, -8)
    shown = calls.data("/Payment/Payments/Get", {"paymentId": payment["paymentId"]})
    assert (shown["state"], shown["refunded"]) == ("captured", Decimal("1.00"))


@pytest.mark.parametrize("amount", ["-1", "0", "1e400", '"5"', "1.001", "1e15", "true", "NaN"])
def test_hostile_amounts_change_nothing(each_shop: Shop, amount: str) -> None:
    payment = announced(each_shop)
    for path in ("Payments/Capture", "Payments/Refund"):
        body = f'{{"paymentId":"{payment["paymentId"]}","reference":"r","amount":{amount}}}'
        assert each_shop.payments.post(f"/Payment/{path}", body.encode()).verdict == (400, -2)
    shown = each_shop.payments.data("/Payment/Payments/Get", {"paymentId": payment["paymentId"]})
    assert (shown["state"], shown["captured"]) == ("created", Decimal("0.00"))


def test_unknown_ids_and_ids_of_other_kinds_are_404_alike(each_shop: Shop) -> None:
    payment = announced(each_shop)
    for path, member in (
        ("Payments/Get", "paymentId"), ("Payments/Authorise", "paymentId"), ("Payments/Capture", "paymentId"),
        ("Refunds/Confirm", "refundId"), ("Refunds/Fail", "refundId"), ("Deposits/Get", "depositId"),
        ("Deposits/Reject", "depositId"),
    ):  # fmt: skip
        for unknown in ("x", payment["orderId"]):
            assert each_shop.payments.post(f"/Payment/{path}", {member: unknown}).verdict == (404, -3), path


def test_events_of_unknown_payments_wait_and_events_of_unknown_kinds_are_listed(each_shop: Shop) -> None:
    calls = each_shop.payments
    waiting = calls.data("/Payment/Notify", event("captured", {"reference": fresh("nobody")}))
    unknown = calls.data("/Payment/Notify", {**event("captured", {"reference": "x"}), "type": "invoice.sent"})
    assert (waiting["state"], unknown["state"]) == ("waiting", "unknown")
    for state, one in (("waiting", waiting), ("unknown", unknown)):
        listed = calls.data("/Payment/Events/List", {"state": state, "pageSize": 200})["items"]
        assert one in listed
    nameless = event("captured", {"reference": "x"})
    del nameless["paymentReference"]
    assert calls.post("/Payment/Notify", nameless).verdict == (400, -2)
    assert calls.post("/Payment/Notify", event("refundFailed", {"reference": "x"})).verdict == (400, -2)
    assert calls.post("/Payment/Notify", {**event("failed", {"reference": "x"}), "currency": "EUR"}).verdict == (
        400,
        -2,
    )
    assert calls.post("/Payment/Notify", {**event("failed", {"reference": "x"}), "occurredAt": "soon"}).verdict == (
        400,
        -2,
    )


def test_a_deposit_is_read_listed_and_rejected(each_shop: Shop) -> None:
    calls = each_shop.payments
    new = {"partner": each_shop.partner, "amount": 7, "reference": fresh("deposit")}
    made = calls.data("/Payment/Deposits/Create", new)
    assert calls.data("/Payment/Deposits/Get", {"reference": new["reference"]}) == made
    for _ in range(2):
        assert calls.data("/Payment/Deposits/Reject", {"depositId": made["depositId"]})["state"] == "rejected"
    assert calls.post("/Payment/Deposits/Confirm", {"depositId": made["depositId"]}).verdict == (409, -400)
    listed = calls.data("/Payment/Deposits/List", {"state": "rejected", "pageSize": 200})["items"]
    assert made["depositId"] in [one["depositId"] for one in listed]
    booked = calls.data("/Payment/Deposits/Create", {**new, "reference": fresh("deposit")})
    calls.data("/Payment/Deposits/Confirm", {"depositId": booked["depositId"]})
    assert calls.post("/Payment/Deposits/Reject", {"depositId": booked["depositId"]}).verdict == (409, -400)
