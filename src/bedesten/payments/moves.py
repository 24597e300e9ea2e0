"""The life of a deposit, a payment, a refund of a payment and a provider's event, as tables of moves."""

from bedesten.core.moves import BUYER, OPERATOR, PAYMENT_SERVICE, SYSTEM, Move, MoveTable, State

CREATED, BOOKED, ENDED, REFUSED, AWAITING = 0, 1, 2, 3, 3
"""States of both: created; confirmed or captured; rejected or cancelled. 3 is refused for a payment and awaiting
approval for a deposit."""
AUTHORISED, FAILED, REFUNDED, DISPUTED, LOST, PART_CAPTURED = 4, 5, 6, 7, 8, 9
"""Further states of a payment."""
REQUESTED, PAID_OUT, NOT_PAID_OUT = 0, 1, 2
"""States of a refund."""
WAITING, APPLIED, UNKNOWN, CONTRADICTED = 0, 1, 2, 3
"""States of a provider's event."""

DEPOSIT = MoveTable(
    "deposit",
    [
        State(CREATED, "created", "Announced, not booked."),
        State(BOOKED, "confirmed", "Booked to the partner's balance."),
        State(ENDED, "rejected", "It will never be booked."),
        State(AWAITING, "awaitingApproval", "Confirmed by the service; the operator has to approve that much."),
    ],
    [
        Move("create", (), CREATED, (PAYMENT_SERVICE, OPERATOR)),
        Move("confirm", (CREATED,), BOOKED, (PAYMENT_SERVICE,), money="received"),
        Move("awaitApproval", (CREATED,), AWAITING, (PAYMENT_SERVICE,)),
        Move("approve", (AWAITING,), BOOKED, (OPERATOR,), money="received"),
        Move("reject", (CREATED, AWAITING), ENDED, (PAYMENT_SERVICE, OPERATOR)),
    ],
)

_OPEN = (CREATED, AUTHORISED, PART_CAPTURED, FAILED)
"""A payment that failed may still be captured: a provider reports each attempt, and a later one can succeed."""

PAYMENT = MoveTable(
    "payment",
    [
        State(CREATED, "created", "Announced; no money moved."),
        State(BOOKED, "captured", "The money was received and the order is paid; a part may be refunded."),
        State(ENDED, "cancelled", "It will never be captured."),
        State(REFUSED, "refused", "The money has to be returned: the order could not be paid with it."),
        State(AUTHORISED, "authorised", "The payer's money is reserved at the provider."),
        State(FAILED, "failed", "The provider declined it; a later attempt may still be captured."),
        State(REFUNDED, "refunded", "All that was captured was given back."),
        State(DISPUTED, "disputed", "The payer disputes it; the money is at risk."),
        State(LOST, "lost", "The dispute was lost: the provider took the money back."),
        State(PART_CAPTURED, "partlyCaptured", "A part was received; the order is paid by the capture of the rest."),
    ],
    [
        Move("create", (), CREATED, (PAYMENT_SERVICE,)),
        Move("start", (), CREATED, (BUYER,), events=("payment.started",)),
        Move("authorise", (CREATED, FAILED), AUTHORISED, (PAYMENT_SERVICE,)),
        Move("capturePart", _OPEN, PART_CAPTURED, (PAYMENT_SERVICE,), money="received in part"),
        Move("capture", _OPEN, BOOKED, (PAYMENT_SERVICE,), money="received"),
        Move("refuse", _OPEN, REFUSED, (SYSTEM,), money="what was captured in part is given back"),
        Move("cancel", (CREATED, AUTHORISED, FAILED), ENDED, (PAYMENT_SERVICE,)),
        Move("fail", (CREATED, AUTHORISED), FAILED, (PAYMENT_SERVICE,)),
        Move("refundPart", (BOOKED,), BOOKED, (PAYMENT_SERVICE, OPERATOR), money="given back in part"),
        Move("refund", (BOOKED, PART_CAPTURED), REFUNDED, (PAYMENT_SERVICE, OPERATOR), money="given back"),
        Move("refundFails", (BOOKED, REFUNDED), BOOKED, (PAYMENT_SERVICE,), money="a refund is taken back"),
        Move("partRefundFails", (REFUNDED,), PART_CAPTURED, (PAYMENT_SERVICE,), money="a refund is taken back"),
        Move("dispute", (BOOKED,), DISPUTED, (PAYMENT_SERVICE,)),
        Move("win", (DISPUTED,), BOOKED, (PAYMENT_SERVICE,)),
        Move("lose", (DISPUTED,), LOST, (PAYMENT_SERVICE,), money="taken back by the provider"),
    ],
)

REFUND = MoveTable(
    "payment refund",
    [
        State(REQUESTED, "requested", "The money left the buyer's balance; the payment service has to pay it out."),
        State(PAID_OUT, "done", "The payer has the money back."),
        State(NOT_PAID_OUT, "failed", "The payer did not get it; it is in the buyer's balance again."),
    ],
    [
        Move("request", (), REQUESTED, (OPERATOR, SYSTEM), money="given back"),
        Move("report", (), PAID_OUT, (PAYMENT_SERVICE,), money="given back"),
        Move("confirm", (REQUESTED,), PAID_OUT, (PAYMENT_SERVICE,)),
        Move("fail", (REQUESTED, PAID_OUT), NOT_PAID_OUT, (PAYMENT_SERVICE,), money="returned to the balance"),
    ],
)

EVENT = MoveTable(
    "provider event",
    [
        State(WAITING, "waiting", "It came before what it needs, and is applied when that is there."),
        State(APPLIED, "applied", "It changed its payment, or its payment had got there already."),
        State(UNKNOWN, "unknown", "Its kind is not known; it is kept and changes nothing."),
        State(CONTRADICTED, "contradicted", "It contradicts its payment and changes nothing; somebody has to look."),
    ],
    [
        Move("receive", (), WAITING, (PAYMENT_SERVICE,)),
        Move("receiveUnknown", (), UNKNOWN, (PAYMENT_SERVICE,)),
        Move("apply", (WAITING,), APPLIED, (SYSTEM,)),
        Move("contradict", (WAITING,), CONTRADICTED, (SYSTEM,)),
    ],
)
