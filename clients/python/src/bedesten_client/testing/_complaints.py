"""An in-memory model of complaints: the partner complains, the supplier answers, the shop decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from bedesten_client.testing._model import CURRENCY, DELIVERED, Data, Line, Order, Refusal, moment, page_of
from bedesten_client.testing._shop import ShopModel
from bedesten_client.testing._supplier import SupplierModel

REASONS = ("INVALID_CODE", "ALREADY_REDEEMED", "WRONG_VALUE", "WRONG_REGION", "OTHER")
ANSWERS = {"replace": "replaced", "refund": "refunded", "reject": "rejected"}


@dataclass
class Complaint:
    """A complaint about a unit of a line."""

    id: str
    order: Order
    line: Line
    code: str | None
    request: Data
    earned: Decimal
    state: str = "open"
    refunded: Decimal = Decimal("0.00")
    charged: Decimal = Decimal("0.00")
    proposal: str | None = None
    proposed_amount: Decimal | None = None
    answer: str | None = None
    created: str = field(default_factory=moment)

    @property
    def worth(self) -> Decimal:
        """The price of the units in question."""
        price: Decimal = self.line.product["price"]
        return price if self.code else price * self.line.delivered


@dataclass
class ComplaintModel:
    """All complaints of the shop."""

    shop: ShopModel
    supplier: SupplierModel
    complaints: list[Complaint] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations on complaints, of the partner and of the supplier."""
        return {
            "POST /Complaints/Create": self.create,
            "POST /Complaints/List": self.list_own,
            "POST /Complaints/Get": self.get,
            "POST /Complaints/Withdraw": self.withdraw,
            "POST /Supplier/Complaints/List": self.list_for_supplier,
            "POST /Supplier/Complaints/Get": self.get_for_supplier,
            "POST /Supplier/Complaints/Answer": self.propose,
        }

    # --- the buyer ---

    def create(self, body: Data, _: str) -> Data:
        """POST /Complaints/Create: a repeated complaint returns the first one."""
        if body.get("reason") not in REASONS:
            raise Refusal(400, -2, fields={"reason": f"must be one of {', '.join(REASONS)}"})
        if body["reason"] == "OTHER" and not body.get("text"):
            raise Refusal(400, -2, fields={"text": "is required with the reason OTHER"})
        order, line = self.shop.order_and_line(body.get("orderDetailId", ""))
        if not line.delivered:
            raise Refusal(409, -8, fields={"orderDetailId": "is not delivered"})
        code = self._code(line, body.get("code"))
        said = {name: body.get(name) for name in ("reason", "text", "evidence")}
        before = [one for one in self.complaints if one.line is line and one.code == code]
        for one in before:
            if one.request == said and one.state != "withdrawn":
                return self._view(one)
        if code in self.bad or any(one.state in ("open", "replaced", "refunded") for one in before):
            raise Refusal(409, -8, fields={"code": "has a complaint"})
        made = Complaint(self.shop.new_id("cmp"), order, line, code, said, self._earned(line, code))
        self.complaints.append(made)
        return self._view(made)

    def _code(self, line: Line, named: str | None) -> str | None:
        if named is not None:
            if named not in line.codes and named not in self.bad:
                raise Refusal(400, -2, fields={"code": "the line has no such code"})
            return named
        if len(line.codes) > 1:
            raise Refusal(400, -2, fields={"code": f"must name one of the {len(line.codes)} codes of the line"})
        return line.codes[0] if line.codes else None

    def _earned(self, line: Line, code: str | None) -> Decimal:
        cost = self.shop.costs.get(line.product["customerStoreProductId"], Decimal("0.00"))
        return cost if code else cost * line.delivered

    def list_own(self, body: Data, _: str) -> Data:
        """POST /Complaints/List."""
        return page_of([_summary(one) for one in self._in_state(body)], body)

    def get(self, body: Data, _: str) -> Data:
        """POST /Complaints/Get."""
        return self._view(self._named(body))

    def withdraw(self, body: Data, _: str) -> Data:
        """POST /Complaints/Withdraw; once."""
        one = self._named(body)
        if one.state not in ("open", "withdrawn"):
            raise _closed(one)
        one.state = "withdrawn"
        return self._view(one)

    # --- the supplier ---

    def list_for_supplier(self, body: Data, _: str) -> Data:
        """POST /Supplier/Complaints/List."""
        return page_of([_for_supplier(one) for one in self._in_state(body) if one.earned], body)

    def get_for_supplier(self, body: Data, _: str) -> Data:
        """POST /Supplier/Complaints/Get."""
        one = self._named(body)
        return {**_for_supplier(one), "code": one.code, **_texts(one)}

    def propose(self, body: Data, _: str) -> Data:
        """POST /Supplier/Complaints/Answer: a proposal, on which the shop decides."""
        one, answer, amount = self._named(body), body.get("answer"), body.get("amount")
        if answer not in ANSWERS or (amount is not None and answer != "refund"):
            raise Refusal(400, -2, fields={"answer": f"must be one of {', '.join(ANSWERS)}"})
        if answer == "reject" and not body.get("text"):
            raise Refusal(400, -2, fields={"text": "a rejection needs its reason"})
        if answer == "refund":
            self._amount(one, amount)
        if one.state != "open":
            raise _closed(one)
        one.proposal = answer
        one.proposed_amount = None if amount is None else Decimal(str(amount)).quantize(Decimal("0.01"))
        return _for_supplier(one)

    # --- the shop ---

    def decide(self, complaint_id: str, answer: str, amount: Decimal | None, text: str | None) -> None:
        """Decide an open complaint, as the shop's operator would. Charges the supplier's earning back."""
        one = self._named({"complaintId": complaint_id})
        if one.state != "open":
            raise _closed(one)
        if answer == "replace":
            self._replace(one)
            self._charge(one, one.worth)
        elif answer == "refund":
            back = self._amount(one, amount)
            if one.line.status != DELIVERED:
                raise Refusal(409, -8, fields={"amount": "the line is not delivered yet"})
            one.refunded = back
            one.line.refunded += back
            self.shop.balance += back
            self.shop.book("refund", back, one.order)
            self._charge(one, back)
        one.state, one.answer = ANSWERS[answer], text

    def _replace(self, one: Complaint) -> None:
        left = self.shop.stock.get(one.line.product["customerStoreProductId"])
        if one.code is None or not left:
            raise Refusal(409, -8, fields={"complaintId": "no free code of the product is left"})
        made = left.pop(0)
        one.line.codes[one.line.codes.index(one.code)] = made
        self.shop.sold.add(made)
        self.bad.add(one.code)

    def _charge(self, one: Complaint, amount: Decimal) -> None:
        if one.earned:
            one.charged = (one.earned * amount / one.worth).quantize(Decimal("0.01"), ROUND_DOWN)
            self.supplier.charge(one.charged)

    def _amount(self, one: Complaint, amount: Decimal | None) -> Decimal:
        wanted = one.worth if amount is None else Decimal(str(amount)).quantize(Decimal("0.01"))
        if not 0 < wanted <= one.worth:
            raise Refusal(400, -2, fields={"amount": "must be above 0 and at most the price of the unit"})
        return wanted

    def _named(self, body: Data) -> Complaint:
        for one in self.complaints:
            if one.id == body.get("complaintId"):
                return one
        raise Refusal(404, -3)

    def _in_state(self, body: Data) -> list[Complaint]:
        return [one for one in self.complaints if body.get("state") in (None, one.state)]

    def _view(self, one: Complaint) -> Data:
        return {**_summary(one), **_texts(one)}


def _closed(one: Complaint) -> Refusal:
    return Refusal(409, -8, fields={"complaintId": f"is {one.state}"})


def _texts(one: Complaint) -> Data:
    return {"text": one.request["text"], "evidence": one.request["evidence"], "answer": one.answer}


def _summary(one: Complaint) -> Data:
    return {
        "complaintId": one.id,
        "orderId": one.order.id,
        "orderDetailId": one.line.id,
        "reason": one.request["reason"],
        "state": one.state,
        "refundAmount": one.refunded if one.state == "refunded" else None,
        "currency": CURRENCY,
        "created": one.created,
        "updated": moment(),
    }


def _for_supplier(one: Complaint) -> Data:
    return {
        "complaintId": one.id,
        "orderDetailId": one.line.id,
        "productId": one.line.product["customerStoreProductId"],
        "reason": one.request["reason"],
        "state": one.state,
        "proposal": one.proposal,
        "proposedAmount": one.proposed_amount,
        "earned": one.earned,
        "charged": one.charged,
        "currency": CURRENCY,
        "created": one.created,
        "updated": moment(),
    }
