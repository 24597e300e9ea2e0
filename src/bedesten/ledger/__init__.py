"""The ledger: double entry in whole minor units.

Nouns. An *account* belongs to an owner and has one currency. Partners and customers have bounded accounts, which may
not go below minus their credit limit. The tenant itself owns `clearing` (money that entered or left), `adjustments`
(corrections by hand) and `sales`; a supplier's account collects what it earns. A *transfer* is one row: a positive
amount from one account to another, in one currency. A *hold* sets money of an account aside for one order. A *money
order* is what an operator books by hand: booked at once, or waiting for a second person, or rejected
(`moves.MONEY_ORDER`). A *statement* lists the transfers of one account with the balance after each (`statements`); the
place of a transfer in it never changes.

States. A hold is divided into captured, released and still held money; captures and releases are never undone.

Invariants, all of them database constraints where SQL can express them. One transfer per business key. posted − held ≥
−credit limit, or ≥ −debt at the time that limit was lowered. captured + released ≤ placed. No sum reaches `MAX_MINOR`.

The row of a bounded account caches its balance. The tenant's own accounts cache none, so that no two orders wait for
the same row.

Not here: the reason for a transfer (`orders`, `payments`, `fulfilment`), the check over all rows (`integrity`).
"""
