"""Orders: what a buyer requested, line by line, and the progress of each line.

Nouns. An *order* belongs to a buyer (a partner or a customer), under a reference that the buyer chooses. An *order
line* requests units of one product. A *checkout* is a customer's order that waits for its payment.

States of an order: awaiting payment (0, a checkout), placed (1), expired (2), withdrawn (3). A partner's order is
placed at once. A checkout moves from 0 to 1 (paid), 2 (expired) or 3 (its customer cancelled it); from 2 back to 0
(resumed), to 1 (paid late) or to 3. It never leaves 1 or 3.

States of a line, as the wire shows them: 0 cancelled, 1 delivered, 2 being processed, 3 taken out of processing.
`version` counts the changes of its status; each change is exactly one event of the package `webhooks`.

Invariants. An order is all or nothing: if one line is unavailable, there is no order. The same reference with the same
content returns the same order; with other content it is refused. An order's hold is placed together with it, captured
line by line on delivery and released on cancellation. Locks are taken in one sequence (the order's reference, stock codes
by product id, the buyer's ledger account), so that two orders never deadlock.

Pace. The first attempt reads all facts in one round trip and sends all changes with COMMIT in another one
(`actions.place`). An order that lost a race to another transaction, or that finds too little stock, is placed step by
step.

Not here: stock codes (`catalogue`), money (`ledger`, `payments`), suppliers' deliveries (`fulfilment`).
"""
