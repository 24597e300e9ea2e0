"""Complaints, for the surfaces of buyers and of suppliers."""

from bedesten_client._call import Operation
from bedesten_client._paging import Body
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


def create(path: str) -> Operation[Complaint]:
    """Open a complaint."""
    return Operation(method="POST", path=f"{path}/Create", result=Complaint, retry_policy=RetryPolicy.KEYED)


def list_own(path: str) -> Operation[Page[ComplaintSummary]]:
    """List complaints."""
    return Operation(method="POST", path=f"{path}/List", result=Page[ComplaintSummary])


def get(path: str) -> Operation[Complaint]:
    """Read one complaint."""
    return Operation(method="POST", path=f"{path}/Get", result=Complaint)


def withdraw(path: str) -> Operation[Complaint]:
    """Withdraw a complaint."""
    return Operation(method="POST", path=f"{path}/Withdraw", result=Complaint, retry_policy=RetryPolicy.KEYED)
