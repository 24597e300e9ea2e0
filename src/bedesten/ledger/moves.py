"""The life of a money order, as a table of moves."""

from bedesten.core.moves import OPERATOR, Move, MoveTable, State

WAITING, BOOKED, REJECTED = 0, 1, 2

MONEY_ORDER = MoveTable(
    "money order",
    [
        State(WAITING, "waiting", "Above the tenant's limit: a second person has to approve it; no money moved."),
        State(BOOKED, "booked", "Its transfer is in the ledger."),
        State(REJECTED, "rejected", "It will never be booked."),
    ],
    [
        Move("request", (), WAITING, (OPERATOR,)),
        Move("book", (), BOOKED, (OPERATOR,), money="adjusted, received or paid out"),
        Move("approve", (WAITING,), BOOKED, (OPERATOR,), money="adjusted, received or paid out"),
        Move("reject", (WAITING,), REJECTED, (OPERATOR,)),
    ],
)
