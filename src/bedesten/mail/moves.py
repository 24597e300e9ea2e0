"""The life of a mail, as a table of moves."""

from bedesten.core.moves import BUYER, OPERATOR, SYSTEM, Move, MoveTable, State

WAITING, SENT, FAILED, EXPIRED, DROPPED = 0, 1, 2, 3, 4
"""States of a mail."""

MAIL = MoveTable(
    "mail",
    [
        State(WAITING, "waiting", "It is sent, or sent again, when its time comes."),
        State(SENT, "sent", "The mail server accepted it."),
        State(FAILED, "failed", "The mail server refused it for good."),
        State(EXPIRED, "expired", "It could not be sent in time."),
        State(
            DROPPED, "dropped", "Nobody is to receive it: the address has no account that may, or needs no such mail."
        ),
    ],
    [
        Move("queue", (), WAITING, (BUYER, OPERATOR, SYSTEM)),
        Move("retry", (WAITING,), WAITING, (SYSTEM,)),
        Move("send", (WAITING,), SENT, (SYSTEM,)),
        Move("refuse", (WAITING,), FAILED, (SYSTEM,)),
        Move("expire", (WAITING,), EXPIRED, (SYSTEM,)),
        Move("drop", (WAITING,), DROPPED, (SYSTEM,)),
    ],
)
