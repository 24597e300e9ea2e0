"""The catalogue: categories, products, and the stock codes that are sold.

A *product* is what a buyer orders. Its supplier, if any, owns its cost and whether it is offered; the operator owns its
price, category, region and whether it is sold. It is sellable when both say yes and it has a price.
`fulfilment`: `stock` (only from stock codes), `supplier` (always asked), `stock_first`.

A *stock code* is free (0), claimed (1) or delivered (2). It is sealed at rest; a keyed digest beside it finds duplicates.
Invariants: `stock_levels.available` = the number of free codes, never below zero; a code belongs to at most one unit
of one order line, and a line has no more units than were ordered: both are constraints of the database.
"""
