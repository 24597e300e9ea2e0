"""The life of a webhook endpoint and of a delivery, as tables of moves."""

from bedesten.core.moves import BUYER, OPERATOR, SUPPLIER, SYSTEM, Move, MoveTable, State

ACTIVE, PAUSED, FAILING, DELETED = 0, 1, 2, 3
"""States of an endpoint."""
DUE, DONE, GIVEN_UP, HELD = 0, 1, 2, 3
"""States of a delivery."""

_OWNER = (BUYER, SUPPLIER, OPERATOR)

ENDPOINT = MoveTable(
    "webhook endpoint",
    [
        State(ACTIVE, "active", "Deliveries are sent."),
        State(PAUSED, "paused", "Its owner or the operator paused it; deliveries wait."),
        State(FAILING, "failing", "Every attempt failed for three days, so it was paused; deliveries wait."),
        State(DELETED, "deleted", "It is gone; its past deliveries are kept."),
    ],
    [
        Move("create", (), ACTIVE, _OWNER),
        Move("pause", (ACTIVE,), PAUSED, _OWNER),
        Move("fail", (ACTIVE,), FAILING, (SYSTEM,), events=("endpoint.paused",)),
        Move("resume", (PAUSED, FAILING), ACTIVE, _OWNER),
        Move("delete", (ACTIVE, PAUSED, FAILING), DELETED, _OWNER),
    ],
)

DELIVERY = MoveTable(
    "webhook delivery",
    [
        State(DUE, "due", "It is sent, or sent again, when its time comes."),
        State(DONE, "delivered", "The receiver accepted it."),
        State(GIVEN_UP, "failed", "The last attempt failed, or its endpoint was deleted."),
        State(HELD, "held", "Its endpoint is paused; it is sent when the endpoint is resumed."),
    ],
    [
        Move("queue", (), DUE, (SYSTEM,)),
        Move("queueHeld", (), HELD, (SYSTEM,)),
        Move("deliver", (DUE, HELD), DONE, (SYSTEM,)),
        Move("retry", (DUE,), DUE, (SYSTEM,)),
        Move("giveUp", (DUE,), GIVEN_UP, (SYSTEM,)),
        Move("hold", (DUE,), HELD, (SYSTEM,)),
        Move("release", (HELD,), DUE, (SYSTEM,)),
        Move("replay", (DUE, DONE, GIVEN_UP), DUE, _OWNER),
        Move("drop", (DUE, HELD), GIVEN_UP, (SYSTEM,)),
    ],
)
