"""The life of a deposit and of a payment, as tables of moves."""

from bedesten.core.moves import OPERATOR, PAYMENT_SERVICE, SYSTEM, Move, MoveTable, State

CREATED, BOOKED, ENDED, REFUSED, AWAITING = 0, 1, 2, 3, 3
"""States of both: created; confirmed or captured; rejected or cancelled. 3 is refused for a payment and awaiting
approval for a deposit."""
AUTHORISED, FAILED, REFUNDED, DISPUTED, LOST = 4, 5, 6, 7, 8
"""Further states of a payment."""

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

PAYMENT = MoveTable(
    "payment",
    [
        State(CREATED, "created", "Announced; no money moved."),
        State(BOOKED, "captured", "The money was received and the order is paid; a part may be refunded."),
        State(ENDED, "cancelled", "It will never be captured."),
        State(REFUSED, "refused", "The money has to be returned: the order could not be paid with it."),
        State(AUTHORISED, "authorised", "The payer's money is reserved at the provider."),
        State(FAILED, "failed", "The provider declined it."),
        State(REFUNDED, "refunded", "All of it was given back."),
        State(DISPUTED, "disputed", "The payer disputes it; the money is at risk."),
        State(LOST, "lost", "The dispute was lost: the provider took the money back."),
    ],
    [
        Move("create", (), CREATED, (PAYMENT_SERVICE,)),
        Move("authorise", (CREATED,), AUTHORISED, (PAYMENT_SERVICE,)),
        Move("capture", (CREATED, AUTHORISED), BOOKED, (PAYMENT_SERVICE,), money="received"),
        Move("refuse", (CREATED, AUTHORISED), REFUSED, (SYSTEM,)),
        Move("cancel", (CREATED, AUTHORISED), ENDED, (PAYMENT_SERVICE,)),
        Move("fail", (CREATED, AUTHORISED), FAILED, (PAYMENT_SERVICE,)),
        Move("refundPart", (BOOKED,), BOOKED, (PAYMENT_SERVICE, OPERATOR), money="given back in part"),
        Move("refund", (BOOKED,), REFUNDED, (PAYMENT_SERVICE, OPERATOR), money="given back"),
        Move("dispute", (BOOKED,), DISPUTED, (PAYMENT_SERVICE,)),
        Move("win", (DISPUTED,), BOOKED, (PAYMENT_SERVICE,)),
        Move("lose", (DISPUTED,), LOST, (PAYMENT_SERVICE,), money="taken back by the provider"),
    ],
)
