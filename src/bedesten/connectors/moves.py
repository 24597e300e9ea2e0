"""The life of a purchase, as a table of moves."""

from bedesten.core.moves import SUPPLIER, SYSTEM, Move, MoveTable, State

PLANNED, PLACING, ORDERED, FULFILLED, REFUSED, CANCELLED, LOST = 0, 1, 2, 3, 4, 5, 6

OPEN = (PLANNED, PLACING, ORDERED)
"""States that the worker works on."""

PURCHASE = MoveTable(
    "purchase",
    [
        State(PLANNED, "planned", "The supplier has nothing of it: nothing was sent, or what was sent bought nothing."),
        State(PLACING, "placing", "It was sent, or is about to be: only the supplier knows whether it has it."),
        State(ORDERED, "ordered", "The supplier has it; cards are still to come."),
        State(FULFILLED, "fulfilled", "The supplier has given every card that it will give."),
        State(REFUSED, "refused", "The supplier did not sell, or was not asked because of its price."),
        State(
            CANCELLED, "cancelled", "The line was taken away before anything was bought, or the supplier took it back."
        ),
        State(LOST, "lost", "For seven days the supplier gave no final answer: the operator has to ask it."),
    ],
    [
        Move("plan", (), PLANNED, (SYSTEM,)),
        Move("place", (PLANNED,), PLACING, (SYSTEM,)),
        Move("postpone", (PLACING,), PLANNED, (SYSTEM,)),
        Move("confirm", (PLACING,), ORDERED, (SUPPLIER,)),
        Move("fulfil", (PLACING, ORDERED), FULFILLED, (SUPPLIER,), money="captured for each card; the supplier earns"),
        Move("refuse", (PLANNED, PLACING, ORDERED), REFUSED, (SUPPLIER, SYSTEM)),
        Move("withdraw", (PLANNED,), CANCELLED, (SYSTEM,)),
        Move("cancel", (PLACING, ORDERED), CANCELLED, (SUPPLIER,)),
        Move("lose", (PLACING, ORDERED), LOST, (SYSTEM,)),
    ],
)
