"""Values of complaints. Amounts are in minor units."""

import hashlib
from dataclasses import dataclass

import msgspec

from bedesten.catalogue.code import StockCode

INVALID_CODE, ALREADY_REDEEMED, WRONG_VALUE, WRONG_REGION, OTHER = REASONS = (
    "INVALID_CODE", "ALREADY_REDEEMED", "WRONG_VALUE", "WRONG_REGION", "OTHER",
)  # fmt: skip
"""What a buyer says is wrong. OTHER needs a text."""
RECALLED = "RECALLED"
"""The reason of a complaint that a recall opened."""
REPLACE, REFUND, REJECT = PROPOSALS = ("replace", "refund", "reject")
MAX_TEXT, MAX_EVIDENCE = 2_000, 10_000
"""Characters of a text or an answer, and of evidence."""


class NewComplaint(msgspec.Struct, frozen=True):
    """What a buyer says about a unit of a line. `code` may be left out for a line that has one unit, or none."""

    line_id: str
    reason: str
    code: StockCode | None = None
    text: str = ""
    evidence: str = ""

    def __repr__(self) -> str:
        return "NewComplaint(…)"

    def digest(self) -> bytes:
        """Returns a digest of everything but the code: the unit is part of the complaint's own key."""
        return hashlib.sha256(msgspec.json.encode((self.line_id, self.reason, self.text, self.evidence))).digest()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A supplier's answer. `amount` is of a refund; None means the whole price of the unit."""

    kind: str
    amount: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint; the texts are still encrypted."""

    id: str
    order_id: str
    line_id: str
    buyer_id: str
    code_id: str | None
    supplier_id: str | None
    earned: int
    origin: str
    reason: str
    digest: bytes
    ciphertext: bytes
    state: int
    proposal: str | None
    proposed_amount: int | None
    proposal_ciphertext: bytes | None
    answer_ciphertext: bytes | None
    decided_by: str | None
    refunded: int
    charged: int
    replacement_id: str | None
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Texts:
    """The decrypted texts of a complaint: the buyer's text and evidence, the supplier's proposal, the answer."""

    text: str
    evidence: str
    proposal: str | None
    answer: str | None
