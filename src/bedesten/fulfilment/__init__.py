"""Fulfilment: suppliers accept, deliver or reject waiting order lines; a rejected or late line goes to the next one.

Nouns. A *waiting line* is a line of a paid order that a supplier must deliver; the supplier's *queue* lists them, the
longest waiting first. An *assignment* is the time during which a line belongs to one supplier (`orders.assignments`). A
*delivery* brings units of a line, as codes or, for all that is left, as notes alone (a top-up).

States. A waiting line has `queued` set and status 2, and exactly one current assignment. An assignment ends once:
delivered, rejected, late, cancelled or rerouted. Then the line is delivered, or the next supplier has it, or no supplier
is left: it is cancelled and its money released, or it is held for the operator, as the product says (`routing`).

Invariants. One transaction stores the encrypted codes, captures their part of the order's hold, books what the supplier
earned and writes the event, exactly once. The same codes again for the same line change nothing. A supplier whose
assignment ended delivers nothing to the buyer: its codes go to stock, as a batch of its own. A supplier sees and delivers
its own lines only. Every action locks the order's row first, then stock levels, then ledger accounts.

Not here: the line's transitions (`orders`), stock codes (`catalogue`), money (`ledger`), notifications (`webhooks`).
"""
