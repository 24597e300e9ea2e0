"""Connectors: suppliers that are called, where `fulfilment` has the suppliers that call.

Nouns. A *connection* says that a supplier is called: by which adapter, at which URL, with which credential
(`catalogue.tables`). An *adapter* speaks the API of one kind of supplier; it knows HTTP and no store. A *purchase* is what
is bought for one assignment of a line (`orders.assignments`). A *card* is one unit that a purchase brings.

States of a purchase: planned, placing, ordered, fulfilled, refused, cancelled, lost; `moves` has the table.

Invariants. An assignment has at most one purchase. The purchase has one reference for life, derived from the assignment,
which the supplier accepts once. It is *placing* before the call that buys is sent, so that a crash leaves a purchase that
has to be polled. Only a supplier that says that it does not know the reference, or that it did not sell, makes a purchase
*planned* again or ends it; silence, a time-out and an answer that cannot be understood never do. Each card is booked once.
A card of a line that was taken away goes to stock. No call is made inside a transaction, and what a call brought is booked
in one transaction, by the worker that holds the purchase's lease.

Locks: the order's row first, then the purchase, then stock levels and ledger accounts.

Not here: the loop that makes the calls (`server.purchaser`), lines and deadlines (`fulfilment`), stock (`catalogue`).
"""
