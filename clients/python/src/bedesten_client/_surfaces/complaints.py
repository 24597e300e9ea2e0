"""Complaints, for the surfaces of buyers and of suppliers."""

from datetime import datetime

from bedesten_client._call import Call, Operation
from bedesten_client._paging import Body, since
from bedesten_client._retry import RetryPolicy
from bedesten_client.schemas import Amount, Complaint, ComplaintSummary, Page


class NewComplaint(Body, frozen=True):
    """The body of a complaint."""

    order_detail_id: str
    reason: str
    code: str | None = None
    text: str | None = None
    evidence: str | None = None


class ComplaintPaging(Body, frozen=True):
    """The body of a list of complaints."""

    page_size: int | None = None
    cursor: str | None = None
    updated_since: str | None = None
    state: str | None = None


class OneComplaint(Body, frozen=True):
    """The body of a call about one complaint."""

    complaint_id: str


class ComplaintAnswer(Body, frozen=True):
    """The body of a supplier's answer."""

    complaint_id: str
    answer: str
    amount: Amount | None = None
    text: str | None = None


class BuyerComplaintCalls:
    """The calls of buyers under one path, such as `/Complaints`."""

    def __init__(self, path: str) -> None:
        self._create = Operation(method="POST", path=f"{path}/Create", result=Complaint, retry_policy=RetryPolicy.KEYED)
        self._list = Operation(method="POST", path=f"{path}/List", result=Page[ComplaintSummary])
        self._get = Operation(method="POST", path=f"{path}/Get", result=Complaint)
        self._withdraw = Operation(
            method="POST", path=f"{path}/Withdraw", result=Complaint, retry_policy=RetryPolicy.KEYED
        )

    def create_complaint(
        self,
        order_detail_id: str,
        reason: str,
        *,
        code: str | None = None,
        text: str | None = None,
        evidence: str | None = None,
    ) -> Call[Complaint]:
        """Complain about a delivered unit: `code`, or the only one of the line. Idempotent."""
        body = NewComplaint(order_detail_id=order_detail_id, reason=reason, code=code, text=text, evidence=evidence)
        return Call(self._create, body)

    def list_complaints(
        self,
        *,
        state: str | None = None,
        updated_since: datetime | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Call[Page[ComplaintSummary]]:
        """Return a page of the account's complaints, oldest first."""
        body = ComplaintPaging(page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state)
        return Call(self._list, body)

    def get_complaint(self, complaint_id: str) -> Call[Complaint]:
        """Return one complaint with its texts."""
        return Call(self._get, OneComplaint(complaint_id=complaint_id))

    def withdraw_complaint(self, complaint_id: str) -> Call[Complaint]:
        """Withdraw an open complaint."""
        return Call(self._withdraw, OneComplaint(complaint_id=complaint_id))
