"""A complaint, from the buyer's request to the replacement code, over HTTP, on both engines."""

from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import update

from bedesten.audit.actions import OPERATOR
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions, window
from bedesten.complaints.model import Proposal
from bedesten.core.clock import DAY
from bedesten.errors import Refusal
from bedesten.orders.tables import order_lines
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from tests.support.operator_actions import Operator
from tests.support.shop import CARD_PRICE, Shop, fresh, line, open_shop
from tests.support.sites import Site


@pytest.fixture
def shop(each_site: Site, each_operator: Operator) -> Shop:
    """A shop for one test only, with four codes."""
    return open_shop(each_site, each_operator, fresh("complaints"), stock=4)


def buy(shop: Shop, quantity: int = 2) -> tuple[str, list[str]]:
    """Places an order of the partner; returns its line and codes."""
    placed = shop.reseller.data("/Orders/Create", shop.order(quantity=quantity))
    name = placed["details"][0]["orderDetailId"]
    return name, shop.reseller.get(f"/Orders/Detail/{name}").data["deliveryData"]


def complain(shop: Shop, line_id: str, code: str, **more: object) -> dict[str, object]:
    """The body of a complaint about a code."""
    return {"orderDetailId": line_id, "code": code, "reason": "INVALID_CODE"} | more


def decide(shop: Shop, complaint: str, kind: str) -> None:
    """The operator's decision."""

    def work(tx: Transaction) -> bool:
        one = complaints.complaint_of(tx, complaint)
        answer = Proposal(kind, None, "We are sorry.")
        return decisions.decide(tx, shop.operator.installation.cipher, one, answer, OPERATOR, charge=True)

    assert shop.operator.within(shop.id, work)


def test_a_code_with_a_complaint_is_replaced(shop: Shop) -> None:
    name, codes = buy(shop)
    made = shop.reseller.data("/Complaints/Create", complain(shop, name, codes[1], text="It was used before."))
    assert (made["state"], made["text"], made["answer"]) == ("open", "It was used before.", None)
    assert shop.reseller.data("/Complaints/Create", complain(shop, name, codes[1], text="It was used before.")) == made
    listed = shop.reseller.data("/Complaints/List", {"state": "open"})["items"]
    assert [one["complaintId"] for one in listed] == [made["complaintId"]]
    assert "text" not in listed[0]
    decide(shop, made["complaintId"], "replace")
    after = shop.reseller.data("/Complaints/Get", {"complaintId": made["complaintId"]})
    assert (after["state"], after["answer"], after["refundAmount"]) == ("replaced", "We are sorry.", None)
    new = shop.reseller.get(f"/Orders/Detail/{name}").data["deliveryData"]
    assert new[0] == codes[0]
    assert new[1] not in codes
    assert shop.reseller.post("/Complaints/Withdraw", {"complaintId": made["complaintId"]}).verdict == (409, -8)


def test_a_refund_shows_on_the_complaint_and_in_the_balance(shop: Shop) -> None:
    name, codes = buy(shop, 1)
    made = shop.reseller.data("/Complaints/Create", complain(shop, name, codes[0]))
    before = shop.reseller.get("/Account/Details").data["balance"]
    decide(shop, made["complaintId"], "refund")
    after = shop.reseller.data("/Complaints/Get", {"complaintId": made["complaintId"]})
    assert (after["state"], after["refundAmount"]) == ("refunded", Decimal(CARD_PRICE))
    assert shop.reseller.get("/Account/Details").data["balance"] == before + Decimal(CARD_PRICE)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"reason": "BROKEN"}, "reason"),
        ({"reason": "RECALLED"}, "reason"),
        ({"reason": "OTHER"}, "text"),
        ({"code": "NOT-OF-THIS-LINE"}, "code"),
        ({"code": None}, "code"),
        ({"text": "x" * 2001}, "text"),
        ({"evidence": "x" * 10001}, "evidence"),
        ({"photo": "base64"}, "photo"),
    ],
)
def test_an_invalid_complaint_names_the_field_at_fault(shop: Shop, more: dict[str, object], field: str) -> None:
    name, codes = buy(shop)
    refused = shop.reseller.post("/Complaints/Create", complain(shop, name, codes[0]) | more)
    assert refused.verdict == (400, -2)
    assert [one["field"] for one in refused.json["errors"]] == [field]


def test_an_idempotency_key_makes_one_complaint(shop: Shop) -> None:
    name, codes = buy(shop, 1)
    key = (("Idempotency-Key", fresh("key")),)
    first, second = (
        shop.reseller.call("POST", "/Complaints/Create", complain(shop, name, codes[0]), key) for _ in range(2)
    )
    assert first.data == second.data
    assert codes[0] not in str(first.data)


def test_complaints_that_do_not_exist_or_belong_to_others_are_not_found(shop: Shop) -> None:
    name, codes = buy(shop, 1)
    made = shop.reseller.data("/Complaints/Create", complain(shop, name, codes[0]))
    storefront, supplies = shop.storefront, shop.supplies
    assert storefront.post("/Storefront/Complaints/Create", complain(shop, name, codes[0])).verdict == (404, -3)
    for path in ("/Complaints/Get", "/Complaints/Withdraw"):
        for complaint in (made["complaintId"], "cmp_01m8692580zzzzzzzzzzzzzzzz"):
            assert storefront.post(f"/Storefront{path}", {"complaintId": complaint}).verdict == (404, -3)
    answer = {"complaintId": made["complaintId"], "answer": "reject", "text": "no"}
    assert supplies.post("/Supplier/Complaints/Answer", answer).verdict == (404, -3)
    assert supplies.post("/Supplier/Complaints/Get", {"complaintId": made["complaintId"]}).verdict == (404, -3)
    assert storefront.data("/Storefront/Complaints/List", {})["items"] == []


def test_a_supplier_sees_the_code_and_proposes_a_refund(shop: Shop) -> None:
    basket = [line(shop.topup, 1, "a", topup=shop.topup)]
    placed = shop.reseller.data("/Orders/Create", {"orderReference": fresh("o"), "basketData": basket})
    name, code = placed["details"][0]["orderDetailId"], fresh("TOPUP")
    shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": name, "deliveryData": [code]})
    made = shop.reseller.data("/Complaints/Create", {"orderDetailId": name, "reason": "WRONG_VALUE"})
    (listed,) = shop.supplies.data("/Supplier/Complaints/List", {})["items"]
    assert (listed["complaintId"], listed["state"], "code" in listed) == (made["complaintId"], "open", False)
    assert shop.supplies.data("/Supplier/Complaints/Get", {"complaintId": made["complaintId"]})["code"] == code
    answer = {"complaintId": made["complaintId"], "answer": "refund", "amount": 0.01, "text": "a cent is missing"}
    outcome = shop.supplies.data("/Supplier/Complaints/Answer", answer)
    assert (outcome["state"], outcome["proposal"], outcome["proposedAmount"]) == ("open", "refund", Decimal("0.01"))
    for wrong, field in (
        ({"answer": "give up"}, "answer"),
        ({"answer": "reject", "amount": None, "text": None}, "text"),
        ({"answer": "replace"}, "amount"),
        ({"amount": 10**9}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 0.001}, "amount"),
        ({"amount": "0.01"}, "amount"),
    ):
        refused = shop.supplies.post("/Supplier/Complaints/Answer", answer | wrong)
        assert refused.verdict == (400, -2), wrong
        assert [one["field"] for one in refused.json["errors"]] == [field]


AGE = statement(
    update(order_lines)
    .where(order_lines.c.tenant_id == TENANT, order_lines.c.id == p("line"))
    .values(updated=order_lines.c.updated - p("by"))
)


def age(shop: Shop, line_id: str, days: int) -> None:
    """Moves the line's last change into the past."""
    shop.operator.within(shop.id, lambda tx: tx.run(AGE, line=line_id, by=days * DAY))


def test_a_complaint_after_the_deadline_is_refused_and_a_product_may_have_its_own_deadline(shop: Shop) -> None:
    name, codes = buy(shop)
    age(shop, name, 179)
    made = shop.reseller.data("/Complaints/Create", complain(shop, name, codes[0]))
    age(shop, name, 1)
    refused = shop.reseller.post("/Complaints/Create", complain(shop, name, codes[1]))
    assert refused.verdict == (409, -510)
    assert refused.json["data"]["ended"].endswith("Z")
    assert shop.reseller.data("/Complaints/Create", complain(shop, name, codes[0])) == made
    shop.operator.within(shop.id, lambda tx: window.set_product_days(tx, shop.card, 365, OPERATOR))
    assert shop.reseller.data("/Complaints/Create", complain(shop, name, codes[1]))["state"] == "open"


def test_the_tenant_s_deadline_applies_to_its_products(shop: Shop) -> None:
    shop.operator.within(shop.id, lambda tx: window.set_tenant_days(tx, 2, OPERATOR))
    name, codes = buy(shop)
    age(shop, name, 2)
    assert shop.reseller.post("/Complaints/Create", complain(shop, name, codes[0])).verdict == (409, -510)
    for wrong in (0, -1, 3651):
        with pytest.raises(Refusal, match="-2"):
            shop.operator.within(shop.id, partial(window.set_tenant_days, days=wrong, actor=OPERATOR))
    shop.operator.within(shop.id, lambda tx: complaints.set_supplier_decides(tx, True, OPERATOR))
    assert shop.operator.within(shop.id, window.tenant_days) == 2
