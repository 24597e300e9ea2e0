"""Connectors: calls the APIs of suppliers; `fulfilment` serves the suppliers that call us.

Nouns. A *connection* says that a supplier is called: by which adapter, at which URL, with which credential
(`catalogue.tables`). An *adapter* speaks the API of one kind of supplier; it knows HTTP and no store. A *purchase* is what
is bought for one assignment of a line (`orders.assignments`). A *card* is one unit that a purchase brings.

States of a purchase: planned, placing, ordered, fulfilled, refused, cancelled, lost; `moves` has the table.

Invariants. An assignment has at most one purchase. The purchase has one reference for life, derived from the
assignment, which the supplier accepts once. It is *placing* before the call that buys is sent, so that a crash leaves a
purchase that has to be polled. A purchase becomes *planned* again or ends only if the supplier says that it does not
know the reference or did not sell; silence, a timeout and an unreadable answer never have that effect. Each card is
booked once. A card of a line that was taken away goes to stock. No call is made inside a transaction. The worker that
holds the purchase's lease books the result of a call in one transaction.

Locks: the order's row first, then the purchase, then stock levels and ledger accounts.

Not here: the loop that makes the calls (`server.purchaser`), lines and deadlines (`fulfilment`), stock (`catalogue`).
"""
