"""The life of a complaint, as a table of moves."""

from bedesten.core.moves import BUYER, OPERATOR, SUPPLIER, Move, MoveTable, State

OPEN, REPLACED, REFUNDED, REJECTED, WITHDRAWN = range(5)
ANSWERED = "complaint.answered"
OPENED = "complaint.opened"

COMPLAINT = MoveTable(
    "complaint",
    [
        State(OPEN, "open", "Nobody has answered it yet; its supplier may have proposed an answer."),
        State(REPLACED, "replaced", "The unit has another code; the old one is bad for good."),
        State(REFUNDED, "refunded", "The price of the unit, or a part of it, was given back."),
        State(REJECTED, "rejected", "It was refused with a reason."),
        State(WITHDRAWN, "withdrawn", "Its buyer took it back."),
    ],
    [
        Move("open", (), OPEN, (BUYER, OPERATOR), events=(OPENED,)),
        Move("propose", (OPEN,), OPEN, (SUPPLIER,)),
        Move("replace", (OPEN,), REPLACED, (OPERATOR, SUPPLIER),
             money="a supplier at fault gives its earning back, the new code's supplier earns", events=(ANSWERED,)),
        Move("refund", (OPEN,), REFUNDED, (OPERATOR, SUPPLIER),
             money="given back, whole or in part; a supplier at fault gives its earning back", events=(ANSWERED,)),
        Move("reject", (OPEN,), REJECTED, (OPERATOR, SUPPLIER), events=(ANSWERED,)),
        Move("withdraw", (OPEN,), WITHDRAWN, (BUYER,)),
    ],
)  # fmt: skip
