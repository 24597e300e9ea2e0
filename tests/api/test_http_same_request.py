"""When a request counts as a repetition: one rule for its reference and its `Idempotency-Key`."""

import pytest

from tests.support.shop import Shop, fresh

ORDER = (
    '{"orderReference": "%s", "basketData": [{"deliverId": "1", "customerStoreProductId": "%s", "quantity": 1, '
    '"maxUnitPrice": 9.5}]}'
)
SAME = {
    "byte for byte": ORDER,
    "a whole number written as a fraction": ORDER.replace('"quantity": 1', '"quantity": 1.0'),
    "a number with an exponent": ORDER.replace('"quantity": 1', '"quantity": 10e-1'),
    "an amount with more digits": ORDER.replace("9.5", "9.50"),
    "white space": ORDER.replace(": ", ":\n\t"),
    "members in another order": (
        '{"basketData": [{"maxUnitPrice": 9.5, "quantity": 1, "customerStoreProductId": "%(card)s", "deliverId": "1"}], '
        '"orderReference": "%(reference)s"}'
    ),
    "names in another case": ORDER.replace("orderReference", "OrderREFERENCE").replace("quantity", "Quantity"),
    "null for what was left out": ORDER.replace('"basketData"', '"notifyUrl": null, "basketData"'),
    "a default that is named": ORDER.replace('"quantity"', '"requireData": [], "quantity"'),
    "null for a list": ORDER.replace('"quantity"', '"requireData": null, "quantity"'),
    "an escaped character": ORDER.replace('"deliverId": "1"', '"deliverId": "\\u0031"'),
    "a text with white space around it": ORDER.replace('"deliverId": "1"', '"deliverId": " 1 "'),
}
OTHER = {
    "another quantity": ORDER.replace('"quantity": 1', '"quantity": 2'),
    "another price": ORDER.replace("9.5", "9.51"),
    "no highest price": ORDER.replace(', "maxUnitPrice": 9.5', ""),
    "another id of the line": ORDER.replace('"deliverId": "1"', '"deliverId": "2"'),
    "another place to tell": ORDER.replace('"basketData"', '"notifyUrl": "https://hooks.example/x", "basketData"'),
}


def written(text: str, reference: str, card: str) -> bytes:
    """The body of the order."""
    if "%(card)s" in text:
        return (text % {"reference": reference, "card": card}).encode()
    return (text % (reference, card)).encode()


@pytest.mark.parametrize("how", SAME)
def test_a_body_of_the_same_meaning_is_a_repetition_by_reference_and_by_key(each_shop: Shop, how: str) -> None:
    for by_key in (False, True):
        reference = fresh("same")
        lines = [("Idempotency-Key", reference)] if by_key else []
        first = each_shop.reseller.post("/Orders/Create", written(ORDER, reference, each_shop.card), lines)
        again = each_shop.reseller.post("/Orders/Create", written(SAME[how], reference, each_shop.card), lines)
        assert (first.status, again.status) == (200, 200), (by_key, again.body)
        assert again.data == first.data


@pytest.mark.parametrize("how", OTHER)
def test_a_body_of_another_meaning_is_a_conflict_by_reference_and_by_key(each_shop: Shop, how: str) -> None:
    for by_key in (False, True):
        reference = fresh("other")
        lines = [("Idempotency-Key", reference)] if by_key else []
        first = each_shop.reseller.post("/Orders/Create", written(ORDER, reference, each_shop.card), lines)
        again = each_shop.reseller.post("/Orders/Create", written(OTHER[how], reference, each_shop.card), lines)
        assert first.status == 200
        assert again.verdict == (409, -8), by_key


def test_a_deposit_s_amount_may_be_written_in_any_way_by_reference_and_by_key(each_shop: Shop) -> None:
    for by_key in (False, True):
        reference = fresh("deposit")
        lines = [("Idempotency-Key", reference)] if by_key else []
        outcome = []
        for amount in ("20", "20.0", "2e1", "20.00", "20.01"):
            body = f'{{"partner": "{each_shop.partner}", "amount": {amount}, "reference": "{reference}"}}'
            outcome.append(each_shop.payments.post("/Payment/Deposits/Create", body.encode(), lines))
        assert [one.status for one in outcome] == [200, 200, 200, 200, 409], by_key
        assert len({one.data["depositId"] for one in outcome[:4]}) == 1
