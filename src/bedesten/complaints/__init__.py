"""Complaints: a buyer says that a delivered unit is not what was sold, and the operator or its supplier answers.

Nouns. A *complaint* is about one unit of a delivered order line: its code or, where a line was delivered by a note
alone, the whole line. A *proposal* is what the supplier of the unit offers; the operator decides, unless the tenant
lets its suppliers decide. The supplier is *charged* if it is at fault: it gives back what it earned with the unit.

States: open (0), replaced (1), refunded (2), rejected (3), withdrawn (4); `moves` has the table.

Invariants. A unit has at most one complaint that is open, replaced or refunded. A replacement takes another free code of
the product for the same unit of the line; the old code is bad and is never sold again. A refund has the business key
`complaint:ID`, a claw-back the one of its unit, so both happen once. Texts of buyers, suppliers and the operator are
encrypted, because people paste codes into them. Locks: the order's row, the stock level, the ledger account.

Not here: refunds and claw-backs (`orders.refunds`), replacements of codes (`orders.replacements`), recalls (`recalls`).
"""
