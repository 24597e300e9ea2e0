"""Fulfilment: suppliers see the order lines that wait for them and deliver them, with codes or with a note.

Nouns. A *waiting line* is a line of a paid order that a supplier must deliver; the supplier's *queue* lists them, the
longest waiting first. A *delivery* closes one line, with as many codes as it has units or with notes alone (a top-up).

States. A waiting line has `queued` set and status 2. A delivered line has status 1 and leaves the queue for good.

Invariants. One transaction stores the encrypted codes, captures the line's part of the order's hold, books what the
supplier earned and writes the event, exactly once. The same codes again for the same line change nothing. A supplier
sees and delivers its own lines only.

Not here: the line's transitions (`orders`), stock codes (`catalogue`), money (`ledger`), notifications (`webhooks`).
"""
