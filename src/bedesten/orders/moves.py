"""The life of an order and of an order line, as tables of moves."""

from bedesten.core.moves import BUYER, OPERATOR, PAYMENT_SERVICE, SUPPLIER, SYSTEM, Move, MoveTable, State
from bedesten.orders.model import (
    CANCELLED,
    DELIVERED,
    EVENT_TYPES,
    EXPIRED,
    PLACED,
    PROCESSING,
    TAKEN_OUT,
    UNPAID,
    WITHDRAWN,
)

ORDER = MoveTable(
    "order",
    [
        State(UNPAID, "awaitingPayment", "A checkout whose goods are reserved until it is paid or expires."),
        State(PLACED, "placed", "The order counts: its money is held or captured."),
        State(EXPIRED, "expired", "A checkout that nobody paid in time; its goods went back to stock."),
        State(WITHDRAWN, "cancelled", "A checkout that its customer cancelled before it was paid."),
    ],
    [
        Move("place", (), PLACED, (BUYER,), money="held"),
        Move("reserve", (), UNPAID, (BUYER,)),
        Move("pay", (UNPAID, EXPIRED), PLACED, (PAYMENT_SERVICE,), money="received, then held"),
        Move("expire", (UNPAID,), EXPIRED, (SYSTEM,)),
        Move("resume", (EXPIRED,), UNPAID, (BUYER,)),
        Move("withdraw", (UNPAID, EXPIRED), WITHDRAWN, (BUYER,)),
    ],
)

_TOLD = {status: (name,) for status, name in EVENT_TYPES.items()}

LINE = MoveTable(
    "order line",
    [
        State(CANCELLED, "cancelled", "Nothing was delivered and nothing will be; its money was released."),
        State(DELIVERED, "delivered", "Every unit was delivered, or delivered in part and the rest cancelled."),
        State(PROCESSING, "processing", "A supplier is asked, or the checkout is not paid yet."),
        State(TAKEN_OUT, "held", "Taken out of processing: a review or the operator has to release it."),
    ],
    [
        Move("place", (), DELIVERED, (BUYER,), money="captured", events=_TOLD[DELIVERED]),
        Move("queue", (), PROCESSING, (BUYER,), money="held", events=_TOLD[PROCESSING]),
        Move("reserve", (), PROCESSING, (BUYER,)),
        Move("review", (), TAKEN_OUT, (BUYER,), money="held", events=_TOLD[TAKEN_OUT]),
        Move("renew", (PROCESSING,), PROCESSING, (BUYER, PAYMENT_SERVICE)),
        Move("enqueue", (PROCESSING,), PROCESSING, (PAYMENT_SERVICE,), money="held", events=_TOLD[PROCESSING]),
        Move("accept", (PROCESSING,), PROCESSING, (SUPPLIER,)),
        Move("deliver", (PROCESSING,), DELIVERED, (SUPPLIER, PAYMENT_SERVICE), money="captured",
             events=_TOLD[DELIVERED]),
        Move("deliverPart", (PROCESSING,), PROCESSING, (SUPPLIER,), money="captured in part",
             events=_TOLD[PROCESSING]),
        Move("reroute", (PROCESSING, TAKEN_OUT), PROCESSING, (SUPPLIER, OPERATOR, SYSTEM)),
        Move("hold", (PROCESSING,), TAKEN_OUT, (OPERATOR, SYSTEM), events=_TOLD[TAKEN_OUT]),
        Move("release", (TAKEN_OUT,), PROCESSING, (OPERATOR,), events=_TOLD[PROCESSING]),
        Move("releaseDelivered", (TAKEN_OUT,), DELIVERED, (OPERATOR,), money="captured", events=_TOLD[DELIVERED]),
        Move("cancel", (PROCESSING, TAKEN_OUT), CANCELLED, (BUYER, SUPPLIER, OPERATOR, SYSTEM), money="released",
             events=_TOLD[CANCELLED]),
        Move("cancelRest", (PROCESSING, TAKEN_OUT), DELIVERED, (BUYER, SUPPLIER, OPERATOR, SYSTEM),
             money="what was not delivered is released", events=_TOLD[DELIVERED]),
        Move("refund", (DELIVERED,), DELIVERED, (SUPPLIER, OPERATOR, PAYMENT_SERVICE), money="given back, whole or in part"),
    ],
)  # fmt: skip
