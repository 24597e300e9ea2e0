"""Complaints, as their buyers and their suppliers see them."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import Schema


class ComplaintSummary(Schema, frozen=True):
    """A complaint without texts. `state` is open, replaced, refunded, rejected or withdrawn."""

    complaint_id: str
    order_id: str
    order_detail_id: str
    reason: str
    state: str
    refund_amount: Decimal | None
    currency: str
    created: datetime
    updated: datetime


class Complaint(ComplaintSummary, frozen=True):
    """A complaint with the buyer's text and evidence, and the shop's answer."""

    text: str | None
    evidence: str | None
    answer: str | None


class SupplierComplaint(Schema, frozen=True):
    """A complaint about a unit that the supplier delivered. `charged` is the part of `earned` that was taken back."""

    complaint_id: str
    order_detail_id: str
    product_id: str
    reason: str
    state: str
    proposal: str | None
    proposed_amount: Decimal | None
    earned: Decimal
    charged: Decimal
    currency: str
    created: datetime
    updated: datetime


class SupplierComplaintDetails(SupplierComplaint, frozen=True):
    """A complaint with its code and what the buyer wrote."""

    code: str | None
    text: str | None
    evidence: str | None
    answer: str | None
