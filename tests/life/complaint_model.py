"""The plain model of complaints; with it the model is complete."""

from dataclasses import dataclass

from tests.life.money_model import MoneyModel
from tests.life.world import Code, Line


@dataclass
class Complaint:
    """A complaint about a code, or about a line that was delivered by a note alone."""

    line: Line
    code: Code | None
    reason: str
    supplier: str | None
    earned: int
    state: str = "open"
    refunded: int = 0
    charged: int = 0
    proposal: str | None = None
    proposed_amount: int | None = None
    decided_by: str = ""
    id: str = ""

    @property
    def worth(self) -> int:
        """The price of the unit or line that the complaint is about."""
        return self.line.price * (1 if self.code else self.line.delivered)


class Model(MoneyModel):
    """Everything that happens, complaints included. `suppliers_decide` is the tenant's setting."""

    def __init__(self, *, suppliers_decide: bool = False) -> None:
        super().__init__()
        self.complaints: list[Complaint] = []
        self.suppliers_decide = suppliers_decide

    def complain(self, line: Line, code: Code | None, reason: str) -> tuple[int, Complaint | None]:
        """The buyer complains; `code` None leaves it out."""
        if not line.delivered:
            return -8, None
        if code is None:
            units = self.of_line(line, "delivered")
            if len(units) > 1:
                return -2, None
            code = units[0] if units else None
        elif code.line is not line or code.state not in ("delivered", "bad"):
            return -2, None
        before = [one for one in self.complaints if one.code is code and one.line is line]
        for one in before:
            if one.reason == reason and one.state != "withdrawn":
                return 0, one
        if any(one.state in ("open", "replaced", "refunded") for one in before) or (code and code.state == "bad"):
            return -8, None
        made = Complaint(line, code, reason, *self._earner(line, code))
        self.complaints.append(made)
        return 0, made

    def _earner(self, line: Line, code: Code | None) -> tuple[str | None, int]:
        if code is not None and code.batch is not None:
            return code.batch.supplier, code.batch.cost
        unit = code.unit or 0 if code else 0
        found = next((one.by for one in line.deliveries if one.first <= unit < one.first + one.units), None)
        return (found.supplier, found.cost * (1 if code else line.delivered)) if found else (None, 0)

    def withdraw(self, complaint: Complaint) -> int:
        """The buyer withdraws a complaint."""
        if complaint.state not in ("open", "withdrawn"):
            return -8
        complaint.state = "withdrawn"
        return 0

    def answer(self, complaint: Complaint, supplier: str, kind: str, amount: int | None) -> int:
        """The supplier answers; it decides where the tenant lets it."""
        if complaint.supplier != supplier:
            return -3
        if kind == "refund" and not self._fits(complaint, amount):
            return -2
        if complaint.state != "open":
            states = {"replace": "replaced", "refund": "refunded", "reject": "rejected"}
            same = (complaint.proposal, complaint.proposed_amount) == (kind, amount)
            return 0 if same and complaint.decided_by == supplier and complaint.state == states[kind] else -8
        before = complaint.proposal, complaint.proposed_amount
        complaint.proposal, complaint.proposed_amount = kind, amount
        if not self.suppliers_decide:
            return 0
        refused, _ = self.decide(complaint, kind, amount, charge=kind != "reject", by=supplier)
        if refused:
            complaint.proposal, complaint.proposed_amount = before
        return refused

    def decide(
        self, complaint: Complaint, kind: str, amount: int | None, *, charge: bool, by: str = "operator"
    ) -> tuple[int, bool]:
        """Returns a refusal, and whether the complaint was decided: a replacement needs a free code."""
        if complaint.state != "open":
            return -8, False
        if kind == "replace":
            if complaint.code is None:
                return -2, False
            if not self._replace(complaint, complaint.code):
                return 0, False
            self._charge(complaint, complaint.worth, charge)
            complaint.state = "replaced"
        elif kind == "refund":
            if not self._fits(complaint, amount):
                return -2, False
            wanted = complaint.worth if amount is None else amount
            if self.refund_line(complaint.line, wanted):
                return -8, False
            self._charge(complaint, wanted, charge)
            complaint.state, complaint.refunded = "refunded", wanted
        else:
            complaint.state = "rejected"
        complaint.decided_by = by
        return 0, True

    def _fits(self, complaint: Complaint, amount: int | None) -> bool:
        return 0 < (complaint.worth if amount is None else amount) <= complaint.worth

    def _replace(self, complaint: Complaint, bad: Code) -> bool:
        free = self.free(bad.product)
        if not free:
            return False
        free[0].state, free[0].line, free[0].unit = "delivered", complaint.line, bad.unit
        bad.state, bad.unit = "bad", None
        if free[0].batch is not None and free[0].batch.supplier:
            self.transfer("sales", free[0].batch.supplier, free[0].batch.cost)
        return True

    def _charge(self, complaint: Complaint, amount: int, charge: bool) -> None:
        if charge and complaint.supplier is not None:
            complaint.charged = complaint.earned * amount // complaint.worth
            self.transfer(complaint.supplier, "sales", complaint.charged)
