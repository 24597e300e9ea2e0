"""The life of a unit of stock (one code), as a table of moves."""

from bedesten.core.moves import BUYER, OPERATOR, PAYMENT_SERVICE, SUPPLIER, SYSTEM, Move, MoveTable, State

FREE, CLAIMED, DELIVERED, WITHDRAWN, LOADING, BAD = range(6)

UNIT = MoveTable(
    "unit",
    [
        State(FREE, "free", "It can be sold."),
        State(CLAIMED, "claimed", "A checkout or a held order line has it."),
        State(DELIVERED, "delivered", "Its buyer has it."),
        State(WITHDRAWN, "withdrawn", "It is never sold; `reason` says why."),
        State(LOADING, "loading", "Its batch is not complete."),
        State(BAD, "bad", "It was delivered and replaced by another code; it is never sold again."),
    ],
    [
        Move("load", (), LOADING, (OPERATOR, SUPPLIER)),
        Move("finish", (LOADING,), FREE, (OPERATOR, SUPPLIER)),
        Move("claim", (FREE,), CLAIMED, (BUYER,)),
        Move("sell", (FREE,), DELIVERED, (BUYER, OPERATOR)),
        Move("deliver", (CLAIMED,), DELIVERED, (PAYMENT_SERVICE, OPERATOR)),
        Move("deliverNew", (), DELIVERED, (SUPPLIER,)),
        Move("putBack", (CLAIMED,), FREE, (BUYER, OPERATOR, SYSTEM)),
        Move("takeIn", (), FREE, (SUPPLIER,)),
        Move("withdraw", (FREE, CLAIMED), WITHDRAWN, (OPERATOR, SUPPLIER, SYSTEM)),
        Move("revive", (WITHDRAWN,), LOADING, (OPERATOR,)),
        Move("markBad", (DELIVERED,), BAD, (OPERATOR, SUPPLIER)),
    ],
)
