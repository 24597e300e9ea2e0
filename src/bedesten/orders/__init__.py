"""Orders: what a buyer asked for, line by line, and how far each line has come.

An *order* belongs to a buyer (a partner or a customer) who named it by a reference of its own. States: awaiting payment
(0, a customer's checkout), placed (1), expired (2), withdrawn (3). A partner's order is placed at once. A checkout moves
from 0 to 1 (paid), 2 (its time is over) or 3 (its customer cancelled it); from 2 back to 0 (resumed), to 1 (paid late) or
to 3; never out of 1 or 3. An *order line* has the status that the wire shows: 0 cancelled,
1 delivered, 2 being processed, 3 taken out of processing; `version` counts its changes of status, and each of them is
exactly one event of the room `webhooks`.

All or nothing: an order in which one line cannot be had is no order. The same reference with the same content gives the
same order again, with other content it is refused. Money: the hold of an order is placed with it, captured line by line
with delivery, released with cancellation. Locks are taken in one order (the order's reference, stock by product id, the
buyer's ledger account), so that two orders never wait for each other.
"""
